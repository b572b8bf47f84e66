//! Drift against SciPy and Evidently on 10,000 random pairs of samples, 10,000 windows in which nothing changed, and 1,000 servers that are
//! killed while they log: tests with more of each than every change can wait for.

use std::process::Command;

use super::Soak;
use crate::install;
use crate::process::{self, Result};

/// Pairs of samples that both sides judge.
const PAIRS: &str = "10000";
/// Windows without drift, for each test.
const WINDOWS: &str = "10000";

/// Servers that are killed while they log.
const KILLS: &str = "1000";

/// Makes the pairs with Python, and runs the tests.
///
/// # Errors
/// If a test fails, or Python cannot have the packages.
pub(super) fn run(soak: &mut Soak) -> Result<()> {
    let python = install::python("monitor-venv", "bench/monitor-requirements.txt")?;
    let pairs = soak.path("pairs.json");
    let mut make = Command::new(python);
    make.current_dir(process::root()).args(["crates/monitor/tests/golden/make.py", "--pairs", PAIRS]);
    make.env("TABWRIGHT_GOLDEN_PAIRS", &pairs);
    soak.run(make)?;
    for words in [
        ["--test", "golden", "--", "--ignored", "pairs_of_a_file"],
        ["--lib", "--", "--nocapture", "--exact", "drift::tests::quiet_windows_alarm_as_often_as_promised"],
    ] {
        let mut command = process::cargo(["test", "--package", "tabwright-monitor", "--locked"].iter().chain(&words));
        command.env("TABWRIGHT_GOLDEN_PAIRS", &pairs).env("TABWRIGHT_QUIET_WINDOWS", WINDOWS);
        soak.run(command)?;
    }
    let words = ["test", "--package", "tabwright-cli", "--locked", "--test", "cli", "--", "watching::kills"];
    let mut command = process::cargo(words);
    command.env("TABWRIGHT_TEST_KILLS", KILLS);
    soak.run(command)?;
    Ok(())
}
