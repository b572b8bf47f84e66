//! Splits by time: what is earlier trains, what is later tests; equal times stay on one side.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{Cuts, Part, Shares, other_method};
use crate::{Column, Error, Result, Table};

/// A time at which a part begins: whole numbers and timestamps (microseconds) keep their bits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TimeBound {
    /// A whole number, or microseconds since 1970-01-01T00:00:00Z.
    Integer(i64),
    /// A number.
    Float(f64),
}

/// The times of a column, none of them missing.
#[derive(Debug)]
pub(super) enum Times<'a> {
    Integer(&'a [i64]),
    Float(&'a [f64]),
}

impl<'a> Times<'a> {
    /// Reads a column of times.
    ///
    /// # Errors
    /// [`Error::Unusable`] if the column is neither numeric nor a timestamp, or if a time is missing.
    pub(super) fn new(table: &'a Table, position: usize) -> Result<Self> {
        let name = &table.schema().fields()[position].name;
        let column = table.column(position);
        let missing = (0..column.len()).filter(|&row| column.is_missing(row)).count();
        let refuse = |message| Err(Error::Unusable { message });
        match column {
            Column::Category(_) => refuse(format!(
                "the time column `{name}` holds neither timestamps nor numbers; `--type {name}=timestamp` reads it as timestamps"
            )),
            _ if missing > 0 => {
                let first = (0..column.len()).find(|&row| column.is_missing(row)).unwrap_or(0);
                refuse(format!(
                    "the time column `{name}` has {missing} missing values (the first in row {}); a row without a time has no place, leave such rows out or fill them",
                    first + 1
                ))
            }
            Column::Float(values) => Ok(Times::Float(values)),
            Column::Integer(values) | Column::Timestamp(values) => Ok(Times::Integer(values)),
        }
    }

    pub(super) fn compare(&self, a: u32, b: u32) -> Ordering {
        match self {
            Times::Integer(v) => v[a as usize].cmp(&v[b as usize]),
            // −0 and 0 are one time; none is NaN.
            Times::Float(v) => v[a as usize].partial_cmp(&v[b as usize]).unwrap_or(Ordering::Equal),
        }
    }

    fn bound(&self, row: u32) -> TimeBound {
        match self {
            Times::Integer(v) => TimeBound::Integer(v[row as usize]),
            Times::Float(v) => TimeBound::Float(v[row as usize]),
        }
    }

    fn is_from(&self, row: usize, bound: TimeBound) -> bool {
        match (self, bound) {
            (Times::Integer(v), TimeBound::Integer(b)) => v[row] >= b,
            (Times::Integer(v), TimeBound::Float(b)) => v[row] as f64 >= b,
            (Times::Float(v), TimeBound::Integer(b)) => v[row] >= b as f64,
            (Times::Float(v), TimeBound::Float(b)) => v[row] >= b,
        }
    }

    /// The boundary between distinct times that is nearest to a position in rows ordered by time; 0 and the end are
    /// boundaries too.
    pub(super) fn boundary(&self, ordered: &[u32], position: usize) -> usize {
        if position == 0 || position >= ordered.len() {
            return position.min(ordered.len());
        }
        let here = ordered[position];
        let from = ordered.partition_point(|&row| self.compare(row, here) == Ordering::Less);
        let to = ordered.partition_point(|&row| self.compare(row, here) != Ordering::Greater);
        if to - position < position - from { to } else { from }
    }
}

pub(super) fn split(table: &Table, position: usize, shares: Shares, cuts: Option<&Cuts>) -> Result<(Vec<Part>, Cuts)> {
    let times = Times::new(table, position)?;
    let (validation_from, test_from) = match cuts {
        Some(Cuts::Time { validation_from, test_from }) => (*validation_from, *test_from),
        Some(_) => return Err(other_method()),
        None => {
            let mut ordered: Vec<u32> = (0..table.n_rows() as u32).collect();
            ordered.sort_by(|&a, &b| times.compare(a, b));
            bounds(&times, &ordered, shares)
        }
    };
    let from = |row: usize, bound: Option<TimeBound>| bound.is_some_and(|bound| times.is_from(row, bound));
    let part = |row| {
        if from(row, test_from) {
            Part::Test
        } else if from(row, validation_from) {
            Part::Validation
        } else {
            Part::Train
        }
    };
    Ok(((0..table.n_rows()).map(part).collect(), Cuts::Time { validation_from, test_from }))
}

/// The first times of the validation and of the test part. Where equal times leave room for one of the two alone, it is
/// the test part.
fn bounds(times: &Times<'_>, ordered: &[u32], shares: Shares) -> (Option<TimeBound>, Option<TimeBound>) {
    let n = ordered.len();
    let at = |share: f64| times.boundary(ordered, (share * n as f64).round() as usize);
    let mut test = if shares.test > 0.0 { at(shares.train + shares.validation) } else { n };
    if shares.test > 0.0 && test == n && n > 0 {
        let last = ordered[n - 1];
        test = ordered.partition_point(|&row| times.compare(row, last) == Ordering::Less);
    }
    let validation = if shares.validation > 0.0 { at(shares.train).min(test) } else { test };
    let validation = if validation == 0 { test } else { validation };
    let bound = |position: usize| ordered.get(position).map(|&row| times.bound(row));
    (if validation < test { bound(validation) } else { None }, bound(test))
}
