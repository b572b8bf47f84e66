//! `tabwright monitor`: models in use.

mod alerts;
mod period;
mod report;
mod take_in;

use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_core::Table;
use tabwright_lifecycle::config::Config;
use tabwright_lifecycle::error::Error;
use tabwright_lifecycle::monitor::logger::{names_of_file, version_of_file};
use tabwright_lifecycle::monitor::report::Against;
use tabwright_lifecycle::monitor::skew::{Skew, skew};
use tabwright_lifecycle::monitor::status::status;
use tabwright_model::artifact::Artifact;
use tabwright_store::predictions::Predictions;
use tabwright_store::time::{self, Micros};
use tabwright_store::{Home, Reference, Which};

use super::{configuration, context, is_file, texts};
use crate::error::Failure;
use crate::home::{self, OpenHome};
use crate::screen::{self, Screen, WallClock};

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    match matches.subcommand() {
        Some(("status", matches)) => show_status(matches),
        Some(("report", matches)) => report::run(matches),
        Some(("label", matches)) => take_in::label(matches),
        Some(("import", matches)) => take_in::import(matches),
        Some(("alerts", matches)) => alerts::run(matches),
        Some(("backtest", matches)) => alerts::backtest(matches),
        Some(("skew", matches)) => show_skew(matches),
        _ => unreachable!("invariant: clap lets no other command through"),
    }
}

/// A model whose log is looked at.
struct Watched {
    home: Home,
    log: Predictions,
    version: String,
    /// The version itself, where it is registered or named.
    artifact: Option<Artifact>,
}

/// Which version a name may stand for where it says none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Default {
    /// The champion if there is a log of it or none of any other, else the version that was logged last.
    Logged,
    /// The champion, else the first.
    New,
}

impl Watched {
    /// Finds the log of a model, and the model where it is at hand.
    fn find(matches: &ArgMatches, config: &Config, default: Default) -> Result<Self, Failure> {
        let home = home::locate()?;
        let text = matches.get_one::<String>("name").map_or("", String::as_str);
        let file = matches.get_one::<String>("model");
        let of_file = |path: &str| tabwright_lifecycle::file::load(Path::new(path));
        if is_file(text) {
            let artifact = of_file(text)?;
            let (name, version) = names_of_file(Path::new(text), &artifact);
            let log = Predictions::of(&home, &name).map_err(Error::from)?;
            return Ok(Watched { home, log, version, artifact: Some(artifact) });
        }
        let reference = Reference::parse(text).map_err(Error::from)?;
        let log = Predictions::of(&home, &reference.name).map_err(Error::from)?;
        let logged = log.versions().map_err(Error::from)?;
        let named = match &reference.which {
            Which::Version(number) => Some(number.to_string()),
            Which::Alias(_) => None,
        };
        let newest = log.newest_version().map_err(Error::from)?;
        if let Some(path) = file {
            let artifact = of_file(path)?;
            let of_file = Some(version_of_file(&artifact)).filter(|version| logged.contains(version));
            let version = named.or(of_file).or(newest).unwrap_or_else(|| "1".into());
            return Ok(Watched { home, log, version, artifact: Some(artifact) });
        }
        let registered = registered(&reference, text, (&logged, newest.as_deref()), default, config)?;
        let (version, artifact) = match registered {
            Some((version, artifact)) => (version, Some(artifact)),
            None => (named.or(newest).unwrap_or_else(|| "1".into()), None),
        };
        if artifact.is_none() && logged.is_empty() && default == Default::Logged {
            let known = Predictions::models(&home).map_err(Error::from)?;
            let near = tabwright_core::suggest::did_you_mean(&reference.name, known.iter().map(String::as_str));
            return Err(Failure::usage(format!(
                "no model `{}` is registered here, and nothing is logged of one{near}; `tabwright monitor status` shows what there is",
                reference.name
            )));
        }
        Ok(Watched { home, log, version, artifact })
    }
}

/// The version of the registry that is meant; none if the model is not registered.
fn registered(
    reference: &Reference,
    text: &str,
    (logged, newest): (&[String], Option<&str>),
    default: Default,
    config: &Config,
) -> Result<Option<(String, Artifact)>, Failure> {
    let Some(open) = OpenHome::find(config)? else { return Ok(None) };
    if !open.wait(open.store.has_model(&reference.name))? {
        return Ok(None);
    }
    let is_plain = text == reference.name;
    let load = |reference: &Reference| {
        let (version, artifact) = open.wait(tabwright_lifecycle::registry::load(&open.store, reference))?;
        Ok::<_, Failure>((version.version.to_string(), artifact))
    };
    let of_number = |number: u64| load(&Reference { name: reference.name.clone(), which: Which::Version(number) });
    match load(reference) {
        Ok((version, artifact)) => {
            // What is logged is meant, where nothing is of the champion.
            let last = newest.and_then(|newest| newest.parse().ok());
            match last.filter(|_| is_plain && default == Default::Logged && !logged.contains(&version)) {
                Some(number) => Ok(Some(of_number(number).unwrap_or((version, artifact)))),
                None => Ok(Some((version, artifact))),
            }
        }
        // No champion yet, or a version that is gone: its log is there.
        Err(failure) => match newest.and_then(|newest| newest.parse().ok()) {
            Some(number) if is_plain => Ok(of_number(number).ok()),
            _ if matches!(&reference.which, Which::Version(number) if logged.contains(&number.to_string())) => Ok(None),
            _ => Err(failure),
        },
    }
}

/// What drift is held against, as it is typed.
enum Named {
    Model,
    Window(Micros, Micros),
    Rows(Table, String),
}

impl Named {
    fn read(matches: &ArgMatches, config: &Config, to: Micros) -> Result<Self, Failure> {
        let text = matches.get_one::<String>("against").map_or("model", String::as_str);
        if text == "model" {
            return Ok(Named::Model);
        }
        if !Path::new(text).exists() && text.contains("..") {
            let (from, to) = period::span(text, to)?;
            return Ok(Named::Window(from, to));
        }
        let (on_screen, clock) = (Screen::new(false), WallClock::start());
        let inputs = tabwright_data::resolve_inputs(&[text.to_owned()]).map_err(Error::from)?;
        let table = tabwright_data::read_table(&inputs, &config.data.read_options()?, context(&on_screen, &clock));
        on_screen.finish();
        Ok(Named::Rows(table.map_err(Error::from)?.table, text.to_owned()))
    }

    fn against(&self) -> Against<'_> {
        match self {
            Named::Model => Against::Model,
            Named::Window(from, to) => Against::Window(*from, *to),
            Named::Rows(table, name) => Against::Rows(table, name),
        }
    }
}

fn show_status(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let home = home::locate()?;
    let named = texts(matches, "name");
    let models = if named.is_empty() { Predictions::models(&home).map_err(Error::from)? } else { named };
    let all = status(&home, &models)?;
    if matches.get_flag("json") {
        screen::print_json(&json!({ "logs": all }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if all.is_empty() {
        screen::print(
            "Nothing is logged here yet. `tabwright serve NAME --log async` and `tabwright predict NAME DATA --log` log what they answer; \
             `tabwright monitor import NAME FILE` takes in what others did.\n",
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = screen::table(&["model", "version", "predictions", "first", "last", "labels", "lost", "size"]);
    for log in &all {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".into());
        let cells = vec![
            log.model.clone(),
            log.version.clone(),
            screen::count(log.predictions as usize),
            or_none(&log.first),
            or_none(&log.last),
            screen::count(log.labels),
            screen::count(log.lost as usize),
            tabwright_report::text::bytes(log.bytes),
        ];
        screen::row(&mut table, cells);
    }
    screen::print(&format!("{table}\nLabels and size are of all versions of a model together.\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn show_skew(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let config = configuration(matches, true)?;
    let watched = Watched::find(matches, &config, Default::Logged)?;
    let window = period::of(matches, time::now())?;
    let Some(artifact) = &watched.artifact else {
        return Err(Failure::usage(format!(
            "version {} of `{}` is not registered here: name its file with --model",
            watched.version,
            watched.log.model()
        )));
    };
    let found = skew(&watched.log, &watched.version, artifact, window)?;
    if matches.get_flag("json") {
        screen::print_json(&json!(found))?;
    } else {
        screen::print(&told(&watched, &found))?;
    }
    Ok(if found.skewed > 0 { ExitCode::from(4) } else { ExitCode::SUCCESS })
}

fn told(watched: &Watched, found: &Skew) -> String {
    let named = format!("{}:{}", watched.log.model(), watched.version);
    if let Some(reason) = &found.reason {
        return format!("{named}: nothing was compared: {reason}.\n");
    }
    let compared = screen::count(found.compared as usize);
    let others = match found.without_inputs {
        0 => String::new(),
        n => {
            format!("{} more could not be compared: not all of their inputs were logged.\n", screen::count(n as usize))
        }
    };
    if found.skewed == 0 {
        return format!(
            "{named}: no skew. All {compared} predictions that could be scored again are what the model gives to their inputs, to the bit.\n\
             {others}"
        );
    }
    let mut text = format!(
        "{named}: skew. {} of {compared} predictions are not what the model gives to their inputs; the largest difference is {}.\n",
        screen::count(found.skewed as usize),
        tabwright_report::text::number(found.largest_difference)
    );
    for (output, entries) in &found.outputs {
        text.push_str(&format!("  {output}: {} entries\n", screen::count(*entries as usize)));
    }
    for (column, entries) in &found.columns {
        let entries = screen::count(*entries as usize);
        text.push_str(&format!(
            "  without the input `{column}` the model gives what was logged, for {entries} entries\n"
        ));
    }
    if found.changed_inputs > 0 {
        text.push_str("  input_hash: the inputs in the log are not those that were hashed when they were predicted\n");
    }
    text.push_str(&others);
    if let Some(example) = found.examples.first() {
        text.push_str(&format!(
            "  for example {}: {} was {}, the model gives {}\n",
            example.id, example.output, example.logged, example.scored
        ));
    }
    text
}
