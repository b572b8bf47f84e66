//! `tabwright drift`: has the world moved between two tables, or since a model was trained?

use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::drift::{Against, DriftRequest, compare};
use tabwright_lifecycle::error::Exit;

use super::{
    configuration, context, find_model, give_report, is_file, report_output, say_warnings, stop_on_signal, texts,
};
use crate::error::Failure;
use crate::screen::{Screen, WallClock};

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let output = report_output(matches)?;
    let config = configuration(matches, true)?;
    let mut options = config.monitor.drift_options(config.train.seed)?;
    let columns = texts(matches, "columns");
    options.columns = Some(columns).filter(|columns| !columns.is_empty());
    let (current, against) = (texts(matches, "data"), texts(matches, "against"));
    let model = match &against[..] {
        [only] if is_model(only) => Some(find_model(only)?.0),
        _ => None,
    };
    let request = DriftRequest {
        current: &current,
        against: model.as_ref().map_or(Against::Files(&against), Against::Model),
        options,
        whole: matches.get_flag("whole"),
        read: config.data.read_options()?,
    };
    stop_on_signal("nothing is written");
    let (on_screen, clock) = (Screen::new(false), WallClock::start());
    let compared = compare(&request, context(&on_screen, &clock));
    on_screen.finish();
    let compared = compared?;
    say_warnings(&compared.warnings, &on_screen);
    let document = compared.document([&against.join(", "), &current.join(", ")]);
    give_report(matches, output, &document, json!(compared))?;
    let is_refused = matches.get_flag("gate") && compared.report.drift;
    Ok(if is_refused { ExitCode::from(Exit::Verdict as u8) } else { ExitCode::SUCCESS })
}

/// Whether a text names a model: a file that ends as models do, or a name where there is no such file.
fn is_model(text: &str) -> bool {
    text.ends_with(".tw") || !(text == "-" || is_file(text) || Path::new(text).exists() || text.contains(['*', '.']))
}
