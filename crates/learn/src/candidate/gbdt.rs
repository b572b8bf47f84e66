//! The boosted trees: `gbdt_depthwise` with XGBoost's names and defaults, `gbdt_leafwise` with LightGBM's. Each accepts
//! the other library's spellings, and either library's name.

use std::collections::BTreeMap;

use tabwright_core::metric::Metric;
use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Targets, suggest};
use tabwright_model::Features;
use tabwright_model::model::Predictor;
use tabwright_model::pipeline::SlotType;
use tabwright_model::trees::types_of;
use tabwright_trees::boost::{self, BinnedRequest, BoostParams, EarlyStopping, Growth, Loss, Start};

use super::{BinnedSample, CandidateType, Learned, Learner, Reads, Sample, Tasks};
use crate::error::{Error, Result};
use crate::param::{Allowed, Bound, Params, Spec, Value};
use crate::transform::Family;

/// Share of the fitting rows that early stopping holds out.
const EARLY_STOPPING_SHARE: f64 = 0.1;

pub(super) fn types() -> Vec<CandidateType> {
    vec![
        candidate("gbdt_depthwise", BoostParams::depthwise())
            .documented("Boosted trees that grow level by level, with XGBoost's defaults.", &["xgboost"]),
        candidate("gbdt_leafwise", BoostParams::leafwise())
            .documented("Boosted trees that grow leaf by leaf, with LightGBM's defaults.", &["lightgbm"]),
    ]
}

fn candidate(name: &'static str, defaults: BoostParams) -> CandidateType {
    CandidateType::new(name, Family::Trees, Tasks::Any, specs(&defaults), move |task, params| {
        let asked = params.text("objective").unwrap_or(OF_TASK);
        if asked != OF_TASK && task.is_classification() {
            return Err(Error::Parameter {
                candidate: name.to_owned(),
                parameter: "objective".to_owned(),
                found: format!("\"{asked}\""),
                allowed: format!("\"{OF_TASK}\" for classes (the log-loss); the others are for numbers"),
            });
        }
        let metric = match params.text("early_stopping_metric") {
            None => None,
            Some(metric) => Some(Metric::parse_for(metric, task)?),
        };
        let boosted = Boosted {
            name,
            params: boost_params(params, defaults.growth),
            early_stopping_rounds: params.integer("early_stopping_rounds").map(|r| r as u32),
            metric,
            directions: params.map("monotone_constraints").cloned().unwrap_or_default(),
            together: params.sets("interaction_constraints").unwrap_or_default().to_vec(),
        };
        boosted.params.validate()?;
        Ok(Box::new(boosted))
    })
}

/// The objective that follows from the task.
const OF_TASK: &str = "of_task";
/// The others, for numbers.
const OBJECTIVES: &[&str] = &[OF_TASK, "absolute_error", "huber", "quantile", "poisson"];

fn specs(defaults: &BoostParams) -> Vec<Spec> {
    let count = |n: usize| Value::Integer(n as i64);
    let count_or_none = |n: Option<usize>| n.map_or(Value::None, count);
    let spec = |name, aliases, default, allowed, doc| Spec { name, aliases, default, allowed, optional: false, doc };
    let optional = |spec: Spec| Spec { optional: true, ..spec };
    let not_negative = Allowed::Float(Bound::Closed(0.0), Bound::Open(f64::INFINITY));
    let share = Allowed::Float(Bound::Open(0.0), Bound::Closed(1.0));
    vec![
        spec(
            "n_estimators",
            &["num_iterations", "num_boost_round", "num_round", "nrounds", "num_trees"],
            count(defaults.n_estimators),
            Allowed::Integer(1, 1_000_000),
            "Number of rounds.",
        ),
        spec(
            "learning_rate",
            &["eta", "shrinkage_rate"],
            Value::Float(defaults.learning_rate),
            Allowed::Float(Bound::Open(0.0), Bound::Closed(10.0)),
            "What each tree's answer is multiplied by.",
        ),
        spec(
            "learning_rate_decay",
            &[],
            Value::Float(defaults.learning_rate_decay),
            share,
            "What the learning rate is multiplied by from round to round.",
        ),
        spec(
            "objective",
            &["loss"],
            Value::Text(OF_TASK.to_owned()),
            Allowed::Choice(OBJECTIVES),
            "What is minimised: the log-loss of classes and the squared error of numbers, or another loss for numbers.",
        ),
        optional(spec(
            "huber_delta",
            &[],
            Value::None,
            Allowed::Float(Bound::Open(0.0), Bound::Open(f64::INFINITY)),
            "With the objective \"huber\": the error beyond which it counts by its size and not by its square. \"none\": the distance from the median within which nine of ten targets lie.",
        )),
        spec(
            "quantile_level",
            &["quantile_alpha"],
            Value::Float(0.5),
            Allowed::Float(Bound::Open(0.0), Bound::Open(1.0)),
            "With the objective \"quantile\": the share of targets that should lie below the prediction.",
        ),
        optional(spec(
            "max_depth",
            &[],
            count_or_none(defaults.max_depth),
            Allowed::Integer(1, 64),
            "Deepest level of a tree.",
        )),
        optional(spec(
            "num_leaves",
            &["max_leaves"],
            count_or_none(defaults.num_leaves),
            Allowed::Integer(2, 131_072),
            "Most leaves of a tree.",
        )),
        spec(
            "min_child_samples",
            &["min_data_in_leaf", "min_data"],
            count(defaults.min_child_samples),
            Allowed::Integer(0, i64::from(u32::MAX)),
            "Fewest rows of a leaf.",
        ),
        spec(
            "min_child_weight",
            &["min_sum_hessian_in_leaf"],
            Value::Float(defaults.min_child_weight),
            not_negative,
            "Least sum of hessians of a leaf.",
        ),
        spec(
            "reg_lambda",
            &["lambda", "lambda_l2"],
            Value::Float(defaults.reg_lambda),
            not_negative,
            "L2 penalty of leaf values.",
        ),
        spec(
            "reg_alpha",
            &["alpha", "lambda_l1"],
            Value::Float(defaults.reg_alpha),
            not_negative,
            "L1 penalty of leaf values.",
        ),
        spec(
            "gamma",
            &["min_split_loss", "min_split_gain", "min_gain_to_split"],
            Value::Float(defaults.gamma),
            not_negative,
            "Least gain of a split.",
        ),
        spec(
            "subsample",
            &["bagging_fraction"],
            Value::Float(defaults.subsample),
            share,
            "Share of the rows that each round sees.",
        ),
        spec(
            "colsample_bytree",
            &["feature_fraction"],
            Value::Float(defaults.colsample_bytree),
            share,
            "Share of the columns that each tree sees.",
        ),
        spec(
            "colsample_bylevel",
            &[],
            Value::Float(defaults.colsample_bylevel),
            share,
            "Share of a tree's columns that each of its levels sees.",
        ),
        spec(
            "colsample_bynode",
            &["feature_fraction_bynode"],
            Value::Float(defaults.colsample_bynode),
            share,
            "Share of a level's columns that each of its nodes sees.",
        ),
        optional(spec(
            "monotone_constraints",
            &[],
            Value::None,
            Allowed::Directions,
            "Columns with which predictions must not fall (1) or must not rise (-1).",
        )),
        optional(spec(
            "interaction_constraints",
            &[],
            Value::None,
            Allowed::Sets,
            "Lists of columns that may stand on one path of a tree; a column in no list stands by itself.",
        )),
        spec(
            "max_bin",
            &["max_bins"],
            count(defaults.max_bin),
            Allowed::Integer(2, 256),
            "Most bins of a column, the one for missing values apart.",
        ),
        spec(
            "min_data_in_bin",
            &[],
            count(defaults.min_data_in_bin),
            Allowed::Integer(1, i64::from(u32::MAX)),
            "Fewest rows of a numeric column's bin.",
        ),
        spec(
            "max_cat_to_onehot",
            &[],
            count(defaults.max_cat_to_onehot),
            Allowed::Integer(1, 255),
            "Categories of up to this many levels are split one level against the rest, others as sorted sets.",
        ),
        spec(
            "max_cat_threshold",
            &[],
            count(defaults.max_cat_threshold),
            Allowed::Integer(1, 255),
            "Most levels that a split of a sorted category takes from an end; any number where there are more than 254 levels.",
        ),
        spec(
            "cat_smooth",
            &[],
            Value::Float(defaults.cat_smooth),
            not_negative,
            "Added to the hessians by which levels are sorted; levels of fewer rows are not split on. Not for more than 254 levels.",
        ),
        spec(
            "cat_l2",
            &[],
            Value::Float(defaults.cat_l2),
            not_negative,
            "L2 penalty added where a sorted category is split.",
        ),
        spec(
            "min_data_per_group",
            &[],
            count(defaults.min_data_per_group),
            Allowed::Integer(1, i64::from(u32::MAX)),
            "Fewest rows by which a split of a sorted category moves on.",
        ),
        optional(spec(
            "early_stopping_rounds",
            &["early_stopping_round", "n_iter_no_change"],
            Value::None,
            Allowed::Integer(1, 1_000_000),
            "Stops after this many rounds without a better score on a held-out tenth of the fitting rows; the last fit then takes the rounds that were found.",
        )),
        optional(spec(
            "early_stopping_metric",
            &["eval_metric"],
            Value::None,
            Allowed::Metric,
            "The score that early stopping follows. \"none\": what the objective minimises.",
        )),
    ]
}

fn boost_params(params: &Params, growth: Growth) -> BoostParams {
    // Every parameter has a value or a default of its own, so nothing is left for these zeros.
    let integer = |name: &str| params.integer(name).map(|i| i as usize);
    let count = |name: &str| integer(name).unwrap_or(0);
    let float = |name: &str| params.float(name).unwrap_or(0.0);
    let loss = match params.text("objective") {
        Some("absolute_error") => Loss::Absolute,
        Some("huber") => Loss::Huber(params.float("huber_delta")),
        Some("quantile") => Loss::Quantiles(vec![float("quantile_level")]),
        Some("poisson") => Loss::Poisson,
        _ => Loss::OfTask,
    };
    BoostParams {
        growth,
        loss,
        n_estimators: count("n_estimators"),
        learning_rate: float("learning_rate"),
        learning_rate_decay: float("learning_rate_decay"),
        max_depth: integer("max_depth"),
        num_leaves: integer("num_leaves"),
        min_child_samples: count("min_child_samples"),
        min_child_weight: float("min_child_weight"),
        reg_lambda: float("reg_lambda"),
        reg_alpha: float("reg_alpha"),
        gamma: float("gamma"),
        subsample: float("subsample"),
        colsample_bytree: float("colsample_bytree"),
        colsample_bylevel: float("colsample_bylevel"),
        colsample_bynode: float("colsample_bynode"),
        // Columns are known when there are rows.
        monotone_constraints: Vec::new(),
        interaction_constraints: Vec::new(),
        max_bin: count("max_bin"),
        min_data_in_bin: count("min_data_in_bin"),
        max_cat_to_onehot: count("max_cat_to_onehot"),
        max_cat_threshold: count("max_cat_threshold"),
        cat_smooth: float("cat_smooth"),
        cat_l2: float("cat_l2"),
        min_data_per_group: count("min_data_per_group"),
    }
}

struct Boosted {
    name: &'static str,
    params: BoostParams,
    early_stopping_rounds: Option<u32>,
    metric: Option<Metric>,
    /// By column.
    directions: BTreeMap<String, f64>,
    /// Columns that may stand on one path.
    together: Vec<Vec<String>>,
}

impl Boosted {
    /// The hyperparameters for the features of a sample.
    fn params_for(&self, names: &[String], types: &[SlotType]) -> Result<BoostParams> {
        let position = |parameter: &'static str, column: &str| {
            let found = names.iter().position(|name| name == column);
            found.ok_or_else(|| {
                let hint = suggest::did_you_mean(column, names.iter().map(String::as_str));
                Error::Config(format!(
                    "candidate `{}`: {parameter} names `{column}`, which is no feature{hint}",
                    self.name
                ))
            })
        };
        let mut params = self.params.clone();
        if !self.directions.is_empty() {
            params.monotone_constraints = vec![0; names.len()];
        }
        for (column, direction) in &self.directions {
            let feature = position("monotone_constraints", column)?;
            if *direction != 0.0 && types[feature] != SlotType::Number {
                let why = "a category, which has no direction";
                return Err(Error::Config(format!(
                    "candidate `{}`: monotone_constraints names `{column}`, {why}",
                    self.name
                )));
            }
            params.monotone_constraints[feature] = *direction as i8;
        }
        for set in &self.together {
            let set: Result<Vec<u32>> =
                set.iter().map(|column| Ok(position("interaction_constraints", column)? as u32)).collect();
            params.interaction_constraints.push(set?);
        }
        Ok(params)
    }
}

impl Learner for Boosted {
    fn reads(&self, seed: u64) -> Reads {
        match self.early_stopping_rounds {
            None => Reads::Bins(self.params.binner(seed)),
            // Held-out rows walk the trees by their values.
            Some(_) => Reads::Values,
        }
    }

    fn fit_binned(&self, sample: BinnedSample<'_>) -> Result<Learned> {
        let BinnedSample { task, binned, names, targets, seed, rounds, cancel } = sample;
        let link = boost::link(task, &self.params.loss);
        let mut params = self.params_for(names, &binned.types)?;
        if let Some(rounds) = rounds {
            params.n_estimators = rounds.max(1) as usize;
        }
        let fitted = boost::fit_binned(binned, targets, &BinnedRequest { task, seed, cancel }, &params)?;
        Ok(Learned::new(Predictor::Trees(fitted.trees), link))
    }

    fn fit(&self, sample: &Sample<'_>) -> Result<Learned> {
        let link = boost::link(sample.task, &self.params.loss);
        let params = self.params_for(sample.names, &types_of(sample.features))?;
        if let Some(rounds) = sample.rounds {
            let params = BoostParams { n_estimators: rounds.max(1) as usize, ..params };
            return Ok(Learned::new(
                Predictor::Trees(fit(sample.features, sample.targets, &params, sample, None)?.trees),
                link,
            ));
        }
        let Some(patience) = self.early_stopping_rounds else {
            let fitted = fit(sample.features, sample.targets, &params, sample, None)?;
            return Ok(Learned::new(Predictor::Trees(fitted.trees), link));
        };
        let (fitting, held_out) = hold_out(sample)?;
        let (features, targets) = (sample.features.take(&held_out), sample.targets.take(&held_out));
        let stopping =
            EarlyStopping { rounds: patience as usize, metric: self.metric, features: &features, targets: &targets };
        let fitted =
            fit(&sample.features.take(&fitting), &sample.targets.take(&fitting), &params, sample, Some(stopping))?;
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
        start: Start::Constant,
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
