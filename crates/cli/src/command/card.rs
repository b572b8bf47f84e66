//! `tabwright card`: the model card.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::card::{About, CardData, card};
use tabwright_lifecycle::registry::promote::config_of_run;
use tabwright_store::Version;

use super::{configuration, context, load_named, say_warnings, stop_on_signal, texts, write_report};
use crate::error::Failure;
use crate::home::OpenHome;
use crate::screen::{self, Screen, WallClock};

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let output = matches.get_one::<String>("output").map_or("-", String::as_str);
    if output != "-" && !output.ends_with(".md") && !output.ends_with(".html") {
        return Err(Failure::usage(format!("{output}: a card is written as .md or .html")));
    }
    let config = configuration(matches, true)?;
    let (artifact, version) = load_named(matches, "model")?;
    let (mut aliases, mut run) = (Vec::new(), None);
    if let Some(version) = &version {
        let home = OpenHome::expect(&config)?;
        aliases = home.wait(aliases_of(&home, version))?;
        run = home.wait(config_of_run(&home.store, version))?;
    }
    let about = About {
        name: matches.get_one::<String>("model").map_or("", String::as_str),
        config: &config,
        version: version.as_ref().map(|version| (version, &aliases[..])),
        run: run.as_ref(),
    };
    let data = CardData { sources: texts(matches, "data"), read: config.data.read_options()? };
    stop_on_signal("no card is written");
    let (on_screen, clock) = (Screen::new(false), WallClock::start());
    let written = card(&artifact, about, &data, context(&on_screen, &clock));
    on_screen.finish();
    let (document, warnings) = written?;
    say_warnings(&warnings, &on_screen);
    let is_file = output != "-";
    if is_file {
        let content = if output.ends_with(".html") { document.to_html() } else { document.to_markdown() };
        write_report(output, &content)?;
    }
    if matches.get_flag("json") {
        let mut json = json!(document);
        json["content_id"] = json!(artifact.content_id());
        json["missing"] = json!(document.missing());
        json["card"] = json!(Some(output).filter(|_| is_file));
        screen::print_json(&json)?;
    } else if is_file {
        let missing = document.missing();
        let left = match missing.is_empty() {
            true => String::new(),
            false => format!("Still missing in tabwright.toml: {}\n", missing.join(", ")),
        };
        screen::print(&format!("Card: {output}\n{left}"))?;
    } else {
        screen::print(&document.to_markdown())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The aliases that point to a version.
async fn aliases_of(home: &OpenHome, version: &Version) -> tabwright_store::Result<Vec<String>> {
    let model = home.store.model(&version.registered.name).await?;
    Ok(model.aliases.into_iter().filter(|(_, v)| *v == version.version).map(|(alias, _)| alias).collect())
}
