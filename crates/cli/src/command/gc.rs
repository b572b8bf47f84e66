//! `tabwright gc`: what is freed, or would be.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::config::Config;
use tabwright_lifecycle::error::Error;
use tabwright_store::predictions::{Predictions, Retention};
use tabwright_store::{Cleaning, Freed, time};

use super::configuration;
use crate::error::Failure;
use crate::home::{self, OpenHome};
use crate::screen;

/// Free space of the database below this many bytes is not spoken of.
const WORTH_SAYING: u64 = 1_000_000;

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let span = matches.get_one::<String>("older-than").map_or("", String::as_str);
    let older_than = time::parse_span(span).map_err(|e| Failure::usage(format!("--older-than: {e}")))?;
    let asked = Cleaning { older_than, dry_run: matches.get_flag("dry-run") };
    let config = configuration(matches, true)?;
    let home = OpenHome::expect(&config)?;
    home.store.check_writable().map_err(Error::from)?;
    let freed = home.wait(home.store.free(&asked, &home::user()))?;
    let logs = free_logs(&config, asked.dry_run)?;
    match matches.get_flag("json") {
        true => {
            let mut json = document(&freed, asked.dry_run);
            json["predictions"] = json!({ "days": logs.0, "bytes": logs.1, "compacted": logs.2 });
            screen::print_json(&json)?;
        }
        false => {
            let mut text = shown(&freed, span, asked.dry_run);
            if logs.2 > 0 {
                let rows = usize::try_from(logs.2).unwrap_or(usize::MAX);
                text += &format!("Predictions: {} now in files of days\n", screen::count(rows));
            }
            if logs.0 > 0 {
                let days = screen::counted(logs.0, "day");
                text += &format!("Predictions beyond log.keep or log.keep_size: {days}, {}\n", screen::bytes(logs.1));
            }
            screen::print(&text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes files of what was logged, and frees what `[log]` keeps no longer: days and bytes that are freed, and entries that are in files now.
fn free_logs(config: &Config, dry_run: bool) -> Result<(usize, u64, u64), Failure> {
    let (home, now) = (home::locate()?, time::now());
    let retention = Retention { dry_run, ..config.log.retention(now)? };
    let (mut days, mut bytes, mut rows) = (0, 0, 0);
    for model in Predictions::models(&home).map_err(Error::from)? {
        let log = Predictions::of(&home, &model).map_err(Error::from)?;
        // On a full disk nothing can be compacted before something is freed.
        let compacted = if dry_run { Ok(0) } else { log.compact(now).map(|compacted| compacted.rows) };
        let freed = log.retain(&retention).map_err(Error::from)?;
        days += freed.days.len();
        bytes += freed.bytes;
        rows += compacted.map_err(Error::from)?;
    }
    Ok((days, bytes, rows))
}

fn document(freed: &Freed, dry_run: bool) -> serde_json::Value {
    let versions = freed.versions.iter().map(|(name, version)| json!({ "name": name, "version": version }));
    json!({
        "dry_run": dry_run,
        "runs": freed.runs,
        "values": freed.values,
        "versions": versions.collect::<Vec<_>>(),
        "files": freed.files,
        "file_bytes": freed.file_bytes,
        "young_files": freed.young_files,
        "database_bytes": freed.database_bytes,
        "reusable_bytes": freed.reusable_bytes,
    })
}

fn shown(freed: &Freed, span: &str, dry_run: bool) -> String {
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let names: Vec<String> = freed.versions.iter().map(|(name, version)| format!("{name}:{version}")).collect();
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let mut text = format!(
        "{}: {} with {} of metrics, {}{names}, {} of {}\n",
        if dry_run { "Would be freed" } else { "Freed" },
        screen::counted(freed.runs.len(), "run"),
        screen::counted(count(freed.values), "value"),
        screen::counted(freed.versions.len(), "version"),
        screen::counted(count(freed.files), "file"),
        screen::bytes(freed.file_bytes),
    );
    if freed.runs.is_empty() && freed.versions.is_empty() {
        text += &format!("Nothing has been in the trash for {span} (--older-than)\n");
    }
    if freed.young_files > 0 {
        let files = screen::counted(count(freed.young_files), "file");
        text += &format!("Kept: {files} of the last hour that nothing refers to yet\n");
    }
    if let Some(bytes) = freed.database_bytes {
        text += &format!("The database is {} smaller\n", screen::bytes(bytes));
    }
    if freed.reusable_bytes >= WORTH_SAYING {
        let bytes = screen::bytes(freed.reusable_bytes);
        text += &format!("The database has {bytes} that hold nothing; later runs use them\n");
    }
    text
}
