//! The resolved configuration of a training: typed, with a default for every key.
//!
//! The command line fills it from defaults, `tabwright.toml`, the environment and flags, in this order; a Rust program
//! fills it directly. Every key is described once, in the command line's table of options.

mod alerts;
mod log;
mod monitor;
mod serve;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tabwright_core::{Kind, Role};
use tabwright_data::ReadOptions;
use tabwright_learn::candidate::CandidateConfig;
use tabwright_learn::param::Value;
use tabwright_learn::search::SelectOn;
use tabwright_learn::target::TaskName;
use tabwright_learn::transform::TransformConfig;

use crate::error::{Error, Result};

pub use alerts::{AlertsConfig, EmailConfig, default_rules};
pub use log::LogConfig;
pub use monitor::MonitorConfig;
pub use serve::ServeConfig;

/// All that a training follows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the rows come from and what the columns are.
    pub data: DataConfig,
    /// What is done to columns before a model sees them.
    pub features: TransformConfig,
    /// Which rows serve for what.
    pub split: SplitConfig,
    /// How the best is chosen.
    pub selection: SelectionConfig,
    /// Candidates of one's own, by name: `type` and hyperparameters.
    pub candidates: BTreeMap<String, BTreeMap<String, Value>>,
    /// How the run is carried out.
    pub train: TrainConfig,
    /// What the work is part of.
    pub project: ProjectConfig,
    /// What people know about a model, for its card.
    pub card: CardConfig,
    /// Where runs and models are kept.
    pub store: StoreConfig,
    /// What may become champion.
    pub registry: RegistryConfig,
    /// How models are served.
    pub serve: ServeConfig,
    /// How predictions are logged.
    pub log: LogConfig,
    /// How models are watched.
    pub monitor: MonitorConfig,
    /// When somebody is told, and how.
    pub alerts: AlertsConfig,
}

/// What the work is part of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectConfig {
    /// The project that runs are recorded under.
    pub name: String,
    /// The experiment within it.
    pub experiment: String,
    /// The metric that runs are compared by; empty: the one that each was chosen by.
    pub primary_metric: String,
    /// What the models are for.
    pub objective: String,
}

impl Default for ProjectConfig {
    fn default() -> Self {
        ProjectConfig {
            name: "default".into(),
            experiment: "default".into(),
            primary_metric: String::new(),
            objective: String::new(),
        }
    }
}

/// What people know about a model and no machine can: texts for its card. Empty: nobody has said it yet.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CardConfig {
    /// Who answers for the model.
    pub owner: String,
    /// Where the data comes from.
    pub data_sources: String,
    /// What the model is worth to those who use it.
    pub business_impact: String,
    /// How it is deployed.
    pub deployment: String,
    /// On what it runs.
    pub infrastructure: String,
    /// How it is watched.
    pub monitoring: String,
    /// When it is trained again.
    pub retraining_schedule: String,
    /// From which values on somebody is told.
    pub monitoring_thresholds: String,
    /// How a change of the data is noticed.
    pub drift_detection: String,
    /// What is done when it fails.
    pub rollback_plan: String,
    /// What it must not be used for.
    pub limitations: String,
}

/// Where runs, models and files are kept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// A URL such as `postgres://user@host/name`, or `env:NAME` or `file:PATH` where it stands; empty: SQLite in the home.
    pub database: String,
    /// A URL such as `s3://bucket/prefix`, or `env:NAME` or `file:PATH` where it stands; empty: a folder of the home.
    pub files: String,
}

/// What may become champion.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryConfig {
    /// What a version must meet before an alias moves to it.
    pub gate: GateConfig,
    /// Named parts of the rows: a condition over columns for each name.
    pub slices: BTreeMap<String, String>,
}

/// What a version must meet before an alias moves to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateConfig {
    /// The worst value of each metric, such as `test.roc_auc`: the least where larger is better, else the most.
    pub metrics: BTreeMap<String, f64>,
    /// Not worse than the version that the alias points to, beyond noise, on rows that neither was fitted on.
    pub not_worse: bool,
    /// Most milliseconds to predict one row.
    pub max_latency_ms: Option<f64>,
    /// Largest model file, such as `50MB`; empty: any.
    pub max_size: String,
    /// Codes of findings that a version must not have.
    pub no_findings: Vec<String>,
    /// The worst value of the primary metric in each slice.
    pub slices: BTreeMap<String, f64>,
}

impl Default for GateConfig {
    fn default() -> Self {
        GateConfig {
            metrics: BTreeMap::new(),
            not_worse: true,
            max_latency_ms: None,
            max_size: String::new(),
            no_findings: Vec::new(),
            slices: BTreeMap::new(),
        }
    }
}

/// Where the rows come from and what the columns are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Files, globs, folders, or `-`.
    pub source: Vec<String>,
    /// The column to predict.
    pub target: String,
    /// `binary`, `multiclass` or `regression`; empty: it follows from the target.
    pub task: String,
    /// The positive label of a binary task; empty: the last in byte order.
    pub positive: String,
    /// Tokens that mean "missing" in every column.
    pub na: Vec<String>,
    /// Time zone in which naive timestamps are read.
    pub zone: String,
    /// Kinds of columns that are not to be inferred.
    pub types: BTreeMap<String, Kind>,
    /// Roles of columns.
    pub roles: BTreeMap<String, Role>,
    /// Columns that are not read.
    pub drop: Vec<String>,
    /// `csv`, `jsonl`, `parquet` or `arrow`; empty: by name and content.
    pub format: String,
    /// One character, or `tab`; empty: detected.
    pub delimiter: String,
    /// One character; empty: `"`.
    pub quote: String,
    /// Whether the first line of a CSV names the columns; absent: detected.
    pub header: Option<bool>,
    /// Encoding of text; empty: detected.
    pub encoding: String,
}

impl Default for DataConfig {
    fn default() -> Self {
        DataConfig {
            source: Vec::new(),
            target: String::new(),
            task: String::new(),
            positive: String::new(),
            na: Vec::new(),
            zone: "UTC".into(),
            types: BTreeMap::new(),
            roles: BTreeMap::new(),
            drop: Vec::new(),
            format: String::new(),
            delimiter: String::new(),
            quote: String::new(),
            header: None,
            encoding: String::new(),
        }
    }
}

/// An absent text where the configuration has an empty one.
fn given(text: &str) -> Option<&str> {
    Some(text).filter(|t| !t.is_empty())
}

impl DataConfig {
    /// How the rows are read.
    ///
    /// # Errors
    /// [`Error::Config`] for a format, delimiter or quote that is none.
    pub fn read_options(&self) -> Result<ReadOptions> {
        let one_byte = |key: &str, text: &str| match text {
            "tab" | "\\t" | "\t" => Ok(b'\t'),
            _ if text.len() == 1 && text.is_ascii() => Ok(text.as_bytes()[0]),
            _ => Err(Error::Config(format!("{key} = \"{text}\" is not one ASCII character (or `tab`)"))),
        };
        Ok(ReadOptions {
            format: given(&self.format).map(str::parse).transpose()?,
            delimiter: given(&self.delimiter).map(|t| one_byte("data.delimiter", t)).transpose()?,
            quote: given(&self.quote).map(|t| one_byte("data.quote", t)).transpose()?,
            header: self.header,
            encoding: given(&self.encoding).map(str::to_owned),
            na: self.na.clone(),
            types: self.types.clone(),
            roles: self.roles.clone(),
            drop: self.drop.clone(),
            columns: None,
            zone: self.zone.clone(),
            ..ReadOptions::default()
        })
    }

    /// The task that is asked for.
    ///
    /// # Errors
    /// For a name that is none.
    pub fn task_name(&self) -> Result<Option<TaskName>> {
        Ok(given(&self.task).map(str::parse).transpose()?)
    }

    /// The positive label that is asked for.
    pub fn positive_label(&self) -> Option<&str> {
        given(&self.positive)
    }
}

/// Which rows serve for what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitConfig {
    /// Places of rows follow from it; apart from the learners' seed.
    pub seed: u64,
    /// Share of rows to fit on; absent: 0.70, regression 0.64.
    pub train: Option<f64>,
    /// Share of rows to compare on; absent: 0.15, regression 0.16.
    pub validation: Option<f64>,
    /// Share of rows to score the stored model on; absent: 0.15, regression 0.20.
    pub test: Option<f64>,
    /// Whether classes keep their shares; absent: for classification.
    pub stratify: Option<bool>,
    /// Column whose groups stay on one side.
    pub group: String,
    /// Column that orders the rows: train before validation before test.
    pub time: String,
    /// Column that says `train`, `validation` or `test`.
    pub column: String,
    /// Files whose rows are the test part.
    pub files: Vec<String>,
    /// Model file whose split is repeated: rows that it was tested on are not trained on. Empty: split afresh.
    pub like: String,
    /// `split` keeps a test part back; `none`: every row trains.
    pub holdout: Holdout,
    /// Whether equal rows stay on one side.
    pub duplicates: Duplicates,
}

/// Whether rows are kept back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holdout {
    /// Validation and test parts are kept back.
    #[default]
    Split,
    /// Every row trains; scores are cross-validated.
    None,
}

/// What happens to equal rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// Each has a place of its own; a finding says so.
    #[default]
    Apart,
    /// They stay on one side of every split.
    Together,
}

impl Default for SplitConfig {
    fn default() -> Self {
        SplitConfig {
            seed: 42,
            train: None,
            validation: None,
            test: None,
            stratify: None,
            group: String::new(),
            time: String::new(),
            column: String::new(),
            files: Vec::new(),
            like: String::new(),
            holdout: Holdout::Split,
            duplicates: Duplicates::Apart,
        }
    }
}

/// How the best is chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelectionConfig {
    /// The metric that decides; empty: `roc_auc`, `log_loss` or `rmse`.
    pub metric: String,
    /// Where it is measured.
    pub on: SelectOn,
    /// Number of folds; 0 for none.
    pub folds: usize,
    /// How often the folds are dealt anew.
    pub repeats: usize,
}

impl Default for SelectionConfig {
    fn default() -> Self {
        SelectionConfig { metric: String::new(), on: SelectOn::Cv, folds: 5, repeats: 1 }
    }
}

/// How the run is carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Names of the candidates; empty: those of `[candidates]`, else every type that can learn the task.
    pub candidates: Vec<String>,
    /// Seed of the learners.
    pub seed: u64,
    /// Number of threads; 0: one for each core.
    pub threads: usize,
    /// Most memory that a training takes, such as `4GB`; empty: no limit.
    pub memory_limit: String,
    /// Whether the rows are held in memory.
    pub rows_from: RowsFrom,
    /// The model file.
    pub output: String,
    /// The name to register the model under; empty: it is not registered.
    pub name: String,
    /// Rows of those that the model is fitted on that are kept in its file, for drift; 0: none.
    pub keep_reference: usize,
    /// Whether the run is recorded.
    pub record: bool,
    /// Tags of the run.
    pub tags: BTreeMap<String, String>,
    /// A note on the run.
    pub note: String,
}

/// Where a training takes its rows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowsFrom {
    /// Large files stream where every candidate can learn from rows that do.
    #[default]
    Auto,
    /// The table is held in memory.
    Memory,
    /// Rows are read from the files in each pass.
    Stream,
}

impl TrainConfig {
    /// The memory limit in bytes, if there is one.
    ///
    /// # Errors
    /// [`Error::Config`] for a text that is no size.
    pub fn memory_bytes(&self) -> Result<Option<u64>> {
        let parse =
            |text| crate::train::parse_bytes(text).map_err(|why| Error::Config(format!("--memory-limit: {why}")));
        given(&self.memory_limit).map(parse).transpose()
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        TrainConfig {
            candidates: Vec::new(),
            seed: 42,
            threads: 0,
            memory_limit: String::new(),
            rows_from: RowsFrom::Auto,
            output: "model.tw".into(),
            name: String::new(),
            keep_reference: 0,
            record: true,
            tags: BTreeMap::new(),
            note: String::new(),
        }
    }
}

impl Config {
    /// The candidates that are asked for; none: every type that can learn the task.
    ///
    /// # Errors
    /// [`Error::Config`] if a `type` is not a word.
    pub fn candidate_configs(&self) -> Result<Vec<CandidateConfig>> {
        let names: Vec<&String> = match self.train.candidates.is_empty() {
            true => self.candidates.keys().collect(),
            false => self.train.candidates.iter().collect(),
        };
        let mut seen = std::collections::BTreeSet::new();
        if let Some(twice) = names.iter().find(|n| !seen.insert(**n)) {
            return Err(Error::Config(format!(
                "the candidate `{twice}` is named twice; give one of them another name"
            )));
        }
        names.into_iter().map(|name| self.candidate_config(name)).collect()
    }

    fn candidate_config(&self, name: &str) -> Result<CandidateConfig> {
        let mut params = self.candidates.get(name).cloned().unwrap_or_default();
        let candidate_type = match params.remove("type") {
            None => None,
            Some(Value::Text(text)) => Some(text),
            Some(other) => {
                return Err(Error::Config(format!(
                    "candidates.{name}.type = {other} is not the name of a candidate type"
                )));
            }
        };
        Ok(CandidateConfig { name: name.to_owned(), candidate_type, params })
    }
}
