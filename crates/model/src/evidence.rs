//! What is known about a model besides the model: the evidence that belongs to its bytes, and the record of when and
//! where it was made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tabwright_core::Warning;
use tabwright_core::metric::Reliability;
use tabwright_core::summary::ColumnSummary;

/// Metrics by name; a value that is not defined is absent.
pub type Metrics = BTreeMap<String, f64>;

/// One line of the leaderboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateEvidence {
    /// The candidate's name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub candidate_type: String,
    /// The selection metric on each fold.
    pub cv_scores: Vec<f64>,
    /// Mean over the folds.
    pub cv_mean: Option<f64>,
    /// Standard deviation over the folds (population form).
    pub cv_std: Option<f64>,
    /// Metrics on the validation part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Metrics>,
}

/// What was measured in a named part of the test rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceEvidence {
    /// Its name.
    pub name: String,
    /// The condition over columns.
    pub condition: String,
    /// How many rows of the test part it holds.
    pub rows: usize,
    /// Metrics of the stored model on them.
    pub metrics: Metrics,
}

/// What was measured, and on which plan and data: no clock, no path.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The content id of the model that was measured.
    pub content_id: String,
    /// The metric that chose.
    pub metric: String,
    /// Of the stored model, on the rows it was fitted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<Metrics>,
    /// Of the fit before the last, on the validation part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Metrics>,
    /// Of the stored model, on the test part, which no step of the search saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Metrics>,
    /// How the probabilities of the stored model agree with what was observed on the test part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reliability: Vec<Reliability>,
    /// What the stored model answers to rows of the test part, or to those that it was fitted on where there is none: a number, or
    /// the probability of each class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<ColumnSummary>,
    /// Of the stored model, on named parts of the test part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SliceEvidence>,
    /// Every metric, as means over the folds of the winner: all there is when nothing was held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_validation: Option<Metrics>,
    /// Every candidate.
    pub leaderboard: Vec<CandidateEvidence>,
    /// The resolved plan: what was in fact done. Repeating it needs no clock.
    pub plan: serde_json::Value,
    /// What the training columns looked like.
    pub summaries: Vec<ColumnSummary>,
    /// What a user should know.
    pub findings: Vec<Warning>,
    /// BLAKE3 of the data that was read.
    pub data_fingerprint: String,
    /// Rows that were read, with and without a target.
    pub rows: usize,
}

/// When, where and how long. Not part of what a model is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// RFC 3339, UTC.
    pub created_at: String,
    /// Version of Tabwright.
    pub version: String,
    /// Operating system and processor architecture, and the number of threads.
    pub machine: String,
    /// Type of the model.
    pub model_type: String,
    /// Wall-clock time of the whole training.
    pub seconds: f64,
    /// Wall-clock time of the final fit.
    pub fit_seconds: f64,
}
