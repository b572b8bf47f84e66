//! `tabwright predict`: rows in, predictions out, in their order.

mod remote;

use std::process::ExitCode;

use clap::ArgMatches;
use tabwright_lifecycle::predict::{OnError, PredictOptions, predict};

use super::{configuration, context, is_left_by_its_reader, load, say_warnings, stop_on_signal, texts};
use crate::error::Failure;
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
    let artifact = load(matches, "model")?;
    let config = configuration(matches, false)?;
    let on_error = matches.get_one::<String>("on-error").map_or("fail", String::as_str);
    let options = PredictOptions {
        sources: texts(matches, "data"),
        output: matches.get_one::<String>("output").cloned().unwrap_or_else(|| "-".into()),
        keep: texts(matches, "keep"),
        on_error: on_error.parse::<OnError>()?,
        batch_size: matches.get_one::<u32>("batch-size").map(|n| *n as usize),
        threads: matches.get_one::<usize>("threads").copied().unwrap_or(0),
        read: config.data.read_options()?,
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
    say_warnings(&done.warnings, &on_screen);
    if json {
        screen::print_json(&serde_json::json!({
            "rows": done.rows,
            "rejected": done.rejected,
            "output": options.output,
            "content_id": artifact.content_id(),
            "seconds": done.seconds,
            "warnings": done.warnings,
        }))?;
    } else if options.output != "-" {
        let rate = done.rows as f64 / done.seconds.max(1e-9);
        let (rows, seconds) = (screen::count(done.rows), screen::seconds(done.seconds));
        on_screen.say(&format!(
            "{rows} rows predicted in {seconds} ({} a second): {}",
            screen::count(rate as usize),
            options.output
        ));
    }
    Ok(ExitCode::SUCCESS)
}
