//! The log of one version, as a process that predicts writes it.

use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::entry::Entries;
use super::frame::frame;
use super::row;
use super::schema::LogSchema;
use super::segment::FORMAT;
use super::writer::{Durable, FrameWriter, LogOptions, LogState};
use crate::error::{Error, Result};
use crate::name;

/// Rows of a frame, at most.
const ROWS: usize = 8192;
/// Bytes of a frame, at most: a reader holds one.
const LARGE: usize = 16 << 20;

/// The head of a segment of predictions, and a note in every Parquet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) format: u32,
    pub(super) model: String,
    pub(super) version: String,
    pub(super) schema: LogSchema,
}

impl Head {
    /// The head as it is stored.
    pub(super) fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::Invalid(format!("the schema of a log cannot be written: {e}")))
    }
}

/// Appends the predictions of one version of a model. Any number of processes may do so at once: each writes segments of its own.
#[derive(Debug)]
pub struct PredictionLog {
    pub(super) schema: LogSchema,
    pub(super) writer: FrameWriter,
}

impl PredictionLog {
    pub(super) fn open(
        folder: PathBuf,
        (model, version): (&str, &str),
        schema: LogSchema,
        options: LogOptions,
    ) -> Result<Self> {
        schema.check()?;
        let (model, version) = (model.to_owned(), version.to_owned());
        let head = Head { format: FORMAT, model, version, schema: schema.clone() }.to_json()?;
        Ok(PredictionLog { schema, writer: FrameWriter::start(folder, head.into_bytes(), options)? })
    }

    /// What is logged.
    pub fn schema(&self) -> &LogSchema {
        &self.schema
    }

    /// Appends without waiting. What finds no room in the queue is dropped and counted ([`LogState::dropped`]). Once it is
    /// written, a process that dies loses nothing of it; a machine that dies may lose the last seconds.
    ///
    /// # Errors
    /// If the entries do not fit the schema; nothing is logged then.
    pub fn append(&self, entries: &Entries<'_>) -> Result<()> {
        for (frame, rows) in self.frames(entries)? {
            self.writer.append(frame, rows);
        }
        Ok(())
    }

    /// Appends, and answers when all is on disk.
    ///
    /// # Errors
    /// If the entries do not fit the schema. What the disk says comes with the answer.
    pub fn append_durable(&self, entries: &Entries<'_>) -> Result<Durable> {
        let mut frames = self.frames(entries)?;
        let (last, rows) = frames.pop().unwrap_or_default();
        if frames.is_empty() {
            return Ok(self.writer.append_durable(last, rows));
        }
        // One answer stands for all: together, they are one item of the queue.
        let rows = rows + frames.iter().map(|(_, rows)| rows).sum::<u64>();
        let all = frames.into_iter().map(|(frame, _)| frame).chain([last]).collect::<Vec<_>>().concat();
        Ok(self.writer.append_durable(all, rows))
    }

    /// Appends what another system predicted, with its own times, and holds up the thread until there is room in the queue.
    /// [`PredictionLog::flush`] then says whether all is on disk.
    ///
    /// # Errors
    /// If the entries do not fit the schema, or nothing can be written at present.
    pub fn import(&self, entries: &Entries<'_>) -> Result<()> {
        for (frame, rows) in self.frames(entries)? {
            self.writer.append_with_room(frame, rows)?;
        }
        Ok(())
    }

    /// Answers when all that was appended before is on disk.
    pub fn flush(&self) -> Durable {
        self.writer.append_durable(Vec::new(), 0)
    }

    /// How it is doing.
    pub fn state(&self) -> LogState {
        self.writer.state()
    }

    /// Writes what waits, brings it to disk and closes the segment. A log that is dropped instead does so as well, and tells
    /// nobody how it went.
    ///
    /// # Errors
    /// [`Error::Log`] if something could not be written.
    pub fn close(self) -> Result<()> {
        self.writer.close()
    }

    fn frames(&self, entries: &Entries<'_>) -> Result<Vec<(Vec<u8>, u64)>> {
        entries.check(&self.schema)?;
        let mut frames = Vec::new();
        for start in (0..entries.len()).step_by(ROWS) {
            self.put_frames(entries, start..(start + ROWS).min(entries.len()), &mut frames)?;
        }
        Ok(frames)
    }

    /// Makes a frame of some rows, or several of rows that are large.
    fn put_frames(&self, entries: &Entries<'_>, rows: Range<usize>, to: &mut Vec<(Vec<u8>, u64)>) -> Result<()> {
        let payload = row::encode(&self.schema, entries, rows.clone());
        if payload.len() <= LARGE {
            to.push((frame(&payload), rows.len() as u64));
            return Ok(());
        }
        if rows.len() == 1 {
            let id = name::shown(entries.ids[rows.start]);
            let found = payload.len();
            return Err(Error::Invalid(format!(
                "the prediction {id} cannot be logged: its inputs have {found} bytes, {LARGE} are allowed; leave out what is large"
            )));
        }
        let middle = rows.start + rows.len() / 2;
        self.put_frames(entries, rows.start..middle, to)?;
        self.put_frames(entries, middle..rows.end, to)
    }
}
