//! Drift of a window of the log: against the model, against an earlier window, or against rows of a file.

use std::ops::ControlFlow;

use tabwright_core::metric::Predictions as Scores;
use tabwright_core::{Column, Field, Kind, Rows, Schema, Table, Task, View};
use tabwright_learn::fit::answer_names;
use tabwright_model::artifact::Artifact;
use tabwright_monitor::drift::{Reference, drift};
use tabwright_monitor::{DriftOptions, DriftReport};
use tabwright_store::predictions::Labels;
use tabwright_store::time::{self, Micros};

use super::{ReportRequest, Window, read};
use crate::error::Result;

/// What a window is held against.
#[derive(Debug, Clone, Copy)]
pub enum Against<'a> {
    /// The model: its reference rows if it has some, else the summaries that it carries.
    Model,
    /// An earlier window of the log.
    Window(Micros, Micros),
    /// Rows, and what they are called.
    Rows(&'a Table, &'a str),
}

/// What was found and what it was held against; or why nothing was.
pub(in crate::monitor) type Found = ControlFlow<String, (DriftReport, String)>;

/// Compares a window.
///
/// # Errors
/// If the other window cannot be read, or a setting is none.
pub(in crate::monitor) fn of(request: &ReportRequest<'_>, window: &Window, task: &Task, labels: &Labels) -> Result<Found> {
    if window.held.is_empty() {
        return Ok(ControlFlow::Break("nothing was logged".into()));
    }
    let (current, answers) = window.held.with_answers(task)?;
    if current.schema().is_empty() {
        return Ok(ControlFlow::Break("neither inputs nor answers were logged that could be compared".into()));
    }
    let mut options = request.config.monitor.drift_options(request.config.train.seed)?;
    // A setting for a column that is not logged is for other windows.
    options.rules.retain(|name, _| current.schema().position(name).is_some());
    match request.against {
        Against::Model => match request.artifact {
            Some(artifact) => against_model(artifact, &current, &answers, task, options),
            None => {
                let why = "the model is not at hand: register it, name its file with --model, or compare with an earlier time \
                           (--against 14d..7d)";
                Ok(ControlFlow::Break(why.into()))
            }
        },
        Against::Window(from, to) => {
            let earlier = read(request, (from, to), labels)?;
            let name = format!("the log from {} to {}", time::to_seconds(from), time::to_seconds(to));
            if earlier.held.is_empty() {
                return Ok(ControlFlow::Break(format!("nothing was logged in {name}")));
            }
            let (reference, _) = earlier.held.with_answers(task)?;
            compared(Reference::Rows(View::all(&reference)), &current, options, name)
        }
        Against::Rows(rows, name) => {
            let reference = match request.artifact {
                Some(artifact) => match artifact.model().bind(rows.schema()) {
                    Ok(scorer) => with_scores(rows, &scorer.predict(Rows::all(rows.block())), task)?,
                    Err(_) => rows.clone(),
                },
                None => rows.clone(),
            };
            compared(Reference::Rows(View::all(&reference)), &current, options, name.to_owned())
        }
    }
}

fn against_model(
    artifact: &Artifact,
    current: &Table,
    answers: &[String],
    task: &Task,
    mut options: DriftOptions,
) -> Result<Found> {
    if let Some(rows) = artifact.reference() {
        let scores = artifact.model().scorer().predict(Rows::all(rows.block()));
        let reference = with_scores(rows, &scores, task)?;
        let name = format!("{} reference rows of the model", rows.n_rows());
        return compared(Reference::Rows(View::all(&reference)), current, options, name);
    }
    let evidence = &artifact.evidence;
    let summaries = [&evidence.summaries[..], &evidence.answers[..]].concat();
    let is_known = |name: &&String| summaries.iter().any(|summary| summary.name == **name);
    let inputs = current.schema().names().filter(|name| !answers.iter().any(|answer| answer == name));
    let columns = inputs.map(str::to_owned).chain(answers.iter().filter(is_known).cloned()).collect();
    options.columns.get_or_insert(columns);
    let name = "the summaries that the model carries: what they do not tell is approximate".to_owned();
    compared(Reference::Summaries(&summaries), current, options, name)
}

fn compared(reference: Reference<'_>, current: &Table, options: DriftOptions, name: String) -> Result<Found> {
    match drift(reference, View::all(current), &options) {
        Ok(found) => Ok(ControlFlow::Continue((found, name))),
        Err(error @ tabwright_monitor::Error::NothingInCommon { .. }) => Ok(ControlFlow::Break(format!("{name}: {error}"))),
        Err(error) => Err(error.into()),
    }
}

/// Rows with what a model answers to them.
fn with_scores(rows: &Table, scores: &Scores, task: &Task) -> Result<Table> {
    let mut fields = rows.schema().fields().to_vec();
    let mut columns = rows.block().columns().to_vec();
    for (name, output) in answer_names(task) {
        if rows.schema().position(&name).is_none() {
            columns.push(Column::Float((0..scores.n_rows()).map(|row| scores.row(row)[output]).collect()));
            fields.push(Field::feature(name, Kind::Float));
        }
    }
    Ok(Table::new(Schema::new(fields)?, columns)?)
}
