//! Linear models: least squares, ridge and logistic regression over numbers and one-hot groups that are never expanded.
//!
//! Features may stand on any scale: they are standardised on the way for conditioning alone, penalties keep their meaning
//! on the scale of the features. Small problems are solved by factoring Gram matrices, large ones by conjugate gradients.
//! Transforming columns, choosing hyperparameters and class weights are others' work.
//!
//! # Determinism
//! Rows are summed in fixed stripes that are combined in order: the same bits on any number of threads.

mod dense;
mod design;
mod logistic;
mod newton_cg;
mod objective;
mod squares;
#[cfg(test)]
mod tests;

use tabwright_core::{Cancel, Targets};
use tabwright_model::{Features, Linear};

use design::Design;

/// What a function of this module returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Most unknowns of a system that is factored: beyond, its matrix (32 MB) and the time for it grow out of proportion.
const GRAM_UNKNOWNS: usize = 2_000;
/// The share that a class is given that no fitting row has, and that one is denied that all have.
const LEAST_SHARE: f64 = 1e-9;

/// What can keep a linear model from being fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter lies outside of its range.
    #[error("{parameter} = {found} is out of range; allowed: {allowed}")]
    Parameter {
        /// Its name.
        parameter: &'static str,
        /// What was given.
        found: f64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// No row counts.
    #[error("a linear model needs a row with a positive weight; there is none among the {n_rows} rows")]
    NoRows {
        /// Rows given.
        n_rows: usize,
    },
    /// Features, targets and weights differ in length.
    #[error("there are {found} {what} for {n_rows} rows of features")]
    Length {
        /// Targets or weights.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        n_rows: usize,
    },
    /// A feature is a column of codes.
    #[error("feature {feature} holds category codes; a linear model needs numbers or one-hot groups")]
    CodeColumn {
        /// Its position, from 0.
        feature: usize,
    },
    /// A feature is missing or infinite in a row.
    #[error("feature {feature} is {found} in row {row}; a linear model needs finite numbers: impute or leave it out")]
    NotFinite {
        /// Its position, from 0.
        feature: usize,
        /// The fitting row, from 0.
        row: usize,
        /// What was found.
        found: f64,
    },
    /// A feature's spread is beyond the range of numbers.
    #[error("the squares of feature {feature} are beyond 1e308; scale it or leave it out")]
    TooLarge {
        /// Its position, from 0.
        feature: usize,
    },
    /// A target or a weight is not what it may be.
    #[error("the {what} of row {row} is {found}; allowed: {allowed}")]
    Row {
        /// Target or weight.
        what: &'static str,
        /// The fitting row, from 0.
        row: usize,
        /// What was found.
        found: f64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The weights of the model are beyond the range of numbers.
    #[error(
        "the weights of the linear model are not finite: the targets or the weights of the rows are too large; scale them"
    )]
    Overflow,
    /// The fit was stopped.
    #[error("the fit of a linear model was stopped")]
    Cancelled,
}

/// Parameters of [`linear_regression`], named as in scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearRegressionParams {
    /// Whether there is a constant term.
    pub fit_intercept: bool,
}

impl Default for LinearRegressionParams {
    fn default() -> Self {
        LinearRegressionParams { fit_intercept: true }
    }
}

/// Parameters of [`ridge`], named as in scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RidgeParams {
    /// Strength of the L2 penalty.
    pub alpha: f64,
    /// Whether there is a constant term; it is not penalised.
    pub fit_intercept: bool,
}

impl Default for RidgeParams {
    fn default() -> Self {
        RidgeParams { alpha: 1.0, fit_intercept: true }
    }
}

impl RidgeParams {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn validate(&self) -> Result<()> {
        check("alpha", self.alpha, self.alpha >= 0.0 && self.alpha.is_finite(), "a number from 0 on")
    }
}

/// Parameters of [`logistic_regression`], named as in scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogisticRegressionParams {
    /// Inverse strength of the L2 penalty; infinite for none.
    pub c: f64,
    /// Whether there is a constant term; it is not penalised.
    pub fit_intercept: bool,
    /// Most iterations of Newton's method.
    pub max_iter: usize,
    /// The largest component of the gradient (of the mean loss, for features of unit curvature) at which the fit ends.
    /// Tighter than scikit-learn's 1e-4, since Newton's last iterations cost little.
    pub tol: f64,
}

impl Default for LogisticRegressionParams {
    fn default() -> Self {
        LogisticRegressionParams { c: 1.0, fit_intercept: true, max_iter: 100, tol: 1e-10 }
    }
}

impl LogisticRegressionParams {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn validate(&self) -> Result<()> {
        check("C", self.c, self.c > 0.0, "a number above 0, or infinity")?;
        check("tol", self.tol, self.tol > 0.0 && self.tol.is_finite(), "a number above 0")?;
        check("max_iter", self.max_iter as f64, self.max_iter > 0, "a whole number from 1 on")
    }
}

fn check(parameter: &'static str, found: f64, holds: bool, allowed: &'static str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Parameter { parameter, found, allowed }) }
}

/// A fitted linear model, and how the solver fared.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// What predicts.
    pub model: Linear,
    /// Iterations of the solver; 1 for a direct solution.
    pub iterations: usize,
    /// Whether the solver came as close as asked for.
    pub converged: bool,
}

/// The unknowns that a solver found, for one output.
#[derive(Debug)]
struct Solution {
    unknowns: Vec<f64>,
    iterations: usize,
    converged: bool,
}

/// Fits ordinary least squares.
///
/// Where columns depend on each other, the weights are those of least norm, as scikit-learn's. Beyond 2,000 weights, numbers
/// whose standard deviations lie outside of 0.001 to 1,000 count in that norm as if scaled to these bounds.
///
/// # Errors
/// If features or targets cannot be used, or the fit is cancelled.
pub fn linear_regression(
    features: &Features,
    targets: &Targets,
    params: &LinearRegressionParams,
    cancel: &Cancel,
) -> Result<Fitted> {
    least_squares(features, targets, 0.0, params.fit_intercept, cancel)
}

/// Fits least squares with the penalty `alpha · ‖weights‖²` added to the weighted sum of squares.
///
/// # Errors
/// If a parameter is out of range, features or targets cannot be used, or the fit is cancelled.
pub fn ridge(features: &Features, targets: &Targets, params: &RidgeParams, cancel: &Cancel) -> Result<Fitted> {
    params.validate()?;
    least_squares(features, targets, params.alpha, params.fit_intercept, cancel)
}

/// Fits logistic regression: the weighted sum of log-losses times C, plus ½‖weights‖².
///
/// Targets are classes below `n_classes`. With two classes there is one output, the log-odds of class 1; else one output
/// per class, of which the softmax is taken, and the penalty covers the weights of all classes.
///
/// - A class that no row of positive weight has gets weights of 0 and the intercept `ln(1e-9)`, while the scores of the
///   others sum to 0 in each row: its probability is below 1e-9.
/// - With one class only, the model is constant: log-odds of ±`ln(1e9)`, or 0 against `ln(1e-9)`.
/// - Without a penalty (C infinite) and with classes that the features separate, there is no best fit: the solver stops at
///   large finite weights and `converged` is false.
///
/// # Errors
/// If a parameter is out of range, features or targets cannot be used, or the fit is cancelled.
pub fn logistic_regression(
    features: &Features,
    targets: &Targets,
    n_classes: usize,
    params: &LogisticRegressionParams,
    cancel: &Cancel,
) -> Result<Fitted> {
    params.validate()?;
    check("n_classes", n_classes as f64, n_classes >= 2, "a whole number from 2 on")?;
    check_rows(features, targets)?;
    let is_class = |y: f64| y >= 0.0 && y < n_classes as f64 && y.fract() == 0.0;
    if let Some(row) = targets.values.iter().position(|y| !is_class(*y)) {
        let found = targets.values[row];
        return Err(Error::Row { what: "target", row, found, allowed: "a class: a whole number below n_classes" });
    }
    let design = Design::new(features, targets.weights.as_deref(), params.fit_intercept)?;
    logistic::fit(&design, targets, n_classes, params, cancel)
}

fn least_squares(
    features: &Features,
    targets: &Targets,
    alpha: f64,
    fit_intercept: bool,
    cancel: &Cancel,
) -> Result<Fitted> {
    check_rows(features, targets)?;
    if let Some(row) = targets.values.iter().position(|y| !y.is_finite()) {
        return Err(Error::Row { what: "target", row, found: targets.values[row], allowed: "a finite number" });
    }
    let design = Design::new(features, targets.weights.as_deref(), fit_intercept)?;
    let solution = squares::fit(&design, &targets.values, alpha, cancel)?;
    let (intercept, weights) = design.to_weights(&solution.unknowns);
    fitted(vec![intercept], weights, solution.iterations, solution.converged)
}

fn check_rows(features: &Features, targets: &Targets) -> Result<()> {
    let n_rows = features.n_rows();
    let lengths = [("targets", Some(targets.len())), ("weights", targets.weights.as_ref().map(Vec::len))];
    for (what, found) in lengths.into_iter().filter_map(|(what, found)| Some((what, found?))) {
        if found != n_rows {
            return Err(Error::Length { what, found, n_rows });
        }
    }
    let weights = targets.weights.as_deref().unwrap_or_default();
    if let Some(row) = weights.iter().position(|w| !w.is_finite() || *w < 0.0) {
        return Err(Error::Row { what: "weight", row, found: weights[row], allowed: "a finite number from 0 on" });
    }
    if n_rows == 0 || (targets.weights.is_some() && weights.iter().all(|w| *w == 0.0)) {
        return Err(Error::NoRows { n_rows });
    }
    Ok(())
}

fn fitted(intercepts: Vec<f64>, coefficients: Vec<f64>, iterations: usize, converged: bool) -> Result<Fitted> {
    // The lengths fit by construction: what is refused can only be a number that is not finite.
    let model = Linear::new(intercepts.len(), intercepts, coefficients).map_err(|_| Error::Overflow)?;
    Ok(Fitted { model, iterations, converged })
}
