//! What spans the crates: from files to a model file, and from a model file to predictions and judgements. The command line
//! and Rust programs share it; it prints nothing.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

pub mod alert;
pub mod answer;
mod answers;
pub mod card;
pub mod check;
pub mod compare;
pub mod config;
pub mod diff;
pub mod drift;
pub mod error;
pub mod evaluate;
pub mod example;
pub mod expectation;
pub mod file;
mod labels;
pub mod latency;
pub mod monitor;
pub mod notify;
pub mod predict;
pub mod profile;
pub mod record;
pub mod redact;
pub mod registry;
pub mod show;
mod slice;
pub mod train;

pub use error::{Error, Result};
