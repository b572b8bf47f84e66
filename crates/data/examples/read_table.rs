//! Reads files into a table and prints, as one line of JSON, how long it took and how much memory it needed at most.
//!
//! `cargo run --release -p tabwright-data --example read_table -- FILE… [--schema]`

use std::io::Write;
use std::time::Instant;

use tabwright_core::Context;
use tabwright_data::{ReadOptions, read_table, resolve_inputs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (flags, files): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|a| a.starts_with("--"));
    let started = Instant::now();
    let outcome = read_table(&resolve_inputs(&files)?, &ReadOptions::default(), Context::silent())?;
    let seconds = started.elapsed().as_secs_f64();
    let mut out = std::io::stdout().lock();
    if flags.iter().any(|f| f == "--schema") {
        for (field, column) in outcome.table.schema().fields().iter().zip(outcome.table.block().columns()) {
            let missing = (0..column.len()).filter(|&row| column.is_missing(row)).count();
            writeln!(out, "{:30} {:12} {missing} missing", field.name, field.kind)?;
        }
        for warning in &outcome.warnings {
            writeln!(out, "{}: {}", warning.code, warning.message)?;
        }
        writeln!(out, "{:?}", outcome.details)?;
    }
    let bytes: u64 = files.iter().filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len()).sum();
    writeln!(
        out,
        "{{\"seconds\": {seconds:.3}, \"peak_mb\": {:.1}, \"rows\": {}, \"columns\": {}, \"mb_per_s\": {:.0}, \"fingerprint\": \"{}\"}}",
        peak_megabytes().unwrap_or(f64::NAN),
        outcome.fingerprint.rows,
        outcome.fingerprint.columns,
        bytes as f64 / 1e6 / seconds,
        &outcome.fingerprint.blake3[..16]
    )?;
    Ok(())
}

/// The most memory that this process has held, where the system tells.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kb| kb / 1024.0)
}
