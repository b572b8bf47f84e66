//! A model as manifest and tensors, and back. What stands on disk is defined here and nowhere else.

use serde_json::{Map, Value, json};

use super::{Tensor, Tensors};
use crate::error::{Error, Result};
use crate::levels::{FrozenLevels, Spelling};
use crate::model::{Link, Model, Predictor, Signature};
use crate::pipeline::{Input, Operator, Output, Pipeline, Step};
use crate::{Linear, Trees};

/// The manifest and the tensors of a model.
pub(super) fn store(model: &Model) -> (Value, Tensors) {
    let mut tensors = Tensors::default();
    let pipeline = model.pipeline();
    let steps: Vec<Value> = pipeline.steps().iter().enumerate().map(|(i, s)| store_step(i, s, &mut tensors)).collect();
    let manifest = json!({
        "signature": model.signature(),
        "type": model.candidate_type(),
        "link": model.link(),
        "threshold": model.threshold(),
        "pipeline": { "inputs": pipeline.inputs(), "steps": steps, "outputs": pipeline.outputs() },
        "predictor": store_predictor(model.predictor(), &mut tensors),
    });
    (manifest, tensors)
}

/// The model of a manifest; takes its tensors out.
pub(super) fn load(manifest: &Value, tensors: &mut Tensors) -> Result<Model> {
    let signature: Signature = field(manifest, "signature")?;
    let candidate_type: String = field(manifest, "type")?;
    let link: Link = field(manifest, "link")?;
    let threshold: f64 = field(manifest, "threshold")?;
    if threshold != tabwright_core::metric::DEFAULT_THRESHOLD {
        return Err(Error::Invalid(format!("its threshold is {threshold}; format 1 knows only 0.5")));
    }
    check_labels(&signature)?;
    let parts = &manifest["pipeline"];
    let inputs: Vec<Input> = field(parts, "inputs")?;
    let outputs: Vec<Output> = field(parts, "outputs")?;
    let steps: Vec<Value> = field(parts, "steps")?;
    let steps = steps.iter().enumerate().map(|(i, s)| load_step(i, s, tensors)).collect::<Result<Vec<Step>>>()?;
    let pipeline = Pipeline::new(inputs, steps, outputs)?;
    let predictor = load_predictor(&manifest["predictor"], tensors)?;
    Model::new(signature, candidate_type, pipeline, predictor, link)
}

fn check_labels(signature: &Signature) -> Result<()> {
    let labels = signature.task.labels();
    let distinct: std::collections::BTreeSet<&String> = labels.iter().collect();
    if signature.task.is_classification() && (labels.len() < 2 || distinct.len() < labels.len()) {
        return Err(Error::Invalid("its labels are not two or more distinct ones".into()));
    }
    Ok(())
}

fn field<T: serde::de::DeserializeOwned>(object: &Value, name: &str) -> Result<T> {
    let value = object.get(name).cloned().ok_or_else(|| Error::Invalid(format!("its manifest has no `{name}`")))?;
    serde_json::from_value(value).map_err(|e| Error::Invalid(format!("`{name}` in its manifest: {e}")))
}

fn store_step(i: usize, step: &Step, tensors: &mut Tensors) -> Value {
    let mut object = match &step.operator {
        Operator::Number { input } => json!({ "input": input }),
        Operator::Encode { input, levels } => {
            tensors.insert_levels(&format!("pipeline.{i}.levels"), levels.levels());
            json!({ "input": input, "spelling": levels.spelling() })
        }
        Operator::Finite { slot } | Operator::MissingIndicator { slot } => json!({ "slot": slot }),
        Operator::ImputeNumber { slot, value } => json!({ "slot": slot, "value": value }),
        Operator::ImputeCode { slot, code } => json!({ "slot": slot, "code": code }),
        Operator::Scale { slot, offset, scale } => json!({ "slot": slot, "offset": offset, "scale": scale }),
        Operator::OneHot { slot, columns, width } => {
            tensors.insert(format!("pipeline.{i}.columns"), Tensor::u32(columns));
            json!({ "slot": slot, "width": width })
        }
        Operator::Ordinal { slot, values } => {
            tensors.insert(format!("pipeline.{i}.values"), Tensor::f64(values));
            json!({ "slot": slot })
        }
    };
    object["operator"] = step.name().into();
    object["version"] = step.version().into();
    object
}

fn load_step(i: usize, step: &Value, tensors: &mut Tensors) -> Result<Step> {
    let name: String = field(step, "operator")?;
    let version: u32 = field(step, "version")?;
    let operator = match name.as_str() {
        "number" => Operator::Number { input: field(step, "input")? },
        "encode" => {
            let spelling: Spelling = field(step, "spelling")?;
            let levels = tensors.take_levels(&format!("pipeline.{i}.levels"))?;
            let levels = FrozenLevels::new(spelling, levels.iter().map(String::as_str));
            Operator::Encode { input: field(step, "input")?, levels }
        }
        "finite" => Operator::Finite { slot: field(step, "slot")? },
        "impute_number" => Operator::ImputeNumber { slot: field(step, "slot")?, value: field(step, "value")? },
        "impute_code" => Operator::ImputeCode { slot: field(step, "slot")?, code: field(step, "code")? },
        "missing_indicator" => Operator::MissingIndicator { slot: field(step, "slot")? },
        "scale" => {
            Operator::Scale { slot: field(step, "slot")?, offset: field(step, "offset")?, scale: field(step, "scale")? }
        }
        "one_hot" => Operator::OneHot {
            slot: field(step, "slot")?,
            columns: tensors.take(&format!("pipeline.{i}.columns"))?.to_u32()?,
            width: field(step, "width")?,
        },
        "ordinal" => Operator::Ordinal {
            slot: field(step, "slot")?,
            values: tensors.take(&format!("pipeline.{i}.values"))?.to_f64()?,
        },
        other => {
            return Err(Error::TooNew(format!(
                "it has the pipeline operator `{other}`, which this version does not know"
            )));
        }
    };
    let step = Step::from(operator);
    check_operator_version(step.name(), version, step.version())?;
    Ok(step)
}

fn check_operator_version(name: &str, found: u32, known: u32) -> Result<()> {
    if (1..=known).contains(&found) {
        return Ok(());
    }
    Err(Error::TooNew(format!("it has version {found} of the operator `{name}`, this one reads up to {known}")))
}

const PREDICTOR_VERSION: u32 = 1;

fn store_predictor(predictor: &Predictor, tensors: &mut Tensors) -> Value {
    let mut object = match predictor {
        Predictor::Constant(scores) => {
            tensors.insert("predictor.scores", Tensor::f64(scores));
            json!({ "operator": "constant" })
        }
        Predictor::Linear(linear) => {
            let shape = vec![linear.n_outputs(), linear.n_weights()];
            tensors.insert("predictor.intercepts", Tensor::f64(linear.intercepts()));
            tensors.insert("predictor.coefficients", Tensor::f64(linear.coefficients()).shaped(shape));
            json!({ "operator": "linear" })
        }
        Predictor::Trees(trees) => {
            let scalars = trees.store("predictor", tensors);
            json!({ "operator": "trees", "trees": scalars })
        }
    };
    object["version"] = PREDICTOR_VERSION.into();
    object
}

fn load_predictor(object: &Value, tensors: &mut Tensors) -> Result<Predictor> {
    let name: String = field(object, "operator")?;
    check_operator_version(&name, field(object, "version")?, PREDICTOR_VERSION)?;
    match name.as_str() {
        "constant" => {
            let scores = tensors.take("predictor.scores")?.to_f64()?;
            match scores.iter().all(|s| s.is_finite()) {
                true => Ok(Predictor::Constant(scores)),
                false => Err(Error::Invalid("a constant score is not finite".into())),
            }
        }
        "linear" => {
            let intercepts = tensors.take("predictor.intercepts")?.to_f64()?;
            let coefficients = tensors.take("predictor.coefficients")?.to_f64()?;
            let n_outputs = intercepts.len();
            Linear::new(n_outputs, intercepts, coefficients)
                .map(Predictor::Linear)
                .map_err(|e| Error::Invalid(e.to_string()))
        }
        "trees" => Trees::load("predictor", object.get("trees").unwrap_or(&Value::Object(Map::new())), tensors)
            .map(Predictor::Trees),
        other => Err(Error::TooNew(format!("it has the predictor `{other}`, which this version does not know"))),
    }
}
