//! Bins of numbers: intervals between neighbouring distinct values.

use tabwright_model::thresholds::Thresholds;

/// Intervals that hold every number, in order. Infinite values count as the largest finite ones.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberBins {
    /// A value belongs to the first bin whose cut it does not exceed, else to the last.
    cuts: Vec<f64>,
    /// Least value of the rows of each bin.
    lower: Vec<f64>,
    /// Largest value of the rows of each bin.
    upper: Vec<f64>,
}

impl NumberBins {
    /// Finds up to `max_bin` bins for values, NaN left out, each but the last of `min_rows` values or more.
    pub(super) fn find(mut values: Vec<f64>, max_bin: usize, min_rows: usize) -> Self {
        values.retain(|x| !x.is_nan());
        values.iter_mut().for_each(|x| *x = finite(*x));
        values.sort_unstable_by(f64::total_cmp);
        let mut distinct: Vec<(f64, usize)> = Vec::new();
        for x in values {
            match distinct.last_mut() {
                Some((last, count)) if *last == x => *count += 1,
                _ => distinct.push((x, 1)),
            }
        }
        let ends = if distinct.len() <= max_bin {
            least_counts(&distinct, min_rows)
        } else {
            let n_values: usize = distinct.iter().map(|d| d.1).sum();
            equal_counts(&distinct, max_bin.min(n_values / min_rows).max(1))
        };
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let (lower, upper): (Vec<f64>, Vec<f64>) =
            starts.zip(&ends).map(|(start, &end)| (distinct[start].0, distinct[end - 1].0)).unzip();
        let cuts = upper.iter().zip(lower.iter().skip(1)).map(|(a, b)| between(*a, *b)).collect();
        NumberBins { cuts, lower, upper }
    }

    /// Finds the bin of each value, that of missing ones last, and notes the least and the largest value of each bin. Says
    /// whether one is missing.
    pub(super) fn sort_rows(&mut self, values: &[f64], binned: &mut [u8]) -> bool {
        let cuts = Thresholds::new(&self.cuts);
        let missing = self.lower.len() as u8;
        let mut has_missing = false;
        let mut places = binned.iter_mut();
        cuts.each_below(values, |x, bin| {
            has_missing |= x.is_nan();
            if let Some(place) = places.next() {
                *place = if x.is_nan() { missing } else { bin as u8 };
            }
        });
        for (&code, &x) in binned.iter().zip(values) {
            if !x.is_nan() {
                let (x, bin) = (finite(x), code as usize);
                if x < self.lower[bin] {
                    self.lower[bin] = x;
                }
                if x > self.upper[bin] {
                    self.upper[bin] = x;
                }
            }
        }
        has_missing
    }

    /// How many bins there are.
    pub fn len(&self) -> usize {
        self.lower.len()
    }

    /// Whether there is none: no row has a value.
    pub fn is_empty(&self) -> bool {
        self.lower.is_empty()
    }

    /// Least value of the rows of a bin.
    pub fn lower(&self, bin: usize) -> f64 {
        self.lower[bin]
    }

    /// Largest value of the rows of a bin.
    pub fn upper(&self, bin: usize) -> f64 {
        self.upper[bin]
    }

    /// The last bin that lies below a value, by the middle between its least and largest rows; 0 if there is none.
    pub fn last_below(&self, value: f64) -> usize {
        let bin = self.cuts.partition_point(|cut| *cut < value);
        let middle = self.lower[bin] / 2.0 + self.upper[bin] / 2.0;
        if middle <= value { bin } else { bin.saturating_sub(1) }
    }

    /// A threshold that parts the rows of bins up to `left` from those of bins from `right` on: halfway between their
    /// nearest values. Without a bin on the right, one that no value exceeds.
    pub fn threshold(&self, left: usize, right: usize) -> f64 {
        if right < self.len() { between(self.upper[left], self.lower[right]) } else { f64::MAX }
    }
}

/// Zero without a sign, and the largest finite number of its sign for an infinite one.
fn finite(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.clamp(f64::MIN, f64::MAX) }
}

/// A number `t` with `a <= t < b`, the middle where there is one.
fn between(a: f64, b: f64) -> f64 {
    // Halves first: the sum of two large numbers could be infinite.
    let middle = a / 2.0 + b / 2.0;
    if a <= middle && middle < b { middle + 0.0 } else { a }
}

/// Gives each distinct value a bin, or one with its next neighbours until there are `min_rows` rows. Returns the ends of
/// the bins.
fn least_counts(distinct: &[(f64, usize)], min_rows: usize) -> Vec<usize> {
    let mut count = 0;
    let mut ends = Vec::with_capacity(distinct.len());
    for (i, &(_, rows)) in distinct.iter().enumerate() {
        count += rows;
        if count >= min_rows || i + 1 == distinct.len() {
            ends.push(i + 1);
            count = 0;
        }
    }
    ends
}

/// Cuts distinct values into bins of about equally many rows; a value with more rows than a bin should have gets a bin
/// of its own. Returns the ends of the bins.
///
/// # References
/// The greedy rule of LightGBM (Ke et al., 2017).
fn equal_counts(distinct: &[(f64, usize)], max_bin: usize) -> Vec<usize> {
    let total: usize = distinct.iter().map(|d| d.1).sum();
    let share = total as f64 / max_bin as f64;
    let is_big = |i: usize| distinct[i].1 as f64 >= share;
    let n_big = (0..distinct.len()).filter(|&i| is_big(i)).count();
    let rows_big: usize = (0..distinct.len()).filter(|&i| is_big(i)).map(|i| distinct[i].1).sum();
    let (mut rows_left, mut bins_left) = ((total - rows_big) as f64, max_bin.saturating_sub(n_big).max(1) as f64);
    let mut wanted = rows_left / bins_left;
    let mut ends = Vec::with_capacity(max_bin);
    let mut count = 0;
    for (i, &(_, rows)) in distinct[..distinct.len() - 1].iter().enumerate() {
        if !is_big(i) {
            rows_left -= rows as f64;
        }
        count += rows;
        let full = count as f64 >= wanted || is_big(i) || (is_big(i + 1) && count as f64 >= (wanted * 0.5).max(1.0));
        if full {
            ends.push(i + 1);
            if ends.len() == max_bin - 1 {
                break;
            }
            count = 0;
            if !is_big(i) {
                bins_left = (bins_left - 1.0).max(1.0);
                wanted = rows_left / bins_left;
            }
        }
    }
    ends.push(distinct.len());
    ends
}
