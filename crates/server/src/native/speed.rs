//! What a request of one wide row costs on one thread, part by part. Run by hand:
//! `cargo test -p tabwright-server --lib one_wide_row -- --ignored --nocapture`.

use std::fmt::Write;

use super::answer;
use super::document::Document;
use super::options::Options;
use crate::model::Served;
use crate::options::Limits;
use crate::tests::trained;

/// Columns of the row: three of whole numbers, three of decimals, three of levels and one of booleans in ten.
const COLUMNS: usize = 600;
const ROWS: usize = 300;
const TIMES: u32 = 20_000;

/// The value of a cell, as JSON.
fn cell(row: usize, column: usize) -> String {
    let hash = (row * 7919 + column * 104_729 + row * column * 31) % 10_007;
    match column % 10 {
        0..3 => (hash % 1000).to_string(),
        3..6 => format!("{}.{}", hash % 100, 1 + hash % 97),
        6..9 => format!("\"level_{}\"", hash % 12),
        _ => hash.is_multiple_of(2).to_string(),
    }
}

#[test]
#[ignore = "a measurement"]
#[expect(clippy::print_stderr, reason = "a measurement tells what it found")]
fn one_wide_row() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wide.jsonl").to_string_lossy().into_owned();
    let mut text = String::new();
    let row = |row: usize| {
        let cells: Vec<String> = (0..COLUMNS).map(|c| format!("\"feature_number_{c}\":{}", cell(row, c))).collect();
        cells.join(",")
    };
    for r in 0..ROWS {
        let label = if (r * 7919) % 1000 + (r * 31) % 100 > 500 { "yes" } else { "no" };
        writeln!(text, "{{{},\"target\":\"{label}\"}}", row(r)).unwrap();
    }
    std::fs::write(&file, text).unwrap();
    let served = Served::new("wide", "1", trained(&file, "target", "gbdt_leafwise")).unwrap();
    assert!(served.expected.len() > COLUMNS / 2, "{}", served.expected.len());
    let body = format!("{{\"rows\":[{{{}}}]}}", row(5));
    let limits = Limits::default();
    let read = || Document::read(&served, body.as_bytes(), Options::default(), &limits).unwrap();
    let block = read().rows.block;
    for round in 0..2 {
        let parse = each(|| served.shape.give_back(read().rows.block));
        let predict = each(|| drop(served.predict(&block)));
        let all = each(|| {
            let document = read();
            let predictions = served.predict(&document.rows.block);
            assert!(answer::write(&served, document, predictions, "id").unwrap().0.is_success());
        });
        eprintln!(
            "round {round}: parse {parse:.1} µs, pipeline and trees {predict:.1} µs, answer {:.1} µs, all {all:.1} µs",
            all - parse - predict
        );
    }
}

/// Microseconds that this thread computes for each of many calls; the time of others does not count.
fn each(mut call: impl FnMut()) -> f64 {
    let computed = || -> f64 {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split(' ').next().unwrap().parse().unwrap()
    };
    let begun = computed();
    (0..TIMES).for_each(|_| call());
    (computed() - begun) / 1e3 / f64::from(TIMES)
}
