//! The nouns of Tabwright: tables and their schemas, tasks and targets, splits and folds, metrics, column summaries,
//! findings, and numerics that give the same bits everywhere.
//!
//! This crate does no I/O, prints nothing and reads no clock. Everything above it is written in its words.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

pub mod block;
pub mod error;
pub mod filter;
pub mod finding;
pub mod metric;
pub mod numeric;
pub mod observe;
pub mod parallel;
pub mod random;
pub mod rows;
pub mod schema;
pub mod split;
pub mod suggest;
pub mod summary;
pub mod task;
pub mod warning;

pub use block::{Block, Category, Column, LevelIndex, Levels, LevelsBuilder, Table, TableBuilder};
pub use error::Error;
pub use metric::{Metric, Predictions};
pub use observe::{Cancel, Clock, Context, Event, Measurement, Observer};
pub use rows::{RowSet, Rows, Source, View};
pub use schema::{Field, Kind, Role, Schema};
pub use split::{Fold, Split};
pub use summary::ColumnSummary;
pub use task::{Targets, Task};
pub use warning::{Code, Warning};

/// What a function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
