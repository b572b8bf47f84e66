//! `tabwright check`: does data keep the contract of a model?

use std::process::ExitCode;

use clap::ArgMatches;
use tabwright_lifecycle::check::{CheckOptions, check};
use tabwright_lifecycle::error::Exit;
use tabwright_model::contract::Limits;

use super::{configuration, context, load, stop_on_signal, texts};
use crate::error::Failure;
use crate::screen::{self, Screen, WallClock};

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let artifact = load(matches, "against")?;
    let config = configuration(matches, false)?;
    let share = |name: &str| matches.get_one::<f64>(name).copied().unwrap_or_default();
    let options = CheckOptions {
        sources: texts(matches, "data"),
        limits: Limits {
            unseen: share("max-unseen"),
            out_of_range: share("max-out-of-range"),
            more_missing: share("max-more-missing"),
        },
        read: config.data.read_options()?,
    };
    stop_on_signal("nothing is printed");
    let (on_screen, clock) = (Screen::new(false), WallClock::start());
    let checked = check(&artifact, &options, context(&on_screen, &clock));
    on_screen.finish();
    let checked = checked?;
    let kept = checked.breaches.is_empty();
    if matches.get_flag("json") {
        screen::print_json(&serde_json::json!({
            "ok": kept,
            "rows": checked.rows,
            "content_id": artifact.content_id(),
            "breaches": checked.breaches,
            "notes": checked.notes,
        }))?;
    } else {
        let mut text = String::new();
        for breach in &checked.breaches {
            text += &format!("breach: {}\n", screen::warning_line(breach));
        }
        for note in &checked.notes {
            text += &format!("note: {}\n", screen::warning_line(note));
        }
        let rows = screen::count(checked.rows);
        text += &match checked.breaches.len() {
            0 => format!("The contract is kept: {rows} rows fit the model.\n"),
            1 => format!("The contract is broken in 1 place ({rows} rows).\n"),
            n => format!("The contract is broken in {n} places ({rows} rows).\n"),
        };
        screen::print(&text)?;
    }
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::from(Exit::Verdict as u8) })
}
