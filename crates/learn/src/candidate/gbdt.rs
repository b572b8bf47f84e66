//! The boosted trees: `gbdt_depthwise` with XGBoost's names and defaults, `gbdt_leafwise` with LightGBM's. Each accepts
//! the other library's spellings, and either library's name.

use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Targets, Task};
use tabwright_model::Features;
use tabwright_model::model::{Link, Predictor};
use tabwright_trees::boost::{self, BoostParams, EarlyStopping, Growth};

use super::{CandidateType, Learned, Learner, Sample, Tasks};
use crate::error::{Error, Result};
use crate::param::{Allowed, Bound, Params, Spec, Value};
use crate::transform::Family;

/// Share of the fitting rows that early stopping holds out.
const EARLY_STOPPING_SHARE: f64 = 0.1;

/// What the two candidates do not have in common.
struct Flavour {
    growth: Growth,
    learning_rate: f64,
    reg_lambda: f64,
    min_child_weight: f64,
    min_child_samples: i64,
    max_depth: Value,
    num_leaves: Value,
    max_bin: i64,
}

pub(super) fn types() -> Vec<CandidateType> {
    let depthwise = Flavour {
        growth: Growth::Depthwise,
        learning_rate: 0.3,
        reg_lambda: 1.0,
        min_child_weight: 1.0,
        min_child_samples: 0,
        max_depth: Value::Integer(6),
        num_leaves: Value::None,
        max_bin: 256,
    };
    let leafwise = Flavour {
        growth: Growth::Leafwise,
        learning_rate: 0.1,
        reg_lambda: 0.0,
        min_child_weight: 1e-3,
        min_child_samples: 20,
        max_depth: Value::None,
        num_leaves: Value::Integer(31),
        max_bin: 255,
    };
    vec![
        candidate("gbdt_depthwise", &depthwise)
            .documented("Boosted trees that grow level by level, with XGBoost's defaults.", &["xgboost"]),
        candidate("gbdt_leafwise", &leafwise)
            .documented("Boosted trees that grow leaf by leaf, with LightGBM's defaults.", &["lightgbm"]),
    ]
}

fn candidate(name: &'static str, flavour: &Flavour) -> CandidateType {
    let growth = flavour.growth;
    CandidateType::new(name, Family::Trees, Tasks::Any, specs(flavour), move |_, params| {
        let (params, early_stopping_rounds) = boost_params(params, growth);
        params.validate()?;
        Ok(Box::new(Boosted { params, early_stopping_rounds }))
    })
}

fn specs(flavour: &Flavour) -> Vec<Spec> {
    let spec = |name, aliases, default, allowed, doc| Spec { name, aliases, default, allowed, optional: false, doc };
    let optional = |spec: Spec| Spec { optional: true, ..spec };
    let not_negative = Allowed::Float(Bound::Closed(0.0), Bound::Open(f64::INFINITY));
    let share = Allowed::Float(Bound::Open(0.0), Bound::Closed(1.0));
    vec![
        spec(
            "n_estimators",
            &["num_iterations", "num_boost_round", "num_round", "nrounds", "num_trees"],
            Value::Integer(100),
            Allowed::Integer(1, 1_000_000),
            "Number of rounds.",
        ),
        spec(
            "learning_rate",
            &["eta", "shrinkage_rate"],
            Value::Float(flavour.learning_rate),
            Allowed::Float(Bound::Open(0.0), Bound::Closed(10.0)),
            "What each tree's answer is multiplied by.",
        ),
        optional(spec(
            "max_depth",
            &[],
            flavour.max_depth.clone(),
            Allowed::Integer(1, 64),
            "Deepest level of a tree.",
        )),
        optional(spec(
            "num_leaves",
            &["max_leaves"],
            flavour.num_leaves.clone(),
            Allowed::Integer(2, 131_072),
            "Most leaves of a tree.",
        )),
        spec(
            "min_child_samples",
            &["min_data_in_leaf", "min_data"],
            Value::Integer(flavour.min_child_samples),
            Allowed::Integer(0, i64::from(u32::MAX)),
            "Fewest rows of a leaf.",
        ),
        spec(
            "min_child_weight",
            &["min_sum_hessian_in_leaf"],
            Value::Float(flavour.min_child_weight),
            not_negative,
            "Least sum of hessians of a leaf.",
        ),
        spec(
            "reg_lambda",
            &["lambda", "lambda_l2"],
            Value::Float(flavour.reg_lambda),
            not_negative,
            "L2 penalty of leaf values.",
        ),
        spec("reg_alpha", &["alpha", "lambda_l1"], Value::Float(0.0), not_negative, "L1 penalty of leaf values."),
        spec(
            "gamma",
            &["min_split_loss", "min_split_gain", "min_gain_to_split"],
            Value::Float(0.0),
            not_negative,
            "Least gain of a split.",
        ),
        spec("subsample", &["bagging_fraction"], Value::Float(1.0), share, "Share of the rows that each round sees."),
        spec(
            "colsample_bytree",
            &["feature_fraction"],
            Value::Float(1.0),
            share,
            "Share of the columns that each tree sees.",
        ),
        spec(
            "max_bin",
            &["max_bins"],
            Value::Integer(flavour.max_bin),
            Allowed::Integer(2, 256),
            "Most bins of a column, the one for missing values apart.",
        ),
        optional(spec(
            "early_stopping_rounds",
            &["early_stopping_round", "n_iter_no_change"],
            Value::None,
            Allowed::Integer(1, 1_000_000),
            "Stops after this many rounds without a better score on a held-out tenth of the fitting rows; the last fit then takes the rounds that were found.",
        )),
    ]
}

fn boost_params(params: &Params, growth: Growth) -> (BoostParams, Option<u32>) {
    let integer = |name: &str| params.integer(name).map(|i| i as usize);
    let float = |name: &str| params.float(name).unwrap_or(0.0);
    let defaults = match growth {
        Growth::Depthwise => BoostParams::depthwise(),
        Growth::Leafwise => BoostParams::leafwise(),
    };
    let resolved = BoostParams {
        n_estimators: integer("n_estimators").unwrap_or(100),
        learning_rate: float("learning_rate"),
        max_depth: integer("max_depth"),
        num_leaves: integer("num_leaves"),
        min_child_samples: integer("min_child_samples").unwrap_or(0),
        min_child_weight: float("min_child_weight"),
        reg_lambda: float("reg_lambda"),
        reg_alpha: float("reg_alpha"),
        gamma: float("gamma"),
        subsample: float("subsample"),
        colsample_bytree: float("colsample_bytree"),
        max_bin: integer("max_bin").unwrap_or(255),
        ..defaults
    };
    (resolved, params.integer("early_stopping_rounds").map(|r| r as u32))
}

struct Boosted {
    params: BoostParams,
    early_stopping_rounds: Option<u32>,
}

impl Learner for Boosted {
    fn fit(&self, sample: &Sample<'_>) -> Result<Learned> {
        let link = match sample.task {
            Task::Binary { .. } => Link::Logistic,
            Task::Multiclass { .. } => Link::Softmax,
            Task::Regression => Link::Identity,
        };
        if let Some(rounds) = sample.rounds {
            let params = BoostParams { n_estimators: rounds.max(1) as usize, ..self.params.clone() };
            return Ok(Learned::new(
                Predictor::Trees(fit(sample.features, sample.targets, &params, sample, None)?.trees),
                link,
            ));
        }
        let Some(patience) = self.early_stopping_rounds else {
            let fitted = fit(sample.features, sample.targets, &self.params, sample, None)?;
            return Ok(Learned::new(Predictor::Trees(fitted.trees), link));
        };
        let (fitting, held_out) = hold_out(sample)?;
        let (features, targets) = (sample.features.take(&held_out), sample.targets.take(&held_out));
        let stopping = EarlyStopping { rounds: patience as usize, features: &features, targets: &targets };
        let fitted =
            fit(&sample.features.take(&fitting), &sample.targets.take(&fitting), &self.params, sample, Some(stopping))?;
        let rounds = Some(fitted.best_round as u32);
        Ok(Learned { rounds, ..Learned::new(Predictor::Trees(fitted.trees), link) })
    }
}

fn fit(
    features: &Features,
    targets: &Targets,
    params: &BoostParams,
    sample: &Sample<'_>,
    early_stopping: Option<EarlyStopping<'_>>,
) -> Result<boost::Fitted> {
    let request = boost::Request {
        features,
        targets,
        task: sample.task,
        seed: sample.seed,
        early_stopping,
        cancel: sample.cancel,
    };
    Ok(boost::fit(&request, params)?)
}

/// A keyed tenth of the fitting rows is held out: the same rows whatever their order.
fn hold_out(sample: &Sample<'_>) -> Result<(Vec<u32>, Vec<u32>)> {
    let keyed = Keyed::new(sample.seed, Purpose::EarlyStopping);
    let is_held_out = |row: &u32| keyed.uniform(sample.keys[*row as usize]) < EARLY_STOPPING_SHARE;
    let (held_out, fitting): (Vec<u32>, Vec<u32>) = (0..sample.targets.len() as u32).partition(is_held_out);
    if held_out.is_empty() || fitting.is_empty() {
        let n = sample.targets.len();
        return Err(Error::Data(format!("{n} rows are too few to hold a tenth out for early stopping; switch it off")));
    }
    Ok((fitting, held_out))
}
