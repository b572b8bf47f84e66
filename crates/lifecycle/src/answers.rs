//! What models answer for the rows of files, beside what was true: for cards and differences. The rows are held in memory, so that
//! slices can ask any column.

use std::collections::BTreeMap;
use std::sync::Arc;

use tabwright_core::metric::{self, Evaluation, Predictions};
use tabwright_core::{Code, Column, Context, Kind, Rows, Schema, Table, Targets, Warning};
use tabwright_data::{Input, ReadOptions};
use tabwright_model::artifact::Artifact;
use tabwright_model::levels::Spelling;
use tabwright_model::model::Model;

use crate::error::{Error, Result};
use crate::labels::Labels;

/// Rows of files, what a model answers, and the targets of those that have one.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    /// All rows, read as the model reads them.
    pub(crate) table: Arc<Table>,
    /// Identifies the rows.
    pub(crate) fingerprint: String,
    /// An answer for each row.
    pub(crate) predictions: Predictions,
    /// Positions of the rows with a target, ascending.
    pub(crate) judged: Vec<u32>,
    /// The targets of those rows.
    pub(crate) targets: Targets,
    /// What the user should know.
    pub(crate) warnings: Vec<Warning>,
}

/// How a table was read: two models that ask for the same can share one.
#[derive(Debug, Clone, PartialEq)]
struct Reading {
    na: Vec<String>,
    zone: String,
    types: BTreeMap<String, Kind>,
}

/// Files that models are asked about.
#[derive(Debug, Clone)]
pub(crate) struct Files<'a> {
    inputs: Vec<Input>,
    read: &'a ReadOptions,
}

impl<'a> Files<'a> {
    /// Finds files.
    ///
    /// # Errors
    /// If one is not there.
    pub(crate) fn find(sources: &[String], read: &'a ReadOptions) -> Result<Self> {
        Ok(Files { inputs: crate::train::inputs(sources)?, read })
    }

    /// Asks a model.
    ///
    /// # Errors
    /// From reading; if the model cannot read the rows, or does not know a label.
    pub(crate) fn ask(&self, artifact: &Artifact, context: Context<'_>) -> Result<Answers> {
        Ok(self.read(artifact, context)?.0)
    }

    /// Asks two models, about one table where both read it in the same way.
    ///
    /// # Errors
    /// As [`Files::ask`].
    pub(crate) fn ask_both(&self, artifacts: [&Artifact; 2], context: Context<'_>) -> Result<[Answers; 2]> {
        let (first, reading) = self.read(artifacts[0], context)?;
        let own = self.reading(artifacts[1].model(), first.table.schema());
        let suits = own.types.is_empty() && (&own.na, &own.zone) == (&reading.na, &reading.zone);
        let second = match suits {
            true => answered(artifacts[1].model(), &first.table, (&first.fingerprint, Vec::new()))?,
            false => self.read(artifacts[1], context)?.0,
        };
        Ok([first, second])
    }

    /// Reads the rows with kinds inferred, and again where a model needs others, as a code that looks like a number.
    fn read(&self, artifact: &Artifact, context: Context<'_>) -> Result<(Answers, Reading)> {
        let model = artifact.model();
        let mut reading = Reading { types: BTreeMap::new(), ..self.reading(model, &Schema::default()) };
        let options = |reading: &Reading| {
            let Reading { na, zone, types } = reading.clone();
            ReadOptions { na, zone, types, ..self.read.clone() }
        };
        let mut outcome = tabwright_data::read_table(&self.inputs, &options(&reading), context)?;
        let asked = self.reading(model, outcome.table.schema());
        if asked != reading {
            outcome = tabwright_data::read_table(&self.inputs, &options(&asked), context)?;
            reading = asked;
        }
        let fingerprint = crate::train::named(&outcome.fingerprint);
        Ok((answered(model, &Arc::new(outcome.table), (&fingerprint, outcome.warnings))?, reading))
    }

    /// How a model asks that rows of a schema be read.
    fn reading(&self, model: &Model, schema: &Schema) -> Reading {
        let signature = model.signature();
        let mut types = BTreeMap::new();
        for input in model.pipeline().inputs() {
            let found = schema.position(&input.name).map(|p| schema.fields()[p].kind);
            if found.is_some_and(|found| found != input.kind && !(found.is_numeric() && input.kind.is_numeric())) {
                types.insert(input.name.clone(), input.kind);
            }
        }
        if let Some(target) = schema.position(&signature.target) {
            let is_number = schema.fields()[target].kind.is_numeric();
            let spelling = Labels::of(model.task()).spelling;
            if model.task().is_classification() && is_number && spelling == Spelling::Text {
                types.insert(signature.target.clone(), Kind::Categorical);
            } else if !model.task().is_classification() && !is_number {
                types.insert(signature.target.clone(), Kind::Float);
            }
        }
        let na = self.read.na.iter().chain(&signature.na).cloned().collect();
        Reading { na, zone: signature.zone.clone(), types }
    }
}

fn answered(model: &Model, table: &Arc<Table>, (fingerprint, mut warnings): (&str, Vec<Warning>)) -> Result<Answers> {
    let predictions = model.bind(table.schema())?.predict(Rows::all(table.block()));
    let target = &model.signature().target;
    let found = table.schema().position(target).map(|p| table.column(p));
    let values = match found {
        Some(column) => targets(model, column)?,
        None => Vec::new(),
    };
    let judged: Vec<u32> = (0..values.len()).filter(|row| values[*row].is_some()).map(|row| row as u32).collect();
    if found.is_none() {
        let message = "the data has no column of this name, so nothing is scored".to_owned();
        warnings.push(Warning::column(Code::MissingTarget, target, message));
    } else if judged.len() < table.n_rows() {
        let message = format!("{} of {} rows have no target", table.n_rows() - judged.len(), table.n_rows());
        warnings.push(Warning::column(Code::MissingTarget, target, message));
    }
    Ok(Answers {
        table: Arc::clone(table),
        fingerprint: fingerprint.to_owned(),
        predictions,
        judged,
        targets: Targets::new(values.into_iter().flatten().collect()),
        warnings,
    })
}

fn targets(model: &Model, column: &Column) -> Result<Vec<Option<f64>>> {
    let told = |why: String| Error::Data(format!("the target `{}`, {why}", model.signature().target));
    Labels::of(model.task()).targets(column).map_err(told)
}

impl Answers {
    /// The judgement on the rows with a target that are in `rows` (ascending); on all of them without. None where there is none.
    pub(crate) fn evaluate(&self, model: &Model, rows: Option<&[u32]>) -> Option<Evaluation> {
        let own = |row: &u32| self.judged.binary_search(row).ok().map(|at| at as u32);
        let places: Vec<u32> = match rows {
            Some(rows) => rows.iter().filter_map(own).collect(),
            None => (0..self.judged.len() as u32).collect(),
        };
        if places.is_empty() {
            return None;
        }
        let rows: Vec<u32> = places.iter().map(|&place| self.judged[place as usize]).collect();
        let (targets, predictions) = (self.targets.take(&places), self.predictions.take(&rows));
        Some(metric::evaluate(model.task(), &targets, &predictions, model.threshold(), false))
    }

    /// The target of a row, as the model codes it.
    pub(crate) fn target(&self, row: u32) -> Option<f64> {
        Some(self.targets.values[self.judged.binary_search(&row).ok()?])
    }

    /// How probabilities agree with what was observed.
    pub(crate) fn reliability(&self, model: &Model) -> Vec<metric::Reliability> {
        metric::reliability(model.task(), &self.targets, &self.predictions.take(&self.judged))
    }
}

/// Metrics of an evaluation by name; those that are not defined are left out.
pub(crate) fn metrics(evaluation: &Evaluation) -> BTreeMap<String, f64> {
    let defined = evaluation.scores.iter().filter(|(_, value)| value.is_finite());
    defined.map(|(metric, value)| (metric.name().to_owned(), *value)).collect()
}
