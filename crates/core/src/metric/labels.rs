//! Metrics of labels: accuracy, precision, recall, F1 and Matthews' correlation, from three sums per class.

use super::Predictions;
use crate::Targets;

/// Weight per class: of the rows that are of it, that are labelled so, and that are both.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) actual: Vec<f64>,
    pub(super) predicted: Vec<f64>,
    pub(super) correct: Vec<f64>,
}

/// What Matthews' correlation is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct MccParts {
    pub(super) covariance: f64,
    pub(super) spread_predicted: f64,
    pub(super) spread_actual: f64,
}

impl Tally {
    pub(super) fn new(n_classes: usize, targets: &Targets, predictions: &Predictions, threshold: f64) -> Self {
        let mut tally =
            Tally { actual: vec![0.0; n_classes], predicted: vec![0.0; n_classes], correct: vec![0.0; n_classes] };
        for row in 0..targets.len() {
            let (actual, predicted) = (targets.values[row] as usize, predictions.label(row, threshold));
            let weight = targets.weight(row);
            tally.actual[actual] += weight;
            tally.predicted[predicted] += weight;
            if actual == predicted {
                tally.correct[actual] += weight;
            }
        }
        tally
    }

    /// Weight of the rows that are of a class.
    pub(super) fn support(&self, class: usize) -> f64 {
        self.actual[class]
    }

    /// Weight of all rows.
    pub(super) fn total(&self) -> f64 {
        self.actual.iter().fold(0.0, |a, b| a + b)
    }

    /// Weight of the rows whose label is right.
    pub(super) fn all_correct(&self) -> f64 {
        self.correct.iter().fold(0.0, |a, b| a + b)
    }

    /// Number of classes that a row is of.
    pub(super) fn occurring(&self) -> usize {
        self.actual.iter().filter(|a| **a > 0.0).count()
    }

    pub(super) fn accuracy(&self) -> f64 {
        self.all_correct() / self.total()
    }

    pub(super) fn precision(&self, class: usize) -> f64 {
        ratio(self.correct[class], self.predicted[class])
    }

    pub(super) fn recall(&self, class: usize) -> f64 {
        ratio(self.correct[class], self.actual[class])
    }

    pub(super) fn f1(&self, class: usize) -> f64 {
        ratio(2.0 * self.correct[class], self.actual[class] + self.predicted[class])
    }

    pub(super) fn balanced_accuracy(&self) -> f64 {
        mean((0..self.actual.len()).filter(|&c| self.actual[c] > 0.0).map(|c| self.recall(c)))
    }

    pub(super) fn macro_average(&self, value: impl Fn(&Self, usize) -> f64) -> f64 {
        let met = |&c: &usize| self.actual[c] > 0.0 || self.predicted[c] > 0.0;
        mean((0..self.actual.len()).filter(met).map(|c| value(self, c)))
    }

    pub(super) fn weighted_average(&self, value: impl Fn(&Self, usize) -> f64) -> f64 {
        (0..self.actual.len()).fold(0.0, |sum, c| sum + self.actual[c] * value(self, c)) / self.total()
    }

    /// Averages a value per class over the classes that occur.
    pub(super) fn average_over_occurring(&self, values: &[f64], weighted: bool) -> f64 {
        let occurring = (0..values.len()).filter(|&c| self.actual[c] > 0.0);
        if weighted {
            occurring.fold(0.0, |sum, c| sum + self.actual[c] * values[c]) / self.total()
        } else {
            mean(occurring.map(|c| values[c]))
        }
    }

    /// # References
    /// Gorodkin, 2004, equation 8: the correlation of two assignments to K categories.
    pub(super) fn mcc(&self) -> f64 {
        let parts = self.mcc_parts();
        let product = parts.spread_predicted * parts.spread_actual;
        if product == 0.0 { 0.0 } else { parts.covariance / product.sqrt() }
    }

    pub(super) fn mcc_parts(&self) -> MccParts {
        let total = self.total();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).fold(0.0, |sum, (x, y)| sum + x * y);
        MccParts {
            covariance: self.all_correct() * total - dot(&self.actual, &self.predicted),
            spread_predicted: total * total - dot(&self.predicted, &self.predicted),
            spread_actual: total * total - dot(&self.actual, &self.actual),
        }
    }
}

/// 0 where nothing can be divided, as scikit-learn has it.
pub(super) fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { numerator / denominator }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}
