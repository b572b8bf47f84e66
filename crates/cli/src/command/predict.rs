//! `tabwright predict`: rows in, predictions out, in their order.

mod remote;

use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use tabwright_lifecycle::config::Config;
use tabwright_lifecycle::monitor::logger::names_of_file;
use tabwright_lifecycle::predict::{LogTarget, OnError, PredictOptions, predict};
use tabwright_model::artifact::Artifact;
use tabwright_store::predictions::Predictions;
use tabwright_store::{Reference, Version, time};

use super::{configuration, context, is_left_by_its_reader, load_named, say_warnings, stop_on_signal, texts};
use crate::error::Failure;
use crate::home;
use crate::screen::{self, Screen, WallClock};

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let json = matches.get_flag("json");
    if json && matches.get_one::<String>("output").is_some_and(|output| output == "-") {
        return Err(Failure::usage(
            "--json prints a summary on standard output, so predictions need a file: add -o FILE",
        ));
    }
    if let Some(server) = matches.get_one::<String>("server") {
        return remote::run(matches, server);
    }
    let (artifact, version) = load_named(matches, "model")?;
    let config = configuration(matches, false)?;
    let on_error = matches.get_one::<String>("on-error").map_or("fail", String::as_str);
    let options = PredictOptions {
        sources: texts(matches, "data"),
        output: matches.get_one::<String>("output").cloned().unwrap_or_else(|| "-".into()),
        keep: kept(matches),
        on_error: on_error.parse::<OnError>()?,
        batch_size: matches.get_one::<u32>("batch-size").map(|n| *n as usize),
        threads: matches.get_one::<usize>("threads").copied().unwrap_or(0),
        read: config.data.read_options()?,
        log: log_target(matches, &config, (&artifact, version.as_ref()))?,
    };
    let model = matches.get_one::<String>("model").map_or("", String::as_str);
    if tabwright_lifecycle::file::is_same(model, &options.output) {
        return Err(Failure::usage(format!("the predictions would replace the model {model}; give another name")));
    }
    stop_on_signal("the rows so far are left out, nothing is half-written");
    let (on_screen, clock) = (Screen::new(false), WallClock::start());
    let done = predict(&artifact, &options, context(&on_screen, &clock));
    on_screen.finish();
    if done.as_ref().is_err_and(is_left_by_its_reader) {
        return Ok(ExitCode::SUCCESS);
    }
    let done = done?;
    if let Some(target) = &options.log {
        // So that any tool can read it at once.
        let log = Predictions::of(&target.home, &target.name).and_then(|log| log.compact(time::now()));
        log.map_err(tabwright_lifecycle::Error::from)?;
    }
    say_warnings(&done.warnings, &on_screen);
    if json {
        screen::print_json(&serde_json::json!({
            "rows": done.rows,
            "rejected": done.rejected,
            "logged": done.logged,
            "output": options.output,
            "content_id": artifact.content_id(),
            "seconds": done.seconds,
            "warnings": done.warnings,
        }))?;
    } else if let ("-", 1..) = (options.output.as_str(), done.logged) {
        on_screen.say(&format!("{} rows logged", screen::count(done.logged as usize)));
    } else if options.output != "-" {
        let rate = done.rows as f64 / done.seconds.max(1e-9);
        let (rows, seconds) = (screen::count(done.rows), screen::seconds(done.seconds));
        on_screen.say(&format!(
            "{rows} rows predicted in {seconds} ({} a second): {}{}",
            screen::count(rate as usize),
            options.output,
            if done.logged > 0 { "; logged" } else { "" }
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The columns that are carried through: labels come by the id that predictions are logged under, so it is among them.
fn kept(matches: &ArgMatches) -> Vec<String> {
    let mut keep = texts(matches, "keep");
    if let Some(id) = matches.get_one::<String>("log-id").filter(|id| !keep.contains(id)) {
        keep.insert(0, id.clone());
    }
    keep
}

/// Where the predictions are logged, if that is asked for: under the name and version that a server would have for the model.
fn log_target(
    matches: &ArgMatches,
    config: &Config,
    (artifact, version): (&Artifact, Option<&Version>),
) -> Result<Option<LogTarget>, Failure> {
    if !matches.get_flag("log") {
        return Ok(None);
    }
    let named = matches.get_one::<String>("model").map_or("", String::as_str);
    let (name, version) = match version {
        Some(version) => {
            (Reference::parse(named).map_err(tabwright_lifecycle::Error::from)?.name, version.version.to_string())
        }
        None => names_of_file(Path::new(named), artifact),
    };
    Ok(Some(LogTarget {
        home: home::locate()?,
        name,
        version,
        inputs: config.log.settings()?.inputs,
        ids: matches.get_one::<String>("log-id").cloned(),
        times: matches.get_one::<String>("log-time").cloned(),
    }))
}
