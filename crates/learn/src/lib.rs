//! How a model is found: fitting transformers and linear models, validation, selection.
//!
//! Does no I/O, prints nothing and reads no clock: it is handed a [`Context`](tabwright_core::Context).
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

pub mod candidate;
pub mod error;
pub mod fit;
pub mod linear;
pub mod param;
pub mod search;
pub mod stream;
pub mod target;
pub mod transform;

pub use error::{Error, Result};
