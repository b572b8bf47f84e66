//! `tabwright monitor label` and `tabwright monitor import`.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::error::Error;
use tabwright_lifecycle::monitor::import::{ImportColumns, ImportRequest, import as take_in};
use tabwright_lifecycle::monitor::label::{LabelColumns, LabelRules, read_labels, take_labels};
use tabwright_store::time;

use super::{Default, Watched};
use crate::command::{configuration, context, stop_on_signal, texts};
use crate::error::Failure;
use crate::screen::{self, Screen, WallClock};

pub(super) fn label(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let config = configuration(matches, true)?;
    let watched = Watched::find(matches, &config, Default::Logged)?;
    let schemas: Vec<_> = watched
        .log
        .versions()
        .and_then(|versions| versions.iter().map(|version| watched.log.schema(version)).collect::<Result<_, _>>())
        .map_err(Error::from)?;
    let logged = schemas.iter().flatten().map(|schema| &schema.outputs);
    let rules = match &watched.artifact {
        Some(artifact) => {
            let own = tabwright_lifecycle::monitor::logger::outputs(artifact.model().task());
            LabelRules::of_outputs(logged.chain([&own]))
        }
        None => LabelRules::of_outputs(logged),
    };
    let named = |name: &str| matches.get_one::<String>(name).cloned();
    let columns = LabelColumns {
        id: named("id"),
        label: named("label"),
        time: named("time"),
        target: watched.artifact.as_ref().map(|artifact| artifact.model().signature().target.clone()),
    };
    stop_on_signal("no label is taken in");
    let (on_screen, clock) = (Screen::new(false), WallClock::start());
    let inputs = tabwright_data::resolve_inputs(&texts(matches, "data")).map_err(Error::from)?;
    let read = config.data.read_options()?;
    let rules = rules.unwrap_or(LabelRules::Number);
    let now = time::now();
    let labels = read_labels(&inputs, &columns, &rules, &read, now, context(&on_screen, &clock));
    on_screen.finish();
    let labels = labels?;
    watched.home.create().map_err(Error::from)?;
    take_labels(&watched.log, &labels, now)?;
    let kept = watched.log.labels(i64::MAX).map_err(Error::from)?;
    let unknown = watched.log.unknown_labels(&kept).map_err(Error::from)?;
    let model = watched.log.model();
    if matches.get_flag("json") {
        screen::print_json(&json!({
            "model": model,
            "labels": labels.len(),
            "predictions_with_label": kept.len(),
            "unknown": unknown.ids,
            "unknown_examples": unknown.examples,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    screen::print(&format!("{} taken in for {model}.\n", screen::counted(labels.len(), "label")))?;
    if unknown.ids > 0 {
        let examples = unknown.examples.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
        Screen::new(false).say(&format!(
            "{} of {model} so far without a logged prediction, such as {examples}",
            screen::counted(unknown.ids as usize, "label")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn import(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let config = configuration(matches, true)?;
    let watched = Watched::find(matches, &config, Default::New)?;
    let usual = ImportColumns::default();
    let named = |name: &str, usual: String| matches.get_one::<String>(name).cloned().unwrap_or(usual);
    let sources = texts(matches, "data");
    let request = ImportRequest {
        sources: &sources,
        home: &watched.home,
        name: watched.log.model(),
        version: &watched.version,
        artifact: watched.artifact.as_ref(),
        columns: ImportColumns {
            id: named("id", usual.id),
            time: named("time", usual.time),
            prediction: named("prediction", usual.prediction),
            latency: matches.get_one::<String>("latency").cloned(),
        },
        read: config.data.read_options()?,
    };
    stop_on_signal("what was taken in so far is in the log");
    let (on_screen, clock) = (Screen::new(false), WallClock::start());
    let imported = take_in(&request, context(&on_screen, &clock));
    on_screen.finish();
    let imported = imported?;
    // So that any tool can read it at once.
    watched.log.compact(time::now()).map_err(Error::from)?;
    if matches.get_flag("json") {
        screen::print_json(&json!({
            "model": request.name,
            "version": request.version,
            "rows": imported.rows,
            "inputs": imported.inputs,
        }))?;
    } else {
        screen::print(&format!(
            "{} predictions with {} inputs taken in for {}:{}.\n",
            screen::count(imported.rows as usize),
            imported.inputs.len(),
            request.name,
            request.version
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
