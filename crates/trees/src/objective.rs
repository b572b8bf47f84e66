//! Objectives: the loss that boosting minimises, with its first two derivatives by the raw scores.

use tabwright_core::{Targets, numeric, parallel};

use crate::gradient::Kind;
use crate::kernels::widest;

/// Probability below which a class's share is not taken: its logarithm stays finite (LightGBM's bound).
const LEAST_SHARE: f64 = 1e-15;
/// Least hessian, so that confident rows still count (XGBoost's bound).
const LEAST_HESSIAN: f64 = 1e-16;

/// Targets and weights as an objective sees them.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// Numbers, or classes from 0.
    pub values: &'a [f64],
    /// Weights; none means 1 for all.
    pub weights: Option<&'a [f64]>,
}

impl Labels<'_> {
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row])
    }

    /// The weighted quantile of the values.
    fn quantile(&self, share: f64) -> f64 {
        let mut rows: Vec<(f64, f64)> = self.values.iter().enumerate().map(|(i, &v)| (v, self.weight(i))).collect();
        weighted_quantile(&mut rows, share)
    }

    /// The weighted mean of a function of the rows.
    fn mean(&self, value: impl Fn(usize) -> f64 + Sync) -> f64 {
        let total = parallel::sum(self.values.len(), |i| self.weight(i));
        parallel::sum(self.values.len(), |i| self.weight(i) * value(i)) / total
    }
}

/// A loss that is twice differentiable by the raw scores.
///
/// # Determinism
/// Implementations use `tabwright_core::numeric` alone for elementary functions, and treat each row by itself.
pub trait Objective: Send + Sync {
    /// Raw scores per row.
    fn n_outputs(&self) -> usize;

    /// The scores that boosting starts from.
    fn base_scores(&self, labels: Labels<'_>) -> Vec<f64>;

    /// What is known of the gradients and hessians of rows of weight 1.
    fn kind(&self) -> Kind {
        Kind::Varying
    }

    /// The quantile of what a leaf's rows lack that is its value, where a step along the gradient says little about it.
    fn leaf_quantile(&self, _output: usize) -> Option<f64> {
        None
    }

    /// Which targets can be learned; none for all that the task allows.
    fn least_label(&self) -> Option<f64> {
        None
    }

    /// The loss of one row of weight 1.
    fn loss(&self, scores: &[f64], label: f64) -> f64;

    /// Gradients (the first derivatives of the loss) and hessians (the second, never negative) of rows of weight 1:
    /// `scores`, `gradients` and `hessians` are row-major `(n_rows, n_outputs)`.
    fn derivatives(&self, scores: &[f64], labels: &[f64], gradients: &mut [f64], hessians: &mut [f64]);
}

/// Log-loss of two classes; the score is the log-odds of class 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinaryLogLoss;

impl Objective for BinaryLogLoss {
    fn n_outputs(&self) -> usize {
        1
    }

    fn base_scores(&self, labels: Labels<'_>) -> Vec<f64> {
        let share = labels.mean(|i| labels.values[i]).clamp(LEAST_SHARE, 1.0 - LEAST_SHARE);
        vec![numeric::ln(share / (1.0 - share))]
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        numeric::softplus(scores[0]) - label * scores[0]
    }

    fn kind(&self) -> Kind {
        Kind::Bounded
    }

    fn derivatives(&self, scores: &[f64], labels: &[f64], gradients: &mut [f64], hessians: &mut [f64]) {
        logistic_derivatives(scores, labels, gradients, hessians);
    }
}

widest! {
    fn logistic_derivatives(scores: &[f64], labels: &[f64], gradients: &mut [f64], hessians: &mut [f64]) {
        let rows = scores.iter().zip(labels).zip(gradients.iter_mut().zip(hessians));
        for ((score, label), (gradient, hessian)) in rows {
            let p = numeric::sigmoid(*score);
            *gradient = p - label;
            *hessian = at_least(p * (1.0 - p), LEAST_HESSIAN);
        }
    }
}

/// Log-loss of several classes; scores are unnormalised log-probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Softmax {
    /// Number of classes.
    pub n_classes: usize,
    /// What p (1 − p) is multiplied by to bound the off-diagonal terms: 2 in XGBoost, k / (k − 1) in LightGBM.
    pub hessian_factor: f64,
    /// Whether scores start from the logarithms of the classes' shares (LightGBM) or from 0.5 (XGBoost).
    pub from_shares: bool,
}

impl Objective for Softmax {
    fn n_outputs(&self) -> usize {
        self.n_classes
    }

    fn base_scores(&self, labels: Labels<'_>) -> Vec<f64> {
        if !self.from_shares {
            return vec![0.5; self.n_classes];
        }
        let share = |class: usize| labels.mean(|i| if labels.values[i] as usize == class { 1.0 } else { 0.0 });
        (0..self.n_classes).map(|class| numeric::ln(at_least(share(class), LEAST_SHARE))).collect()
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        let top = scores.iter().copied().fold(f64::NEG_INFINITY, |a, b| if b > a { b } else { a });
        let total = scores.iter().fold(0.0, |total, s| total + numeric::exp(s - top));
        numeric::ln(total) + top - scores[label as usize]
    }

    fn kind(&self) -> Kind {
        Kind::Bounded
    }

    fn derivatives(&self, scores: &[f64], labels: &[f64], gradients: &mut [f64], hessians: &mut [f64]) {
        softmax_derivatives(scores, labels, self.hessian_factor, gradients, hessians);
    }
}

widest! {
    fn softmax_derivatives(scores: &[f64], labels: &[f64], factor: f64, gradients: &mut [f64], hessians: &mut [f64]) {
        if labels.is_empty() {
            return;
        }
        let k = scores.len() / labels.len();
        let rows = scores.chunks_exact(k).zip(gradients.chunks_exact_mut(k).zip(hessians.chunks_exact_mut(k)));
        for ((scores, (gradients, hessians)), label) in rows.zip(labels) {
            let top = scores.iter().copied().fold(f64::NEG_INFINITY, |a, b| if b > a { b } else { a });
            gradients.iter_mut().zip(scores).for_each(|(e, score)| *e = numeric::exp(score - top));
            let total = gradients.iter().fold(0.0, |a, b| a + b);
            for (e, hessian) in gradients.iter_mut().zip(hessians) {
                let p = *e / total;
                *e = p;
                *hessian = at_least(factor * p * (1.0 - p), LEAST_HESSIAN);
            }
            gradients[*label as usize] -= 1.0;
        }
    }
}

/// Half the squared error; the score is the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SquaredError;

impl Objective for SquaredError {
    fn n_outputs(&self) -> usize {
        1
    }

    fn base_scores(&self, labels: Labels<'_>) -> Vec<f64> {
        vec![labels.mean(|i| labels.values[i])]
    }

    fn kind(&self) -> Kind {
        Kind::Constant(1.0)
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        let error = scores[0] - label;
        0.5 * error * error
    }

    fn derivatives(&self, scores: &[f64], labels: &[f64], gradients: &mut [f64], hessians: &mut [f64]) {
        gradients.iter_mut().zip(scores).zip(labels).for_each(|((g, score), label)| *g = score - label);
        hessians.fill(1.0);
    }
}

/// The absolute error; the score is the median.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbsoluteError;

impl Objective for AbsoluteError {
    fn n_outputs(&self) -> usize {
        1
    }

    fn base_scores(&self, labels: Labels<'_>) -> Vec<f64> {
        vec![labels.quantile(0.5)]
    }

    fn kind(&self) -> Kind {
        Kind::Constant(1.0)
    }

    fn leaf_quantile(&self, _: usize) -> Option<f64> {
        Some(0.5)
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        (scores[0] - label).abs()
    }

    fn derivatives(&self, scores: &[f64], labels: &[f64], gradients: &mut [f64], hessians: &mut [f64]) {
        gradients.iter_mut().zip(scores).zip(labels).for_each(|((g, score), label)| *g = sign(score - label));
        hessians.fill(1.0);
    }
}

/// Half the squared error up to a distance, beyond it as many times the distance: outliers pull no harder than that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Huber {
    /// The distance, above 0.
    pub delta: f64,
}

impl Huber {
    /// With the distance from the median within which nine of ten targets lie; 1 where that is 0.
    pub fn for_targets(targets: &Targets) -> Self {
        let labels = Labels { values: &targets.values, weights: targets.weights.as_deref() };
        let quantile = |values: &[f64], share: f64| Labels { values, ..labels }.quantile(share);
        if targets.is_empty() {
            return Huber { delta: 1.0 };
        }
        let median = quantile(&targets.values, 0.5);
        let distances: Vec<f64> = targets.values.iter().map(|y| (y - median).abs()).collect();
        let delta = quantile(&distances, 0.9);
        Huber { delta: if delta > 0.0 && delta.is_finite() { delta } else { 1.0 } }
    }
}

impl Objective for Huber {
    fn n_outputs(&self) -> usize {
        1
    }

    fn base_scores(&self, labels: Labels<'_>) -> Vec<f64> {
        vec![labels.quantile(0.5)]
    }

    fn kind(&self) -> Kind {
        Kind::Constant(1.0)
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        let error = (scores[0] - label).abs();
        if error <= self.delta { 0.5 * error * error } else { self.delta * (error - 0.5 * self.delta) }
    }

    fn derivatives(&self, scores: &[f64], labels: &[f64], gradients: &mut [f64], hessians: &mut [f64]) {
        let rows = gradients.iter_mut().zip(scores).zip(labels);
        rows.for_each(|((g, score), label)| *g = (score - label).clamp(-self.delta, self.delta));
        hessians.fill(1.0);
    }
}

/// The pinball loss of one or more quantiles, an output each.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantiles {
    /// Shares of the targets below, each above 0 and below 1.
    pub levels: Vec<f64>,
}

impl Objective for Quantiles {
    fn n_outputs(&self) -> usize {
        self.levels.len()
    }

    fn base_scores(&self, labels: Labels<'_>) -> Vec<f64> {
        self.levels.iter().map(|&level| labels.quantile(level)).collect()
    }

    fn kind(&self) -> Kind {
        Kind::Constant(1.0)
    }

    fn leaf_quantile(&self, output: usize) -> Option<f64> {
        Some(self.levels[output])
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        let pinball = |(score, level): (&f64, &f64)| {
            let error = label - score;
            if error > 0.0 { level * error } else { (level - 1.0) * error }
        };
        scores.iter().zip(&self.levels).map(pinball).fold(0.0, |a, b| a + b)
    }

    fn derivatives(&self, scores: &[f64], labels: &[f64], gradients: &mut [f64], hessians: &mut [f64]) {
        let k = self.levels.len();
        for ((gradients, scores), label) in gradients.chunks_exact_mut(k).zip(scores.chunks_exact(k)).zip(labels) {
            for ((g, score), level) in gradients.iter_mut().zip(scores).zip(&self.levels) {
                *g = if label > score { -level } else { 1.0 - level };
            }
        }
        hessians.fill(1.0);
    }
}

/// The negative log-likelihood of counts, without what does not depend on the score; the score is the logarithm of their
/// mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poisson;

/// Added to the score in the hessian, so that steps from far below the mean are not too long (XGBoost's and LightGBM's
/// `max_delta_step`).
const POISSON_CAUTION: f64 = 0.7;
/// Scores whose exponential is still a number with room above.
const LARGEST_EXPONENT: f64 = 300.0;

impl Objective for Poisson {
    fn n_outputs(&self) -> usize {
        1
    }

    fn base_scores(&self, labels: Labels<'_>) -> Vec<f64> {
        vec![numeric::ln(at_least(labels.mean(|i| labels.values[i]), LEAST_SHARE))]
    }

    fn least_label(&self) -> Option<f64> {
        Some(0.0)
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        numeric::exp(scores[0].min(LARGEST_EXPONENT)) - label * scores[0]
    }

    fn derivatives(&self, scores: &[f64], labels: &[f64], gradients: &mut [f64], hessians: &mut [f64]) {
        let rows = scores.iter().zip(labels).zip(gradients.iter_mut().zip(hessians));
        for ((score, label), (gradient, hessian)) in rows {
            let score = if *score > LARGEST_EXPONENT { LARGEST_EXPONENT } else { *score };
            *gradient = numeric::exp(score) - label;
            *hessian = at_least(numeric::exp(score + POISSON_CAUTION), LEAST_HESSIAN);
        }
    }
}

/// 1, -1, or 0 for 0.
fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// The least of some values such that those up to it have at least a share of the weight; `rows` are values and weights.
///
/// # Panics
/// If there is none.
pub(crate) fn weighted_quantile(rows: &mut [(f64, f64)], share: f64) -> f64 {
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let total = rows.iter().fold(0.0, |total, row| total + row.1);
    let mut weight = 0.0;
    for row in rows.iter() {
        weight += row.1;
        if weight >= share * total {
            return row.0;
        }
    }
    rows.last().expect("invariant: a leaf has rows").0
}

/// `f64::max` leaves open which zero it returns.
fn at_least(x: f64, least: f64) -> f64 {
    if x > least { x } else { least }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: f64 = 1e-5;

    /// Compares derivatives with differences of the loss and of the gradient.
    fn check(objective: &dyn Objective, scores: &[f64], label: f64, hessian_factor: f64) {
        let derivatives = |scores: &[f64]| {
            let mut found = (vec![0.0; scores.len()], vec![0.0; scores.len()]);
            objective.derivatives(scores, &[label], &mut found.0, &mut found.1);
            found
        };
        let (gradients, hessians) = derivatives(scores);
        for i in 0..scores.len() {
            let moved = |by: f64| {
                let mut moved = scores.to_vec();
                moved[i] += by;
                moved
            };
            let (up, down) = (moved(STEP), moved(-STEP));
            let gradient = (objective.loss(&up, label) - objective.loss(&down, label)) / (2.0 * STEP);
            let hessian = (derivatives(&up).0[i] - derivatives(&down).0[i]) / (2.0 * STEP);
            assert!((gradients[i] - gradient).abs() < 1e-6, "{} {gradient}", gradients[i]);
            // Where the loss has no curvature, the hessian only says how long steps are.
            let is_true = hessian_factor == 0.0 || (hessians[i] - hessian_factor * hessian).abs() < 1e-6;
            assert!(is_true, "{} {hessian}", hessians[i]);
        }
    }

    #[test]
    fn derivatives_are_those_of_the_loss() {
        for score in [-3.0, -0.1, 0.0, 2.5] {
            for label in [0.0, 1.0] {
                check(&BinaryLogLoss, &[score], label, 1.0);
            }
            check(&SquaredError, &[score], 1.25, 1.0);
            check(&Huber { delta: 1.0 }, &[score], 0.2, if score.abs() < 1.0 { 1.0 } else { 0.0 });
            check(&Poisson, &[score], 2.0, numeric::exp(POISSON_CAUTION));
            check(&AbsoluteError, &[score], 0.3, 0.0);
            check(&Quantiles { levels: vec![0.1, 0.5, 0.9] }, &[score, 0.3, -1.0], 0.7, 0.0);
            let softmax = Softmax { n_classes: 3, hessian_factor: 2.0, from_shares: false };
            check(&softmax, &[score, 0.3, -1.0], 2.0, 2.0);
        }
    }

    #[test]
    fn wide_vectors_and_none_give_the_same_derivatives() {
        let noise = crate::fixtures::uniform(3);
        let softmax = Softmax { n_classes: 3, hessian_factor: 2.0, from_shares: false };
        for objective in [&BinaryLogLoss as &dyn Objective, &softmax] {
            let (n, k) = (1_003, objective.n_outputs());
            let scores: Vec<f64> = (0..n * k).map(|i| 60.0 * noise(i) - 30.0).collect();
            let labels: Vec<f64> = (0..n).map(|i| (i % k.max(2)) as f64).collect();
            let (wide, plain) = tabwright_model::kernels::both(|| {
                let mut found = (vec![0.0; n * k], vec![0.0; n * k]);
                objective.derivatives(&scores, &labels, &mut found.0, &mut found.1);
                found
            });
            assert_eq!(wide, plain);
        }
    }

    #[test]
    fn base_scores_minimise_the_loss_of_a_constant() {
        let labels = Labels { values: &[0.0, 1.0, 1.0, 1.0], weights: Some(&[3.0, 1.0, 0.5, 0.5]) };
        let base = BinaryLogLoss.base_scores(labels)[0];
        assert!((numeric::sigmoid(base) - 0.4).abs() < 1e-12);
        assert!((SquaredError.base_scores(labels)[0] - 0.4).abs() < 1e-12);
        let softmax = Softmax { n_classes: 3, hessian_factor: 1.5, from_shares: true };
        let mut scores = softmax.base_scores(labels);
        numeric::softmax(&mut scores);
        assert!((scores[0] - 0.6).abs() < 1e-12 && scores[2] < 1e-14 && scores[2] > 0.0);
        let one_class = Labels { values: &[1.0, 1.0], weights: None };
        assert!(BinaryLogLoss.base_scores(one_class)[0].is_finite());
    }
}
