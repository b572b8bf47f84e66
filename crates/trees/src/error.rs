//! What can keep trees from being grown.

/// What a function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can keep trees from being grown.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter lies outside of its range.
    #[error("{parameter} = {found} is out of range; allowed: {allowed}")]
    Parameter {
        /// Its name.
        parameter: &'static str,
        /// What was given.
        found: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// There is nothing to learn from.
    #[error("trees need at least one row with a positive weight; found {rows} rows")]
    NoRows {
        /// Rows that were given.
        rows: usize,
    },
    /// Features, targets and weights differ in length.
    #[error("{what} has {found} rows, the features have {expected}")]
    Length {
        /// Which part.
        what: &'static str,
        /// Rows it has.
        found: usize,
        /// Rows it should have.
        expected: usize,
    },
    /// A target cannot be learned.
    #[error("row {row} has the target {found}; allowed: {allowed}")]
    Target {
        /// The row, from 0.
        row: usize,
        /// What was given.
        found: f64,
        /// What is allowed.
        allowed: String,
    },
    /// A constraint cannot be kept.
    #[error("constraint: {why}")]
    Constraint {
        /// What is wrong with it.
        why: String,
    },
    /// What boosting goes on from does not fit the rows.
    #[error("cannot go on from there: {why}")]
    Start {
        /// What does not fit.
        why: String,
    },
    /// A weight cannot be used.
    #[error("row {row} has the weight {found}; allowed: 0 or a positive finite number")]
    Weight {
        /// The row, from 0.
        row: usize,
        /// What was given.
        found: f64,
    },
    /// There are more rows than row numbers.
    #[error("{rows} rows are more than trees can be grown on; allowed: up to {allowed}")]
    TooManyRows {
        /// Rows that were given.
        rows: usize,
        /// The most that are allowed.
        allowed: usize,
    },
    /// The caller wished to stop.
    #[error("growing trees was cancelled")]
    Cancelled,
}
