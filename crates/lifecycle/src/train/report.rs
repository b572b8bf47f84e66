//! What a training says of itself: the evidence in the model file, and the document of `train --json`.

use serde_json::{Map, Value, json};
use tabwright_core::metric::Metric;
use tabwright_core::summary;
use tabwright_core::{Code, ColumnSummary, Field, RowSet, Rows, Schema, Split, Table, Warning};
use tabwright_learn::fit;
use tabwright_learn::search::{Found, Line};
use tabwright_model::Model;
use tabwright_model::evidence::{CandidateEvidence, Evidence, SliceEvidence};

use super::Trained;
use super::material::{Divided, Prepared};
use crate::config::Config;
use crate::error::Result;
use crate::slice;

/// Version of the plan's layout.
const PLAN_VERSION: u32 = 1;

/// Summaries of a model's inputs over the rows that it was fitted on.
pub(super) fn summaries(prepared: &Prepared, split: &Split, model: &Model) -> Vec<ColumnSummary> {
    let mut rows: Vec<u32> = [&split.train[..], &split.validation[..]].concat();
    rows.sort_unstable();
    let view = Rows::new(prepared.table.block(), RowSet::List(&rows));
    let summaries = model.pipeline().inputs().iter().filter_map(|input| {
        let position = prepared.table.schema().position(&input.name)?;
        Some(summary::summarize(&prepared.table.schema().fields()[position], view, position))
    });
    summaries.collect()
}

/// A sample of the rows that the model was fitted on, as it reads them: the same ones for the same data, whatever their order.
pub(super) fn reference(prepared: &Prepared, fitted_on: &[u32], model: &Model, most: usize) -> Option<Table> {
    /// Sets this draw apart from those that the same keys decide: an odd number, as random as any.
    const OTHER: u64 = 0x9e37_79b9_7f4a_7c15;
    let place = |row: &u32| prepared.keys[*row as usize].rotate_left(32).wrapping_mul(OTHER);
    let mut rows = fitted_on.to_vec();
    rows.sort_unstable_by_key(|row| (place(row), *row));
    rows.truncate(most);
    rows.sort_unstable();
    let schema = prepared.table.schema();
    let positions: Option<Vec<usize>> =
        model.pipeline().inputs().iter().map(|input| schema.position(&input.name)).collect();
    let positions = positions?;
    let fields = positions.iter().map(|&p| Field::feature(&schema.fields()[p].name, schema.fields()[p].kind)).collect();
    let columns = positions.iter().map(|&p| prepared.table.column(p).take(&rows)).collect();
    Table::new(Schema::new(fields).ok()?, columns).ok()
}

/// Says that no rows are kept of those that stream.
pub(super) fn unkept_reference(config: &Config) -> Vec<Warning> {
    let message = "no reference rows were kept, since the rows stream; set train.rows_from = \"memory\"";
    (config.train.keep_reference > 0)
        .then(|| Warning::general(Code::ReferenceLeftOut, message.to_owned()))
        .into_iter()
        .collect()
}

/// What the model is worth in the slices of the configuration, on the test part; and a warning for each that cannot be
/// measured.
pub(super) fn slices(
    prepared: &Prepared,
    split: &Split,
    model: &Model,
    config: &Config,
) -> (Vec<SliceEvidence>, Vec<Warning>) {
    let (mut measured, mut warnings) = (Vec::new(), Vec::new());
    for (name, condition) in config.registry.slices.iter().filter(|_| !split.test.is_empty()) {
        let one = || -> Result<SliceEvidence> {
            let rows = slice::rows_of(&prepared.table, &split.test, condition)?;
            let scorer = model.bind(prepared.table.schema())?;
            let predictions = scorer.predict(Rows::new(prepared.table.block(), RowSet::List(&rows)));
            let metrics = fit::metrics(model.task(), &prepared.targets.take(&rows), &predictions);
            Ok(SliceEvidence { name: name.clone(), condition: condition.clone(), rows: rows.len(), metrics })
        };
        match one() {
            Ok(slice) => measured.push(slice),
            Err(error) => {
                let message = format!("the slice `{name}` was not measured: {error}");
                warnings.push(Warning::general(Code::SliceLeftOut, message));
            }
        }
    }
    (measured, warnings)
}

/// Says that slices cannot be measured on rows that stream: their columns are not held.
pub(super) fn unmeasured_slices(config: &Config) -> Vec<Warning> {
    if config.registry.slices.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "the slices {} were not measured, since the rows stream; `card` and `models diff` measure them with --data",
        tabwright_core::suggest::shorten(config.registry.slices.keys().map(String::as_str))
    );
    vec![Warning::general(Code::SliceLeftOut, message)]
}

pub(super) fn evidence(
    prepared: &Prepared,
    divided: &Divided,
    config: &Config,
    metric: Metric,
    (summaries, slices): (Vec<ColumnSummary>, Vec<SliceEvidence>),
    (found, warnings): (&Found, &[Warning]),
) -> Evidence {
    let best = found.best();
    Evidence {
        content_id: String::new(),
        metric: metric.name().to_owned(),
        train: Some(found.train.clone()),
        validation: best.validation.clone(),
        test: found.test.clone(),
        reliability: found.reliability.clone(),
        answers: found.answers.clone(),
        slices,
        cross_validation: (!best.cv_metrics.is_empty()).then(|| best.cv_metrics.clone()),
        leaderboard: found.leaderboard.iter().map(candidate_evidence).collect(),
        plan: plan(prepared, divided, config, metric, found),
        summaries,
        findings: warnings.to_vec(),
        data_fingerprint: prepared.fingerprint.clone(),
        rows: prepared.rows_read,
    }
}

fn candidate_evidence(line: &Line) -> CandidateEvidence {
    let mean_std = line.cv_mean_std();
    CandidateEvidence {
        name: line.candidate.name.clone(),
        candidate_type: line.candidate.candidate_type.clone(),
        cv_scores: line.cv_scores.iter().copied().filter(|s| s.is_finite()).collect(),
        cv_mean: mean_std.map(|(mean, _)| mean),
        cv_std: mean_std.map(|(_, std)| std),
        validation: line.validation.clone(),
    }
}

/// What was in fact done, in full: repeating it needs no clock and no defaults.
fn plan(prepared: &Prepared, divided: &Divided, config: &Config, metric: Metric, found: &Found) -> Value {
    let best = &found.best().candidate;
    let split = &divided.split;
    json!({
        "version": PLAN_VERSION,
        "seed": config.train.seed,
        "target": prepared.signature.target,
        "task": prepared.signature.task.name(),
        "rows": { "train": split.train.len(), "validation": split.validation.len(), "test": split.test.len() },
        "split": {
            "seed": config.split.seed,
            "holdout": config.split.holdout,
            "duplicates": config.split.duplicates,
            "group": config.split.group,
            "time": config.split.time,
            "column": config.split.column,
            "cuts": split.cuts,
        },
        "reading": prepared.reading,
        "folds": { "n": config.selection.folds, "repeats": config.selection.repeats },
        "selection": { "metric": metric.name(), "on": config.selection.on },
        "features": config.features,
        "candidates": found.leaderboard.iter().map(|l| json!({
            "name": l.candidate.name, "type": l.candidate.candidate_type, "params": l.candidate.params,
        })).collect::<Vec<_>>(),
        "candidate": {
            "name": best.name, "type": best.candidate_type, "params": best.params, "rounds": found.rounds,
        },
    })
}

impl Trained {
    /// The document of `train --json`; `output` is the path of the model file.
    pub fn to_json(&self, output: &str) -> Value {
        let signature = self.artifact.model().signature();
        let best = self.found.best();
        let labels = signature.task.labels();
        let mut document = json!({
            "task": signature.task.name(),
            "target": signature.target,
            "positive": if labels.len() == 2 { Some(&labels[1]) } else { None },
            "metric": self.metric.name(),
            "rows": self.rows,
            "seed": self.seed,
            "seconds": self.seconds,
            "split": {
                "train": self.split.train.len(),
                "validation": self.split.validation.len(),
                "test": self.split.test.len(),
            },
            "leaderboard": self.found.leaderboard.iter().map(line_json).collect::<Vec<_>>(),
            "best": best.candidate.name,
            "train": self.found.train,
            "artifact": output,
            "content_id": self.artifact.content_id(),
            "warnings": self.warnings,
        });
        let optional = [("test", &self.found.test), ("validation", &best.validation)];
        for (name, metrics) in optional {
            if let Some(metrics) = metrics {
                document[name] = json!(metrics);
            }
        }
        if !best.cv_metrics.is_empty() {
            document["cross_validation"] = json!(best.cv_metrics);
        }
        document
    }
}

fn line_json(line: &Line) -> Value {
    let mean_std = line.cv_mean_std();
    let mut object = Map::new();
    object.insert("name".into(), json!(line.candidate.name));
    object.insert("type".into(), json!(line.candidate.candidate_type));
    object.insert("cv_scores".into(), json!(line.cv_scores));
    object.insert("cv_mean".into(), json!(mean_std.map(|(mean, _)| mean)));
    object.insert("cv_std".into(), json!(mean_std.map(|(_, std)| std)));
    if let Some(validation) = &line.validation {
        object.insert("validation".into(), json!(validation));
    }
    object.insert("fit_seconds".into(), json!(line.fit_seconds));
    object.insert("predict_seconds".into(), json!(line.predict_seconds));
    if let Some(failure) = &line.failure {
        object.insert("failure".into(), json!(failure));
    }
    Value::Object(object)
}
