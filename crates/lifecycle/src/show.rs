//! `show`: a model file as one JSON document.

use serde_json::{Value, json};
use tabwright_model::artifact::{Artifact, FORMAT};
use tabwright_model::model::{Model, Predictor};

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
