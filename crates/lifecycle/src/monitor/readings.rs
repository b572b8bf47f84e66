//! What alert rules look at, measured on windows of the log.

use tabwright_model::artifact::Artifact;
use tabwright_monitor::alert::{Measure, Reading};
use tabwright_monitor::performance::{Answered, PerformanceOptions, performance};
use tabwright_store::predictions::{Labels, Predictions, ReadRequest};
use tabwright_store::time::Micros;

use super::report::{Against, ReportRequest, coded_labels, drift_of, read, task};
use super::window::Window;
use crate::alert::Readings;
use crate::config::Config;
use crate::error::Result;

/// Entries that a window holds for a measure.
const MOST_ROWS: usize = 200_000;

/// Measures of one version.
#[derive(Debug)]
pub struct LogReadings<'a> {
    request: ReportRequest<'a>,
    labels: &'a Labels,
    /// The window that was read last: rules of the same window share it.
    last: Option<((Micros, Micros), Window)>,
}

impl<'a> LogReadings<'a> {
    /// Of a version, held against the model or what else is named.
    pub fn new(
        (log, version): (&'a Predictions, &'a str),
        artifact: Option<&'a Artifact>,
        against: Against<'a>,
        config: &'a Config,
        labels: &'a Labels,
    ) -> Self {
        let request = ReportRequest {
            artifact,
            against,
            most_rows: MOST_ROWS,
            ..ReportRequest::new(log, version, (0, 0), config)
        };
        LogReadings { request, labels, last: None }
    }

    fn window(&mut self, window: (Micros, Micros)) -> Result<&Window> {
        if self.last.as_ref().is_none_or(|(known, _)| *known != window) {
            self.last = Some((window, read(&self.request, window, self.labels)?));
        }
        match &self.last {
            Some((_, read)) => Ok(read),
            None => unreachable!("invariant: the window was read"),
        }
    }
}

/// Predictions of every version: a new one takes over from the last.
fn volume(request: &ReportRequest<'_>, (from, to): (Micros, Micros)) -> Result<Reading> {
    let mut entries = 0;
    for chunk in request.log.read(&ReadRequest::window(from, to))? {
        entries += chunk?.times().len() as u64;
    }
    Ok(Reading::known((from, to), entries, entries as f64))
}

/// Predictions of every version that could not be logged. A loss counts where it ends.
fn lost(request: &ReportRequest<'_>, (from, to): (Micros, Micros)) -> Result<Reading> {
    let losses = request.log.losses(from, to)?;
    let rows: u64 = losses.iter().filter(|loss| (from..to).contains(&loss.to)).map(|loss| loss.rows).sum();
    Ok(Reading::known((from, to), rows, rows as f64))
}

impl Readings for LogReadings<'_> {
    fn read(&mut self, measure: Measure, span: (Micros, Micros)) -> Result<Reading> {
        let (request, labels) = (self.request, self.labels);
        match measure {
            Measure::Volume => return volume(&request, span),
            Measure::Lost => return lost(&request, span),
            _ => {}
        }
        let window = self.window(span)?;
        // A row that could not be used is one that got no answer.
        let (entries, asked) = (window.entries, window.entries + window.unusable);
        if asked == 0 || (entries == 0 && measure != Measure::Errors) {
            return Ok(Reading::of_nothing(measure, span));
        }
        let share = |part: u64, of: u64| if of == 0 { 0.0 } else { part as f64 / of as f64 };
        let known = |value: f64| Reading::known(span, entries, value);
        Ok(match measure {
            Measure::Lost | Measure::Volume => unreachable!("invariant: measured above"),
            Measure::Errors => Reading::known(span, asked, share(window.unusable, asked)),
            Measure::Maturity => known(window.labels.maturity().unwrap_or(0.0)),
            Measure::Missing => match request.artifact.map(|a| a.model().pipeline().inputs().len() as u64) {
                _ if window.looked_at == 0 => Reading::unknown(span, "nobody counted what was missing"),
                Some(inputs) => known(share(window.unusual[0], window.looked_at * inputs)),
                None => Reading::unknown(span, "the model is not at hand, so the number of its inputs is not known"),
            },
            Measure::Latency => {
                let mut micros = window.held.latencies.clone();
                micros.sort_unstable();
                match micros.get((micros.len() * 99).div_ceil(100).saturating_sub(1)) {
                    Some(p99) => Reading::known(span, micros.len() as u64, *p99 as f64 / 1e6),
                    None => Reading::unknown(span, "nobody has measured how long answers took"),
                }
            }
            Measure::DriftShare => {
                let task = task(request.artifact, window);
                match drift_of(&request, window, &task, labels)? {
                    std::ops::ControlFlow::Continue(found) => known(found.report.drifted_share),
                    std::ops::ControlFlow::Break(why) => Reading::unknown(span, why),
                }
            }
            Measure::Metric(metric) => {
                let task = task(request.artifact, window);
                let (truth, _) = coded_labels(window, &task);
                let predictions = window.held.scores(&task);
                let answered = Answered { task: &task, predictions: &predictions, labels: &truth, times: None };
                let threshold =
                    request.artifact.map_or(PerformanceOptions::default().threshold, |a| a.model().threshold());
                let options =
                    PerformanceOptions { metrics: Some(vec![metric]), threshold, ..PerformanceOptions::default() };
                let found = performance(&answered, &[], &options)?.whole;
                match found.metrics.first().map(|m| (m.value, m.low, m.high, m.reason.clone())) {
                    Some((Some(value), Some(low), Some(high), _)) => {
                        Reading::with_band(span, found.labelled, value, (low, high))
                    }
                    Some((Some(value), ..)) => Reading::known(span, found.labelled, value),
                    Some((.., reason)) => Reading::unknown(span, reason.unwrap_or_else(|| "it is not defined".into())),
                    None => Reading::unknown(span, "it is not defined"),
                }
            }
        })
    }
}
