//! JSON Lines. [`parse`] takes a line apart, [`table`] makes columns of the lines.

pub(crate) mod parse;
pub(crate) mod table;

pub use parse::{JsonKind, JsonProblem, JsonReader, JsonValue};

#[cfg(test)]
mod tests;
