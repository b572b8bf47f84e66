//! Evidence made readable: pictures as SVG, and reports as Markdown and HTML. Pure functions from numbers to text; nothing here
//! reads, computes or decides.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

pub mod axis;
pub mod chart;
pub mod document;
mod html;
mod markdown;
pub mod ranking;
pub mod square;
pub mod text;
mod xml;

pub use chart::{Chart, Line, page, svg};
pub use document::{Block, Document, Fact, Picture, Section, Table, Value};
