//! Quality with labels: every metric of the whole, of each window and of each slice, with a confidence band and with the share of
//! rows that have a label yet.
//!
//! Pure: predictions, labels and times come in as numbers, and what comes out is serializable. Values and bands are those of
//! [`tabwright_core::metric`]; here rows are parted, counted, and kept from being judged by too few labels.
//!
//! A band speaks of one set of rows. Among a hundred windows some five lie outside of their bands of 95% by chance.

use rayon::prelude::*;
use serde::Serialize;
use tabwright_core::metric::{DEFAULT_THRESHOLD, estimates};
use tabwright_core::{Category, Metric, Predictions, Targets, Task};

use crate::error::{Error, Result};

/// Windows of one report at most: a clock that jumped must not make a report of millions.
pub const MOST_WINDOWS: usize = 10_000;

/// What models answered, and what turned out to be true.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The task of the model.
    pub task: &'a Task,
    /// What it answered, row by row; a row with a NaN is not scored.
    pub predictions: &'a Predictions,
    /// The truth of each row: the number, or the code of the label; NaN where there is none yet.
    pub labels: &'a [f64],
    /// When each row was answered, in microseconds since 1970; none if there are no windows.
    pub times: Option<&'a [i64]>,
}

/// A part of the rows with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// What its rows have in common, such as `region = north`.
    pub name: String,
    /// Its rows.
    pub rows: Vec<u32>,
}

impl Slice {
    /// A slice for each of the most frequent levels of a column, the most frequent first; levels that are as frequent by name.
    pub fn by_level(column: &str, values: &Category, most: usize) -> Vec<Slice> {
        let mut slices: Vec<Slice> =
            values.levels.iter().map(|level| Slice { name: format!("{column} = {level}"), rows: Vec::new() }).collect();
        for row in 0..values.codes.len() {
            // A code beyond the levels means that the value is missing.
            if let Some(slice) = slices.get_mut(values.codes[row] as usize) {
                slice.rows.push(row as u32);
            }
        }
        slices.retain(|s| !s.rows.is_empty());
        slices.sort_by(|a, b| b.rows.len().cmp(&a.rows.len()).then_with(|| a.name.cmp(&b.name)));
        slices.truncate(most);
        slices
    }
}

/// What is measured, and how sure it must be.
#[derive(Debug, Clone, PartialEq)]
pub struct PerformanceOptions {
    /// The metrics; none for all of the task.
    pub metrics: Option<Vec<Metric>>,
    /// Probability from which a row counts as positive.
    pub threshold: f64,
    /// Length of a window in microseconds; none for no windows.
    pub window: Option<i64>,
    /// How often a band is to hold what ever more rows would give, between 0 and 1.
    pub level: f64,
    /// Labels below which a metric is not judged at all.
    pub least_labels: u64,
}

impl Default for PerformanceOptions {
    /// Every metric of the task, bands of 95%, no windows, and no metric of fewer than 30 labels.
    fn default() -> Self {
        PerformanceOptions { metrics: None, threshold: DEFAULT_THRESHOLD, window: None, level: 0.95, least_labels: 30 }
    }
}

/// A metric of some rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricEstimate {
    /// The metric.
    pub metric: Metric,
    /// Its value; none if there is a reason.
    pub value: Option<f64>,
    /// Lower end of its band; none where the rows tell nothing about it.
    pub low: Option<f64>,
    /// Upper end of its band.
    pub high: Option<f64>,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What the answers for some rows were worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Performance {
    /// The rows.
    pub rows: u64,
    /// Those that have a label.
    pub labelled: u64,
    /// The share of these; none without rows.
    pub maturity: Option<f64>,
    /// Rows with a label whose answer is no number, or whose label is none of the task: not scored.
    pub unusable: u64,
    /// Each metric, in the order asked for.
    pub metrics: Vec<MetricEstimate>,
}

/// The rows of a window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WindowPerformance {
    /// Its begin in microseconds since 1970: a multiple of its length.
    pub from: i64,
    /// Its end, which is no longer part of it.
    pub to: i64,
    /// What its answers were worth.
    #[serde(flatten)]
    pub performance: Performance,
}

/// The rows of a slice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlicePerformance {
    /// Its name.
    pub slice: String,
    /// What its answers were worth.
    #[serde(flatten)]
    pub performance: Performance,
}

/// The quality of what a model answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PerformanceReport {
    /// How often a band is to hold what ever more rows would give.
    pub level: f64,
    /// All rows.
    pub whole: Performance,
    /// The windows in which rows lie, by time.
    pub windows: Vec<WindowPerformance>,
    /// The slices, in the order given.
    pub slices: Vec<SlicePerformance>,
}

/// Measures what answers were worth: as a whole, by window and by slice.
///
/// # Errors
/// [`Error::Core`] for a level or a window that is out of range, a window without times or so short that there are more than
/// [`MOST_WINDOWS`], a metric of another task, and for as many labels or times as there are no answers.
///
/// # Determinism
/// The same report on any number of threads.
pub fn performance(
    answered: &Answered<'_>,
    slices: &[Slice],
    options: &PerformanceOptions,
) -> Result<PerformanceReport> {
    let metrics = validate(answered, options)?;
    let windows = match (options.window, answered.times) {
        (Some(length), Some(times)) => windows(times, length)?,
        _ => Vec::new(),
    };
    let measure = |rows: Option<&[u32]>| of_rows(answered, rows, metrics, options);
    // The whole is the largest piece of work, and begins with the first window.
    let (whole, windows) = rayon::join(
        || measure(None),
        || {
            let windows = windows.into_par_iter();
            windows.map(|(from, to, rows)| WindowPerformance { from, to, performance: measure(Some(&rows)) }).collect()
        },
    );
    let slices = slices
        .par_iter()
        .map(|slice| SlicePerformance { slice: slice.name.clone(), performance: measure(Some(&slice.rows)) })
        .collect();
    Ok(PerformanceReport { level: options.level, whole, windows, slices })
}

/// Checks what was given; returns the metrics.
fn validate<'a>(answered: &Answered<'_>, options: &'a PerformanceOptions) -> Result<&'a [Metric]> {
    let wrong = |parameter, found: String, allowed: String| {
        Err(Error::Core(tabwright_core::Error::Parameter { parameter, found, allowed }))
    };
    let rows = answered.predictions.n_rows();
    if answered.predictions.n_outputs != answered.task.n_outputs() && rows > 0 {
        let (found, allowed) = (answered.predictions.n_outputs, answered.task.n_outputs());
        return wrong("answers of a row", found.to_string(), allowed.to_string());
    }
    for (parameter, found) in [("labels", Some(answered.labels.len())), ("times", answered.times.map(<[i64]>::len))] {
        if found.is_some_and(|found| found != rows) {
            return wrong(parameter, found.unwrap_or(0).to_string(), format!("{rows}, as many as there are answers"));
        }
    }
    if !(options.level > 0.0 && options.level < 1.0) {
        return wrong("level", options.level.to_string(), "between 0 and 1".into());
    }
    match (options.window, answered.times) {
        (Some(length), _) if length <= 0 => return wrong("window", length.to_string(), "above 0 microseconds".into()),
        (Some(_), None) => return wrong("window", "without times".into(), "a time for each row".into()),
        _ => {}
    }
    let metrics = options.metrics.as_deref().unwrap_or(Metric::for_task(answered.task));
    for metric in metrics {
        Metric::parse_for(metric.name(), answered.task)?;
    }
    Ok(metrics)
}

/// The windows in which rows lie: begin, end, and their rows.
fn windows(times: &[i64], length: i64) -> Result<Vec<(i64, i64, Vec<u32>)>> {
    let mut order: Vec<(i64, u32)> =
        times.iter().enumerate().map(|(row, time)| (time.div_euclid(length), row as u32)).collect();
    order.par_sort_unstable();
    let mut windows: Vec<(i64, i64, Vec<u32>)> = Vec::new();
    let mut last = None;
    for (number, row) in order {
        if last != Some(number) {
            if windows.len() == MOST_WINDOWS {
                let (found, allowed) = (format!("{length} microseconds"), format!("at most {MOST_WINDOWS} windows"));
                return Err(Error::Core(tabwright_core::Error::Parameter { parameter: "window", found, allowed }));
            }
            let from = number.saturating_mul(length);
            windows.push((from, from.saturating_add(length), Vec::new()));
            last = Some(number);
        }
        if let Some((_, _, rows)) = windows.last_mut() {
            rows.push(row);
        }
    }
    Ok(windows)
}

/// Measures some rows, or all.
fn of_rows(
    answered: &Answered<'_>,
    rows: Option<&[u32]>,
    metrics: &[Metric],
    options: &PerformanceOptions,
) -> Performance {
    let all = answered.labels.len() as u32;
    let count = rows.map_or(u64::from(all), |rows| rows.len() as u64);
    let labelled = |row: &u32| !answered.labels[*row as usize].is_nan();
    let with_label: Vec<u32> = match rows {
        Some(rows) => rows.iter().copied().filter(labelled).collect(),
        None => (0..all).filter(labelled).collect(),
    };
    let classes = answered.task.n_classes() as f64;
    let is_usable = |row: &u32| {
        let label = answered.labels[*row as usize];
        let is_known =
            if classes > 0.0 { label >= 0.0 && label < classes && label.fract() == 0.0 } else { label.is_finite() };
        is_known && !answered.predictions.row(*row as usize).iter().any(|p| p.is_nan())
    };
    let usable: Vec<u32> = with_label.iter().copied().filter(is_usable).collect();
    let labelled = with_label.len() as u64;
    Performance {
        rows: count,
        labelled,
        maturity: (count > 0).then(|| labelled as f64 / count as f64),
        unusable: labelled - usable.len() as u64,
        metrics: of_usable(answered, &usable, metrics, options),
    }
}

fn of_usable(
    answered: &Answered<'_>,
    rows: &[u32],
    metrics: &[Metric],
    options: &PerformanceOptions,
) -> Vec<MetricEstimate> {
    let absent = |metric: Metric, reason: String| MetricEstimate {
        metric,
        value: None,
        low: None,
        high: None,
        reason: Some(reason),
    };
    if (rows.len() as u64) < options.least_labels.max(1) {
        let (found, least) = (rows.len(), options.least_labels.max(1));
        let reason = match found {
            0 => "no row has a label yet".to_owned(),
            1 => format!("1 row has a label, {least} are needed"),
            _ => format!("{found} rows have a label, {least} are needed"),
        };
        return metrics.iter().map(|&metric| absent(metric, reason.clone())).collect();
    }
    let targets = Targets::new(rows.iter().map(|&row| answered.labels[row as usize]).collect());
    let predictions = answered.predictions.take(rows);
    let found = estimates(metrics, answered.task, &targets, &predictions, options.threshold, options.level);
    let told = |(estimate, &metric): (std::result::Result<_, tabwright_core::metric::Undefined>, &Metric)| {
        let estimate: tabwright_core::metric::Estimate = match estimate {
            Ok(estimate) => estimate,
            Err(why) => return absent(metric, why.to_string()),
        };
        if !estimate.value.is_finite() {
            return absent(metric, "the errors are too large for a number".into());
        }
        let [low, high] = [0, 1].map(|end| estimate.band.map(|band| band[end]).filter(|end| end.is_finite()));
        MetricEstimate { metric, value: Some(estimate.value), low, high, reason: None }
    };
    found.into_iter().zip(metrics).map(told).collect()
}

#[cfg(test)]
mod tests;
