//! The command line as a user meets it: every command, broken input, exit codes, and that nothing is half-written.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod bad_input;
#[cfg(feature = "s3")]
mod bucket;
mod card;
mod clients;
mod commands;
mod deploy;
mod diff;
mod drift;
mod faults;
mod housekeeping;
mod live;
mod odd_input;
mod project;
#[cfg(unix)]
mod read_only;
mod registry;
mod runs;
#[cfg(feature = "s3")]
#[path = "../../../store/tests/store/s3.rs"]
mod s3;
#[cfg(unix)]
mod serving;
#[cfg(unix)]
mod soak;
mod tokens;
#[cfg(unix)]
mod watching;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder of its own for each test, and the binary to run in it.
struct Place {
    folder: tempfile::TempDir,
    /// All that the environment has.
    variables: Vec<(String, String)>,
}

impl Place {
    fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs the binary with words separated by spaces.
    fn run(&self, arguments: &str) -> Answer {
        self.run_with(&arguments.split_whitespace().collect::<Vec<_>>(), b"")
    }

    fn run_with(&self, arguments: &[&str], stdin: &[u8]) -> Answer {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tabwright"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The process may end before it has read everything: then its answer is what counts.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        Answer::new(arguments, child.wait_with_output().unwrap())
    }

    /// A sample of generated customers.
    fn churn(&self, rows: usize) -> &Self {
        self.run(&format!("example churn -o churn.csv --rows {rows}")).ok();
        self
    }

    /// A small model of generated customers.
    fn model(&self) -> &Self {
        self.churn(400);
        self.run("train churn.csv --target churned --candidates logistic_regression --folds 2 -o churn.tw").ok();
        self
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// What a run of the binary said.
struct Answer {
    command: String,
    code: i32,
    stdout: String,
    stderr: String,
}

impl Answer {
    fn new(arguments: &[&str], output: Output) -> Self {
        Answer {
            command: arguments.join(" "),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    fn ok(self) -> Self {
        self.exit(0)
    }

    /// Ends with a code, and never with a panic.
    #[track_caller]
    fn exit(self, code: i32) -> Self {
        assert!(!self.stderr.contains("panicked"), "`{}` panicked: {}", self.command, self.stderr);
        assert_eq!(self.code, code, "`{}`\n{}\n{}", self.command, self.stdout, self.stderr);
        self
    }

    /// Says something on stderr.
    #[track_caller]
    fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{}` should say `{text}`: {}", self.command, self.stderr);
        self
    }

    #[track_caller]
    fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "`{}` should print `{text}`: {}", self.command, self.stdout);
        self
    }

    #[track_caller]
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("`{}`: {e}: {}", self.command, self.stdout))
    }
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}

/// Lets this process, and those that it starts, open many files: a connection is one.
#[cfg(unix)]
fn many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}
