//! One expected column of a block: cells to values of a given kind. What is no such value is missing and reported.

use std::sync::Arc;

use tabwright_core::block::{MISSING_CODE, MISSING_INTEGER};
use tabwright_core::{Category, Column, Kind, LevelsBuilder};

use crate::error::shown;
use crate::infer::boolean_levels;
use crate::missing::{self, trim};
use crate::notes::refusal;
use crate::number::{self, Number};
use crate::part::{self, Rules, integers_to_floats};
use crate::time;

use super::BadRow;

/// Collects the values of an expected column.
#[derive(Debug)]
pub(crate) struct Slot {
    name: Arc<str>,
    kind: Kind,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Integer(Vec<i64>),
    Float(Vec<f64>),
    Timestamp(Vec<i64>),
    Boolean(Vec<u32>),
    Text(Vec<u32>, LevelsBuilder),
}

impl Slot {
    /// Begins a column.
    pub(crate) fn new(name: impl Into<Arc<str>>, kind: Kind, rows: usize) -> Self {
        let values = match kind {
            Kind::Integer => Values::Integer(Vec::with_capacity(rows)),
            Kind::Float => Values::Float(Vec::with_capacity(rows)),
            Kind::Timestamp => Values::Timestamp(Vec::with_capacity(rows)),
            Kind::Boolean => Values::Boolean(Vec::with_capacity(rows)),
            Kind::Categorical | Kind::Text => Values::Text(Vec::with_capacity(rows), LevelsBuilder::default()),
        };
        Slot { name: name.into(), kind, values }
    }

    /// Begins a column on the memory of one that was finished, where it is of the same sort.
    pub(crate) fn on(name: Arc<str>, kind: Kind, column: Column) -> Self {
        fn emptied<T>(mut values: Vec<T>) -> Vec<T> {
            values.clear();
            values
        }
        let values = match (kind, column) {
            (Kind::Integer, Column::Integer(v)) => Values::Integer(emptied(v)),
            (Kind::Float, Column::Float(v)) => Values::Float(emptied(v)),
            (Kind::Timestamp, Column::Timestamp(v)) => Values::Timestamp(emptied(v)),
            (Kind::Boolean, Column::Category(c)) => Values::Boolean(emptied(c.codes)),
            (Kind::Categorical | Kind::Text, Column::Category(c)) => {
                let levels = Arc::try_unwrap(c.levels).unwrap_or_default();
                Values::Text(emptied(c.codes), LevelsBuilder::on(levels))
            }
            // Whole numbers among which there was another.
            _ => return Slot::new(name, kind, 1),
        };
        Slot { name, kind, values }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        match &self.values {
            Values::Integer(v) | Values::Timestamp(v) => v.len(),
            Values::Float(v) => v.len(),
            Values::Boolean(v) | Values::Text(v, _) => v.len(),
        }
    }

    /// Appends a missing value.
    pub(crate) fn push_missing(&mut self) {
        match &mut self.values {
            Values::Integer(v) | Values::Timestamp(v) => v.push(MISSING_INTEGER),
            Values::Float(v) => v.push(f64::NAN),
            Values::Boolean(v) | Values::Text(v, _) => v.push(MISSING_CODE),
        }
    }

    /// Appends a cell. Unquoted ones come trimmed.
    pub(crate) fn push(&mut self, cell: &str, rules: &Rules, bad: &mut Vec<BadRow>) {
        let text = trim(cell);
        if text.is_empty() || rules.na.has(text) {
            return self.push_missing();
        }
        if let Values::Text(codes, levels) = &mut self.values {
            codes.push(levels.intern(cell));
            return;
        }
        if missing::is_token(text.as_bytes()) {
            return self.push_missing();
        }
        let taken = match &mut self.values {
            Values::Integer(_) | Values::Float(_) => self.push_number(text),
            Values::Timestamp(v) => time::parse(text.as_bytes(), &rules.zone).map(|t| v.push(t)).is_some(),
            Values::Boolean(v) => part::forced_boolean(text).map(|b| v.push(b)).is_some(),
            Values::Text(..) => true,
        };
        if !taken {
            let kind = if self.kind == Kind::Integer { Kind::Float } else { self.kind };
            bad.push(BadRow {
                row: self.len(),
                column: Some(self.name.to_string()),
                found: shown(text),
                message: refusal(kind, text).to_owned(),
            });
            self.push_missing();
        }
    }

    /// Appends the exact text of a cell; a blank one is missing.
    pub(crate) fn push_exact(&mut self, cell: &str) {
        match &mut self.values {
            Values::Text(codes, levels) if !trim(cell).is_empty() => codes.push(levels.intern(cell)),
            _ => self.push_missing(),
        }
    }

    /// Appends a number that is not text; NaN is missing.
    pub(crate) fn push_float(&mut self, value: f64, rules: &Rules, bad: &mut Vec<BadRow>) {
        match &mut self.values {
            _ if value.is_nan() => self.push_missing(),
            Values::Float(v) if rules.na.is_empty() => v.push(number::canonical_zero(value)),
            _ => self.push(number::shortest(value, &mut zmij::Buffer::new()), rules, bad),
        }
    }

    /// Appends a whole number that is not text.
    pub(crate) fn push_integer(&mut self, value: i64, rules: &Rules, bad: &mut Vec<BadRow>) {
        match &mut self.values {
            Values::Integer(v) if rules.na.is_empty() && value != MISSING_INTEGER => v.push(value),
            _ => self.push(&value.to_string(), rules, bad),
        }
    }

    /// Any number will do where numbers are expected: 39.5 years are an age although only whole ones were met before.
    fn push_number(&mut self, text: &str) -> bool {
        let number = match number::parse(text.as_bytes()) {
            None | Some(Number::Overflow) => return false,
            Some(number) => number,
        };
        match (&mut self.values, number) {
            (Values::Integer(v), Number::Integer(value)) => v.push(value),
            (Values::Integer(v), number) => match part::forced_integer(text) {
                Some(value) => v.push(value),
                None => {
                    let mut floats = integers_to_floats(v, v.capacity());
                    floats.push(number.value());
                    self.values = Values::Float(floats);
                }
            },
            (Values::Float(v), number) => v.push(number.value()),
            _ => return false,
        }
        true
    }

    /// Ends the column.
    pub(crate) fn finish(self) -> Column {
        match self.values {
            Values::Integer(v) => Column::Integer(v),
            Values::Float(v) => Column::Float(v),
            Values::Timestamp(v) => Column::Timestamp(v),
            Values::Boolean(codes) => Column::Category(Category { codes, levels: boolean_levels() }),
            Values::Text(codes, levels) => Column::Category(Category { codes, levels: levels.finish().into() }),
        }
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
                slot.push_missing();
            }
        }
    }
}
