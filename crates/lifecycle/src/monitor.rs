//! Watching models: what they predict is logged, labels are taken in, and both are read again to see how they do.

pub mod import;
pub mod label;
pub mod logger;
pub(crate) mod rows;

pub use logger::{LogMode, LogSettings, LoggedInputs, LoggedRows, Logger};
