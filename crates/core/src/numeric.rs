//! Elementary functions with one and the same result everywhere.
//!
//! The standard library hands `exp`, `ln` and the like to the C library of the machine, which chooses its code by the
//! processor. Here they are pure Rust (the crate `libm`, without its processor-specific parts). `f64::sqrt` is exact by
//! IEEE 754 and needs no twin.

/// e to the power of x.
#[inline]
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

/// e to the power of x, less 1.
#[inline]
pub fn expm1(x: f64) -> f64 {
    libm::expm1(x)
}

/// Natural logarithm.
#[inline]
pub fn ln(x: f64) -> f64 {
    libm::log(x)
}

/// Natural logarithm of 1 + x.
#[inline]
pub fn ln_1p(x: f64) -> f64 {
    libm::log1p(x)
}

/// Logarithm to base 10.
#[inline]
pub fn log10(x: f64) -> f64 {
    libm::log10(x)
}

/// x to the power of y.
#[inline]
pub fn pow(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}

/// Sine.
#[inline]
pub fn sin(x: f64) -> f64 {
    libm::sin(x)
}

/// Cosine.
#[inline]
pub fn cos(x: f64) -> f64 {
    libm::cos(x)
}

/// The logistic function 1 / (1 + e⁻ˣ), without overflow.
#[inline]
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + exp(-x))
    } else {
        let e = exp(x);
        e / (1.0 + e)
    }
}

/// ln(1 + eˣ), without overflow.
#[inline]
pub fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + ln_1p(exp(-x)) } else { ln_1p(exp(x)) }
}

/// Turns raw scores into probabilities, in place.
pub fn softmax(scores: &mut [f64]) {
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, |a, b| if b > a { b } else { a });
    let mut total = 0.0;
    for s in scores.iter_mut() {
        *s = exp(*s - top);
        total += *s;
    }
    for s in scores.iter_mut() {
        *s /= total;
    }
}

/// The value of ascending numbers below which a share `at` of them lies: linear between neighbours (Hyndman and Fan,
/// 1996, type 7). Safe for numbers whose difference is beyond `f64`; NaN for none.
pub fn quantile(sorted: &[f64], at: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = at * last as f64;
    let (below, part) = (place.floor() as usize, place - place.floor());
    let above = (below + 1).min(last);
    if part == 0.0 || sorted[below] == sorted[above] {
        return canonical(sorted[below]);
    }
    canonical(sorted[below] * (1.0 - part) + sorted[above] * part)
}

/// One form for each value: −0 becomes 0, and every NaN the same NaN. Applied before a number is hashed or stored.
#[inline]
pub fn canonical(x: f64) -> f64 {
    if x.is_nan() {
        f64::from_bits(0x7ff8_0000_0000_0000)
    } else if x == 0.0 {
        0.0
    } else {
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logistic_function_is_right_at_the_ends() {
        assert_eq!(sigmoid(0.0), 0.5);
        assert_eq!(sigmoid(1e4), 1.0);
        assert_eq!(sigmoid(-1e4), 0.0);
        assert!((sigmoid(-30.0) - 9.357_622_968_839_299e-14).abs() < 1e-27);
        assert_eq!(softplus(1e4), 1e4);
        assert_eq!(softplus(-1e4), 0.0);
    }

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        assert_eq!([0.0, 0.25, 0.5, 1.0].map(|at| quantile(&[1.0, 3.0, 3.0, 5.0], at)), [1.0, 2.5, 3.0, 5.0]);
        assert_eq!(quantile(&[-1.7e308, 1.7e308], 0.5), 0.0);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn pinned_bits_of_elementary_functions() {
        assert_eq!(exp(1.0).to_bits(), 0x4005_bf0a_8b14_576a);
        assert_eq!(ln(10.0).to_bits(), 0x4002_6bb1_bbb5_5516);
        assert_eq!(canonical(-0.0).to_bits(), 0);
        assert_eq!(canonical(-f64::NAN).to_bits(), 0x7ff8_0000_0000_0000);
    }
}
