//! The linear candidates, with scikit-learn's names and defaults.

use tabwright_core::{Code, Task, Warning};
use tabwright_model::model::{Link, Predictor};

use super::{CandidateType, Learned, Learner, Sample, Tasks};
use crate::error::Result;
use crate::linear::{self, Fitted, LinearRegressionParams, LogisticRegressionParams, RidgeParams};
use crate::param::{Allowed, Bound, Params, Spec, Value};
use crate::transform::Family;

pub(super) fn types() -> Vec<CandidateType> {
    let logistic = CandidateType::new(
        "logistic_regression",
        Family::Linear,
        Tasks::Classification,
        vec![
            spec(
                "C",
                &["c"],
                Value::Float(1.0),
                Allowed::Float(Bound::Open(0.0), Bound::Closed(f64::INFINITY)),
                "Inverse strength of the L2 penalty.",
            ),
            fit_intercept(),
            max_iter(),
        ],
        |task, params| Ok(Box::new(Logistic { task: task.clone(), params: logistic_params(params) })),
    );
    let ols = CandidateType::new(
        "linear_regression",
        Family::Linear,
        Tasks::Regression,
        vec![fit_intercept()],
        |_, params| {
            let params = LinearRegressionParams { fit_intercept: params.flag("fit_intercept") };
            Ok(Box::new(LeastSquares::Plain(params)))
        },
    );
    let ridge = CandidateType::new(
        "ridge",
        Family::Linear,
        Tasks::Regression,
        vec![
            spec(
                "alpha",
                &[],
                Value::Float(1.0),
                Allowed::Float(Bound::Closed(0.0), Bound::Open(f64::INFINITY)),
                "Strength of the L2 penalty.",
            ),
            fit_intercept(),
        ],
        |_, params| {
            let alpha = params.float("alpha").unwrap_or(1.0);
            let params = RidgeParams { alpha, fit_intercept: params.flag("fit_intercept") };
            Ok(Box::new(LeastSquares::Ridge(params)))
        },
    );
    vec![
        logistic.documented("Logistic regression with an L2 penalty, binary and multinomial.", &[]),
        ols.documented("Ordinary least squares; the solution of minimum norm where columns are dependent.", &[]),
        ridge.documented("Least squares with an L2 penalty.", &[]),
    ]
}

fn spec(
    name: &'static str,
    aliases: &'static [&'static str],
    default: Value,
    allowed: Allowed,
    doc: &'static str,
) -> Spec {
    Spec { name, aliases, default, allowed, optional: false, doc }
}

fn fit_intercept() -> Spec {
    spec(
        "fit_intercept",
        &[],
        Value::Bool(true),
        Allowed::Bool,
        "Whether there is a constant term; it is not penalised.",
    )
}

fn max_iter() -> Spec {
    spec("max_iter", &[], Value::Integer(1000), Allowed::Integer(1, 1_000_000), "Most iterations of the solver.")
}

fn logistic_params(params: &Params) -> LogisticRegressionParams {
    LogisticRegressionParams {
        c: params.float("C").unwrap_or(1.0),
        fit_intercept: params.flag("fit_intercept"),
        max_iter: params.integer("max_iter").unwrap_or(1000) as usize,
        ..LogisticRegressionParams::default()
    }
}

struct Logistic {
    task: Task,
    params: LogisticRegressionParams,
}

impl Learner for Logistic {
    fn fit(&self, sample: &Sample<'_>) -> Result<Learned> {
        let classes = self.task.n_classes();
        let fitted =
            linear::logistic_regression(sample.features, sample.targets, classes, &self.params, sample.cancel)?;
        let link = if classes == 2 { Link::Logistic } else { Link::Softmax };
        Ok(learned(fitted, link))
    }
}

enum LeastSquares {
    Plain(LinearRegressionParams),
    Ridge(RidgeParams),
}

impl Learner for LeastSquares {
    fn fit(&self, sample: &Sample<'_>) -> Result<Learned> {
        let fitted = match self {
            LeastSquares::Plain(params) => {
                linear::linear_regression(sample.features, sample.targets, params, sample.cancel)?
            }
            LeastSquares::Ridge(params) => linear::ridge(sample.features, sample.targets, params, sample.cancel)?,
        };
        Ok(learned(fitted, Link::Identity))
    }
}

fn learned(fitted: Fitted, link: Link) -> Learned {
    let mut learned = Learned::new(Predictor::Linear(fitted.model), link);
    if !fitted.converged {
        let message = format!(
            "the solver stopped after {} iterations before it converged; scale the features, or lower C",
            fitted.iterations
        );
        learned.warnings.push(Warning::general(Code::NotConverged, message));
    }
    learned
}
