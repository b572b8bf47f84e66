//! Predictions over HTTP. It holds no rule about models: what a prediction is stands in `lifecycle` and below.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

mod tls;
