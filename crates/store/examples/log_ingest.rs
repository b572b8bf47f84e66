//! Logs rows of 20 inputs and compacts them: our side of `cargo xtask bench monitor`. All values follow from the numbers of the rows.
//!
//! `log_ingest HOME ROWS` writes the log of the model `bench` in the home `HOME`, which must have none, and prints as JSON how long
//! that took, how many bytes segments and parts have, and where the parts lie.
#![allow(clippy::print_stdout, reason = "a program of the comparisons speaks to its caller")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;
use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Category, Column, Kind, Levels};
use tabwright_store::Home;
use tabwright_store::predictions::{Entries, LogColumn, LogOptions, LogSchema, Outputs, Predictions, ReadRequest};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Rows of a block, as a server of bulk requests logs them.
const BLOCK: usize = 10_000;
/// 2026-01-01 at noon, in microseconds since 1970: when the first row was answered.
const FIRST: i64 = 1_767_268_800_000_000;
/// Microseconds from one row to the next: a million of them lie within 17 minutes.
const APART: i64 = 1_000;
/// Levels of the four categories.
const LEVELS: [usize; 4] = [4, 20, 100, 1_000];

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [home, rows] = words.as_slice() else { return Err("log_ingest HOME ROWS".into()) };
    let rows: usize = rows.parse()?;
    let blocks: Vec<Block> =
        (0..rows.div_ceil(BLOCK)).map(|b| Block::new(b * BLOCK, BLOCK.min(rows - b * BLOCK))).collect();
    let predictions = Predictions::of(&Home::at(home), "bench")?;
    let writer = predictions.writer("1", schema(), LogOptions::default())?;
    let begun = Instant::now();
    for block in &blocks {
        let ids: Vec<&str> = block.ids.iter().map(String::as_str).collect();
        let inputs: Vec<&Column> = block.inputs.iter().collect();
        let probabilities: Vec<&[f64]> = block.probabilities.iter().map(Vec::as_slice).collect();
        let mut entries = Entries::new(&ids, &block.times, &inputs, &block.predictions);
        entries.probabilities = &probabilities;
        entries.latencies = &[120];
        writer.import(&entries)?;
    }
    writer.flush().wait()?;
    let seconds = begun.elapsed().as_secs_f64();
    writer.close()?;
    let begun = Instant::now();
    let compacted = predictions.compact(FIRST + 2 * 86_400_000_000)?;
    let compact_seconds = begun.elapsed().as_secs_f64();
    if compacted.rows != rows as u64 {
        return Err(format!("{} of {rows} rows are in parts", compacted.rows).into());
    }
    let begun = Instant::now();
    let mut read = 0;
    for chunk in predictions.read(&ReadRequest::window(0, i64::MAX))? {
        read += chunk?.table.n_rows();
    }
    let read_seconds = begun.elapsed().as_secs_f64();
    if read != rows {
        return Err(format!("{read} of {rows} rows are read again").into());
    }
    let mut parts = Vec::new();
    parquet_below(predictions.folder(), &mut parts)?;
    println!(
        "{}",
        json!({
            "rows": rows, "seconds": seconds, "compact_seconds": compact_seconds, "read_seconds": read_seconds,
            "segment_bytes": compacted.segment_bytes, "part_bytes": compacted.part_bytes, "parts": parts,
        })
    );
    Ok(())
}

fn parquet_below(folder: &Path, found: &mut Vec<PathBuf>) -> Outcome<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            parquet_below(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "parquet") {
            found.push(path);
        }
    }
    Ok(())
}

/// Twelve inputs are floats (half of them with two decimals), four whole numbers, four categories.
fn schema() -> LogSchema {
    let kind = |i| match i {
        0..12 => Kind::Float,
        12..16 => Kind::Integer,
        _ => Kind::Categorical,
    };
    let inputs = (0..20).map(|i| LogColumn { name: format!("x{i}"), kind: kind(i) }).collect();
    LogSchema { inputs, outputs: Outputs::Classes(vec!["no".into(), "yes".into()]) }
}

/// Rows as a server has them when it logs.
struct Block {
    ids: Vec<String>,
    times: Vec<i64>,
    inputs: Vec<Column>,
    predictions: Column,
    probabilities: [Vec<f64>; 2],
}

impl Block {
    fn new(start: usize, n: usize) -> Self {
        let keyed = Keyed::new(1, Purpose::Example);
        let rows = start as u64..(start + n) as u64;
        let input = |i: usize| {
            let of_column = keyed.child(i as u64);
            let unit = rows.clone().map(|row| of_column.uniform(row));
            match i {
                0..6 => Column::Float(unit.map(|u| u * 1e3).collect()),
                6..12 => Column::Float(unit.map(|u| (u * 1e4).floor() / 100.0).collect()),
                12..16 => Column::Integer(unit.map(|u| (u * 1e5) as i64).collect()),
                _ => {
                    let count = LEVELS[i - 16];
                    let names: Vec<String> = (0..count).map(|l| format!("level-{l}")).collect();
                    let levels: Levels = names.iter().map(String::as_str).collect();
                    let codes = unit.map(|u| (u * count as f64) as u32).collect();
                    Column::Category(Category { codes, levels: levels.into() })
                }
            }
        };
        let yes: Vec<f64> = rows.clone().map(|row| keyed.child(20).uniform(row)).collect();
        let labels: Levels = ["no", "yes"].into_iter().collect();
        let codes = yes.iter().map(|p| u32::from(*p > 0.5)).collect();
        let id = |row: u64| {
            let (a, b) = (keyed.child(21).bits(row), keyed.child(22).bits(row));
            format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                a >> 32,
                a & 0xffff,
                (a >> 16) & 0xfff,
                b >> 52,
                b & ((1 << 48) - 1)
            )
        };
        Block {
            ids: rows.clone().map(id).collect(),
            times: rows.clone().map(|row| FIRST + row as i64 * APART).collect(),
            inputs: (0..20).map(input).collect(),
            predictions: Column::Category(Category { codes, levels: labels.into() }),
            probabilities: [yes.iter().map(|p| 1.0 - p).collect(), yes],
        }
    }
}
