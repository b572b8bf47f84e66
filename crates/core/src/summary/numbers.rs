//! Figures of numbers and timestamps in one pass: exact counts and extremes, moments by blocks of rows, quantiles and
//! histogram from all values or from a keyed sample.

use super::distinct::Distinct;
use super::histogram::Histogram;
use super::{NumberSummary, QUANTILES, Quantile, SUMMARY_ROWS};
use crate::block::{MISSING_INTEGER, integer_to_number};
use crate::random::{Keyed, Purpose};
use crate::rows::BLOCK_ROWS;
use crate::split::{hash_float, hash_integer};
use crate::{Column, Kind, RowSet, numeric};

/// Count, mean and sum of squared deviations of a block.
#[derive(Debug, Clone, Copy)]
struct Moments {
    n: f64,
    mean: f64,
    squares: f64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    zeros: u64,
    infinite: u64,
    range: Option<(f64, f64)>,
    /// By block of rows, combined at the end: merging parts in between cannot change the bits.
    moments: Vec<Moments>,
    distinct: Distinct,
    sample: Sample,
}

impl Numbers {
    /// Takes in rows, the first of which is `first_row` of all; returns how many have a value.
    pub(super) fn update(&mut self, column: &Column, set: RowSet<'_>, first_row: u64) -> u64 {
        let mut found = 0;
        let mut block = Vec::with_capacity(BLOCK_ROWS.min(set.len()));
        let mut start = 0;
        while start < set.len() {
            let into_block = ((first_row + start as u64) % BLOCK_ROWS as u64) as usize;
            let end = (start + BLOCK_ROWS - into_block).min(set.len());
            block.clear();
            found += self.read(column, set.slice(start..end), first_row + start as u64, &mut block);
            self.moments.extend(moments(&block));
            start = end;
        }
        found
    }

    /// Looks at each value of a block, and keeps the finite ones.
    fn read(&mut self, column: &Column, set: RowSet<'_>, first_row: u64, block: &mut Vec<f64>) -> u64 {
        let mut found = 0;
        for (i, row) in set.iter().enumerate() {
            let (value, hash) = match column {
                Column::Float(values) if values[row].is_nan() => continue,
                Column::Float(values) => (numeric::canonical(values[row]), hash_float(values[row], 0)),
                Column::Integer(values) | Column::Timestamp(values) if values[row] == MISSING_INTEGER => continue,
                Column::Integer(values) | Column::Timestamp(values) => {
                    (integer_to_number(values[row]), hash_integer(values[row], 0))
                }
                Column::Category(_) => continue,
            };
            found += 1;
            self.distinct.add(hash);
            if value.is_infinite() {
                self.infinite += 1;
                continue;
            }
            self.zeros += u64::from(value == 0.0);
            self.range = Some(match self.range {
                None => (value, value),
                Some((min, max)) => (if value < min { value } else { min }, if value > max { value } else { max }),
            });
            self.sample.add(first_row + i as u64, value);
            block.push(value);
        }
        found
    }

    pub(super) fn merge(&mut self, following: Numbers) {
        self.zeros += following.zeros;
        self.infinite += following.infinite;
        self.range = match (self.range, following.range) {
            (Some(a), Some(b)) => Some((if b.0 < a.0 { b.0 } else { a.0 }, if b.1 > a.1 { b.1 } else { a.1 })),
            (a, b) => a.or(b),
        };
        self.moments.extend(following.moments);
        self.distinct.merge(following.distinct);
        self.sample.merge(following.sample);
    }

    /// Distinct values, whether they were counted, and the figures if there is a finite value.
    pub(super) fn finish(self, kind: Kind) -> (u64, bool, Option<NumberSummary>) {
        let (distinct, exact) = self.distinct.finish();
        let Some((min, max)) = self.range else { return (distinct, exact, None) };
        let (mean, std) = combine(&self.moments);
        let (values, sampled) = self.sample.finish();
        let quantiles = QUANTILES.iter().map(|&at| Quantile { at, value: numeric::quantile(&values, at) }).collect();
        let histogram = Histogram::of_sorted(&values, min, max, kind == Kind::Integer);
        let finite = |x: f64| x.is_finite().then(|| numeric::canonical(x));
        let summary = NumberSummary {
            min,
            max,
            mean: finite(mean),
            std: finite(std),
            quantiles,
            histogram,
            zeros: self.zeros,
            infinite: self.infinite,
            sampled,
        };
        (distinct, exact, Some(summary))
    }
}

fn moments(values: &[f64]) -> Option<Moments> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().fold(0.0, |sum, v| sum + v) / n;
    let squares = values.iter().fold(0.0, |sum, v| sum + (v - mean) * (v - mean));
    Some(Moments { n, mean, squares })
}

/// Mean and standard deviation of all blocks.
///
/// # References
/// Chan, Golub and LeVeque, 1979: pairwise updating of the sum of squares.
fn combine(blocks: &[Moments]) -> (f64, f64) {
    let empty = Moments { n: 0.0, mean: 0.0, squares: 0.0 };
    let all = blocks.iter().fold(empty, |a, b| {
        let n = a.n + b.n;
        let delta = b.mean - a.mean;
        Moments {
            n,
            mean: a.mean + delta * (b.n / n),
            squares: a.squares + b.squares + delta * delta * (a.n * b.n / n),
        }
    });
    (all.mean, (all.squares / all.n).sqrt())
}

/// The values of the rows with the least keys.
#[derive(Debug, Clone)]
struct Sample {
    keyed: Vec<(u64, f64)>,
    /// Keys above it are not among the least; `u64::MAX` until rows had to be left out.
    limit: u64,
}

impl Default for Sample {
    fn default() -> Self {
        Sample { keyed: Vec::new(), limit: u64::MAX }
    }
}

impl Sample {
    fn add(&mut self, row: u64, value: f64) {
        let key = Keyed::new(0, Purpose::Quantile).bits(row);
        if key <= self.limit {
            self.keyed.push((key, value));
            if self.keyed.len() >= 2 * SUMMARY_ROWS {
                self.shrink();
            }
        }
    }

    fn merge(&mut self, other: Sample) {
        self.limit = self.limit.min(other.limit);
        self.keyed.extend(other.keyed);
        if self.keyed.len() >= 2 * SUMMARY_ROWS {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if self.keyed.len() > SUMMARY_ROWS {
            let (_, last, _) = self.keyed.select_nth_unstable_by_key(SUMMARY_ROWS - 1, |(key, _)| *key);
            self.limit = last.0;
            self.keyed.truncate(SUMMARY_ROWS);
        }
    }

    /// The values in ascending order, and whether rows were left out.
    fn finish(mut self) -> (Vec<f64>, bool) {
        self.shrink();
        let mut values: Vec<f64> = self.keyed.into_iter().map(|(_, value)| value).collect();
        values.sort_unstable_by(f64::total_cmp);
        (values, self.limit != u64::MAX)
    }
}
