//! The prediction log, as those who write, read and keep it meet it.

mod append;
mod compact;
mod crash;
mod label;
mod loss;
mod read;
mod retain;

use std::path::{Path, PathBuf};

use tabwright_core::block::{Category, MISSING_INTEGER};
use tabwright_core::{Column, Kind};

use super::*;
use crate::predictions::part::DAY;

/// 2026-11-27, noon.
const NOON: Micros = 20_784 * DAY + DAY / 2;

fn schema() -> LogSchema {
    let input = |name: &str, kind| LogColumn { name: name.into(), kind };
    LogSchema {
        inputs: vec![
            input("area", Kind::Float),
            input("rooms", Kind::Integer),
            input("town", Kind::Categorical),
            input("new", Kind::Boolean),
            input("built", Kind::Timestamp),
            input("time", Kind::Float),
        ],
        outputs: Outputs::Classes(vec!["no".into(), "yes".into()]),
    }
}

/// Rows that follow from their numbers.
struct Sample {
    ids: Vec<String>,
    times: Vec<Micros>,
    inputs: Vec<Column>,
    predictions: Column,
    probabilities: [Vec<f64>; 2],
}

impl Sample {
    fn new(numbers: std::ops::Range<usize>, start: Micros) -> Self {
        let numbers: Vec<usize> = numbers.collect();
        let text = |f: &dyn Fn(usize) -> Option<&'static str>| {
            Column::Category(Category::from_strings(numbers.iter().map(|i| f(*i))))
        };
        let float = |f: &dyn Fn(usize) -> f64| Column::Float(numbers.iter().map(|i| f(*i)).collect());
        let yes: Vec<f64> = numbers.iter().map(|i| (*i as f64 * 0.37).fract()).collect();
        Sample {
            ids: numbers.iter().map(|i| format!("id-{i}")).collect(),
            times: numbers.iter().map(|i| start + *i as Micros).collect(),
            inputs: vec![
                float(&|i| if i % 5 == 0 { f64::NAN } else { i as f64 * 0.1 - 3.0 }),
                Column::Integer(numbers.iter().map(|i| if i % 7 == 0 { MISSING_INTEGER } else { *i as i64 }).collect()),
                text(&|i| [None, Some(""), Some("Köln"), Some(" x ")][i % 4]),
                text(&|i| [Some("true"), Some("false"), None][i % 3]),
                Column::Timestamp(numbers.iter().map(|i| *i as i64 * 1_000 - 5).collect()),
                float(&|i| if i % 2 == 0 { -0.0 } else { f64::INFINITY }),
            ],
            predictions: text(&|i| Some(["no", "yes"][i % 2])),
            probabilities: [yes.iter().map(|p| 1.0 - p).collect(), yes],
        }
    }

    /// Calls with the rows as they are logged.
    fn with<T>(&self, call: impl FnOnce(&Entries<'_>) -> T) -> T {
        let ids: Vec<&str> = self.ids.iter().map(String::as_str).collect();
        let inputs: Vec<&Column> = self.inputs.iter().collect();
        let probabilities: Vec<&[f64]> = self.probabilities.iter().map(Vec::as_slice).collect();
        let mut entries = Entries::new(&ids, &self.times, &inputs, &self.predictions);
        entries.probabilities = &probabilities;
        entries.latencies = &[250];
        entries.alias = Some("champion");
        call(&entries)
    }
}

struct Place {
    folder: tempfile::TempDir,
    log: Predictions,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Predictions::of(&Home::at(folder.path().join("home")), "churn").unwrap();
        Place { folder, log }
    }

    fn version(&self) -> PathBuf {
        self.log.folder().join("1")
    }

    fn writer(&self) -> PredictionLog {
        self.log.writer("1", schema(), LogOptions::default()).unwrap()
    }

    /// Logs rows in a segment of their own.
    fn write(&self, numbers: std::ops::Range<usize>, start: Micros) {
        let writer = self.writer();
        append(&writer, numbers, start);
        writer.close().unwrap();
    }

    fn ids(&self) -> Vec<String> {
        self.ids_in(0, Micros::MAX)
    }

    fn ids_in(&self, from: Micros, to: Micros) -> Vec<String> {
        let chunks = self.log.read(&ReadRequest::window(from, to)).unwrap();
        chunks.flat_map(|chunk| ids_of(&chunk.unwrap())).collect()
    }

    /// The names of all files of the version, without the locks.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        list_files(&self.version(), &mut found);
        let mut names: Vec<String> =
            found.iter().map(|p| p.strip_prefix(self.version()).unwrap().display().to_string()).collect();
        names.retain(|name| !matches!(name.as_str(), ".reading" | ".compacting"));
        names.sort();
        names
    }
}

fn list_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => list_files(&entry.path(), found),
            false => found.push(entry.path()),
        }
    }
}

fn append(writer: &PredictionLog, numbers: std::ops::Range<usize>, start: Micros) {
    let durable = Sample::new(numbers, start).with(|entries| writer.append_durable(entries)).unwrap();
    durable.wait().unwrap();
}

fn ids_of(chunk: &Chunk) -> Vec<String> {
    (0..chunk.table.n_rows()).map(|row| chunk.ids().get(row).unwrap().to_owned()).collect()
}

fn ids(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|i| format!("id-{i}")).collect()
}

/// The values of a column in a form in which bits can be compared.
fn cells(column: &Column) -> Vec<String> {
    let cell = |row: usize| match column {
        _ if column.is_missing(row) => "missing".to_owned(),
        Column::Float(values) => format!("{:x}", values[row].to_bits()),
        Column::Integer(values) | Column::Timestamp(values) => values[row].to_string(),
        Column::Category(category) => format!("{:?}", category.get(row)),
    };
    (0..column.len()).map(cell).collect()
}
