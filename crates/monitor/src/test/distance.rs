//! Distances between two distributions: 0 where both are equal, with thresholds by convention rather than by chance.

use tabwright_core::numeric::ln;

use super::binning::{Binned, fill_zeros, in_bins};
use crate::sample::{Sorted, Total, Walk};

/// What the standard deviation of a reference counts as at least, as Evidently's: a constant one has none.
const LEAST_DEVIATION: f64 = 0.001;

/// How far, on average, the numbers of one sample have to be moved to become the other, as SciPy's
/// `wasserstein_distance`. Infinite numbers have to be left out; 0 if a sample has no number.
pub fn wasserstein(reference: Sorted<'_>, current: Sorted<'_>) -> f64 {
    if reference.is_empty() || current.is_empty() { 0.0 } else { Walk::new(reference, current).area }
}

/// A Wasserstein distance in standard deviations of the reference, as Evidently's.
pub fn in_deviations(distance: f64, reference: Sorted<'_>) -> f64 {
    let deviation = reference.standard_deviation();
    distance / if deviation > LEAST_DEVIATION { deviation } else { LEAST_DEVIATION }
}

/// The Jensen–Shannon distance of shares, as SciPy's `jensenshannon`: from 0 to √ln 2 = 0.83. 0 if a side has no row.
pub fn jensen_shannon(binned: &Binned) -> f64 {
    let [n, m] = binned.totals().map(|n| n as f64);
    if n == 0.0 || m == 0.0 {
        return 0.0;
    }
    let relative = |p: f64, middle: f64| if p == 0.0 { 0.0 } else { p * ln(p / middle) };
    let half = sum(binned.reference.iter().zip(&binned.current).map(|(&r, &c)| {
        let (p, q) = (r as f64 / n, c as f64 / m);
        let middle = (p + q) / 2.0;
        relative(p, middle) + relative(q, middle)
    })) / 2.0;
    // Rounding can leave less than nothing.
    if half > 0.0 { half.sqrt() } else { 0.0 }
}

/// The population stability index of shares, with zeros filled as Evidently fills them. 0 if a side has no row.
pub fn population_stability(binned: &Binned) -> f64 {
    if binned.totals().contains(&0) {
        return 0.0;
    }
    let (p, q) = (fill_zeros(&binned.reference), fill_zeros(&binned.current));
    sum(p.iter().zip(&q).map(|(p, q)| (p - q) * ln(p / q)))
}

/// The Hellinger distance of shares: from 0 to 1. 0 if a side has no row.
pub fn hellinger(binned: &Binned) -> f64 {
    let [n, m] = binned.totals().map(|n| n as f64);
    if n == 0.0 || m == 0.0 {
        return 0.0;
    }
    // ½ Σ (√p − √q)² = 1 − Σ √(p·q), without the cancellation near 0.
    let half = sum(binned.reference.iter().zip(&binned.current).map(|(&r, &c)| {
        let apart = (r as f64 / n).sqrt() - (c as f64 / m).sqrt();
        apart * apart
    })) / 2.0;
    if half < 1.0 { half.sqrt() } else { 1.0 }
}

/// The Hellinger distance of two samples of numbers, in as many bins as their distinct numbers ask for, as Evidently's.
pub fn hellinger_of_numbers(reference: Sorted<'_>, current: Sorted<'_>, whole: bool) -> f64 {
    let distinct = Walk::new(reference, current).distinct;
    hellinger(&in_bins(reference, current, distinct, whole))
}

fn sum(terms: impl Iterator<Item = f64>) -> f64 {
    let mut total = Total::default();
    terms.for_each(|term| total.add(term));
    total.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    fn counts(reference: &[u64], current: &[u64]) -> Binned {
        Binned { reference: reference.to_vec(), current: current.to_vec() }
    }

    #[test]
    fn distances_of_counts_are_those_of_scipy_and_by_hand() {
        let binned = counts(&[1, 1, 0], &[0, 1, 1]);
        // scipy.spatial.distance.jensenshannon([.5, .5, 0], [0, .5, .5]) of SciPy 1.17.1.
        assert!((jensen_shannon(&binned) - 0.588_705_011_257_737_3).abs() < 1e-15);
        assert!((hellinger(&binned) - 0.5f64.sqrt()).abs() < 1e-15);
        let filled = 2.0 * (0.5 - 0.0001) * (5000f64).ln();
        assert!((population_stability(&binned) - filled).abs() < 1e-12);
        let apart = counts(&[4, 0], &[0, 9]);
        assert!((jensen_shannon(&apart) - 2f64.ln().sqrt()).abs() < 1e-15);
        assert_eq!(hellinger(&apart), 1.0);
    }

    #[test]
    fn what_is_equal_has_no_distance_and_so_has_nothing() {
        for binned in [counts(&[3, 5, 91], &[3, 5, 91]), counts(&[1, 2], &[0, 0]), counts(&[], &[])] {
            for distance in [jensen_shannon, population_stability, hellinger] {
                assert_eq!(distance(&binned), 0.0);
            }
        }
    }

    #[test]
    fn numbers_are_moved_by_their_shift() {
        let (a, b) = (Sample::new((0..100).map(f64::from)), Sample::new((0..200).map(|i| f64::from(i / 2) + 3.0)));
        assert!((wasserstein(a.all(), b.all()) - 3.0).abs() < 1e-12);
        assert!((in_deviations(3.0, a.all()) - 3.0 / 833.25f64.sqrt()).abs() < 1e-14);
        let constant = Sample::new([2.0, 2.0]);
        assert_eq!(in_deviations(wasserstein(constant.all(), Sample::new([2.5]).all()), constant.all()), 500.0);
        assert_eq!(wasserstein(a.all(), Sample::new([]).all()), 0.0);
    }
}
