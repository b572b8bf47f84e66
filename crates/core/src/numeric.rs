//! Elementary functions with one and the same result everywhere.
//!
//! The standard library hands `exp`, `ln` and the like to the C library of the machine, which chooses its code by the
//! processor. Here they are pure Rust (the crate `libm`, without its processor-specific parts, and an `exp` of our own, since
//! fits spend their time there). `f64::sqrt` is exact by IEEE 754 and needs no twin.

/// e to the power of x, within one unit in the last place.
///
/// Without branches and calls, so that a loop over many numbers is done several at a time; multiplications and additions
/// only, which have the same bits one at a time and several at a time.
///
/// # References
/// Reduction to |r| ≤ ln 2 / 2 by a two-part ln 2 (Cody and Waite, 1980), then the Taylor polynomial of degree 13, whose
/// rest is below 2⁻⁵⁷.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    // The upper part of ln 2 has 21 zero bits at its end, so its product with any exponent is exact.
    const LN_2_UPPER: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOWER: f64 = 1.908_214_929_270_587_7e-10;
    // Adding it rounds to whole numbers: the sum has no bits for fractions, and its lowest twelve hold the number + 2048.
    const ROUND: f64 = 6_755_399_441_055_744.0 + 2048.0;
    // Beyond these, e^x is infinite or 0. NaN stays.
    let x = if x > 710.0 { 710.0 } else { x };
    let x = if x < -746.0 { -746.0 } else { x };
    let rounded = x * std::f64::consts::LOG2_E + ROUND;
    let exponent = rounded - ROUND;
    let r = (x - exponent * LN_2_UPPER) - exponent * LN_2_LOWER;
    // r² · (1/2! + r/3! + …), in pairs, pairs of pairs …: short chains.
    let (r2, r4) = (r * r, (r * r) * (r * r));
    let c = |n: usize| INVERSE_FACTORIALS[n];
    let low = (c(2) + c(3) * r) + (c(4) + c(5) * r) * r2;
    let middle = (c(6) + c(7) * r) + (c(8) + c(9) * r) * r2;
    let high = (c(10) + c(11) * r) + (c(12) + c(13) * r) * r2;
    let power = 1.0 + (r + r2 * (low + r4 * (middle + r4 * high)));
    // 2 to the power of the exponent in two factors, since it may not be a normal number.
    let biased = rounded.to_bits() & 0xfff;
    let half = biased >> 1;
    let two_to = |biased: u64| f64::from_bits(biased.wrapping_sub(1) << 52);
    power * two_to(half) * two_to(biased - half)
}

/// 1 / n! by n.
const INVERSE_FACTORIALS: [f64; 14] = {
    let mut inverse = [1.0; 14];
    let mut n = 2;
    let mut factorial = 1.0;
    while n < 14 {
        factorial *= n as f64;
        inverse[n] = 1.0 / factorial;
        n += 1;
    }
    inverse
};

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

/// Logarithm to base 2.
#[inline]
pub fn log2(x: f64) -> f64 {
    libm::log2(x)
}

/// Natural logarithm of the gamma function, for x > 0.
#[inline]
pub fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// 1 less the error function: twice the share of a normal distribution beyond x · √2.
#[inline]
pub fn erfc(x: f64) -> f64 {
    libm::erfc(x)
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
#[inline(always)]
pub fn sigmoid(x: f64) -> f64 {
    let e = exp(-x.abs());
    let above = if x < 0.0 { e } else { 1.0 };
    above / (1.0 + e)
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
    fn exponentials_are_within_one_unit_in_the_last_place() {
        let mut worst = 0;
        for i in 0..2_000_000u64 {
            // Every size, and most of all those that occur.
            let u = crate::random::mix(i) as f64 / u64::MAX as f64;
            let x = if i % 2 == 0 { (u - 0.5) * 1500.0 } else { (u - 0.5) * 40.0 };
            let (ours, other) = (exp(x), libm::exp(x));
            worst = worst.max(ours.to_bits().abs_diff(other.to_bits()));
        }
        assert!(worst <= 1, "{worst} units");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f64::INFINITY), f64::INFINITY);
        assert_eq!(exp(710.0), f64::INFINITY);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp(-745.0).to_bits(), 1);
        assert!(exp(f64::NAN).is_nan());
    }

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
        assert_eq!((log2(1024.0), ln_gamma(1.0), erfc(0.0)), (10.0, 0.0, 1.0));
        assert!((ln_gamma(10.0) - ln(362_880.0)).abs() < 1e-14);
        assert!((erfc(1.0) - 0.157_299_207_050_285_13).abs() < 1e-16);
        assert_eq!(canonical(-0.0).to_bits(), 0);
        assert_eq!(canonical(-f64::NAN).to_bits(), 0x7ff8_0000_0000_0000);
    }
}
