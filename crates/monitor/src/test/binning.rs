//! Numbers as counts: one by one where there are few, else in bins of equal width, so that distances between
//! distributions can be told from counts.
//!
//! The bins are those of Evidently (and of NumPy's `sturges`), to the last bit of their edges: a value at an edge falls on
//! the same side.

use tabwright_core::numeric::log2;

use crate::sample::Sorted;

/// Distinct numbers of the reference up to which each is counted by itself, as Evidently's.
const FEW_VALUES: usize = 20;

/// Counts of the reference and of the current window over the same levels or bins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Binned {
    /// Of the reference.
    pub reference: Vec<u64>,
    /// Of the current window.
    pub current: Vec<u64>,
}

impl Binned {
    /// Counts numbers: by value if the reference has at most 20 distinct ones, else in bins over the range of both.
    ///
    /// `whole` says that all are whole numbers, whose bins are at least 1 wide.
    pub fn new(reference: Sorted<'_>, current: Sorted<'_>, whole: bool) -> Binned {
        if reference.distinct_up_to(FEW_VALUES + 1) <= FEW_VALUES {
            by_value(reference, current)
        } else {
            in_bins(reference, current, reference.len() + current.len(), whole)
        }
    }

    /// How many rows each side has.
    pub fn totals(&self) -> [u64; 2] {
        [self.reference.iter().sum(), self.current.iter().sum()]
    }
}

/// Counts each distinct number of both samples.
pub fn by_value(reference: Sorted<'_>, current: Sorted<'_>) -> Binned {
    let mut binned = Binned::default();
    let (mut i, mut j) = (0, 0);
    while i < reference.len() || j < current.len() {
        let least = match (i < reference.len(), j < current.len()) {
            (true, true) if current.get(j) < reference.get(i) => current.get(j),
            (true, _) => reference.get(i),
            (false, _) => current.get(j),
        };
        let equal = |sample: Sorted<'_>, from: usize| {
            let mut to = from;
            while to < sample.len() && sample.get(to) == least {
                to += 1;
            }
            to
        };
        let (to_i, to_j) = (equal(reference, i), equal(current, j));
        binned.reference.push((to_i - i) as u64);
        binned.current.push((to_j - j) as u64);
        (i, j) = (to_i, to_j);
    }
    binned
}

/// Counts finite numbers in bins of equal width over the range of both samples; `n` says how many bins there are.
///
/// # References
/// Sturges, 1926: log₂ n + 1 bins.
pub fn in_bins(reference: Sorted<'_>, current: Sorted<'_>, n: usize, whole: bool) -> Binned {
    let edges = edges(reference, current, n, whole);
    let count = |sample: Sorted<'_>| {
        let mut before = 0;
        let last = edges.len() - 1;
        let ends = edges[1..].iter().enumerate().map(
            |(i, &edge)| {
                if i + 1 == last { sample.len() } else { sample.below(edge) }
            },
        );
        ends.map(|end| (end - std::mem::replace(&mut before, end)) as u64).collect()
    };
    Binned { reference: count(reference), current: count(current) }
}

fn edges(reference: Sorted<'_>, current: Sorted<'_>, n: usize, whole: bool) -> Vec<f64> {
    let samples = || [reference, current].into_iter().filter(|s| !s.is_empty());
    let low = samples().map(|s| s.get(0)).fold(f64::INFINITY, |a, b| if b < a { b } else { a });
    let high = samples().map(|s| s.get(s.len() - 1)).fold(f64::NEG_INFINITY, |a, b| if b > a { b } else { a });
    let range = high - low;
    if n == 0 || range == 0.0 {
        return if n == 0 { vec![-0.5, 0.5] } else { vec![low - 0.5, high + 0.5] };
    }
    let most = log2(n as f64) + 1.0;
    if !range.is_finite() {
        // Too far apart for a difference: edges as weighted means.
        let bins = most.ceil();
        let edge = |i: usize| low * (1.0 - i as f64 / bins) + high * (i as f64 / bins);
        return (0..=bins as usize).map(edge).collect();
    }
    let width = range / most;
    let width = if whole && width < 1.0 { 1.0 } else { width };
    let bins = if width > 0.0 { (range / width).ceil() } else { 1.0 };
    let step = range / bins;
    let mut edges: Vec<f64> = (0..=bins as usize).map(|i| i as f64 * step + low).collect();
    edges[bins as usize] = high;
    edges
}

/// Shares of counts whose zeros are filled, so that their logarithms exist: with 0.0001, or with a millionth of the least share
/// where that is 0.0001 or less, as Evidently's.
pub fn fill_zeros(counts: &[u64]) -> Vec<f64> {
    /// What stands for a share of 0, and below which shares it does not.
    const FILL: f64 = 0.0001;
    let total = counts.iter().sum::<u64>() as f64;
    let least = counts.iter().filter(|c| **c > 0).min().map_or(f64::INFINITY, |&c| c as f64 / total);
    let fill = if least <= FILL { least / 1e6 } else { FILL };
    counts.iter().map(|&c| if c == 0 { fill } else { c as f64 / total }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    fn sample(numbers: impl IntoIterator<Item = f64>) -> Sample {
        Sample::new(numbers)
    }

    #[test]
    fn few_values_are_counted_one_by_one() {
        let (a, b) = (sample([1.0, 2.0, 2.0, 5.0]), sample([2.0, 3.0]));
        let binned = Binned::new(a.all(), b.all(), false);
        assert_eq!((binned.reference, binned.current), (vec![1, 2, 0, 1], vec![0, 1, 1, 0]));
    }

    #[test]
    fn many_values_fall_into_bins_that_hold_their_lower_edge() {
        let (a, b) = (sample((0..32).map(f64::from)), sample((0..32).map(|i| f64::from(i) / 31.0)));
        // 64 numbers over 0 to 31: seven bins.
        let binned = Binned::new(a.all(), b.all(), false);
        assert_eq!(binned.reference, [5, 4, 5, 4, 5, 4, 5]);
        assert_eq!(binned.current, [32, 0, 0, 0, 0, 0, 0]);
        assert_eq!(binned.totals(), [32, 32]);
    }

    #[test]
    fn extremes_of_the_range_of_floats_have_bins() {
        let far = sample((0..30).map(|i| f64::MAX * (f64::from(i) / 14.5 - 1.0)));
        let binned = Binned::new(far.all(), far.all(), false);
        assert_eq!((binned.reference.len(), binned.totals()), (7, [30, 30]));
        let near = sample((0..30).map(|i| f64::from_bits(1 + i)));
        assert_eq!(Binned::new(near.all(), near.all(), false).totals(), [30, 30]);
        let none = sample([]);
        assert_eq!(in_bins(none.all(), none.all(), 0, false).totals(), [0, 0]);
    }

    #[test]
    fn zeros_are_filled() {
        assert_eq!(fill_zeros(&[0, 5, 5]), [0.0001, 0.5, 0.5]);
        assert_eq!(fill_zeros(&[0, 1, 99_999]), [0.00001 / 1e6, 0.00001, 0.99999]);
    }
}
