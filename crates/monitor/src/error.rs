//! The errors of this crate: what cannot be compared or judged, and why.

/// What a function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why data could not be watched.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The reference and the current rows share no column that could be compared.
    #[error("nothing to compare: {reason}; the reference has the columns {reference}, the current rows {current}")]
    NothingInCommon {
        /// Why none of the columns is compared.
        reason: String,
        /// Names of the columns of the reference, shortened.
        reference: String,
        /// Names of the columns of the current rows, shortened.
        current: String,
    },
    /// A setting names a column that neither side has.
    #[error("`{setting}` names the column `{name}`, which neither the reference nor the current rows have{hint}")]
    UnknownColumn {
        /// The setting.
        setting: &'static str,
        /// The column.
        name: String,
        /// "Did you mean" with the nearest name, or nothing.
        hint: String,
    },
    /// A name or a number that is not allowed.
    #[error(transparent)]
    Core(#[from] tabwright_core::Error),
    /// The two windows could not be told apart by a model, for a reason of its fit.
    #[error("the classifier that tells the two windows apart could not be fitted: {message}")]
    Classifier {
        /// What the fit said.
        message: String,
    },
}
