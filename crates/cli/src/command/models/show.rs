//! `tabwright models list` and `show`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::error::Error;
use tabwright_store::{CHAMPION, Model, Move, Reference, Version, VersionEvent, time};

use super::{configuration, event_json, move_json, text, version_json};
use crate::error::Failure;
use crate::home::OpenHome;
use crate::screen;

pub(super) fn list(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let home = OpenHome::find(&configuration(matches, true)?)?;
    if matches.get_flag("deleted") {
        let versions = match &home {
            Some(home) => home.wait(home.store.deleted_versions(None))?,
            None => Vec::new(),
        };
        return print_deleted(matches, &versions);
    }
    let mut models = match &home {
        Some(home) => home.wait(home.store.models())?,
        None => Vec::new(),
    };
    // What has no version is in the trash, or freed.
    models.retain(|model| !model.versions.is_empty());
    if matches.get_flag("json") {
        let shown = |model: &Model| {
            let latest = model.versions.last();
            json!({
                "name": model.name,
                "created": time::to_text(model.created),
                "versions": model.versions.len(),
                "latest": latest.map(|v| v.version),
                "aliases": model.aliases,
            })
        };
        screen::print_json(&json!({ "models": models.iter().map(shown).collect::<Vec<_>>() }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if models.is_empty() {
        screen::print("No models yet: `tabwright train --name NAME` registers one.\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = screen::text_table(&["model", "versions", "champion", "metric", "other aliases", "latest"]);
    for model in &models {
        let champion = model.aliases.get(CHAMPION);
        let version = model.versions.iter().find(|v| Some(&v.version) == champion);
        let others = model.aliases.iter().filter(|(alias, _)| *alias != CHAMPION);
        table.add_row([
            model.name.clone(),
            screen::count(model.versions.len()),
            champion.map_or("–".into(), |v| format!("{}:{v}", model.name)),
            version.map_or(String::new(), metric),
            others.map(|(alias, version)| format!("{alias} → {version}")).collect::<Vec<_>>().join(", "),
            model.versions.last().map_or(String::new(), |v| time::to_seconds(v.created)),
        ]);
    }
    screen::print(&format!("{table}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The versions in the trash.
fn print_deleted(matches: &ArgMatches, versions: &[Version]) -> Result<ExitCode, Failure> {
    if matches.get_flag("json") {
        let shown = |version: &Version| {
            let mut document = version_json(version);
            document["name"] = json!(version.registered.name);
            document
        };
        screen::print_json(&json!({ "versions": versions.iter().map(shown).collect::<Vec<_>>() }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if versions.is_empty() {
        screen::print("No version is in the trash.\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = screen::text_table(&["version", "model", "metric", "registered", "thrown away", "by"]);
    for version in versions {
        let registered = &version.registered;
        let deletion = version.deleted.as_ref();
        table.add_row([
            format!("{}:{}", registered.name, version.version),
            registered.info["type"].as_str().unwrap_or_default().to_owned(),
            metric(version),
            time::to_seconds(version.created),
            deletion.map_or(String::new(), |d| time::to_seconds(d.at)),
            deletion.map_or(String::new(), |d| d.who.clone()),
        ]);
    }
    screen::print(&format!("{table}\n\nBack: tabwright models restore NAME:VERSION\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The metric that decided, on the test part where there is one.
fn metric(version: &Version) -> String {
    let registered = &version.registered;
    let name = registered.evidence["metric"].as_str().unwrap_or_default();
    for name in [format!("test.{name}"), format!("cv.{name}"), name.to_owned()] {
        if let Some(value) = registered.metrics.get(&name) {
            return format!("{name} {}", screen::number(*value));
        }
    }
    String::new()
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let given = text(matches, "model");
    let reference = Reference::parse(given).map_err(Error::from)?;
    let at = matches
        .get_one::<String>("at")
        .map(|at| time::parse(at))
        .transpose()
        .map_err(|e| Failure::usage(e.to_string()))?;
    let home = OpenHome::expect(&configuration(matches, true)?)?;
    let model = home.wait(home.store.model(&reference.name))?;
    let moves = home.wait(home.store.moves(&reference.name))?;
    let events = home.wait(home.store.version_events(&reference.name))?;
    let is_one = given.contains([':', '@']);
    if matches.get_flag("deleted") {
        if is_one || at.is_some() {
            return Err(Failure::usage(
                "--deleted lists what is in the trash of a model; give the NAME alone, without --at",
            ));
        }
        return print_deleted(matches, &home.wait(home.store.deleted_versions(Some(&reference.name)))?);
    }
    if is_one && at.is_some() {
        return Err(Failure::usage("--at asks about the aliases of a model; give the NAME alone"));
    }
    if is_one {
        let version = home.wait(home.store.version(&reference))?;
        match matches.get_flag("json") {
            true => {
                let mut document = version_json(&version);
                document["name"] = json!(model.name);
                document["aliases"] = json!(aliases_of(&model.aliases, version.version));
                document["signature"] = version.registered.info["signature"].clone();
                document["evidence"] = version.registered.evidence.clone();
                document["record"] = version.registered.record.clone();
                screen::print_json(&document)?;
            }
            false => screen::print(&one(&model, &version))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let then = match at {
        None => model.aliases.clone(),
        Some(at) => home.wait(home.store.aliases_at(&model.name, at))?,
    };
    if matches.get_flag("json") {
        let mut document = json!({
            "name": model.name,
            "description": model.description,
            "created": time::to_text(model.created),
            "aliases": then,
            "versions": model.versions.iter().map(version_json).collect::<Vec<_>>(),
            "moves": moves.iter().map(move_json).collect::<Vec<_>>(),
            "events": events.iter().map(event_json).collect::<Vec<_>>(),
        });
        if let Some(at) = at {
            document["at"] = json!(time::to_text(at));
        }
        screen::print_json(&document)?;
    } else if let Some(at) = at {
        screen::print(&aliases_then(&model.name, &then, at))?;
    } else {
        screen::print(&all(&model, &moves, &events))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn aliases_of(aliases: &BTreeMap<String, u64>, version: u64) -> Vec<&str> {
    aliases.iter().filter(|(_, v)| **v == version).map(|(alias, _)| alias.as_str()).collect()
}

fn aliases_then(name: &str, aliases: &BTreeMap<String, u64>, at: i64) -> String {
    let at = time::to_seconds(at);
    if aliases.is_empty() {
        return format!("At {at}, no alias of `{name}` pointed anywhere.\n");
    }
    let lines: Vec<String> =
        aliases.iter().map(|(alias, version)| format!("  {name}@{alias} was {name}:{version}")).collect();
    format!("At {at}:\n{}\n", lines.join("\n"))
}

fn all(model: &Model, moves: &[Move], events: &[VersionEvent]) -> String {
    let count = screen::counted(model.versions.len(), "version");
    let mut parts = vec![format!("{}: {count}, since {}", model.name, time::to_seconds(model.created))];
    let mut table = screen::text_table(&["version", "aliases", "model", "metric", "registered", "run", "description"]);
    for version in model.versions.iter().rev() {
        let registered = &version.registered;
        let digits = super::super::runs::SHOWN_DIGITS.min(registered.run_id.len());
        table.add_row([
            format!("{}:{}", model.name, version.version),
            aliases_of(&model.aliases, version.version).join(", "),
            registered.info["type"].as_str().unwrap_or_default().to_owned(),
            metric(version),
            time::to_seconds(version.created),
            registered.run_id[..digits].to_owned(),
            registered.description.clone(),
        ]);
    }
    parts.push(table.to_string());
    let mut table = screen::text_table(&["when", "alias", "from", "to", "how", "who", "why"]);
    for one in moves {
        let version = |v: Option<u64>| v.map_or("–".to_owned(), |v| v.to_string());
        let how = one.action.name().replace('_', " ");
        let cells = [
            time::to_seconds(one.at),
            one.alias.clone(),
            version(one.from),
            version(one.to),
            how,
            one.who.clone(),
            one.why.clone(),
        ];
        table.add_row(cells);
    }
    parts.push(format!("Moves of aliases\n{table}"));
    if !events.is_empty() {
        let mut table = screen::text_table(&["when", "version", "what", "who", "why"]);
        for event in events {
            table.add_row([
                time::to_seconds(event.at),
                format!("{}:{}", model.name, event.version),
                event.what.name().replace('_', " "),
                event.who.clone(),
                event.why.clone(),
            ]);
        }
        parts.push(format!("Versions thrown away, brought back and freed\n{table}"));
    }
    parts.join("\n\n") + "\n"
}

fn one(model: &Model, version: &Version) -> String {
    let registered = &version.registered;
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let tags: Vec<String> = registered.tags.iter().map(|(tag, value)| format!("{tag}={value}")).collect();
    for (what, value) in [
        ("Version", format!("{}:{}", model.name, version.version)),
        ("Aliases", aliases_of(&model.aliases, version.version).join(", ")),
        ("Description", registered.description.clone()),
        ("Tags", tags.join(", ")),
        ("Model", registered.info["type"].as_str().unwrap_or_default().to_owned()),
        ("Target", registered.info["signature"]["target"].as_str().unwrap_or_default().to_owned()),
        ("Content", registered.content_id.clone()),
        ("Size", format!("{} bytes", screen::count(usize::try_from(registered.size).unwrap_or(usize::MAX)))),
        ("Data", registered.evidence["data_fingerprint"].as_str().unwrap_or_default().to_owned()),
        ("Run", registered.run_id.clone()),
        ("Registered", time::to_seconds(version.created)),
    ] {
        if !value.is_empty() {
            table.add_row([what.to_owned(), value]);
        }
    }
    let mut metrics = screen::table(&["metric", "value"]);
    for (name, value) in &registered.metrics {
        screen::row(&mut metrics, vec![name.clone(), screen::number(*value)]);
    }
    let next = format!("What it holds: tabwright show {}:{}", model.name, version.version);
    format!("{table}\n\n{metrics}\n\n{next}\n")
}
