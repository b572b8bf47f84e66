//! What takes long, and what is measured: `cargo test --release -p tabwright-store large -- --ignored --nocapture`.
#![expect(clippy::print_stdout, reason = "what was measured is shown")]

use std::time::Instant;

use super::*;

const ROWS: usize = 1_000_000;
const BLOCK: usize = 10_000;

/// Twenty columns: twelve of floats, four of whole numbers, four of categories.
fn wide_schema() -> LogSchema {
    let kind = |i| match i {
        0..12 => Kind::Float,
        12..16 => Kind::Integer,
        _ => Kind::Categorical,
    };
    let inputs = (0..20).map(|i| LogColumn { name: format!("x{i}"), kind: kind(i) }).collect();
    LogSchema { inputs, outputs: Outputs::Classes(vec!["no".into(), "yes".into()]) }
}

struct Wide {
    ids: Vec<String>,
    times: Vec<Micros>,
    inputs: Vec<Column>,
    predictions: Column,
    probabilities: [Vec<f64>; 2],
}

/// Rows as a model might see them, from a counter.
fn wide(start: usize, n: usize) -> Wide {
    let mut state = start as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut unit = || (next() >> 11) as f64 / (1_u64 << 53) as f64;
    let mut inputs = Vec::new();
    for i in 0..20_usize {
        inputs.push(match i {
            0..6 => Column::Float((0..n).map(|_| unit() * 1e3).collect()),
            6..12 => Column::Float((0..n).map(|_| (unit() * 1e4).round() / 100.0).collect()),
            12..16 => Column::Integer((0..n).map(|_| (unit() * 1e5) as i64).collect()),
            _ => {
                let levels = [4.0, 20.0, 100.0, 1000.0][i - 16];
                Column::Category(Category::from_strings(
                    (0..n).map(|_| Some(format!("level-{}", (unit() * levels) as u32))),
                ))
            }
        });
    }
    let yes: Vec<f64> = (0..n).map(|_| unit()).collect();
    let ids = (0..n).map(|_| {
        let (a, b) = ((unit() * 4e9) as u64, (unit() * 9e15) as u64);
        format!("{a:08x}-{:04x}-4{:03x}-8{:03x}-{b:012x}", b & 0xffff, a & 0xfff, (a >> 12) & 0xfff)
    });
    Wide {
        ids: ids.collect(),
        times: (0..n).map(|i| NOON + (start + i) as Micros * 1_000).collect(),
        inputs,
        predictions: Column::Category(Category::from_strings(
            yes.iter().map(|p| Some(if *p > 0.5 { "yes" } else { "no" })),
        )),
        probabilities: [yes.iter().map(|p| 1.0 - p).collect(), yes],
    }
}

fn fill(place: &Place, mut put: impl FnMut(&PredictionLog, &Entries<'_>)) {
    let blocks: Vec<Wide> = (0..ROWS / BLOCK).map(|b| wide(b * BLOCK, BLOCK)).collect();
    let writer = place.log.writer("1", wide_schema(), LogOptions::default()).unwrap();
    let (begun, used) = (Instant::now(), processor_seconds());
    for block in &blocks {
        let ids: Vec<&str> = block.ids.iter().map(String::as_str).collect();
        let inputs: Vec<&Column> = block.inputs.iter().collect();
        let probabilities: Vec<&[f64]> = block.probabilities.iter().map(Vec::as_slice).collect();
        let mut entries = Entries::new(&ids, &block.times, &inputs, &block.predictions);
        entries.probabilities = &probabilities;
        entries.latencies = &[120];
        put(&writer, &entries);
    }
    writer.flush().wait().unwrap();
    tell("blocks of 20 inputs", ROWS, begun, used);
    assert_eq!((writer.state().written, writer.state().dropped), (ROWS as u64, 0));
    writer.close().unwrap();
}

/// Seconds of processors that this process has used; none where the system does not say.
fn processor_seconds() -> Option<f64> {
    /// Of a second, as Linux counts here.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

/// Says how fast rows were taken in, by the clock and by what processors had to do.
fn tell(what: &str, rows: usize, begun: Instant, used: Option<f64>) {
    let seconds = begun.elapsed().as_secs_f64();
    let used = processor_seconds().zip(used).map_or(f64::NAN, |(now, before)| now - before);
    println!("{what}: {:.0} rows/s; {:.0} for each second of a processor", rows as f64 / seconds, rows as f64 / used);
}

/// The most memory that this process has had, in bytes.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb * 1024)
}

#[test]
#[ignore = "takes long, and measures"]
fn a_million_entries_are_imported_compacted_and_read() {
    let place = Place::new();
    fill(&place, |writer, entries| writer.import(entries).unwrap());
    let begun = Instant::now();
    let done = place.log.compact(NOON + 2 * DAY).unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "compacted in {seconds:.2} s: {} bytes of segments, {} of parts",
        done.segment_bytes,
        place.log.bytes().unwrap()
    );
    if let Ok(keep) = std::env::var("TABWRIGHT_TEST_KEEP") {
        for (i, file) in place.files().iter().enumerate() {
            std::fs::copy(place.version().join(file), Path::new(&keep).join(format!("{i}.parquet"))).unwrap();
        }
    }
    let (before, begun) = (peak(), Instant::now());
    let mut rows = 0;
    for chunk in place.log.read(&ReadRequest::window(0, Micros::MAX)).unwrap() {
        rows += chunk.unwrap().table.n_rows();
    }
    println!(
        "read {rows} rows in {:.2} s; peak {before:?} before and {:?} after",
        begun.elapsed().as_secs_f64(),
        peak()
    );
    assert_eq!(rows, ROWS);
}

#[test]
#[ignore = "measures"]
fn single_rows_are_appended_fast() {
    let place = Place::new();
    let block = wide(0, BLOCK);
    let rows: Vec<Vec<Column>> =
        (0..BLOCK as u32).map(|r| block.inputs.iter().map(|c| c.take(&[r])).collect()).collect();
    let predictions: Vec<Column> = (0..BLOCK as u32).map(|r| block.predictions.take(&[r])).collect();
    let writer = place.log.writer("1", wide_schema(), LogOptions::default()).unwrap();
    let (begun, used) = (Instant::now(), processor_seconds());
    for turn in 0..20 {
        for (row, columns) in rows.iter().enumerate() {
            let id = format!("{turn}-{row}");
            let (ids, inputs) = ([id.as_str()], columns.iter().collect::<Vec<_>>());
            let entries = Entries::new(&ids, &block.times[row..=row], &inputs, &predictions[row]);
            writer.import(&entries).unwrap();
        }
    }
    writer.flush().wait().unwrap();
    tell("single rows of 20 inputs", 20 * BLOCK, begun, used);
}
