//! `tabwright runs show`.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::{Map, Value, json};
use tabwright_store::{Deletion, MetricPoint, Run, Search, Status, greater_is_better, time};

use super::super::configuration;
use super::{number, to_json};
use crate::error::Failure;
use crate::home::OpenHome;
use crate::screen;

/// Runs within a run that are shown.
const SHOWN_CHILDREN: usize = 100;
/// Hyperparameters and facts are cut here; all of them are in `--json`.
const SHOWN_TEXT: usize = 100;

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let home = OpenHome::expect(&configuration(matches, true)?)?;
    let id = matches.get_one::<String>("run").map_or("", String::as_str);
    let run = home.wait(home.store.run(id))?;
    let within = Search {
        parent: Some(run.run_id.clone()),
        nested: true,
        deleted: run.deleted.is_some(),
        limit: SHOWN_CHILDREN,
        ..Search::default()
    };
    let mut children = home.wait(home.store.search(&within))?.runs;
    children.reverse();
    children.sort_by(|a, b| place(a).partial_cmp(&place(b)).unwrap_or(std::cmp::Ordering::Equal));
    if matches.get_flag("json") {
        let mut histories = Map::new();
        for (name, _) in run.metrics.iter().filter(|(_, metric)| metric.points > 1) {
            let points = home.wait(home.store.history(&run.run_id, name))?;
            histories.insert(name.clone(), points.iter().map(point).collect());
        }
        let mut document = to_json(&run);
        let summaries = run.metrics.iter().map(|(name, m)| {
            let best = m.best(name).map(number);
            let (low, high, mean) = (number(m.low), number(m.high), number(m.mean));
            (name.clone(), json!({ "points": m.points, "last": number(m.last), "best": best, "low": low, "high": high, "mean": mean }))
        });
        document["summaries"] = Value::Object(summaries.collect());
        document["histories"] = Value::Object(histories);
        document["files"] = json!(run.files);
        document["info"] = run.run.info.clone();
        document["children"] = children.iter().map(to_json).collect();
        screen::print_json(&document)?;
    } else {
        screen::print(&text(&run, &children))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn point(point: &MetricPoint) -> Value {
    json!({ "step": point.step, "at": time::to_text(point.at), "value": number(point.value) })
}

/// Where a run within another stands: the best first, then what is under way, then what came to no end.
fn place(run: &Run) -> (u8, f64) {
    let metric = &run.run.primary_metric;
    match run.status {
        Status::Completed => {
            let score = run.metrics.get(metric).map(|m| m.last).filter(|score| !score.is_nan());
            let sign = if greater_is_better(metric) == Some(true) { -1.0 } else { 1.0 };
            (0, score.map_or(f64::INFINITY, |score| sign * score))
        }
        Status::Running => (1, 0.0),
        _ => (2, 0.0),
    }
}

fn text(run: &Run, children: &[Run]) -> String {
    let mut parts = vec![overview(run)];
    if !run.params.is_empty() {
        let mut table = screen::text_table(&["parameter", "value"]);
        for (name, value) in &run.params {
            table.add_row([name.clone(), cut(value)]);
        }
        parts.push(table.to_string());
    }
    parts.extend(by_part(run));
    parts.extend(other_metrics(run));
    parts.extend(runs_within(run, children));
    if !run.files.is_empty() {
        let mut table = screen::table(&["file", "bytes"]);
        for file in &run.files {
            screen::row(
                &mut table,
                vec![file.path.clone(), screen::count(usize::try_from(file.size).unwrap_or(usize::MAX))],
            );
        }
        parts.push(table.to_string());
    }
    parts.join("\n\n") + "\n"
}

/// The runs within a run, with the folds that are scored where there are any.
fn runs_within(run: &Run, children: &[Run]) -> Option<String> {
    let first = children.first()?;
    // A run that is under way is judged by no metric yet; its candidates are.
    let metric = if run.run.primary_metric.is_empty() { &first.run.primary_metric } else { &run.run.primary_metric };
    let folds = |child: &Run| child.metrics.get(&format!("fold.{metric}")).copied();
    let has_folds = children.iter().any(|child| folds(child).is_some());
    let mut header = vec!["run within", metric, "folds", "status", "run id"];
    header.retain(|column| has_folds || *column != "folds");
    let mut table = screen::table(&header);
    for child in children {
        let score = child.metrics.get(metric).map(|m| m.last).or(folds(child).map(|f| f.mean));
        let mut cells = vec![child.run.name.clone(), score.map_or("–".into(), screen::number)];
        if has_folds {
            let scored = folds(child).map_or(0, |f| f.points);
            let is_whole = child.status == Status::Completed || asked_folds(run) <= scored;
            cells.push(if is_whole { scored.to_string() } else { format!("{scored} of {}", asked_folds(run)) });
        }
        let id = child.run_id[..super::list::SHOWN_DIGITS.min(child.run_id.len())].to_owned();
        cells.extend([child.status.to_string(), id]);
        screen::row(&mut table, cells);
    }
    Some(table.to_string())
}

/// The folds that a training was asked for; 0 where that is unknown.
fn asked_folds(run: &Run) -> u64 {
    let selection = &run.run.info["config"]["selection"];
    selection["folds"].as_u64().unwrap_or(0) * selection["repeats"].as_u64().unwrap_or(1)
}

/// Parts of the rows that metrics are named by, each a column of one table.
const PARTS: [&str; 5] = ["train", "cv", "validation", "test", "evaluation"];

/// The part and the name within it of a metric that stands in the table of parts.
fn in_part(name: &str, values: u64) -> Option<(&str, &str)> {
    name.split_once('.').filter(|(part, _)| PARTS.contains(part) && values == 1)
}

/// The metrics that were measured once on a part of the rows.
fn by_part(run: &Run) -> Option<String> {
    let found: Vec<(&str, &str, f64)> = run
        .metrics
        .iter()
        .filter_map(|(name, metric)| in_part(name, metric.points).map(|(part, name)| (part, name, metric.last)))
        .collect();
    let parts: Vec<&str> = PARTS.into_iter().filter(|part| found.iter().any(|(p, ..)| p == part)).collect();
    let mut names: Vec<&str> = found.iter().map(|(_, name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    let header: Vec<&str> = std::iter::once("metric").chain(parts.iter().copied()).collect();
    let mut table = screen::table(&header);
    for name in &names {
        let value = |part: &&str| {
            let own = found.iter().find(|(p, n, _)| p == part && n == name);
            own.map_or("–".to_owned(), |(.., value)| screen::number(*value))
        };
        screen::row(&mut table, std::iter::once((*name).to_owned()).chain(parts.iter().map(value)).collect());
    }
    (!names.is_empty()).then(|| table.to_string())
}

/// All other metrics.
fn other_metrics(run: &Run) -> Option<String> {
    let mut table = screen::table(&["metric", "last", "best", "mean", "values"]);
    let others: Vec<_> = run.metrics.iter().filter(|(name, m)| in_part(name, m.points).is_none()).collect();
    for (name, metric) in &others {
        let cells = vec![
            (*name).clone(),
            screen::number(metric.last),
            metric.best(name).map_or("–".into(), screen::number),
            screen::number(metric.mean),
            screen::count(usize::try_from(metric.points).unwrap_or(usize::MAX)),
        ];
        screen::row(&mut table, cells);
    }
    (!others.is_empty()).then(|| table.to_string())
}

fn overview(run: &Run) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let info = &run.run.info;
    let name = if run.run.name.is_empty() { String::new() } else { format!(" `{}`", run.run.name) };
    let took = match (run.seconds(), run.status) {
        (Some(seconds), _) => format!(", took {}", screen::seconds(seconds)),
        (None, Status::Running) => {
            let since = time::now().saturating_sub(run.started).max(0) as f64 / 1e6;
            format!(", {} so far", screen::seconds(since))
        }
        (None, _) => String::new(),
    };
    let words = |value: &Value| match value {
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    let git = match info["git"]["commit"].as_str() {
        Some(commit) if info["git"]["diff"].as_str().is_some_and(|d| !d.is_empty()) => {
            format!("{commit}, with changes")
        }
        Some(commit) => commit.to_owned(),
        None => String::new(),
    };
    let version =
        info["version"].as_str().map_or(String::new(), |v| format!("Tabwright {v} on {}", words(&info["machine"])));
    let memory = info["peak_memory"].as_f64().map_or(String::new(), |bytes| format!("{:.0} MB at most", bytes / 1e6));
    let tags: Vec<String> = run.tags.iter().map(|(tag, value)| format!("{tag}={value}")).collect();
    for (what, value) in [
        ("Run", format!("{} ({}{name}), {}{took}", run.run_id, run.run.kind, run.status)),
        ("In the trash", run.deleted.as_ref().map_or(String::new(), |deletion| in_the_trash(run, deletion))),
        ("Part of", run.run.parent.clone().unwrap_or_default()),
        ("Started", time::to_seconds(run.started)),
        ("Project", format!("{}, experiment {}", run.run.project, run.run.experiment)),
        ("Tags", tags.join(", ")),
        ("Note", run.note.clone()),
        ("Error", words(&info["error"])),
        ("Command", words(&info["command_line"])),
        ("Data", words(&info["data"])),
        ("Fingerprint", words(&info["data_fingerprint"])),
        ("By", words(&info["user"])),
        ("With", version),
        ("Memory", memory),
        ("Git", git),
    ] {
        if !value.is_empty() {
            table.add_row([what.to_owned(), value]);
        }
    }
    table.to_string()
}

fn in_the_trash(run: &Run, deletion: &Deletion) -> String {
    let since = time::to_seconds(deletion.at);
    format!("since {since}, by {}; back: tabwright runs restore {}", deletion.who, run.run_id)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_TEXT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
