//! Chi-square tests on counts by level: does the current window have the shares of the reference?

use crate::test::Outcome;
use crate::test::special::gamma_q;

/// Tests counts against the shares of the reference, which are taken as the truth (Pearson's goodness of fit).
///
/// As Evidently does with SciPy's `chisquare`. The reference is a sample too, which this test does not know: with a
/// reference no larger than the current window it alarms far more often than its p-values say; [`homogeneity`] does not.
/// A level that the reference lacks makes the statistic infinite. Levels that neither has are left out.
///
/// # Panics
/// If the two differ in length.
pub fn against_reference(reference: &[u64], current: &[u64]) -> Outcome {
    assert_eq!(reference.len(), current.len(), "invariant: both count the same levels");
    let (n, m) = (total(reference), total(current));
    if n == 0.0 || m == 0.0 {
        return Outcome { statistic: 0.0, p_value: 1.0 };
    }
    let scale = m / n;
    let (mut statistic, mut levels) = (0.0, 0u64);
    for (&r, &c) in reference.iter().zip(current).filter(|(r, c)| **r + **c > 0) {
        let (expected, observed) = (r as f64 * scale, c as f64);
        statistic += (observed - expected) * (observed - expected) / expected;
        levels += 1;
    }
    outcome(statistic, levels - 1)
}

/// Tests whether both counts come from the same shares (Pearson's test of homogeneity): neither is taken as the truth.
///
/// # Panics
/// If the two differ in length.
pub fn homogeneity(reference: &[u64], current: &[u64]) -> Outcome {
    assert_eq!(reference.len(), current.len(), "invariant: both count the same levels");
    let (n, m) = (total(reference), total(current));
    if n == 0.0 || m == 0.0 {
        return Outcome { statistic: 0.0, p_value: 1.0 };
    }
    let (mut statistic, mut levels) = (0.0, 0u64);
    for (&r, &c) in reference.iter().zip(current).filter(|(r, c)| **r + **c > 0) {
        // Both cells of a level deviate alike from their expectation: (r·m − c·n)² / (n·m·(r + c)).
        let apart = r as f64 * m - c as f64 * n;
        statistic += apart * apart / (n * m * (r + c) as f64);
        levels += 1;
    }
    outcome(statistic, levels - 1)
}

fn total(counts: &[u64]) -> f64 {
    counts.iter().sum::<u64>() as f64
}

fn outcome(statistic: f64, freedom: u64) -> Outcome {
    let p_value = if freedom == 0 { 1.0 } else { gamma_q(freedom as f64 / 2.0, statistic / 2.0).clamp(0.0, 1.0) };
    Outcome { statistic, p_value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_those_of_scipy() {
        // scipy.stats.chisquare([40, 35, 25], [50, 30, 20]) and chi2_contingency([[500, 300, 200], [40, 35, 25]]).
        let found = against_reference(&[500, 300, 200], &[40, 35, 25]);
        assert!((found.statistic - 4.083_333_333_333_334).abs() < 1e-14, "{found:?}");
        assert!((found.p_value - 0.129_812_176_855_437_97).abs() < 1e-12, "{found:?}");
        let found = homogeneity(&[500, 300, 200], &[40, 35, 25]);
        assert!((found.statistic - 3.709_231_619_679_382).abs() < 1e-13, "{found:?}");
        assert!((found.p_value - 0.156_513_061_903_950_48).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn a_level_that_the_reference_lacks_is_no_chance() {
        let found = against_reference(&[10, 0], &[9, 1]);
        assert_eq!((found.statistic, found.p_value), (f64::INFINITY, 0.0));
        assert!(homogeneity(&[10, 0], &[9, 1]).p_value > 0.2);
    }

    #[test]
    fn one_level_or_no_rows_do_not_differ() {
        for test in [against_reference, homogeneity] {
            assert_eq!(test(&[5, 0], &[3, 0]), Outcome { statistic: 0.0, p_value: 1.0 });
            assert_eq!(test(&[5, 1], &[0, 0]), Outcome { statistic: 0.0, p_value: 1.0 });
            assert_eq!(test(&[], &[]), Outcome { statistic: 0.0, p_value: 1.0 });
        }
    }
}
