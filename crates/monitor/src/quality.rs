//! The quality of the data of a window, held against the summaries that a model carries: no model is asked, no label needed.
//!
//! Findings are warnings with stable codes, as profiles and contracts use them; what is within its limits says nothing. Gaps in
//! the volume come from the times of entries alone.

mod volume;

use rayon::prelude::*;
use serde::Serialize;
use tabwright_core::split::row_hashes;
use tabwright_core::{Code, Column, ColumnSummary, Kind, RowSet, View, Warning};
use tabwright_model::levels::{Spelling, shortest};

use crate::test::proportion::z_test;

pub use volume::{VolumeGap, volume_gaps};

/// Level at which a share is taken to have risen for certain.
const RISE_LEVEL: f64 = 0.01;

/// What is still no finding. Shares of rows, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QualityLimits {
    /// Largest rise of the share of missing values.
    pub more_missing: f64,
    /// Largest share of values outside of the range of the reference.
    pub out_of_range: f64,
    /// Largest share of values whose level the reference does not have.
    pub unseen: f64,
    /// Largest share of rows that repeat an earlier row of the window.
    pub duplicates: f64,
}

impl Default for QualityLimits {
    /// A rise of 5 points, and 1% for all else.
    fn default() -> Self {
        QualityLimits { more_missing: 0.05, out_of_range: 0.01, unseen: 0.01, duplicates: 0.01 }
    }
}

/// What was counted in one column of a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnQuality {
    /// The column.
    pub column: String,
    /// Rows of the window.
    pub rows: u64,
    /// Rows without a value.
    pub missing: u64,
    /// Numbers and times outside of the range of the reference, infinite ones included.
    pub out_of_range: u64,
    /// Values whose level the reference does not have; none where its summary does not name all levels.
    pub unseen: Option<u64>,
}

/// The quality of a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QualityReport {
    /// What was counted, in the order of the summaries.
    pub columns: Vec<ColumnQuality>,
    /// Rows that equal an earlier row of the window in every column.
    pub duplicates: u64,
    /// What is beyond its limits, by column, then of the rows as a whole.
    pub findings: Vec<Warning>,
}

/// Holds a window against summaries of the columns that a model was trained on. Columns without a summary are not looked at.
///
/// # Determinism
/// The same report on any number of threads.
pub fn quality(summaries: &[ColumnSummary], window: View<'_>, limits: QualityLimits) -> QualityReport {
    let schema = window.table().schema();
    let looked: Vec<(Option<ColumnQuality>, Vec<Warning>)> = summaries
        .par_iter()
        .map(|summary| match schema.position(&summary.name) {
            Some(position) => {
                let (counted, findings) = look_at(summary, window, position, limits);
                (Some(counted), findings)
            }
            None => {
                let message = format!("the window lacks this {} column", summary.kind);
                (None, vec![Warning::column(Code::MissingColumn, &summary.name, message)])
            }
        })
        .collect();
    let (columns, findings): (Vec<_>, Vec<_>) = looked.into_iter().unzip();
    let mut findings: Vec<Warning> = findings.into_iter().flatten().collect();
    let duplicates = duplicates(window);
    let rows = window.len() as u64;
    if rows > 0 && duplicates as f64 > limits.duplicates * rows as f64 {
        let message = format!("{} equal an earlier row in every column", of_rows(duplicates, rows));
        findings.push(Warning::general(Code::DuplicateRows, message));
    }
    QualityReport { columns: columns.into_iter().flatten().collect(), duplicates, findings }
}

fn of_rows(count: u64, rows: u64) -> String {
    format!("{count} of {rows} rows ({:.1}%)", count as f64 / rows as f64 * 100.0)
}

fn look_at(
    summary: &ColumnSummary,
    window: View<'_>,
    position: usize,
    limits: QualityLimits,
) -> (ColumnQuality, Vec<Warning>) {
    let (column, set) = (window.table().column(position), window.rows().set());
    let kind = window.table().schema().fields()[position].kind;
    let rows = window.len() as u64;
    let missing = set.iter().filter(|&row| column.is_missing(row)).count() as u64;
    let out_of_range = out_of_range(summary, column, set);
    let unseen = unseen(summary, column, set);
    let mut findings = Vec::new();
    let mut find = |code, message: String| findings.push(Warning::column(code, &summary.name, message));
    if kind != summary.kind && missing < rows {
        find(Code::ChangedKind, format!("it holds {kind} values, the model was trained on {} ones", summary.kind));
    }
    let share = |count: u64, rows: u64| if rows == 0 { 0.0 } else { count as f64 / rows as f64 };
    let [before, now] = [share(summary.missing, summary.count), share(missing, rows)];
    let is_certain = || z_test([summary.missing, missing], [summary.count, rows]).p_value < RISE_LEVEL;
    if summary.count > 0 && now > before + limits.more_missing && is_certain() {
        let (before, now) = (before * 100.0, now * 100.0);
        find(Code::MoreMissing, format!("{now:.1}% are missing, {before:.1}% were when the model was trained"));
    }
    if share(out_of_range, rows) > limits.out_of_range
        && let Some(numbers) = &summary.numbers
    {
        let shown = |x: f64| if summary.kind == Kind::Timestamp { format!("{x:.0} µs") } else { shortest(x) };
        let (low, high) = (shown(numbers.min), shown(numbers.max));
        find(Code::OutOfRange, format!("{} lie outside of [{low}, {high}]", of_rows(out_of_range, rows)));
    }
    if let Some((count, example)) = unseen.as_ref().filter(|(count, _)| share(*count, rows) > limits.unseen) {
        let count = of_rows(*count, rows);
        find(Code::UnseenLevels, format!("{count} have a level that is new, such as `{example}`"));
    }
    let unseen = unseen.map(|(count, _)| count);
    (ColumnQuality { column: summary.name.clone(), rows, missing, out_of_range, unseen }, findings)
}

fn out_of_range(summary: &ColumnSummary, column: &Column, set: RowSet<'_>) -> u64 {
    let Some(numbers) = &summary.numbers else { return 0 };
    let outside = |row: &usize| {
        let x = column.number(*row);
        x < numbers.min || x > numbers.max
    };
    set.iter().filter(outside).count() as u64
}

/// Rows whose level the summary does not name, and one of those levels; none if it does not name all that there were.
fn unseen(summary: &ColumnSummary, column: &Column, set: RowSet<'_>) -> Option<(u64, String)> {
    let categories = summary.categories.as_ref()?;
    let Column::Category(category) = column else { return None };
    if categories.top.len() as u64 != categories.levels {
        return None;
    }
    let spelling = Spelling::of(&categories.top.iter().map(|level| &level.value).collect());
    let known: Vec<_> = categories.top.iter().map(|level| spelling.canonical(&level.value)).collect();
    let is_new: Vec<bool> = category.levels.iter().map(|level| !known.contains(&spelling.canonical(level))).collect();
    let mut count = 0;
    let mut first: Option<&str> = None;
    for row in set.iter() {
        if is_new.get(category.codes[row] as usize) == Some(&true) {
            count += 1;
            // The least of all: the order of the rows does not matter.
            first = first.min(category.get(row)).or(category.get(row));
        }
    }
    Some((count, first.unwrap_or_default().chars().take(40).collect()))
}

/// Rows whose hash an earlier row has.
fn duplicates(window: View<'_>) -> u64 {
    let hashes = row_hashes(window.table(), |_| true);
    let mut hashes: Vec<u64> = window.rows().set().iter().map(|row| hashes[row]).collect();
    hashes.par_sort_unstable();
    hashes.windows(2).filter(|w| w[0] == w[1]).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use tabwright_core::summary::summarize_view;
    use tabwright_core::{Category, Field, Schema, Table};

    fn table(numbers: Vec<f64>, words: &[Option<&str>]) -> Table {
        let fields = vec![Field::feature("x", Kind::Float), Field::feature("c", Kind::Categorical)];
        let words = Column::Category(Category::from_strings(words.iter().copied()));
        Table::new(Schema::new(fields).unwrap(), vec![Column::Float(numbers), words]).unwrap()
    }

    fn codes(report: &QualityReport) -> Vec<Code> {
        report.findings.iter().map(|w| w.code).collect()
    }

    #[test]
    fn a_window_like_the_reference_has_no_finding_and_nor_has_an_empty_one() {
        let reference = table((0..200).map(f64::from).collect(), &[Some("a"), Some("b")].repeat(100));
        let summaries = summarize_view(View::all(&reference));
        for window in [View::all(&reference), View::new(&reference, RowSet::Range(0, 0))] {
            let report = quality(&summaries, window, QualityLimits::default());
            assert!(report.findings.is_empty() && report.duplicates == 0, "{report:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_window_is_named_and_counted() {
        let reference = table((0..200).map(f64::from).collect(), &[Some("a"), Some("b")].repeat(100));
        let summaries = summarize_view(View::all(&reference));
        let mut numbers: Vec<f64> = (0..100).map(f64::from).collect();
        numbers[..30].fill(f64::NAN);
        numbers[30..34].copy_from_slice(&[-1.0, 500.0, f64::INFINITY, 200.5]);
        let mut words = [Some("a"), Some("b")].repeat(50);
        words[97..].copy_from_slice(&[Some("z"), Some("y"), Some("z")]);
        let report = quality(&summaries, View::all(&table(numbers, &words)), QualityLimits::default());
        let expected = [Code::MoreMissing, Code::OutOfRange, Code::UnseenLevels, Code::DuplicateRows];
        assert_eq!(codes(&report), expected);
        let [x, c] = &report.columns[..] else { panic!("two columns") };
        assert_eq!((x.missing, x.out_of_range, x.unseen, c.unseen, report.duplicates), (30, 4, None, Some(3), 28));
        assert!(report.findings[2].message.contains("such as `y`"), "{:?}", report.findings);
    }

    #[test]
    fn columns_that_are_gone_or_of_another_kind_are_named() {
        let reference = table(vec![1.0, 2.0], &[Some("a"), Some("b")]);
        let summaries = summarize_view(View::all(&reference));
        let field = Field::feature("x", Kind::Categorical);
        let words = Column::Category(Category::from_strings([Some("one"), Some("two")]));
        let window = Table::new(Schema::new(vec![field]).unwrap(), vec![words]).unwrap();
        let report = quality(&summaries, View::all(&window), QualityLimits::default());
        assert_eq!(codes(&report), [Code::ChangedKind, Code::MissingColumn]);
    }
}
