//! The forests, with scikit-learn's names and defaults.

use tabwright_core::Task;
use tabwright_model::model::{Link, Predictor};
use tabwright_trees::forest::{self, ForestParams, MaxFeatures};

use super::{CandidateType, Learned, Learner, Sample, Tasks};
use crate::error::Result;
use crate::param::{Allowed, Bound, Params, Spec, Value};
use crate::transform::Family;

pub(super) fn types() -> Vec<CandidateType> {
    let build = |extra: bool| {
        move |task: &Task, params: &Params| {
            let params = forest_params(task, params, extra);
            params.validate()?;
            Ok(Box::new(Forest { params }) as Box<dyn Learner>)
        }
    };
    let forest = CandidateType::new("random_forest", Family::Trees, Tasks::Any, specs(true), build(false));
    let extra = CandidateType::new("extra_trees", Family::Trees, Tasks::Any, specs(false), build(true));
    vec![
        forest.documented("Trees grown to purity on bootstrap samples, averaged.", &[]),
        extra.documented("Trees grown to purity with random thresholds, averaged.", &[]),
    ]
}

fn specs(bootstrap: bool) -> Vec<Spec> {
    let spec = |name, default, allowed, doc| Spec { name, aliases: &[], default, allowed, optional: false, doc };
    let optional = |spec: Spec| Spec { optional: true, ..spec };
    let many = i64::from(u32::MAX);
    vec![
        spec("n_estimators", Value::Integer(100), Allowed::Integer(1, 100_000), "Number of trees."),
        optional(spec("max_depth", Value::None, Allowed::Integer(1, many), "Deepest level of a tree.")),
        spec("min_samples_split", Value::Integer(2), Allowed::Integer(2, many), "Fewest rows of a node that is split."),
        spec("min_samples_leaf", Value::Integer(1), Allowed::Integer(1, many), "Fewest rows of a leaf."),
        optional(spec(
            "max_features",
            Value::None,
            Allowed::MaxFeatures,
            "Columns looked at for a split. \"none\": sqrt for classes, all for numbers.",
        )),
        optional(spec("max_leaf_nodes", Value::None, Allowed::Integer(2, many), "Most leaves of a tree.")),
        spec(
            "min_impurity_decrease",
            Value::Float(0.0),
            Allowed::Float(Bound::Closed(0.0), Bound::Open(f64::INFINITY)),
            "Least decrease of impurity that a split must bring.",
        ),
        spec(
            "bootstrap",
            Value::Bool(bootstrap),
            Allowed::Bool,
            "Whether each tree sees a sample drawn with replacement.",
        ),
    ]
}

fn forest_params(task: &Task, params: &Params, extra: bool) -> ForestParams {
    let integer = |name: &str| params.integer(name).map(|i| i as usize);
    let max_features = match params.get("max_features") {
        Value::Integer(n) => MaxFeatures::Count(*n as usize),
        Value::Float(share) => MaxFeatures::Share(*share),
        Value::Text(word) if word == "log2" => MaxFeatures::Log2,
        Value::Text(word) if word == "sqrt" => MaxFeatures::Sqrt,
        Value::None if task.is_classification() => MaxFeatures::Sqrt,
        _ => MaxFeatures::All,
    };
    let defaults = if extra { ForestParams::extra_trees(task) } else { ForestParams::random_forest(task) };
    ForestParams {
        n_estimators: integer("n_estimators").unwrap_or(100),
        max_depth: integer("max_depth"),
        min_samples_split: integer("min_samples_split").unwrap_or(2),
        min_samples_leaf: integer("min_samples_leaf").unwrap_or(1),
        max_features,
        max_leaf_nodes: integer("max_leaf_nodes"),
        min_impurity_decrease: params.float("min_impurity_decrease").unwrap_or(0.0),
        bootstrap: params.flag("bootstrap"),
        ..defaults
    }
}

struct Forest {
    params: ForestParams,
}

impl Learner for Forest {
    fn fit(&self, sample: &Sample<'_>) -> Result<Learned> {
        let trees =
            forest::fit(sample.features, sample.targets, sample.task, &self.params, sample.seed, sample.cancel)?;
        Ok(Learned::new(Predictor::Trees(trees), Link::Identity))
    }
}
