//! Runs: what is recorded of a training, an evaluation, or anything that a program does.

mod active;
mod hint;
mod query;
mod read;
mod search;
mod trash;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use active::ActiveRun;
pub use query::{Order, SortField};
pub use read::MetricPoint;
pub use search::{Page, Search};

use crate::Deletion;
use crate::error::{Error, Result};
use crate::time::Micros;

/// The project and the experiment of runs that name none.
pub const DEFAULT_NAME: &str = "default";

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// It is under way.
    #[default]
    Running,
    /// It ended well.
    Completed,
    /// It ended with an error.
    Failed,
    /// Its process died, or the user stopped it.
    Killed,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 4] = [Status::Running, Status::Completed, Status::Failed, Status::Killed];

    /// The text form.
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Killed => "killed",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        Status::ALL
            .into_iter()
            .find(|s| s.name() == text)
            .ok_or_else(|| Error::Invalid(format!("the stored status `{}` is none", text.escape_debug())))
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What a run is, before anything is logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewRun {
    /// The project.
    pub project: String,
    /// The experiment within it.
    pub experiment: String,
    /// The run that it is part of.
    pub parent: Option<String>,
    /// What is done: `train`, `candidate`, `evaluate`, or a word of one's own.
    pub kind: String,
    /// A name for people; several runs may share it.
    pub name: String,
    /// The metric that the run is judged by; empty: none.
    pub primary_metric: String,
    /// Anything else worth knowing, as a JSON object: command line, configuration, plan, machine …
    pub info: serde_json::Value,
}

impl Default for NewRun {
    fn default() -> Self {
        NewRun {
            project: DEFAULT_NAME.into(),
            experiment: DEFAULT_NAME.into(),
            parent: None,
            kind: "run".into(),
            name: String::new(),
            primary_metric: String::new(),
            info: serde_json::json!({}),
        }
    }
}

impl NewRun {
    pub(crate) fn check(&self) -> Result<()> {
        crate::name::check("the project", &self.project)?;
        crate::name::check("the experiment", &self.experiment)?;
        crate::name::check("the kind of the run", &self.kind)?;
        if !self.name.is_empty() {
            crate::name::check_key("the name of the run", &self.name)?;
        }
        self.parent.as_deref().map_or(Ok(()), crate::id::check)
    }
}

/// A value of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The metric.
    pub name: String,
    /// Where in the course of the run: an epoch, a fold; 0 where there is no course.
    #[serde(default)]
    pub step: i64,
    /// When, in microseconds since 1970, UTC.
    pub at: Micros,
    /// The value; NaN and infinite ones are kept.
    #[serde(with = "crate::float")]
    pub value: f64,
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFile {
    /// Its path within the run.
    pub path: String,
    /// Its name among the kept files.
    pub file: String,
    /// Its size in bytes.
    pub size: u64,
}

/// What is logged at a time: all of it, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Batch {
    /// Parameters. The same value again is fine, another one is an error.
    pub params: BTreeMap<String, String>,
    /// Tags; a new value replaces the old.
    pub tags: BTreeMap<String, String>,
    /// A note; it replaces the old.
    pub note: Option<String>,
    /// Values of metrics.
    pub metrics: Vec<Measured>,
    /// Files that are kept already.
    pub files: Vec<RunFile>,
}

/// A whole run as a document: what is written beside a model when the store cannot take it, and what is imported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunDocument {
    /// Its id.
    pub run_id: String,
    /// What it is.
    pub run: NewRun,
    /// Where it stands.
    pub status: Status,
    /// When it began.
    pub started: Micros,
    /// When it ended.
    pub ended: Option<Micros>,
    /// All that was logged.
    pub logged: Batch,
}

/// What is known of a metric without its history.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MetricSummary {
    /// Number of values.
    pub points: u64,
    /// The value of the highest step; of several, the one that was written last.
    #[serde(with = "crate::float")]
    pub last: f64,
    /// The smallest value.
    #[serde(with = "crate::float")]
    pub low: f64,
    /// The largest value.
    #[serde(with = "crate::float")]
    pub high: f64,
    /// The mean of the defined values.
    #[serde(with = "crate::float")]
    pub mean: f64,
}

impl MetricSummary {
    /// The best value of a metric: by its direction if the name ends in that of a known one.
    pub fn best(&self, name: &str) -> Option<f64> {
        greater_is_better(name).map(|greater| if greater { self.high } else { self.low })
    }
}

/// Whether larger values of a metric are better, if its name, or the part after its last dot, is that of a known one; what
/// follows in brackets says where it was measured.
pub fn greater_is_better(name: &str) -> Option<bool> {
    use tabwright_core::Metric;
    // Of a slice, its name follows in brackets.
    let whole = name.split_once('[').map_or(name, |(whole, _)| whole);
    let last = whole.rsplit('.').next().unwrap_or(whole);
    Metric::ALL.iter().find(|m| m.name() == last).map(|m| m.greater_is_better())
}

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub(crate) key: i64,
    /// Its id.
    pub run_id: String,
    /// What it is.
    pub run: NewRun,
    /// Where it stands.
    pub status: Status,
    /// When it began.
    pub started: Micros,
    /// When it ended; unknown while it runs, and of one whose process died.
    pub ended: Option<Micros>,
    /// The note.
    pub note: String,
    /// Parameters.
    pub params: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Metrics, without their histories.
    pub metrics: BTreeMap<String, MetricSummary>,
    /// Files.
    pub files: Vec<RunFile>,
    /// When it was thrown away, and by whom; none of one that is not in the trash.
    pub deleted: Option<Deletion>,
}

impl Run {
    /// How long it took, where both ends are known.
    pub fn seconds(&self) -> Option<f64> {
        self.ended.map(|ended| (ended - self.started) as f64 / 1e6)
    }
}
