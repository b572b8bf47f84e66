//! Ids and times of rows, as columns of files have them.

use tabwright_core::block::MISSING_INTEGER;
use tabwright_core::{Column, Kind};
use tabwright_model::levels::shortest;
use tabwright_store::predictions::check_id;
use tabwright_store::time::{self, Micros};

use crate::error::{Error, Result};

/// What is wrong with a row, counted from 0.
pub(crate) type RowProblem = (usize, String);

/// A column that is read beside those of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extra {
    pub(crate) name: String,
    /// Where it stands among the columns that are read.
    pub(crate) position: usize,
}

impl Extra {
    /// The column of ids; if it is read anyway, as it is.
    pub(crate) fn ids(name: &str, expected: &mut Vec<(String, Kind)>) -> Self {
        Extra::find(name, Kind::Text, expected)
    }

    /// The column of times.
    ///
    /// # Errors
    /// If the model reads it, and as something else.
    pub(crate) fn times(name: &str, expected: &mut Vec<(String, Kind)>) -> Result<Self> {
        let found = Extra::find(name, Kind::Timestamp, expected);
        match expected[found.position].1 {
            Kind::Timestamp => Ok(found),
            kind => Err(Error::Config(format!("the column `{name}` is {kind} to the model; times are needed"))),
        }
    }

    fn find(name: &str, kind: Kind, expected: &mut Vec<(String, Kind)>) -> Self {
        let known = expected.iter().position(|(column, _)| column == name);
        let position = known.unwrap_or_else(|| {
            expected.push((name.to_owned(), kind));
            expected.len() - 1
        });
        Extra { name: name.to_owned(), position }
    }
}

/// The text of a cell; nothing where it is missing.
pub(crate) fn text(column: &Column, row: usize) -> Option<String> {
    if column.is_missing(row) {
        return None;
    }
    Some(match column {
        Column::Category(category) => category.get(row)?.to_owned(),
        Column::Integer(values) => values[row].to_string(),
        Column::Timestamp(values) => time::to_text(values[row]),
        Column::Float(values) => shortest(values[row]),
    })
}

/// Ids of predictions.
pub(crate) fn ids(column: &Column, name: &str) -> Result<Vec<String>, RowProblem> {
    let id = |row: usize| {
        let text = text(column, row).ok_or_else(|| (row, format!("the column `{name}` has no id here")))?;
        check_id(&text).map_err(|e| (row, format!("the column `{name}`: {e}")))?;
        Ok(text)
    };
    (0..column.len()).map(id).collect()
}

/// Times of predictions.
pub(crate) fn times(column: &Column, name: &str) -> Result<Vec<Micros>, RowProblem> {
    let Column::Timestamp(values) = column else { return Err((0, format!("the column `{name}` holds no times"))) };
    let at = |(row, at): (usize, &Micros)| match *at {
        MISSING_INTEGER => Err((row, format!("the column `{name}` has no time here"))),
        at if !(0..=time::LAST).contains(&at) => {
            Err((row, format!("the column `{name}`: {} lies before 1970", time::to_text(at))))
        }
        at => Ok(at),
    };
    values.iter().enumerate().map(at).collect()
}
