//! Metrics of numbers: squared, absolute and relative errors.

use super::{Predictions, weighted_mean};
use crate::{Targets, parallel};

pub(super) fn mean_squared_error(targets: &Targets, predictions: &Predictions) -> f64 {
    weighted_mean(targets, |i| squared_error(targets, predictions, i))
}

/// The squared error of one row.
pub(super) fn squared_error(targets: &Targets, predictions: &Predictions, i: usize) -> f64 {
    let error = predictions.values[i] - targets.values[i];
    error * error
}

pub(super) fn mean_absolute_error(targets: &Targets, predictions: &Predictions) -> f64 {
    weighted_mean(targets, |i| absolute_error(targets, predictions, i))
}

/// The absolute error of one row.
pub(super) fn absolute_error(targets: &Targets, predictions: &Predictions, i: usize) -> f64 {
    (predictions.values[i] - targets.values[i]).abs()
}

pub(super) fn mean_absolute_percentage_error(targets: &Targets, predictions: &Predictions) -> f64 {
    weighted_mean(targets, |i| percentage_error(targets, predictions, i))
}

/// The relative error of one row.
pub(super) fn percentage_error(targets: &Targets, predictions: &Predictions, i: usize) -> f64 {
    let size = targets.values[i].abs();
    let size = if size > f64::EPSILON { size } else { f64::EPSILON };
    absolute_error(targets, predictions, i) / size
}

/// Undefined for fewer than two rows; where the target is constant, 1 for a perfect answer and 0 for any other.
pub(super) fn r2(targets: &Targets, predictions: &Predictions) -> f64 {
    let rows = targets.weights.as_deref().map_or(targets.len(), |w| w.iter().filter(|&&w| w > 0.0).count());
    if rows < 2 {
        return f64::NAN;
    }
    let mean = weighted_mean(targets, |i| targets.values[i]);
    let squares = |from: &(dyn Fn(usize) -> f64 + Sync)| {
        parallel::sum(targets.len(), |i| match targets.weight(i) {
            0.0 => 0.0,
            weight => weight * (targets.values[i] - from(i)) * (targets.values[i] - from(i)),
        })
    };
    let (residual, total) = (squares(&|i| predictions.values[i]), squares(&|_| mean));
    match (residual == 0.0, total == 0.0) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => 1.0 - residual / total,
    }
}

/// The value at which half of the weight is reached; where that happens exactly at a value, the mean of it and the next.
///
/// # References
/// Hyndman and Fan, 1996, definition 2 ("averaged inverted CDF"), weighted as in scikit-learn 1.9.
pub(super) fn median_absolute_error(targets: &Targets, predictions: &Predictions) -> f64 {
    let (errors, reached) = sorted_errors(targets, predictions);
    if errors.last().is_none_or(|error| error.is_nan()) {
        return f64::NAN;
    }
    let half = 0.5 * reached[reached.len() - 1];
    let at = reached.partition_point(|&r| r < half).min(errors.len() - 1);
    if reached[at] - half > f64::EPSILON {
        errors[at]
    } else {
        (errors[at] + errors[(at + 1).min(errors.len() - 1)]) / 2.0
    }
}

/// The absolute errors in ascending order, NaN last, and the weight that is reached with each.
pub(super) fn sorted_errors(targets: &Targets, predictions: &Predictions) -> (Vec<f64>, Vec<f64>) {
    let mut errors: Vec<(f64, f64)> = (0..targets.len())
        .filter(|&i| targets.weight(i) > 0.0)
        .map(|i| (absolute_error(targets, predictions, i), targets.weight(i)))
        .collect();
    errors.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut sum = 0.0;
    let reach = |(error, weight): (f64, f64)| {
        sum += weight;
        (error, sum)
    };
    errors.into_iter().map(reach).unzip()
}
