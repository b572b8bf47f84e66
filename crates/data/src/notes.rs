//! What is said about the columns of a table that was read: warnings, and the errors that only all rows can tell.

use tabwright_core::{Code, Kind, Warning};

use crate::assemble::Finished;
use crate::error::{Place, shown};
use crate::infer::Note;
use crate::{Error, Result};

/// What a literal such as `1e400` is.
const BEYOND: &str = "beyond the range of numbers (about ±1.8e308)";

/// The rows whose places are to be named, ascending.
pub(crate) fn rows(finished: &[Finished]) -> Vec<usize> {
    let mut rows: Vec<usize> = Vec::new();
    for column in finished {
        rows.extend(column.refused.as_ref().map(|(row, _)| *row));
        rows.extend(column.large.map(|(row, _)| row));
        rows.extend(column.notes.iter().filter_map(|note| match note {
            Note::NearlyNumeric { row, .. } | Note::Infinite { row, .. } | Note::Overflow { row, .. } => Some(*row),
            Note::AllMissing | Note::MixedDates { .. } => None,
        }));
    }
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// Says what is to be said about a column; `place` knows where a row stands.
///
/// # Errors
/// [`Error::Cell`] for a cell that is not of the kind asked for, or beyond the range of numbers.
pub(crate) fn say(column: &Finished, place: impl Fn(usize) -> Place, warnings: &mut Vec<Warning>) -> Result<()> {
    let (name, kind) = (&column.name, column.kind);
    if let Some((row, text)) = &column.refused {
        return Err(Error::Cell {
            place: Box::new(place(*row).in_column(name)),
            found: shown(text),
            problem: refusal(kind, text).to_owned(),
            advice: format!(
                "the column is to be read as {kind}: mend the cell, name it with --na, or choose another type"
            ),
        });
    }
    for note in &column.notes {
        let (code, message) = match note {
            Note::Overflow { row, text } => {
                let advice = "mend the cell, name it with --na, or read the column as text with --type";
                return Err(Error::Cell {
                    place: Box::new(place(*row).in_column(name)),
                    found: shown(text),
                    problem: BEYOND.to_owned(),
                    advice: format!("{advice} '{name}=categorical'"),
                });
            }
            Note::AllMissing => (Code::AllMissing, format!("column `{name}` has no value at all")),
            Note::NearlyNumeric { row, text, share } => {
                let (percent, place, text) = (100.0 * share, place(*row), shown(text));
                let advice = format!("if that means a missing value, say --na '{text}'");
                let message = format!(
                    "column `{name}` is {percent:.1}% numbers but is read as {kind}, since {place} has `{text}`; {advice}"
                );
                (Code::NearlyNumeric, message)
            }
            Note::MixedDates { first, second } => {
                let dates = format!("`{}`, `{}`", shown(first), shown(second));
                let message = format!(
                    "column `{name}` mixes formats of dates ({dates}) and is read as {kind}; bring them to one, such as 2024-01-31"
                );
                (Code::MixedDates, message)
            }
            Note::Infinite { row, text } => {
                let message =
                    format!("column `{name}` holds infinite numbers (`{}`, {} is the first)", shown(text), place(*row));
                (Code::Infinite, message)
            }
        };
        warnings.push(Warning::column(code, name, message));
    }
    if let Some((row, bytes)) = column.large {
        let megabytes = bytes as f64 / f64::from(1 << 20);
        let message = format!("column `{name}` has a cell of {megabytes:.1} MB ({})", place(row));
        warnings.push(Warning::column(Code::LargeCell, name, message));
    }
    Ok(())
}

/// What is wrong with a cell that is not of the kind asked for.
pub(crate) fn refusal(kind: Kind, text: &str) -> &'static str {
    let is_number = || crate::number::parse(text.as_bytes()).is_some();
    match kind {
        Kind::Integer if is_number() => "not a whole number (or beyond 64 bits)",
        Kind::Integer => "not a whole number",
        Kind::Float if is_number() => BEYOND,
        Kind::Float => "not a number",
        Kind::Boolean => "neither true nor false",
        Kind::Timestamp => "not an ISO 8601 date or time (such as 2024-01-31 or 2024-01-31T10:11:12Z)",
        Kind::Categorical | Kind::Text => "not text",
    }
}
