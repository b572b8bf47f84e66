//! Metrics: how good predictions are, with sample weights, in scikit-learn's definitions.
//!
//! This module scores; it neither predicts nor chooses. A row of weight 0 counts as absent, a row of weight 2 as two
//! equal rows. A value that is not defined is NaN, which is written as `null`.
//!
//! # References
//! The definitions are those of scikit-learn 1.9 (Pedregosa et al., 2011); golden numbers are kept to 1e-9.

use std::cell::OnceCell;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Targets, Task, suggest};

mod band;
mod evaluation;
mod labels;
mod numbers;
mod probability;
mod ranking;

pub use band::{Estimate, Undefined, estimates};
pub use evaluation::{
    ClassFigures, Curves, Evaluation, PrecisionRecallPoint, Reliability, ReliabilityBin, RocPoint, evaluate,
    reliability, serialize_scores,
};

use labels::Tally;
use ranking::Ranking;

/// Probability from which a row of a binary task gets the positive label, unless a model says otherwise.
pub const DEFAULT_THRESHOLD: f64 = 0.5;

/// What a model answers for some rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Predictions {
    /// Numbers per row: 1 for binary and regression, the number of classes for multiclass.
    pub n_outputs: usize,
    /// For binary the probability of the positive label, for multiclass probabilities `(n_rows, n_classes)` in
    /// row-major order, for regression the number.
    pub values: Vec<f64>,
}

impl Predictions {
    /// How many rows are answered.
    pub fn n_rows(&self) -> usize {
        self.values.len().checked_div(self.n_outputs).unwrap_or(0)
    }

    /// The numbers of one row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.n_outputs..(row + 1) * self.n_outputs]
    }

    /// The answers for the rows of the given positions, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Predictions {
        let values = rows.iter().flat_map(|row| self.row(*row as usize).iter().copied()).collect();
        Predictions { n_outputs: self.n_outputs, values }
    }

    /// The label of one row as a code into [`Task::labels`]: for one output the positive label from the threshold on,
    /// for several the first of the most probable.
    pub fn label(&self, row: usize, threshold: f64) -> usize {
        if self.n_outputs == 1 {
            return usize::from(self.values[row] >= threshold);
        }
        let row = self.row(row);
        (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
    }
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident = $text:literal $(| $alias:literal)*,)*) => {
        /// A figure of merit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Metric {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Metric {
            /// Every metric, in the order of the documentation.
            pub const ALL: &[Metric] = &[$(Metric::$name,)*];

            /// The name that configuration files, messages and stored results use.
            pub fn name(self) -> &'static str {
                match self { $(Metric::$name => $text,)* }
            }

            /// Other names under which it is known, scikit-learn's above all.
            pub fn aliases(self) -> &'static [&'static str] {
                match self { $(Metric::$name => &[$($alias),*],)* }
            }
        }
    };
}

metrics! {
    /// Area under the ROC curve; for multiclass the plain mean of one class against the rest, over the classes that occur.
    RocAuc = "roc_auc" | "auc" | "roc_auc_score" | "roc_auc_ovr" | "rocauc",
    /// The same, weighted by how often each class occurs.
    RocAucWeighted = "roc_auc_weighted" | "roc_auc_ovr_weighted",
    /// Area under the precision-recall curve as a step function.
    AveragePrecision = "average_precision" | "average_precision_score" | "pr_auc",
    /// Mean negative log-likelihood; probabilities are kept 2⁻⁵² away from 0 and 1.
    LogLoss = "log_loss" | "neg_log_loss" | "logloss" | "cross_entropy",
    /// Mean squared distance between probabilities and truth; for three classes and more the sum over the classes.
    Brier = "brier" | "brier_score" | "brier_score_loss" | "neg_brier_score",
    /// Share of rows whose label is right.
    Accuracy = "accuracy" | "accuracy_score",
    /// Plain mean of the recall over the classes that occur.
    BalancedAccuracy = "balanced_accuracy" | "balanced_accuracy_score",
    /// Share of the rows labelled positive that are.
    Precision = "precision" | "precision_score",
    /// Plain mean of the precision over the classes that occur or are predicted.
    PrecisionMacro = "precision_macro",
    /// Precision weighted by how often each class occurs.
    PrecisionWeighted = "precision_weighted",
    /// Share of the positive rows that are labelled so.
    Recall = "recall" | "recall_score" | "sensitivity",
    /// Plain mean of the recall over the classes that occur or are predicted.
    RecallMacro = "recall_macro",
    /// Recall weighted by how often each class occurs.
    RecallWeighted = "recall_weighted",
    /// Harmonic mean of precision and recall.
    F1 = "f1" | "f1_score",
    /// Plain mean of F1 over the classes that occur or are predicted.
    F1Macro = "f1_macro",
    /// F1 weighted by how often each class occurs.
    F1Weighted = "f1_weighted",
    /// Matthews correlation coefficient.
    Mcc = "mcc" | "matthews_corrcoef",
    /// Root of the mean squared error.
    Rmse = "rmse" | "root_mean_squared_error" | "neg_root_mean_squared_error",
    /// Mean squared error.
    Mse = "mse" | "mean_squared_error" | "neg_mean_squared_error",
    /// Mean absolute error.
    Mae = "mae" | "mean_absolute_error" | "neg_mean_absolute_error",
    /// Median of the absolute error.
    MedianAbsoluteError = "median_absolute_error" | "neg_median_absolute_error" | "medae",
    /// Mean of the absolute error relative to the target; 2⁻⁵² stands in for a target of 0.
    Mape = "mape" | "mean_absolute_percentage_error" | "neg_mean_absolute_percentage_error",
    /// Share of the variance that is explained; 1 is perfect, 0 is as good as the mean.
    R2 = "r2" | "r2_score",
}

const BINARY: &[Metric] = &[
    Metric::RocAuc,
    Metric::AveragePrecision,
    Metric::LogLoss,
    Metric::Brier,
    Metric::Accuracy,
    Metric::BalancedAccuracy,
    Metric::Precision,
    Metric::Recall,
    Metric::F1,
    Metric::Mcc,
];

const MULTICLASS: &[Metric] = &[
    Metric::LogLoss,
    Metric::RocAuc,
    Metric::RocAucWeighted,
    Metric::Brier,
    Metric::Accuracy,
    Metric::BalancedAccuracy,
    Metric::PrecisionMacro,
    Metric::PrecisionWeighted,
    Metric::RecallMacro,
    Metric::RecallWeighted,
    Metric::F1Macro,
    Metric::F1Weighted,
    Metric::Mcc,
];

const REGRESSION: &[Metric] =
    &[Metric::Rmse, Metric::Mae, Metric::R2, Metric::Mse, Metric::Mape, Metric::MedianAbsoluteError];

impl Metric {
    /// Whether a larger value is a better one.
    pub fn greater_is_better(self) -> bool {
        !matches!(
            self,
            Metric::LogLoss
                | Metric::Brier
                | Metric::Rmse
                | Metric::Mse
                | Metric::Mae
                | Metric::MedianAbsoluteError
                | Metric::Mape
        )
    }

    /// Whether `a` is a better value than `b`. Anything is better than an undefined value, and that than nothing.
    pub fn is_better(self, a: f64, b: f64) -> bool {
        if a.is_nan() || b.is_nan() {
            return !a.is_nan() && b.is_nan();
        }
        if self.greater_is_better() { a > b } else { a < b }
    }

    /// The metrics of a task, the default first.
    pub fn for_task(task: &Task) -> &'static [Metric] {
        match task {
            Task::Binary { .. } => BINARY,
            Task::Multiclass { .. } => MULTICLASS,
            Task::Regression => REGRESSION,
        }
    }

    /// The metric that decides unless another is named: `roc_auc`, `log_loss` or `rmse`.
    pub fn default_for(task: &Task) -> Metric {
        Self::for_task(task)[0]
    }

    /// Whether it is defined for a task.
    pub fn applies_to(self, task: &Task) -> bool {
        Self::for_task(task).contains(&self)
    }

    /// Reads a name that must be a metric of the task.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for a name that no metric has, [`Error::Unusable`] for a metric of another task.
    pub fn parse_for(text: &str, task: &Task) -> Result<Metric> {
        let metric: Metric = text.parse()?;
        if metric.applies_to(task) {
            return Ok(metric);
        }
        let allowed = Self::for_task(task).iter().map(|m| m.name()).collect::<Vec<_>>().join(", ");
        let message =
            format!("the metric `{}` is not defined for a {} task; one of: {allowed}", metric.name(), task.name());
        Err(Error::Unusable { message })
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Metric {
    type Err = Error;

    /// Reads our name or one of the aliases, in any case.
    fn from_str(text: &str) -> Result<Self> {
        let wanted = text.trim();
        let known = |m: &Metric| std::iter::once(m.name()).chain(m.aliases().iter().copied());
        if let Some(metric) = Metric::ALL.iter().find(|m| known(m).any(|name| name.eq_ignore_ascii_case(wanted))) {
            return Ok(*metric);
        }
        Err(Error::UnknownName {
            what: "metric",
            found: text.to_owned(),
            hint: suggest::did_you_mean(text, Metric::ALL.iter().flat_map(known)),
            allowed: Metric::ALL.iter().map(|m| m.name()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// Scores predictions by one metric. NaN where the metric is not defined: for these rows, or for the task at all.
///
/// # Panics
/// If there is not one prediction per target: the caller mixed up rows.
///
/// # Determinism
/// The same bits on any number of threads.
pub fn score(metric: Metric, task: &Task, targets: &Targets, predictions: &Predictions, threshold: f64) -> f64 {
    Scoring::new(task, targets, predictions, threshold).value(metric)
}

/// Scores predictions by every metric of the task, at the default threshold.
///
/// # Panics
/// If there is not one prediction per target.
pub fn scores(task: &Task, targets: &Targets, predictions: &Predictions) -> Vec<(Metric, f64)> {
    scores_at(task, targets, predictions, DEFAULT_THRESHOLD)
}

/// Scores predictions by every metric of the task, at a threshold.
///
/// # Panics
/// If there is not one prediction per target.
pub fn scores_at(task: &Task, targets: &Targets, predictions: &Predictions, threshold: f64) -> Vec<(Metric, f64)> {
    let scoring = Scoring::new(task, targets, predictions, threshold);
    Metric::for_task(task).iter().map(|&metric| (metric, scoring.value(metric))).collect()
}

/// Predictions beside their targets; what several metrics need is computed once, when first asked for.
struct Scoring<'a> {
    task: &'a Task,
    targets: &'a Targets,
    predictions: &'a Predictions,
    threshold: f64,
    defined: bool,
    tally: OnceCell<Tally>,
    ranking: OnceCell<Ranking>,
    class_aucs: OnceCell<Vec<f64>>,
    mse: OnceCell<f64>,
}

impl<'a> Scoring<'a> {
    fn new(task: &'a Task, targets: &'a Targets, predictions: &'a Predictions, threshold: f64) -> Self {
        assert_eq!(predictions.n_outputs, task.n_outputs(), "invariant: predictions have the width of the task");
        assert_eq!(predictions.values.len(), targets.len() * task.n_outputs(), "invariant: one prediction per target");
        let defined = targets.weights.as_deref().map_or(!targets.is_empty(), |w| w.iter().any(|&w| w > 0.0))
            && !predictions.values.iter().any(|p| p.is_nan());
        Scoring {
            task,
            targets,
            predictions,
            threshold,
            defined,
            tally: OnceCell::new(),
            ranking: OnceCell::new(),
            class_aucs: OnceCell::new(),
            mse: OnceCell::new(),
        }
    }

    fn tally(&self) -> &Tally {
        self.tally.get_or_init(|| Tally::new(self.task.n_classes(), self.targets, self.predictions, self.threshold))
    }

    fn ranking(&self) -> &Ranking {
        self.ranking.get_or_init(|| Ranking::new(self.targets, self.predictions, 1, 0))
    }

    fn mse(&self) -> f64 {
        *self.mse.get_or_init(|| numbers::mean_squared_error(self.targets, self.predictions))
    }

    fn roc_auc(&self, weighted: bool) -> f64 {
        if self.task.n_outputs() == 1 {
            return self.ranking().roc_auc();
        }
        let aucs = self.class_aucs.get_or_init(|| ranking::class_aucs(self.targets, self.predictions));
        self.tally().average_over_occurring(aucs, weighted)
    }

    fn value(&self, metric: Metric) -> f64 {
        if !self.defined || !metric.applies_to(self.task) {
            return f64::NAN;
        }
        match metric {
            Metric::RocAuc => self.roc_auc(false),
            Metric::RocAucWeighted => self.roc_auc(true),
            Metric::AveragePrecision => self.ranking().average_precision(),
            Metric::LogLoss => probability::log_loss(self.targets, self.predictions),
            Metric::Brier => probability::brier(self.targets, self.predictions),
            Metric::Accuracy => self.tally().accuracy(),
            Metric::BalancedAccuracy => self.tally().balanced_accuracy(),
            Metric::Precision => self.tally().precision(1),
            Metric::PrecisionMacro => self.tally().macro_average(Tally::precision),
            Metric::PrecisionWeighted => self.tally().weighted_average(Tally::precision),
            Metric::Recall => self.tally().recall(1),
            Metric::RecallMacro => self.tally().macro_average(Tally::recall),
            Metric::RecallWeighted => self.tally().weighted_average(Tally::recall),
            Metric::F1 => self.tally().f1(1),
            Metric::F1Macro => self.tally().macro_average(Tally::f1),
            Metric::F1Weighted => self.tally().weighted_average(Tally::f1),
            Metric::Mcc => self.tally().mcc(),
            Metric::Rmse => self.mse().sqrt(),
            Metric::Mse => self.mse(),
            Metric::Mae => numbers::mean_absolute_error(self.targets, self.predictions),
            Metric::MedianAbsoluteError => numbers::median_absolute_error(self.targets, self.predictions),
            Metric::Mape => numbers::mean_absolute_percentage_error(self.targets, self.predictions),
            Metric::R2 => numbers::r2(self.targets, self.predictions),
        }
    }
}

/// The weighted mean of a value per row; rows of weight 0 are not looked at.
fn weighted_mean(targets: &Targets, value: impl Fn(usize) -> f64 + Sync) -> f64 {
    let n = targets.len();
    match targets.weights.as_deref() {
        None => crate::parallel::sum(n, value) / n as f64,
        Some(w) => {
            let total = crate::parallel::sum(n, |i| if w[i] == 0.0 { 0.0 } else { w[i] * value(i) });
            total / crate::parallel::sum(n, |i| w[i])
        }
    }
}

#[cfg(test)]
mod tests;
