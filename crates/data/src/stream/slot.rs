//! One expected column of a block: cells to values of a given kind. What is no such value is missing and reported.

use std::sync::Arc;

use tabwright_core::block::MISSING_INTEGER;
use tabwright_core::{Category, Column, Kind, LevelIndex};

use crate::error::shown;
use crate::infer::boolean_levels;
use crate::json::parse::JsonValue;
use crate::missing::{self, trim};
use crate::notes::refusal;
use crate::number::{self, Number};
use crate::part::{self, FALSE, Rules, TRUE, integers_to_floats};
use crate::time;

use super::BadRow;

/// An empty column of a kind, with memory for some rows.
pub(crate) fn begun(kind: Kind, rows: usize) -> Column {
    match kind {
        Kind::Integer => Column::Integer(Vec::with_capacity(rows)),
        Kind::Float => Column::Float(Vec::with_capacity(rows)),
        Kind::Timestamp => Column::Timestamp(Vec::with_capacity(rows)),
        Kind::Boolean => Column::Category(Category { codes: Vec::with_capacity(rows), levels: boolean_levels() }),
        Kind::Categorical | Kind::Text => {
            Column::Category(Category { codes: Vec::with_capacity(rows), levels: Arc::default() })
        }
    }
}

/// Takes the values of a column of a kind away, to begin anew on its memory.
pub(crate) fn clear(column: &mut Column, kind: Kind) {
    match (&mut *column, kind) {
        (Column::Integer(values), Kind::Integer) | (Column::Timestamp(values), Kind::Timestamp) => values.clear(),
        (Column::Float(values), Kind::Float) => values.clear(),
        (Column::Category(category), Kind::Boolean) if Arc::ptr_eq(&category.levels, &boolean_levels()) => {
            category.codes.clear();
        }
        (Column::Category(category), Kind::Categorical | Kind::Text) => {
            category.codes.clear();
            match Arc::get_mut(&mut category.levels) {
                Some(levels) => levels.clear(),
                None => category.levels = Arc::default(),
            }
        }
        // Whole numbers among which there was another.
        _ => *column = begun(kind, 1),
    }
}

/// An expected column to which values are appended.
#[derive(Debug)]
pub(crate) struct Target<'c> {
    /// Its name.
    pub(crate) name: &'c str,
    /// The kind that is expected.
    pub(crate) kind: Kind,
    /// Its values so far.
    pub(crate) column: &'c mut Column,
    /// Finds its levels.
    pub(crate) index: &'c mut LevelIndex,
}

impl Target<'_> {
    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.column.len()
    }

    /// Appends a missing value.
    pub(crate) fn push_missing(&mut self) {
        self.column.push_missing();
    }

    /// Appends a cell. Unquoted ones come trimmed.
    pub(crate) fn push(&mut self, cell: &str, rules: &Rules, bad: &mut Vec<BadRow>) {
        let text = trim(cell);
        if text.is_empty() || rules.na.has(text) {
            return self.push_missing();
        }
        let taken = match &mut *self.column {
            Column::Category(category) if self.kind != Kind::Boolean => return push_level(category, self.index, cell),
            _ if missing::is_token(text.as_bytes()) => return self.push_missing(),
            Column::Integer(_) | Column::Float(_) => {
                number::parse(text.as_bytes()).is_some_and(|number| self.push_number(number))
            }
            Column::Timestamp(values) => time::parse(text.as_bytes(), &rules.zone).map(|t| values.push(t)).is_some(),
            Column::Category(category) => part::forced_boolean(text).map(|b| category.codes.push(b)).is_some(),
        };
        if !taken {
            let kind = if self.kind == Kind::Integer { Kind::Float } else { self.kind };
            bad.push(BadRow {
                row: self.len(),
                column: Some(self.name.to_owned()),
                found: shown(text),
                message: refusal(kind, text).to_owned(),
            });
            self.push_missing();
        }
    }

    /// Appends a value of JSON, which means what its text means in a cell.
    pub(crate) fn push_json(&mut self, value: JsonValue<'_>, rules: &Rules, bad: &mut Vec<BadRow>) {
        match (value, &mut *self.column) {
            (JsonValue::Boolean(value), Column::Category(category))
                if self.kind == Kind::Boolean && rules.na.is_empty() =>
            {
                category.codes.push(if value { TRUE } else { FALSE });
            }
            (value, _) => match super::json::text_of(value) {
                Some(text) => self.push(text, rules, bad),
                None => self.push_missing(),
            },
        }
    }

    /// Appends the exact text of a cell; a blank one is missing.
    pub(crate) fn push_exact(&mut self, cell: &str) {
        match &mut *self.column {
            Column::Category(category) if !trim(cell).is_empty() => push_level(category, self.index, cell),
            _ => self.push_missing(),
        }
    }

    /// Appends a number that is not text; NaN is missing.
    pub(crate) fn push_float(&mut self, value: f64, rules: &Rules, bad: &mut Vec<BadRow>) {
        match &mut *self.column {
            _ if value.is_nan() => self.push_missing(),
            Column::Float(values) if rules.na.is_empty() => {
                values.push(number::canonical_zero(value));
            }
            _ => self.push(number::shortest(value, &mut zmij::Buffer::new()), rules, bad),
        }
    }

    /// Appends a whole number that is not text.
    pub(crate) fn push_integer(&mut self, value: i64, rules: &Rules, bad: &mut Vec<BadRow>) {
        match &mut *self.column {
            Column::Integer(values) if rules.na.is_empty() && value != MISSING_INTEGER => values.push(value),
            _ => self.push(&value.to_string(), rules, bad),
        }
    }

    /// Appends a number to a column of numbers. Any will do where numbers are expected: 39.5 years are an age although only whole
    /// ones were met before.
    pub(crate) fn push_number(&mut self, number: Number) -> bool {
        match (&mut *self.column, number) {
            (_, Number::Overflow) => return false,
            (Column::Integer(values), Number::Integer(value)) => values.push(value),
            (Column::Integer(values), number) => match part::whole(number) {
                Some(value) => values.push(value),
                None => {
                    let mut floats = integers_to_floats(values, values.capacity());
                    floats.push(number.value());
                    *self.column = Column::Float(floats);
                }
            },
            (Column::Float(values), number) => values.push(number.value()),
            _ => return false,
        }
        true
    }
}

/// Levels are mostly known: they are changed, which asks whether others share them, for new ones alone.
fn push_level(category: &mut Category, index: &mut LevelIndex, cell: &str) {
    let code = match index.find(&category.levels, cell) {
        Some(code) => code,
        None => index.push(Arc::make_mut(&mut category.levels), cell),
    };
    category.codes.push(code);
}

/// Collects the values of an expected column.
#[derive(Debug)]
pub(crate) struct Slot {
    name: Arc<str>,
    kind: Kind,
    column: Column,
    index: LevelIndex,
}

impl Slot {
    /// Begins a column.
    pub(crate) fn new(name: impl Into<Arc<str>>, kind: Kind, rows: usize) -> Self {
        Slot { name: name.into(), kind, column: begun(kind, rows), index: LevelIndex::default() }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.column.len()
    }

    /// Where values are appended.
    #[inline]
    pub(crate) fn target(&mut self) -> Target<'_> {
        Target { name: &self.name, kind: self.kind, column: &mut self.column, index: &mut self.index }
    }

    /// Ends the column.
    pub(crate) fn finish(self) -> Column {
        self.column
    }
}

/// Where each expected and each kept column of a block gets its cells from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Route {
    /// For each column of the file, its position among the expected ones.
    pub(crate) expected: Vec<Option<usize>>,
    /// For each column of the file, its positions among the kept ones.
    pub(crate) keep: Vec<Vec<usize>>,
}

impl Route {
    /// Finds the way by names.
    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a str>, request: &super::StreamRequest) -> Self {
        let mut route = Route::default();
        let expected: std::collections::HashMap<&str, usize> =
            request.expected.iter().enumerate().map(|(i, (name, _))| (name.as_str(), i)).collect();
        let mut keep: std::collections::HashMap<&str, Vec<usize>> = std::collections::HashMap::new();
        for (index, name) in request.keep.iter().enumerate() {
            keep.entry(name).or_default().push(index);
        }
        for name in names {
            route.expected.push(expected.get(name).copied());
            route.keep.push(keep.get(name).cloned().unwrap_or_default());
        }
        route
    }
}

/// All columns of a block while it is read.
#[derive(Debug)]
pub(crate) struct Slots {
    /// The expected columns.
    pub(crate) expected: Vec<Slot>,
    /// The kept columns, as exact text.
    pub(crate) keep: Vec<Slot>,
    /// What is wrong.
    pub(crate) bad: Vec<BadRow>,
}

impl Slots {
    /// Begins a block.
    pub(crate) fn new(request: &super::StreamRequest, rows: usize) -> Self {
        Slots {
            expected: request.expected.iter().map(|(name, kind)| Slot::new(name.as_str(), *kind, rows)).collect(),
            keep: request.keep.iter().map(|name| Slot::new(name.as_str(), Kind::Text, rows)).collect(),
            bad: Vec::new(),
        }
    }

    /// Fills up what a row lacks.
    pub(crate) fn fill(&mut self, rows: usize) {
        for slot in self.expected.iter_mut().chain(&mut self.keep) {
            while slot.len() < rows {
                slot.target().push_missing();
            }
        }
    }
}
