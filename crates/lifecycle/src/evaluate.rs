//! `evaluate`: how good a model is on rows with known answers.

use serde_json::{Value, json};
use tabwright_core::metric::{self, Evaluation, Predictions};
use tabwright_core::{Code, Column, Context, Event, Kind, Rows, Targets, Warning};
use tabwright_data::{BlockStream, ReadOptions, StreamBlock, StreamRequest};
use tabwright_model::artifact::Artifact;
use tabwright_model::model::Model;

use crate::answer::{known_columns, read_options};
use crate::error::{Error, Result};
use crate::labels::{Label, Labels};
use crate::predict::{FILE_BATCH, described};

/// What is judged.
#[derive(Debug, Clone, Default)]
pub struct EvaluateOptions {
    /// Files, globs, folders, or `-`.
    pub sources: Vec<String>,
    /// The column with the weight of each row.
    pub weight: Option<String>,
    /// Number of threads; 0: those that are there.
    pub threads: usize,
    /// Whether curves are wanted.
    pub curves: bool,
    /// How the files are read.
    pub read: ReadOptions,
}

/// The judgement.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// Metrics, confusion matrix, figures per class, curves.
    pub evaluation: Evaluation,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

impl Evaluated {
    /// The document of `evaluate --json`.
    ///
    /// # Errors
    /// None in practice: the parts are plain data.
    pub fn to_json(&self, artifact: &Artifact) -> Result<Value> {
        let mut document = serde_json::to_value(&self.evaluation).map_err(|e| Error::Data(e.to_string()))?;
        document["content_id"] = json!(artifact.content_id());
        document["task"] = json!(artifact.model().task().name());
        document["warnings"] = json!(self.warnings);
        Ok(document)
    }
}

/// Predicts the rows of files and compares with their targets. Predictions and targets are kept, rows are not.
///
/// # Errors
/// From reading; for a row that cannot be used, and for a label that the model does not know, with file and line.
pub fn evaluate(artifact: &Artifact, options: &EvaluateOptions, context: Context<'_>) -> Result<Evaluated> {
    crate::train::with_threads(options.threads, || run(artifact, options, context))
}

fn run(artifact: &Artifact, options: &EvaluateOptions, context: Context<'_>) -> Result<Evaluated> {
    let model = artifact.model();
    context.observer.event(Event::Phase { name: "predicting", steps: None });
    let inputs = crate::train::inputs(&options.sources)?;
    let target_kind = if model.task().is_classification() { Kind::Categorical } else { Kind::Float };
    let mut expected: Vec<(String, Kind)> =
        model.pipeline().inputs().iter().map(|i| (i.name.clone(), i.kind)).collect();
    expected.push((model.signature().target.clone(), target_kind));
    let weight = match &options.weight {
        None => None,
        Some(name) => Some(weight_position(name, model.pipeline().inputs().len(), &mut expected)?),
    };
    let request = StreamRequest {
        passed_over: known_columns(artifact),
        expected,
        keep: vec![],
        batch_size: FILE_BATCH,
        batch_bytes: tabwright_data::BATCH_BYTES,
    };
    let mut stream = tabwright_data::open_stream(&inputs, &request, &read_options(model, &options.read))?;
    let mut warnings = stream.warnings().to_vec();
    let mut seen = Seen::new(model, weight);
    while let Some(block) = stream.next() {
        let block = block?;
        if context.cancel.is_cancelled() {
            return Err(Error::Cancelled("nothing was judged".into()));
        }
        if let Some(bad) = block.bad.first() {
            return Err(Error::Data(format!("{}; mend the row, or leave it out", described(&stream, &block, bad))));
        }
        seen.add(model, &stream, &block)?;
    }
    if seen.targets.is_empty() {
        let target = &model.signature().target;
        return Err(Error::Data(format!(
            "the target `{target}` is missing in every row; there is nothing to compare with"
        )));
    }
    if seen.without_target > 0 {
        let (left_out, n) = (seen.without_target, seen.without_target + seen.targets.len());
        let message = format!("{left_out} of {n} rows have no target and are left out");
        warnings.push(Warning::column(Code::MissingTarget, &model.signature().target, message));
    }
    let targets = Targets { values: seen.targets, weights: weight.map(|_| seen.weights) };
    let predictions = Predictions { n_outputs: model.task().n_outputs(), values: seen.predictions };
    let evaluation = metric::evaluate(model.task(), &targets, &predictions, model.threshold(), options.curves);
    Ok(Evaluated { evaluation, warnings })
}

/// Where the weights are read: in a column of their own, or in one that the model reads too.
fn weight_position(name: &str, target: usize, expected: &mut Vec<(String, Kind)>) -> Result<usize> {
    let known = expected.iter().position(|(column, _)| column == name);
    if known == Some(target) {
        return Err(Error::Config(format!("the column `{name}` is the target; it cannot be the weight")));
    }
    let position = known.unwrap_or(expected.len());
    if known.is_none() {
        expected.push((name.to_owned(), Kind::Float));
    }
    if !expected[position].1.is_numeric() {
        let kind = expected[position].1;
        return Err(Error::Config(format!("the column `{name}` is {kind} to the model; weights are numbers")));
    }
    Ok(position)
}

/// Targets and predictions so far.
struct Seen<'a> {
    target: usize,
    weight: Option<usize>,
    labels: Labels<'a>,
    targets: Vec<f64>,
    weights: Vec<f64>,
    predictions: Vec<f64>,
    without_target: usize,
}

impl<'a> Seen<'a> {
    fn new(model: &'a Model, weight: Option<usize>) -> Self {
        Seen {
            target: model.pipeline().inputs().len(),
            weight,
            labels: Labels::of(model.task()),
            targets: Vec::new(),
            weights: Vec::new(),
            predictions: Vec::new(),
            without_target: 0,
        }
    }

    fn add(&mut self, model: &Model, stream: &BlockStream, block: &StreamBlock) -> Result<()> {
        let values = model.scorer().predict(Rows::all(&block.block));
        let target = block.block.column(self.target);
        let codes = match target {
            Column::Category(category) => Some(self.labels.codes(category)),
            _ => None,
        };
        for row in 0..block.block.n_rows() {
            let value = match (&codes, target) {
                _ if target.is_missing(row) => None,
                (Some(codes), Column::Category(c)) => match codes[c.codes[row] as usize] {
                    Label::Known(code) => Some(code as f64),
                    Label::Missing => None,
                    Label::Unknown => {
                        let place = stream.place(block.places[row]);
                        let found = c.get(row).unwrap_or_default();
                        return Err(Error::Data(format!("{place}: {}", self.labels.unknown(found))));
                    }
                },
                _ => Some(target.number(row)),
            };
            let Some(value) = value else {
                self.without_target += 1;
                continue;
            };
            if let Some(weight) = self.weight {
                let weight = block.block.column(weight).number(row);
                if !weight.is_finite() || weight < 0.0 {
                    let place = stream.place(block.places[row]);
                    return Err(Error::Data(format!(
                        "{place}: the weight is {weight}; weights are finite and not negative"
                    )));
                }
                self.weights.push(weight);
            }
            self.targets.push(value);
            self.predictions.extend_from_slice(values.row(row));
        }
        Ok(())
    }
}
