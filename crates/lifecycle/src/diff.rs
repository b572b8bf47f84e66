//! `models diff`: what differs between two models, and where they decide otherwise.
//!
//! What follows from the model files alone is compared always; answers are compared on the rows of files.

mod answered;
mod page;
mod reasons;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use tabwright_core::metric::Metric;
use tabwright_core::{Context, Task, Warning};
use tabwright_data::ReadOptions;
use tabwright_model::artifact::Artifact;

use crate::error::Result;

pub use answered::{Changes, Direction, Example, OnData, Reason, SliceRow};
pub use schema::{ColumnRow, SchemaDiff};

/// One of the two models.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// How it was named.
    pub name: &'a str,
    /// The model.
    pub artifact: &'a Artifact,
}

/// What is to be compared.
#[derive(Debug, Clone, Default)]
pub struct DiffOptions {
    /// Files whose rows both are asked about; none: what the models say of themselves is compared.
    pub sources: Vec<String>,
    /// How they are read.
    pub read: ReadOptions,
    /// Named parts of the rows: a condition over columns for each name.
    pub slices: BTreeMap<String, String>,
}

/// What differs between two models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// The first.
    pub a: Facts,
    /// The second.
    pub b: Facts,
    /// Whether they are the same model, to the last bit.
    pub identical: bool,
    /// Why their answers cannot be compared; none where they can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomparable: Option<String>,
    /// Target, labels and columns.
    pub schema: SchemaDiff,
    /// Features that differ: what the pipelines make of the columns.
    pub features: Vec<Row>,
    /// Type and hyperparameters that differ.
    pub hyperparameters: Vec<Row>,
    /// Seeds, parts and other things of the plans that differ.
    pub plan: Vec<Row>,
    /// Metrics of both, as they were measured after the trainings.
    pub metrics: Vec<MetricRow>,
    /// Whether both were tested on the same rows.
    pub same_test_rows: bool,
    /// Metrics by slice, as they were measured after the trainings.
    pub slices: Vec<SliceRow>,
    /// Findings that one has and the other has not, as code and column.
    pub findings: Vec<Row>,
    /// The answers on the rows of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<OnData>,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

/// What a model is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// How it was named.
    pub name: String,
    /// Its content.
    pub content_id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub candidate_type: String,
    /// How large the predictor is, in words.
    pub predictor: String,
    /// Bytes of the model file.
    pub size: u64,
    /// When it was made.
    pub created_at: String,
    /// Rows that it was fitted on.
    pub fitted_rows: u64,
    /// The data that it was made from.
    pub data_fingerprint: String,
    /// The metric that decided.
    pub metric: String,
}

/// A thing that differs, with its value in each; absent where a model has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it is.
    pub name: String,
    /// In the first.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
}

/// A metric of both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricRow {
    /// Its name.
    pub name: String,
    /// Of the first.
    pub a: Option<f64>,
    /// Of the second.
    pub b: Option<f64>,
    /// Which is better, where the metric is known and they differ.
    pub better: Option<Better>,
}

/// Which of two is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// The first.
    A,
    /// The second.
    B,
}

impl MetricRow {
    pub(crate) fn new(name: &str, a: Option<f64>, b: Option<f64>) -> Self {
        let better = a.zip(b).and_then(|(a, b)| {
            let greater = tabwright_store::greater_is_better(name)?;
            match a.partial_cmp(&b)? {
                std::cmp::Ordering::Equal => None,
                order => Some(if (order == std::cmp::Ordering::Greater) == greater { Better::A } else { Better::B }),
            }
        });
        MetricRow { name: name.to_owned(), a, b, better }
    }
}

/// Compares two models.
///
/// # Errors
/// From reading the files; for a slice that their rows do not have. That the models answer different questions is no error:
/// what can be compared is.
pub fn diff(a: Named<'_>, b: Named<'_>, options: &DiffOptions, context: Context<'_>) -> Result<Diff> {
    let (left, right) = (a.artifact, b.artifact);
    let incomparable = incomparable(&a, &b);
    let mut found = Diff {
        a: facts(&a)?,
        b: facts(&b)?,
        identical: left.content_id() == right.content_id(),
        schema: schema::diff(left, right),
        features: rows(&schema::features(left.model()), &schema::features(right.model())),
        hyperparameters: rows(&hyperparameters(left), &hyperparameters(right)),
        plan: rows(&plan(left), &plan(right)),
        metrics: recorded_metrics(left, right, incomparable.is_none()),
        same_test_rows: same_test_rows(left, right),
        slices: if incomparable.is_none() { answered::recorded_slices(left, right) } else { Vec::new() },
        findings: rows(&findings(left), &findings(right)),
        data: None,
        warnings: Vec::new(),
        incomparable,
    };
    if !options.sources.is_empty() && found.incomparable.is_none() {
        let (data, warnings) = answered::on_data([&a, &b], options, context)?;
        (found.data, found.warnings) = (Some(data), warnings);
    }
    Ok(found)
}

/// Why the answers of two models cannot be compared, if so.
fn incomparable(a: &Named<'_>, b: &Named<'_>) -> Option<String> {
    let [left, right] = [a, b].map(|n| n.artifact.model().signature());
    if left.target != right.target {
        return Some(format!(
            "{} predicts `{}`, {} predicts `{}`: they answer different questions",
            a.name, left.target, b.name, right.target
        ));
    }
    if left.task.name() != right.task.name() {
        let [left, right] = [left, right].map(|s| s.task.name());
        return Some(format!(
            "{} is a {left} model, {} a {right} one: their answers are of different kinds",
            a.name, b.name
        ));
    }
    let labels = |task: &Task| task.labels().iter().map(|l| format!("`{l}`")).collect::<Vec<_>>().join(", ");
    (left.task != right.task).then(|| {
        match left.task.labels().iter().collect::<BTreeSet<_>>() == right.task.labels().iter().collect() {
            true => format!(
                "the labels have another order: the positive one of {} is `{}`, that of {} is `{}`",
                a.name,
                left.task.labels().last().map_or("", String::as_str),
                b.name,
                right.task.labels().last().map_or("", String::as_str)
            ),
            false => {
                format!("they know other labels: {} {}, {} {}", a.name, labels(&left.task), b.name, labels(&right.task))
            }
        }
    })
}

fn facts(named: &Named<'_>) -> Result<Facts> {
    let (artifact, model) = (named.artifact, named.artifact.model());
    let part = |name: &str| artifact.evidence.plan["rows"][name].as_u64().unwrap_or(0);
    Ok(Facts {
        name: named.name.to_owned(),
        content_id: artifact.content_id().to_owned(),
        candidate_type: model.candidate_type().to_owned(),
        predictor: crate::show::size(model),
        size: size(artifact)?,
        created_at: artifact.record.created_at.clone(),
        fitted_rows: part("train") + part("validation"),
        data_fingerprint: artifact.evidence.data_fingerprint.clone(),
        metric: artifact.evidence.metric.clone(),
    })
}

/// Bytes of a model file, counted as it would be written.
pub(crate) fn size(artifact: &Artifact) -> Result<u64> {
    struct Counter(u64);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    artifact.write_to(&mut counter)?;
    Ok(counter.0)
}

/// What differs between two sets of named values.
fn rows(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> Vec<Row> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name))
        .map(|name| Row { name: name.clone(), a: a.get(name).cloned(), b: b.get(name).cloned() })
        .collect()
}

/// A value of a plan as a text.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

fn hyperparameters(artifact: &Artifact) -> BTreeMap<String, String> {
    let candidate = &artifact.evidence.plan["candidate"];
    let mut all: BTreeMap<String, String> = candidate["params"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), plain(value)))
        .collect();
    all.insert("type".into(), artifact.model().candidate_type().to_owned());
    if !candidate["rounds"].is_null() {
        all.insert("rounds".into(), plain(&candidate["rounds"]));
    }
    all
}

/// What else a plan says, by path: without what other parts of the comparison tell.
fn plan(artifact: &Artifact) -> BTreeMap<String, String> {
    fn walk(path: &str, value: &Value, into: &mut BTreeMap<String, String>) {
        match value.as_object() {
            Some(inner) => inner.iter().for_each(|(name, value)| walk(&format!("{path}.{name}"), value, into)),
            None => drop(into.insert(path.to_owned(), plain(value))),
        }
    }
    let mut all = BTreeMap::new();
    let told_elsewhere = ["candidate", "candidates", "target", "task", "version"];
    for (name, value) in artifact.evidence.plan.as_object().into_iter().flatten() {
        if !told_elsewhere.contains(&name.as_str()) {
            walk(name, value, &mut all);
        }
    }
    all.insert("data".into(), artifact.evidence.data_fingerprint.clone());
    all
}

fn findings(artifact: &Artifact) -> BTreeMap<String, String> {
    let named = |w: &Warning| match &w.column {
        Some(column) => (format!("{} ({column})", w.code), w.message.clone()),
        None => (w.code.to_string(), w.message.clone()),
    };
    artifact.evidence.findings.iter().map(named).collect()
}

/// Metrics by part, those of the deciding metric first within each.
fn recorded_metrics(a: &Artifact, b: &Artifact, comparable: bool) -> Vec<MetricRow> {
    if !comparable {
        return Vec::new();
    }
    let parts = |artifact: &Artifact| {
        let evidence = &artifact.evidence;
        [&evidence.cross_validation, &evidence.validation, &evidence.test, &evidence.train].map(Clone::clone)
    };
    let (left, right) = (parts(a), parts(b));
    let mut found = Vec::new();
    for (i, part) in ["cv", "validation", "test", "train"].into_iter().enumerate() {
        let value = |of: &Option<BTreeMap<String, f64>>, metric: &Metric| of.as_ref()?.get(metric.name()).copied();
        for metric in Metric::for_task(a.model().task()) {
            let (x, y) = (value(&left[i], metric), value(&right[i], metric));
            if x.is_some() || y.is_some() {
                found.push(MetricRow::new(&format!("{part}.{}", metric.name()), x, y));
            }
        }
    }
    found
}

/// Whether two models were tested on the same rows: the same data, cut in the same way.
fn same_test_rows(a: &Artifact, b: &Artifact) -> bool {
    let same = |name: &str| a.evidence.plan[name] == b.evidence.plan[name];
    let share = |of: &Artifact| of.evidence.plan["reading"]["share"].clone();
    let is_tested = a.evidence.test.is_some() && b.evidence.test.is_some();
    is_tested
        && a.evidence.data_fingerprint == b.evidence.data_fingerprint
        && same("split")
        && same("rows")
        && share(a) == share(b)
}
