//! What models predicted, and what became of it: the prediction log and the labels that come later.
//!
//! Each version of a model has a folder `predictions/MODEL/VERSION` in the home. A process that predicts appends to segments there
//! ([`PredictionLog`]); [`Predictions::compact`] makes parts of them, `day=2026-11-27/SEGMENT.parquet`, which any tool can read.
//! Labels lie in `predictions/MODEL/labels`. Reading ([`Predictions::read`]) makes no difference between segments and parts.
//!
//! # Columns
//!
//! A part has the columns `model`, `version`, `prediction_id`, `time`, `input_hash`, `missing`, `out_of_range`, `unseen`, `latency_us`,
//! `flags`, `alias`, `prediction`, a column `probability_CLASS` for each class, and a column `input.NAME` for each input that is
//! logged, always with this beginning: so no input collides with the log's own columns, now or later. Inputs have the type of their
//! kind: double, int64 (double where a fraction was among the values of the file), boolean, timestamp in UTC, string. Missing is null.
//! All other values have the bits that the model saw, so that it can be asked again.
//!
//! # What holds
//!
//! - What was acknowledged is there after a crash; a frame that was not written to its end is cut off.
//! - The same id twice in a version is one entry, that of the earlier time, as long as both lie in the window that is read or in the
//!   day before it.
//! - No writer waits for a reader. A full disk stops nobody: see [`LogState`].
//! - Links and files of others in these folders are neither followed nor taken away.
//!
//! # Example
//!
//! ```
//! use tabwright_core::{Column, Kind};
//! use tabwright_store::Home;
//! use tabwright_store::predictions::{Entries, LogColumn, LogOptions, LogSchema, Outputs, Predictions, ReadRequest};
//!
//! # let folder = tempfile::tempdir()?;
//! let log = Predictions::of(&Home::at(folder.path().join(".tabwright")), "houses")?;
//! let inputs = vec![LogColumn { name: "area".into(), kind: Kind::Float }];
//! let writer = log.writer("1", LogSchema { inputs, outputs: Outputs::Number }, LogOptions::default())?;
//! let (areas, prices) = (Column::Float(vec![80.5, f64::NAN]), Column::Float(vec![310_000.0, 250_000.0]));
//! writer.append_durable(&Entries::new(&["a", "b"], &[1_700_000_000_000_000], &[&areas], &prices))?.wait()?;
//!
//! let chunk = log.read(&ReadRequest::window(0, i64::MAX))?.next().expect("there are entries")?;
//! assert_eq!(chunk.ids().get(0), Some("a"));
//! assert!(chunk.inputs()[0].is_missing(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod codec;
mod compact;
mod entry;
mod frame;
mod join;
mod label;
mod log;
mod loss;
mod part;
mod place;
mod read;
mod retain;
mod row;
mod schema;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};

use crate::Home;
use crate::error::{Error, Result};
use crate::name;
use crate::time::Micros;

pub use compact::Compacted;
pub use entry::{Entries, InputHash, LONGEST_ID, check_id, hash_block, hash_rows};
pub use join::{Join, JoinCounts, LabelledChunk, UnknownLabels};
pub use label::{Label, LabelLog, LabelRecord, LabelValue, Labels};
pub use log::PredictionLog;
pub use loss::Loss;
pub use read::{CHUNK_ROWS, Chunk, Chunks, Damage, Extent, ReadRequest};
pub use retain::{FreedPredictions, KEPT_FOR, Retention};
pub use schema::{LogColumn, LogSchema, Outputs};
pub use writer::{Durable, LogOptions, LogState};

/// The folder of labels, beside those of versions.
const LABELS: &str = "labels";

/// The predictions and labels of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predictions {
    folder: PathBuf,
    model: String,
}

impl Predictions {
    /// Those of a model of a home, whether there are any or not.
    ///
    /// # Errors
    /// [`Error::Name`] for what can be no name of a model.
    pub fn of(home: &Home, model: &str) -> Result<Self> {
        name::check("the model", model)?;
        Ok(Predictions { folder: home.predictions().join(model), model: model.to_owned() })
    }

    /// The models of a home of which there is a log.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn models(home: &Home) -> Result<Vec<String>> {
        let names = place::folders(&home.predictions())?;
        Ok(names.into_iter().filter(|n| name::check("the model", n).is_ok()).collect())
    }

    /// The model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The versions of which there is a log: numbers in their order, then the others.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn versions(&self) -> Result<Vec<String>> {
        let mut names = place::folders(&self.folder)?;
        names.retain(|n| check_version(n).is_ok());
        names.sort_by_key(|name| (name.parse::<u64>().unwrap_or(u64::MAX), name.clone()));
        Ok(names)
    }

    /// The version that was logged last; none where nothing is.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn newest_version(&self) -> Result<Option<String>> {
        let mut newest: Option<(String, String)> = None;
        for version in self.versions()? {
            let folder = self.folder.join(&version);
            let segments = segment::list(&folder)?.into_iter().map(|segment| segment.stem);
            // The names of files begin with the time at which they were begun.
            let last = part::list(&folder)?.into_iter().map(|part| part.stem).chain(segments).max();
            if let Some(last) = last.filter(|last| newest.as_ref().is_none_or(|(stem, _)| last >= stem)) {
                newest = Some((last, version));
            }
        }
        Ok(newest.map(|(_, version)| version))
    }

    /// What is logged of a version, by its newest file; none where nothing is.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn schema(&self, version: &str) -> Result<Option<LogSchema>> {
        check_version(version)?;
        read::newest_schema(&self.folder.join(version))
    }

    /// How much is logged of a version, and from when to when.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn extent(&self, version: &str) -> Result<Extent> {
        check_version(version)?;
        read::extent(&self.folder.join(version))
    }

    /// Begins to log predictions of a version: its number, or what else names it.
    ///
    /// # Errors
    /// If the version can be no name, or the schema has a name twice. The disk is not asked yet.
    pub fn writer(&self, version: &str, schema: LogSchema, options: LogOptions) -> Result<PredictionLog> {
        check_version(version)?;
        PredictionLog::open(self.folder.join(version), (&self.model, version), schema, options)
    }

    /// Begins to log labels.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn label_writer(&self, options: LogOptions) -> Result<LabelLog> {
        LabelLog::open(self.folder.join(LABELS), &self.model, options)
    }

    /// Reads a window.
    ///
    /// # Errors
    /// If the folder cannot be read, or a version can be none.
    pub fn read(&self, request: &ReadRequest) -> Result<Chunks> {
        Chunks::open(self, request)
    }

    /// The labels that had come by a moment.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn labels(&self, until: Micros) -> Result<Labels> {
        Labels::read(&self.folder.join(LABELS), until)
    }

    /// All labels of one prediction, in the order in which they came: the last one counts.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn label_history(&self, id: &str) -> Result<Vec<LabelRecord>> {
        label::history(&self.folder.join(LABELS), id)
    }

    /// Reads a window with the labels of its entries.
    ///
    /// # Errors
    /// As [`Predictions::read`].
    pub fn join<'a>(&self, request: &ReadRequest, labels: &'a Labels) -> Result<Join<'a>> {
        Ok(Join::new(self.read(request)?, labels))
    }

    /// The labels whose id no logged prediction has: it was never logged, has been freed, or is yet to come.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn unknown_labels(&self, labels: &Labels) -> Result<UnknownLabels> {
        join::unknown(self, labels)
    }

    /// Makes parts of segments whose writers have ended or have gone on to others, and one part of the small ones of a day before
    /// `now`. May be called at any time and by several processes.
    ///
    /// # Errors
    /// If a part cannot be written; the next call goes on from there.
    pub fn compact(&self, now: Micros) -> Result<Compacted> {
        compact::compact(self, now)
    }

    /// Frees days that are too old or for which there is no room, or says which it would free. Segments that are no parts yet are
    /// kept: compact first.
    ///
    /// # Errors
    /// If a part cannot be taken away. What was freed until then is freed.
    pub fn retain(&self, retention: &Retention) -> Result<FreedPredictions> {
        retain::retain(self, retention)
    }

    /// The bytes of all parts and segments.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn bytes(&self) -> Result<u64> {
        let versions = self.versions()?.into_iter().chain([LABELS.to_owned()]);
        versions.map(|v| retain::bytes_of(&self.folder.join(v))).sum()
    }
}

/// Draws what ids of predictions can begin with: no other process draws the same.
///
/// # Errors
/// If the system gives no random numbers.
pub fn fresh_id() -> Result<String> {
    crate::id::draw()
}

/// Checks what names a version in the log.
fn check_version(version: &str) -> Result<()> {
    name::check("the version", version)?;
    match version == LABELS {
        true => Err(Error::Name {
            what: "the version",
            found: name::shown(version),
            why: "labels are kept under this name; use another".into(),
        }),
        false => Ok(()),
    }
}
