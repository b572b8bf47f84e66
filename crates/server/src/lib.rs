//! Predictions over HTTP: the native route, MLflow scoring, the Open Inference Protocol, health and metrics.
//!
//! It holds no rule about models: what a prediction is stands in `lifecycle` and below, so that a server answers with the bits that
//! `predict` writes. What it adds is the wire: who may ask, how much, in which form, and which version answers.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

mod admission;
mod app;
mod auth;
mod documents;
pub mod error;
mod http;
mod id;
mod infer;
mod labels;
mod log;
mod metrics;
mod mlflow;
mod model;
mod native;
pub mod options;
mod refusal;
mod server;
mod shadow;
mod state;
mod tls;
mod work;

#[cfg(test)]
mod tests;

pub use error::{Error, Result};
pub use model::{CanaryOptions, Source};
pub use options::{Changing, ContinueTrace, Limits, LogTo, Secret, ServeOptions};
pub use server::{ReadSettings, ServedModel, Server, Signal};
