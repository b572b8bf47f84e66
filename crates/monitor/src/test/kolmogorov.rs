//! The distribution of the Kolmogorov–Smirnov statistic of one sample, which two large samples are tested with.
//!
//! # References
//! Simard and L'Ecuyer, 2011: which formula is exact enough where.

use std::f64::consts::{FRAC_PI_2, PI};

use tabwright_core::numeric::{exp, ln, ln_gamma, pow};

/// Sizes up to which the exact formulas are cheap everywhere.
const SMALL: u64 = 140;

/// Sizes up to which small statistics are looked up in the exact distribution; beyond, their p-value is 1 but for 10⁻⁶.
const MATRIX: u64 = 10_000;

/// Sizes up to which the one-sided distribution is summed; beyond, its expansion is exact to 3 · 10⁻⁷.
const SUMMED: u64 = 100_000;

/// How often the largest difference between a distribution and a sample of n numbers of it is at least x.
///
/// Within 10⁻⁹ of the exact value for n ≤ 140, and 10⁻⁶ beyond.
pub(super) fn survival(n: u64, x: f64) -> f64 {
    let n_f = n as f64;
    let t = n_f * x;
    let scaled = t * x;
    let p = if n == 0 || t <= 0.5 {
        1.0
    } else if x >= 1.0 || scaled >= 370.0 {
        0.0
    } else if t <= 1.0 {
        1.0 - exp(ln_gamma(n_f + 1.0) - n_f * ln(n_f) + n_f * ln(2.0 * t - 1.0))
    } else if t >= n_f - 1.0 {
        2.0 * pow(1.0 - x, n_f)
    } else if x >= 0.5 || scaled >= if n <= SMALL { 4.0 } else { 2.2 } {
        2.0 * one_sided(n, x)
    } else if n <= SMALL || (n <= MATRIX && t * x.sqrt() <= 1.4) {
        1.0 - matrix(n, x)
    } else {
        1.0 - expansion(n_f, x)
    };
    p.clamp(0.0, 1.0)
}

/// How often the largest difference in one direction is at least x.
///
/// # References
/// Birnbaum and Tingey, 1951; beyond [`SUMMED`] the expansion of Maag and Dicaire, 1971.
fn one_sided(n: u64, x: f64) -> f64 {
    let n_f = n as f64;
    if n > SUMMED {
        let t = 6.0 * n_f * x + 1.0;
        return exp(-t * t / (18.0 * n_f));
    }
    let last = (n_f * (1.0 - x)).floor() as u64;
    let mut ln_choose = 0.0;
    let mut sum = 0.0;
    for j in 0..=last {
        let (j_f, above) = (j as f64, 1.0 - x - j as f64 / n_f);
        let below = x + j_f / n_f;
        // The last term may have 0 to the power of 0 or of a whole number.
        if above > 0.0 {
            sum += exp(ln_choose + (j_f - 1.0) * ln(below) + (n_f - j_f) * ln(above));
        } else if j == n {
            sum += exp((j_f - 1.0) * ln(below));
        }
        ln_choose += ln((n_f - j_f) / (j_f + 1.0));
    }
    x * sum
}

/// The exact probability that the difference is below x, by powers of a matrix: for small n · x.
///
/// # References
/// Durbin, 1968; Marsaglia, Tsang and Wang, 2003.
fn matrix(n: u64, x: f64) -> f64 {
    /// What is divided out of powers that grow.
    const LARGE: f64 = 1e140;
    let t = n as f64 * x;
    let k = t.ceil() as usize;
    let h = k as f64 - t;
    let size = 2 * k - 1;
    let mut inverse_factorials = vec![1.0; size + 1];
    for i in 1..=size {
        inverse_factorials[i] = inverse_factorials[i - 1] / i as f64;
    }
    let mut base = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..=(i + 1).min(size - 1) {
            base[i * size + j] = inverse_factorials[i + 1 - j];
        }
    }
    let mut power = 1.0;
    for i in 0..size {
        power *= h;
        base[i * size] = (1.0 - power) * inverse_factorials[i + 1];
        base[(size - 1) * size + size - 1 - i] = base[i * size];
    }
    let twice = 2.0 * h - 1.0;
    let corner = if twice > 0.0 { pow(twice, size as f64) } else { 0.0 };
    base[(size - 1) * size] = (1.0 - 2.0 * power + corner) * inverse_factorials[size];
    let (mut result, mut result_scale) = (vec![0.0; size * size], 0);
    (0..size).for_each(|i| result[i * size + i] = 1.0);
    let mut base_scale = 0;
    let mut left = n;
    let middle = (k - 1) * size + k - 1;
    while left > 0 {
        if left % 2 == 1 {
            result = product(&result, &base, size);
            result_scale += base_scale;
        }
        base = product(&base, &base, size);
        base_scale *= 2;
        if base[middle] > LARGE {
            base.iter_mut().for_each(|x| *x /= LARGE);
            base_scale += 1;
        }
        if result[middle] > LARGE {
            result.iter_mut().for_each(|x| *x /= LARGE);
            result_scale += 1;
        }
        left /= 2;
    }
    let mut p = result[middle];
    for i in 1..=n {
        p *= i as f64 / n as f64;
        if p < 1.0 / LARGE {
            p *= LARGE;
            result_scale -= 1;
        }
    }
    (0..-result_scale).fold(p, |p, _: i32| p / LARGE) * (0..result_scale).fold(1.0, |p, _| p * LARGE)
}

fn product(a: &[f64], b: &[f64], size: usize) -> Vec<f64> {
    let mut c = vec![0.0; size * size];
    for (row, out) in a.chunks_exact(size).zip(c.chunks_exact_mut(size)) {
        for (factor, other) in row.iter().zip(b.chunks_exact(size)) {
            out.iter_mut().zip(other).for_each(|(c, b)| *c += factor * b);
        }
    }
    c
}

/// The probability that the difference is below x, by an expansion in 1 / √n.
///
/// # References
/// Pelz and Good, 1976, equations as in Simard and L'Ecuyer, 2011, section 2.4.
fn expansion(n: f64, x: f64) -> f64 {
    let z = n.sqrt() * x;
    let z2 = z * z;
    let (z4, z6, z8) = (z2 * z2, z2 * z2 * z2, z2 * z2 * z2 * z2);
    let (mut halves, mut wholes) = ([0.0; 4], [0.0; 2]);
    // Terms beyond have no bits left: their exponent is below −745 for every z of this branch.
    let last = (16.0 * z / PI).ceil() as u32 + 1;
    for k in (0..=last).rev() {
        let a = PI * PI * (f64::from(k) + 0.5) * (f64::from(k) + 0.5);
        let weight = 2.0 * exp(-a / (2.0 * z2));
        let (a2, a3) = (a * a, a * a * a);
        halves[0] += weight;
        halves[1] += weight * (a - z2);
        halves[2] += weight * (6.0 * z6 + 2.0 * z4 + (2.0 * z4 - 5.0 * z2) * a + (1.0 - 2.0 * z2) * a2);
        halves[3] += weight
            * (a3 * (5.0 - 30.0 * z2) + a2 * (-60.0 * z2 + 212.0 * z4) + a * (135.0 * z4 - 96.0 * z6)
                - (30.0 * z6 + 90.0 * z8));
        let b = PI * PI * f64::from(k) * f64::from(k);
        let weight = 2.0 * exp(-b / (2.0 * z2));
        wholes[0] += weight * b;
        wholes[1] += weight * (3.0 * b * z2 - b * b);
    }
    let root = FRAC_PI_2.sqrt();
    let first = root * halves[0] / z;
    let second = root * halves[1] / (6.0 * z4);
    let third = root * (halves[2] / (72.0 * z6 * z) - wholes[0] / (36.0 * z2 * z));
    let fourth = root * (halves[3] / (6480.0 * z8 * z2) + wholes[1] / (216.0 * z6));
    first + second / n.sqrt() + third / n + fourth / (n * n.sqrt())
}

#[cfg(test)]
mod tests {
    use super::survival;

    #[test]
    fn the_distribution_is_that_of_scipy() {
        // scipy.stats.kstwo.sf of SciPy 1.17.1, on both sides of every change of formula.
        let expected: &[(u64, f64, f64)] = include!("kolmogorov.expected");
        for &(n, x, p) in expected {
            let found = survival(n, x);
            let allowed = if n <= 140 { 1e-9 } else { 5e-7 };
            assert!((found - p).abs() < allowed, "{n} {x}: {found}, not {p}");
        }
    }
}
