//! Summaries of columns: what profiles, contracts, reports and drift checks know about data without keeping any row.
//!
//! A summary is built in one pass, in parts that can be merged. It names no rows, and of free text no value at all.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Column, Field, Kind, Rows, View};

mod distinct;
mod histogram;
mod levels;
mod numbers;

pub use histogram::{Histogram, sparkline};

use levels::LevelCounts;
use numbers::Numbers;

/// Rows up to which quantiles and histograms are exact; beyond it they are those of a keyed sample of this size. Also
/// the number of distinct values that are told apart exactly.
pub const SUMMARY_ROWS: usize = 200_000;

/// Quantiles that a summary keeps.
pub const QUANTILES: [f64; 7] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/// Most frequent values that a summary keeps.
pub const TOP_VALUES: usize = 20;

/// What the values of a column look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnSummary {
    /// The column.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Number of rows, those without a value included.
    pub count: u64,
    /// Rows without a value.
    pub missing: u64,
    /// Distinct values.
    pub distinct: u64,
    /// Whether `distinct` was counted; beyond 200,000 distinct numbers it is estimated.
    pub distinct_exact: bool,
    /// Of numbers and timestamps (in microseconds since 1970), if one of them is finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<NumberSummary>,
    /// Of booleans, categories and text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<CategorySummary>,
    /// Of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSummary>,
}

/// Figures over the finite values of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberSummary {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The mean; none where the sum is beyond `f64`.
    pub mean: Option<f64>,
    /// The standard deviation (population form); none where the squares are beyond `f64`.
    pub std: Option<f64>,
    /// Values at [`QUANTILES`], interpolated between neighbours.
    pub quantiles: Vec<Quantile>,
    /// How the values are spread.
    pub histogram: Histogram,
    /// Values that are 0.
    pub zeros: u64,
    /// Values that are infinite.
    pub infinite: u64,
    /// Whether quantiles and histogram come from a sample.
    pub sampled: bool,
}

/// A value with a share of the values below it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// The share.
    pub at: f64,
    /// The value.
    pub value: f64,
}

/// Figures over the levels of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CategorySummary {
    /// Number of levels that occur.
    pub levels: u64,
    /// The most frequent levels, at most 20. Of a column with more, only levels that occur at least twice; of text none.
    pub top: Vec<LevelCount>,
}

/// A level and how often it occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelCount {
    /// The level.
    pub value: String,
    /// Rows that have it.
    pub count: u64,
}

/// Figures over texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextSummary {
    /// Words per text, on average.
    pub mean_words: f64,
    /// Characters of the longest text.
    pub longest: u64,
}

/// Summarises a column of some rows.
///
/// # Determinism
/// The same result on any number of threads.
pub fn summarize(field: &Field, rows: Rows<'_>, position: usize) -> ColumnSummary {
    let mut summarizer = Summarizer::new(field, 0);
    summarizer.update(rows, position);
    summarizer.finish()
}

/// Summarises every column of some rows, in parallel over the columns.
pub fn summarize_view(view: View<'_>) -> Vec<ColumnSummary> {
    let fields = view.table().schema().fields();
    fields.par_iter().enumerate().map(|(position, field)| summarize(field, view.rows(), position)).collect()
}

/// A summary that grows row by row and can be merged with that of the rows that follow.
#[derive(Debug, Clone)]
pub struct Summarizer {
    field: Field,
    next_row: u64,
    count: u64,
    missing: u64,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Numbers(Box<Numbers>),
    Levels(LevelCounts),
}

impl Summarizer {
    /// An empty summary of a column whose next row is `first_row` of all rows, counted from 0. Rows of the sample are
    /// drawn by that number.
    pub fn new(field: &Field, first_row: u64) -> Self {
        let state =
            if field.kind.is_coded() { State::Levels(LevelCounts::default()) } else { State::Numbers(Box::default()) };
        Summarizer { field: field.clone(), next_row: first_row, count: 0, missing: 0, state }
    }

    /// Takes in further rows.
    pub fn update(&mut self, rows: Rows<'_>, position: usize) {
        let column = rows.column(position);
        let found = match (&mut self.state, column) {
            (State::Levels(levels), Column::Category(category)) => levels.update(category, rows.set()),
            (State::Numbers(numbers), _) => numbers.update(column, rows.set(), self.next_row),
            // A column that is not stored as its kind asks for has no values of that kind.
            (State::Levels(_), _) => 0,
        };
        let n = rows.len() as u64;
        self.count += n;
        self.missing += n - found;
        self.next_row += n;
    }

    /// Takes in the summary of the rows that follow.
    ///
    /// # Determinism
    /// The result is that of one summary of all rows if each part but the last has a multiple of
    /// [`BLOCK_ROWS`](crate::rows::BLOCK_ROWS) rows; else mean and standard deviation may differ in the last bits.
    pub fn merge(&mut self, following: Summarizer) {
        self.count += following.count;
        self.missing += following.missing;
        self.next_row = following.next_row;
        match (&mut self.state, following.state) {
            (State::Levels(a), State::Levels(b)) => a.merge(b),
            (State::Numbers(a), State::Numbers(b)) => a.merge(*b),
            _ => {}
        }
    }

    /// Ends the summary.
    pub fn finish(self) -> ColumnSummary {
        let Summarizer { field, count, missing, state, .. } = self;
        let mut summary = ColumnSummary {
            name: field.name,
            kind: field.kind,
            count,
            missing,
            distinct: 0,
            distinct_exact: true,
            numbers: None,
            categories: None,
            text: None,
        };
        match state {
            State::Numbers(numbers) => {
                (summary.distinct, summary.distinct_exact, summary.numbers) = numbers.finish(field.kind);
            }
            State::Levels(levels) => {
                let (categories, text) = levels.finish(field.kind, count - missing);
                summary.distinct = categories.levels;
                summary.categories = Some(categories);
                summary.text = text;
            }
        }
        summary
    }
}

#[cfg(test)]
mod tests;
