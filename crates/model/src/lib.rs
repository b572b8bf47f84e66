//! What is fitted and how it predicts: the pipeline (a slot program over blocks), the predictors, the data contract and
//! the artifact that holds them. Nothing here fits anything, reads a clock or touches a file.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

pub mod features;
pub mod linear;
pub mod trees;

pub use features::{FeatureColumn, Features};
