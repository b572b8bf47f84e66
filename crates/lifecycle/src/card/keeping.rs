//! How the model is used and kept: deployment, maintenance, limits and findings.

use tabwright_core::Warning;
use tabwright_report::document::{Section, Table, Value};
use tabwright_report::text::{bytes, count, counted};

use super::Card;
use crate::config::GateConfig;
use crate::error::Result;

/// Test rows below which scores say little.
const FEW_TEST_ROWS: usize = 500;

impl Card<'_> {
    pub(super) fn deployment(&self) -> Result<Section> {
        let name = self.about.name;
        let version = match self.about.version {
            Some((version, aliases)) => {
                let name = format!("{}:{}", version.registered.name, version.version);
                match aliases.is_empty() {
                    true => format!("{name} (no alias points to it)"),
                    false => format!("{name} ({})", aliases.join(", ")),
                }
            }
            None => format!("not registered: the file {name}"),
        };
        let mut section = Section::new("Deployment");
        section
            .fact("Method", self.told("deployment", |c| &c.deployment))
            .fact("Infrastructure", self.told("infrastructure", |c| &c.infrastructure))
            .fact("Monitoring", self.told("monitoring", |c| &c.monitoring))
            .fact("Version", Value::Text(version))
            .fact("Size of the file", Value::Text(bytes(crate::diff::size(self.artifact)?)))
            .fact("Predict", Value::Code(format!("tabwright predict {name} DATA")));
        if self.about.version.is_some() {
            let lines = asked(&self.about.config.registry.gate);
            section.heading("What a version must meet to become champion").list(lines);
        }
        Ok(section)
    }

    pub(super) fn maintenance(&self) -> Section {
        let name = self.about.name;
        let registered = self.about.version.map(|(version, _)| version.registered.name.as_str());
        let mut section = Section::new("Maintenance");
        section.heading("Retraining").fact("Schedule", self.told("retraining_schedule", |c| &c.retraining_schedule));
        if let Some(registered) = registered {
            section.fact("Command", Value::Code(format!("tabwright retrain {registered} DATA")));
        }
        section
            .heading("Monitoring and drift")
            .fact("Thresholds", self.told("monitoring_thresholds", |c| &c.monitoring_thresholds))
            .fact("Drift detection", self.told("drift_detection", |c| &c.drift_detection))
            .fact("Contract of the data", Value::Code(format!("tabwright check DATA --against {name}")));
        section.heading("Rollback").fact("Plan", self.told("rollback_plan", |c| &c.rollback_plan));
        if let Some(registered) = registered {
            section.fact("Command", Value::Code(format!("tabwright models rollback {registered}")));
        }
        section
    }

    pub(super) fn limits(&self) -> Section {
        let mut section = Section::new("Limits and findings");
        section.fact("Known limits", self.told("limitations", |c| &c.limitations));
        let mut lines = vec![
            "It has learned from the ranges and levels of the data pipeline above; beyond them its answers are guesses.".into(),
        ];
        match self.rows("test") {
            0 => lines.push("It was tested on no row that was held back.".into()),
            n if n < FEW_TEST_ROWS => {
                lines.push(format!("It was tested on {} only: its scores are rough.", counted(n, "row")));
            }
            _ => {}
        }
        if self.artifact.evidence.plan["reading"]["share"].as_f64().is_some_and(|s| s < 1.0) {
            lines.push("It has learned from a sample of the rows, since memory was limited.".into());
        }
        section.list(lines);
        let findings = &self.artifact.evidence.findings;
        section.heading(&format!("Findings ({})", count(findings.len())));
        let mut table = Table::of_texts(&["code", "column", "finding"]);
        for Warning { code, column, message } in findings {
            table.row(vec![code.name().to_owned(), column.clone().unwrap_or_default(), message.clone()]);
        }
        match table.rows.is_empty() {
            true => section.text("Nothing looked wrong about the data."),
            false => section.table(table),
        };
        section
    }
}

/// What the gate asks, in words.
fn asked(gate: &GateConfig) -> Vec<String> {
    let mut lines = Vec::new();
    for (metric, limit) in &gate.metrics {
        let bound = if tabwright_store::greater_is_better(metric).unwrap_or(true) { "at least" } else { "at most" };
        lines.push(format!("{metric} {bound} {limit}"));
    }
    if gate.not_worse {
        lines.push("not worse than the champion beyond noise, on rows that neither was fitted on".into());
    }
    lines.extend(gate.max_latency_ms.map(|ms| format!("at most {ms} ms for one row")));
    if !gate.max_size.is_empty() {
        lines.push(format!("a file of at most {}", gate.max_size));
    }
    if !gate.no_findings.is_empty() {
        lines.push(format!("none of the findings {}", gate.no_findings.join(", ")));
    }
    lines.extend(
        gate.slices.iter().map(|(slice, limit)| format!("the metric that decided in the slice {slice}: {limit}")),
    );
    lines
}
