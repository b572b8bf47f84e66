//! The errors of this crate: each says what was found, where, and what would be accepted.

/// What can go wrong with the nouns themselves.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two columns of one table share a name.
    #[error("the column name `{name}` appears twice (columns {first} and {second}); rename one of them")]
    DuplicateColumn {
        /// The name.
        name: String,
        /// Position of the first, from 1.
        first: usize,
        /// Position of the second, from 1.
        second: usize,
    },
    /// A column was asked for that the table does not have.
    #[error("there is no column `{name}`{hint}; the columns are: {available}")]
    UnknownColumn {
        /// The name that was asked for.
        name: String,
        /// "Did you mean" with the nearest name, or nothing.
        hint: String,
        /// The names there are, shortened.
        available: String,
    },
    /// The columns of a table differ in length.
    #[error("column `{name}` has {found} rows, the table has {expected}")]
    Length {
        /// The column.
        name: String,
        /// Rows it has.
        found: usize,
        /// Rows it should have.
        expected: usize,
    },
    /// A name (metric, kind, role, task …) is none of those that exist.
    #[error("unknown {what} `{found}`{hint}; one of: {allowed}")]
    UnknownName {
        /// What sort of name.
        what: &'static str,
        /// What was given.
        found: String,
        /// "Did you mean" with the nearest name, or nothing.
        hint: String,
        /// Every accepted name.
        allowed: String,
    },
    /// A parameter lies outside of its range.
    #[error("{parameter} = {found} is out of range; allowed: {allowed}")]
    Parameter {
        /// Its name.
        parameter: &'static str,
        /// What was given.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// Rows that were read before cannot be read again.
    #[error("{message}")]
    Source {
        /// What went wrong, and where.
        message: String,
    },
    /// The wish to stop, between two blocks of rows.
    #[error("stopped")]
    Cancelled,
    /// The rows cannot be used for what was asked.
    #[error("{message}")]
    Unusable {
        /// What is wrong and how to mend it.
        message: String,
    },
}
