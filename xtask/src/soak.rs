//! `cargo xtask soak`: what takes too long for every change. Large and odd tables are written, the release binary works
//! on them, and time, peak memory and the outcome go to `bench/results/soak.json` and `.md`, which are committed.

mod monitor;
mod serve;
mod store;
mod tables;
mod watch;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use self::watch::Run;
use crate::process::{self, Result};

/// A large case: what it is, and how it is run. It fails with the reason.
struct Case {
    name: &'static str,
    what: &'static str,
    run: fn(&mut Soak) -> Result<()>,
}

const CASES: [Case; 10] = [
    Case { name: "columns", what: "20,000 columns: profiled and trained", run: columns },
    Case { name: "cells", what: "cells of 10 MB, with line breaks: profiled and trained", run: cells },
    Case { name: "levels", what: "a category with 100,000 levels: trained and predicted", run: levels },
    Case { name: "large", what: "a CSV of 500 MB: profiled, memory below twice the text", run: large },
    Case { name: "predict", what: "1,000,000 rows predicted in the memory of 100,000", run: predict },
    Case {
        name: "processors",
        what: "the same model from a build for every level of x86-64 that this machine has",
        run: processors,
    },
    Case {
        name: "rounding",
        what: "10,000,000 rows in one node, learned from rounded gradients and by a plain booster with 64-bit floats",
        run: rounding,
    },
    Case {
        name: "store",
        what: "8 processes with 10,000 operations on both databases, 1,000 kills, every N-th file operation fails",
        run: store::run,
    },
    Case {
        name: "serve",
        what: "a server under load: 500 times asked to end, an alias moved 1,000 times, an hour of requests",
        run: serve::run,
    },
    Case {
        name: "monitor",
        what: "10,000 random pairs of samples judged as SciPy and Evidently do; false alarms in 10,000 quiet windows of each test",
        run: monitor::run,
    },
];

/// Peak memory of one million rows may exceed that of a tenth by this factor: allocators differ from run to run.
const FLAT: f64 = 1.25;

/// What a case works with: the binary, a folder for its files, and the commands it ran.
struct Soak {
    binary: PathBuf,
    folder: PathBuf,
    runs: Vec<Run>,
}

impl Soak {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs the binary in the folder of the case; fails unless it exits with 0. Returns the peak memory.
    fn tabwright(&mut self, arguments: &[&str]) -> Result<Option<u64>> {
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.folder).args(arguments);
        self.run(command)
    }

    fn run(&mut self, command: Command) -> Result<Option<u64>> {
        let words = process::shown(&command);
        let run = watch::run(command)?;
        let (peak, code) = (run.peak_bytes, run.exit_code);
        println!("  {}", run.line());
        self.runs.push(run);
        if code == Some(0) { Ok(peak) } else { Err(format!("`{words}` ended with {code:?}")) }
    }
}

/// Runs the cases that are named, or all, on `--binary FILE` or the release binary, and writes the results.
///
/// # Errors
/// If a name is unknown or a case fails.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let names: Vec<&str> = CASES.iter().map(|c| c.name).collect();
    let (binary, arguments) = process::chosen_binary(arguments)?;
    if let Some(odd) = arguments.iter().find(|a| !names.contains(&a.as_str())) {
        return Err(format!("there is no case `{odd}`; one of: {}", names.join(", ")));
    }
    let results = process::root().join("bench/results");
    let mut failed = Vec::new();
    let mut records = known(&results)?;
    for case in CASES.iter().filter(|c| arguments.is_empty() || arguments.iter().any(|a| a == c.name)) {
        println!("== {}: {}", case.name, case.what);
        let folder = process::Scratch::new("soak")?;
        let mut soak = Soak { binary: binary.clone(), folder: folder.path().to_path_buf(), runs: Vec::new() };
        let outcome = (case.run)(&mut soak);
        if let Err(message) = &outcome {
            failed.push(format!("{}: {message}", case.name));
        }
        let runs: Vec<serde_json::Value> = soak.runs.iter().map(Run::record).collect();
        let verdict = outcome.err().unwrap_or_else(|| "ok".into());
        records.retain(|r| r["name"] != case.name);
        records.push(json!({"name": case.name, "what": case.what, "outcome": verdict, "runs": runs}));
    }
    records.sort_by_key(|r| names.iter().position(|n| r["name"] == *n));
    write(&results, &records)?;
    let total = records.len();
    println!("soak: {} passed, {} failed", total - failed.len().min(total), failed.len());
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// The cases of the last run, so that one case alone can be run again.
fn known(results: &Path) -> Result<Vec<serde_json::Value>> {
    let Ok(text) = std::fs::read_to_string(results.join("soak.json")) else { return Ok(Vec::new()) };
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| format!("bench/results/soak.json: {e}"))?;
    Ok(value["cases"].as_array().cloned().unwrap_or_default())
}

fn write(results: &Path, records: &[serde_json::Value]) -> Result<()> {
    let told = |e: std::io::Error| format!("bench/results: {e}");
    std::fs::create_dir_all(results).map_err(told)?;
    let machine = watch::machine();
    let document = json!({"command": "cargo xtask soak", "machine": machine, "cases": records});
    let text = serde_json::to_string_pretty(&document).map_err(|e| e.to_string())?;
    std::fs::write(results.join("soak.json"), text + "\n").map_err(told)?;
    let mut page = format!("# Soak\n\n`cargo xtask soak`, on {machine}.\n\n");
    page.push_str("| case | what | outcome | command | seconds | peak MB |\n|---|---|---|---|---|---|\n");
    for record in records {
        for run in record["runs"].as_array().into_iter().flatten() {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let number = |value: &serde_json::Value| value.as_f64().map_or("–".to_owned(), |v| format!("{v:.1}"));
            page.push_str(&format!(
                "| {} | {} | {} | `{}` | {} | {} |\n",
                text(&record["name"]),
                text(&record["what"]),
                text(&record["outcome"]),
                text(&run["command"]),
                number(&run["seconds"]),
                number(&run["peak_mb"]),
            ));
        }
    }
    std::fs::write(results.join("soak.md"), page).map_err(told)
}

fn columns(soak: &mut Soak) -> Result<()> {
    tables::wide(&soak.path("wide.csv"), 500, 20_000)?;
    soak.tabwright(&["profile", "wide.csv", "--target", "y", "--json"])?;
    // Ten rounds: a histogram of 20,000 features is large, and what is asked here is whether it works at all.
    let rounds = ["--set", "candidates.gbdt_leafwise.n_estimators=10"];
    let candidates = ["--candidates", "logistic_regression,gbdt_leafwise", "--folds", "2", rounds[0], rounds[1]];
    soak.tabwright(&[&["train", "wide.csv", "--target", "y", "--json"], &candidates[..]].concat())?;
    soak.tabwright(&["predict", "model.tw", "wide.csv", "-o", "out.csv"])?;
    Ok(())
}

fn cells(soak: &mut Soak) -> Result<()> {
    tables::large_cells(&soak.path("cells.csv"), 300, 10_000_000)?;
    soak.tabwright(&["profile", "cells.csv", "--json"])?;
    soak.tabwright(&["train", "cells.csv", "--target", "y", "--candidates", "gbdt_leafwise", "--json"])?;
    Ok(())
}

fn levels(soak: &mut Soak) -> Result<()> {
    tables::many_levels(&soak.path("levels.csv"), 300_000, 100_000)?;
    let candidates = ["--candidates", "logistic_regression,gbdt_leafwise,gbdt_depthwise", "--folds", "2"];
    // Every third row repeats a level, so the column is no identifier; the role says so in any case.
    let roles = ["--role", "city=feature"];
    soak.tabwright(&[&["train", "levels.csv", "--target", "y", "--json"], &roles[..], &candidates[..]].concat())?;
    soak.tabwright(&["predict", "model.tw", "levels.csv", "-o", "out.csv"])?;
    Ok(())
}

fn large(soak: &mut Soak) -> Result<()> {
    let bytes = tables::mixed(&soak.path("large.csv"), usize::MAX, 500_000_000)?;
    let peak = soak.tabwright(&["profile", "large.csv", "--json"])?;
    match peak {
        Some(peak) if peak > 2 * bytes => Err(format!("{peak} bytes of memory for {bytes} bytes of text")),
        _ => Ok(()),
    }
}

fn predict(soak: &mut Soak) -> Result<()> {
    tables::mixed(&soak.path("train.csv"), 20_000, u64::MAX)?;
    tables::mixed(&soak.path("small.csv"), 100_000, u64::MAX)?;
    tables::mixed(&soak.path("big.csv"), 1_000_000, u64::MAX)?;
    let train = ["train", "train.csv", "--target", "y", "--candidates", "gbdt_leafwise", "--folds", "0", "--json"];
    soak.tabwright(&train)?;
    let small = soak.tabwright(&["predict", "model.tw", "small.csv", "-o", "small_out.csv"])?;
    let big = soak.tabwright(&["predict", "model.tw", "big.csv", "-o", "big_out.csv"])?;
    let rows = watch::lines(&soak.path("big_out.csv"))?;
    if rows != 1_000_001 {
        return Err(format!("{rows} lines were written for 1,000,000 rows and a header"));
    }
    match (small, big) {
        (Some(small), Some(big)) if big as f64 > small as f64 * FLAT => {
            Err(format!("peak memory grows with the rows: {small} bytes, then {big}"))
        }
        _ => Ok(()),
    }
}

/// Each level adds instructions that the compiler may use anywhere; the pinned content ids must hold for all of them.
fn processors(soak: &mut Soak) -> Result<()> {
    for (level, is_here) in levels_of_x86() {
        if !is_here {
            println!("  left out: {level}, which this machine has not");
            continue;
        }
        let tests = ["--package", "tabwright-lifecycle", "--test", "invariants", "same_bytes"];
        let mut command = process::cargo(["test", "--release", "--locked"].iter().chain(&tests));
        command.env("RUSTFLAGS", format!("-C target-cpu={level}")).env("CARGO_TARGET_DIR", soak.path("target"));
        println!("  {level}");
        soak.run(command)?;
    }
    Ok(())
}

/// Heavy weights, counts over decades and a rare class; one after the other, since each takes gigabytes.
fn rounding(soak: &mut Soak) -> Result<()> {
    for test in ["ten_million_rows_of_weights", "ten_million_counts", "ten_million_rows_with_a_class"] {
        let tests = ["--package", "tabwright-trees", "--test", "rounding", test, "--", "--ignored", "--nocapture"];
        soak.run(process::cargo(["test", "--release", "--locked"].iter().chain(&tests)))?;
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
fn levels_of_x86() -> Vec<(&'static str, bool)> {
    let has = |v4: bool| {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2");
        avx2 && (!v4 || (is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl")))
    };
    let sse4 = is_x86_feature_detected!("sse4.2");
    vec![("x86-64", true), ("x86-64-v2", sse4), ("x86-64-v3", has(false)), ("x86-64-v4", has(true))]
}

#[cfg(not(target_arch = "x86_64"))]
fn levels_of_x86() -> Vec<(&'static str, bool)> {
    Vec::new()
}
