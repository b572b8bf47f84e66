//! `show`: a model file as one JSON document.

use serde_json::{Value, json};
use tabwright_model::artifact::{Artifact, FORMAT};
use tabwright_model::model::Predictor;

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
        "evidence": artifact.evidence,
        "record": artifact.record,
    })
}
