//! Metrics of probabilities: log loss and Brier score.

use super::{Predictions, weighted_mean};
use crate::{Targets, numeric};

pub(super) fn log_loss(targets: &Targets, predictions: &Predictions) -> f64 {
    weighted_mean(targets, |i| log_loss_of(targets, predictions, i))
}

/// The log loss of one row.
pub(super) fn log_loss_of(targets: &Targets, predictions: &Predictions, i: usize) -> f64 {
    let label = targets.values[i] as usize;
    let p = match predictions.n_outputs {
        1 if label == 1 => predictions.values[i],
        1 => 1.0 - predictions.values[i],
        _ => predictions.row(i)[label],
    };
    -numeric::ln(p.clamp(f64::EPSILON, 1.0 - f64::EPSILON))
}

pub(super) fn brier(targets: &Targets, predictions: &Predictions) -> f64 {
    weighted_mean(targets, |i| brier_of(targets, predictions, i))
}

/// The Brier score of one row; half of the sum where there are two classes with a probability each.
pub(super) fn brier_of(targets: &Targets, predictions: &Predictions, i: usize) -> f64 {
    let label = targets.values[i] as usize;
    if predictions.n_outputs == 1 {
        let error = label as f64 - predictions.values[i];
        return error * error;
    }
    let halved = if predictions.n_outputs == 2 { 0.5 } else { 1.0 };
    halved
        * predictions.row(i).iter().enumerate().fold(0.0, |sum, (class, p)| {
            let error = f64::from(u8::from(class == label)) - p;
            sum + error * error
        })
}
