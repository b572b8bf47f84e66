//! CSV and its kin. [`dialect`] finds out how a file is written, [`cut`] cuts it into pieces at the ends of records,
//! [`walk`] takes the pieces apart into cells, [`table`] makes columns of them.

pub(crate) mod cut;
pub(crate) mod dialect;
pub(crate) mod open;
pub(crate) mod table;
pub(crate) mod walk;

#[cfg(test)]
mod tests;
