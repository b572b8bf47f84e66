//! `drift`: holds rows against other rows, or against what a model remembers of those that it was trained on.

mod page;

use rayon::prelude::*;
use serde::Serialize;
use tabwright_core::finding::identifier_like;
use tabwright_core::{Context, Event, Field, Role, RowSet, Table, View, Warning};
use tabwright_data::ReadOptions;
use tabwright_model::artifact::Artifact;
use tabwright_monitor::classifier::{Apart, ClassifierOptions, tell_apart};
use tabwright_monitor::drift::{Reference, drift};
use tabwright_monitor::{DriftOptions, DriftReport};

use crate::answer::expected_columns;
use crate::error::{Error, Result};

pub(crate) use page::{columns_of, told_apart};

/// What rows are held against.
#[derive(Debug, Clone, Copy)]
pub enum Against<'a> {
    /// Files, globs, folders.
    Files(&'a [String]),
    /// The reference rows that a model carries, or its summaries where it has none.
    Model(&'a Artifact),
}

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct DriftRequest<'a> {
    /// Files, globs, folders, or `-`.
    pub current: &'a [String],
    /// What they are held against.
    pub against: Against<'a>,
    /// How each column is judged.
    pub options: DriftOptions,
    /// Whether a classifier tries to tell the rows apart as a whole; needs rows to hold them against.
    pub whole: bool,
    /// How files are read.
    pub read: ReadOptions,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Drifted {
    /// Column by column. It drifts, too, where the rows as a whole do.
    #[serde(flatten)]
    pub report: DriftReport,
    /// How well the rows can be told apart as a whole; none where that was not asked for, or there are too few rows.
    pub whole: Option<Apart>,
    /// What reading the files had to say.
    #[serde(skip)]
    pub warnings: Vec<Warning>,
}

/// Reads files and compares them with a reference.
///
/// # Errors
/// From reading, or if there is nothing to compare. Drift is a verdict, not an error.
pub fn compare(request: &DriftRequest<'_>, context: Context<'_>) -> Result<Drifted> {
    let mut read = request.read.clone();
    if let Against::Model(artifact) = request.against {
        if request.whole && artifact.reference().is_none() {
            let message = "this model carries no rows (`train --keep-reference N` keeps some): the rows as a whole can be told apart from \
                           those of a file only";
            return Err(Error::Config(message.into()));
        }
        let signature = artifact.model().signature();
        read.na.extend(signature.na.iter().cloned());
        read.zone.clone_from(&signature.zone);
    }
    context.observer.event(Event::Phase { name: "reading", steps: None });
    let (mut current, mut warnings) = table(request.current, &read, context)?;
    let reference = match request.against {
        Against::Files(files) => {
            let (mut reference, more) = table(files, &read, context)?;
            warnings.extend(more);
            mark_identifiers(&mut reference, &mut current);
            Some(reference)
        }
        Against::Model(artifact) => artifact.reference().cloned(),
    };
    context.observer.event(Event::Phase { name: "comparing", steps: None });
    let report = match (&reference, request.against) {
        (Some(rows), Against::Model(artifact)) => {
            let options = of_inputs(artifact, &request.options);
            drift(Reference::Rows(View::all(rows)), View::all(&current), &options)
        }
        (Some(rows), _) => drift(Reference::Rows(View::all(rows)), View::all(&current), &request.options),
        (None, Against::Model(artifact)) => {
            let options = of_inputs(artifact, &request.options);
            drift(Reference::Summaries(&artifact.evidence.summaries), View::all(&current), &options)
        }
        (None, Against::Files(_)) => unreachable!("invariant: the files of a reference were read"),
    };
    let whole = match &reference {
        Some(rows) if request.whole => {
            let options = ClassifierOptions { seed: request.options.seed, ..ClassifierOptions::default() };
            tell_apart(View::all(rows), View::all(&current), &options)?
        }
        _ => None,
    };
    let mut report = report?;
    report.drift |= whole.as_ref().is_some_and(|apart| apart.drift);
    Ok(Drifted { report, whole, warnings })
}

/// The inputs of a model are compared, unless columns are named.
fn of_inputs(artifact: &Artifact, options: &DriftOptions) -> DriftOptions {
    let mut options = options.clone();
    let read = || expected_columns(artifact.model()).into_iter().map(|(name, _)| name).collect();
    options.columns.get_or_insert_with(read);
    options
}

fn table(sources: &[String], read: &ReadOptions, context: Context<'_>) -> Result<(Table, Vec<Warning>)> {
    let outcome = tabwright_data::read_table(&crate::train::inputs(sources)?, read, context)?;
    Ok((outcome.table, outcome.warnings))
}

/// Marks identifiers in both tables: they have other values whenever the rows are others. The larger table knows which they are.
fn mark_identifiers(a: &mut Table, b: &mut Table) {
    let larger = if a.n_rows() >= b.n_rows() { &*a } else { &*b };
    let rows = RowSet::Range(0, larger.n_rows());
    let fields = larger.schema().fields();
    let is_identifier =
        |(position, field): &(usize, &Field)| identifier_like(field, larger.column(*position), rows).is_some();
    let found = fields.par_iter().enumerate().filter(is_identifier).map(|(_, field)| field.name.clone());
    let names: Vec<String> = found.collect();
    for table in [a, b] {
        for position in names.iter().filter_map(|name| table.schema().position(name)).collect::<Vec<_>>() {
            table.set_role(position, Role::Id);
        }
    }
}
