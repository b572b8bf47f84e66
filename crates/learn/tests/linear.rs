//! Linear models against scikit-learn's predictions, stored with the script and the versions that made them.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use serde::Deserialize;
use tabwright_core::{Cancel, Targets, numeric};
use tabwright_learn::linear::{
    LinearRegressionParams, LogisticRegressionParams, RidgeParams, linear_regression, logistic_regression, ridge,
};
use tabwright_model::{FeatureColumn, Features};

/// Largest difference, relative to the reference (absolute below 1).
const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    model: String,
    params: Params,
    n_fit: usize,
    numbers: Vec<Vec<f64>>,
    groups: Vec<Group>,
    targets: Vec<f64>,
    weights: Option<Vec<f64>>,
    predictions: Vec<f64>,
}

#[derive(Deserialize)]
struct Params {
    alpha: Option<f64>,
    c: Option<f64>,
    fit_intercept: Option<bool>,
    n_classes: Option<usize>,
}

#[derive(Deserialize)]
struct Group {
    width: u32,
    codes: Vec<u32>,
}

#[test]
fn predictions_agree_with_scikit_learn() {
    let golden: Golden = serde_json::from_str(include_str!("golden/linear.json")).unwrap();
    assert!(golden.cases.len() == 17);
    let mut wrong = Vec::new();
    for case in golden.cases {
        let n = case.numbers[0].len();
        let groups = case.groups.into_iter().map(|g| FeatureColumn::OneHot { codes: g.codes, width: g.width });
        let columns = case.numbers.into_iter().map(FeatureColumn::Number).chain(groups).collect();
        let features = Features::new(n, columns);
        let fitting = features.take(&(0..case.n_fit as u32).collect::<Vec<_>>());
        let targets = Targets { values: case.targets, weights: case.weights };
        let fit_intercept = case.params.fit_intercept.unwrap_or(true);
        let cancel = Cancel::new();
        let fitted = match case.model.as_str() {
            "linear_regression" => {
                let params = LinearRegressionParams { fit_intercept };
                linear_regression(&fitting, &targets, &params, &cancel)
            }
            "ridge" => {
                let params = RidgeParams { alpha: case.params.alpha.unwrap(), fit_intercept };
                ridge(&fitting, &targets, &params, &cancel)
            }
            _ => {
                let c = case.params.c.unwrap();
                let params = LogisticRegressionParams { c, fit_intercept, ..LogisticRegressionParams::default() };
                let n_classes = case.params.n_classes.unwrap();
                logistic_regression(&fitting, &targets, n_classes, &params, &cancel)
            }
        };
        let fitted = fitted.unwrap();
        assert!(fitted.converged, "{} {}", case.model, case.name);
        let k = fitted.model.n_outputs();
        let mut out = vec![0.0; n * k];
        fitted.model.raw_scores(&features, &mut out);
        if k > 1 {
            out.chunks_exact_mut(k).for_each(numeric::softmax);
        } else if case.model == "logistic_regression" {
            out.iter_mut().for_each(|s| *s = numeric::sigmoid(*s));
        }
        assert_eq!(out.len(), case.predictions.len());
        let difference = |(a, b): (&f64, &f64)| (a - b).abs() / if b.abs() > 1.0 { b.abs() } else { 1.0 };
        let largest = out.iter().zip(&case.predictions).map(difference).fold(0.0, f64::max);
        if largest.is_nan() || largest > TOLERANCE {
            wrong.push(format!("{}, {}: {largest:e}", case.model, case.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
