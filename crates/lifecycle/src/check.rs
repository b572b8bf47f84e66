//! `check`: holds files against the data contract of a model.

use tabwright_core::{Context, Event, Warning};
use tabwright_data::ReadOptions;
use tabwright_model::artifact::Artifact;
use tabwright_model::contract::{self, Limits};

use crate::error::Result;

/// What is checked, and how strictly.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// Files, globs, folders, or `-`.
    pub sources: Vec<String>,
    /// What is still no breach.
    pub limits: Limits,
    /// How the files are read.
    pub read: ReadOptions,
}

/// The verdict over some files.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// Rows that were looked at.
    pub rows: usize,
    /// Where the contract is broken.
    pub breaches: Vec<Warning>,
    /// What is different and allowed.
    pub notes: Vec<Warning>,
}

/// Reads files, with kinds inferred afresh, and holds them against the contract of a model.
///
/// # Errors
/// From reading. A broken contract is a verdict, not an error.
pub fn check(artifact: &Artifact, options: &CheckOptions, context: Context<'_>) -> Result<Checked> {
    context.observer.event(Event::Phase { name: "reading", steps: None });
    let inputs = crate::train::inputs(&options.sources)?;
    let signature = artifact.model().signature();
    let mut read = options.read.clone();
    read.na.extend(signature.na.iter().cloned());
    read.zone.clone_from(&signature.zone);
    let outcome = tabwright_data::read_table(&inputs, &read, context)?;
    let summaries = &artifact.evidence.summaries;
    let time = tabwright_data::format_timestamp;
    let verdict = contract::check(artifact.model(), summaries, &outcome.table, options.limits, time);
    let notes = outcome.warnings.into_iter().chain(verdict.notes).collect();
    Ok(Checked { rows: outcome.table.n_rows(), breaches: verdict.breaches, notes })
}
