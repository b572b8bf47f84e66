//! What is to be learned: the [`Task`], and the [`Targets`] of the rows.

use serde::{Deserialize, Serialize};

/// What kind of answer a model gives. Ranking, multilabel and forecasting are refused by name where a task is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// One of two labels.
    Binary {
        /// The negative and the positive label; targets are 0 and 1.
        labels: [String; 2],
    },
    /// One of several labels.
    Multiclass {
        /// In byte order (numbers by value); targets are positions in this list.
        labels: Vec<String>,
    },
    /// A number.
    Regression,
}

impl Task {
    /// `binary`, `multiclass` or `regression`.
    pub fn name(&self) -> &'static str {
        match self {
            Task::Binary { .. } => "binary",
            Task::Multiclass { .. } => "multiclass",
            Task::Regression => "regression",
        }
    }

    /// The labels of a classification in the order of their codes; none for a regression.
    pub fn labels(&self) -> &[String] {
        match self {
            Task::Binary { labels } => labels,
            Task::Multiclass { labels } => labels,
            Task::Regression => &[],
        }
    }

    /// Whether labels are predicted.
    pub fn is_classification(&self) -> bool {
        !matches!(self, Task::Regression)
    }

    /// Raw scores per row: one for binary (the log-odds of the positive label) and regression, else one per label.
    pub fn n_outputs(&self) -> usize {
        match self {
            Task::Binary { .. } | Task::Regression => 1,
            Task::Multiclass { labels } => labels.len(),
        }
    }

    /// Number of labels; 0 for a regression.
    pub fn n_classes(&self) -> usize {
        self.labels().len()
    }
}

/// What the rows should be answered with, in the order of the rows.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// A value per row: the number, or the label's code as a number.
    pub values: Vec<f64>,
    /// A non-negative weight per row; `None` means 1 for all.
    pub weights: Option<Vec<f64>>,
}

impl Targets {
    /// Targets without weights.
    pub fn new(values: Vec<f64>) -> Self {
        Targets { values, weights: None }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The weight of a row.
    pub fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[row])
    }

    /// The rows of the given positions, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Targets {
        let pick = |v: &[f64]| rows.iter().map(|&r| v[r as usize]).collect::<Vec<f64>>();
        Targets { values: pick(&self.values), weights: self.weights.as_deref().map(pick) }
    }
}
