//! The Kolmogorov–Smirnov test: is the largest difference between the distributions of two samples more than chance?
//!
//! Two-sided, of two samples, as SciPy's `ks_2samp`.

use crate::sample::{Sorted, Walk};
use crate::test::Outcome;

use super::kolmogorov;

/// Size of a sample up to which `Auto` is exact, as SciPy's.
const EXACT_SIZE: usize = 10_000;

/// Cells of the exact recursion that are always worth their time (some 20 ms).
const CHEAP_CELLS: f64 = 8e6;

/// n · m / (n + m) · D² from which the p-value is below 10⁻¹⁶, and no exact method says more than an asymptotic one.
const BEYOND_DOUBT: f64 = 20.0;

/// How p-values are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Exact up to 10,000 numbers in each sample, asymptotic beyond.
    #[default]
    Auto,
    /// By counting all ways in which the samples could mix.
    Exact,
    /// By the distribution of one sample of n · m / (n + m) numbers.
    Asymptotic,
}

/// Tests two samples. Infinite numbers count, since only the order matters.
///
/// The statistic is the largest difference between the shares of both samples at or below a number. Without numbers on
/// either side there is no difference to see: 0, with a p-value of 1.
///
/// # Determinism
/// The statistic is a ratio of whole numbers; the p-value a function of it.
pub fn two_sample(reference: Sorted<'_>, current: Sorted<'_>, method: Method) -> Outcome {
    of_walk(&Walk::new(reference, current), method)
}

/// The test of two samples through which somebody has walked.
pub fn of_walk(walk: &Walk, method: Method) -> Outcome {
    let [n, m] = walk.n;
    if n == 0 || m == 0 {
        return Outcome { statistic: 0.0, p_value: 1.0 };
    }
    let statistic = walk.difference as f64 / (n as f64 * m as f64);
    Outcome { statistic, p_value: p_value(walk.difference, n, m, method) }
}

/// How often samples of n and m numbers differ at least so much by chance; `difference` is the statistic times n · m.
pub fn p_value(difference: u64, n: usize, m: usize, method: Method) -> f64 {
    if difference == 0 || n == 0 || m == 0 {
        return 1.0;
    }
    let (n_f, m_f) = (n as f64, m as f64);
    let statistic = difference as f64 / (n_f * m_f);
    let size = n_f * m_f / (n_f + m_f);
    let exact = match method {
        Method::Exact => true,
        Method::Auto => n.max(m) <= EXACT_SIZE,
        Method::Asymptotic => false,
    };
    if !exact {
        return kolmogorov::survival(size.round_ties_even() as u64, statistic);
    }
    if n == m {
        return equal_sizes(n, (difference / n as u64) as usize);
    }
    if 2.0 * difference as f64 > CHEAP_CELLS && size * statistic * statistic > BEYOND_DOUBT {
        return kolmogorov::survival(size.round_ties_even() as u64, statistic);
    }
    share_outside(n.max(m), n.min(m), difference as i64)
}

/// The share of the ways to mix two samples of n numbers in which their counts are ever `steps` or more apart.
///
/// # References
/// Gnedenko and Korolyuk, 1951: 2 · Σ (−1)ᵏ⁺¹ C(2n, n − k·steps) / C(2n, n), factored so that nothing cancels.
fn equal_sizes(n: usize, steps: usize) -> f64 {
    let (n_f, h) = (n as f64, steps as f64);
    let rest = (0..=n / steps).rev().fold(0.0, |inner, k| {
        let base = k as f64 * h;
        let ratio = (0..steps).fold(1.0, |product, j| {
            let j = j as f64;
            product * ((n_f - base - j) / (n_f + base + j + 1.0))
        });
        ratio * (1.0 - inner)
    });
    (2.0 * rest).clamp(0.0, 1.0)
}

/// The share of the lattice paths from (0, 0) to (n, m) that meet a point (x, y) with |x·m − y·n| ≥ `difference`.
///
/// Of all paths to a point, a share x / (x + y) comes from its left and the rest from below, so shares follow from
/// shares, and nothing grows or cancels as counts of paths would. Only points between the two bounds are visited.
///
/// # References
/// Hodges, 1958; the stable form of the recursion: Schröer and Trenkler, 1995.
fn share_outside(n: usize, m: usize, difference: i64) -> f64 {
    let (width, height) = (n as i64, m as i64);
    let inverse: Vec<f64> = (0..=n + m).map(|i| 1.0 / i as f64).collect();
    // By y, for the column at hand; all points that were not reached yet lie outside.
    let mut outside = vec![1.0; m + 1];
    let bounds = |x: i64| {
        let low = (x * height - difference).div_euclid(width) + 1;
        let high = (x * height + difference + width - 1).div_euclid(width);
        (low.max(0) as usize, high.min(height + 1) as usize)
    };
    outside[..bounds(0).1].fill(0.0);
    for x in 1..=n {
        let (low, high) = bounds(x as i64);
        let mut below = if low == 0 { 0.0 } else { 1.0 };
        let weights = &inverse[x + low..];
        for (i, (left, weight)) in outside[low.min(high)..high].iter_mut().zip(weights).enumerate() {
            below = *left * (x as f64 * weight) + below * ((low + i) as f64 * weight);
            *left = below;
        }
    }
    outside[m].clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    /// The share of mixtures whose difference is at least the given one, by trying all.
    fn by_trying(n: usize, m: usize, difference: i64) -> f64 {
        let (mut all, mut outside) = (0u32, 0u32);
        for mixture in 0u32..1 << (n + m) {
            if mixture.count_ones() as usize != n {
                continue;
            }
            let (mut apart, mut largest) = (0i64, 0);
            for place in 0..n + m {
                apart += if mixture >> place & 1 == 1 { m as i64 } else { -(n as i64) };
                largest = largest.max(apart.abs());
            }
            all += 1;
            outside += u32::from(largest >= difference);
        }
        f64::from(outside) / f64::from(all)
    }

    #[test]
    fn exact_p_values_are_those_of_trying_all_mixtures() {
        for (n, m) in [(1, 1), (1, 5), (4, 4), (6, 6), (5, 7), (8, 4), (3, 11), (9, 6)] {
            for difference in 1..=(n * m) as i64 {
                let expected = by_trying(n, m, difference);
                let found = share_outside(n.max(m), n.min(m), difference);
                assert!((found - expected).abs() < 1e-13, "{n} {m} {difference}: {found}, not {expected}");
                if n == m && difference % n as i64 == 0 {
                    let found = equal_sizes(n, difference as usize / n);
                    assert!((found - expected).abs() < 1e-13, "{n} {difference}: {found}, not {expected}");
                }
            }
        }
    }

    #[test]
    fn equal_sizes_and_the_recursion_agree() {
        for (n, steps) in [(100, 12), (1000, 44), (1000, 70), (3000, 100)] {
            let (a, b) = (equal_sizes(n, steps), share_outside(n, n, (n * steps) as i64));
            assert!((a - b).abs() < 1e-12, "{n} {steps}: {a} {b}");
        }
    }

    #[test]
    fn samples_without_numbers_and_of_one_do_not_differ() {
        let (none, one) = (Sample::new([]), Sample::new([1.0]));
        assert_eq!(two_sample(none.all(), one.all(), Method::Auto), Outcome { statistic: 0.0, p_value: 1.0 });
        let other = Sample::new([2.0]);
        assert_eq!(two_sample(one.all(), other.all(), Method::Auto), Outcome { statistic: 1.0, p_value: 1.0 });
        let infinite = Sample::new([f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY]);
        assert_eq!(two_sample(infinite.all(), one.all(), Method::Exact).statistic, 2.0 / 3.0);
    }
}
