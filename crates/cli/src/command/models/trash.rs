//! `tabwright models rm` and `restore`.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_store::{Reference, Which};

use super::{configuration, mover, reference, text};
use crate::error::Failure;
use crate::home::OpenHome;
use crate::screen;

pub(super) fn throw_away(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let (name, version) = meant(matches)?;
    let home = OpenHome::expect(&configuration(matches, true)?)?;
    let gone = home.wait(home.store.throw_versions_away(&name, version, &mover(text(matches, "why"))))?;
    if matches.get_flag("json") {
        screen::print_json(&json!({ "name": name, "deleted": gone }))?;
    } else if gone.is_empty() {
        let what = version.map_or(format!("All versions of `{name}` are"), |v| format!("{name}:{v} is"));
        screen::print(&format!("{what} in the trash already.\n"))?;
    } else {
        screen::print(&format!(
            "In the trash: {}. Back: tabwright models restore {}\n`tabwright gc` frees what has been there for 30 days.\n",
            named(&name, &gone),
            text(matches, "model")
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn restore(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let (name, version) = meant(matches)?;
    let home = OpenHome::expect(&configuration(matches, true)?)?;
    let back = home.wait(home.store.restore_versions(&name, version, &mover(text(matches, "why"))))?;
    match matches.get_flag("json") {
        true => screen::print_json(&json!({ "name": name, "restored": back }))?,
        false => {
            screen::print(&format!("Brought back from the trash: {}. No alias points there.\n", named(&name, &back)))?
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The model, and the version of it; none: all. An alias is no name for what may be in the trash.
fn meant(matches: &ArgMatches) -> Result<(String, Option<u64>), Failure> {
    let Reference { name, which } = reference(matches)?;
    match which {
        Which::Version(version) => Ok((name, Some(version))),
        Which::Alias(alias) if text(matches, "model").contains('@') => Err(Failure::usage(format!(
            "{name}@{alias} is what an alias points to, and that is kept; name the version: {name}:VERSION"
        ))),
        Which::Alias(_) => Ok((name, None)),
    }
}

fn named(name: &str, versions: &[u64]) -> String {
    versions.iter().map(|version| format!("{name}:{version}")).collect::<Vec<_>>().join(", ")
}
