//! What the tests share: files that live as long as their folder, and columns in a form that is easy to compare.

use proptest::prelude::*;
use tabwright_core::{Category, Column, Context, Field, Kind, Schema, Table};

use crate::{Error, Input, ReadOptions, ReadOutcome, Result, read_table, resolve_inputs};

/// A folder with files.
#[derive(Debug)]
pub(crate) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Files { folder: tempfile::tempdir().unwrap() }
    }

    /// The path of a name.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Writes a file and resolves it.
    pub(crate) fn add(&self, name: &str, content: impl AsRef<[u8]>) -> Vec<Input> {
        std::fs::write(self.path(name), content).unwrap();
        self.input(name)
    }

    /// Resolves a name.
    pub(crate) fn input(&self, name: &str) -> Vec<Input> {
        resolve_inputs(&[self.path(name)]).unwrap()
    }

    /// The names of all files, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// Reads content under a name, which tells the format.
pub(crate) fn read_as(name: &str, content: impl AsRef<[u8]>, options: &ReadOptions) -> Result<ReadOutcome> {
    let files = Files::new();
    read_table(&files.add(name, content), options, Context::silent())
}

/// Reads a CSV that must be readable.
pub(crate) fn csv(content: impl AsRef<[u8]>) -> ReadOutcome {
    read_as("t.csv", content, &ReadOptions::default()).unwrap()
}

/// Reads a CSV that must not be readable.
pub(crate) fn csv_error(content: impl AsRef<[u8]>) -> Error {
    read_as("t.csv", content, &ReadOptions::default()).unwrap_err()
}

/// The kinds of all columns, by name.
pub(crate) fn kinds(outcome: &ReadOutcome) -> Vec<(&str, &str)> {
    outcome.table.schema().fields().iter().map(|f| (f.name.as_str(), f.kind.name())).collect()
}

/// The values of a column as text; `-` where they are missing.
pub(crate) fn shown(column: &Column) -> Vec<String> {
    (0..column.len()).map(|row| shown_cell(column, row)).collect()
}

fn shown_cell(column: &Column, row: usize) -> String {
    match column {
        c if c.is_missing(row) => "-".to_owned(),
        Column::Float(v) => v[row].to_string(),
        Column::Integer(v) => v[row].to_string(),
        Column::Timestamp(v) => crate::format_timestamp(v[row]),
        Column::Category(c) => c.get(row).unwrap().to_owned(),
    }
}

/// A named column of an outcome, as text.
pub(crate) fn column(outcome: &ReadOutcome, name: &str) -> Vec<String> {
    shown(outcome.table.column_named(name).unwrap())
}

/// The codes of all warnings, with their columns.
pub(crate) fn warned(outcome: &ReadOutcome) -> Vec<(&str, Option<&str>)> {
    outcome.warnings.iter().map(|w| (w.code.name(), w.column.as_deref())).collect()
}

/// Whether two tables have the same schema and the same bits.
pub(crate) fn same(a: &Table, b: &Table) -> bool {
    let bits = |c: &Column| -> Vec<u64> {
        match c {
            Column::Float(v) => v.iter().map(|x| if x.is_nan() { u64::MAX } else { x.to_bits() }).collect(),
            Column::Integer(v) | Column::Timestamp(v) => v.iter().map(|x| *x as u64).collect(),
            Column::Category(_) => Vec::new(),
        }
    };
    let texts = |c: &Column| -> Vec<Option<String>> {
        match c {
            Column::Category(c) => (0..c.codes.len()).map(|r| c.get(r).map(str::to_owned)).collect(),
            _ => Vec::new(),
        }
    };
    a.schema() == b.schema()
        && a.block().columns().iter().zip(b.block().columns()).all(|(a, b)| bits(a) == bits(b) && texts(a) == texts(b))
}

/// Random tables whose kinds can be inferred again from their text.
pub(crate) fn tables() -> impl Strategy<Value = Table> {
    (1..60_usize).prop_flat_map(|rows| {
        let float = prop_oneof![
            4 => any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| if x == 0.0 { 0.0 } else { x }),
            2 => (-1_000_000..1_000_000_i64).prop_map(|x| x as f64 / 100.0),
            1 => Just(f64::NAN),
            1 => Just(f64::INFINITY),
        ];
        let integer = prop_oneof![4 => any::<i64>(), 4 => -100..100_i64, 1 => Just(i64::MIN)];
        let time = prop_oneof![6 => 0..4_000_000_000_000_000_i64, 1 => Just(i64::MIN)];
        let level = prop_oneof![
            4 => "[a-z]{1,3}".prop_map(Some),
            2 => "[ \"',;\t\n\r|\\\\é北#0-9?-]{0,8}x".prop_map(Some),
            1 => Just(None),
        ];
        let boolean = prop_oneof![4 => any::<bool>().prop_map(Some), 1 => Just(None)];
        (
            prop::collection::vec(float, rows),
            prop::collection::vec(integer, rows),
            prop::collection::vec(time, rows),
            prop::collection::vec(level, rows),
            prop::collection::vec(boolean, rows),
        )
            .prop_map(|(mut floats, mut integers, mut times, mut levels, mut booleans)| {
                // One cell of each column tells its kind.
                (floats[0], integers[0], times[0]) = (0.5, 7, 1);
                levels[0] = Some("level".into());
                booleans[0] = Some(true);
                let level_kind = {
                    let category = Category::from_strings(levels.iter().map(Option::as_deref));
                    let mut counts = vec![0; category.levels.len()];
                    category.codes.iter().filter(|c| **c != u32::MAX).for_each(|&c| counts[c as usize] += 1);
                    crate::infer::kind_of_strings(&category.levels, &counts, counts.iter().sum())
                };
                let booleans = booleans.into_iter().map(|b| b.map(|b| if b { "true" } else { "false" }));
                let fields = [
                    ("f", Kind::Float),
                    ("i", Kind::Integer),
                    ("t", Kind::Timestamp),
                    ("c, \"quoted\"", level_kind),
                    ("b", Kind::Boolean),
                ];
                let fields = fields.map(|(name, kind)| Field::feature(name, kind)).to_vec();
                let columns = vec![
                    Column::Float(floats),
                    Column::Integer(integers),
                    Column::Timestamp(times),
                    Column::Category(Category::from_strings(levels)),
                    Column::Category(Category::from_strings(booleans)),
                ];
                Table::new(Schema::new(fields).unwrap(), columns).unwrap()
            })
    })
}
