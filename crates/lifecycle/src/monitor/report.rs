//! The report on a model in use: how much it was asked and how long that took, whether the world has moved since it was trained, what
//! is wrong with its inputs, and how good its answers were as far as that is known.

mod drift;
mod page;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::Serialize;
use tabwright_core::{Column, RowSet, Table, Task, View, Warning, suggest};
use tabwright_model::artifact::Artifact;
use tabwright_monitor::DriftReport;
use tabwright_monitor::classifier::Apart;
use tabwright_monitor::performance::{Answered, PerformanceOptions, PerformanceReport, Slice, performance};
use tabwright_monitor::quality::{QualityLimits, QualityReport, VolumeGap, quality, volume_gaps};
use tabwright_store::predictions::{Damage, Labels, Predictions};
use tabwright_store::time::{self, Micros};

use super::window::{HOUR, MOST_ROWS, Window, WindowRequest};
use crate::alert::Alert;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::labels::Labels as TaskLabels;
use crate::slice;

pub use drift::Against;
pub(super) use drift::of as drift_of;

/// Microseconds of a day.
pub const DAY: Micros = 24 * HOUR;

/// What is reported on.
#[derive(Debug, Clone, Copy)]
pub struct ReportRequest<'a> {
    /// The log of the model.
    pub log: &'a Predictions,
    /// The version.
    pub version: &'a str,
    /// The version itself, if it is at hand: without it there is nothing to hold inputs against but the log.
    pub artifact: Option<&'a Artifact>,
    /// The first moment.
    pub from: Micros,
    /// The first moment after it.
    pub to: Micros,
    /// What drift is held against.
    pub against: Against<'a>,
    /// How drift is judged, and which slices there are.
    pub config: &'a Config,
    /// Whether a classifier tries to tell whole rows apart.
    pub whole: bool,
    /// Columns by whose most frequent levels quality is told, beside the slices of the configuration.
    pub slice_by: &'a [String],
    /// Entries that are held in memory; of more, a sample is.
    pub most_rows: usize,
}

impl<'a> ReportRequest<'a> {
    /// On a version over a time, held against the model.
    pub fn new(log: &'a Predictions, version: &'a str, (from, to): (Micros, Micros), config: &'a Config) -> Self {
        ReportRequest {
            log,
            version,
            artifact: None,
            from,
            to,
            against: Against::Model,
            config,
            whole: false,
            slice_by: &[],
            most_rows: MOST_ROWS,
        }
    }
}

/// A report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The model.
    pub model: String,
    /// The version.
    pub version: String,
    /// Identifies the bytes of the model; none where it was not at hand.
    pub content_id: Option<String>,
    /// What is reported on.
    pub period: Period,
    /// How much was asked.
    pub volume: Volume,
    /// How long answers took; none where nobody measured it.
    pub latency: Option<Latency>,
    /// What was answered.
    pub predictions: Answers,
    /// What was unusual about the inputs.
    pub inputs: Unusual,
    /// Whether the world has moved.
    pub drift: Option<DriftReport>,
    /// How well whole rows can be told apart from those of the reference; none where that was not asked for, or there are no rows to
    /// hold them against.
    pub whole: Option<Apart>,
    /// What that was held against, or why there was nothing to compare.
    pub drift_against: String,
    /// What is wrong with the inputs; none where there is no model to hold them against.
    pub data_quality: Option<QualityReport>,
    /// Hours in which far fewer came than should have.
    pub gaps: Vec<VolumeGap>,
    /// What is known of the truth.
    pub labels: LabelReport,
    /// How good the answers were; none where no label has come.
    pub quality: Option<PerformanceReport>,
    /// Alerts that are on, or were judged last.
    pub alerts: Vec<Alert>,
    /// What could not be logged, and what of the log could not be read.
    pub log: LogReport,
    /// What a user should know besides.
    pub findings: Vec<Warning>,
    /// What to do.
    pub to_do: Vec<String>,
}

/// A time, as it is written: RFC 3339, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Period {
    /// The first moment.
    pub start: String,
    /// The first moment after it.
    pub end: String,
    /// When the first entry of it was made; none where there is none.
    pub first: Option<String>,
    /// When the last one was.
    pub last: Option<String>,
}

/// How much was asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Volume {
    /// Predictions.
    pub predictions: u64,
    /// Those of them that are held for what needs each one; fewer where there are too many.
    pub sample: u64,
    /// How many there were in each hour, from the first that has some to the last.
    pub by_hour: Vec<Hour>,
    /// How many an hour, over the hours from the first prediction to the end of the time, at least one.
    pub average_per_hour: f64,
    /// The hours that passed.
    pub hours: f64,
    /// The hour with most.
    pub peak: Option<Hour>,
    /// How many came under each alias.
    pub aliases: BTreeMap<String, u64>,
    /// How many a canary has answered.
    pub canary: u64,
    /// How many rows could not be used, and have no prediction.
    pub unusable: u64,
}

/// An hour, and what came in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// Its first moment.
    pub hour: String,
    /// Predictions.
    pub predictions: u64,
}

/// How long answers took, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Latency {
    /// Answers whose time is known.
    pub measured: u64,
    /// The middle.
    pub p50: f64,
    /// 95 of 100 took no longer.
    pub p95: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// What was answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Answers {
    /// How often each class was.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, u64>,
    /// The number, or the probability of the positive class of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
}

/// How numbers are spread.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distribution {
    /// What they are.
    pub of: String,
    /// The mean.
    pub mean: f64,
    /// The smallest.
    pub min: f64,
    /// A tenth is smaller.
    pub p10: f64,
    /// The middle.
    pub median: f64,
    /// A tenth is larger.
    pub p90: f64,
    /// The largest.
    pub max: f64,
}

/// Values that were unusual when they were predicted, over all inputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Unusual {
    /// Missing.
    pub missing: u64,
    /// Outside of the range of the training rows.
    pub out_of_range: u64,
    /// Levels that the model has not seen.
    pub unseen: u64,
}

/// What is known of the truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelReport {
    /// Predictions of the time that have a label.
    pub labelled: u64,
    /// Their share; none where there is no prediction.
    pub maturity: Option<f64>,
    /// Labels that were another one before.
    pub corrected: u64,
    /// Labels that cannot be judged: of another kind, or a class that the model lacks.
    pub unusable: u64,
    /// Labels of the whole log whose prediction it does not have.
    pub unknown: u64,
    /// Some of their ids.
    pub unknown_examples: Vec<String>,
}

/// What could not be logged or read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// Predictions that could not be logged.
    pub lost: u64,
    /// Why.
    pub losses: Vec<String>,
    /// Entries that were there twice and count once.
    pub duplicates: u64,
    /// Files that could not be read.
    pub damage: Vec<String>,
}

/// Reports on a version.
///
/// # Errors
/// If the log cannot be read, or a setting of drift is none. A window without entries is a report that says so.
pub fn report(request: &ReportRequest<'_>, labels: &Labels, alerts: Vec<Alert>) -> Result<Report> {
    let window = read(request, (request.from, request.to), labels)?;
    let unknown = if labels.is_empty() { None } else { Some(request.log.unknown_labels(labels)?) };
    let task = task(request.artifact, &window);
    let (drift, whole, drift_against) = match drift::of(request, &window, &task, labels)? {
        ControlFlow::Continue(drift::Compared { report, whole, against }) => (Some(report), whole, against),
        ControlFlow::Break(why) => (None, None, why),
    };
    let data_quality = request
        .artifact
        .filter(|_| !window.held.is_empty() && !window.held.inputs.schema().is_empty())
        .map(|artifact| {
            let view = View::new(&window.held.inputs, RowSet::Range(0, window.held.inputs.n_rows()));
            let logged = artifact.evidence.summaries.iter();
            let logged = logged.filter(|summary| window.held.inputs.schema().position(&summary.name).is_some());
            quality(&logged.cloned().collect::<Vec<_>>(), view, QualityLimits::default())
        });
    let mut findings = Vec::new();
    let (quality, unusable) = judged(request, &window, &task, &mut findings)?;
    let mut report = Report {
        model: request.log.model().to_owned(),
        version: request.version.to_owned(),
        content_id: request.artifact.map(|artifact| artifact.content_id().to_owned()),
        period: period(&window),
        volume: volume(&window),
        latency: latency(&window.held.latencies),
        predictions: answers(&window, &task),
        inputs: Unusual { missing: window.unusual[0], out_of_range: window.unusual[1], unseen: window.unusual[2] },
        drift,
        whole,
        drift_against,
        data_quality,
        gaps: gaps(&window),
        labels: LabelReport {
            labelled: window.labels.labelled,
            maturity: window.labels.maturity(),
            corrected: window.labels.corrected,
            unusable: window.labels.wrong_kind + unusable,
            unknown: unknown.as_ref().map_or(0, |unknown| unknown.ids),
            unknown_examples: unknown.map(|unknown| unknown.examples).unwrap_or_default(),
        },
        quality,
        alerts,
        log: log(&window),
        findings,
        to_do: Vec::new(),
    };
    report.to_do = page::to_do(&report, request.artifact.is_some());
    Ok(report)
}

/// Reads a window of the version of a report.
pub(super) fn read(request: &ReportRequest<'_>, (from, to): (Micros, Micros), labels: &Labels) -> Result<Window> {
    let ReportRequest { log, version, most_rows, .. } = *request;
    Window::read(&WindowRequest { log, version, from, to, most_rows, labels })
}

/// The task of the model; where that is not at hand, what the log says of it.
pub(super) fn task(artifact: Option<&Artifact>, window: &Window) -> Task {
    if let Some(artifact) = artifact {
        return artifact.model().task().clone();
    }
    let classes = window.schema.as_ref().map(|schema| schema.outputs.classes().to_vec()).unwrap_or_default();
    match <[String; 2]>::try_from(classes) {
        Ok(labels) => Task::Binary { labels },
        Err(classes) if classes.is_empty() => Task::Regression,
        Err(labels) => Task::Multiclass { labels },
    }
}

/// Hours in which far too few came. Of a sample nothing can be said, nor of so long a time that its hours are too many.
fn gaps(window: &Window) -> Vec<VolumeGap> {
    if window.is_sampled() {
        return Vec::new();
    }
    volume_gaps(&window.held.times, window.from, window.to).unwrap_or_default()
}

fn period(window: &Window) -> Period {
    Period {
        start: time::to_text(window.from),
        end: time::to_text(window.to),
        first: window.span.map(|(first, _)| time::to_text(first)),
        last: window.span.map(|(_, last)| time::to_text(last)),
    }
}

fn volume(window: &Window) -> Volume {
    let hour = |at: Micros, predictions: u64| Hour { hour: time::to_text(at), predictions };
    let mut by_hour = Vec::new();
    if let (Some((&first, _)), Some((&last, _))) = (window.hours.first_key_value(), window.hours.last_key_value()) {
        /// Hours that are told one by one: beyond, only those that have some.
        const MOST: Micros = 24 * 366;
        by_hour = match (last - first) / HOUR {
            0..=MOST => {
                let all = (first..=last).step_by(HOUR as usize);
                all.map(|at| hour(at, window.hours.get(&at).copied().unwrap_or(0))).collect()
            }
            _ => window.hours.iter().map(|(at, count)| hour(*at, *count)).collect(),
        };
    }
    let hours = window.span.map_or(1.0, |(first, last)| {
        let end = window.to.max(last);
        ((end - first) as f64 / HOUR as f64).max(1.0)
    });
    // Of hours with as many, the first.
    let peak = window.hours.iter().max_by_key(|(at, count)| (**count, std::cmp::Reverse(**at)));
    Volume {
        predictions: window.entries,
        sample: window.held.len() as u64,
        by_hour,
        average_per_hour: window.entries as f64 / hours,
        hours,
        peak: peak.map(|(at, count)| hour(*at, *count)),
        aliases: window.aliases.clone(),
        canary: window.canary,
        unusable: window.unusable,
    }
}

/// The value that a share of sorted values lies below or at.
fn quantile<T: Copy>(sorted: &[T], share: f64) -> T {
    sorted[((share * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1]
}

fn latency(micros: &[i64]) -> Option<Latency> {
    let mut sorted = micros.to_vec();
    sorted.sort_unstable();
    let at = |share: f64| quantile(&sorted, share) as f64 / 1000.0;
    let measured = sorted.len() as u64;
    (measured > 0).then(|| Latency { measured, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1.0) })
}

fn answers(window: &Window, task: &Task) -> Answers {
    let held = &window.held;
    let mut classes = BTreeMap::new();
    if let Some(Column::Category(predictions)) = &held.predictions {
        for class in (0..predictions.codes.len()).filter_map(|row| predictions.get(row)) {
            match classes.get_mut(class) {
                Some(count) => *count += 1,
                None => drop(classes.insert(class.to_owned(), 1)),
            }
        }
    }
    let of = match task {
        Task::Regression => "prediction".to_owned(),
        Task::Binary { labels } => format!("probability of {}", labels[1]),
        _ => return Answers { classes, distribution: None },
    };
    let mut values: Vec<f64> = held.scores(task).values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_unstable_by(f64::total_cmp);
    if values.is_empty() {
        return Answers { classes, distribution: None };
    }
    let distribution = Distribution {
        of,
        mean: values.iter().sum::<f64>() / values.len() as f64,
        min: values[0],
        p10: quantile(&values, 0.1),
        median: quantile(&values, 0.5),
        p90: quantile(&values, 0.9),
        max: quantile(&values, 1.0),
    };
    Answers { classes, distribution: Some(distribution) }
}

/// The labels of the held entries, as the task codes them; NaN where there is none that it knows. And how many it does not know.
pub(super) fn coded_labels(window: &Window, task: &Task) -> (Vec<f64>, u64) {
    let Some(labels) = &window.held.labels else { return (Vec::new(), 0) };
    let Column::Category(category) = labels else {
        return ((0..labels.len()).map(|row| labels.number(row)).collect(), 0);
    };
    let codes = TaskLabels::of(task).codes(category);
    let mut unknown = 0;
    let code = |row: usize| match category.get(row).map(|_| codes[category.codes[row] as usize]) {
        Some(crate::labels::Label::Known(code)) => code as f64,
        None => f64::NAN,
        Some(_) => {
            unknown += 1;
            f64::NAN
        }
    };
    let coded = (0..category.codes.len()).map(code).collect();
    (coded, unknown)
}

/// How good the answers were, as a whole, by day and by slice; none where no label has come.
fn judged(
    request: &ReportRequest<'_>,
    window: &Window,
    task: &Task,
    findings: &mut Vec<Warning>,
) -> Result<(Option<PerformanceReport>, u64)> {
    let (labels, unknown) = coded_labels(window, task);
    if labels.iter().all(|label| label.is_nan()) {
        return Ok((None, unknown));
    }
    let predictions = window.held.scores(task);
    let answered = Answered { task, predictions: &predictions, labels: &labels, times: Some(&window.held.times) };
    let mut slices = slices(&window.held.inputs, request.config, findings);
    for column in request.slice_by {
        match by_levels(&window.held.inputs, column) {
            Ok(found) => slices.extend(found),
            Err(error) => findings.push(Warning::general(tabwright_core::Code::SliceLeftOut, error.to_string())),
        }
    }
    // Days as long as they are few enough to look at.
    let span = window.span.map_or(0, |(first, last)| last - first);
    let length = if span > 90 * DAY { 7 * DAY } else { DAY };
    let options = PerformanceOptions {
        threshold: request.artifact.map_or(PerformanceOptions::default().threshold, |a| a.model().threshold()),
        window: Some(length),
        ..PerformanceOptions::default()
    };
    Ok((Some(performance(&answered, &slices, &options)?), unknown))
}

/// A slice for each of the most frequent levels of a column.
fn by_levels(inputs: &Table, column: &str) -> Result<Vec<Slice>> {
    /// Levels that are told.
    const MOST: usize = 20;
    match inputs.schema().position(column).map(|position| inputs.column(position)) {
        Some(Column::Category(levels)) => Ok(Slice::by_level(column, levels, MOST)),
        Some(_) => Err(Error::Config(format!(
            "the column `{column}` holds no levels to slice by; a condition in [registry.slices] cuts numbers"
        ))),
        None => {
            let near = suggest::did_you_mean(column, inputs.schema().names());
            Err(Error::Config(format!("no input `{column}` is logged to slice by{near}")))
        }
    }
}

/// The slices of the configuration; those that cannot be cut are told.
fn slices(inputs: &Table, config: &Config, findings: &mut Vec<Warning>) -> Vec<Slice> {
    let all: Vec<u32> = (0..inputs.n_rows() as u32).collect();
    let mut slices = Vec::new();
    for (name, condition) in &config.registry.slices {
        match slice::rows_of(inputs, &all, condition) {
            Ok(rows) => slices.push(Slice { name: name.clone(), rows }),
            Err(error) => {
                let message = format!("the slice {name} cannot be cut of what is logged: {error}");
                findings.push(Warning::general(tabwright_core::Code::SliceLeftOut, message));
            }
        }
    }
    slices
}

fn log(window: &Window) -> LogReport {
    let damage = |damage: &Damage| format!("{}: {}", damage.path.display(), damage.why);
    let loss = |loss: &tabwright_store::predictions::Loss| {
        let (from, to) = (time::to_seconds(loss.from), time::to_seconds(loss.to));
        format!("{} between {from} and {to}: {}", loss.rows, loss.why)
    };
    LogReport {
        lost: window.lost(),
        losses: window.losses.iter().map(loss).collect(),
        duplicates: window.duplicates,
        damage: window.damage.iter().map(damage).collect(),
    }
}
