//! What is logged of predictions: many at a time, in columns.

use std::ops::Range;

use tabwright_core::block::MISSING_INTEGER;
use tabwright_core::{Block, Column, Kind};

use super::schema::LogSchema;
use crate::error::{Error, Result};
use crate::name;
use crate::time::{self, Micros};

/// The longest id of a prediction, in bytes.
pub const LONGEST_ID: usize = 128;

/// The hash of what a model saw in a row: the first 16 bytes of a BLAKE3.
pub type InputHash = [u8; 16];

/// Predictions that are logged together: one element for each in every list, but where an empty list says that nothing is known.
#[derive(Debug, Clone, Copy)]
pub struct Entries<'a> {
    /// Ids, of up to [`LONGEST_ID`] bytes. The same id again is the same prediction.
    pub ids: &'a [&'a str],
    /// When they were made; one time may stand for all.
    pub times: &'a [Micros],
    /// The inputs that the schema names, as the model saw them.
    pub inputs: &'a [&'a Column],
    /// What [`hash_rows`] says of all inputs; if empty, that of the logged ones, and nothing where none are.
    pub hashes: &'a [InputHash],
    /// How many inputs were missing.
    pub missing: &'a [i64],
    /// How many inputs were outside of the range that the model knows.
    pub out_of_range: &'a [i64],
    /// How many inputs had a level that the model does not know.
    pub unseen: &'a [i64],
    /// How long it took, in microseconds; one number may stand for all.
    pub latencies: &'a [i64],
    /// Short texts, joined by commas, empty for none.
    pub flags: &'a [&'a str],
    /// Under which alias the version answered.
    pub alias: Option<&'a str>,
    /// What was predicted: numbers, or classes as a category.
    pub predictions: &'a Column,
    /// The probability of each class.
    pub probabilities: &'a [&'a [f64]],
}

impl<'a> Entries<'a> {
    /// Entries of which no more is known than what each must have.
    pub fn new(ids: &'a [&'a str], times: &'a [Micros], inputs: &'a [&'a Column], predictions: &'a Column) -> Self {
        Entries {
            ids,
            times,
            inputs,
            predictions,
            hashes: &[],
            missing: &[],
            out_of_range: &[],
            unseen: &[],
            latencies: &[],
            flags: &[],
            alias: None,
            probabilities: &[],
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Checks that all fits the schema.
    ///
    /// # Errors
    /// [`Error::Invalid`] says which list or value does not.
    pub(super) fn check(&self, schema: &LogSchema) -> Result<()> {
        let n = self.len();
        let lists = [
            ("times", self.times.len(), self.times.len() == 1),
            ("hashes", self.hashes.len(), self.hashes.is_empty()),
            ("missing", self.missing.len(), self.missing.is_empty()),
            ("out_of_range", self.out_of_range.len(), self.out_of_range.is_empty()),
            ("unseen", self.unseen.len(), self.unseen.is_empty()),
            ("latencies", self.latencies.len(), self.latencies.len() <= 1),
            ("flags", self.flags.len(), self.flags.is_empty()),
            ("predictions", self.predictions.len(), false),
        ];
        if let Some((what, found, _)) = lists.into_iter().find(|(_, len, is_short)| *len != n && !is_short) {
            return Err(length(what, found, n));
        }
        self.ids.iter().try_for_each(|id| check_id(id))?;
        self.times.iter().try_for_each(|at| check_time("a prediction", *at))?;
        self.check_columns(schema, n)
    }

    fn check_columns(&self, schema: &LogSchema, n: usize) -> Result<()> {
        if self.inputs.len() != schema.inputs.len() {
            return Err(length("columns of inputs", self.inputs.len(), schema.inputs.len()));
        }
        for (column, logged) in self.inputs.iter().zip(&schema.inputs) {
            if column.len() != n {
                return Err(length(&format!("rows of the input {}", name::shown(&logged.name)), column.len(), n));
            }
            check_kind(column, logged.kind, || format!("the input {}", name::shown(&logged.name)))?;
        }
        check_kind(self.predictions, schema.outputs.kind(), || "the prediction".to_owned())?;
        let classes = schema.outputs.classes().len();
        if !self.probabilities.is_empty() && self.probabilities.len() != classes {
            return Err(length("columns of probabilities", self.probabilities.len(), classes));
        }
        match self.probabilities.iter().find(|p| p.len() != n) {
            Some(short) => Err(length("rows of probabilities", short.len(), n)),
            None => Ok(()),
        }
    }
}

fn length(what: &str, found: usize, expected: usize) -> Error {
    Error::Invalid(format!("predictions to be logged: there are {found} {what}, {expected} are needed"))
}

/// Checks that a column can have values of a kind; what it is called is asked for only where it cannot.
fn check_kind(column: &Column, kind: Kind, what: impl FnOnce() -> String) -> Result<()> {
    let fits = match column {
        Column::Category(_) => kind.is_coded(),
        Column::Float(_) => kind.is_numeric(),
        Column::Integer(_) => kind.is_numeric() || kind == Kind::Timestamp,
        Column::Timestamp(_) => kind == Kind::Timestamp,
    };
    match fits {
        true => Ok(()),
        false => Err(Error::Invalid(format!(
            "predictions to be logged: {} is not of the kind {} that the log was opened with",
            what(),
            kind.name()
        ))),
    }
}

/// Checks the id of a prediction.
///
/// # Errors
/// [`Error::Name`] says what is wrong with it.
pub fn check_id(id: &str) -> Result<()> {
    let why = if id.is_empty() {
        "it is empty".to_owned()
    } else if id.len() > LONGEST_ID {
        format!("it has {} bytes; {LONGEST_ID} are allowed", id.len())
    } else if id.bytes().any(|b| b.is_ascii_control()) {
        "it has a control character; use letters, digits and signs".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::Name { what: "the prediction id", found: name::shown(id), why })
}

pub(super) fn check_time(what: &str, at: Micros) -> Result<()> {
    match (0..=time::LAST).contains(&at) {
        true => Ok(()),
        false => Err(Error::Invalid(format!(
            "the time of {what} is {at} microseconds since 1970; it must lie between the years 1970 and 9999"
        ))),
    }
}

/// The hash of each row over all columns that a model saw, in their order. Equal values have equal hashes, whether numbers came as
/// integers or as floats, and whatever the other rows are.
pub fn hash_rows(columns: &[&Column], n_rows: usize) -> Vec<InputHash> {
    hash_some(columns, 0..n_rows)
}

/// The hashes of some rows.
pub(super) fn hash_some(columns: &[&Column], rows: Range<usize>) -> Vec<InputHash> {
    let mut bytes = Vec::with_capacity(columns.len() * 16);
    let hash = |row| {
        bytes.clear();
        for column in columns {
            put_cell(column, row, &mut bytes);
        }
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..16]);
        hash
    };
    rows.map(hash).collect()
}

/// The hash of each row of a block.
pub fn hash_block(block: &Block) -> Vec<InputHash> {
    hash_rows(&block.columns().iter().collect::<Vec<_>>(), block.n_rows())
}

/// What a cell adds to the hash of its row: a tag, and the value.
fn put_cell(column: &Column, row: usize, bytes: &mut Vec<u8>) {
    const MISSING: u8 = 0;
    const NUMBER: u8 = 1;
    const LARGE: u8 = 2;
    const TIME: u8 = 3;
    const TEXT: u8 = 4;
    let mut put = |tag: u8, value: &[u8]| {
        bytes.push(tag);
        bytes.extend_from_slice(value);
    };
    match column {
        _ if column.is_missing(row) => put(MISSING, &[]),
        Column::Float(values) => put(NUMBER, &values[row].to_bits().to_le_bytes()),
        Column::Integer(values) => match to_float(values[row]) {
            Some(number) => put(NUMBER, &number.to_bits().to_le_bytes()),
            None => put(LARGE, &values[row].to_le_bytes()),
        },
        Column::Timestamp(values) => put(TIME, &values[row].to_le_bytes()),
        Column::Category(category) => {
            let text = category.get(row).unwrap_or_default();
            put(TEXT, &(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
}

/// Whole numbers up to here are the same as integers and as floats.
const EXACT: i64 = 1 << 53;

/// A whole number as a float, if it is the same there.
pub(super) fn to_float(value: i64) -> Option<f64> {
    (-EXACT..=EXACT).contains(&value).then_some(value as f64)
}

/// A float as a whole number, if it is the same there. Missing is missing; −0 is not 0.
pub(super) fn to_whole(value: f64) -> Option<i64> {
    if value.is_nan() {
        return Some(MISSING_INTEGER);
    }
    let is_same = value.abs() <= EXACT as f64 && value.to_bits() == (value as i64 as f64).to_bits();
    is_same.then_some(value as i64)
}
