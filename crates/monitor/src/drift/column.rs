//! One column: brings the values of both sides together, tests them, and says how it went. Whether it drifts is decided with the
//! other columns.

use tabwright_core::random::{Keyed, Purpose, hash_bytes};
use tabwright_core::{Category, Column, ColumnSummary, Field, Kind, RowSet, View};

use crate::sample::Sample;
use crate::test::proportion::z_test;

use super::choice::Test;
use super::levels::{self, Counts};
use super::summaries;
use super::values::{Numbers, Pair};
use super::{ColumnDrift, DriftOptions, Reference, Threshold, calibrate};

/// Memory that one column after another is sorted in.
#[derive(Debug, Default)]
pub(super) struct Space {
    reference: Sample,
    current: Sample,
}

/// A column that was tested and is not judged yet.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) drift: ColumnDrift,
    /// The statistic, infinite where it is beyond floats.
    pub(super) measure: f64,
    /// Whether its p-value is one that can be judged together with others.
    pub(super) is_adjustable: bool,
}

/// How the values of a column are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// As numbers.
    Numbers,
    /// Texts by their lengths.
    Lengths,
    /// By level.
    Levels,
    /// Not at all: the kinds do not go together.
    Apart,
    /// Not at all: the summary of the reference says nothing of them.
    Unknown,
}

impl Manner {
    fn of(reference: Kind, current: Kind, by_summary: bool) -> Self {
        let is_level = |kind| matches!(kind, Kind::Boolean | Kind::Categorical);
        match (reference, current) {
            (Kind::Text, now) if now.is_coded() && by_summary => Manner::Unknown,
            (Kind::Text, now) if now.is_coded() => Manner::Lengths,
            (Kind::Timestamp, Kind::Timestamp) => Manner::Numbers,
            (before, now) if before.is_numeric() && now.is_numeric() => Manner::Numbers,
            (before, now) if is_level(before) && (now.is_coded() || now.is_numeric()) => Manner::Levels,
            // The summary of numbers has no levels that could be met again.
            (before, now) if before.is_numeric() && now.is_coded() && !by_summary => Manner::Levels,
            _ => Manner::Apart,
        }
    }
}

/// The column of the reference.
#[derive(Clone, Copy)]
enum Before<'a> {
    Rows(&'a Column, RowSet<'a>),
    Summary(&'a ColumnSummary),
}

/// Tests the column at two positions.
pub(super) fn judge(
    reference: &Reference<'_>,
    current: View<'_>,
    [i, j]: [usize; 2],
    options: &DriftOptions,
    space: &mut Space,
) -> Judged {
    let field = &current.table().schema().fields()[j];
    let (before, kind, rows_before) = match reference {
        Reference::Rows(view) => {
            let column = Before::Rows(view.table().column(i), view.rows().set());
            (column, view.table().schema().fields()[i].kind, view.len() as u64)
        }
        Reference::Summaries(summaries) => (Before::Summary(&summaries[i]), summaries[i].kind, summaries[i].count),
    };
    let manner = Manner::of(kind, field.kind, matches!(before, Before::Summary(_)));
    let now = (current.table().column(j), current.rows().set());
    let mut judged = Judged { drift: empty(field, kind), measure: 0.0, is_adjustable: false };
    let mut notes = Vec::new();
    let pair = bring_together(manner, kind, field.kind, (before, now), space, &mut judged.drift);
    let drift = &mut judged.drift;
    let rows = [rows_before, current.len() as u64];
    if !rows.contains(&0) {
        drift.missing_p_value = Some(z_test(drift.missing, rows).p_value);
    }
    if kind != field.kind && drift.n[1] > 0 {
        notes.push(format!("the current rows hold {} values", field.kind));
    }
    if let Some(side) = drift.n.iter().position(|&n| n == 0) {
        let which = ["the reference has", "the current rows have"][side];
        notes.push(format!("{which} no value to compare"));
    } else if let Some(pair) = pair {
        if manner == Manner::Lengths {
            notes.push("texts are compared by their lengths in characters".to_owned());
        }
        test(&pair, options, &mut judged, &mut notes);
    } else if manner == Manner::Apart {
        drift.drift = true;
        notes.push(format!("no test compares {kind} with {} values", field.kind));
    } else {
        notes.push("a summary says nothing of texts; compare with rows".to_owned());
    }
    judged.drift.note = (!notes.is_empty()).then(|| notes.join("; "));
    judged
}

fn empty(field: &Field, kind: Kind) -> ColumnDrift {
    ColumnDrift {
        column: field.name.clone(),
        kind,
        test: None,
        statistic: None,
        p_value: None,
        adjusted_p_value: None,
        threshold: None,
        drift: false,
        missing: [0, 0],
        n: [0, 0],
        infinite: [0, 0],
        missing_p_value: None,
        missing_drift: false,
        note: None,
    }
}

/// Brings the values of both sides into one form and counts them; nothing if no test compares them.
fn bring_together<'a>(
    manner: Manner,
    kind: Kind,
    kind_now: Kind,
    (before, (column, rows)): (Before<'_>, (&Column, RowSet<'_>)),
    space: &'a mut Space,
    drift: &mut ColumnDrift,
) -> Option<Pair<'a>> {
    match manner {
        Manner::Numbers | Manner::Lengths => {
            let fill = |sample: &mut Sample, column: &Column, rows: RowSet<'_>| match column {
                Column::Category(category) => fill_lengths(sample, category, rows),
                column => sample.fill_from(column, rows),
            };
            fill(&mut space.current, column, rows);
            let current = space.current.finite();
            count_numbers(drift, 1, &space.current);
            if let Before::Summary(summary) = before {
                count_summary(drift, summary);
                if let Some(counts) = summaries::in_bins(summary, current) {
                    return Some(Pair::Levels(counts));
                }
            }
            match before {
                Before::Rows(column, rows) => {
                    fill(&mut space.reference, column, rows);
                    count_numbers(drift, 0, &space.reference);
                }
                Before::Summary(summary) => space.reference.fill(summaries::numbers(summary)),
            }
            let whole = kind != Kind::Float && kind_now != Kind::Float;
            Some(Pair::Numbers(Numbers::new(space.reference.finite(), current, whole)))
        }
        Manner::Levels => {
            let reference = match before {
                Before::Rows(column, rows) => Counts::of_column(column, rows),
                Before::Summary(summary) => summaries::levels(summary),
            };
            let current = Counts::of_column(column, rows);
            drift.missing = [reference.missing, current.missing];
            drift.n = [reference.n(), current.n()];
            Some(Pair::Levels(levels::matched(&reference, &current)))
        }
        Manner::Apart | Manner::Unknown => {
            match before {
                Before::Rows(column, rows) => count_missing(drift, 0, column, rows),
                Before::Summary(summary) => count_summary(drift, summary),
            }
            count_missing(drift, 1, column, rows);
            None
        }
    }
}

fn fill_lengths(sample: &mut Sample, category: &Category, rows: RowSet<'_>) {
    let lengths: Vec<f64> = category.levels.iter().map(|text| text.chars().count() as f64).collect();
    sample.fill(rows.iter().map(|row| lengths.get(category.codes[row] as usize).copied().unwrap_or(f64::NAN)));
}

fn count_numbers(drift: &mut ColumnDrift, side: usize, sample: &Sample) {
    drift.missing[side] = sample.missing() as u64;
    drift.n[side] = sample.finite().len() as u64;
    drift.infinite[side] = sample.all().len() as u64 - drift.n[side];
}

fn count_summary(drift: &mut ColumnDrift, summary: &ColumnSummary) {
    let infinite = summary.numbers.as_ref().map_or(0, |n| n.infinite);
    drift.missing[0] = summary.missing;
    drift.infinite[0] = infinite;
    drift.n[0] = (summary.count - summary.missing).saturating_sub(infinite);
}

fn count_missing(drift: &mut ColumnDrift, side: usize, column: &Column, rows: RowSet<'_>) {
    drift.missing[side] = rows.iter().filter(|&row| column.is_missing(row)).count() as u64;
    drift.n[side] = rows.len() as u64 - drift.missing[side];
}

/// Chooses a test, runs it, and finds its threshold.
fn test(pair: &Pair<'_>, options: &DriftOptions, judged: &mut Judged, notes: &mut Vec<String>) {
    let drift = &mut judged.drift;
    let rule = options.rules.get(&drift.column).copied().unwrap_or_default();
    let asked = rule.test.or(options.test);
    let by_values = Test::by_values(pair, drift.n[0]);
    let test = asked.filter(|test| test.fits(pair)).unwrap_or(by_values);
    let mut threshold = rule.threshold.unwrap_or(options.threshold);
    if let Some(asked) = asked.filter(|asked| *asked != test) {
        notes.push(format!("`{asked}` does not fit these values, `{test}` was used"));
        // A number that was meant for another measure says nothing of this one.
        if matches!(threshold, Threshold::Fixed(_)) {
            threshold = Threshold::Usual;
        }
    }
    let measured = pair.measure(test);
    judged.measure = if measured.statistic.is_nan() { f64::INFINITY } else { measured.statistic };
    drift.test = Some(test);
    drift.statistic = measured.statistic.is_finite().then_some(measured.statistic);
    drift.p_value = measured.p_value;
    if drift.statistic.is_none() {
        notes.push(if test.has_p_value() {
            "the current rows hold a value that the reference lacks".to_owned()
        } else {
            "the distance is beyond the range of numbers".to_owned()
        });
    }
    drift.threshold = Some(match threshold {
        Threshold::Usual => test.usual_threshold(),
        Threshold::Fixed(at) => at,
        Threshold::Auto => {
            // Each column draws for itself, wherever it stands.
            let keyed = Keyed::new(options.seed, Purpose::Bootstrap).child(hash_bytes(0, drift.column.as_bytes()));
            calibrate::threshold(pair, test, options.false_alarm_rate, keyed)
        }
    });
    judged.is_adjustable = test.has_p_value() && !(threshold == Threshold::Auto && calibrate::is_needed(test));
}
