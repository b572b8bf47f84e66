//! `tabwright models diff`: what differs between two models, and where they decide otherwise.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::diff::{DiffOptions, Named, diff};

use super::super::{load, say_warnings, write_report};
use super::{configuration, context, stop_on_signal, text, texts};
use crate::error::Failure;
use crate::screen::{self, Screen, WallClock};

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let output = matches.get_one::<String>("output");
    if let Some(odd) = output.filter(|o| !o.ends_with(".html")) {
        return Err(Failure::usage(format!("{odd}: the page is written as .html; the text goes to standard output")));
    }
    let config = configuration(matches, true)?;
    let (a, b) = (load(matches, "a")?, load(matches, "b")?);
    let options = DiffOptions {
        sources: texts(matches, "data"),
        read: config.data.read_options()?,
        slices: config.registry.slices.clone(),
    };
    stop_on_signal("nothing is printed");
    let (on_screen, clock) = (Screen::new(false), WallClock::start());
    let named = |name, artifact| Named { name: text(matches, name), artifact };
    let found = diff(named("a", &a), named("b", &b), &options, context(&on_screen, &clock));
    on_screen.finish();
    let found = found?;
    say_warnings(&found.warnings, &on_screen);
    let document = found.document();
    if let Some(output) = output {
        write_report(output, &document.to_html())?;
    }
    if matches.get_flag("json") {
        let mut json = json!(found);
        json["page"] = json!(output);
        screen::print_json(&json)?;
    } else {
        let page = output.map_or_else(String::new, |output| format!("\nPage: {output}\n"));
        screen::print(&(screen::in_text(&document) + &page))?;
    }
    Ok(ExitCode::SUCCESS)
}
