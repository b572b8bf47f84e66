//! Special functions that tests need and `core::numeric` lacks.

use tabwright_core::numeric::{exp, ln, ln_gamma};

/// Largest relative rest of a series or continued fraction.
const PRECISION: f64 = 1e-16;

/// Terms after which a series ends: some ten times as many as 10⁶ degrees of freedom take.
const MOST_TERMS: usize = 100_000;

/// The regularised upper incomplete gamma function Q(a, x), for a > 0: the share of a gamma distribution above x.
///
/// # References
/// DLMF 8.11.4 (the series, below a + 1) and 8.9.2 (the continued fraction, by Lentz's method, above).
pub(super) fn gamma_q(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    let scale = exp(a * ln(x) - x - ln_gamma(a));
    if x < a + 1.0 { 1.0 - scale * lower_series(a, x) } else { scale * upper_fraction(a, x) }
}

/// How often a Poisson distribution of a mean above 0 has at most `count`.
///
/// # References
/// DLMF 8.4.10.
pub(crate) fn poisson_at_most(count: u64, mean: f64) -> f64 {
    gamma_q(count as f64 + 1.0, mean)
}

fn lower_series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
    for _ in 0..MOST_TERMS {
        n += 1.0;
        term *= x / n;
        sum += term;
        if term < sum * PRECISION {
            break;
        }
    }
    sum
}

fn upper_fraction(a: f64, x: f64) -> f64 {
    /// Stands for a denominator of 0.
    const TINY: f64 = 1e-300;
    let away = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / TINY, 1.0 / away(b));
    let mut result = d;
    for i in 1..MOST_TERMS {
        let i = i as f64;
        let numerator = -i * (i - a);
        b += 2.0;
        d = 1.0 / away(numerator * d + b);
        c = away(b + numerator / c);
        result *= d * c;
        if (d * c - 1.0).abs() < PRECISION {
            break;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_incomplete_gamma_function_is_that_of_scipy() {
        // scipy.special.gammaincc of SciPy 1.17.1.
        let expected = [
            (0.5, 0.5, 0.317_310_507_862_911_15),
            (0.5, 30.0, 9.485_737_571_073_857e-15),
            (2.0, 1.0, 0.735_758_882_342_884_7),
            (10.0, 9.0, 0.587_408_244_331_941_7),
            (1000.0, 1050.0, 0.058_671_111_377_318_06),
            (100_000.0, 100_200.0, 0.263_337_989_994_801_24),
        ];
        for (a, x, q) in expected {
            assert!((gamma_q(a, x) - q).abs() < 1e-10, "{a} {x}: {}, not {q}", gamma_q(a, x));
        }
        // scipy.stats.poisson.cdf(3, 10).
        assert!((poisson_at_most(3, 10.0) - 0.010_336_050_675_925_726).abs() < 1e-14);
        assert_eq!((gamma_q(3.0, 0.0), gamma_q(3.0, f64::INFINITY)), (1.0, 0.0));
    }
}
