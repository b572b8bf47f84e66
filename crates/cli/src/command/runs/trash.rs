//! `tabwright runs rm` and `restore`.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_store::Run;

use super::super::{configuration, texts};
use super::to_json;
use crate::error::Failure;
use crate::home::{self, OpenHome};
use crate::screen;

pub(super) fn throw_away(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let home = OpenHome::expect(&configuration(matches, true)?)?;
    let runs = home.wait(home.store.throw_runs_away(&texts(matches, "runs"), &home::user()))?;
    let ids: Vec<&str> = runs.iter().map(|run| run.run_id.as_str()).collect();
    let text = format!(
        "{} in the trash. Back: tabwright runs restore {}\n`tabwright gc` frees what has been there for 30 days.\n",
        screen::counted(runs.len(), "run"),
        ids.join(" ")
    );
    print(matches, "deleted", &runs, &text)
}

pub(super) fn restore(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let home = OpenHome::expect(&configuration(matches, true)?)?;
    let runs = home.wait(home.store.restore_runs(&texts(matches, "runs")))?;
    let text = format!("{} brought back from the trash.\n", screen::counted(runs.len(), "run"));
    print(matches, "restored", &runs, &text)
}

fn print(matches: &ArgMatches, what: &str, runs: &[Run], text: &str) -> Result<ExitCode, Failure> {
    match matches.get_flag("json") {
        true => screen::print_json(&json!({ what: runs.iter().map(to_json).collect::<Vec<_>>() }))?,
        false => screen::print(text)?,
    }
    Ok(ExitCode::SUCCESS)
}
