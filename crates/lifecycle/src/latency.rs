//! How long a model takes to answer: one row, and a batch.

use serde::Serialize;
use tabwright_core::{Clock, RowSet, Rows, Table};
use tabwright_model::model::Model;

use crate::error::{Error, Result};

/// Rows that are predicted one by one to measure the time.
pub(crate) const TIMED: usize = 200;
/// Rows of a batch, at most, and how often it is predicted.
const BATCH: (usize, usize) = (10_000, 5);

/// The time that a model takes, in the middle of several measurements.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Milliseconds for one row.
    pub row_ms: f64,
    /// Milliseconds for a batch.
    pub batch_ms: f64,
    /// Rows of the batch.
    pub batch_rows: usize,
}

/// Measures both, on rows of a table.
///
/// # Errors
/// If the model cannot read the rows, or there is none.
pub(crate) fn measure(model: &Model, table: &Table, rows: &[u32], clock: &dyn Clock) -> Result<Latency> {
    let row_ms = of_one_row(model, table, rows, clock)?;
    let batch = &rows[..rows.len().min(BATCH.0)];
    let scorer = model.bind(table.schema())?;
    let once = |_| timed(clock, || drop(scorer.predict(Rows::new(table.block(), RowSet::List(batch)))));
    let batch_ms = median((0..BATCH.1).map(once).collect());
    Ok(Latency { row_ms, batch_ms, batch_rows: batch.len() })
}

/// Milliseconds to predict one row: the median of [`TIMED`].
///
/// # Errors
/// As [`measure`].
pub(crate) fn of_one_row(model: &Model, table: &Table, rows: &[u32], clock: &dyn Clock) -> Result<f64> {
    if rows.is_empty() {
        return Err(Error::Data("there is no row to measure the time with".into()));
    }
    let scorer = model.bind(table.schema())?;
    let one = |row: &u32| timed(clock, || drop(scorer.predict(Rows::new(table.block(), RowSet::List(&[*row])))));
    Ok(median(rows.iter().cycle().take(TIMED).map(one).collect()))
}

fn timed(clock: &dyn Clock, run: impl FnOnce()) -> f64 {
    let started = clock.seconds();
    run();
    (clock.seconds() - started) * 1e3
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
