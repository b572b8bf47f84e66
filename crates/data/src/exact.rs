//! Typed columns to Parquet and back, bit by bit: nothing is inferred, trimmed or made canonical. For files of our own that other
//! tools can read as well, such as the parts of a prediction log.
//!
//! A missing value is null there; every other value comes back as it was, −0 and infinities included.

mod read;
#[cfg(test)]
mod tests;
mod write;

use tabwright_core::Kind;

pub use read::ExactReader;
pub use write::ExactWriter;

/// How the values of a column spread, from which follows how they are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Many rows have the same value, or nothing is known.
    Repeated,
    /// Hardly any two rows have the same value, such as ids and hashes.
    Distinct,
    /// Each value is near the one before it, such as times of events.
    Rising,
}

/// A column of an exact file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExactColumn {
    /// Its name.
    pub name: String,
    /// What its values mean; the type in the file follows from it.
    pub kind: Kind,
    /// How they spread.
    pub spread: Spread,
}
