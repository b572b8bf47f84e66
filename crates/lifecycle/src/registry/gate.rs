//! The gate: what a version must meet before an alias moves to it, and how it does.

use serde::Serialize;
use tabwright_core::metric::{self, Metric, Predictions};
use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Context, Targets, suggest};
use tabwright_model::artifact::Artifact;
use tabwright_model::model::Model;
use tabwright_store::{Version, greater_is_better};

use crate::config::{Config, GateConfig, RegistryConfig};
use crate::error::{Error, Result};
use crate::train::{HeldBack, held_back, parse_bytes};
use crate::{latency, slice};

/// What the gate says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether every check passed.
    pub passed: bool,
    /// The checks, in the order of the configuration.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What: a key of `[registry.gate]`.
    pub name: String,
    /// Whether it is met.
    pub passed: bool,
    /// What was found against what is asked.
    pub message: String,
}

/// A version with its model, and how its training read the data, where that is known.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The version.
    pub version: &'a Version,
    /// Its model.
    pub artifact: &'a Artifact,
    /// The configuration of the run that made it.
    pub config: Option<&'a Config>,
}

impl Side<'_> {
    fn name(&self) -> String {
        format!("{}:{}", self.version.registered.name, self.version.version)
    }

    fn metric(&self) -> Result<Metric> {
        Ok(Metric::parse_for(&self.artifact.evidence.metric, self.artifact.model().task())?)
    }

    /// The rows of these files, or of its own, that it was never fitted on.
    fn held_back(&self, files: Option<&Config>, context: Context<'_>) -> Result<HeldBack> {
        let no_run = "no run here says how its data was read; name the data with --data FILE";
        let mut config = match (self.config, files) {
            (Some(config), _) => config.clone(),
            (None, Some(files)) => super::reproduce::config_of_plan(self.artifact, files),
            (None, None) => return Err(Error::Data(format!("{}: {no_run}", self.name()))),
        };
        if let Some(files) = files {
            config.data.source.clone_from(&files.data.source);
            config.split.files.clone_from(&files.split.files);
        }
        let found = held_back(&config, &self.artifact.evidence.plan, context);
        found.map_err(|e| Error::Data(format!("{}: {e}", self.name())))
    }
}

/// What a verdict is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The version that is to be promoted.
    pub candidate: Side<'a>,
    /// The version that the alias points to now.
    pub current: Option<Side<'a>>,
    /// What is asked of it.
    pub asked: &'a RegistryConfig,
    /// Files to compare on, instead of those that the candidate was trained with.
    pub data: &'a [String],
}

/// Asks the gate.
///
/// # Errors
/// [`Error::Config`] for a gate that asks for something that cannot be; what cannot be measured is a check that fails.
pub fn judge(question: &Question<'_>, context: Context<'_>) -> Result<Verdict> {
    let gate = &question.asked.gate;
    let mut checks = Vec::new();
    for (name, limit) in &gate.metrics {
        checks.push(least_metric(&question.candidate, name, *limit));
    }
    checks.extend(size(&question.candidate, gate)?);
    checks.extend(findings(&question.candidate, gate)?);
    let is_other = question.current.is_some_and(|c| c.version.version != question.candidate.version.version);
    let needs_rows = gate.not_worse && is_other || gate.max_latency_ms.is_some() || !gate.slices.is_empty();
    if needs_rows {
        checks.extend(on_rows(question, is_other, context)?);
    }
    Ok(Verdict { passed: checks.iter().all(|c| c.passed), checks })
}

fn least_metric(candidate: &Side<'_>, name: &str, limit: f64) -> Check {
    let metrics = &candidate.version.registered.metrics;
    let (passed, message) = match metrics.get(name) {
        None => {
            let hint = suggest::did_you_mean(name, metrics.keys().map(String::as_str));
            (
                false,
                format!(
                    "it was not measured{hint}; the version has {}",
                    suggest::shorten(metrics.keys().map(String::as_str))
                ),
            )
        }
        Some(value) if greater_is_better(name).unwrap_or(true) => {
            (*value >= limit, format!("{} ({} at least)", rounded(*value), rounded(limit)))
        }
        Some(value) => (*value <= limit, format!("{} ({} at most)", rounded(*value), rounded(limit))),
    };
    Check { name: format!("metrics.{name}"), passed, message }
}

fn size(candidate: &Side<'_>, gate: &GateConfig) -> Result<Option<Check>> {
    if gate.max_size.is_empty() {
        return Ok(None);
    }
    let limit = parse_bytes(&gate.max_size).map_err(|why| Error::Config(format!("registry.gate.max_size: {why}")))?;
    let size = candidate.version.registered.size;
    let message = format!("{size} bytes ({limit} at most)");
    Ok(Some(Check { name: "max_size".into(), passed: size <= limit, message }))
}

fn findings(candidate: &Side<'_>, gate: &GateConfig) -> Result<Vec<Check>> {
    let known = tabwright_core::Code::ALL.iter().map(|c| c.name());
    let check = |code: &String| {
        if !known.clone().any(|k| k == code) {
            let hint = suggest::did_you_mean(code, known.clone());
            return Err(Error::Config(format!("registry.gate.no_findings: there is no finding `{code}`{hint}")));
        }
        let found: Vec<String> = candidate
            .artifact
            .evidence
            .findings
            .iter()
            .filter(|f| f.code.name() == code)
            .map(|f| f.column.clone().unwrap_or_else(|| f.message.clone()))
            .collect();
        let message = match found.is_empty() {
            true => "none".to_owned(),
            false => format!("found: {}", suggest::shorten(found.iter().map(String::as_str))),
        };
        Ok(Check { name: format!("no_findings.{code}"), passed: found.is_empty(), message })
    };
    gate.no_findings.iter().map(check).collect()
}

/// The checks that need rows which the candidate was not fitted on.
fn on_rows(question: &Question<'_>, is_other: bool, context: Context<'_>) -> Result<Vec<Check>> {
    let (gate, candidate) = (&question.asked.gate, &question.candidate);
    let mut files = None;
    if !question.data.is_empty() {
        let mut config = Config::default();
        config.data.source = question.data.to_vec();
        files = Some(config);
    }
    let rows = candidate.held_back(files.as_ref(), context);
    let mut checks = Vec::new();
    if let (true, true, Some(current)) = (gate.not_worse, is_other, &question.current) {
        let compared = rows.as_ref().map_err(ToString::to_string).and_then(|own| {
            let read = files.as_ref().or(candidate.config);
            let theirs = current.held_back(read, context).map_err(|e| e.to_string())?;
            not_worse(candidate, current, own, &theirs).map_err(|e| e.to_string())
        });
        checks.push(checked("not_worse", compared));
    }
    if let Some(limit) = gate.max_latency_ms {
        let measured = rows
            .as_ref()
            .map_err(ToString::to_string)
            .and_then(|rows| latency(candidate.artifact.model(), rows, limit, context).map_err(|e| e.to_string()));
        checks.push(checked("max_latency_ms", measured));
    }
    for (name, limit) in &gate.slices {
        let Some(condition) = question.asked.slices.get(name) else {
            let hint = suggest::did_you_mean(name, question.asked.slices.keys().map(String::as_str));
            let message = format!("registry.gate.slices.{name}: there is no slice `{name}` in [registry.slices]{hint}");
            return Err(Error::Config(message));
        };
        let found = match &rows {
            Ok(rows) => Ok(in_slice(candidate, rows, (name, condition), *limit)?),
            Err(error) => Err(error.to_string()),
        };
        checks.push(checked(&format!("slices.{name}"), found));
    }
    Ok(checks)
}

fn checked(name: &str, outcome: Result<(bool, String), String>) -> Check {
    let (passed, message) = outcome.unwrap_or_else(|why| (false, why));
    Check { name: name.to_owned(), passed, message }
}

/// Draws of rows for the noise of a difference. With 400 the ends of the middle 95% are known to about a tenth of its width.
const DRAWS: u64 = 400;
/// Rows that are drawn from at most: the noise of more is smaller than anything that a gate should decide upon.
const MOST_ROWS: usize = 20_000;
/// Seed of the draws: the same verdict each time.
const SEED: u64 = 42;

/// Whether the candidate is not worse than the current version beyond noise, on rows that neither was fitted on.
///
/// The noise is that of the rows: both are scored on the same rows drawn with replacement (a paired bootstrap), and the
/// candidate is worse if it is so in 97.5% of the draws.
///
/// # References
/// Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
fn not_worse(candidate: &Side<'_>, current: &Side<'_>, own: &HeldBack, theirs: &HeldBack) -> Result<(bool, String)> {
    let (new, old) = (candidate.artifact.model(), current.artifact.model());
    if new.task() != old.task() || own.table.n_rows() != theirs.table.n_rows() {
        let (new, old) = (candidate.name(), current.name());
        return Err(Error::Data(format!("{new} and {old} answer different questions and cannot be compared")));
    }
    let rows: Vec<u32> = own.rows.iter().copied().filter(|r| theirs.rows.binary_search(r).is_ok()).collect();
    if rows.is_empty() {
        return Err(Error::Data("there is no row that neither was fitted on; name other data with --data FILE".into()));
    }
    let total = rows.len();
    let rows = drawn(rows, MOST_ROWS);
    let metric = candidate.metric()?;
    let targets = own.targets.take(&rows);
    let predictions = [own.predict(new, &rows)?, theirs.predict(old, &rows)?];
    let sign = if metric.greater_is_better() { 1.0 } else { -1.0 };
    let score = |predictions: &Predictions, targets: &Targets| {
        metric::score(metric, new.task(), targets, predictions, new.threshold())
    };
    let scores = [score(&predictions[0], &targets), score(&predictions[1], &targets)];
    let mut better: Vec<f64> = (0..DRAWS)
        .map(|draw| {
            let keyed = Keyed::new(SEED, Purpose::Bootstrap).child(draw);
            let drawn: Vec<u32> = (0..rows.len() as u64).map(|i| keyed.below(i, rows.len() as u64) as u32).collect();
            let targets = targets.take(&drawn);
            let [new, old] = [0, 1].map(|i| score(&predictions[i].take(&drawn), &targets));
            sign * (new - old)
        })
        .filter(|d| !d.is_nan())
        .collect();
    better.sort_by(f64::total_cmp);
    let at =
        |share: f64| better.get(((better.len() as f64 - 1.0) * share).round() as usize).copied().unwrap_or(f64::NAN);
    let passed = better.is_empty() || at(0.975) >= 0.0;
    let verdict = match (passed, at(0.025) > 0.0) {
        (false, _) => "worse beyond noise",
        (true, true) => "better beyond noise",
        (true, false) => "no difference beyond noise",
    };
    Ok((
        passed,
        format!(
            "{} {} against {} of {}, on {total} rows that neither was fitted on: {verdict}",
            metric.name(),
            rounded(scores[0]),
            rounded(scores[1]),
            current.name()
        ),
    ))
}

/// At most so many of some rows, from everywhere: the first rows of a file may be those of one month or one shop.
pub(crate) fn drawn(mut rows: Vec<u32>, most: usize) -> Vec<u32> {
    if rows.len() > most {
        let keyed = Keyed::new(SEED, Purpose::Bootstrap);
        rows.select_nth_unstable_by_key(most, |row| (keyed.bits(u64::from(*row)), *row));
        rows.truncate(most);
        rows.sort_unstable();
    }
    rows
}

/// Whether a model predicts a row alone as fast as is asked.
pub(crate) fn latency(model: &Model, held: &HeldBack, limit: f64, context: Context<'_>) -> Result<(bool, String)> {
    let median = latency::of_one_row(model, &held.table, &held.rows, context.clock)?;
    let times = latency::TIMED;
    Ok((median <= limit, format!("{median:.3} ms for one row, in the middle of {times} ({limit} at most)")))
}

fn in_slice(
    candidate: &Side<'_>,
    held: &HeldBack,
    (name, condition): (&str, &str),
    limit: f64,
) -> Result<(bool, String)> {
    let told = |e: Error| Error::Config(format!("registry.slices.{name}: {e}"));
    let rows = slice::rows_of(&held.table, &held.rows, condition).map_err(told)?;
    if rows.is_empty() {
        return Ok((false, "no row that was held back is in the slice".into()));
    }
    let (model, metric) = (candidate.artifact.model(), candidate.metric()?);
    let score = held.score(metric, model, &rows, &held.predict(model, &rows)?);
    let (passed, message) = held_to(metric, score, limit);
    Ok((passed, format!("{message}, on {} rows", rows.len())))
}

/// Whether a score is not beyond its worst allowed value.
pub(crate) fn held_to(metric: Metric, score: f64, limit: f64) -> (bool, String) {
    let (passed, bound) = match metric.greater_is_better() {
        true => (score >= limit, "at least"),
        false => (score <= limit, "at most"),
    };
    (passed, format!("{} {} ({} {bound})", metric.name(), rounded(score), rounded(limit)))
}

/// A number with six digits behind the point, for a message.
pub(crate) fn rounded(value: f64) -> String {
    if value.is_nan() { "undefined".into() } else { format!("{}", (value * 1e6).round() / 1e6) }
}
