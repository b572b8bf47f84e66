//! The commands: from matched arguments to a call of `lifecycle`, and from its answer to the screen.

mod card;
mod check;
mod docs;
mod drift;
mod evaluate;
mod example;
mod gc;
mod init;
mod keep;
mod models;
mod monitor;
mod predict;
mod profile;
mod recording;
mod retrain;
mod runs;
mod serve;
mod show;
mod test;
mod token;
mod train;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgMatches;
use tabwright_core::{Cancel, Clock, Context, Observer, Warning};
use tabwright_data::Destination;
use tabwright_lifecycle::config::Config;
use tabwright_lifecycle::error::{Error, Exit};
use tabwright_lifecycle::registry;
use tabwright_model::artifact::Artifact;
use tabwright_report::document::Document;
use tabwright_store::{Mover, Reference, Version};

use crate::config::{self, Given};
use crate::error::Failure;
use crate::home::{self, OpenHome};
use crate::{arguments, screen};

/// Runs the command that was asked for.
pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    match matches.subcommand() {
        Some(("train", matches)) => train::run(matches),
        Some(("predict", matches)) => predict::run(matches),
        Some(("evaluate", matches)) => evaluate::run(matches),
        Some(("check", matches)) => check::run(matches),
        Some(("profile", matches)) => profile::run(matches),
        Some(("drift", matches)) => drift::run(matches),
        Some(("monitor", matches)) => monitor::run(matches),
        Some(("show", matches)) => show::run(matches),
        Some(("card", matches)) => card::run(matches),
        Some(("runs", matches)) => runs::run(matches),
        Some(("models", matches)) => models::run(matches),
        Some(("retrain", matches)) => retrain::run(matches),
        Some(("init", matches)) => init::run(matches),
        Some(("test", matches)) => test::run(matches),
        Some(("serve", matches)) => serve::run(matches),
        Some(("gc", matches)) => gc::run(matches),
        Some(("token", matches)) => token::run(matches),
        Some(("example", matches)) => example::run(matches),
        Some(("docs", matches)) => docs::run(matches),
        _ => unreachable!("invariant: clap lets no other command through"),
    }
}

/// Texts of an argument that may be given more than once.
fn texts(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).map(|values| values.cloned().collect()).unwrap_or_default()
}

/// The configuration of a command that reads rows. `file` says whether `tabwright.toml` counts.
fn configuration(matches: &ArgMatches, file: bool) -> Result<Config, Failure> {
    let given = Given {
        file: if file { matches.get_one::<PathBuf>("config").cloned() } else { None },
        flags: arguments::given_keys(matches),
        set: if file { texts(matches, "set") } else { Vec::new() },
    };
    config::resolve(&given)
}

/// The model of an argument: a file, or a version of the registry.
fn load(matches: &ArgMatches, name: &str) -> Result<Artifact, Failure> {
    Ok(load_named(matches, name)?.0)
}

/// The model of an argument, and its version where it is a registered one.
fn load_named(matches: &ArgMatches, name: &str) -> Result<(Artifact, Option<Version>), Failure> {
    let (artifact, registered) = find_model(matches.get_one::<String>(name).map_or("", String::as_str))?;
    Ok((artifact, registered.map(|(version, _)| version)))
}

/// A model by its name or file; a registered one with its version and the home that it is in.
fn find_model(text: &str) -> Result<(Artifact, Option<(Version, OpenHome)>), Failure> {
    let from_file = || Ok((tabwright_lifecycle::file::load(Path::new(text))?, None));
    if is_file(text) {
        return from_file();
    }
    let reference = match Reference::parse(text) {
        Ok(reference) => reference,
        Err(_) if Path::new(text).exists() => return from_file(),
        Err(error) => {
            return Err(Failure::usage(format!(
                "{error}; a model is a file (with a `/` or ending in `.tw`) or a registered NAME, NAME:VERSION or NAME@ALIAS"
            )));
        }
    };
    let home = OpenHome::find(&config::resolve(&Given::default())?)?;
    let Some(home) = home else {
        return match Path::new(text).exists() {
            true => from_file(),
            false => Err(Failure::usage(format!(
                "`{text}` is no model file (with a `/` or ending in `.tw`), and no model is registered here: \
                 `tabwright train --name {}` registers one",
                reference.name
            ))),
        };
    };
    if Path::new(text).is_file() && !home.wait(home.store.has_model(&reference.name))? {
        return from_file();
    }
    let found = home.wait(registry::load(&home.store, &reference)).map_err(|failure| Failure {
        // Whoever meant a file must hear how files are named.
        message: match failure.exit {
            Exit::Usage if !text.contains([':', '@']) => {
                format!("{}; `{text}` is no model file either (with a `/` or ending in `.tw`)", failure.message)
            }
            _ => failure.message,
        },
        ..failure
    });
    let (version, artifact) = found?;
    Ok((artifact, Some((version, home))))
}

/// Writes a report to a file.
fn write_report(output: &str, content: &str) -> Result<(), Failure> {
    let told = |e: std::io::Error| Failure::failed(format!("{output}: it could not be written: {e}"));
    let mut file = Destination::create(output).map_err(told)?;
    file.write_all(content.as_bytes()).map_err(told)?;
    file.finish().map_err(told)
}

/// Where a report goes: `-` for the screen.
///
/// # Errors
/// For a file that is neither Markdown nor a page.
fn report_output(matches: &ArgMatches) -> Result<&str, Failure> {
    let output = matches.get_one::<String>("output").map_or("-", String::as_str);
    match output == "-" || output.ends_with(".md") || output.ends_with(".html") {
        true => Ok(output),
        false => Err(Failure::usage(format!("{output}: a report is written as .md or .html"))),
    }
}

/// Gives a report: to its file, and as JSON or text to the screen.
fn give_report(
    matches: &ArgMatches,
    output: &str,
    document: &Document,
    mut json: serde_json::Value,
) -> Result<(), Failure> {
    let is_written = output != "-";
    if is_written {
        let content = if output.ends_with(".html") { document.to_html() } else { document.to_markdown() };
        write_report(output, &content)?;
    }
    if matches.get_flag("json") {
        json["report"] = serde_json::json!(Some(output).filter(|_| is_written));
        screen::print_json(&json)
    } else if is_written {
        screen::print(&format!("{}\nReport: {output}\n", document.lead))
    } else {
        screen::print(&screen::in_text(document))
    }
}

/// Whether a text names a file, whatever is registered.
fn is_file(text: &str) -> bool {
    text.contains('/') || text.contains('\\') || text.ends_with(".tw")
}

/// Who moves an alias here, and why.
fn mover(why: &str) -> Mover {
    Mover { who: home::user(), why: why.to_owned(), ..Mover::default() }
}

/// Whether a command ended because nobody reads its output any more (`| head`): that is no failure.
fn is_left_by_its_reader(error: &Error) -> bool {
    matches!(error, Error::Rows(tabwright_data::Error::Write { file, source, .. })
        if file == "-" && source.kind() == std::io::ErrorKind::BrokenPipe)
}

static CANCEL: Cancel = Cancel::new();

/// What libraries are handed by the command line.
fn context<'a>(observer: &'a dyn Observer, clock: &'a dyn Clock) -> Context<'a> {
    Context { observer, cancel: &CANCEL, clock }
}

/// The first Ctrl-C asks to stop, the second stops.
fn stop_on_signal(what_happens: &'static str) {
    // Where no handler can be set, Ctrl-C stops at once, as it does anywhere.
    let _ = ctrlc::set_handler(move || {
        if CANCEL.is_cancelled() {
            tabwright_data::remove_unfinished();
            #[expect(clippy::exit, reason = "the user has asked twice, and no half-written file is left")]
            std::process::exit(130);
        }
        CANCEL.cancel();
        let _ = writeln!(std::io::stderr(), "\nstopping: {what_happens}; Ctrl-C again stops at once");
    });
}

/// Says warnings on stderr.
fn say_warnings(warnings: &[Warning], on: &screen::Screen) {
    for warning in warnings {
        on.say(&format!("warning: {}", screen::warning_line(warning)));
    }
}
