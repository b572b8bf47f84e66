//! Drift of a window of the log: against the model, against an earlier window, or against rows of a file.

use std::ops::ControlFlow;

use tabwright_core::metric::Predictions as Scores;
use tabwright_core::{Column, Field, Kind, Rows, Schema, Table, Task, View};
use tabwright_learn::fit::answer_names;
use tabwright_model::artifact::Artifact;
use tabwright_monitor::classifier::{Apart, ClassifierOptions, tell_apart};
use tabwright_monitor::drift::{Reference, drift};
use tabwright_monitor::{DriftOptions, DriftReport};
use tabwright_report::text::counted;
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

/// What was found, column by column and for whole rows where that was asked for, and what it was held against.
#[derive(Debug)]
pub(in crate::monitor) struct Compared {
    pub(in crate::monitor) report: DriftReport,
    pub(in crate::monitor) whole: Option<Apart>,
    pub(in crate::monitor) against: String,
}

/// What was found; or why nothing was.
pub(in crate::monitor) type Found = ControlFlow<String, Compared>;

/// Predictions below which nothing is told: single rows differ from anything.
const FEWEST: usize = 30;

/// Compares a window.
///
/// # Errors
/// If the other window cannot be read, or a setting is none.
pub(in crate::monitor) fn of(
    request: &ReportRequest<'_>,
    window: &Window,
    task: &Task,
    labels: &Labels,
) -> Result<Found> {
    if window.held.is_empty() {
        return Ok(ControlFlow::Break("nothing was logged".into()));
    }
    if window.held.len() < FEWEST {
        let rows = counted(window.held.len(), "prediction");
        return Ok(ControlFlow::Break(format!("{rows}: too few to tell; {FEWEST} are needed")));
    }
    let inputs = &window.held.inputs;
    let (current, answers) = window.held.with_answers(task)?;
    if current.schema().is_empty() {
        return Ok(ControlFlow::Break("neither inputs nor answers were logged that could be compared".into()));
    }
    let mut options = request.config.monitor.drift_options(request.config.train.seed)?;
    // A setting for a column that is not logged is for other windows.
    options.rules.retain(|name, _| current.schema().position(name).is_some());
    match request.against {
        Against::Model => match request.artifact {
            Some(artifact) => against_model(artifact, (&current, inputs, &answers), task, options, request.whole),
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
            compared(Reference::Rows(View::all(&reference)), (&current, inputs), &options, (name, request.whole))
        }
        Against::Rows(rows, name) => {
            let reference = match request.artifact {
                Some(artifact) => match artifact.model().bind(rows.schema()) {
                    Ok(scorer) => with_scores(rows, &scorer.predict(Rows::all(rows.block())), task)?,
                    Err(_) => rows.clone(),
                },
                None => rows.clone(),
            };
            compared(
                Reference::Rows(View::all(&reference)),
                (&current, inputs),
                &options,
                (name.to_owned(), request.whole),
            )
        }
    }
}

fn against_model(
    artifact: &Artifact,
    (current, inputs, answers): (&Table, &Table, &[String]),
    task: &Task,
    mut options: DriftOptions,
    whole: bool,
) -> Result<Found> {
    if let Some(rows) = artifact.reference() {
        let scores = artifact.model().scorer().predict(Rows::all(rows.block()));
        let reference = with_scores(rows, &scores, task)?;
        let name = format!("{} reference rows of the model", rows.n_rows());
        return compared(Reference::Rows(View::all(&reference)), (current, inputs), &options, (name, whole));
    }
    let evidence = &artifact.evidence;
    let summaries = [&evidence.summaries[..], &evidence.answers[..]].concat();
    let is_known = |name: &&String| summaries.iter().any(|summary| summary.name == **name);
    let own = current.schema().names().filter(|name| !answers.iter().any(|answer| answer == name));
    let columns = own.map(str::to_owned).chain(answers.iter().filter(is_known).cloned()).collect();
    options.columns.get_or_insert(columns);
    let name = "the summaries that the model carries: what they do not tell is approximate".to_owned();
    compared(Reference::Summaries(&summaries), (current, inputs), &options, (name, whole))
}

fn compared(
    reference: Reference<'_>,
    (current, inputs): (&Table, &Table),
    options: &DriftOptions,
    (against, asks_for_whole): (String, bool),
) -> Result<Found> {
    let mut report = match drift(reference, View::all(current), options) {
        Ok(report) => report,
        Err(error @ tabwright_monitor::Error::NothingInCommon { .. }) => {
            return Ok(ControlFlow::Break(format!("{against}: {error}")));
        }
        Err(error) => return Err(error.into()),
    };
    let whole = match reference {
        Reference::Rows(rows) if asks_for_whole && !inputs.schema().is_empty() => {
            let options = ClassifierOptions { seed: options.seed, ..ClassifierOptions::default() };
            tell_apart(rows, View::all(inputs), &options)?
        }
        _ => None,
    };
    let against = match whole.is_none() && asks_for_whole {
        true => format!("{against} (whole rows could not be told apart: that needs enough rows on both sides)"),
        false => against,
    };
    report.drift |= whole.as_ref().is_some_and(|apart| apart.drift);
    Ok(ControlFlow::Continue(Compared { report, whole, against }))
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
