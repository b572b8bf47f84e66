//! How the model was made: the data pipeline, and the architecture.

use serde_json::Value as Json;
use tabwright_core::summary::ColumnSummary;
use tabwright_core::{Code, Kind, Warning};
use tabwright_learn::candidate::Registry;
use tabwright_model::levels::shortest;
use tabwright_report::document::{Section, Table, Value};
use tabwright_report::ranking::{Ranked, bars, dots};
use tabwright_report::text::{count, counted, number, percent, seconds};

use super::Card;
use crate::diff::plain;
use crate::show::{becomes, size};

/// Columns that the table of the pipeline shows, at most.
const SHOWN_COLUMNS: usize = 100;
/// Features that are ranked.
const STRONGEST: usize = 15;
/// Findings that leave a column out.
const LEFT_OUT: [Code; 5] =
    [Code::IdentifierLike, Code::Constant, Code::AllMissing, Code::TextLeftOut, Code::TimestampLeftOut];

impl Card<'_> {
    pub(super) fn data_pipeline(&self) -> Section {
        let (evidence, pipeline) = (&self.artifact.evidence, self.artifact.model().pipeline());
        let mut section = Section::new("Data pipeline");
        section.heading("Sources").fact("Origin", self.told("data_sources", |c| &c.data_sources));
        if let Some(run) = self.about.run.filter(|run| !run.data.source.is_empty()) {
            section.fact("Files", Value::Text(crate::redact::text(&run.data.source.join(", "))));
        }
        section
            .fact("Rows", Value::Text(count(evidence.rows)))
            .fact("Fingerprint", Value::Code(evidence.data_fingerprint.clone()));
        section.heading("Preprocessing");
        let mut table = Table::of_texts(&["column", "kind", "missing", "values when trained", "becomes"]);
        for (i, input) in pipeline.inputs().iter().enumerate().take(SHOWN_COLUMNS) {
            let summary = evidence.summaries.iter().find(|s| s.name == input.name);
            let missing = summary.filter(|s| s.count > 0).map(|s| percent(s.missing as f64 / s.count as f64));
            table.row(vec![
                input.name.clone(),
                input.kind.to_string(),
                missing.unwrap_or_else(|| "–".into()),
                summary.map_or_else(|| "–".into(), values),
                becomes(pipeline, i).join(", "),
            ]);
        }
        section.table(table);
        if pipeline.inputs().len() > SHOWN_COLUMNS {
            section.text(format!("and {} more columns", count(pipeline.inputs().len() - SHOWN_COLUMNS)));
        }
        let (columns, features) = (pipeline.inputs().len(), pipeline.n_weights());
        section.heading("Feature engineering").text(format!(
            "{} become {}. Everything above was fitted on the training rows alone, within each fold.",
            counted(columns, "column"),
            counted(features, "feature")
        ));
        let left_out = |w: &&Warning| LEFT_OUT.contains(&w.code);
        let line = |w: &Warning| format!("{} is left out: {}", w.column.as_deref().unwrap_or("a column"), w.message);
        section.list(evidence.findings.iter().filter(left_out).map(line).collect());
        self.validation_of_data(&mut section);
        section
    }

    fn validation_of_data(&self, section: &mut Section) {
        let limits = tabwright_model::contract::Limits::default();
        section
            .heading("Validation")
            .text(format!(
                "New rows are held against the data contract of the model: its columns and their kinds, at most {} of rows with \
                 levels that it has not seen, at most {} outside of the ranges above, at most {} more missing values.",
                percent(limits.unseen),
                percent(limits.out_of_range),
                percent(limits.more_missing)
            ))
            .fact("Check", Value::Code(format!("tabwright check DATA --against {}", self.about.name)));
    }

    pub(super) fn architecture(&self) -> Section {
        let (evidence, model) = (&self.artifact.evidence, self.artifact.model());
        let plan = &evidence.plan;
        let registry = Registry::default();
        let of_type = registry.types().iter().find(|t| t.name == model.candidate_type());
        let mut section = Section::new("Model architecture");
        section
            .heading("Algorithm")
            .fact("Type", Value::Text(model.candidate_type().to_owned()))
            .fact(
                "What it is",
                Value::Text(of_type.map_or_else(|| "a type of another program".into(), |t| t.doc.clone())),
            )
            .fact("Size", Value::Text(size(model)));
        self.importances(&mut section);
        section.heading("Hyperparameters");
        let mut table = Table::of_texts(&["hyperparameter", "value"]);
        for (name, value) in plan["candidate"]["params"].as_object().into_iter().flatten() {
            table.row(vec![name.clone(), plain(value)]);
        }
        match table.rows.is_empty() {
            true => section.text("It has none."),
            false => section.table(table),
        };
        self.training(&mut section);
        self.validation_strategy(&mut section);
        section
    }

    fn training(&self, section: &mut Section) {
        let (record, plan) = (&self.artifact.record, &self.artifact.evidence.plan);
        let fitted = self.rows("train") + self.rows("validation");
        section.heading("Training process").fact("Fitted on", Value::Text(counted(fitted, "row"))).fact(
            "Seeds",
            Value::Text(format!("{} (learners), {} (split)", plain(&plan["seed"]), plain(&plan["split"]["seed"]))),
        );
        if !plan["candidate"]["rounds"].is_null() {
            section.fact(
                "Rounds",
                Value::Text(format!("{}, chosen by early stopping", plain(&plan["candidate"]["rounds"]))),
            );
        }
        if let Some(share) = plan["reading"]["share"].as_f64().filter(|s| *s < 1.0) {
            section.fact("Memory limit", Value::Text(format!("{} of the rows were used", percent(share))));
        }
        section
            .fact(
                "Made",
                Value::Text(format!("{} on {}, in {}", record.created_at, record.machine, seconds(record.seconds))),
            )
            .fact("Content", Value::Code(self.artifact.content_id().to_owned()));
        if let Some((version, _)) = self.about.version {
            let name = format!("{}:{}", version.registered.name, version.version);
            section.fact("Repeat it, bit for bit", Value::Code(format!("tabwright models reproduce {name}")));
        }
    }

    fn validation_strategy(&self, section: &mut Section) {
        let evidence = &self.artifact.evidence;
        let plan = &evidence.plan;
        section
            .heading("Validation strategy")
            .fact("Split", Value::Text(self.split()))
            .fact("Choice", Value::Text(chosen(plan)));
        let mut table =
            Table::of_numbers(&["candidate", &format!("{} (folds)", evidence.metric), "spread", "validation"]);
        let mut ranked = Vec::new();
        for line in &evidence.leaderboard {
            let shown = |v: Option<f64>| v.map_or("–".into(), number);
            let validation = line.validation.as_ref().and_then(|m| m.get(&evidence.metric)).copied();
            table.row(vec![line.name.clone(), shown(line.cv_mean), shown(line.cv_std), shown(validation)]);
            if let Some(value) = line.cv_mean.or(validation) {
                let label = number(value);
                ranked.push(Ranked { name: line.name.clone(), value, spread: line.cv_std, label });
            }
        }
        section.table(table);
        if ranked.len() > 1 {
            let title = format!("Candidates by {}", evidence.metric);
            section.picture("Every candidate that was tried, with the spread over the folds", dots(&title, &ranked));
        }
    }

    /// How the rows were divided, in words.
    fn split(&self) -> String {
        let split = &self.artifact.evidence.plan["split"];
        let rows = format!(
            "{} training, {} validation, {} test rows",
            count(self.rows("train")),
            count(self.rows("validation")),
            count(self.rows("test"))
        );
        let column = |key: &str| split[key].as_str().filter(|name| !name.is_empty());
        let mut how = Vec::new();
        how.extend(column("group").map(|c| format!("rows of one `{c}` on one side")));
        how.extend(column("time").map(|c| format!("ordered by `{c}`, the latest tested on")));
        how.extend(column("column").map(|c| format!("as `{c}` says")));
        if split["duplicates"] == "together" {
            how.push("equal rows on one side".into());
        }
        if split["holdout"] == "none" {
            how.push("nothing held back".into());
        }
        if how.is_empty() { rows } else { format!("{rows}; {}", how.join(", ")) }
    }

    fn importances(&self, section: &mut Section) {
        let model = self.artifact.model();
        let found = model.importances();
        if found.is_empty() {
            return;
        }
        let of = match model.predictor() {
            tabwright_model::model::Predictor::Linear(_) => "share of the weights",
            _ => "share of the gain",
        };
        let mut table = Table::of_numbers(&["feature", of]);
        let mut ranked = Vec::new();
        for (name, share) in found.iter().take(STRONGEST) {
            table.row(vec![(*name).to_owned(), percent(*share)]);
            ranked.push(Ranked { name: (*name).to_owned(), value: *share, spread: None, label: percent(*share) });
        }
        let title = match found.len() > STRONGEST {
            true => format!("Strongest {STRONGEST} of {} features", found.len()),
            false => "Features".to_owned(),
        };
        section.picture(&format!("How much the model uses each feature: its {of}"), bars(&title, &ranked)).table(table);
    }
}

/// The values of a column when the model was trained: ranges and counts, never cells of people.
fn values(summary: &ColumnSummary) -> String {
    if let Some(numbers) = &summary.numbers {
        let shown = |x: f64| match summary.kind {
            Kind::Timestamp => tabwright_data::format_timestamp(x as i64),
            _ => shortest(x),
        };
        return format!("{} to {}", shown(numbers.min), shown(numbers.max));
    }
    counted(usize::try_from(summary.distinct).unwrap_or(usize::MAX), "level")
}

/// How the best candidate was chosen, in words.
fn chosen(plan: &Json) -> String {
    let metric = plain(&plan["selection"]["metric"]);
    let folds = plan["folds"]["n"].as_u64().unwrap_or(0);
    let repeats = plan["folds"]["repeats"].as_u64().unwrap_or(1);
    let anew = if repeats > 1 { format!(", dealt {repeats} times") } else { String::new() };
    match (plan["selection"]["on"].as_str(), folds) {
        (Some("cv"), 1..) => format!("{metric}, mean over {folds} folds of the training rows{anew}"),
        _ => format!("{metric} on the validation rows"),
    }
}
