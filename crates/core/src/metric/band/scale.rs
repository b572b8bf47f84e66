//! Scales on which bands are made, and how wide they are.

use crate::numeric::{erfc, exp, expm1, ln_1p};

/// The scale of a metric: what lies between its ends becomes all numbers, or all from an end on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From 0 to 1, by log-odds.
    LogOdds,
    /// From 0 on.
    Logarithm,
    /// From −1 to 1, by the inverse hyperbolic tangent.
    Artanh,
}

/// How sure a band is, as deviations of a normal distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Level {
    z: f64,
}

impl Level {
    pub(super) fn new(level: f64) -> Self {
        assert!(level > 0.0 && level < 1.0, "invariant: a level lies between 0 and 1");
        // Beyond ten deviations lies less than 10⁻²²; 60 halvings leave no bit of z open.
        let (mut low, mut high) = (0.0, 10.0);
        for _ in 0..60 {
            let z = 0.5 * (low + high);
            if erfc(z * std::f64::consts::FRAC_1_SQRT_2) > 1.0 - level {
                low = z;
            } else {
                high = z;
            }
        }
        Level { z: 0.5 * (low + high) }
    }

    pub(super) fn z(self) -> f64 {
        self.z
    }

    /// The same of Student's t, for a variance that is known from `n` rows.
    ///
    /// # References
    /// Abramowitz and Stegun, 1964, 26.7.5, its first two terms.
    fn t(self, n: f64) -> f64 {
        let (z, freedom) = (self.z, n - 1.0);
        let first = (z * z * z + z) / 4.0;
        let second = ((5.0 * z * z + 16.0) * z * z + 3.0) * z / 96.0;
        z + first / freedom + second / (freedom * freedom)
    }

    /// The band of a value with a variance that `n` rows (or the rows of the rarer class) tell. None for one row, and where a
    /// mean of 0 says that none had an error.
    pub(super) fn band(self, scale: Scale, value: f64, variance: f64, n: f64) -> Option<[f64; 2]> {
        if n <= 1.0 || !variance.is_finite() || !value.is_finite() {
            return None;
        }
        let width = self.t(n) * variance.sqrt();
        match scale {
            Scale::Logarithm if value <= 0.0 => None,
            Scale::Logarithm => {
                let width = width / value;
                Some([value * exp(-width), value * exp(width)])
            }
            // At an end no row contradicts, and the variance is 0: then the value counts as a share of so many rows.
            Scale::LogOdds if value <= 0.0 || value >= 1.0 => Some(self.wilson(value.clamp(0.0, 1.0) * n, n)),
            Scale::LogOdds => {
                let (odds, width) = (value / (1.0 - value), width / (value * (1.0 - value)));
                Some([-width, width].map(|w| if odds.is_finite() { 1.0 - 1.0 / (1.0 + odds * exp(w)) } else { 1.0 }))
            }
            Scale::Artanh if value.abs() >= 1.0 => {
                let share = (0.5 * (value + 1.0)).clamp(0.0, 1.0);
                Some(self.wilson(share * n, n).map(|end| 2.0 * end - 1.0))
            }
            Scale::Artanh => {
                let at = 0.5 * (ln_1p(value) - ln_1p(-value));
                let width = width / (1.0 - value * value);
                let tanh = |x: f64| {
                    let e = expm1(2.0 * x);
                    if e.is_finite() { e / (e + 2.0) } else { 1.0 }
                };
                Some([at - width, at + width].map(tanh))
            }
        }
    }

    /// The band of a share: `hits` of `n` rows.
    ///
    /// # References
    /// Wilson, 1927.
    pub(super) fn wilson(self, hits: f64, n: f64) -> [f64; 2] {
        let (share, z2) = (hits / n, self.z * self.z);
        let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let spread = (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
        let width = self.z / (1.0 + z2 / n) * spread;
        let low = if hits <= 0.0 { 0.0 } else { middle - width };
        let high = if hits >= n { 1.0 } else { middle + width };
        [low, high]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_and_shares_are_those_of_the_textbook() {
        let level = Level::new(0.95);
        assert!((level.z() - 1.959_963_984_540_054).abs() < 1e-14, "{}", level.z());
        // scipy.stats.t.ppf(0.975, [9, 29, 99]).
        for (n, t) in [(10.0, 2.262_157), (30.0, 2.045_230), (100.0, 1.984_217)] {
            assert!((level.t(n) - t).abs() < 5e-3, "{n}: {}", level.t(n));
        }
        // scipy.stats.binomtest(hits, n).proportion_ci(method="wilson").
        let expected = [
            (8.0, 10.0, 0.490_162_471_536_641_8, 0.943_317_848_545_624_8),
            (0.0, 20.0, 0.0, 0.161_125_158_052_819_35),
            (20.0, 20.0, 0.838_874_841_947_180_8, 1.0),
        ];
        for (hits, n, low, high) in expected {
            let found = level.wilson(hits, n);
            assert!((found[0] - low).abs() < 1e-9 && (found[1] - high).abs() < 1e-9, "{hits} of {n}: {found:?}");
        }
    }

    #[test]
    fn bands_hold_their_value_and_stay_within_the_scale() {
        let level = Level::new(0.95);
        for value in [0.0, 1e-9, 0.3, 0.999_999, 1.0] {
            for variance in [0.0, 1e-6, 0.01, 4.0] {
                for scale in [Scale::LogOdds, Scale::Artanh] {
                    let [low, high] = level.band(scale, value, variance, 40.0).unwrap();
                    let least = if scale == Scale::LogOdds { 0.0 } else { -1.0 };
                    let is_held = low <= value + 1e-12 && value - 1e-12 <= high;
                    assert!(is_held && low >= least && high <= 1.0, "{scale:?} {value}: {low} {high}");
                }
            }
        }
        assert_eq!(level.band(Scale::Logarithm, 0.0, 0.0, 40.0), None);
        assert_eq!(level.band(Scale::LogOdds, 0.5, 0.1, 1.0), None);
    }
}
