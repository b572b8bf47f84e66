//! `tabwright runs list`.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::error::Error;
use tabwright_store::{Order, Page, Run, Search, time};

use super::super::{configuration, texts};
use super::to_json;
use crate::error::Failure;
use crate::home::OpenHome;
use crate::screen;

/// Digits of a run id that a table shows: enough to name the run.
pub(in crate::command) const SHOWN_DIGITS: usize = 8;

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let sort = texts(matches, "sort").iter().map(|s| Order::parse(s)).collect::<Result<_, _>>().map_err(Error::from)?;
    let search = Search {
        filter: text("filter"),
        sort,
        nested: matches.get_flag("nested"),
        parent: matches.get_one::<String>("parent").cloned(),
        deleted: matches.get_flag("deleted"),
        limit: matches.get_one::<u32>("limit").map_or(20, |n| *n as usize),
        offset: matches.get_one::<u64>("offset").map_or(0, |n| usize::try_from(*n).unwrap_or(usize::MAX)),
    };
    // A filter that cannot be read is said even where there is nothing to find yet.
    if !search.filter.trim().is_empty() {
        tabwright_core::filter::parse(&search.filter).map_err(|e| Error::from(tabwright_store::Error::from(e)))?;
    }
    let config = configuration(matches, true)?;
    let page = match OpenHome::find(&config)? {
        Some(home) => {
            for sentence in home.wait(home.store.unknown_names(&search))? {
                screen::note(&sentence);
            }
            home.wait(home.store.search(&search))?
        }
        None => Page { runs: Vec::new(), more: false },
    };
    if matches.get_flag("json") {
        let runs: Vec<_> = page.runs.iter().map(to_json).collect();
        screen::print_json(&json!({ "runs": runs, "more": page.more }))?;
    } else {
        screen::print(&shown(&page, &search, &config.project.primary_metric))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(page: &Page, search: &Search, primary: &str) -> String {
    if page.runs.is_empty() && search.deleted {
        return "No run in the trash is like this.\n".to_owned();
    }
    if page.runs.is_empty() {
        return match search.filter.trim().is_empty() && search.offset == 0 && search.parent.is_none() {
            true => "No runs yet: `tabwright train` records itself.\n".to_owned(),
            false => "No run is like this.\n".to_owned(),
        };
    }
    let mut table =
        screen::text_table(&["run", "started", "kind", "name", "status", "took", "model", "metric", "tags"]);
    for run in &page.runs {
        table.add_row([
            run.run_id[..SHOWN_DIGITS.min(run.run_id.len())].to_owned(),
            time::to_seconds(run.started),
            run.run.kind.clone(),
            run.run.name.clone(),
            run.status.to_string(),
            run.seconds().map_or("–".into(), screen::seconds),
            run.params.get("type").cloned().unwrap_or_default(),
            primary_metric(run, primary),
            run.tags.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", "),
        ]);
    }
    let mut text = format!("{table}\n");
    if page.more {
        let next = search.offset + search.limit;
        text += &format!("\nThere are more: --offset {next}\n");
    }
    text
}

/// The metric of the project, or the one that the run is judged by; of an evaluation the first.
fn primary_metric(run: &Run, primary: &str) -> String {
    let own = run.run.primary_metric.as_str();
    let names = [primary, own].into_iter().filter(|n| !n.is_empty());
    let first = run.metrics.keys().find(|name| name.starts_with("evaluation."));
    for name in names.chain(first.map(String::as_str)) {
        if let Some(metric) = run.metrics.get(name) {
            return format!("{name} {}", screen::number(metric.last));
        }
    }
    String::new()
}
