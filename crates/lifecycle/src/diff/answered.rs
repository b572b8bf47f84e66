//! What two models answer for the same rows: metrics of both, decisions that change and why, and how long it takes.

use serde::Serialize;
use tabwright_core::metric::{Metric, Reliability};
use tabwright_core::{Code, Context, Event, Task, Warning};
use tabwright_model::artifact::Artifact;
use tabwright_model::model::Model;

use super::reasons::{self, Contributions};
use super::{DiffOptions, MetricRow, Named};
use crate::answers::{Answers, Files, metrics};
use crate::error::Result;
use crate::latency::{self, Latency};
use crate::slice;

/// Examples of rows that are named.
const EXAMPLES: usize = 10;
/// Reasons that an example and a direction are given, at most.
const REASONS: (usize, usize) = (3, 10);
/// Directions of decisions that are told apart, the most frequent first.
const DIRECTIONS: usize = 6;
/// Of numbers, the share of the rows that change most is looked into.
const MOST_CHANGED: f64 = 0.05;

/// The answers of both models on the rows of files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OnData {
    /// Rows that were answered.
    pub rows: usize,
    /// Rows with a target.
    pub judged: usize,
    /// Names of the models whose training read just these rows: their scores flatter them.
    pub trained_on_them: Vec<String>,
    /// Metrics of both.
    pub metrics: Vec<MetricRow>,
    /// Metrics by slice.
    pub slices: Vec<SliceRow>,
    /// Answers that differ.
    pub changes: Changes,
    /// How the probabilities of each agree with what was observed.
    pub reliability: [Vec<Reliability>; 2],
    /// How long each takes.
    pub latency: [Latency; 2],
    /// Answers of both by row, for pictures: those of the first row come first.
    #[serde(skip)]
    pub(super) pairs: Vec<(f64, f64, bool)>,
}

/// Metrics in a named part of the rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SliceRow {
    /// Its name.
    pub name: String,
    /// The condition over columns.
    pub condition: String,
    /// Rows of it that the first was measured on.
    pub rows_a: Option<usize>,
    /// Rows of it that the second was measured on.
    pub rows_b: Option<usize>,
    /// Rows of it where the decisions differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<usize>,
    /// Metrics of both.
    pub metrics: Vec<MetricRow>,
}

/// Answers that differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changes {
    /// `decisions` of a classification, or `numbers`.
    pub of: &'static str,
    /// Rows with another decision; of numbers, the rows that changed most.
    pub rows: usize,
    /// Their share of all rows.
    pub share: f64,
    /// Rows that the first gets wrong and the second right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mended: Option<usize>,
    /// Rows that the first gets right and the second wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<usize>,
    /// Of numbers: the second less the first, on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_difference: Option<f64>,
    /// Of numbers: the size of the difference, on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_absolute_difference: Option<f64>,
    /// The ways in which answers changed, the most frequent first.
    pub directions: Vec<Direction>,
    /// The rows that changed most.
    pub examples: Vec<Example>,
    /// What reasons are counted in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Why no reasons are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_reasons: Option<String>,
}

/// Rows whose answers changed in the same way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Direction {
    /// What changed to what.
    pub name: String,
    /// How many rows.
    pub rows: usize,
    /// Their share of all rows.
    pub share: f64,
    /// What features add in the second and did not in the first, on average over these rows, the strongest first.
    pub reasons: Vec<Reason>,
}

/// What a feature adds to the answers of both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// The feature.
    pub feature: String,
    /// In the first.
    pub a: f64,
    /// In the second.
    pub b: f64,
    /// The second less the first.
    pub difference: f64,
}

/// A row whose answer changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// Its number among the rows of the files, from 1.
    pub row: usize,
    /// What the first decides.
    pub decision_a: Option<String>,
    /// What the second decides.
    pub decision_b: Option<String>,
    /// The first's number, or its probability of the positive label or of the second's decision.
    pub a: f64,
    /// The same of the second.
    pub b: f64,
    /// What was true, where it is known.
    pub target: Option<String>,
    /// What features add in the second and did not in the first.
    pub reasons: Vec<Reason>,
}

/// Metrics by slice as they stand in the evidence of both.
pub(super) fn recorded_slices(a: &Artifact, b: &Artifact) -> Vec<SliceRow> {
    let mut names: Vec<&String> = a.evidence.slices.iter().chain(&b.evidence.slices).map(|s| &s.name).collect();
    names.sort_unstable();
    names.dedup();
    let of = |name: &String| {
        let [left, right] = [a, b].map(|artifact| artifact.evidence.slices.iter().find(|s| s.name == *name));
        let value = |slice: Option<&tabwright_model::evidence::SliceEvidence>, metric: &Metric| {
            slice.and_then(|s| s.metrics.get(metric.name()).copied())
        };
        let all = Metric::for_task(a.model().task()).iter();
        SliceRow {
            name: name.clone(),
            condition: left.or(right).map_or_else(String::new, |s| s.condition.clone()),
            rows_a: left.map(|s| s.rows),
            rows_b: right.map(|s| s.rows),
            changed: None,
            metrics: all.map(|m| MetricRow::new(m.name(), value(left, m), value(right, m))).collect(),
        }
    };
    names.into_iter().map(of).collect()
}

/// Two models with their answers for the same rows.
struct Pair<'a> {
    models: [&'a Model; 2],
    answers: &'a [Answers; 2],
}

pub(super) fn on_data(
    named: [&Named<'_>; 2],
    options: &DiffOptions,
    context: Context<'_>,
) -> Result<(OnData, Vec<Warning>)> {
    let files = Files::find(&options.sources, &options.read)?;
    let artifacts = named.map(|n| n.artifact);
    let answers = files.ask_both(artifacts, context)?;
    let models = artifacts.map(Artifact::model);
    let pair = Pair { models, answers: &answers };
    let mut warnings: Vec<Warning> = answers[0].warnings.clone();
    warnings.extend(answers[1].warnings.iter().filter(|w| !answers[0].warnings.contains(w)).cloned());
    context.observer.event(Event::Phase { name: "comparing answers", steps: None });
    let changed = pair.changed();
    let changes = pair.changes(&changed)?;
    let mut slices = Vec::new();
    for (name, condition) in &options.slices {
        match pair.slice(name, condition, &changed) {
            Ok(row) => slices.push(row),
            Err(error) => {
                let message = format!("the slice `{name}` was not measured: {error}");
                warnings.push(Warning::general(Code::SliceLeftOut, message));
            }
        }
    }
    let rows: Vec<u32> = (0..pair.n_rows() as u32).collect();
    let time = |i: usize| latency::measure(models[i], &answers[i].table, &rows, context.clock);
    let is_own = |i: &usize| answers[*i].fingerprint == artifacts[*i].evidence.data_fingerprint;
    let data = OnData {
        rows: pair.n_rows(),
        judged: answers[0].judged.len(),
        trained_on_them: (0..2).filter(is_own).map(|i| named[i].name.to_owned()).collect(),
        metrics: pair.metrics(None),
        slices,
        changes,
        reliability: [0, 1].map(|i| answers[i].reliability(models[i])),
        latency: [time(0)?, time(1)?],
        pairs: pair.pairs(&changed),
    };
    Ok((data, warnings))
}

impl Pair<'_> {
    fn n_rows(&self) -> usize {
        self.answers[0].table.n_rows()
    }

    fn task(&self) -> &Task {
        self.models[0].task()
    }

    fn metrics(&self, rows: Option<&[u32]>) -> Vec<MetricRow> {
        let found =
            [0, 1].map(|i| self.answers[i].evaluate(self.models[i], rows).map(|e| metrics(&e)).unwrap_or_default());
        let row = |metric: &Metric| {
            let [a, b] = [0, 1].map(|i| found[i].get(metric.name()).copied());
            MetricRow::new(metric.name(), a, b)
        };
        Metric::for_task(self.task()).iter().map(row).filter(|r| r.a.is_some() || r.b.is_some()).collect()
    }

    fn slice(&self, name: &str, condition: &str, changed: &[u32]) -> Result<SliceRow> {
        let all: Vec<u32> = (0..self.n_rows() as u32).collect();
        let rows = slice::rows_of(&self.answers[0].table, &all, condition)?;
        let judged = rows.iter().filter(|row| self.answers[0].judged.binary_search(row).is_ok()).count();
        Ok(SliceRow {
            name: name.to_owned(),
            condition: condition.to_owned(),
            rows_a: Some(judged),
            rows_b: Some(judged),
            changed: Some(rows.iter().filter(|row| changed.binary_search(row).is_ok()).count()),
            metrics: self.metrics(Some(&rows)),
        })
    }

    /// The decision of a model for a row, as a code.
    fn decision(&self, side: usize, row: u32) -> usize {
        self.answers[side].predictions.label(row as usize, self.models[side].threshold())
    }

    /// The number that a model's answer for a row is shown by: the number, or the probability of the positive label or of what the
    /// second decides.
    fn shown(&self, side: usize, row: u32) -> f64 {
        let values = self.answers[side].predictions.row(row as usize);
        match self.task() {
            Task::Multiclass { .. } => values[self.decision(1, row)],
            _ => values[0],
        }
    }

    fn difference(&self, row: u32) -> f64 {
        self.shown(1, row) - self.shown(0, row)
    }

    /// The rows whose answers are looked into, ascending.
    fn changed(&self) -> Vec<u32> {
        let all = 0..self.n_rows() as u32;
        if self.task().is_classification() {
            return all.filter(|row| self.decision(0, *row) != self.decision(1, *row)).collect();
        }
        let mut rows: Vec<u32> = all.filter(|row| self.difference(*row) != 0.0).collect();
        let most = ((self.n_rows() as f64 * MOST_CHANGED).ceil() as usize).min(rows.len());
        rows.sort_by(|x, y| self.difference(*y).abs().total_cmp(&self.difference(*x).abs()).then(x.cmp(y)));
        rows.truncate(most);
        rows.sort_unstable();
        rows
    }

    fn changes(&self, changed: &[u32]) -> Result<Changes> {
        let n = self.n_rows();
        let share = |rows: usize| rows as f64 / n as f64;
        let is_classification = self.task().is_classification();
        let explained = reasons::spread(changed);
        let toward = |row: u32| (self.decision(1, row), self.decision(0, row));
        let (contributions, no_reasons) = match reasons::contributions(self.models, self.answers, &explained, &toward) {
            Ok(found) => (Some(found), None),
            Err(why) => (None, Some(why)),
        };
        let mean = |value: &dyn Fn(u32) -> f64| (0..n as u32).map(value).sum::<f64>() / n as f64;
        let judged = |right: [bool; 2]| {
            let is = |side: usize, row: &u32| self.answers[0].target(*row) == Some(self.decision(side, *row) as f64);
            let known = changed.iter().filter(|row| self.answers[0].target(**row).is_some());
            known.filter(|row| [is(0, row), is(1, row)] == right).count()
        };
        let is_judged = is_classification && !self.answers[0].judged.is_empty();
        Ok(Changes {
            of: if is_classification { "decisions" } else { "numbers" },
            rows: changed.len(),
            share: share(changed.len()),
            mended: is_judged.then(|| judged([false, true])),
            broken: is_judged.then(|| judged([true, false])),
            mean_difference: (!is_classification).then(|| mean(&|row| self.difference(row))),
            mean_absolute_difference: (!is_classification).then(|| mean(&|row| self.difference(row).abs())),
            directions: self.directions(changed, contributions.as_ref()),
            examples: self.examples(changed, &toward),
            unit: contributions.map(|c| c.unit),
            no_reasons: no_reasons.filter(|_| !changed.is_empty()),
        })
    }

    /// What the answer of a row changed to, in words.
    fn direction(&self, row: u32) -> String {
        let labels = self.task().labels();
        match labels.is_empty() {
            false => format!("{} → {}", labels[self.decision(0, row)], labels[self.decision(1, row)]),
            true if self.difference(row) > 0.0 => "higher".into(),
            true => "lower".into(),
        }
    }

    fn directions(&self, changed: &[u32], contributions: Option<&Contributions>) -> Vec<Direction> {
        let mut by_name: std::collections::BTreeMap<String, Vec<u32>> = std::collections::BTreeMap::new();
        for &row in changed {
            by_name.entry(self.direction(row)).or_default().push(row);
        }
        let mut groups: Vec<(String, Vec<u32>)> = by_name.into_iter().collect();
        groups.sort_by(|x, y| y.1.len().cmp(&x.1.len()).then(x.0.cmp(&y.0)));
        groups.truncate(DIRECTIONS);
        let one = |(name, rows): (String, Vec<u32>)| Direction {
            name,
            rows: rows.len(),
            share: rows.len() as f64 / self.n_rows() as f64,
            reasons: contributions.map(|c| c.reasons(&rows, REASONS.1)).unwrap_or_default(),
        };
        groups.into_iter().map(one).collect()
    }

    fn examples(&self, changed: &[u32], toward: &dyn Fn(u32) -> (usize, usize)) -> Vec<Example> {
        let mut rows = changed.to_vec();
        rows.sort_by(|x, y| self.difference(*y).abs().total_cmp(&self.difference(*x).abs()).then(x.cmp(y)));
        rows.truncate(EXAMPLES);
        let mut ascending = rows.clone();
        ascending.sort_unstable();
        let contributions = reasons::contributions(self.models, self.answers, &ascending, toward).ok();
        let labels = self.task().labels();
        let label = |code: usize| labels.get(code).cloned();
        let is_classification = self.task().is_classification();
        let decision = |side: usize, row: u32| label(self.decision(side, row)).filter(|_| is_classification);
        let target = |row: u32| {
            let value = self.answers[0].target(row)?;
            if is_classification { label(value as usize) } else { Some(tabwright_model::levels::shortest(value)) }
        };
        let one = |row: u32| Example {
            row: row as usize + 1,
            decision_a: decision(0, row),
            decision_b: decision(1, row),
            a: self.shown(0, row),
            b: self.shown(1, row),
            target: target(row),
            reasons: contributions.as_ref().map(|c| c.reasons(&[row], REASONS.0)).unwrap_or_default(),
        };
        rows.into_iter().map(one).collect()
    }

    /// Answers of both for rows spread over all, and whether they changed.
    fn pairs(&self, changed: &[u32]) -> Vec<(f64, f64, bool)> {
        let all: Vec<u32> = (0..self.n_rows() as u32).collect();
        let mut rows = reasons::spread(&all);
        rows.extend(reasons::spread(changed));
        rows.sort_unstable();
        rows.dedup();
        let one = |row: u32| (self.shown(0, row), self.shown(1, row), changed.binary_search(&row).is_ok());
        rows.into_iter().map(one).collect()
    }
}
