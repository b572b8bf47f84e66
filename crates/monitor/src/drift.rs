//! Drift between two sets of rows: which columns changed, by which test, and whether the whole did.
//!
//! The reference is rows, or the summaries that a model carries; those say less, and the report says so. Numbers and
//! timestamps are compared as numbers, booleans and categories by their levels, texts by their lengths. What is missing is left
//! out of every test, and its share compared by itself. Infinite numbers are left out as well: no distance to them exists. The times
//! of a later window lie later, which is drift to a test: leave columns that only say when out, by their role or by the list of columns.

mod calibrate;
mod choice;
mod column;
mod levels;
mod summaries;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::Serialize;
use tabwright_core::{Code, ColumnSummary, Kind, Role, View, Warning, suggest};

use crate::error::{Error, Result};
use crate::test::benjamini_hochberg;

pub use choice::Test;
use column::{Judged, Space};

/// What the current rows are compared with.
#[derive(Debug, Clone, Copy)]
pub enum Reference<'a> {
    /// Rows.
    Rows(View<'a>),
    /// Summaries of the columns of rows, such as a model carries. Distributions are then known by quantiles and histograms
    /// only, of texts nothing but the share that is missing.
    Summaries(&'a [ColumnSummary]),
}

impl Reference<'_> {
    fn names(&self) -> Vec<&str> {
        match self {
            Reference::Rows(view) => view.table().schema().names().collect(),
            Reference::Summaries(summaries) => summaries.iter().map(|s| s.name.as_str()).collect(),
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        match self {
            Reference::Rows(view) => view.table().schema().position(name),
            Reference::Summaries(summaries) => summaries.iter().position(|s| s.name == name),
        }
    }

    fn n_rows(&self) -> u64 {
        match self {
            Reference::Rows(view) => view.len() as u64,
            Reference::Summaries(summaries) => summaries.iter().map(|s| s.count).max().unwrap_or(0),
        }
    }
}

/// Where drift begins.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Threshold {
    /// What is usual for the test: p < 0.05, a distance of at least 0.1.
    #[default]
    Usual,
    /// This p-value or distance.
    Fixed(f64),
    /// Calibrated: what samples of the reference itself, as large as both sides are, exceed at the false-alarm rate.
    Auto,
}

/// What is set for one column.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ColumnRule {
    /// Its test; none for that of all columns.
    pub test: Option<Test>,
    /// Its threshold; none for that of all columns.
    pub threshold: Option<Threshold>,
}

/// How drift is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftOptions {
    /// The test of all columns; none to choose by kind and number of rows. Columns that it does not fit get the test that
    /// would be chosen.
    pub test: Option<Test>,
    /// The threshold of all columns.
    pub threshold: Threshold,
    /// What is set for single columns (`drift_thresholds`).
    pub rules: BTreeMap<String, ColumnRule>,
    /// The columns to compare; none for all but identifiers and ignored ones.
    pub columns: Option<Vec<String>>,
    /// Share of the columns that makes the whole drift, above 0, up to 1.
    pub drift_share: f64,
    /// Whether tests with a p-value are judged together, so that many columns do not mean many false alarms.
    pub adjust: bool,
    /// How often a calibrated threshold may be exceeded without drift, between 0 and 1.
    pub false_alarm_rate: f64,
    /// Least change of the share of missing values that matters, however certain it is.
    pub missing_change: f64,
    /// Seed of what is drawn.
    pub seed: u64,
}

impl Default for DriftOptions {
    fn default() -> Self {
        DriftOptions {
            test: None,
            threshold: Threshold::Usual,
            rules: BTreeMap::new(),
            columns: None,
            drift_share: 0.5,
            adjust: true,
            false_alarm_rate: 0.05,
            missing_change: 0.05,
            seed: 42,
        }
    }
}

/// What was found in one column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnDrift {
    /// The column.
    pub column: String,
    /// Its kind in the reference.
    pub kind: Kind,
    /// The test; none where there was nothing to test.
    pub test: Option<Test>,
    /// The test's measure of the difference; none where it is not finite.
    pub statistic: Option<f64>,
    /// How often chance alone differs as much; none for distances.
    pub p_value: Option<f64>,
    /// The p-value as it is judged, together with those of the other columns; none if it is judged by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjusted_p_value: Option<f64>,
    /// The p-value below which, or the distance from which on, the column drifts.
    pub threshold: Option<f64>,
    /// Whether it drifts.
    pub drift: bool,
    /// Rows without a value, of the reference and of the current rows.
    pub missing: [u64; 2],
    /// Values that the test compared, of the reference and of the current rows.
    pub n: [u64; 2],
    /// Infinite numbers, which no test compares.
    #[serde(skip_serializing_if = "is_zero")]
    pub infinite: [u64; 2],
    /// How often chance alone changes the share of missing values as much; none without rows.
    pub missing_p_value: Option<f64>,
    /// Whether the share of missing values changed, for certain and by enough to matter.
    pub missing_drift: bool,
    /// What else is to be known: a test that did not fit, a kind that changed, why nothing was tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

fn is_zero(counts: &[u64; 2]) -> bool {
    *counts == [0, 0]
}

/// A column that only one side has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotCompared {
    /// The column.
    pub column: String,
    /// Why it was not compared.
    pub reason: String,
}

/// What was found in all columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriftReport {
    /// Each column that both sides have, in the order of the reference.
    pub columns: Vec<ColumnDrift>,
    /// Share of these columns that drift.
    pub drifted_share: f64,
    /// Whether that share reaches the limit.
    pub drift: bool,
    /// The limit.
    pub drift_share: f64,
    /// Rows of the reference and current rows.
    pub rows: [u64; 2],
    /// Whether the reference was known by its summaries only.
    pub approximate: bool,
    /// Columns that only one side has.
    pub not_compared: Vec<NotCompared>,
    /// What needs a look besides: columns that are gone, kinds and shares of missing values that changed.
    pub findings: Vec<Warning>,
}

/// Compares the current rows with a reference, column by column.
///
/// Rows may be few or none: what cannot be tested does not drift, and says why.
///
/// # Errors
/// [`Error::NothingInCommon`] if no column is compared; [`Error::UnknownColumn`] if a setting names a column that neither
/// side has; [`Error::Core`] if a number is out of range.
///
/// # Determinism
/// The same report on any number of threads; the order of the rows does not matter.
pub fn drift(reference: Reference<'_>, current: View<'_>, options: &DriftOptions) -> Result<DriftReport> {
    validate(options)?;
    check_names(&reference, current, options)?;
    let (pairs, not_compared) = pairs(&reference, current, options);
    if pairs.is_empty() {
        return Err(nothing_in_common(&reference, current, options));
    }
    let judged: Vec<Judged> = pairs
        .par_iter()
        .map_init(Space::default, |space, pair| column::judge(&reference, current, *pair, options, space))
        .collect();
    let mut columns = judge_together(judged, options);
    judge_missing(&mut columns, options);
    let drifted = columns.iter().filter(|c| c.drift).count();
    let drifted_share = drifted as f64 / columns.len() as f64;
    let rows = [reference.n_rows(), current.len() as u64];
    let findings = findings(&reference, current, &columns, &not_compared, rows);
    Ok(DriftReport {
        drifted_share,
        drift: drifted > 0 && drifted_share >= options.drift_share,
        drift_share: options.drift_share,
        rows,
        approximate: matches!(reference, Reference::Summaries(_)),
        columns,
        not_compared,
        findings,
    })
}

fn validate(options: &DriftOptions) -> Result<()> {
    let check = |parameter, found: f64, is_allowed: bool, allowed: &str| {
        if is_allowed {
            return Ok(());
        }
        let error = tabwright_core::Error::Parameter { parameter, found: found.to_string(), allowed: allowed.into() };
        Err(Error::Core(error))
    };
    let (share, rate, change) = (options.drift_share, options.false_alarm_rate, options.missing_change);
    check("drift_share", share, share > 0.0 && share <= 1.0, "above 0, up to 1")?;
    check("false_alarm_rate", rate, rate > 0.0 && rate < 1.0, "between 0 and 1")?;
    check("missing_change", change, (0.0..=1.0).contains(&change), "from 0 to 1")?;
    for threshold in options.rules.values().filter_map(|r| r.threshold).chain([options.threshold]) {
        if let Threshold::Fixed(at) = threshold {
            check("threshold", at, at >= 0.0 && at.is_finite(), "a number of at least 0")?;
        }
    }
    Ok(())
}

/// A setting for a column that does not exist would be a setting that nobody misses.
fn check_names(reference: &Reference<'_>, current: View<'_>, options: &DriftOptions) -> Result<()> {
    let known: BTreeSet<&str> = reference.names().into_iter().chain(current.table().schema().names()).collect();
    let rules = options.rules.keys().map(|name| ("drift_thresholds", name));
    let columns = options.columns.iter().flatten().map(|name| ("columns", name));
    for (setting, name) in rules.chain(columns) {
        if !known.contains(name.as_str()) {
            let hint = suggest::did_you_mean(name, known.iter().copied());
            return Err(Error::UnknownColumn { setting, name: name.clone(), hint });
        }
    }
    Ok(())
}

/// Positions of each column on both sides, and the columns that only one side has.
fn pairs(reference: &Reference<'_>, current: View<'_>, options: &DriftOptions) -> (Vec<[usize; 2]>, Vec<NotCompared>) {
    let schema = current.table().schema();
    let mut pairs = Vec::new();
    let mut not_compared = Vec::new();
    let mut leave = |column: &str, reason: &str| {
        not_compared.push(NotCompared { column: column.to_owned(), reason: reason.to_owned() });
    };
    for (i, name) in reference.names().into_iter().enumerate() {
        if !is_wanted(name, role_of(reference, current, name), options) {
            continue;
        }
        match schema.position(name) {
            Some(j) => pairs.push([i, j]),
            None => leave(name, "the current rows lack it"),
        }
    }
    for field in schema.fields() {
        if is_wanted(&field.name, field.role, options) && reference.position(&field.name).is_none() {
            leave(&field.name, "the reference lacks it");
        }
    }
    (pairs, not_compared)
}

fn is_wanted(name: &str, role: Role, options: &DriftOptions) -> bool {
    match &options.columns {
        Some(columns) => columns.iter().any(|c| c == name),
        None => !matches!(role, Role::Id | Role::Ignored),
    }
}

/// What a column is for on the side that says so: summaries do not, and the roles of one side may be known better.
fn role_of(reference: &Reference<'_>, current: View<'_>, name: &str) -> Role {
    let of = |view: View<'_>| {
        let schema = view.table().schema();
        schema.position(name).map(|i| schema.fields()[i].role)
    };
    let roles = match reference {
        Reference::Rows(view) => [of(*view), of(current)],
        Reference::Summaries(_) => [None, of(current)],
    };
    let is_left_out = |role: &Role| matches!(role, Role::Id | Role::Ignored);
    roles.into_iter().flatten().find(is_left_out).unwrap_or(Role::Feature)
}

fn nothing_in_common(reference: &Reference<'_>, current: View<'_>, options: &DriftOptions) -> Error {
    let reason = match &options.columns {
        Some(columns) => {
            format!(
                "not both sides have one of the columns that are asked for ({})",
                suggest::shorten(columns.iter().map(String::as_str))
            )
        }
        None => "no column has the same name on both sides, identifiers and ignored columns apart".to_owned(),
    };
    Error::NothingInCommon {
        reason,
        reference: suggest::shorten(reference.names()),
        current: suggest::shorten(current.table().schema().names()),
    }
}

/// Judges the tests with a p-value, all columns together if that is wished.
fn judge_together(judged: Vec<Judged>, options: &DriftOptions) -> Vec<ColumnDrift> {
    let together = |j: &Judged| j.is_adjustable && options.adjust;
    let p_values: Vec<f64> = judged.iter().filter(|j| together(j)).filter_map(|j| j.drift.p_value).collect();
    let mut adjusted = benjamini_hochberg(&p_values).into_iter();
    let judge = |judged: Judged| {
        let is_together = together(&judged);
        let mut drift = judged.drift;
        if let (Some(test), Some(threshold)) = (drift.test, drift.threshold) {
            if is_together && drift.p_value.is_some() {
                drift.adjusted_p_value = adjusted.next();
            }
            let p_value = drift.adjusted_p_value.or(drift.p_value);
            drift.drift = match (test.has_p_value(), p_value, judged.measure) {
                (true, Some(p), _) => p < threshold,
                (true, None, _) => false,
                (false, _, measure) => measure >= threshold,
            };
        }
        drift
    };
    judged.into_iter().map(judge).collect()
}

/// Level at which a change of a share of missing values is taken for certain, all columns together.
const MISSING_LEVEL: f64 = 0.01;

fn judge_missing(columns: &mut [ColumnDrift], options: &DriftOptions) {
    let p_values: Vec<f64> = columns.iter().filter_map(|c| c.missing_p_value).collect();
    let mut adjusted = benjamini_hochberg(&p_values).into_iter();
    for column in columns.iter_mut().filter(|c| c.missing_p_value.is_some()) {
        let p = adjusted.next().unwrap_or(1.0);
        let [before, now] = missing_shares(column);
        column.missing_drift = p < MISSING_LEVEL && (now - before).abs() >= options.missing_change;
        // A column that lost all its values has none to test, and is not as it was.
        column.drift |= column.missing_drift && column.n[1] == 0 && column.test.is_none();
    }
}

fn missing_shares(column: &ColumnDrift) -> [f64; 2] {
    [0, 1].map(|side| {
        let rows = column.missing[side] + column.n[side] + column.infinite[side];
        if rows == 0 { 0.0 } else { column.missing[side] as f64 / rows as f64 }
    })
}

fn findings(
    reference: &Reference<'_>,
    current: View<'_>,
    columns: &[ColumnDrift],
    not_compared: &[NotCompared],
    rows: [u64; 2],
) -> Vec<Warning> {
    let mut found = Vec::new();
    for column in not_compared.iter().filter(|c| reference.position(&c.column).is_some()) {
        found.push(Warning::column(Code::MissingColumn, &column.column, "the current rows lack this column"));
    }
    let schema = current.table().schema();
    for column in columns {
        let now = schema.position(&column.column).map(|i| schema.fields()[i].kind);
        if let Some(now) = now.filter(|now| *now != column.kind && column.n[1] > 0) {
            let message = format!("it holds {now} values, the reference {} ones", column.kind);
            found.push(Warning::column(Code::ChangedKind, &column.column, message));
        }
        if column.missing_drift {
            let [before, now] = missing_shares(column).map(|share| share * 100.0);
            // Fewer are a change as well; there is one code for both, since what is to be looked at is the same.
            let message = format!("{now:.1}% of the values are missing, {before:.1}% were in the reference");
            found.push(Warning::column(Code::MoreMissing, &column.column, message));
        }
        if column.infinite[1] > 0 {
            let message = format!("{} numbers are infinite; no test compares them", column.infinite[1]);
            found.push(Warning::column(Code::Infinite, &column.column, message));
        }
    }
    /// Rows of a window below which no test sees much.
    const FEW_ROWS: u64 = 30;
    if rows[1] < FEW_ROWS {
        let message = format!("there are only {} current rows: few tests see anything in so few", rows[1]);
        found.push(Warning::general(Code::FewRows, message));
    }
    found
}

#[cfg(test)]
mod tests;
