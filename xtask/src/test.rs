//! `cargo xtask test`: everything that a change must pass, with the tests of all crates, doc tests, the commands of the
//! docs, the kernels under valgrind, the store on PostgreSQL and on S3, the server asked by the clients that people have, file
//! operations that fail, and the promise that debug and release, one thread and two, write the same model.
//!
//! It needs a Rust toolchain and bash, installs valgrind, PostgreSQL, strace and curl where they are missing and the system's package manager
//! lets it, and with Python an S3 endpoint and clients, and says at the end what it left out. On a CI machine, what needs Python must not be
//! left out.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::process::{self, Result, Scratch};
use crate::{STRACE, clients, commands, docs, install, postgres, s3};

/// Tests that ran, and what was wrong or left out.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
    failures: Vec<String>,
    left_out: Vec<String>,
}

impl Tally {
    /// Takes note of a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
    fn line(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let count = |what: &str| {
            let part = result.split([';', '.']).map(str::trim).find(|p| p.ends_with(what));
            part.and_then(|p| p.split(' ').next()).and_then(|n| n.parse::<usize>().ok()).unwrap_or(0)
        };
        self.passed += count("passed");
        self.failed += count("failed");
        self.ignored += count("ignored");
    }

    /// One check that is not a Rust test.
    fn check(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(message) => {
                self.failed += 1;
                self.failures.push(format!("{name}: {message}"));
            }
        }
    }

    /// The last line: it counts what ran.
    fn closing(&self) -> String {
        let skipped = self.ignored + self.left_out.len();
        let tail = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
        format!("tests: {} passed, {} failed{tail}", self.passed, self.failed)
    }
}

/// Runs the tests; `--fast` runs the unit and integration tests alone.
///
/// # Errors
/// If anything fails, or no test ran.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let fast = match arguments {
        [] => false,
        [flag] if flag == "--fast" => true,
        other => return Err(format!("test takes `--fast` or nothing, got `{}`", other.join(" "))),
    };
    let start = Instant::now();
    let mut tally = Tally::default();
    // Every step names the whole workspace: for one package, cargo would build what it depends on with other features again.
    let cargo_test = |kind: &[&str], tally: &mut Tally| -> Result<()> {
        let command = process::cargo(["test", "--workspace", "--locked", "--no-fail-fast"].iter().chain(kind));
        if !process::watched(command, |line| tally.line(line))? {
            tally.failures.push(format!("cargo test {} failed (see above)", kind.join(" ")));
        }
        Ok(())
    };
    cargo_test(&["--all-targets"], &mut tally)?;
    if fast {
        tally
            .left_out
            .push("doc tests, the kernels under valgrind, the store on PostgreSQL and on S3, the server and its clients, file operations that fail, the commands of the docs, equal models (--fast)".into());
    } else {
        cargo_test(&["--doc"], &mut tally)?;
        check_memory(&mut tally)?;
        on_servers(&mut tally)?;
        with_faults(&mut tally)?;
        with_binaries(&mut tally)?;
    }
    if tally.ignored > 0 {
        tally.left_out.push(format!("{} tests that are marked as ignored", tally.ignored));
        tally.ignored = 0;
    }
    println!("\nran for {} s", start.elapsed().as_secs());
    for text in &tally.left_out {
        println!("left out: {text}");
    }
    for text in &tally.failures {
        println!("failed: {text}");
    }
    println!("{}", tally.closing());
    if tally.passed == 0 {
        return Err("no test ran".into());
    }
    if tally.failures.is_empty() && tally.failed == 0 { Ok(()) } else { Err("tests failed".into()) }
}

/// The only unsafe code, under a tool that sees every read and write.
fn check_memory(tally: &mut Tally) -> Result<()> {
    if !install::has("valgrind", "valgrind") {
        tally.left_out.push("the kernels under valgrind, which is not installed".into());
        return Ok(());
    }
    let runner = "target.'cfg(unix)'.runner=['valgrind', '-q', '--error-exitcode=9']";
    let mut command = process::cargo(["--config", runner, "test", "--workspace", "--locked", "--lib", "kernels::"]);
    command.env("PROPTEST_CASES", "32");
    if !process::watched(command, |line| tally.line(line))? {
        tally.failures.push("the kernels under valgrind (see above)".into());
    }
    Ok(())
}

/// The tests of the store and the command line that need servers or clients, with those that are started or installed for them.
fn on_servers(tally: &mut Tally) -> Result<()> {
    let (postgres, s3, clients) = (postgres::Server::start(), s3::Server::start(), clients::python());
    // Python is on every CI machine.
    let is_needed = |what: &str| std::env::var_os("CI").is_some() && !what.ends_with("PostgreSQL");
    let mut missing = |what: &str, why: &str| match is_needed(what) {
        true => tally.failures.push(format!("{what}: {why}")),
        false => tally.left_out.push(format!("{what}: {why}")),
    };
    // Parts of the names of tests.
    let mut filters = Vec::new();
    match &postgres {
        Ok(_) => filters.push("postgres::"),
        Err(why) => missing("the store on PostgreSQL", why),
    }
    match &s3 {
        Ok(_) => filters.push("bucket::"),
        Err(why) => missing("the store on S3", why),
    }
    if filters.len() == 2 {
        filters.push("team::");
    }
    match &clients {
        Ok(_) => filters.push("clients::"),
        Err(why) => missing("the server and its clients", why),
    }
    if filters.is_empty() {
        return Ok(());
    }
    let words =
        ["test", "--workspace", "--locked", "--no-fail-fast", "--test", "store", "--test", "cli", "--", "--ignored"];
    let mut command = process::cargo(words.iter().chain(&filters));
    if let Ok(server) = &postgres {
        command.env("TABWRIGHT_TEST_POSTGRES", server.url());
    }
    if let Ok(server) = &s3 {
        command.env("TABWRIGHT_TEST_S3", server.url());
    }
    if let Ok(python) = &clients {
        command.env("TABWRIGHT_TEST_CLIENTS", python);
    }
    let passed = tally.passed;
    if !process::watched(command, |line| tally.line(line))? {
        tally.failures.push(format!("the store on servers, or the clients ({}; see above)", filters.join(" ")));
    }
    // They were counted as ignored before.
    tally.ignored = tally.ignored.saturating_sub(tally.passed - passed);
    Ok(())
}

/// The tests in which file operations fail.
fn with_faults(tally: &mut Tally) -> Result<()> {
    if !install::has(STRACE, STRACE) {
        tally.left_out.push("file operations that fail: strace is not installed".into());
        return Ok(());
    }
    let filter = ["--", "--ignored", "faults::"];
    let command = process::cargo(["test", "--workspace", "--locked", "--test", "cli"].iter().chain(&filter));
    let passed = tally.passed;
    if !process::watched(command, |line| tally.line(line))? {
        tally.failures.push("file operations that fail (see above)".into());
    }
    tally.ignored = tally.ignored.saturating_sub(tally.passed - passed);
    Ok(())
}

fn with_binaries(tally: &mut Tally) -> Result<()> {
    // The tests of the command line have built it.
    let debug = process::target_folder()?.join("debug").join(process::BINARY);
    let release = process::binary()?;
    tally.check("same model from debug and release", same_model(&debug, &release));
    tally.check("generated pages", generated_pages(&release));
    let outcome = commands::run_files(&release, &commands::pages()?)?;
    tally.passed += outcome.passed;
    tally.failed += outcome.failed.len();
    tally.failures.extend(outcome.failed);
    tally.left_out.extend(outcome.left_out);
    Ok(())
}

fn generated_pages(binary: &Path) -> Result<()> {
    match docs::write(binary, true)?.as_slice() {
        [] => Ok(()),
        stale => Err(format!("stale: {}; run `cargo xtask docs`", stale.join(", "))),
    }
}

/// Trains the bundled sample with every default candidate and compares the content ids.
fn same_model(debug: &Path, release: &Path) -> Result<()> {
    let folder = Scratch::new("same-model")?;
    let id = |binary: &Path, threads: &str| -> Result<String> {
        let mut command = Command::new(binary);
        command
            .args(["train", "examples/churn.csv", "--target", "churned", "--json", "--threads", threads, "-o"])
            .arg(folder.path().join("model.tw"))
            .current_dir(process::root());
        println!("$ {}", process::shown(&command));
        let text = process::output(command)?;
        let report: serde_json::Value = serde_json::from_str(&text).map_err(|e| format!("train --json: {e}"))?;
        let id = report["content_id"].as_str().ok_or("train --json prints no content_id")?;
        Ok(id.to_owned())
    };
    let expected = id(release, "1")?;
    for (binary, profile, threads) in [(release, "release", "2"), (debug, "debug", "1"), (debug, "debug", "2")] {
        let found = id(binary, threads)?;
        if found != expected {
            return Err(format!("{profile} on {threads} threads: {found}; release on one: {expected}"));
        }
    }
    println!("content id {expected}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_test_programs_add_up() {
        let mut tally = Tally::default();
        tally.line("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s");
        tally.line("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        tally.line("test other ... ok");
        assert_eq!((tally.passed, tally.failed, tally.ignored), (14, 1, 1));
        tally.check("x", Err("y".into()));
        assert_eq!(tally.failures, ["x: y"]);
        assert_eq!(tally.closing(), "tests: 14 passed, 2 failed, 1 skipped");
        assert_eq!(Tally { passed: 3, ..Tally::default() }.closing(), "tests: 3 passed, 0 failed");
    }
}
