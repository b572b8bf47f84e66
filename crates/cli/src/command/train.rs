//! `tabwright train`: the leaderboard, what was found, where it is and what to do next.

use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use tabwright_learn::search::Line;
use tabwright_lifecycle::config::Config;
use tabwright_lifecycle::error::Error;
use tabwright_lifecycle::train::Trained;
use tabwright_model::evidence::Metrics;

use super::keep::{Kept, train_and_keep};
use super::{configuration, texts};
use crate::error::Failure;
use crate::screen::{self, Screen};

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let mut config = configuration(matches, true)?;
    let sources = texts(matches, "data");
    if !sources.is_empty() {
        config.data.source = sources;
    }
    config.train.record &= !matches.get_flag("no-record");
    if !config.train.name.is_empty() {
        tabwright_store::name::check("the model name", &config.train.name).map_err(Error::from)?;
    }
    let is_named = matches.get_one::<String>("train.output").is_some();
    let output = output(&config, is_named);
    if output.is_none() {
        config.train.output.clear();
    }
    if let Some(output) = &output {
        tabwright_lifecycle::file::check_writable(Path::new(output))?;
    }
    let on_screen = Screen::new(true);
    let (trained, kept) = train_and_keep(&config, output, None, &on_screen)?;
    if matches.get_flag("json") {
        screen::print_json(&document(&trained, &kept, &config))?;
    } else {
        screen::print(&text(&trained, &kept, &config))?;
    }
    match kept.failure {
        Some(failure) => Err(failure),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// The model file that is asked for: with a name and no file, the model goes into the home alone.
fn output(config: &Config, is_named: bool) -> Option<String> {
    let is_default = !is_named && config.train.output == Config::default().train.output;
    let alone = !config.train.name.is_empty() && (is_default || config.train.output.is_empty());
    (!alone).then(|| config.train.output.clone())
}

/// The document of `--json`.
pub(super) fn document(trained: &Trained, kept: &Kept, config: &Config) -> serde_json::Value {
    let mut document = trained.to_json(&kept.file);
    document["run_id"] = serde_json::json!(kept.run_id);
    if let Some(version) = &kept.version {
        document["model"] = serde_json::json!({ "name": config.train.name, "version": version.version });
    }
    document
}

/// What a person sees.
pub(super) fn text(trained: &Trained, kept: &Kept, config: &Config) -> String {
    let mut parts = vec![task_line(trained), split_line(trained)];
    if let Some(board) = leaderboard(trained) {
        parts.push(board);
    }
    parts.push(verdict(trained));
    parts.extend(screen::strongest_features(trained.artifact.model()).map(|table| format!("\n{table}")));
    parts.push(next_steps(kept, &config.train.name, &config.data.source));
    parts.join("\n") + "\n"
}

fn task_line(trained: &Trained) -> String {
    let signature = trained.artifact.model().signature();
    let task = &signature.task;
    let labels = match task {
        tabwright_core::Task::Binary { labels } => {
            format!(", positive class `{}` (the other is `{}`)", labels[1], labels[0])
        }
        tabwright_core::Task::Multiclass { labels } => format!(", {} classes", labels.len()),
        tabwright_core::Task::Regression => String::new(),
    };
    let rows = screen::counted(trained.rows, "row");
    format!(
        "{} of `{}`{labels}: {rows}, {}",
        name_of(task.name()),
        signature.target,
        screen::counted(trained.artifact.model().pipeline().inputs().len(), "input column")
    )
}

fn name_of(task: &str) -> &'static str {
    match task {
        "binary" => "Binary classification",
        "multiclass" => "Multiclass classification",
        _ => "Regression",
    }
}

fn split_line(trained: &Trained) -> String {
    let split = &trained.split;
    let (train, validation, test) = (split.train.len(), split.validation.len(), split.test.len());
    let folds = trained.found.leaderboard.iter().map(|l| l.cv_scores.len()).max().unwrap_or(0);
    let folds = if folds > 0 { format!("; {folds} folds on the training rows") } else { String::new() };
    if validation + test == 0 {
        return format!("Nothing held back: {} rows train{folds}", screen::count(train));
    }
    format!(
        "Split: {} train, {} validation, {} test{folds}",
        screen::count(train),
        screen::count(validation),
        screen::count(test)
    )
}

/// The table of candidates; nothing where nothing was compared.
fn leaderboard(trained: &Trained) -> Option<String> {
    let metric = trained.metric.name();
    let lines = &trained.found.leaderboard;
    let has_folds = lines.iter().any(|l| !l.cv_scores.is_empty());
    let has_validation = lines.iter().any(|l| l.validation.is_some());
    if !has_folds && !has_validation {
        return None;
    }
    let others = other_metrics(trained);
    let mut header = vec!["candidate".to_owned()];
    if has_folds {
        header.push(format!("{metric} (folds)"));
    }
    if has_validation {
        header.push(format!("{metric} (validation)"));
        header.extend(others.iter().map(|m| (*m).to_owned()));
    }
    header.extend(["fit".to_owned(), "predict".to_owned()]);
    let mut table = screen::table(&header.iter().map(String::as_str).collect::<Vec<_>>());
    for line in lines {
        screen::row(&mut table, cells(line, metric, &others, (has_folds, has_validation)));
    }
    let folds = if has_folds { "±: standard deviation over the folds. " } else { "" };
    let of = if has_validation {
        "Other metrics and times: fitted on train, scored on validation."
    } else {
        "Times: of a fold."
    };
    Some(format!("\n{table}\n{folds}{of}\n"))
}

/// Up to three metrics beside the one that decided.
fn other_metrics(trained: &Trained) -> Vec<&'static str> {
    let usual: &[&str] = match trained.artifact.model().task().name() {
        "binary" => &["roc_auc", "log_loss", "accuracy", "f1"],
        "multiclass" => &["log_loss", "accuracy", "f1_macro", "roc_auc"],
        _ => &["rmse", "mae", "r2"],
    };
    usual.iter().copied().filter(|m| *m != trained.metric.name()).take(3).collect()
}

fn cells(line: &Line, metric: &str, others: &[&str], (folds, validation): (bool, bool)) -> Vec<String> {
    let mut cells = vec![line.candidate.name.clone()];
    if line.failure.is_some() {
        cells.push("not complete".into());
        return cells;
    }
    if folds {
        cells.push(
            line.cv_mean_std()
                .map_or("–".into(), |(mean, std)| format!("{} ± {}", screen::number(mean), screen::number(std))),
        );
    }
    if validation {
        let value = |name: &str| {
            line.validation.as_ref().and_then(|m| m.get(name)).map_or("–".into(), |v| screen::number(*v))
        };
        cells.push(value(metric));
        cells.extend(others.iter().map(|m| value(m)));
    }
    cells.push(screen::seconds(line.fit_seconds));
    cells.push(screen::seconds(line.predict_seconds));
    cells
}

fn verdict(trained: &Trained) -> String {
    let best = trained.found.best();
    let name = &best.candidate.name;
    let metric = trained.metric.name();
    let mut names = vec![metric];
    names.extend(other_metrics(trained));
    let shown = |metrics: &Metrics| {
        let shown: Vec<String> =
            names.iter().filter_map(|n| metrics.get(*n).map(|v| format!("{n} {}", screen::number(*v)))).collect();
        shown.join(", ")
    };
    let seconds = screen::seconds(trained.seconds);
    match (&trained.found.test, best.cv_mean_std()) {
        (Some(test), _) => format!(
            "Best: {name}, fitted on {} rows. On the {} test rows, which no step before has seen: {} ({seconds} in all)",
            screen::count(trained.split.train.len() + trained.split.validation.len()),
            screen::count(trained.split.test.len()),
            shown(test)
        ),
        (None, Some(_)) => format!(
            "Best: {name}, fitted on all {} rows. Cross-validated, not tested: {} ({seconds} in all)",
            screen::count(trained.rows),
            shown(&best.cv_metrics)
        ),
        (None, None) => format!(
            "Trained {name} on {} rows. Nothing was scored: there are neither folds nor a test part ({seconds} in all)",
            screen::count(trained.split.train.len())
        ),
    }
}

fn next_steps(kept: &Kept, name: &str, sources: &[String]) -> String {
    let data = sources.first().filter(|s| *s != "-").map_or("new.csv", String::as_str);
    let output = &kept.file;
    let mut text = String::from("\n");
    let mut model =
        if output.contains('/') || output.ends_with(".tw") { output.clone() } else { format!("./{output}") };
    if let Some(version) = &kept.version {
        model = format!("{name}:{}", version.version);
        let champion = if version.version == 1 { ", the first, and so its champion" } else { "" };
        text += &format!("Model: {model} (version {} of `{name}`{champion})\n", version.version);
    } else {
        text += &format!("Model: {output}\n");
    }
    if let Some(run_id) = &kept.run_id {
        text += &format!("Run:   {run_id}\n");
    }
    text += &format!("Next:  tabwright show {model}\n       tabwright predict {model} {data} -o predictions.csv");
    if kept.version.is_some() {
        text += &format!("\n       tabwright serve {name}");
    }
    if kept.version.as_ref().is_some_and(|v| v.version > 1) {
        text += &format!("\n       tabwright models promote {model}");
    }
    text
}
