//! Rows that do not lie in a file: those of a request, put together value by value by the rules of a stream, so that they are
//! what the same rows of a file would be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tabwright_core::{Block, Column, Kind, LevelIndex, suggest};

use crate::error::shown;
use crate::json::parse::{JsonKind, JsonProblem, JsonReader, JsonValue};
use crate::part::Rules;
use crate::read::rules;
use crate::{ReadOptions, Result};

use super::BadRow;
use super::slot::{Target, begun, clear};

/// Names that nobody asked for and that are remembered, in case one of them was meant for a column that is missing.
const MOST_OTHERS: usize = 64;

/// Rows whose memory is kept for the next ones, at most: those of a request, not of a file.
const FEW_ROWS: usize = 64;
/// Sets of columns that are kept, at most: as many as there may be requests at a time.
const MOST_SPARE: usize = 32;

/// The columns that rows are to have. Made once for a model, and shared by all that read rows for it.
#[derive(Debug)]
pub struct RowShape {
    expected: Vec<(Arc<str>, Kind)>,
    /// Whether the name of each stands in JSON as it is, without escapes.
    is_plain: Vec<bool>,
    positions: HashMap<Arc<str>, usize>,
    rules: Rules,
    /// Empty columns whose memory is used again, in sets of all expected ones.
    spare: Mutex<Vec<Vec<Column>>>,
}

impl RowShape {
    /// Columns with their kinds, and how their text is read.
    ///
    /// # Errors
    /// If the time zone is none.
    pub fn new<'a>(expected: impl IntoIterator<Item = (&'a str, Kind)>, options: &ReadOptions) -> Result<Self> {
        let expected: Vec<(Arc<str>, Kind)> = expected.into_iter().map(|(name, kind)| (name.into(), kind)).collect();
        let positions = expected.iter().enumerate().map(|(i, (name, _))| (Arc::clone(name), i)).collect();
        let is_plain = |name: &str| !name.bytes().any(|b| b < 0x20 || matches!(b, b'"' | b'\\'));
        let is_plain = expected.iter().map(|(name, _)| is_plain(name)).collect();
        Ok(RowShape { expected, is_plain, positions, rules: rules(options)?, spare: Mutex::default() })
    }

    /// The columns, in order.
    pub fn expected(&self) -> &[(Arc<str>, Kind)] {
        &self.expected
    }

    /// Takes back the columns of a few rows that nobody needs any more: the next rows are read into their memory.
    pub fn give_back(&self, block: Block) {
        if block.n_rows() > FEW_ROWS || block.columns().len() != self.expected.len() {
            return;
        }
        let mut columns = block.into_columns();
        for ((_, kind), column) in self.expected.iter().zip(&mut columns) {
            clear(column, *kind);
        }
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MOST_SPARE {
            spare.push(columns);
        }
    }

    fn columns(&self, n_rows: usize) -> Vec<Column> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| self.expected.iter().map(|(_, kind)| begun(*kind, n_rows)).collect())
    }

    /// Where a column stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }
}

/// Collects rows.
#[derive(Debug)]
pub struct RowBuilder<'s> {
    shape: &'s RowShape,
    columns: Vec<Column>,
    indices: Vec<LevelIndex>,
    bad: Vec<BadRow>,
    rows: usize,
    /// Expected columns that the row which is being read has a value for.
    filled: usize,
    /// Which of the expected columns were met in any row.
    met: Vec<bool>,
    others: Vec<String>,
    keep: Keep,
    key: String,
    value: String,
    most_columns: usize,
    is_too_wide: bool,
}

/// The columns that are carried through.
#[derive(Debug)]
struct Keep {
    names: Vec<String>,
    /// A column may be there twice: among those to keep, and as that of the ids.
    indices: HashMap<String, Vec<usize>>,
    values: Vec<Vec<Option<String>>>,
    /// Which of them were met in any row.
    met: Vec<bool>,
}

impl Keep {
    fn new(names: &[String]) -> Self {
        let mut indices: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, name) in names.iter().enumerate() {
            indices.entry(name.clone()).or_default().push(index);
        }
        Keep { names: names.to_vec(), indices, values: vec![Vec::new(); names.len()], met: vec![false; names.len()] }
    }

    /// Takes a value as it is written, if it is of a column to keep and the first of its row.
    fn take(&mut self, key: &str, written: &str, row: usize) {
        let Some(indices) = self.indices.get(key) else { return };
        let written = written.trim();
        for &index in indices {
            self.met[index] = true;
            if self.values[index].len() == row {
                self.values[index].push((written != "null").then(|| written.to_owned()));
            }
        }
    }

    fn end_row(&mut self, rows: usize) {
        for values in &mut self.values {
            values.resize(rows, None);
        }
    }
}

/// Rows that were collected.
#[derive(Debug)]
pub struct ReadRows {
    /// The expected columns, in order.
    pub block: Block,
    /// For each column to keep, its values as they were written in JSON; nothing where a row lacks it or has null there.
    pub kept: Vec<Vec<Option<String>>>,
    /// What is wrong, in the order of the rows. A row may occur more than once.
    pub bad: Vec<BadRow>,
}

impl<'s> RowBuilder<'s> {
    /// Begins some rows. `keep` names columns to carry through; `n_rows` is a guess.
    pub fn new(shape: &'s RowShape, keep: &[String], n_rows: usize) -> Self {
        RowBuilder {
            shape,
            columns: shape.columns(n_rows),
            indices: vec![LevelIndex::default(); shape.expected.len()],
            bad: Vec::new(),
            rows: 0,
            filled: 0,
            met: vec![false; shape.expected.len()],
            others: Vec::new(),
            keep: Keep::new(keep),
            key: String::new(),
            value: String::new(),
            most_columns: usize::MAX,
            is_too_wide: false,
        }
    }

    /// Refuses rows with more columns.
    #[must_use]
    pub fn most_columns(mut self, most: usize) -> Self {
        self.most_columns = most;
        self
    }

    /// Whether a row had too many columns.
    pub fn is_too_wide(&self) -> bool {
        self.is_too_wide
    }

    /// How many rows there are so far.
    pub fn n_rows(&self) -> usize {
        self.rows
    }

    /// Reads an object, one row. What is wrong with a value makes the row bad.
    ///
    /// # Errors
    /// [`JsonProblem`] if it is no JSON: nothing after it can be read.
    pub fn push_object(&mut self, reader: &mut JsonReader<'_>) -> Result<(), JsonProblem> {
        let mut key = std::mem::take(&mut self.key);
        let outcome = self.read_members(reader, &mut key);
        self.key = key;
        self.end_row();
        outcome
    }

    /// Most callers name the columns in one order: the next key is compared with the next name before it is looked at.
    fn read_members(&mut self, reader: &mut JsonReader<'_>, scratch: &mut String) -> Result<(), JsonProblem> {
        let shape = self.shape;
        let (mut next, mut columns) = (0, 0);
        let mut has_more = reader.open_object()?;
        while has_more {
            columns += 1;
            if columns > self.most_columns {
                self.is_too_wide = true;
                return Err(reader.problem(&format!("a row has more than {} columns", self.most_columns)));
            }
            match shape.expected.get(next) {
                Some((name, _)) if shape.is_plain[next] && reader.take_key(name)? => {
                    self.read(reader, Some(next), name)?;
                    next += 1;
                }
                _ => {
                    let key = reader.key(scratch)?;
                    let position = shape.position(key);
                    if let Some(position) = position {
                        next = position + 1;
                    } else if self.others.len() < MOST_OTHERS && self.rows == 0 {
                        self.others.push(key.to_owned());
                    }
                    self.read(reader, position, key)?;
                }
            }
            has_more = reader.next_member()?;
        }
        Ok(())
    }

    /// Appends a row that is none.
    pub fn push_unusable(&mut self, found: &str, message: &str) {
        self.refuse(None, shown(found), message.to_owned());
        self.end_row();
    }

    /// Reads an array, one row, whose values belong to columns of the given positions.
    ///
    /// # Errors
    /// As [`RowBuilder::push_object`].
    pub fn push_array(
        &mut self,
        reader: &mut JsonReader<'_>,
        names: &[String],
        positions: &[Option<usize>],
    ) -> Result<(), JsonProblem> {
        let mut index = 0;
        let outcome = reader.array(|reader| {
            let at = index;
            index += 1;
            match names.get(at) {
                Some(name) => self.read(reader, positions[at], name),
                None => reader.skip(),
            }
        });
        if index != names.len() {
            let message = format!("the row has {index} values for {} columns", names.len());
            self.refuse(None, String::new(), message);
        }
        self.end_row();
        outcome
    }

    /// Notes the names of columns that come in another way, in case one of them was meant for a column that is missing.
    pub fn remember(&mut self, names: &[String]) {
        let others = names.iter().filter(|name| self.shape.position(name).is_none());
        self.others.extend(others.take(MOST_OTHERS).cloned());
    }

    /// Appends a value to a column, for callers that come column by column; [`RowBuilder::end_columns`] ends the rows.
    pub fn push(&mut self, position: usize, value: JsonValue<'_>) {
        let rules = &self.shape.rules;
        let (mut target, bad) = self.target(position);
        target.push_json(value, rules, bad);
    }

    /// Appends a number to a column; NaN is missing.
    pub fn push_float(&mut self, position: usize, value: f64) {
        let rules = &self.shape.rules;
        let (mut target, bad) = self.target(position);
        target.push_float(value, rules, bad);
    }

    /// Appends a whole number to a column.
    pub fn push_integer(&mut self, position: usize, value: i64) {
        let rules = &self.shape.rules;
        let (mut target, bad) = self.target(position);
        target.push_integer(value, rules, bad);
    }

    /// A column that is met, and where complaints about its values go.
    fn target(&mut self, position: usize) -> (Target<'_>, &mut Vec<BadRow>) {
        self.met[position] = true;
        let (name, kind) = &self.shape.expected[position];
        let (column, index) = (&mut self.columns[position], &mut self.indices[position]);
        (Target { name, kind: *kind, column, index }, &mut self.bad)
    }

    /// Says how many rows the columns have. Columns that were never met get missing values.
    pub fn end_columns(&mut self, n_rows: usize) {
        self.rows = n_rows;
        for column in &mut self.columns {
            while column.len() < n_rows {
                column.push_missing();
            }
        }
    }

    /// Makes the row that is being read bad.
    pub fn refuse(&mut self, column: Option<&str>, found: String, message: String) {
        self.bad.push(BadRow { row: self.rows, column: column.map(str::to_owned), found, message });
    }

    /// The expected columns that no row has.
    pub fn missing(&self) -> Vec<&str> {
        let absent = self.shape.expected.iter().zip(&self.met).filter(|(_, met)| !**met);
        absent.map(|((name, _), _)| &**name).collect()
    }

    /// The name that may have been meant for one that is missing, as messages have it; empty if there is none.
    pub fn hint(&self, missing: &str) -> String {
        suggest::did_you_mean(missing, self.others.iter().map(String::as_str))
    }

    /// The first of the columns to keep that no row has. A row whose value is null has it.
    pub fn not_kept(&self) -> Option<&str> {
        self.keep.met.iter().position(|met| !met).map(|index| self.keep.names[index].as_str())
    }

    /// Ends the rows.
    ///
    /// # Errors
    /// If columns differ in length.
    pub fn finish(self) -> Result<ReadRows> {
        let mut bad = self.bad;
        bad.sort_by_key(|b| b.row);
        Ok(ReadRows { block: Block::new(self.columns, self.rows)?, kept: self.keep.values, bad })
    }

    fn read(&mut self, reader: &mut JsonReader<'_>, position: Option<usize>, key: &str) -> Result<(), JsonProblem> {
        let start = reader.at();
        match position {
            Some(position) if self.read_number(reader, position) => {}
            _ if matches!(reader.kind()?, Some(JsonKind::Object | JsonKind::Array)) => {
                reader.skip()?;
                if let Some(position) = position {
                    self.met[position] = true;
                }
                if position.is_some() || self.keep.indices.contains_key(key) {
                    let message = "nested; a column holds plain values, so flatten it to columns of their own";
                    self.refuse(Some(key), shown(reader.since(start)), message.to_owned());
                }
            }
            Some(position) => {
                let mut scratch = std::mem::take(&mut self.value);
                let outcome = reader.value(&mut scratch).map(|value| self.take(position, value));
                self.value = scratch;
                outcome?;
            }
            None => drop(reader.value(&mut self.value)?),
        }
        self.keep.take(key, reader.since(start), self.rows);
        Ok(())
    }

    /// Reads a number of a column of numbers in one go, if it is short and no number means "missing": what it is written as need
    /// not be looked at again.
    fn read_number(&mut self, reader: &mut JsonReader<'_>, position: usize) -> bool {
        let column = &self.columns[position];
        let is_first = column.len() == self.rows;
        if !is_first || !self.shape.rules.na.is_empty() || !matches!(column, Column::Integer(_) | Column::Float(_)) {
            return false;
        }
        let Some(number) = reader.short_number() else { return false };
        self.filled += 1;
        self.target(position).0.push_number(number)
    }

    fn take(&mut self, position: usize, value: JsonValue<'_>) {
        if self.columns[position].len() > self.rows {
            self.met[position] = true;
            let name = Arc::clone(&self.shape.expected[position].0);
            return self.refuse(Some(&name), String::new(), "there twice in one row".to_owned());
        }
        self.filled += 1;
        self.push(position, value);
    }

    fn end_row(&mut self) {
        self.rows += 1;
        if self.filled < self.columns.len() {
            for column in self.columns.iter_mut().filter(|column| column.len() < self.rows) {
                column.push_missing();
            }
        }
        self.filled = 0;
        self.keep.end_row(self.rows);
    }
}

#[cfg(test)]
mod tests;
