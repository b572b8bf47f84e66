//! `show`: a model file as one JSON document, and its parts in words.

use serde_json::{Value, json};
use tabwright_model::artifact::{Artifact, FORMAT};
use tabwright_model::evidence::{Evidence, Metrics};
use tabwright_model::model::{Model, Predictor};
use tabwright_model::pipeline::{Operator, Pipeline};
use tabwright_report::text;

/// Everything that a model file says of itself, without its tensors.
pub fn to_json(artifact: &Artifact) -> Value {
    let model = artifact.model();
    let pipeline = model.pipeline();
    let steps: Vec<&str> = pipeline.steps().iter().map(|s| s.name()).collect();
    let outputs: Vec<&str> = pipeline.outputs().iter().map(|o| o.name.as_str()).collect();
    let predictor = match model.predictor() {
        Predictor::Constant(scores) => json!({ "operator": "constant", "scores": scores }),
        Predictor::Linear(linear) => json!({ "operator": "linear", "weights": linear.coefficients().len() }),
        Predictor::Trees(trees) => json!({ "operator": "trees", "trees": trees.n_trees(), "leaves": trees.n_leaves() }),
    };
    json!({
        "format": FORMAT,
        "content_id": artifact.content_id(),
        "signature": model.signature(),
        "task": model.task().name(),
        "type": model.candidate_type(),
        "link": model.link(),
        "threshold": model.threshold(),
        "pipeline": { "inputs": pipeline.inputs(), "steps": steps, "features": outputs },
        "predictor": predictor,
        "importances": importances(model),
        "evidence": artifact.evidence,
        "record": artifact.record,
    })
}

/// What each feature weighs, the strongest first.
fn importances(model: &Model) -> Vec<Value> {
    let names: Vec<&str> = model.pipeline().outputs().iter().map(|o| o.name.as_str()).collect();
    let found = match model.predictor() {
        Predictor::Trees(trees) => Some(trees.importances()),
        _ => None,
    };
    let line = |(name, share): (&str, f64)| {
        let mut line = json!({ "feature": name, "share": share });
        if let (Some(found), Some(i)) = (&found, names.iter().position(|n| *n == name)) {
            line["gain"] = json!(found.gains[i]);
            line["splits"] = json!(found.splits[i]);
            line["cover"] = json!(found.covers[i]);
        }
        line
    };
    model.importances().into_iter().map(line).collect()
}

/// How large a predictor is, in words.
pub fn size(model: &Model) -> String {
    match model.predictor() {
        Predictor::Constant(_) => "one answer for every row".to_owned(),
        Predictor::Linear(linear) => format!("{} weights", text::count(linear.coefficients().len())),
        Predictor::Trees(trees) => {
            format!("{} trees, {} leaves", text::count(trees.n_trees()), text::count(trees.n_leaves()))
        }
    }
}

/// What the steps of a pipeline make of an input, in words, in their order.
pub fn becomes(pipeline: &Pipeline, input: usize) -> Vec<String> {
    let mut own = vec![false; pipeline.steps().len()];
    let mut words = Vec::new();
    for (i, step) in pipeline.steps().iter().enumerate() {
        own[i] = reads(&step.operator, input, &own);
        words.extend(word(&step.operator).filter(|_| own[i]));
    }
    words
}

/// The metrics of a model, by the part of the data that they were measured on; parts without any are left out.
pub fn measured(evidence: &Evidence) -> Vec<(&'static str, &Metrics)> {
    let parts = [
        ("training", &evidence.train),
        ("folds", &evidence.cross_validation),
        ("validation", &evidence.validation),
        ("test", &evidence.test),
    ];
    parts.into_iter().filter_map(|(name, metrics)| Some((name, metrics.as_ref()?))).collect()
}

/// Whether a step reads an input, itself or through a slot that does.
fn reads(operator: &Operator, input: usize, own: &[bool]) -> bool {
    match operator {
        Operator::Number { input: n } | Operator::Encode { input: n, .. } => *n == input,
        Operator::Finite { slot }
        | Operator::ImputeNumber { slot, .. }
        | Operator::ImputeCode { slot, .. }
        | Operator::MissingIndicator { slot }
        | Operator::Scale { slot, .. }
        | Operator::OneHot { slot, .. }
        | Operator::Ordinal { slot, .. } => own[*slot],
    }
}

/// A step in words.
fn word(operator: &Operator) -> Option<String> {
    Some(match operator {
        Operator::Number { .. } => "number".to_owned(),
        Operator::Encode { levels, .. } => format!("category of {} levels", levels.levels().len()),
        Operator::Finite { .. } => return None,
        Operator::ImputeNumber { value, .. } => format!("missing → {}", text::number(*value)),
        Operator::ImputeCode { .. } => "missing → a level".to_owned(),
        Operator::MissingIndicator { .. } => "missing or not".to_owned(),
        Operator::Scale { offset, scale, .. } => {
            format!("(x − {}) / {}", text::number(*offset), text::number(*scale))
        }
        Operator::OneHot { width, .. } => format!("one-hot of {width}"),
        Operator::Ordinal { .. } => "rank".to_owned(),
    })
}
