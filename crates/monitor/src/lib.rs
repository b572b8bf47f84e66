//! What watches a model: statistical tests, drift between two sets of rows, and the quality of data in a window.
//!
//! Pure functions over rows and summaries: no I/O, no clock, no printing. Every result is the same on any number of
//! threads. [`mod@test`] holds tests and distances on numbers and counts, as SciPy and Evidently compute them; [`drift`]
//! chooses among them by column and judges whole tables; [`classifier`] tells two windows apart by whole rows; [`quality`] holds a window
//! against the summaries of a model; [`performance`] says what answers were worth once there are labels; [`alert`] has the rules by which
//! somebody is told.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

pub mod alert;
pub mod classifier;
pub mod drift;
pub mod error;
pub mod performance;
pub mod quality;
pub mod sample;
pub mod test;

pub use drift::{DriftOptions, DriftReport};
pub use error::{Error, Result};
