//! `tabwright show`: what a model file holds.

use std::process::ExitCode;

use clap::ArgMatches;
use tabwright_core::Task;
use tabwright_lifecycle::show::{becomes, measured, size};
use tabwright_model::artifact::Artifact;
use tabwright_model::evidence::Metrics;
use tabwright_model::pipeline::Pipeline;

use super::load;
use crate::error::Failure;
use crate::screen;

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let artifact = load(matches, "model")?;
    if matches.get_flag("json") {
        screen::print_json(&tabwright_lifecycle::show::to_json(&artifact))?;
    } else {
        screen::print(&text(&artifact))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(artifact: &Artifact) -> String {
    let mut parts = vec![overview(artifact), inputs(artifact.model().pipeline()), metrics(artifact)];
    parts.extend(screen::strongest_features(artifact.model()));
    parts.extend(leaderboard(artifact));
    parts.push(plan(artifact));
    parts.extend(findings(artifact));
    parts.join("\n\n") + "\n"
}

fn overview(artifact: &Artifact) -> String {
    let model = artifact.model();
    let (signature, record) = (model.signature(), &artifact.record);
    let task = match &signature.task {
        Task::Binary { labels } => format!("binary, positive class `{}`, negative `{}`", labels[1], labels[0]),
        Task::Multiclass { labels } => {
            format!("multiclass: {}", tabwright_core::suggest::shorten(labels.iter().map(String::as_str)))
        }
        Task::Regression => "regression".into(),
    };
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let fingerprint = &artifact.evidence.data_fingerprint;
    for (name, value) in [
        ("Content", artifact.content_id().to_owned()),
        ("Target", format!("{} ({task})", signature.target)),
        ("Model", format!("{}: {}", model.candidate_type(), size(model))),
        ("Data", format!("{} rows, {fingerprint}", screen::count(artifact.evidence.rows))),
        (
            "Made",
            format!(
                "{} by Tabwright {} on {}, in {}",
                record.created_at,
                record.version,
                record.machine,
                screen::seconds(record.seconds)
            ),
        ),
    ] {
        table.add_row([name.to_owned(), value]);
    }
    table.to_string()
}

fn inputs(pipeline: &Pipeline) -> String {
    let mut table = screen::text_table(&["input", "kind", "becomes"]);
    for (i, input) in pipeline.inputs().iter().enumerate() {
        let becomes = becomes(pipeline, i).join(", ");
        table.add_row([input.name.clone(), input.kind.to_string(), becomes]);
    }
    format!("Pipeline ({} inputs, {} features)\n{table}", pipeline.inputs().len(), pipeline.n_weights())
}

fn metrics(artifact: &Artifact) -> String {
    let evidence = &artifact.evidence;
    let columns = measured(evidence);
    if columns.is_empty() {
        return "Metrics: none were measured".into();
    }
    let header: Vec<&str> = std::iter::once("metric").chain(columns.iter().map(|(n, _)| *n)).collect();
    let mut table = screen::table(&header);
    for metric in tabwright_core::metric::Metric::for_task(artifact.model().task()) {
        let value = |m: &Metrics| m.get(metric.name()).map_or("–".into(), |v| screen::number(*v));
        let mark = if evidence.metric == metric.name() { " *" } else { "" };
        let cells = std::iter::once(format!("{}{mark}", metric.name())).chain(columns.iter().map(|(_, m)| value(m)));
        screen::row(&mut table, cells.collect());
    }
    let tested = if evidence.test.is_some() { "" } else { "; nothing was held back to test on" };
    format!("Metrics (* decided{tested})\n{table}")
}

fn leaderboard(artifact: &Artifact) -> Option<String> {
    let evidence = &artifact.evidence;
    if evidence.leaderboard.iter().all(|l| l.cv_scores.is_empty() && l.validation.is_none()) {
        return None;
    }
    let metric = &evidence.metric;
    let mut table = screen::table(&["candidate", &format!("{metric} (folds)"), &format!("{metric} (validation)")]);
    for line in &evidence.leaderboard {
        let folds = match (line.cv_mean, line.cv_std) {
            (Some(mean), Some(std)) => format!("{} ± {}", screen::number(mean), screen::number(std)),
            _ => "–".into(),
        };
        let validation =
            line.validation.as_ref().and_then(|m| m.get(metric)).map_or("–".into(), |v| screen::number(*v));
        screen::row(&mut table, vec![line.name.clone(), folds, validation]);
    }
    Some(format!("Leaderboard\n{table}"))
}

fn plan(artifact: &Artifact) -> String {
    let plan = &artifact.evidence.plan;
    let part = |name: &str| plan["rows"][name].as_u64().map_or(0, |n| n as usize);
    let seeds = format!("seed {}, split seed {}", plan["seed"], plan["split"]["seed"]);
    let mut text = format!(
        "Plan: {seeds}; {} train, {} validation, {} test; {} folds",
        screen::count(part("train")),
        screen::count(part("validation")),
        screen::count(part("test")),
        plan["folds"]["n"]
    );
    if let Some(params) = plan["candidate"]["params"].as_object() {
        let shown: Vec<String> = params.iter().map(|(n, v)| format!("{n} = {v}")).collect();
        text += &format!("\nHyperparameters: {}", if shown.is_empty() { "none".into() } else { shown.join(", ") });
    }
    if let Some(rounds) = plan["candidate"]["rounds"].as_u64() {
        text += &format!("\nRounds chosen by early stopping: {rounds}");
    }
    text
}

fn findings(artifact: &Artifact) -> Option<String> {
    let findings = &artifact.evidence.findings;
    let lines: Vec<String> = findings.iter().map(|f| format!("- {}", screen::warning_line(f))).collect();
    (!lines.is_empty()).then(|| format!("Findings\n{}", lines.join("\n")))
}
