//! The project's own chores: `cargo xtask test`, `tidy`, `commands`, `docs`, `bench` and `soak`.
//!
//! Runs other programs and reads the checkout; holds no code that ships. Each chore says what it ran and what it left
//! out, and ends with a line that counts.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who started it")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

mod bench;
mod clients;
mod commands;
mod docs;
mod install;
mod postgres;
mod process;
mod s3;
mod soak;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <chore>

  test [--fast]        build, run every test, doc test and command block of the docs; --fast: unit and integration tests
  tidy                 crate edges, module docs, file sizes, banned calls, links, unused dependencies
  commands [--binary FILE] [PAGE...]
                       run the command blocks of README.md and docs/src, or of the pages named
  docs [--binary FILE] [--check]
                       write the generated pages of the guide, or fail if they are stale
  bench [NAME] [-- …]  compare with other libraries: read, candidates, agreement, scripts, predict, trees, stream, store, serve,
                       monitor (all without NAME)
  soak [--binary FILE] [NAME...]
                       what takes too long for every change: large tables, flat memory, every level of x86-64,
                       the store under kills and faults, drift against SciPy and Evidently
";

/// The program that lets calls of the system fail, and the package that has it.
const STRACE: &str = "strace";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let result = match arguments.first().map(String::as_str) {
        Some("test") => test::run(rest),
        Some("tidy") => tidy::run(rest),
        Some("commands") => commands::run(rest),
        Some("docs") => docs::run(rest),
        Some("bench") => bench::run(rest),
        Some("soak") => soak::run(rest),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(other) => Err(format!("there is no chore `{other}`\n\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
