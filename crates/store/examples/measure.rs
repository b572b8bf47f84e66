//! Fills a home with runs and measures how long searching, appending and reading histories take: our side of
//! `cargo xtask bench store`. All values follow from the numbers of the runs, so that other stores can be filled alike.
//!
//! `measure FOLDER RUNS POINTS REPEATS` fills the home `FOLDER` unless it is filled, with `POINTS` metric points a run, and
//! prints the milliseconds of each repeat as JSON.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of the comparisons speaks to its caller")]

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use tabwright_store::{Batch, Home, Measured, NewRun, Order, RunDocument, Search, Status, Store, StoreOptions};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Types of candidates, as parameters have them.
const TYPES: [&str; 5] = ["gbdt_leafwise", "gbdt_depthwise", "logistic_regression", "random_forest", "baseline"];
/// Owners, as tags have them.
const OWNERS: [&str; 8] = ["ada", "alan", "barbara", "claude", "edsger", "frances", "grace", "john"];
/// Metrics with a course.
const METRICS: [&str; 4] = ["roc_auc", "train.log_loss", "validation.log_loss", "validation.roc_auc"];
/// Runs written in one transaction.
const RUNS_AT_ONCE: u64 = 50;
/// Points that are appended at a time.
const APPENDED: i64 = 1_000;
/// Runs of a page.
const PAGE: usize = 20;
/// 2026-01-01, in microseconds since 1970: when the first run began.
const FIRST: i64 = 1_767_225_600_000_000;
/// Microseconds from one run to the next.
const APART: i64 = 60_000_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, runs, points, repeats] = words.as_slice() else {
        return Err("measure FOLDER RUNS POINTS REPEATS".into());
    };
    let (runs, points, repeats): (u64, u64, u64) = (runs.parse()?, points.parse()?, repeats.parse()?);
    let filled = Path::new(folder).join("filled");
    let store = Store::open(&StoreOptions::in_home(Home::at(folder))).await?;
    let started = Instant::now();
    if !filled.is_file() {
        fill(&store, runs, points).await?;
        std::fs::write(&filled, "")?;
    }
    let fill_seconds = started.elapsed().as_secs_f64();
    let document = json!({
        "fill_seconds": fill_seconds,
        "search_ms": searches(&store, repeats).await?,
        "append_ms": appends(&store, runs, repeats).await?,
        "history_ms": histories(&store, runs, repeats).await?,
    });
    store.close().await;
    println!("{document}");
    Ok(())
}

fn id(number: u64) -> String {
    format!("{number:016x}")
}

/// Spread evenly between 0 and 1, whatever the number of runs: multiples of the golden ratio.
fn spread(number: u64) -> f64 {
    (number as f64 * 0.618_033_988_749_894_9).fract()
}

async fn fill(store: &Store, runs: u64, points: u64) -> Outcome<()> {
    let started = Instant::now();
    for first in (0..runs).step_by(RUNS_AT_ONCE as usize) {
        let documents: Vec<RunDocument> =
            (first..(first + RUNS_AT_ONCE).min(runs)).map(|number| document(number, points)).collect();
        store.record(&documents).await?;
        let done = first + documents.len() as u64;
        if done.is_multiple_of(RUNS_AT_ONCE * 20) || done == runs {
            eprintln!("  {done} of {runs} runs, {:.0} s", started.elapsed().as_secs_f64());
        }
    }
    Ok(())
}

fn document(number: u64, points: u64) -> RunDocument {
    let at = FIRST + number as i64 * APART;
    let steps = points / METRICS.len() as u64;
    let kind = TYPES[(number % TYPES.len() as u64) as usize];
    let owner = OWNERS[(number / TYPES.len() as u64 % OWNERS.len() as u64) as usize];
    let mut logged = Batch::default();
    logged.params.insert("type".into(), kind.into());
    for (name, value) in [("depth", 3 + number % 9), ("n_estimators", 100 + number % 400), ("seed", number)] {
        logged.params.insert(name.into(), value.to_string());
    }
    logged.params.insert("learning_rate".into(), format!("{}", (1 + number % 30) as f64 / 100.0));
    logged.tags.insert("owner".into(), owner.into());
    logged.tags.insert("stage".into(), if number.is_multiple_of(3) { "trial" } else { "final" }.into());
    for name in METRICS {
        // Courses rise to their last value, which is the score.
        logged.metrics.extend((0..steps).map(|step| Measured {
            name: name.into(),
            step: step as i64,
            at: at + step as i64,
            value: (0.5 + spread(number) / 2.0) * (step + 1) as f64 / steps as f64,
        }));
    }
    let run = NewRun { name: format!("run {number}"), primary_metric: "roc_auc".into(), ..NewRun::default() };
    RunDocument { run_id: id(number), run, status: Status::Completed, started: at, ended: Some(at + APART), logged }
}

/// Each asks for another type, owner and score.
async fn searches(store: &Store, repeats: u64) -> Outcome<Vec<f64>> {
    let mut times = Vec::new();
    for k in 0..repeats {
        let (kind, letter) = (TYPES[k as usize % TYPES.len()], &OWNERS[k as usize % OWNERS.len()][..1]);
        let least = 0.5 + (k * 37 % 45) as f64 / 100.0;
        let search = Search {
            filter: format!("metrics.roc_auc > {least} and params.type = '{kind}' and tags.owner like '{letter}%'"),
            sort: vec![Order::parse("metrics.roc_auc desc")?],
            limit: PAGE,
            ..Search::default()
        };
        let started = Instant::now();
        let page = store.search(&search).await?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        if !page.runs.iter().all(|r| r.params["type"] == kind && r.metrics["roc_auc"].last > least) {
            return Err("a search found what was not asked for".into());
        }
    }
    Ok(times)
}

async fn appends(store: &Store, runs: u64, repeats: u64) -> Outcome<Vec<f64>> {
    let mut times = Vec::new();
    for k in 0..repeats {
        let point = |step: i64| Measured { name: "appended".into(), step, at: FIRST + step, value: step as f64 };
        let batch = Batch { metrics: (0..APPENDED).map(point).collect(), ..Batch::default() };
        let run = id(k * 7919 % runs);
        let started = Instant::now();
        store.log(&run, &batch).await?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

async fn histories(store: &Store, runs: u64, repeats: u64) -> Outcome<Vec<f64>> {
    let mut times = Vec::new();
    for k in 0..repeats {
        let run = id(k * 104_729 % runs);
        let started = Instant::now();
        let history = store.history(&run, "validation.log_loss").await?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        if history.windows(2).any(|pair| pair[0].step >= pair[1].step) {
            return Err("a history is out of order".into());
        }
    }
    Ok(times)
}
