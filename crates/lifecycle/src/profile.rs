//! `profile`: a look at a table before anything is learned from it.

use serde::Serialize;
use tabwright_core::summary::{self, ColumnSummary};
use tabwright_core::{Context, Event, Role, Task, View, Warning, finding};
use tabwright_learn::target;

use crate::config::Config;
use crate::error::Result;

/// What a table looks like.
#[derive(Debug, Clone, Serialize)]
pub struct Profile {
    /// Number of rows.
    pub rows: usize,
    /// Every column, in the order of the table.
    pub columns: Vec<ColumnSummary>,
    /// The target, if one was named.
    pub target: Option<String>,
    /// The task that follows from it.
    pub task: Option<Task>,
    /// What is odd.
    pub findings: Vec<Warning>,
}

/// Reads the sources of a configuration and looks at them.
///
/// # Errors
/// From reading, or for a target that is not there.
pub fn profile(config: &Config, context: Context<'_>) -> Result<Profile> {
    crate::train::with_threads(config.train.threads, || {
        context.observer.event(Event::Phase { name: "reading", steps: None });
        let inputs = crate::train::inputs(&config.data.source)?;
        let mut outcome = tabwright_data::read_table(&inputs, &config.data.read_options()?, context)?;
        context.observer.event(Event::Phase { name: "summarising", steps: None });
        let target = match config.data.target.as_str() {
            "" => None,
            name => Some(outcome.table.schema().require(name)?),
        };
        if let Some(target) = target {
            outcome.table.set_role(target, Role::Target);
        }
        let columns = summary::summarize_view(View::all(&outcome.table));
        let (task, mut found) = look(&outcome.table, target, config)?;
        let mut findings = outcome.warnings;
        // What the reader has said of a column is not said again.
        found.retain(|f| !findings.iter().any(|known| known.code == f.code && known.column == f.column));
        findings.append(&mut found);
        let rows = outcome.table.n_rows();
        let target = target.map(|t| outcome.table.schema().fields()[t].name.clone());
        Ok(Profile { rows, columns, target, task, findings })
    })
}

/// Findings; those that need a target are looked for among the rows that have one.
fn look(table: &tabwright_core::Table, target: Option<usize>, config: &Config) -> Result<(Option<Task>, Vec<Warning>)> {
    let Some(position) = target else { return Ok((None, finding::findings(View::all(table), None, None))) };
    let rows = target::rows_with_target(table.column(position));
    let own;
    let table = if rows.len() == table.n_rows() {
        table
    } else {
        own = table.take(&rows);
        &own
    };
    let field = &table.schema().fields()[position];
    let (task, _) =
        target::resolve(field, table.column(position), config.data.task_name()?, config.data.positive_label())?;
    let found = finding::findings(View::all(table), Some(position), Some(&task));
    Ok((Some(task), found))
}
