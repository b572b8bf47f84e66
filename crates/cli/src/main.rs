//! The command `tabwright`: arguments, configuration, tables, progress, exit codes. What is done is done elsewhere.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

mod arguments;
mod command;
mod config;
mod error;
mod home;
mod logging;
mod screen;
mod surroundings;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A library that breaks off over a damaged file ends in an error, which says so.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !tabwright_data::is_guarded() {
            report(panic);
        }
    }));
    let matches = match arguments::command().try_get_matches() {
        Ok(matches) => matches,
        // Help and version are asked for; anything else is bad usage. clap writes to the right stream.
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match command::run(&matches) {
        Ok(code) => code,
        Err(failure) => {
            screen::report(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}
