//! Evidence made readable: pictures as SVG. Pure functions from numbers to text; nothing here reads, computes or decides.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

pub mod axis;
pub mod chart;

pub use chart::{Chart, Line, page, svg};
