//! `tabwright runs`: what was recorded.

mod compare;
mod list;
mod show;
mod trash;

use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::{Map, Value, json};
use tabwright_lifecycle::registry;
use tabwright_store::{Batch, Deletion, Run, time};

use super::{configuration, mover, texts};
use crate::error::Failure;
use crate::home::OpenHome;
use crate::screen;

pub(super) use list::SHOWN_DIGITS;

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    match matches.subcommand() {
        Some(("list", matches)) => list::run(matches),
        Some(("show", matches)) => show::run(matches),
        Some(("compare", matches)) => compare::run(matches),
        Some(("tag", matches)) => tag(matches),
        Some(("import", matches)) => import(matches),
        Some(("rm", matches)) => trash::throw_away(matches),
        Some(("restore", matches)) => trash::restore(matches),
        _ => unreachable!("invariant: clap lets no other command through"),
    }
}

/// A run as `runs list --json` has it.
fn to_json(run: &Run) -> Value {
    let metrics = run.metrics.iter().map(|(name, metric)| (name.clone(), number(metric.last)));
    let mut document = json!({
        "run_id": run.run_id,
        "name": run.run.name,
        "kind": run.run.kind,
        "project": run.run.project,
        "experiment": run.run.experiment,
        "parent": run.run.parent,
        "status": run.status.name(),
        "started": time::to_text(run.started),
        "ended": run.ended.map(time::to_text),
        "seconds": run.seconds(),
        "primary_metric": run.run.primary_metric,
        "params": run.params,
        "metrics": metrics.collect::<Map<_, _>>(),
        "tags": run.tags,
        "note": run.note,
    });
    if let Some(deletion) = &run.deleted {
        document["deleted"] = deletion_json(deletion);
    }
    document
}

/// When something was thrown away, and by whom.
pub(super) fn deletion_json(deletion: &Deletion) -> Value {
    json!({ "at": time::to_text(deletion.at), "who": deletion.who })
}

/// A number in JSON; those that JSON has none for are texts.
fn number(value: f64) -> Value {
    match value {
        v if v.is_nan() => Value::Null,
        v if v.is_infinite() => json!(if v > 0.0 { "Infinity" } else { "-Infinity" }),
        v => json!(v),
    }
}

/// `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(Failure::usage(format!("`{text}` is not NAME=VALUE"))),
    }
}

fn tag(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let tags = texts(matches, "tags").iter().map(|t| pair(t)).collect::<Result<_, _>>()?;
    let note = matches.get_one::<String>("note").cloned();
    let batch = Batch { tags, note, ..Batch::default() };
    if batch.tags.is_empty() && batch.note.is_none() {
        return Err(Failure::usage("nothing to set; give NAME=VALUE or --note TEXT"));
    }
    let home = OpenHome::expect(&configuration(matches, true)?)?;
    let id = matches.get_one::<String>("run").map_or("", String::as_str);
    let run = home.wait(home.store.run(id))?;
    home.wait(home.store.log(&run.run_id, &batch))?;
    let run = home.wait(home.store.run(&run.run_id))?;
    match matches.get_flag("json") {
        true => screen::print_json(&to_json(&run))?,
        false => {
            let tags: Vec<String> = run.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let tags = if tags.is_empty() { "no tags".to_owned() } else { tags.join(", ") };
            screen::print(&format!("Run {}: {tags}\n", run.run_id))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn import(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let home = OpenHome::open(&configuration(matches, true)?)?;
    let (mut lines, mut documents) = (String::new(), Vec::new());
    for file in texts(matches, "files") {
        let (record, version) = home.wait(registry::import(&home.store, Path::new(&file), &mover("imported")))?;
        let first = record.runs.first().map_or("", |r| r.run_id.as_str());
        lines += &format!("{file}: {}, the first is {first}", screen::counted(record.runs.len(), "run"));
        let registered = version.as_ref().map(|v| json!({ "name": v.registered.name, "version": v.version }));
        if let Some(version) = version {
            lines += &format!("; registered as {}:{}", version.registered.name, version.version);
        }
        lines.push('\n');
        documents.push(json!({ "file": file, "runs": record.runs.iter().map(|r| &r.run_id).collect::<Vec<_>>(), "model": registered }));
    }
    match matches.get_flag("json") {
        true => screen::print_json(&json!({ "imported": documents }))?,
        false => screen::print(&format!("{lines}The store has them now: what was imported from may be deleted.\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}
