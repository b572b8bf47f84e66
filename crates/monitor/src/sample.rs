//! Numbers in ascending order, and one walk through two such samples that finds what all tests of a column ask.
//!
//! Sorting is most of the work of a drift report, so it is done once per column, by radix, on whole numbers that have the
//! order of the floats.

use tabwright_core::Column;
use tabwright_core::RowSet;
use tabwright_core::block::integer_to_number;

mod radix;

/// Steps of a walk whose areas are added before they join the total.
const WALK_BLOCK: usize = 1024;

/// Numbers in ascending order; what is missing is left out and counted.
///
/// −0 is 0. Infinite numbers stand at the ends; [`Sample::finite`] leaves them out.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Ascending; each stands for a number, in the same order.
    keys: Vec<u64>,
    /// What a sort needs beside the keys; kept for the next one.
    space: Vec<u64>,
    missing: usize,
}

/// Numbers in ascending order, lent by a [`Sample`].
#[derive(Debug, Clone, Copy)]
pub struct Sorted<'a> {
    keys: &'a [u64],
}

impl Sample {
    /// Sorts numbers; NaN is missing.
    pub fn new(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut sample = Sample::default();
        sample.fill(numbers);
        sample
    }

    /// Sorts other numbers, on the memory of those before.
    pub fn fill(&mut self, numbers: impl IntoIterator<Item = f64>) {
        self.keys.clear();
        let mut seen = 0;
        self.keys.extend(numbers.into_iter().inspect(|_| seen += 1).filter(|x| !x.is_nan()).map(to_key));
        self.missing = seen - self.keys.len();
        radix::sort(&mut self.keys, &mut self.space);
    }

    /// Sorts some rows of a column, on the memory of the numbers before. Of a category, every row is missing.
    pub fn fill_from(&mut self, column: &Column, rows: RowSet<'_>) {
        match (column, rows) {
            (Column::Float(v), RowSet::Range(from, to)) => self.fill(v[from..to].iter().copied()),
            (Column::Float(v), RowSet::List(rows)) => self.fill(rows.iter().map(|&r| v[r as usize])),
            (Column::Integer(v) | Column::Timestamp(v), RowSet::Range(from, to)) => {
                self.fill(v[from..to].iter().map(|&x| integer_to_number(x)));
            }
            (Column::Integer(v) | Column::Timestamp(v), RowSet::List(rows)) => {
                self.fill(rows.iter().map(|&r| integer_to_number(v[r as usize])));
            }
            (Column::Category(_), _) => {
                self.keys.clear();
                self.missing = rows.len();
            }
        }
    }

    /// How many numbers were missing.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// All numbers.
    pub fn all(&self) -> Sorted<'_> {
        Sorted { keys: &self.keys }
    }

    /// The finite numbers.
    pub fn finite(&self) -> Sorted<'_> {
        let from = self.keys.partition_point(|&k| k <= to_key(f64::NEG_INFINITY));
        let to = self.keys.partition_point(|&k| k < to_key(f64::INFINITY));
        Sorted { keys: &self.keys[from..to] }
    }
}

impl<'a> Sorted<'a> {
    /// How many numbers there are.
    pub fn len(self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.keys.is_empty()
    }

    /// The number at a place.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn get(self, place: usize) -> f64 {
        to_number(self.keys[place])
    }

    /// The numbers, ascending.
    pub fn iter(self) -> impl ExactSizeIterator<Item = f64> + 'a {
        self.keys.iter().map(|&k| to_number(k))
    }

    /// How many numbers lie below one.
    pub fn below(self, number: f64) -> usize {
        self.keys.partition_point(|&k| k < to_key(number))
    }

    /// How many distinct numbers there are, counted up to `most`.
    pub fn distinct_up_to(self, most: usize) -> usize {
        self.keys.chunk_by(|a, b| a == b).take(most).count()
    }

    /// The standard deviation (population form) of finite numbers; NaN for none.
    pub fn standard_deviation(self) -> f64 {
        /// Beyond it, squares may not be floats any more.
        const LARGE: f64 = 1e150;
        let Some(last) = self.len().checked_sub(1) else { return f64::NAN };
        let n = self.len() as f64;
        let scale = if -self.get(0) > LARGE || self.get(last) > LARGE { 1.0 / LARGE } else { 1.0 };
        let mean = self.sum(|x| x * scale) / n;
        let squares = self.sum(|x| (x * scale - mean) * (x * scale - mean));
        (squares / n).sqrt() / scale
    }

    /// A sum over blocks of numbers, so that rounding grows with neither their number nor their order.
    fn sum(self, of: impl Fn(f64) -> f64) -> f64 {
        let mut total = Total::default();
        for block in self.keys.chunks(WALK_BLOCK) {
            total.add(block.iter().fold(0.0, |sum, &k| sum + of(to_number(k))));
        }
        total.finish()
    }
}

/// What one walk through two samples in ascending order finds: the functions that say which share of each sample lies at or
/// below a number, held against each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Walk {
    /// Sizes of the samples.
    pub n: [usize; 2],
    /// The largest difference of the two shares, times both sizes: a whole number.
    pub difference: u64,
    /// The area between the two functions.
    pub area: f64,
    /// Distinct numbers in both samples together.
    pub distinct: usize,
}

impl Walk {
    /// Walks through two samples; infinite numbers make no sense of the area.
    ///
    /// Without branches that depend on the data: which sample is next is a coin toss, and guessing it wrong would cost more
    /// than the rest.
    pub fn new(a: Sorted<'_>, b: Sorted<'_>) -> Walk {
        let (a, b) = (a.keys, b.keys);
        let (n_a, n_b) = (a.len(), b.len());
        if n_a == 0 && n_b == 0 {
            return Walk { n: [0, 0], difference: 0, area: 0.0, distinct: 0 };
        }
        // No number has the greatest key: a sample that has ended is never next.
        let at = |keys: &[u64], i: usize| keys.get(i).copied().unwrap_or(u64::MAX);
        let (mut i, mut j, mut shares, mut largest, mut distinct) = (0, 0, 0i64, 0u64, 1);
        let (mut next_a, mut next_b) = (at(a, 0), at(b, 0));
        let mut here = next_a.min(next_b);
        let mut area = Total::default();
        let mut left = n_a + n_b - 1;
        while left > 0 {
            let steps = left.min(WALK_BLOCK);
            left -= steps;
            let mut part = 0.0;
            for _ in 0..steps {
                let from_a = next_a <= next_b;
                i += usize::from(from_a);
                j += usize::from(!from_a);
                shares += if from_a { n_b as i64 } else { -(n_a as i64) };
                (next_a, next_b) = (at(a, i), at(b, j));
                let next = next_a.min(next_b);
                let is_last = next != here;
                let apart = shares.unsigned_abs();
                largest = largest.max(if is_last { apart } else { 0 });
                distinct += usize::from(is_last);
                part += apart as f64 * (to_number(next) - to_number(here));
                here = next;
            }
            area.add(part);
        }
        Walk { n: [n_a, n_b], difference: largest, area: area.finish() / (n_a as f64 * n_b as f64), distinct }
    }
}

/// A sum that keeps what rounding takes away: of a hundred thousand levels, it takes the twelfth digit.
///
/// # References
/// Neumaier, 1974.
#[derive(Debug, Default)]
pub(crate) struct Total {
    sum: f64,
    lost: f64,
}

impl Total {
    pub(crate) fn add(&mut self, x: f64) {
        let sum = self.sum + x;
        let lost = if self.sum.abs() >= x.abs() { (self.sum - sum) + x } else { (x - sum) + self.sum };
        // Beyond the range of floats there is nothing to keep.
        self.lost += if sum.is_finite() { lost } else { 0.0 };
        self.sum = sum;
    }

    pub(crate) fn finish(self) -> f64 {
        self.sum + self.lost
    }
}

/// A whole number in the place of a float among all floats.
#[inline]
fn to_key(number: f64) -> u64 {
    // Adding 0 makes 0 of −0.
    let bits = (number + 0.0).to_bits();
    bits ^ (((bits as i64 >> 63) as u64) | 1 << 63)
}

#[inline]
fn to_number(key: u64) -> f64 {
    f64::from_bits(key ^ (((!key as i64 >> 63) as u64) | 1 << 63))
}

#[cfg(test)]
mod tests;
