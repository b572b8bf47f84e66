//! What is fitted and how it predicts: the pipeline (a slot program over blocks), the predictors, the data contract and
//! the artifact that holds them. Nothing here fits anything, reads a clock or touches a file.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

pub mod artifact;
pub mod contract;
pub mod error;
pub mod evidence;
mod explain;
pub mod features;
pub mod kernels;
pub mod levels;
pub mod linear;
pub mod model;
pub mod pipeline;
pub mod thresholds;
pub mod trees;

pub use error::{Error, Result};
pub use features::{FeatureColumn, Features};
pub use levels::FrozenLevels;
pub use linear::Linear;
pub use model::Model;
pub use pipeline::{Pipeline, Scratch};
pub use trees::{Tree, Trees};
