//! Generated sample tables: realistic columns with missing values, dates, free text, interactions and noise.
//!
//! A row is a function of the seed and its own number, so a longer table begins with the shorter one. Knows nothing of
//! models.

mod churn;
mod draw;
mod houses;

use std::sync::Arc;

use rayon::prelude::*;
use tabwright_core::block::{MISSING_CODE, MISSING_INTEGER};
use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Category, Column, Error, Field, Kind, LevelsBuilder, Role, Schema, Table, suggest};

use self::draw::Draw;
use crate::error::Result;

/// A table that can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Example {
    /// Customers of a telephone company; `churned` is `yes` or `no`.
    Churn,
    /// Homes that were sold; `price` is a number.
    Houses,
}

impl Example {
    /// Every example, in the order of the documentation.
    pub const ALL: [Example; 2] = [Example::Churn, Example::Houses];

    /// The name that the command line uses.
    pub fn name(self) -> &'static str {
        match self {
            Example::Churn => "churn",
            Example::Houses => "houses",
        }
    }

    /// The column that a model should predict.
    pub fn target(self) -> &'static str {
        match self {
            Example::Churn => "churned",
            Example::Houses => "price",
        }
    }
}

impl std::fmt::Display for Example {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Example {
    type Err = Error;

    /// Reads a name in any case.
    ///
    /// # Errors
    /// [`Error::UnknownName`], with the nearest name.
    fn from_str(text: &str) -> std::result::Result<Self, Error> {
        let names = Example::ALL.map(Example::name);
        Example::ALL.into_iter().find(|e| e.name().eq_ignore_ascii_case(text.trim())).ok_or_else(|| {
            Error::UnknownName {
                what: "example",
                found: text.to_owned(),
                hint: suggest::did_you_mean(text, names),
                allowed: names.join(", "),
            }
        })
    }
}

/// Generates a table of `rows` rows; the id and the target have their roles, all else is a feature.
///
/// # Determinism
/// Row `i` depends on `seed` and `i` alone, to the last bit.
pub fn generate(example: Example, rows: usize, seed: u64) -> Table {
    let key = Keyed::new(seed, Purpose::Example).child(example as u64);
    let mut columns = Columns::default();
    match example {
        Example::Churn => {
            churn::columns(&draw_rows(rows, |row| churn::Customer::draw(Draw::new(key, row))), &mut columns)
        }
        Example::Houses => {
            houses::columns(&draw_rows(rows, |row| houses::Home::draw(Draw::new(key, row))), &mut columns)
        }
    }
    columns.finish(example.target())
}

/// Generates a table and writes it to a path, or to standard output for `-`; the format follows from the name.
///
/// # Errors
/// If the name tells no format, or the file cannot be written.
pub fn write(example: Example, rows: usize, seed: u64, output: &str) -> Result<()> {
    Ok(tabwright_data::write_table(&generate(example, rows, seed), output, None)?)
}

fn draw_rows<R: Send>(rows: usize, draw: impl Fn(u64) -> R + Sync + Send) -> Vec<R> {
    (0..rows as u64).into_par_iter().map(draw).collect()
}

/// Collects named columns; `None` is a missing value.
#[derive(Debug, Default)]
struct Columns {
    fields: Vec<Field>,
    columns: Vec<Column>,
}

impl Columns {
    fn push(&mut self, name: &str, kind: Kind, column: Column) {
        self.fields.push(Field::feature(name, kind));
        self.columns.push(column);
    }

    fn float(&mut self, name: &str, values: impl Iterator<Item = Option<f64>>) {
        self.push(name, Kind::Float, Column::Float(values.map(|v| v.unwrap_or(f64::NAN)).collect()));
    }

    fn integer(&mut self, name: &str, values: impl Iterator<Item = Option<i64>>) {
        self.push(name, Kind::Integer, Column::Integer(values.map(|v| v.unwrap_or(MISSING_INTEGER)).collect()));
    }

    /// Days since 1970-01-01.
    fn date(&mut self, name: &str, days: impl Iterator<Item = i64>) {
        const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;
        self.push(name, Kind::Timestamp, Column::Timestamp(days.map(|d| d * MICROSECONDS_PER_DAY).collect()));
    }

    fn boolean(&mut self, name: &str, values: impl Iterator<Item = bool>) {
        self.strings(name, Kind::Boolean, values.map(|v| Some(if v { "true" } else { "false" })));
    }

    /// Levels or texts.
    fn strings<S: AsRef<str>>(&mut self, name: &str, kind: Kind, values: impl Iterator<Item = Option<S>>) {
        let mut builder = LevelsBuilder::default();
        let codes = values.map(|v| v.map_or(MISSING_CODE, |s| builder.intern(s.as_ref()))).collect();
        self.push(name, kind, Column::Category(Category { codes, levels: Arc::new(builder.finish()) }));
    }

    /// The table; its first column is the id.
    fn finish(mut self, target: &str) -> Table {
        for (position, field) in self.fields.iter_mut().enumerate() {
            if position == 0 {
                field.role = Role::Id;
            } else if field.name == target {
                field.role = Role::Target;
            }
        }
        let schema = Schema::new(self.fields).expect("invariant: the names of an example are distinct");
        Table::new(schema, self.columns).expect("invariant: every column of an example has a value per row")
    }
}

#[cfg(test)]
mod tests;
