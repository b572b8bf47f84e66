//! Statistical tests and distances between two sets of numbers or of counts: pure functions, the reference first.
//!
//! Numbers come as a sorted [`Sample`](crate::sample::Sample), so that all tests of a column share one sort, and one
//! [`Walk`](crate::sample::Walk) through both. What is missing is left out before, and counted apart.

mod adjust;
mod binning;
pub mod chi_square;
pub mod distance;
mod kolmogorov;
pub mod ks;
pub mod proportion;
mod special;

pub use adjust::benjamini_hochberg;
pub use binning::{Binned, by_value, fill_zeros, in_bins};
pub(crate) use special::poisson_at_most;

/// What a test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The test's own measure of the difference.
    pub statistic: f64,
    /// How often a difference at least as large arises by chance.
    pub p_value: f64,
}
