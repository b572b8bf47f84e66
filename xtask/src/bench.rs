//! `cargo xtask bench`: runs a comparison of `bench/` against other libraries and keeps its results.
//!
//! Each is a Python program that runs the peers and our release binary in turn and writes `bench/results/NAME.json` and
//! `.md`. The peers' versions are pinned in `bench/requirements.txt` and live in a virtual environment of their own.

use std::path::PathBuf;
use std::process::Command;

use crate::install;
use crate::process::{self, Result};

/// A comparison: the name of its program and result, and what it compares.
struct Bench {
    name: &'static str,
    what: &'static str,
}

const BENCHES: [Bench; 10] = [
    Bench { name: "read", what: "CSV to a typed table, against Polars" },
    Bench { name: "candidates", what: "test scores of every candidate, against its namesake" },
    Bench { name: "agreement", what: "linear models and metrics, against scikit-learn's numbers" },
    Bench { name: "scripts", what: "time and memory of a whole training, against the usual scikit-learn scripts" },
    Bench { name: "predict", what: "rows predicted from CSV to CSV: speed and memory" },
    Bench { name: "trees", what: "tree engines, against LightGBM, XGBoost, CatBoost, scikit-learn and hessboost" },
    Bench { name: "stream", what: "training on one to ten million rows: time and memory" },
    Bench { name: "store", what: "20,000 runs: search, append, history, against MLflow; what recording costs" },
    Bench { name: "serve", what: "predictions over HTTP, against a bare handler, FastAPI and MLflow" },
    Bench { name: "monitor", what: "drift and its power, against Evidently; the prediction log, against Polars" },
];

/// Runs the comparisons that are named, or all; what follows `--` goes to the program.
///
/// # Errors
/// If a name is unknown, Python is missing, or a program fails.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (names, extra) = split(arguments);
    let chosen = choose(names)?;
    let python = python()?;
    let examples = [
        ("read", "tabwright-data", "read_table"),
        ("trees", "tabwright-trees", "raw"),
        ("trees", "tabwright-trees", "adds"),
        ("store", "tabwright-store", "measure"),
        ("serve", "tabwright-server", "load"),
        ("serve", "tabwright-server", "bare"),
        ("monitor", "tabwright-monitor", "drift_power"),
        ("monitor", "tabwright-store", "log_ingest"),
        ("monitor", "tabwright-server", "load"),
    ];
    for (name, package, example) in examples {
        if chosen.iter().any(|b| b.name == name) {
            let build = ["build", "--release", "--locked", "--package", package, "--example", example];
            process::run(process::cargo(build))?;
        }
    }
    let target = process::target_folder()?;
    if chosen.iter().any(|b| b.name == "trees") {
        // A peer that is a crate: a workspace of its own, so that nothing of it is linked into the project.
        let mut build =
            process::cargo(["build", "--release", "--locked", "--manifest-path", "bench/hessboost/Cargo.toml"]);
        build.arg("--target-dir").arg(target.join("hessboost"));
        process::run(build)?;
    }
    let binary = process::binary()?;
    for bench in chosen {
        println!("== {}: {}", bench.name, bench.what);
        let mut command = Command::new(&python);
        command
            .current_dir(process::root())
            .arg(format!("bench/{}.py", bench.name))
            .arg("--binary")
            .arg(&binary)
            .arg("--scratch")
            .arg(target.join("bench"))
            .args(extra);
        process::run(command)?;
    }
    Ok(())
}

fn split(arguments: &[String]) -> (&[String], &[String]) {
    match arguments.iter().position(|a| a == "--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (arguments, &[]),
    }
}

fn choose(names: &[String]) -> Result<Vec<&'static Bench>> {
    if names.is_empty() {
        return Ok(BENCHES.iter().collect());
    }
    let find = |name: &String| {
        BENCHES.iter().find(|b| b.name == name.as_str()).ok_or_else(|| {
            let all: Vec<&str> = BENCHES.iter().map(|b| b.name).collect();
            format!("there is no comparison `{name}`; one of: {}", all.join(", "))
        })
    };
    names.iter().map(find).collect()
}

/// The Python that has the peers: `TABWRIGHT_BENCH_PYTHON`, else a virtual environment made here.
fn python() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("TABWRIGHT_BENCH_PYTHON") {
        return Ok(PathBuf::from(path));
    }
    install::python("bench-venv", "bench/requirements.txt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_is_passed_on_are_told_apart() {
        let arguments = ["read", "--", "--repeats", "1"].map(String::from);
        let (names, extra) = split(&arguments);
        assert_eq!((choose(names).unwrap().len(), extra.len()), (1, 2));
        assert_eq!(choose(&[]).unwrap().len(), BENCHES.len());
        assert!(choose(&["reed".into()]).err().unwrap().contains("no comparison `reed`; one of: read, "));
    }

    #[test]
    fn every_comparison_has_its_program() {
        for bench in &BENCHES {
            assert!(process::root().join(format!("bench/{}.py", bench.name)).is_file(), "{}", bench.name);
        }
    }
}
