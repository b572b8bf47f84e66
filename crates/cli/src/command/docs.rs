//! `tabwright docs`: reference pages of the guide, made from the code.

use std::fmt::Write;
use std::process::ExitCode;

use clap::ArgMatches;
use tabwright_learn::candidate::{CandidateType, Registry, Tasks};

use crate::config::document;
use crate::error::Failure;
use crate::{arguments, screen};

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let page = match matches.get_one::<String>("page").map_or("", String::as_str) {
        "configuration" => document::annotated(),
        "candidates" => candidates(),
        _ => commands(),
    };
    screen::print(&page)?;
    Ok(ExitCode::SUCCESS)
}

/// Every type of candidate with its hyperparameters, as Markdown.
fn candidates() -> String {
    let mut text = String::new();
    for candidate in Registry::default().types() {
        let _ = writeln!(text, "## `{}`\n\n{} {}\n", candidate.name, candidate.doc, tasks(candidate));
        if candidate.params.is_empty() {
            text.push_str("It has no hyperparameters.\n\n");
            continue;
        }
        text.push_str("| hyperparameter | default | allowed | meaning |\n|---|---|---|---|\n");
        for spec in &candidate.params {
            let aliases = match spec.aliases {
                [] => String::new(),
                aliases => {
                    format!(" (also {})", aliases.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(", "))
                }
            };
            let none = if spec.optional { ", or `\"none\"`" } else { "" };
            let _ = writeln!(
                text,
                "| `{}`{aliases} | `{}` | {}{none} | {} |",
                spec.name, spec.default, spec.allowed, spec.doc
            );
        }
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

fn tasks(candidate: &CandidateType) -> String {
    let tasks = match candidate.tasks {
        Tasks::Classification => "Learns classes.",
        Tasks::Regression => "Learns numbers.",
        Tasks::Any => "Learns classes and numbers.",
    };
    match candidate.aliases.as_slice() {
        [] => tasks.to_owned(),
        aliases => format!(
            "{tasks} Also asked for as {}.",
            aliases.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Every command with its flags, as Markdown.
fn commands() -> String {
    let mut text = String::new();
    for command in arguments::command().get_subcommands() {
        of_command("tabwright", command, &mut text);
    }
    text.trim_end().to_owned() + "\n"
}

/// The help of a command, then those of the commands within it.
fn of_command(above: &str, command: &clap::Command, text: &mut String) {
    let name = format!("{above} {}", command.get_name());
    let mut shown = command.clone().bin_name(&name).term_width(100);
    let _ = writeln!(text, "## `{name}`\n\n```text\n{}\n```\n", shown.render_long_help().to_string().trim_end());
    for inner in command.get_subcommands() {
        of_command(&name, inner, text);
    }
}
