//! Linear predictors: a weighted sum of the features per output.
//!
//! One-hot groups are never expanded: a group adds the one coefficient that its index points at. Nothing is fitted
//! here; [`Linear`] is what the linear learners return and what a model file holds.

use tabwright_core::numeric;

use crate::error::{Error, Result};
use crate::features::{FeatureColumn, Features};

/// Rows that are scored together, so that their scores stay in the first-level cache while columns pass by.
const SCORE_ROWS: usize = 1_024;

/// A fitted linear predictor: `intercepts[k] + Σ coefficients[k, j] · feature[j]` for each output `k`.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    n_outputs: usize,
    intercepts: Vec<f64>,
    coefficients: Vec<f64>,
}

impl Linear {
    /// Puts intercepts `(n_outputs)` and coefficients `(n_outputs, n_weights)`, row-major, together. −0 becomes 0.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no output, the lengths do not fit each other or a number is not finite.
    pub fn new(n_outputs: usize, mut intercepts: Vec<f64>, mut coefficients: Vec<f64>) -> Result<Self> {
        if n_outputs == 0 {
            return Err(Error::Invalid("a linear predictor needs at least one output".into()));
        }
        if intercepts.len() != n_outputs {
            let found = intercepts.len();
            return Err(Error::Invalid(format!("a linear predictor of {n_outputs} outputs has {found} intercepts")));
        }
        if !coefficients.len().is_multiple_of(n_outputs) {
            let found = coefficients.len();
            return Err(Error::Invalid(format!(
                "a linear predictor has {found} coefficients, which {n_outputs} outputs cannot share evenly"
            )));
        }
        for (what, values) in [("intercept", &mut intercepts), ("coefficient", &mut coefficients)] {
            for (position, value) in values.iter_mut().enumerate() {
                if !value.is_finite() {
                    return Err(Error::Invalid(format!(
                        "{what} {position} of a linear predictor is {value}, not finite"
                    )));
                }
                *value = numeric::canonical(*value);
            }
        }
        Ok(Linear { n_outputs, intercepts, coefficients })
    }

    /// Raw scores per row.
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// Coefficients per output.
    pub fn n_weights(&self) -> usize {
        self.coefficients.len() / self.n_outputs
    }

    /// A constant term per output.
    pub fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }

    /// Coefficients, row-major `(n_outputs, n_weights)`, in the order of the feature columns; a one-hot group has one
    /// per level.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Fills `out`, row-major `(n_rows, n_outputs)`. An index outside of its group, like none, adds nothing.
    ///
    /// # Determinism
    /// Terms are added in the order of the columns, so a row has the same bits alone and in any batch.
    ///
    /// # Panics
    /// If `out` or the features have another shape than the predictor: [`Model::new`](crate::model::Model::new) has
    /// checked that the pipeline makes the right number of weights.
    pub fn raw_scores(&self, features: &Features, out: &mut [f64]) {
        assert_eq!(out.len(), features.n_rows() * self.n_outputs, "invariant: a score per row and output");
        assert_eq!(features.n_weights(), self.n_weights(), "invariant: a weight per feature");
        for (i, out) in out.chunks_mut(SCORE_ROWS * self.n_outputs).enumerate() {
            self.score_rows(features, i * SCORE_ROWS, out);
        }
    }

    fn score_rows(&self, features: &Features, start: usize, out: &mut [f64]) {
        let k = self.n_outputs;
        out.chunks_exact_mut(k).for_each(|row| row.copy_from_slice(&self.intercepts));
        let rows = start..start + out.len() / k;
        let mut at = 0;
        for column in features.columns() {
            let width = column.width();
            for output in 0..k {
                let first = output * self.n_weights() + at;
                let (coefficients, out) = (&self.coefficients[first..first + width], &mut out[output..]);
                match column {
                    FeatureColumn::Number(values) => add_number(coefficients[0], &values[rows.clone()], out, k),
                    FeatureColumn::OneHot { codes, .. } => add_level(coefficients, &codes[rows.clone()], out, k),
                    FeatureColumn::Code { .. } => {}
                }
            }
            at += width;
        }
    }
}

fn add_number(coefficient: f64, values: &[f64], out: &mut [f64], stride: usize) {
    if stride == 1 {
        for (out, x) in out.iter_mut().zip(values) {
            *out += coefficient * x;
        }
    } else {
        for (out, x) in out.iter_mut().step_by(stride).zip(values) {
            *out += coefficient * x;
        }
    }
}

fn add_level(coefficients: &[f64], codes: &[u32], out: &mut [f64], stride: usize) {
    for (out, &code) in out.iter_mut().step_by(stride).zip(codes) {
        if let Some(coefficient) = coefficients.get(code as usize) {
            *out += coefficient;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::features::ONE_HOT_NONE;

    #[test]
    fn one_hot_groups_add_the_coefficient_of_their_level() {
        let features = Features::new(
            3,
            vec![
                FeatureColumn::Number(vec![1.0, 2.0, 3.0]),
                FeatureColumn::OneHot { codes: vec![1, 0, ONE_HOT_NONE], width: 2 },
            ],
        );
        let linear = Linear::new(2, vec![0.5, -1.0], vec![2.0, 10.0, 20.0, -1.0, 100.0, 200.0]).unwrap();
        let mut out = vec![0.0; 6];
        linear.raw_scores(&features, &mut out);
        assert_eq!(out, [22.5, 198.0, 14.5, 97.0, 6.5, -4.0]);
    }

    #[test]
    fn what_a_hostile_file_may_hold_is_refused() {
        for (n_outputs, intercepts, coefficients) in [
            (0, vec![], vec![]),
            (1, vec![], vec![1.0]),
            (2, vec![0.0, 0.0], vec![1.0, 2.0, 3.0]),
            (1, vec![f64::NAN], vec![1.0]),
            (1, vec![0.0], vec![f64::INFINITY]),
        ] {
            assert!(matches!(Linear::new(n_outputs, intercepts, coefficients), Err(Error::Invalid(_))));
        }
        let linear = Linear::new(1, vec![-0.0], vec![]).unwrap();
        assert_eq!(linear.intercepts()[0].to_bits(), 0);
        let mut out = [1.0; 3];
        linear.raw_scores(&Features::new(3, vec![]), &mut out);
        assert_eq!(out, [0.0; 3]);
    }

    proptest! {
        #[test]
        fn a_row_has_the_same_bits_alone_and_in_a_batch(
            n_outputs in 1_usize..4,
            rows in prop::collection::vec((-1e3..1e3_f64, -1.0..1.0_f64, 0_u32..6), 1..2_000),
            weights in prop::collection::vec(-3.0..3.0_f64, 24),
        ) {
            let column = |code: u32| if code == 5 { ONE_HOT_NONE } else { code };
            let features = Features::new(rows.len(), vec![
                FeatureColumn::Number(rows.iter().map(|r| r.0).collect()),
                FeatureColumn::OneHot { codes: rows.iter().map(|r| column(r.2)).collect(), width: 5 },
                FeatureColumn::Number(rows.iter().map(|r| r.1).collect()),
            ]);
            let linear =
                Linear::new(n_outputs, weights[..n_outputs].to_vec(), weights[3..3 + 7 * n_outputs].to_vec()).unwrap();
            let mut batch = vec![0.0; rows.len() * n_outputs];
            linear.raw_scores(&features, &mut batch);
            let mut alone = vec![0.0; n_outputs];
            for row in (0..rows.len()).step_by(37).chain([rows.len() - 1]) {
                linear.raw_scores(&features.take(&[row as u32]), &mut alone);
                for (a, b) in alone.iter().zip(&batch[row * n_outputs..]) {
                    prop_assert_eq!(a.to_bits(), b.to_bits());
                }
            }
        }
    }
}
