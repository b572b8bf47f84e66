//! A server under load, at full length: 500 times asked to end, an alias moved 1,000 times, an hour of requests. They are the tests of
//! the command line, with more of each than every change can wait for.

use super::Soak;
use crate::process::{self, Result};

/// Servers that are asked to end while they are asked for predictions.
const SIGTERMS: &str = "500";
/// Times that an alias moves.
const MOVES: &str = "1000";
/// Seconds of requests without a pause.
const SECONDS: &str = "3600";

/// Runs the tests, one after the other, so that each has the machine for itself.
///
/// # Errors
/// If one fails.
pub(super) fn run(soak: &mut Soak) -> Result<()> {
    let words = ["test", "--workspace", "--locked", "--test", "cli", "--", "--nocapture", "--test-threads=1", "soak::"];
    let mut command = process::cargo(words);
    command.env("TABWRIGHT_TEST_SIGTERMS", SIGTERMS).env("TABWRIGHT_TEST_MOVES", MOVES);
    command.env("TABWRIGHT_TEST_SECONDS", SECONDS);
    soak.run(command).map(drop)
}
