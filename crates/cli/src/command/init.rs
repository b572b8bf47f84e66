//! `tabwright init`: a project that works as it is.

mod files;
mod place;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::config::Config;
use tabwright_lifecycle::error::Error;
use tabwright_lifecycle::example::{self, Example};
use tabwright_lifecycle::profile::profile;
use tabwright_store::{Home, home, name};

use self::files::Facts;
use self::place::Building;
use super::{CANCEL, context, stop_on_signal, texts};
use crate::error::Failure;
use crate::screen::{self, Screen, WallClock};

/// The sample of a project without data of its own: its file, rows and seed.
const SAMPLE: (&str, usize, u64) = ("data/raw/churn.csv", 4_000, 42);
/// Where data goes.
const RAW: &str = "data/raw";

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let folder = matches.get_one::<PathBuf>("folder").cloned().unwrap_or_default();
    let from = texts(matches, "from");
    let is_sample = from.is_empty();
    let target = matches.get_one::<String>("target").map_or(Example::Churn.target(), String::as_str);
    if target.is_empty() {
        return Err(Failure::usage("--target is empty; name the column to predict"));
    }
    let name = match matches.get_one::<String>("name") {
        Some(name) => name.clone(),
        None => name_of(&folder),
    };
    name::check("the name", &name).map_err(Error::from)?;
    stop_on_signal("no project is made");
    let building = Building::begin(&folder)?;
    let (on_screen, clock) = (Screen::new(false), WallClock::start());
    let data = match is_sample {
        true => sample(&building)?,
        false => copied(&from, &building)?,
    };
    let mut config = Config::default();
    // Files of the user are looked at where they are: what is wrong with one is then said of a name that the user knows.
    config.data.source = match is_sample {
        true => data.iter().map(|file| building.folder().join(file).to_string_lossy().into_owned()).collect(),
        false => from,
    };
    config.data.target = target.to_owned();
    let looked = profile(&config, context(&on_screen, &clock));
    on_screen.finish();
    let looked = looked?;
    let facts = Facts { name: &name, target, data: &data, is_sample, profile: &looked };
    let texts = files::of_project(&facts);
    for (file, text) in &texts {
        building.write(file, text)?;
    }
    // Without it, a home further up would take the runs of the project.
    Home::at(building.folder().join(home::FOLDER)).create().map_err(Error::from)?;
    if CANCEL.is_cancelled() {
        return Err(Error::Cancelled("no project was made".into()).into());
    }
    let goal = building.goal().to_path_buf();
    building.finish()?;
    if matches.get_flag("json") {
        let mut files: Vec<&String> = data.iter().chain(texts.iter().map(|(file, _)| file)).collect();
        files.sort();
        screen::print_json(&json!({ "folder": goal, "name": name, "target": target, "files": files }))?;
    } else {
        screen::print(&shown(&facts, &folder))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(facts: &Facts<'_>, folder: &Path) -> String {
    let Facts { name, target, data, profile, .. } = facts;
    let (rows, shown) = (screen::counted(profile.rows, "row"), folder.display());
    let what = match facts.is_sample {
        true => format!("{rows} of a generated sample in {}", data[0]),
        false => format!("{rows} in {}", screen::counted(data.len(), "file")),
    };
    let go = match folder == Path::new(".") {
        true => String::new(),
        false => format!("cd {} && ", files::word(&shown.to_string())),
    };
    format!(
        "{shown}: the project `{name}`, which predicts `{target}` ({what})\n\
         tabwright.toml has every key, tests/ what is expected of data and model, README.md the commands.\n\
         Next: {go}tabwright train && tabwright test\n"
    )
}

fn sample(building: &Building) -> Result<Vec<String>, Failure> {
    let (file, rows, seed) = SAMPLE;
    let path = building.make_room(file)?;
    example::write(Example::Churn, rows, seed, &path.to_string_lossy())?;
    Ok(vec![file.to_owned()])
}

/// Copies files of data into the project, so that it is whole by itself.
fn copied(from: &[String], building: &Building) -> Result<Vec<String>, Failure> {
    if from.iter().any(|name| name == "-") {
        return Err(Failure::usage("--from -: standard input cannot be read again; write it to a file first"));
    }
    let mut copied: Vec<String> = Vec::new();
    for input in tabwright_data::resolve_inputs(from).map_err(Error::from)? {
        let file = input.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        if file.contains(char::is_control) {
            return Err(Failure::usage(format!("{file}: its name holds a control character; rename the file first")));
        }
        let name = format!("{RAW}/{file}");
        if copied.contains(&name) {
            return Err(Failure::usage(format!(
                "two files of --from are called {file}; rename one, or bring them in by hand"
            )));
        }
        let path = building.make_room(&name)?;
        std::fs::copy(input.path(), &path)
            .map_err(|e| Failure::failed(format!("{} cannot be copied into the project: {e}", input.name())))?;
        if CANCEL.is_cancelled() {
            return Err(Error::Cancelled("no project was made".into()).into());
        }
        copied.push(name);
    }
    Ok(copied)
}

/// The longest name that is made of a folder's, in bytes.
const LONGEST: usize = 60;

/// What a project is called: as its folder, in the characters that a name may have.
fn name_of(folder: &Path) -> String {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let own = whole.file_name().unwrap_or_default().to_string_lossy();
    let mut name = String::new();
    for c in own.chars() {
        match c.is_ascii_alphanumeric() || matches!(c, '_' | '.') {
            true => name.push(c),
            false if name.ends_with('-') => {}
            false => name.push('-'),
        }
    }
    name.truncate(LONGEST);
    let name = name.trim_matches(['-', '_', '.']);
    let name = name.strip_suffix(".tw").unwrap_or(name);
    if name.is_empty() { "project".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_any_name_gives_a_name() {
        for (folder, name) in [
            ("churn", "churn"),
            ("/tmp/My Project (2)/", "My-Project-2"),
            ("größe", "gr-e"),
            ("🚀", "project"),
            ("../.hidden", "hidden"),
            ("old.tw", "old"),
            ("a\nb", "a-b"),
        ] {
            assert_eq!(name_of(Path::new(folder)), name, "{folder}");
            name::check("the name", &name_of(Path::new(folder))).unwrap();
        }
        assert_eq!(name_of(Path::new(&"x".repeat(250))).len(), LONGEST);
    }
}
