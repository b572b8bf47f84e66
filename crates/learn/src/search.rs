//! The search: every candidate on every fold and on the training part, the best by the metric, one last fit.
//!
//! The test part is scored once, by the model that is stored. Nothing here looks at it before.

mod jobs;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tabwright_core::metric::{Metric, Reliability};
use tabwright_core::split::Fold;
use tabwright_core::summary::ColumnSummary;
use tabwright_core::{Cancel, Code, Context, Event, Measurement, Warning};
use tabwright_model::Model;
use tabwright_model::evidence::Metrics;

use crate::candidate::{BASELINE, Candidate};
use crate::error::{Error, Result};
use crate::fit::{Fits, Scores};

/// Where the metric that decides is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelectOn {
    /// The mean over the folds.
    #[default]
    Cv,
    /// The validation part.
    Validation,
}

/// Which rows serve for what, ascending positions.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Rows that candidates are fitted on.
    pub train: &'a [u32],
    /// Rows that candidates are compared on; may be none.
    pub validation: &'a [u32],
    /// Rows that the stored model is scored on; may be none.
    pub test: &'a [u32],
    /// Folds of the training rows; may be none.
    pub folds: &'a [Fold],
}

/// How the best is chosen.
#[derive(Debug, Clone, Copy)]
pub struct Selection {
    /// The metric that decides.
    pub metric: Metric,
    /// Where it is measured.
    pub on: SelectOn,
}

/// One candidate's line of the leaderboard.
#[derive(Debug, Clone)]
pub struct Line {
    /// The candidate.
    pub candidate: Candidate,
    /// The metric that decides, on each fold.
    pub cv_scores: Vec<f64>,
    /// Every metric, as means over the folds.
    pub cv_metrics: Metrics,
    /// Metrics on the validation part.
    pub validation: Option<Metrics>,
    /// Seconds of the fit on the training part, or of a fold's on average.
    pub fit_seconds: f64,
    /// Seconds of predicting the validation part, or a fold's on average.
    pub predict_seconds: f64,
    /// Rounds that early stopping chose, in the middle of the folds.
    pub rounds: Option<u32>,
    /// Why the candidate could not be fitted or is not complete.
    pub failure: Option<String>,
    /// Whether it is not complete because the user wished to stop.
    pub interrupted: bool,
}

impl Line {
    /// Type and hyperparameters as texts, as they are recorded, with the rounds that early stopping chose.
    pub fn described(&self) -> BTreeMap<String, String> {
        let mut described = self.candidate.described();
        if let Some(rounds) = self.rounds {
            described.insert("rounds".into(), rounds.to_string());
        }
        described
    }

    /// All that was measured: the score that decides under its bare name, the folds, the validation part, and times.
    pub fn measurements(&self, metric: Metric) -> Vec<Measurement> {
        let metric = metric.name();
        let one = |name: String, step: i64, value: f64| Measurement { name, step, value };
        let mut found = Vec::new();
        let validation = self.validation.as_ref().and_then(|v| v.get(metric)).copied();
        let decides = self.cv_mean_std().map(|(mean, _)| mean).or(validation);
        found.extend(decides.map(|score| one(metric.to_owned(), 0, score)));
        let folds = self.cv_scores.iter().enumerate();
        found.extend(folds.map(|(fold, score)| one(format!("fold.{metric}"), fold as i64, *score)));
        let mut of_folds = self.cv_metrics.clone();
        if let Some((mean, std)) = self.cv_mean_std() {
            of_folds.insert(metric.to_owned(), mean);
            found.push(one(format!("cv.{metric}_std"), 0, std));
        }
        for (part, metrics) in [("cv", Some(&of_folds)), ("validation", self.validation.as_ref())] {
            let metrics = metrics.into_iter().flatten();
            found.extend(metrics.map(|(name, value)| one(format!("{part}.{name}"), 0, *value)));
        }
        found.push(one("seconds.fit".into(), 0, self.fit_seconds));
        found.push(one("seconds.predict".into(), 0, self.predict_seconds));
        found
    }

    /// Mean and standard deviation (population form) over the folds with a defined score.
    pub fn cv_mean_std(&self) -> Option<(f64, f64)> {
        let scores: Vec<f64> = self.cv_scores.iter().copied().filter(|s| !s.is_nan()).collect();
        if scores.is_empty() {
            return None;
        }
        let n = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / n;
        let variance = scores.iter().map(|s| (s - mean) * (s - mean)).sum::<f64>() / n;
        Some((mean, variance.sqrt()))
    }

    fn selection_score(&self, selection: Selection) -> Option<f64> {
        match selection.on {
            SelectOn::Cv => self.cv_mean_std().map(|(mean, _)| mean),
            SelectOn::Validation => self.validation.as_ref()?.get(selection.metric.name()).copied(),
        }
    }
}

/// What the search found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Every candidate, best first; those that failed last.
    pub leaderboard: Vec<Line>,
    /// Of the stored model, on the rows it was fitted on.
    pub train: Metrics,
    /// Of the stored model, on the test part.
    pub test: Option<Metrics>,
    /// How its probabilities agree with what was observed on the test part.
    pub reliability: Vec<Reliability>,
    /// What the stored model answers, on the test part or else on the rows it was fitted on.
    pub answers: Vec<ColumnSummary>,
    /// Rounds of the final fit, where early stopping chose them.
    pub rounds: Option<u32>,
    /// Columns that the stored model leaves out, and why.
    pub left_out: Vec<Warning>,
    /// What the user should know.
    pub warnings: Vec<Warning>,
    /// Seconds of the final fit.
    pub fit_seconds: f64,
}

impl Found {
    /// The line of the candidate that is stored.
    pub fn best(&self) -> &Line {
        &self.leaderboard[0]
    }
}

/// Compares candidates, chooses the best and fits it on training and validation rows: the model that is to be stored, and
/// what was found on the way.
///
/// # Errors
/// [`Error::Config`] where there is nothing to choose by, [`Error::NoCandidate`] where none could be fitted,
/// [`Error::Cancelled`] if the user stopped it before one was complete.
pub fn search(
    material: &dyn Fits,
    parts: Parts<'_>,
    candidates: &[Candidate],
    selection: Selection,
    context: Context<'_>,
) -> Result<(Model, Found)> {
    let selection = checked(parts, candidates, selection)?;
    let mut warnings = Vec::new();
    let lines = jobs::run(material, parts, candidates, selection.metric, context);
    if context.cancel.is_cancelled() {
        let done = lines.iter().filter(|l| l.failure.is_none()).count();
        let message =
            format!("stopped early: {done} of {} candidates are complete; the best of them is kept", lines.len());
        warnings.push(Warning::general(Code::Interrupted, message));
    }
    for line in lines.iter().filter(|l| !context.cancel.is_cancelled() && l.failure.is_some()) {
        let why = line.failure.as_deref().unwrap_or_default();
        let message = format!("candidate `{}` could not be fitted: {why}", line.candidate.name);
        warnings.push(Warning::general(Code::CandidateFailed, message));
    }
    let leaderboard = ranked(lines, selection);
    let best = &leaderboard[0];
    if let Some(why) = &best.failure {
        return Err(if context.cancel.is_cancelled() { Error::Cancelled } else { Error::NoCandidate(why.clone()) });
    }
    // A baseline is a floor to compare with, not what a user who asked for more wants to find.
    if best.candidate.candidate_type == BASELINE && !context.cancel.is_cancelled() {
        let others: Vec<&Line> = leaderboard.iter().filter(|l| l.candidate.candidate_type != BASELINE).collect();
        if let Some(first) = others.first().filter(|_| others.iter().all(|l| l.failure.is_some())) {
            let why = first.failure.as_deref().unwrap_or_default();
            return Err(Error::NoCandidate(format!("{}: {why}", first.candidate.name)));
        }
    }
    context.observer.event(Event::Phase { name: "final fit", steps: Some(1) });
    // After a comparison, the wish to stop ends that alone: the best so far is still fitted.
    let never = Cancel::new();
    let was_compared = !parts.folds.is_empty() || !parts.validation.is_empty();
    let cancel = if was_compared { &never } else { context.cancel };
    let rows = fitted_on(parts);
    let started = context.clock.seconds();
    let told = |error| if cancel.is_cancelled() { Error::Cancelled } else { error };
    let mut fitted = material.fit(&best.candidate, &rows, best.rounds, cancel).map_err(told)?;
    let mut rounds = best.rounds;
    if let (None, Some(chosen)) = (best.rounds, fitted.rounds) {
        fitted = material.fit(&best.candidate, &rows, Some(chosen), cancel).map_err(told)?;
        rounds = Some(chosen);
    }
    let fit_seconds = context.clock.seconds() - started;
    if fitted.left_out.len() == material.inputs().columns.len() {
        let why: Vec<String> = fitted
            .left_out
            .iter()
            .map(|w| format!("{}: {}", w.column.as_deref().unwrap_or_default(), w.message))
            .collect();
        return Err(Error::Data(format!("no column is left to learn from: {}", why.join("; "))));
    }
    warnings.extend(hardly_better(&leaderboard, selection));
    warnings.append(&mut fitted.warnings);
    let sets = [&rows[..], parts.test];
    let mut scores = material.score(&fitted.model, if parts.test.is_empty() { &sets[..1] } else { &sets })?.into_iter();
    let Scores { metrics: train, answers, .. } = scores.next().unwrap_or_default();
    let (test, reliability, answers) = match scores.next() {
        Some(scores) => (Some(scores.metrics), scores.reliability, scores.answers),
        None => (None, Vec::new(), answers),
    };
    context.observer.event(Event::Step { name: &best.candidate.name });
    let left_out = fitted.left_out;
    Ok((
        fitted.model,
        Found { leaderboard, train, test, reliability, answers, rounds, left_out, warnings, fit_seconds },
    ))
}

/// The rows that the stored model is fitted on, ascending.
pub fn fitted_on(parts: Parts<'_>) -> Vec<u32> {
    let mut rows: Vec<u32> = [parts.train, parts.validation].concat();
    rows.sort_unstable();
    rows
}

/// Says so where the best candidate does not beat the baseline by more than the spread over the folds.
fn hardly_better(leaderboard: &[Line], selection: Selection) -> Option<Warning> {
    let best = &leaderboard[0];
    let baseline = leaderboard.iter().find(|l| l.candidate.candidate_type == BASELINE)?;
    let (own, floor) = (best.selection_score(selection)?, baseline.selection_score(selection)?);
    let gain = if selection.metric.greater_is_better() { own - floor } else { floor - own };
    let spread = match selection.on {
        SelectOn::Cv => best.cv_mean_std().map_or(0.0, |(_, std)| std),
        SelectOn::Validation => 0.0,
    };
    (leaderboard.len() > 1 && gain <= spread).then(|| {
        let (name, metric) = (&best.candidate.name, selection.metric.name());
        let found = match best.candidate.candidate_type == BASELINE {
            true => format!("no candidate is better than the baseline ({metric} {floor:.4})"),
            false => format!("`{name}` ({metric} {own:.4}) is hardly better than the baseline ({floor:.4})"),
        };
        Warning::general(Code::NoBetterThanBaseline, format!("{found}: the columns may tell little about the target"))
    })
}

/// Where nothing can be measured, one candidate is trained and nothing is scored; without folds the validation part
/// decides.
fn checked(parts: Parts<'_>, candidates: &[Candidate], mut selection: Selection) -> Result<Selection> {
    let no_folds = parts.folds.is_empty();
    let no_validation = parts.validation.is_empty();
    if no_folds && no_validation && candidates.len() > 1 {
        let names: Vec<&str> = candidates.iter().map(|c| c.name.as_str()).collect();
        return Err(Error::Config(format!(
            "there is nothing to choose by: no folds and no validation part, but {} candidates ({}); name one with \
             --candidates, or give folds or a validation part",
            candidates.len(),
            names.join(", ")
        )));
    }
    if no_validation && !no_folds && selection.on == SelectOn::Validation {
        return Err(Error::Config("the choice is to be made on the validation part, but there is none".into()));
    }
    if no_folds && !no_validation {
        selection.on = SelectOn::Validation;
    }
    Ok(selection)
}

/// Best first; equal ones in the order in which they were asked for, the baseline after its equals.
fn ranked(mut lines: Vec<Line>, selection: Selection) -> Vec<Line> {
    let sign = if selection.metric.greater_is_better() { 1.0 } else { -1.0 };
    let key = |line: &Line| match (&line.failure, line.selection_score(selection)) {
        (Some(_), _) => f64::NEG_INFINITY,
        (None, Some(score)) if score.is_finite() => sign * score,
        _ => f64::MIN,
    };
    lines.sort_by(|a, b| {
        key(b).total_cmp(&key(a)).then((a.candidate.name == BASELINE).cmp(&(b.candidate.name == BASELINE)))
    });
    lines
}

/// The mean of each metric over the folds that define it.
fn mean_metrics(folds: &[Metrics]) -> Metrics {
    let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (name, value) in folds.iter().flatten() {
        let sum = sums.entry(name).or_default();
        *sum = (sum.0 + value, sum.1 + 1.0);
    }
    sums.into_iter().map(|(name, (sum, n))| (name.to_owned(), sum / n)).collect()
}
