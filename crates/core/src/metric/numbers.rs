//! Metrics of numbers: squared, absolute and relative errors.

use super::{Predictions, weighted_mean};
use crate::{Targets, parallel};

pub(super) fn mean_squared_error(targets: &Targets, predictions: &Predictions) -> f64 {
    weighted_mean(targets, |i| {
        let error = predictions.values[i] - targets.values[i];
        error * error
    })
}

pub(super) fn mean_absolute_error(targets: &Targets, predictions: &Predictions) -> f64 {
    weighted_mean(targets, |i| (predictions.values[i] - targets.values[i]).abs())
}

pub(super) fn mean_absolute_percentage_error(targets: &Targets, predictions: &Predictions) -> f64 {
    weighted_mean(targets, |i| {
        let size = targets.values[i].abs();
        let size = if size > f64::EPSILON { size } else { f64::EPSILON };
        (predictions.values[i] - targets.values[i]).abs() / size
    })
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
    let mut errors: Vec<(f64, f64)> = (0..targets.len())
        .filter(|&i| targets.weight(i) > 0.0)
        .map(|i| ((predictions.values[i] - targets.values[i]).abs(), targets.weight(i)))
        .collect();
    if errors.iter().any(|(error, _)| error.is_nan()) {
        return f64::NAN;
    }
    errors.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut sum = 0.0;
    let reached: Vec<f64> = errors
        .iter()
        .map(|(_, weight)| {
            sum += weight;
            sum
        })
        .collect();
    let half = 0.5 * sum;
    let at = reached.partition_point(|&r| r < half).min(errors.len() - 1);
    if reached[at] - half > f64::EPSILON {
        errors[at].0
    } else {
        (errors[at].0 + errors[(at + 1).min(errors.len() - 1)].0) / 2.0
    }
}
