//! How a model is found: fitting transformers and linear models, validation, selection.
//!
//! Does no I/O, prints nothing and reads no clock: it is handed a [`Context`](tabwright_core::Context).
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

pub mod linear;
