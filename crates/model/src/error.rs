//! What can be wrong with a model or with the rows it is given.

/// What a function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can be wrong with a model or with the rows it is given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is no model file.
    #[error("this is no Tabwright model: {0}")]
    NotAModel(String),
    /// The file was damaged or cut off.
    #[error("the model file is damaged: {0}; get a fresh copy of it or train again")]
    Damaged(String),
    /// The file was written by a newer version.
    #[error("the model needs a newer Tabwright: {0}")]
    TooNew(String),
    /// The parts of the model contradict each other.
    #[error("the model is invalid: {0}")]
    Invalid(String),
    /// The file could not be written.
    #[error("the model cannot be written: {0}")]
    Write(#[source] std::io::Error),
    /// The rows lack columns that the model needs.
    #[error("the data lacks {} of the model: {}; it has: {found}", if missing.len() == 1 { "a column" } else { "columns" }, missing.join(", "))]
    MissingColumns {
        /// The names of the columns.
        missing: Vec<String>,
        /// The names that the data has, shortened.
        found: String,
    },
    /// A column's kind is not the one that the model was fitted on.
    #[error("column `{column}` holds {found} values, the model was trained on {expected} ones")]
    Kind {
        /// The column.
        column: String,
        /// What it holds.
        found: &'static str,
        /// What the model needs.
        expected: &'static str,
    },
}
