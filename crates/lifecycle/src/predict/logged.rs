//! Predictions of files, on their way to the log.

use tabwright_core::metric::Predictions as Scores;
use tabwright_core::{Category, Column, Kind};
use tabwright_data::{BlockStream, StreamBlock};
use tabwright_model::artifact::Artifact;
use tabwright_model::model::Model;
use tabwright_store::Home;
use tabwright_store::predictions::LogOptions;
use tabwright_store::time::{self, Micros};

use crate::error::{Error, Result};
use crate::monitor::rows::{self, Extra};
use crate::monitor::{LoggedInputs, LoggedRows, Logger};

/// The column of ids in the output, where no column of the data has them.
const PREDICTION_ID: &str = "prediction_id";

/// Where the predictions of files are logged, and under which names.
#[derive(Debug, Clone)]
pub struct LogTarget {
    /// The home.
    pub home: Home,
    /// The model.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What of the inputs is kept.
    pub inputs: LoggedInputs,
    /// The column with the id of each prediction; absent: they are made, and stand in the output.
    pub ids: Option<String>,
    /// The column that says when each prediction was made; absent: now.
    pub times: Option<String>,
}

/// The log that the predictions of files go to.
#[derive(Debug)]
pub(super) struct Logged {
    logger: Logger,
    ids: Option<Extra>,
    times: Option<Extra>,
    /// What made ids begin with.
    prefix: String,
    rows: u64,
}

impl Logged {
    /// Opens the log; the columns that it needs are added to those that are read.
    pub(super) fn open(target: &LogTarget, artifact: &Artifact, expected: &mut Vec<(String, Kind)>) -> Result<Self> {
        let names = (target.name.as_str(), target.version.as_str());
        let logger = Logger::open(&target.home, names, artifact, &target.inputs, LogOptions::default())?;
        target.home.create()?;
        let ids = target.ids.as_ref().map(|name| Extra::ids(name, expected));
        let times = target.times.as_ref().map(|name| Extra::times(name, expected)).transpose()?;
        Ok(Logged { logger, ids, times, prefix: tabwright_store::predictions::fresh_id()?, rows: 0 })
    }

    /// Adds the column of made ids to those of the output.
    pub(super) fn add_ids(&self, keep: &mut Vec<(String, Kind)>) {
        if self.ids.is_none() {
            keep.push((PREDICTION_ID.to_owned(), Kind::Text));
        }
    }

    /// Logs a block; gives the made ids.
    pub(super) fn take(
        &mut self,
        model: &Model,
        (block, scores, bad): (&StreamBlock, &Scores, &[u32]),
        stream: &BlockStream,
    ) -> Result<Option<Column>> {
        let n_rows = block.block.n_rows();
        let told = |row: usize, why: String| Error::Data(format!("{}: {why}", stream.place(block.places[row])));
        let texts: Vec<String> = match &self.ids {
            Some(ids) => rows::ids(block.block.column(ids.position), &ids.name).map_err(|(row, why)| told(row, why))?,
            None => (0..n_rows as u64).map(|row| format!("{}-{}", self.prefix, self.rows + row)).collect(),
        };
        let times: Vec<Micros> = match &self.times {
            Some(times) => {
                rows::times(block.block.column(times.position), &times.name).map_err(|(row, why)| told(row, why))?
            }
            None => vec![time::now()],
        };
        let ids: Vec<&str> = texts.iter().map(String::as_str).collect();
        let threshold = model.threshold();
        self.logger.import(
            model,
            &LoggedRows {
                block: &block.block,
                scores,
                threshold,
                bad,
                ids: &ids,
                times: &times,
                latency: None,
                alias: None,
                flag: "",
            },
        )?;
        self.rows += n_rows as u64;
        Ok(self.ids.is_none().then(|| Column::Category(Category::from_strings(texts.iter().map(Some)))))
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Waits until all is on disk, and says how many rows there were.
    pub(super) fn finish(self) -> Result<u64> {
        self.logger.close()?;
        Ok(self.rows)
    }
}
