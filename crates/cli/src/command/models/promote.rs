//! `tabwright models promote`: what the gate says, and what became of it.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::error::Exit;
use tabwright_lifecycle::registry::gate::Verdict;
use tabwright_lifecycle::registry::promote::{Promote, Promoted, promote};

use super::{configuration, context, move_json, move_line, reference, stop_on_signal, text, texts};
use crate::error::Failure;
use crate::home::{self, OpenHome};
use crate::screen::{self, Screen, WallClock};

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let (reference, config) = (reference(matches)?, configuration(matches, true)?);
    let home = OpenHome::expect(&config)?;
    let (force, data) = (matches.get_flag("force"), texts(matches, "data"));
    let alias = text(matches, "alias");
    let asked = Promote { reference: &reference, alias, force, data: &data, asked: &config.registry };
    stop_on_signal("no alias is moved");
    let (on_screen, clock) = (Screen::new(false), WallClock::start());
    let user = home::user();
    let answer = promote(&home.store, &asked, &user, text(matches, "why"), context(&on_screen, &clock));
    let done = home.wait(answer);
    on_screen.finish();
    let done = done?;
    let refused = !done.verdict.passed && !force;
    if matches.get_flag("json") {
        screen::print_json(&json!({
            "name": reference.name,
            "version": done.version.version,
            "alias": alias,
            "passed": done.verdict.passed,
            "forced": force && !done.verdict.passed,
            "checks": done.verdict.checks,
            "moved": done.moved.as_ref().map(move_json),
        }))?;
    } else {
        screen::print(&shown(&done, &reference.name, alias, force))?;
    }
    Ok(if refused { ExitCode::from(Exit::Verdict as u8) } else { ExitCode::SUCCESS })
}

fn shown(done: &Promoted, name: &str, alias: &str, force: bool) -> String {
    let version = done.version.version;
    let checks = checks(&done.verdict);
    let end = match &done.moved {
        Some(moved) if done.verdict.passed => move_line(name, moved),
        Some(moved) => format!("The gate said no; forced: {}", move_line(name, moved)),
        None if !done.verdict.passed && !force => {
            format!("The gate says no: {name}@{alias} stays where it is. (--force --why \"…\" moves it all the same)")
        }
        None => format!("{name}@{alias} is version {version} already"),
    };
    format!("{checks}{end}\n")
}

fn checks(verdict: &Verdict) -> String {
    if verdict.checks.is_empty() {
        return String::new();
    }
    let mut table = screen::text_table(&["check", "met", "found"]);
    for check in &verdict.checks {
        let mark = if check.passed { "yes" } else { "no" };
        table.add_row([check.name.clone(), mark.to_owned(), check.message.clone()]);
    }
    format!("{table}\n\n")
}
