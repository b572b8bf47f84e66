//! What each feature adds to the raw scores of some rows, for every kind of predictor.
//!
//! Trees are explained by their fitting rows ([`Trees::explain`](crate::Trees::explain)). For a weighted sum, a feature adds what it
//! weighs in the row less what it weighs on average over other rows, which is exact as well. A constant asks no feature.
//!
//! # References
//! Štrumbelj and Kononenko, "Explaining prediction models and individual predictions with feature contributions", Knowledge and
//! Information Systems 41 (2014), section 3.1, for weighted sums.

use tabwright_core::{Rows, numeric};

use crate::error::Result;
use crate::features::{FeatureColumn, Features};
use crate::linear::Linear;
use crate::model::{Predictor, Scorer};
use crate::trees::Explanation;

impl Scorer<'_> {
    /// Explains the raw scores of rows. What weighted sums are compared with is the average over `others`.
    ///
    /// # Determinism
    /// A row's contributions have the same bits alone and in any batch, on any number of threads.
    ///
    /// # Errors
    /// As [`Trees::explain`](crate::Trees::explain).
    pub fn explain(&self, rows: Rows<'_>, others: Rows<'_>) -> Result<Explanation> {
        let pipeline = self.model().pipeline();
        let n_features = pipeline.outputs().len();
        match self.model().predictor() {
            Predictor::Constant(scores) => Ok(Explanation {
                n_features,
                base: scores.clone(),
                contributions: vec![0.0; rows.len() * scores.len() * n_features],
            }),
            Predictor::Trees(trees) => trees.explain(&pipeline.transform(rows, self.positions())),
            Predictor::Linear(linear) => {
                let features = pipeline.transform(rows, self.positions());
                Ok(of_sums(linear, &features, &pipeline.transform(others, self.positions())))
            }
        }
    }
}

fn of_sums(linear: &Linear, features: &Features, others: &Features) -> Explanation {
    let (n_outputs, n_features) = (linear.n_outputs(), features.columns().len());
    let mut base = linear.intercepts().to_vec();
    let mut contributions = vec![0.0; features.n_rows() * n_outputs * n_features];
    let mut first = 0;
    for (feature, (own, other)) in features.columns().iter().zip(others.columns()).enumerate() {
        for (output, base) in base.iter_mut().enumerate() {
            let weights = &linear.coefficients()[output * linear.n_weights() + first..][..own.width()];
            let mean = mean_term(weights, other);
            *base += mean;
            for row in 0..features.n_rows() {
                contributions[(row * n_outputs + output) * n_features + feature] =
                    numeric::canonical(term(weights, own, row) - mean);
            }
        }
        first += own.width();
    }
    Explanation { n_features, base, contributions }
}

/// What a feature adds to the sum in a row.
fn term(weights: &[f64], column: &FeatureColumn, row: usize) -> f64 {
    match column {
        FeatureColumn::Number(values) => weights[0] * values[row],
        FeatureColumn::OneHot { codes, .. } => weights.get(codes[row] as usize).copied().unwrap_or(0.0),
        FeatureColumn::Code { .. } => 0.0,
    }
}

fn mean_term(weights: &[f64], column: &FeatureColumn) -> f64 {
    if column.is_empty() {
        return 0.0;
    }
    tabwright_core::parallel::sum(column.len(), |row| term(weights, column, row)) / column.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::ONE_HOT_NONE;

    #[test]
    fn what_sums_are_made_of_adds_up_to_their_scores() {
        let columns = vec![
            FeatureColumn::Number(vec![1.0, -2.0, 3.5, 0.0]),
            FeatureColumn::OneHot { codes: vec![1, 0, ONE_HOT_NONE, 1], width: 2 },
        ];
        let features = Features::new(4, columns);
        let linear = Linear::new(2, vec![0.5, -1.0], vec![2.0, 10.0, 20.0, -1.0, 100.0, 200.0]).unwrap();
        let found = of_sums(&linear, &features, &features);
        let mut scores = vec![0.0; 8];
        linear.raw_scores(&features, &mut scores);
        for (at, score) in scores.iter().enumerate() {
            let sum: f64 = found.contributions[at * 2..][..2].iter().sum();
            assert!((found.base[at % 2] + sum - score).abs() < 1e-12);
        }
        let average = |feature: usize| (0..4).map(|row| found.contributions[row * 4 + feature]).sum::<f64>();
        assert!(average(0).abs() < 1e-12 && average(1).abs() < 1e-12);
    }
}
