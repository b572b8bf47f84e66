//! `tabwright retrain`: the recorded recipe on new data, as challenger, beside the version that it came from.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::error::Error;
use tabwright_lifecycle::registry::gate::Check;
use tabwright_lifecycle::registry::promote::config_of_run;
use tabwright_lifecycle::registry::{self, retrain};
use tabwright_store::{CHALLENGER, Reference, Version, Which};

use super::keep::train_and_keep;
use super::train::{document, text};
use super::{configuration, context, texts};
use crate::error::Failure;
use crate::home::OpenHome;
use crate::screen::{self, Screen, WallClock};

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let own = configuration(matches, true)?;
    let given = matches.get_one::<String>("model").map_or("", String::as_str);
    let reference = Reference::parse(given).map_err(Error::from)?;
    let home = OpenHome::expect(&own)?;
    let (version, artifact) = home.wait(registry::load(&home.store, &reference))?;
    let recorded = home.wait(config_of_run(&home.store, &version))?;
    let file = home.store.files().locate(&version.registered.file).map_err(Error::from)?;
    let mut config = retrain::recipe(&version, recorded.clone(), &file, &texts(matches, "data"))?;
    config.store = own.store;
    config.train.record &= !matches.get_flag("no-record");
    let on_screen = Screen::new(true);
    let (trained, kept) = train_and_keep(&config, None, Some(CHALLENGER), &on_screen)?;
    if let Some(failure) = kept.failure {
        return Err(failure);
    }
    let clock = WallClock::start();
    let compared = match &kept.version {
        Some(new) => {
            let (new, old) = ((new, &trained.artifact, &config), (&version, &artifact, recorded.as_ref()));
            retrain::beside(new, old, context(&on_screen, &clock))?
        }
        None => None,
    };
    if matches.get_flag("json") {
        let mut document = document(&trained, &kept, &config);
        document["compared_with"] = json!(version.version);
        document["comparison"] = json!(compared);
        screen::print_json(&document)?;
    } else {
        screen::print(&format!(
            "{}{}",
            text(&trained, &kept, &config),
            beside(&version, kept.version.as_ref(), compared)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn beside(old: &Version, new: Option<&Version>, compared: Option<Check>) -> String {
    let (Some(new), Some(compared)) = (new, compared) else { return String::new() };
    let name = &old.registered.name;
    let from = Reference { name: name.clone(), which: Which::Version(old.version) };
    format!("\n{name}:{} is the {CHALLENGER}. Beside {from}: {}\n", new.version, compared.message)
}
