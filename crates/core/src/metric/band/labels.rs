//! Bands of metrics of labels: shares of rows, means of shares, and what is made of the counts of all classes.

use super::super::Metric;
use super::super::labels::{Tally, ratio};
use super::scale::Scale;
use super::{Bands, Result, Undefined};
use crate::parallel;

/// Derivatives of a metric by the three counts of each class.
struct Gradient {
    actual: Vec<f64>,
    predicted: Vec<f64>,
    correct: Vec<f64>,
}

impl Bands<'_> {
    pub(super) fn of_labels(&self, metric: Metric) -> Result<Option<[f64; 2]>> {
        let tally = self.scoring.tally();
        let share = |hits: f64, n: f64, otherwise| {
            if n > 0.0 { Ok(Some(self.level.wilson(hits, n))) } else { Err(otherwise) }
        };
        match metric {
            // The recall of each class weighted by its rows is the share of all rows that are right.
            Metric::Accuracy | Metric::RecallWeighted => share(tally.all_correct(), self.total, Undefined::NoRow),
            Metric::Precision => share(tally.correct[1], tally.predicted[1], Undefined::NonePredicted),
            Metric::Recall => share(tally.correct[1], tally.actual[1], Undefined::NoPositive),
            Metric::F1 => self.f1(tally),
            Metric::BalancedAccuracy | Metric::RecallMacro => {
                Ok(self.mean_of_shares(metric, tally, |c| (tally.correct[c], tally.actual[c])))
            }
            Metric::PrecisionMacro => {
                Ok(self.mean_of_shares(metric, tally, |c| (tally.correct[c], tally.predicted[c])))
            }
            Metric::Mcc if tally.occurring() < 2 => Err(Undefined::OneClass),
            Metric::Mcc if tally.predicted.iter().filter(|p| **p > 0.0).count() < 2 => Err(Undefined::OnePrediction),
            Metric::Mcc => Ok(self.by_gradient(Scale::Artanh, tally.mcc(), &of_mcc(tally))),
            of_classes => {
                let value = self.scoring.value(of_classes);
                Ok(self.by_gradient(Scale::LogOdds, value, &of_class_means(of_classes, tally, value)))
            }
        }
    }

    /// F1 is 2s / (1 + s) of a plain share s: of the rows that are positive or predicted so, those that are both.
    fn f1(&self, tally: &Tally) -> Result<Option<[f64; 2]>> {
        let either = tally.actual[1] + tally.predicted[1] - tally.correct[1];
        if either <= 0.0 {
            return Err(Undefined::NoPositive);
        }
        Ok(Some(self.level.wilson(tally.correct[1], either).map(|s| 2.0 * s / (1.0 + s))))
    }

    /// The band of a mean of shares over classes, from the bands of the shares.
    ///
    /// # References
    /// Zou and Donner, 2008, equation 3, for shares of different rows.
    fn mean_of_shares(&self, metric: Metric, tally: &Tally, of: impl Fn(usize) -> (f64, f64)) -> Option<[f64; 2]> {
        let value = self.scoring.value(metric);
        let classes = 0..tally.actual.len();
        let met = classes
            .filter(|&c| tally.actual[c] > 0.0 || (metric != Metric::BalancedAccuracy && tally.predicted[c] > 0.0));
        let (mut below, mut above, mut count) = (0.0, 0.0, 0.0);
        for class in met {
            count += 1.0;
            let (hits, n) = of(class);
            // Where nothing can be divided the share is 0 by convention, for certain.
            if n > 0.0 {
                let [low, high] = self.level.wilson(hits, n);
                let share = hits / n;
                below += (share - low) * (share - low);
                above += (high - share) * (high - share);
            }
        }
        let ends = [value - below.sqrt() / count, value + above.sqrt() / count];
        Some(ends.map(|end| end.clamp(0.0, 1.0)))
    }

    fn by_gradient(&self, scale: Scale, value: f64, gradient: &Gradient) -> Option<[f64; 2]> {
        let (targets, predictions, threshold) =
            (self.scoring.targets, self.scoring.predictions, self.scoring.threshold);
        let squares = parallel::sum(targets.len(), |i| {
            let (actual, predicted) = (targets.values[i] as usize, predictions.label(i, threshold));
            let hit = if actual == predicted { gradient.correct[actual] } else { 0.0 };
            let term = gradient.actual[actual] + gradient.predicted[predicted] + hit;
            targets.weight(i) * term * term
        });
        self.level.band(scale, value, squares * self.total / (self.total - 1.0), self.total)
    }
}

/// Derivatives of means of precision or F1 over classes. A class of which no row is, and none is predicted, plays no part.
fn of_class_means(metric: Metric, tally: &Tally, value: f64) -> Gradient {
    let k = tally.actual.len();
    let total = tally.total();
    let mut gradient = Gradient { actual: vec![0.0; k], predicted: vec![0.0; k], correct: vec![0.0; k] };
    let met = (0..k).filter(|&c| tally.actual[c] > 0.0 || tally.predicted[c] > 0.0).count() as f64;
    for c in 0..k {
        let (actual, predicted, correct) = (tally.actual[c], tally.predicted[c], tally.correct[c]);
        let is_weighted = matches!(metric, Metric::PrecisionWeighted | Metric::F1Weighted);
        let part = if is_weighted { actual / total } else { 1.0 / met };
        let of_class = match metric {
            Metric::PrecisionWeighted => {
                gradient.predicted[c] = -part * ratio(correct, predicted * predicted);
                gradient.correct[c] = part * ratio(1.0, predicted);
                tally.precision(c)
            }
            _ => {
                let both = actual + predicted;
                gradient.actual[c] = -part * ratio(2.0 * correct, both * both);
                gradient.predicted[c] = gradient.actual[c];
                gradient.correct[c] = part * ratio(2.0, both);
                tally.f1(c)
            }
        };
        if is_weighted {
            gradient.actual[c] += (of_class - value) / total;
        }
    }
    gradient
}

/// Derivatives of Matthews' correlation; both of its spreads are above 0.
fn of_mcc(tally: &Tally) -> Gradient {
    let parts = tally.mcc_parts();
    let (total, correct) = (tally.total(), tally.all_correct());
    let root = (parts.spread_predicted * parts.spread_actual).sqrt();
    let half = 0.5 * parts.covariance / root;
    let term = |covariance: f64, predicted: f64, actual: f64| {
        covariance / root - half * (predicted / parts.spread_predicted + actual / parts.spread_actual)
    };
    let by_class = |of: &dyn Fn(usize) -> f64| (0..tally.actual.len()).map(of).collect::<Vec<f64>>();
    Gradient {
        actual: by_class(&|c| term(correct - tally.predicted[c], 2.0 * total, 2.0 * total - 2.0 * tally.actual[c])),
        predicted: by_class(&|c| term(-tally.actual[c], -2.0 * tally.predicted[c], 0.0)),
        correct: by_class(&|_| term(total, 0.0, 0.0)),
    }
}
