//! Sources to tables and back: CSV and its kin, JSON Lines, Parquet and Arrow IPC, read into
//! [`Table`](tabwright_core::Table)s or streamed in blocks, and written again.
//!
//! Kinds are inferred from all rows, by the same rules whatever the format: a cell of text means the same in a CSV, in a
//! JSON string and in a Parquet string column. This crate knows nothing of models; it prints nothing.
//!
//! ```
//! use tabwright_core::Context;
//! use tabwright_data::{ReadOptions, read_table, resolve_inputs};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("rows.csv");
//! std::fs::write(&path, "age,income\n39, <=50K\n?, >50K\n")?;
//! let inputs = resolve_inputs(&[path.display().to_string()])?;
//! let outcome = read_table(&inputs, &ReadOptions::default(), Context::silent())?;
//! assert_eq!(outcome.table.schema().fields()[0].kind.name(), "integer");
//! assert!(outcome.table.column(0).is_missing(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

mod arrow;
mod assemble;
mod csv;
mod decode;
mod destination;
mod error;
mod exact;
mod fingerprint;
#[cfg(test)]
mod fixture;
mod format;
mod guard;
mod infer;
mod input;
mod json;
mod missing;
mod notes;
mod number;
mod options;
mod part;
mod passes;
mod read;
mod stream;
mod text;
mod time;
mod write;

pub use destination::{Destination, remove_unfinished};
pub use error::{Error, Place, Position};
pub use exact::{ExactColumn, ExactReader, ExactWriter, Spread};
pub use fingerprint::{Fingerprint, fingerprint_of_rows};
pub use format::{Compression, Format};
pub use guard::is_guarded;
pub use input::{Input, Spool, resolve_inputs};
pub use json::{JsonKind, JsonProblem, JsonReader, JsonValue};
pub use missing::is_missing_token;
pub use options::{Details, ReadOptions};
pub use read::{ReadOutcome, Survey, read_table, survey};
pub use stream::{
    BATCH_BYTES, BadRow, BlockStream, ReadRows, RowBuilder, RowPlace, RowShape, StreamBlock, StreamRequest, open_stream,
};
pub use time::format_timestamp;
pub use write::{TableWriter, WriteColumn, create_writer, json_number, json_string, write_table, writer_to};

/// What a function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
