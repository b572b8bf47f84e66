//! Watching models: what they predict is logged, labels are taken in, and both are read again to see how they do.

mod gather;
pub mod import;
pub mod label;
pub mod logger;
pub mod readings;
pub mod report;
pub(crate) mod rows;
pub mod skew;
pub mod status;
pub mod window;

pub use logger::{LogMode, LogSettings, LoggedInputs, LoggedRows, Logger};
