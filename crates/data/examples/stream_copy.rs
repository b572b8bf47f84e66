//! Streams columns of a file to another file in blocks, and prints, as one line of JSON, how long it took and how much
//! memory it needed at most: the reading and writing half of a prediction.
//!
//! `cargo run --release -p tabwright-data --example stream_copy -- IN OUT NAME=KIND…`

use std::io::Write;
use std::time::Instant;

use tabwright_core::{Column, Kind};
use tabwright_data::{ReadOptions, StreamRequest, WriteColumn, create_writer, open_stream, resolve_inputs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, columns @ ..] = arguments.as_slice() else { return Err("IN OUT NAME=KIND…".into()) };
    let mut expected: Vec<(String, Kind)> = Vec::new();
    for column in columns {
        let (name, kind) = column.split_once('=').ok_or("NAME=KIND")?;
        expected.push((name.to_owned(), kind.parse()?));
    }
    let started = Instant::now();
    let request = StreamRequest {
        passed_over: Vec::new(),
        expected: expected.clone(),
        keep: Vec::new(),
        batch_size: 1000,
        batch_bytes: tabwright_data::BATCH_BYTES,
    };
    let stream = open_stream(&resolve_inputs(std::slice::from_ref(input))?, &request, &ReadOptions::default())?;
    let columns: Vec<WriteColumn> = expected.into_iter().map(|(name, kind)| WriteColumn { name, kind }).collect();
    let mut writer = create_writer(output, None, &columns)?;
    let (mut rows, mut bad) = (0, 0);
    for block in stream {
        let block = block?;
        rows += block.block.n_rows();
        bad += block.bad.len();
        writer.write(&block.block.columns().iter().collect::<Vec<&Column>>())?;
    }
    writer.finish()?;
    let seconds = started.elapsed().as_secs_f64();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{{\"seconds\": {seconds:.3}, \"peak_mb\": {:.1}, \"rows\": {rows}, \"bad\": {bad}, \"rows_per_s\": {:.0}}}",
        peak_megabytes().unwrap_or(f64::NAN),
        rows as f64 / seconds
    )?;
    Ok(())
}

/// The most memory that this process has held, where the system tells.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kb| kb / 1024.0)
}
