//! `tabwright models`: the registry.

mod diff;
mod promote;
mod show;
mod trash;

use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::{Value, json};
use tabwright_lifecycle::error::{Error, Exit};
use tabwright_lifecycle::registry::{self, Registered, promote::config_of_run, reproduce};
use tabwright_lifecycle::train::Surroundings;
use tabwright_store::{Action, CHAMPION, Move, NewMove, Reference, Version, VersionEvent, time};

use super::runs::{deletion_json, pair};
use super::{configuration, context, mover, stop_on_signal, texts};
use crate::error::Failure;
use crate::home::OpenHome;
use crate::screen::{self, Screen, WallClock};

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    match matches.subcommand() {
        Some(("list", matches)) => show::list(matches),
        Some(("show", matches)) => show::run(matches),
        Some(("register", matches)) => register(matches),
        Some(("promote", matches)) => promote::run(matches),
        Some(("rollback", matches)) => roll_back(matches),
        Some(("alias", matches)) => alias(matches),
        Some(("diff", matches)) => diff::run(matches),
        Some(("reproduce", matches)) => reproduce(matches),
        Some(("rm", matches)) => trash::throw_away(matches),
        Some(("restore", matches)) => trash::restore(matches),
        _ => unreachable!("invariant: clap lets no other command through"),
    }
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

fn reference(matches: &ArgMatches) -> Result<Reference, Failure> {
    Ok(Reference::parse(text(matches, "model")).map_err(Error::from)?)
}

/// A version as `models show --json` has it.
fn version_json(version: &Version) -> Value {
    let registered = &version.registered;
    let mut document = json!({
        "version": version.version,
        "content_id": registered.content_id,
        "run_id": Some(&registered.run_id).filter(|id| !id.is_empty()),
        "created": time::to_text(version.created),
        "description": registered.description,
        "metrics": registered.metrics,
        "tags": registered.tags,
        "type": registered.info["type"],
        "size": registered.size,
    });
    if let Some(deletion) = &version.deleted {
        document["deleted"] = deletion_json(deletion);
    }
    document
}

fn event_json(event: &VersionEvent) -> Value {
    json!({
        "version": event.version,
        "event": event.what.name(),
        "at": time::to_text(event.at),
        "who": event.who,
        "why": event.why,
    })
}

fn move_json(one: &Move) -> Value {
    json!({
        "alias": one.alias,
        "from": one.from,
        "to": one.to,
        "action": one.action.name(),
        "at": time::to_text(one.at),
        "who": one.who,
        "why": one.why,
        "verdict": one.verdict,
    })
}

fn register(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let name = text(matches, "name");
    tabwright_store::name::check("the model name", name).map_err(Error::from)?;
    let file = text(matches, "file");
    let artifact = tabwright_lifecycle::file::load(Path::new(file)).map_err(|error| match error {
        Error::Artifact { source: tabwright_model::Error::NotAModel(_), .. } => Failure {
            exit: Exit::Data,
            message: format!(
                "{file} is no model file; `models register` takes one that `tabwright train` wrote (.tw). To train from a \
                 table and register the model: tabwright train {file} --target COL --name {name}"
            ),
        },
        other => other.into(),
    })?;
    let tags = texts(matches, "tag").iter().map(|t| pair(t)).collect::<Result<_, _>>()?;
    let home = OpenHome::open(&configuration(matches, true)?)?;
    let about = Registered {
        name: name.to_owned(),
        run_id: String::new(),
        description: text(matches, "description").to_owned(),
        alias: matches.get_one::<String>("alias").cloned(),
        tags,
    };
    let version = home.wait(registry::register(&home.store, &artifact, &about, &mover(text(matches, "why"))))?;
    if matches.get_flag("json") {
        let mut document = version_json(&version);
        document["name"] = json!(name);
        screen::print_json(&document)?;
    } else {
        let champion = if version.version == 1 { ", the first, and so its champion" } else { "" };
        screen::print(&format!("{} is {name}:{}{champion}\n", text(matches, "file"), version.version))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn roll_back(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let name = text(matches, "model");
    tabwright_store::name::check("the model name", name).map_err(Error::from)?;
    let home = OpenHome::expect(&configuration(matches, true)?)?;
    let done = home.wait(home.store.roll_back(name, text(matches, "alias"), &mover(text(matches, "why"))))?;
    print_move(matches, name, &done)
}

fn alias(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let (reference, alias) = (reference(matches)?, text(matches, "alias"));
    let remove = matches.get_flag("remove");
    if alias == CHAMPION && !remove {
        return Err(Failure::usage(format!(
            "the champion is promoted, so that the gate is asked: tabwright models promote {reference}"
        )));
    }
    let home = OpenHome::expect(&configuration(matches, true)?)?;
    let to = match remove {
        true => None,
        false => Some(home.wait(home.store.version(&reference))?.version),
    };
    let action = if remove { Action::Removed } else { Action::Set };
    let new = NewMove { alias, to, action, expected: None };
    let done = home.wait(home.store.move_alias(&reference.name, &new, &mover(text(matches, "why"))))?;
    print_move(matches, &reference.name, &done)
}

fn print_move(matches: &ArgMatches, name: &str, done: &Move) -> Result<ExitCode, Failure> {
    match matches.get_flag("json") {
        true => {
            let mut document = move_json(done);
            document["name"] = json!(name);
            screen::print_json(&document)?;
        }
        false => screen::print(&format!("{}\n", move_line(name, done)))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn move_line(name: &str, done: &Move) -> String {
    let alias = &done.alias;
    match (done.from, done.to) {
        (from, Some(to)) => {
            let before = from.map_or(String::new(), |from| format!(" (it was version {from})"));
            format!("{name}@{alias} is version {to} now{before}")
        }
        (Some(from), None) => format!("{name}@{alias} is gone (it was version {from})"),
        (None, None) => format!("{name}@{alias} was not there"),
    }
}

fn reproduce(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let reference = reference(matches)?;
    let home = OpenHome::expect(&configuration(matches, true)?)?;
    let (version, artifact) = home.wait(registry::load(&home.store, &reference))?;
    let config = home.wait(config_of_run(&home.store, &version))?;
    let surroundings = Surroundings { machine: crate::surroundings::machine(), ..Surroundings::default() };
    stop_on_signal("nothing is compared");
    let (on_screen, clock) = (Screen::new(false), WallClock::start());
    let data = texts(matches, "data");
    let context = context(&on_screen, &clock);
    let done = reproduce::reproduce(&version, &artifact, config.as_ref(), &data, &surroundings, context);
    on_screen.finish();
    let done = done?;
    let name = format!("{}:{}", version.registered.name, version.version);
    if matches.get_flag("json") {
        let mut document = json!(done);
        document["model"] = json!(name);
        screen::print_json(&document)?;
    } else {
        screen::print(&reproduced(&name, &done))?;
    }
    Ok(if done.identical { ExitCode::SUCCESS } else { ExitCode::from(Exit::Verdict as u8) })
}

fn reproduced(name: &str, done: &reproduce::Reproduced) -> String {
    let took = screen::seconds(done.seconds);
    let Some(difference) = &done.difference else {
        return format!("{name} is reproduced, to the last bit: {} ({took})\n", done.found);
    };
    let value = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    format!(
        "{name} is not reproduced ({took}).\nFirst difference, in the {}: {}\n  recorded  {}\n  found     {}\nContent\n  recorded  {}\n  found     {}\n",
        difference.what,
        difference.message,
        value(&difference.recorded),
        value(&difference.found),
        done.expected,
        done.found
    )
}
