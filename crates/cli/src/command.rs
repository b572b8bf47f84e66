//! The commands: from matched arguments to a call of `lifecycle`, and from its answer to the screen.

mod check;
mod docs;
mod evaluate;
mod example;
mod predict;
mod profile;
mod show;
mod train;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ArgMatches;
use tabwright_core::{Cancel, Clock, Context, Observer, Warning};
use tabwright_lifecycle::config::Config;
use tabwright_lifecycle::error::Error;
use tabwright_model::artifact::Artifact;

use crate::config::{self, Given};
use crate::error::Failure;
use crate::{arguments, screen};

/// Runs the command that was asked for.
pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    match matches.subcommand() {
        Some(("train", matches)) => train::run(matches),
        Some(("predict", matches)) => predict::run(matches),
        Some(("evaluate", matches)) => evaluate::run(matches),
        Some(("check", matches)) => check::run(matches),
        Some(("profile", matches)) => profile::run(matches),
        Some(("show", matches)) => show::run(matches),
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

/// The model file of an argument.
fn load(matches: &ArgMatches, name: &str) -> Result<Artifact, Failure> {
    let text = matches.get_one::<String>(name).map_or("", String::as_str);
    if !text.contains('/') && !text.contains('\\') && !text.ends_with(".tw") && !std::path::Path::new(text).exists() {
        return Err(Failure::usage(format!(
            "`{text}` is no model file: a model is named by its file (with a `/` or ending in `.tw`)"
        )));
    }
    Ok(tabwright_lifecycle::file::load(std::path::Path::new(text))?)
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
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "\nstopping: {what_happens}; Ctrl-C again stops at once");
    });
}

/// Says warnings on stderr.
fn say_warnings(warnings: &[Warning], on: &screen::Screen) {
    for warning in warnings {
        on.say(&format!("warning: {}", screen::warning_line(warning)));
    }
}
