//! The store under many processes, processes that are killed, and file operations that fail: the tests of the store and the
//! command line, with more of each than every change can wait for.

use super::Soak;
use crate::postgres::Server;
use crate::process::{self, Result};
use crate::{STRACE, install};

/// Operations of eight processes together, on each database.
const OPERATIONS: &str = "10000";
/// Processes that are killed while they write.
const KILLS: &str = "1000";

/// Runs the tests. PostgreSQL and strace are needed: what is not tried must not look as if it had passed.
///
/// # Errors
/// If a test fails, or something that it needs is not there.
pub(super) fn run(soak: &mut Soak) -> Result<()> {
    let server = Server::start().map_err(|why| format!("there is no PostgreSQL: {why}"))?;
    if !install::has(STRACE, STRACE) {
        return Err("strace, which lets file operations fail, is not installed".into());
    }
    for (test, filter) in [("store", "share_a_store"), ("store", "kill"), ("cli", "faults::")] {
        let words =
            ["test", "--workspace", "--locked", "--test", test, "--", "--include-ignored", "--nocapture", filter];
        let mut command = process::cargo(words);
        command.env("TABWRIGHT_TEST_POSTGRES", server.url());
        command.env("TABWRIGHT_TEST_OPERATIONS", OPERATIONS).env("TABWRIGHT_TEST_KILLS", KILLS);
        command.env("TABWRIGHT_TEST_FAULTS", "all");
        soak.run(command)?;
    }
    Ok(())
}
