//! Metrics of the order that scores put rows in: ROC AUC and average precision, from one sort.

use rayon::prelude::*;

use super::Predictions;
use crate::{Targets, numeric};

/// How much of either class has a score of at least a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub threshold: f64,
    pub true_positive: f64,
    pub false_positive: f64,
}

/// The rows of one score: the weight of both classes above it and down to it (positive, then negative), and of those at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub before: (f64, f64),
    pub here: (f64, f64),
    pub positive: f64,
    pub negative: f64,
}

/// Points by falling threshold, one per distinct score.
#[derive(Debug)]
pub(super) struct Ranking {
    pub points: Vec<Point>,
}

impl Ranking {
    /// Ranks the rows by one output; rows of the label `positive` are the positive ones.
    pub(super) fn new(targets: &Targets, predictions: &Predictions, positive: usize, output: usize) -> Self {
        Self::placed(targets, predictions, (positive, output), |_, _| {})
    }

    /// The same, and tells the point that each row of a weight has its score at.
    pub(super) fn placed(
        targets: &Targets,
        predictions: &Predictions,
        (positive, output): (usize, usize),
        mut place: impl FnMut(usize, usize),
    ) -> Self {
        let (n, width) = (targets.len(), predictions.n_outputs);
        let mut order: Vec<(u64, u32)> = (0..n)
            .filter(|&row| targets.weight(row) > 0.0)
            .map(|row| (falling(predictions.values[row * width + output]), row as u32))
            .collect();
        order.sort_unstable();
        let mut points: Vec<Point> = Vec::new();
        let (mut true_positive, mut false_positive, mut last) = (0.0, 0.0, None);
        for (key, row) in order {
            let row = row as usize;
            if targets.values[row] as usize == positive {
                true_positive += targets.weight(row);
            } else {
                false_positive += targets.weight(row);
            }
            let threshold = numeric::canonical(predictions.values[row * width + output]);
            let point = Point { threshold, true_positive, false_positive };
            match points.last_mut() {
                Some(end) if last == Some(key) => *end = point,
                _ => points.push(point),
            }
            place(row, points.len() - 1);
            last = Some(key);
        }
        Ranking { points }
    }

    /// Every distinct score from the highest to the lowest.
    pub(super) fn steps(&self) -> impl DoubleEndedIterator<Item = Step> {
        (0..self.points.len()).map(|i| {
            let counts = |p: &Point| (p.true_positive, p.false_positive);
            let before = i.checked_sub(1).map_or((0.0, 0.0), |b| counts(&self.points[b]));
            let here = counts(&self.points[i]);
            Step { before, here, positive: here.0 - before.0, negative: here.1 - before.1 }
        })
    }

    /// Weight of the positive and of the negative rows.
    pub(super) fn totals(&self) -> (f64, f64) {
        self.points.last().map_or((0.0, 0.0), |end| (end.true_positive, end.false_positive))
    }

    /// By trapezoids, so that ties count half; NaN where one class is absent.
    pub(super) fn roc_auc(&self) -> f64 {
        let (positive, negative) = self.totals();
        if positive == 0.0 || negative == 0.0 {
            return f64::NAN;
        }
        let (mut area, mut before) = (0.0, (0.0, 0.0));
        for p in &self.points {
            area += (p.false_positive - before.0) / negative * ((p.true_positive + before.1) / positive) * 0.5;
            before = (p.false_positive, p.true_positive);
        }
        area
    }

    /// Precision summed over the steps of recall; 0 where there is no positive row.
    pub(super) fn average_precision(&self) -> f64 {
        let (positive, _) = self.totals();
        if positive == 0.0 {
            return 0.0;
        }
        let (mut area, mut before) = (0.0, 0.0);
        for p in &self.points {
            area += (p.true_positive - before) / positive * (p.true_positive / (p.true_positive + p.false_positive));
            before = p.true_positive;
        }
        area
    }
}

/// ROC AUC of each class against the rest; NaN where the class is absent or alone.
pub(super) fn class_aucs(targets: &Targets, predictions: &Predictions) -> Vec<f64> {
    (0..predictions.n_outputs)
        .into_par_iter()
        .map(|class| Ranking::new(targets, predictions, class, class).roc_auc())
        .collect()
}

/// A number that falls as the score rises; −0 and 0 are one score.
fn falling(score: f64) -> u64 {
    let bits = numeric::canonical(score).to_bits();
    let rising = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    !rising
}
