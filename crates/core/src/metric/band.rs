//! Confidence bands: how far a metric lies, by chance, from what ever more rows of the same kind would give.
//!
//! Nothing is drawn: shares have Wilson's interval, the area under the ROC curve DeLong's variance, the median its order
//! statistics, and all else the infinitesimal jackknife, whose terms are the derivatives of a metric by the weights of the rows.
//! Bands are made on a scale on which the metric has no end in sight (log-odds, logarithm, artanh) and brought back. That takes
//! one pass more than the metric itself, for any number of rows. `monitor` judges windows and slices with it.
//!
//! A weight counts equal rows here as everywhere in [`metric`](super).
//!
//! # References
//! Wilson, 1927. DeLong, DeLong and Clarke-Pearson, 1988. Jaeckel, 1972, and Efron, 1982 (the infinitesimal jackknife). Zou and Donner,
//! 2008 (means of shares from the bands of each).

mod labels;
mod ranking;
mod scale;

use std::cell::OnceCell;

use serde::Serialize;

use super::{Metric, Predictions, Scoring, numbers, probability};
use crate::{Targets, Task, parallel};

use scale::{Level, Scale};

/// A metric with its band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The value of the metric, as [`scores`](super::scores) has it.
    pub value: f64,
    /// Lower and upper end; none where so few rows, or rows without an error, tell nothing about it.
    pub band: Option<[f64; 2]>,
}

/// Why a metric has no value, or one by convention alone, which says nothing about the predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undefined {
    /// There is no row of a weight.
    #[error("there is no row")]
    NoRow,
    /// A prediction is NaN.
    #[error("a prediction is not a number")]
    NotANumber,
    /// The metric belongs to another task.
    #[error("the metric is not defined for this task")]
    OtherTask,
    /// All rows are of one class.
    #[error("all labels are of one class")]
    OneClass,
    /// All rows are predicted to be of one class.
    #[error("all predictions are of one class")]
    OnePrediction,
    /// No row is of the positive class.
    #[error("no label is positive")]
    NoPositive,
    /// No row is predicted to be positive.
    #[error("no prediction is positive")]
    NonePredicted,
    /// All targets are the same number, or there is but one.
    #[error("all labels are the same number")]
    ConstantTarget,
}

type Result<T, E = Undefined> = std::result::Result<T, E>;

/// Scores predictions by some metrics, each with a band that covers the value of ever more such rows with probability `level`,
/// for rows that are independent of each other.
///
/// # Panics
/// If there is not one prediction per target, or the level is not between 0 and 1.
///
/// # Determinism
/// The same bits on any number of threads.
///
/// # Example
/// ```
/// use tabwright_core::metric::{Metric, Predictions, estimates};
/// use tabwright_core::{Targets, Task};
///
/// let task = Task::Binary { labels: ["no".into(), "yes".into()] };
/// let targets = Targets::new([1.0, 1.0, 1.0, 0.0, 0.0].repeat(20));
/// let predictions = Predictions { n_outputs: 1, values: [0.9, 0.8, 0.3, 0.4, 0.1].repeat(20) };
/// let found = estimates(&[Metric::Accuracy], &task, &targets, &predictions, 0.5, 0.95);
/// let accuracy = found[0].unwrap();
/// assert_eq!(accuracy.value, 0.8);
/// let [low, high] = accuracy.band.unwrap();
/// assert!((low - 0.711).abs() < 1e-3 && (high - 0.867).abs() < 1e-3);
/// ```
pub fn estimates(
    metrics: &[Metric],
    task: &Task,
    targets: &Targets,
    predictions: &Predictions,
    threshold: f64,
    level: f64,
) -> Vec<Result<Estimate>> {
    let scoring = Scoring::new(task, targets, predictions, threshold);
    let total = match &targets.weights {
        None => targets.len() as f64,
        Some(_) => parallel::sum(targets.len(), |i| targets.weight(i)),
    };
    let bands = Bands { scoring, total, level: Level::new(level), class_terms: OnceCell::new() };
    metrics.iter().map(|&metric| bands.of(metric)).collect()
}

/// What the bands of all metrics share.
struct Bands<'a> {
    scoring: Scoring<'a>,
    /// Weight of all rows.
    total: f64,
    level: Level,
    /// What rows add to the areas of classes; see `ranking`.
    class_terms: OnceCell<(Vec<[f64; 2]>, Vec<f64>)>,
}

impl Bands<'_> {
    fn of(&self, metric: Metric) -> Result<Estimate> {
        let (targets, predictions) = (self.scoring.targets, self.scoring.predictions);
        if !metric.applies_to(self.scoring.task) {
            return Err(Undefined::OtherTask);
        }
        if !self.scoring.defined {
            return Err(if self.total > 0.0 { Undefined::NotANumber } else { Undefined::NoRow });
        }
        let band = match metric {
            Metric::RocAuc => self.roc_auc(false)?,
            Metric::RocAucWeighted => self.roc_auc(true)?,
            Metric::AveragePrecision => self.average_precision()?,
            Metric::LogLoss => self.of_mean(|i| probability::log_loss_of(targets, predictions, i)),
            Metric::Brier => self.of_mean(|i| probability::brier_of(targets, predictions, i)),
            Metric::Rmse => self.of_mean(|i| numbers::squared_error(targets, predictions, i)).map(|b| b.map(f64::sqrt)),
            Metric::Mse => self.of_mean(|i| numbers::squared_error(targets, predictions, i)),
            Metric::Mae => self.of_mean(|i| numbers::absolute_error(targets, predictions, i)),
            Metric::Mape => self.of_mean(|i| numbers::percentage_error(targets, predictions, i)),
            Metric::MedianAbsoluteError => self.median_absolute_error(),
            Metric::R2 => self.r2()?,
            of_labels => self.of_labels(of_labels)?,
        };
        Ok(Estimate { value: self.scoring.value(metric), band })
    }

    /// The band of the mean of what is never negative.
    fn of_mean(&self, value: impl Fn(usize) -> f64 + Sync) -> Option<[f64; 2]> {
        let targets = self.scoring.targets;
        let mean = super::weighted_mean(targets, &value);
        let squares = parallel::sum(targets.len(), |i| match targets.weight(i) {
            0.0 => 0.0,
            weight => weight * (value(i) - mean) * (value(i) - mean),
        });
        let variance = squares / (self.total * (self.total - 1.0));
        self.level.band(Scale::Logarithm, mean, variance, self.total)
    }

    /// The band of the share of the variance that is not explained, taken from 1.
    fn r2(&self) -> Result<Option<[f64; 2]>> {
        let (targets, predictions) = (self.scoring.targets, self.scoring.predictions);
        let mean = super::weighted_mean(targets, |i| targets.values[i]);
        let around = |i: usize| (targets.values[i] - mean) * (targets.values[i] - mean);
        let variance = super::weighted_mean(targets, around);
        if variance == 0.0 {
            return Err(Undefined::ConstantTarget);
        }
        let error = self.scoring.mse();
        let relative = |i: usize| numbers::squared_error(targets, predictions, i) / error - around(i) / variance;
        if error == 0.0 {
            return Ok(None);
        }
        let squares = parallel::sum(targets.len(), |i| match targets.weight(i) {
            0.0 => 0.0,
            weight => weight * relative(i) * relative(i),
        });
        let rest = error / variance;
        let of_rest = squares / (self.total * (self.total - 1.0)) * rest * rest;
        Ok(self.level.band(Scale::Logarithm, rest, of_rest, self.total).map(|[low, high]| [1.0 - high, 1.0 - low]))
    }

    /// The errors between which the median lies, whatever their distribution.
    fn median_absolute_error(&self) -> Option<[f64; 2]> {
        let (errors, reached) = numbers::sorted_errors(self.scoring.targets, self.scoring.predictions);
        let last = errors.len().checked_sub(1)?;
        let half_width = self.level.z() * 0.5 * self.total.sqrt();
        let at = |weight: f64| errors[reached.partition_point(|&r| r < weight).min(last)];
        let [low, high] = [0.5 * self.total - half_width, 0.5 * self.total + half_width + 1.0];
        (low > 0.0 && high <= self.total).then(|| [at(low), at(high)])
    }
}

#[cfg(test)]
mod tests;
