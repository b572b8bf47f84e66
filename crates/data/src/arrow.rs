//! Parquet and Arrow IPC: both come as Arrow record batches. [`open`] reads the batches, [`convert`] turns arrays into
//! columns, [`table`] makes a table of files.

mod claims;
pub(crate) mod convert;
pub(crate) mod open;
pub(crate) mod table;

#[cfg(test)]
mod tests;
