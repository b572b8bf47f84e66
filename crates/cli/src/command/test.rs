//! `tabwright test`: the data and model tests of a project.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::expectation::{self, Broken, Named, Outcome, Project, Report, Status, TestFile};
use tabwright_lifecycle::registry::promote::config_of_run;

use super::{context, find_model, stop_on_signal, texts};
use crate::config::{self, Given};
use crate::error::Failure;
use crate::screen::{self, Screen, WallClock};

/// The folder of a project's tests.
const TESTS: &str = "tests";

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let paths: Vec<PathBuf> = matches.get_many("paths").map(|p| p.cloned().collect()).unwrap_or_default();
    let given = Given {
        file: matches.get_one::<PathBuf>("config").map(|path| absolute(path)).transpose()?,
        set: texts(matches, "set"),
        ..Given::default()
    };
    let junit = matches.get_one::<PathBuf>("junit").map(|path| absolute(path)).transpose()?;
    let (project, files) = locate(&paths)?;
    // Everything is then as if the command ran in the project: configuration, home, and the paths in tests.
    std::env::set_current_dir(&project)
        .map_err(|e| Failure::usage(format!("the project {} cannot be entered: {e}", project.display())))?;
    let config = config::resolve(&given)?;
    let tests = files.iter().map(|file| read(file, &project)).collect::<Result<Vec<_>, _>>()?;
    stop_on_signal("not every test is run");
    let (on_screen, clock) = (Screen::new(false), WallClock::start());
    let model = |name: &str| named(name).map_err(|f| Broken { message: f.message, exit: f.exit });
    let report = expectation::run(&tests, Project { config: &config, model: &model }, context(&on_screen, &clock));
    on_screen.finish();
    let report = report?;
    if let Some(path) = &junit {
        tabwright_lifecycle::file::write_text(path, &expectation::junit(&report), "the report cannot be written here")?;
    }
    if matches.get_flag("json") {
        screen::print_json(&json!({
            "ok": report.exit().is_none(),
            "passed": report.count(Status::Ok),
            "failed": report.count(Status::Failed),
            "errors": report.count(Status::Error),
            "tests": report.tests,
        }))?;
    } else {
        screen::print(&shown(&report))?;
    }
    Ok(report.exit().map_or(ExitCode::SUCCESS, |exit| ExitCode::from(exit as u8)))
}

/// A model, with the configuration of the run that made it, where that is known.
fn named(name: &str) -> Result<Named, Failure> {
    let (artifact, registered) = find_model(name)?;
    let config = match registered {
        Some((version, home)) => home.wait(config_of_run(&home.store, &version))?,
        None => None,
    };
    Ok(Named { artifact, config })
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))
}

/// The folder of the project, and its test files.
fn locate(paths: &[PathBuf]) -> Result<(PathBuf, Vec<PathBuf>), Failure> {
    let here =
        std::env::current_dir().map_err(|e| Failure::failed(format!("the current folder cannot be read: {e}")))?;
    let project = match paths {
        [] => nearest(&here).unwrap_or(here),
        [folder] if folder.is_dir() => absolute(folder)?,
        files => {
            if let Some(odd) = files.iter().find(|file| !file.is_file()) {
                let what = if odd.is_dir() { "is a folder: name it alone" } else { "is not there" };
                return Err(Failure::usage(format!(
                    "{} {what}; a project or test files are needed, such as {TESTS}/data.toml",
                    odd.display()
                )));
            }
            let files = files.iter().map(|file| absolute(file)).collect::<Result<Vec<_>, _>>()?;
            let project = files[0].parent().and_then(nearest).unwrap_or(here);
            return Ok((project, files));
        }
    };
    let mut files = of_folder(&project.join(TESTS)).unwrap_or_default();
    files.sort();
    match files.is_empty() {
        false => Ok((project, files)),
        true => Err(Failure::usage(format!(
            "there are no tests: {} has no .toml file; `tabwright init` makes a project with tests",
            project.join(TESTS).display()
        ))),
    }
}

/// The nearest folder with a configuration, upwards.
fn nearest(from: &Path) -> Option<PathBuf> {
    from.ancestors().find(|folder| folder.join(config::FILE).is_file()).map(Path::to_path_buf)
}

fn of_folder(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|e| e == "toml") {
            files.push(path);
        }
    }
    Ok(files)
}

fn read(file: &Path, project: &Path) -> Result<TestFile, Failure> {
    let name = file.strip_prefix(project).unwrap_or(file).display().to_string();
    let text = std::fs::read_to_string(file).map_err(|e| Failure::usage(format!("{name} cannot be read: {e}")))?;
    Ok(TestFile::parse(&name, &text)?)
}

fn shown(report: &Report) -> String {
    let mut text = String::new();
    for file in report.tests.chunk_by(|a, b| a.file == b.file) {
        text += &format!("{}\n", file[0].file);
        text.extend(file.iter().map(line));
        text += "\n";
    }
    let count = |status: Status| screen::count(report.count(status));
    let mut parts = vec![format!("{} ok", count(Status::Ok))];
    if report.count(Status::Failed) > 0 {
        parts.push(format!("{} failed", count(Status::Failed)));
    }
    if report.count(Status::Error) > 0 {
        parts.push(format!("{} could not be run", count(Status::Error)));
    }
    text + &format!("{}: {}\n", screen::counted(report.tests.len(), "expectation"), parts.join(", "))
}

/// One line for each expectation; a message of several lines stands below it.
fn line(outcome: &Outcome) -> String {
    let mark = match outcome.status {
        Status::Ok => "ok    ",
        Status::Failed => "FAILED",
        Status::Error => "ERROR ",
    };
    let message = outcome.message.replace('\n', "\n          ");
    format!("  {mark}  {}, {}: {message}\n", outcome.test, outcome.check)
}
