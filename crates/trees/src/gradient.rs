//! Gradients in fixed point: rounded once per tree to whole numbers, whose sums do not depend on their order.
//!
//! # Rounding
//! The largest |gradient| over all rows, times a power of two, is at most [`LEVELS`] = 2³⁰, and so is every rounded
//! gradient; hessians likewise. These are the *fine* numbers, of which leaf values are made.
//!
//! Histograms add cells that pack what belongs together. Let n be the number of rows of a tree and `b` its bit length,
//! so that n < 2ᵇ. The fine numbers are shifted right (rounding) by `s` bits first:
//!
//! - [`Narrow`], where the hessian is the same for all rows: one 64-bit word, `gradient · 2ᵇ + count`.
//!   The count stays below 2ᵇ, so it never carries into the gradient, and it is never negative, in no sum and in no
//!   difference of a node and its child, so it never borrows. With s = max(0, 2b − 33), |Σ gradients| ≤ n · 2³⁰⁻ˢ
//!   < 2ᵇ · 2⁶³⁻²ᵇ = 2⁶³⁻ᵇ: times 2ᵇ it fits a signed word, with the count.
//! - [`Wide`], where hessians vary: two words, `gradient` and `hessian · 2ᵇ + count`. |Σ gradients| ≤ n · 2³⁰ < 2⁶³ for
//!   n < 2³². With s = max(0, 2b − 34) for hessians, Σ hessians ≤ n · 2³⁰⁻ˢ < 2ᵇ · 2⁶⁴⁻²ᵇ = 2⁶⁴⁻ᵇ: times 2ᵇ it fits an
//!   unsigned word, with the count. A hessian is never negative, so differences do not borrow.
//!
//! No sum is checked while it is formed; `tests::the_heaviest_sums_fit` drives every bound to its end.

use std::ops::Range;

use rayon::prelude::*;
use tabwright_core::rows::BLOCK_ROWS;

/// Largest rounded |gradient| and hessian.
pub const LEVELS: i64 = 1 << 30;
/// Rows of one tree, at most: with more, shifted numbers would have no bit left.
pub const MOST_ROWS: usize = i32::MAX as usize;

/// Gradient and hessian of one row and output.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GradientPair {
    /// First derivative of the loss by the raw score.
    pub gradient: f64,
    /// Second derivative, never negative.
    pub hessian: f64,
}

/// Sums over rows, in fixed point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Of gradients.
    pub gradient: i64,
    /// Of hessians; where those are all the same, the number of rows.
    pub hessian: u64,
    /// Number of rows.
    pub count: u64,
}

impl std::ops::Add for Sums {
    type Output = Sums;

    fn add(self, other: Sums) -> Sums {
        Sums {
            gradient: self.gradient + other.gradient,
            hessian: self.hessian + other.hessian,
            count: self.count + other.count,
        }
    }
}

impl std::ops::Sub for Sums {
    type Output = Sums;

    fn sub(self, other: Sums) -> Sums {
        Sums {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            count: self.count - other.count,
        }
    }
}

/// What one unit of fixed-point sums is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Units {
    /// Of gradients.
    pub gradient: f64,
    /// Of hessians.
    pub hessian: f64,
}

/// One row in fixed point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FixedPair {
    /// The gradient, at most [`LEVELS`] in size.
    pub gradient: i32,
    /// The hessian, at most [`LEVELS`].
    pub hessian: u32,
}

/// Gradients of all rows for one tree, in fixed point.
#[derive(Debug, Clone, PartialEq)]
pub enum FixedGradients {
    /// Every hessian is the same.
    Constant {
        /// A gradient per row.
        gradients: Vec<i32>,
        /// The scale of the gradients, and the hessian.
        units: Units,
    },
    /// Hessians vary.
    Varying {
        /// A pair per row.
        pairs: Vec<FixedPair>,
        /// The scales.
        units: Units,
    },
}

impl FixedGradients {
    /// Gradients of no row yet, to be filled by [`round`].
    pub fn new(n_rows: usize, is_constant: bool) -> Self {
        let units = Units { gradient: 1.0, hessian: 1.0 };
        match is_constant {
            true => FixedGradients::Constant { gradients: vec![0; n_rows], units },
            false => FixedGradients::Varying { pairs: vec![FixedPair::default(); n_rows], units },
        }
    }

    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        match self {
            FixedGradients::Constant { gradients, .. } => gradients.len(),
            FixedGradients::Varying { pairs, .. } => pairs.len(),
        }
    }

    /// What one unit of the fine sums is worth.
    pub fn units(&self) -> Units {
        match self {
            FixedGradients::Constant { units, .. } | FixedGradients::Varying { units, .. } => *units,
        }
    }

    /// Fine sums over some rows.
    pub fn sums(&self, rows: &[u32]) -> Sums {
        let count = rows.len() as u64;
        match self {
            FixedGradients::Constant { gradients, .. } => {
                let gradient = rows.iter().map(|&r| i64::from(gradients[r as usize])).sum();
                Sums { gradient, hessian: count, count }
            }
            FixedGradients::Varying { pairs, .. } => {
                let mut sums = Sums { count, ..Sums::default() };
                for pair in rows.iter().map(|&r| pairs[r as usize]) {
                    sums.gradient += i64::from(pair.gradient);
                    sums.hessian += u64::from(pair.hessian);
                }
                sums
            }
        }
    }
}

/// Gradients and hessians of a block of rows: `rows` says which, the slice is row-major `(n_rows, n_outputs)`.
pub trait Derivatives: Fn(Range<usize>, &mut [GradientPair]) + Sync {}

impl<T: Fn(Range<usize>, &mut [GradientPair]) + Sync> Derivatives for T {}

/// Largest |gradient| and hessian over all rows, by output.
pub fn largest(n_rows: usize, n_outputs: usize, derivatives: &impl Derivatives) -> Vec<GradientPair> {
    let none = || vec![GradientPair::default(); n_outputs];
    let larger = |a: f64, b: f64| if b > a { b } else { a };
    let merge = |mut a: Vec<GradientPair>, b: &[GradientPair]| {
        for (a, b) in a.iter_mut().zip(b) {
            a.gradient = larger(a.gradient, b.gradient.abs());
            a.hessian = larger(a.hessian, b.hessian);
        }
        a
    };
    let starts = (0..n_rows).into_par_iter().step_by(BLOCK_ROWS);
    let blocks = starts.map_init(Vec::new, |pairs, start| {
        let rows = start..(start + BLOCK_ROWS).min(n_rows);
        pairs.resize(rows.len() * n_outputs, GradientPair::default());
        derivatives(rows, pairs);
        pairs.chunks_exact(n_outputs).fold(none(), merge)
    });
    blocks.reduce(none, |a, b| merge(a, &b))
}

/// Rounds the gradients of all rows, for each output into its own; `largest` are at least their largest sizes. Where the
/// hessian is constant, it is what they all are.
///
/// # Determinism
/// The scale comes from the largest sizes over all rows, which do not depend on any order.
pub fn round(
    fixed: &mut [FixedGradients],
    largest: &[GradientPair],
    constant_hessian: Option<f64>,
    derivatives: &impl Derivatives,
) {
    let n_outputs = fixed.len();
    let scales: Vec<(f64, f64)> = largest.iter().map(|l| (scale(l.gradient), scale(l.hessian))).collect();
    // The parts of every output that belong to one block of rows.
    let mut blocks: Vec<(Range<usize>, Vec<Part<'_>>)> = Vec::new();
    for (output, fixed) in fixed.iter_mut().enumerate() {
        let n_rows = fixed.n_rows();
        let units = Units { gradient: 1.0 / scales[output].0, hessian: 1.0 / scales[output].1 };
        let parts: Vec<Part<'_>> = match fixed {
            FixedGradients::Constant { gradients, units: own } => {
                *own = Units { hessian: constant_hessian.unwrap_or(1.0), ..units };
                gradients.chunks_mut(BLOCK_ROWS).map(Part::Constant).collect()
            }
            FixedGradients::Varying { pairs, units: own } => {
                *own = units;
                pairs.chunks_mut(BLOCK_ROWS).map(Part::Varying).collect()
            }
        };
        if output == 0 {
            let rows = (0..n_rows).step_by(BLOCK_ROWS).map(|start| start..(start + BLOCK_ROWS).min(n_rows));
            blocks = rows.map(|rows| (rows, Vec::with_capacity(n_outputs))).collect();
        }
        blocks.iter_mut().zip(parts).for_each(|((_, all), part)| all.push(part));
    }
    blocks.into_par_iter().for_each_init(Vec::new, |pairs, (rows, parts)| {
        pairs.resize(rows.len() * n_outputs, GradientPair::default());
        derivatives(rows, pairs);
        for (output, part) in parts.into_iter().enumerate() {
            let (gradient_scale, hessian_scale) = scales[output];
            let of_output = pairs[output..].iter().step_by(n_outputs);
            match part {
                Part::Constant(gradients) => {
                    gradients.iter_mut().zip(of_output).for_each(|(g, p)| *g = nearest(p.gradient * gradient_scale));
                }
                Part::Varying(fixed) => fixed.iter_mut().zip(of_output).for_each(|(to, p)| {
                    to.gradient = nearest(p.gradient * gradient_scale);
                    to.hessian = nearest(p.hessian * hessian_scale) as u32;
                }),
            }
        }
    });
}

/// One output's gradients of a block of rows.
enum Part<'a> {
    Constant(&'a mut [i32]),
    Varying(&'a mut [FixedPair]),
}

/// The nearest whole number, the even one of two; for sizes below 2³¹. No call and no branch.
#[inline]
fn nearest(x: f64) -> i32 {
    // The sum has no bits for fractions; its lowest ones hold the number, in two's complement.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    (x + ROUND).to_bits() as i32
}

/// The largest power of two that brings sizes of up to `largest` to [`LEVELS`] at most.
fn scale(largest: f64) -> f64 {
    power_of_two_scale(largest, LEVELS.ilog2())
}

/// The largest power of two that brings sizes of up to `largest` to 2 to the power of `bits` at most.
pub(crate) fn power_of_two_scale(largest: f64, bits: u32) -> f64 {
    // Beyond these exponents a power of two or its inverse is no normal number.
    const EXPONENTS: std::ops::RangeInclusive<i64> = -1_000..=1_000;
    if largest == 0.0 {
        return 1.0;
    }
    // largest < 2^(exponent + 1), and equal to 2^exponent only if all other bits are 0.
    let pattern = largest.to_bits();
    let exponent = ((pattern >> 52) & 0x7ff) as i64 - 1023;
    let is_power = pattern & ((1 << 52) - 1) == 0;
    let shift = i64::from(bits) - exponent - i64::from(!is_power);
    f64::from_bits(((shift.clamp(*EXPONENTS.start(), *EXPONENTS.end()) + 1023) as u64) << 52)
}

/// How the cells of a tree's histograms pack their sums; see the head of this file for the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// Bits of the count.
    pub count_bits: u32,
    /// Bits that fine numbers lose before they are added.
    pub shift: u32,
}

impl Packing {
    /// Packing of the sums of up to `n_rows` rows in narrow cells.
    pub fn narrow(n_rows: usize) -> Self {
        let count_bits = bit_length(n_rows);
        Packing { count_bits, shift: (2 * count_bits).saturating_sub(33) }
    }

    /// Packing of the sums of up to `n_rows` rows in wide cells.
    pub fn wide(n_rows: usize) -> Self {
        let count_bits = bit_length(n_rows);
        Packing { count_bits, shift: (2 * count_bits).saturating_sub(34) }
    }

    /// Half a unit in the last place that is kept.
    fn half(self) -> i64 {
        (1i64 << self.shift) >> 1
    }

    fn mask(self) -> u64 {
        (1 << self.count_bits) - 1
    }
}

fn bit_length(n: usize) -> u32 {
    usize::BITS - n.leading_zeros()
}

/// A cell of a histogram.
pub trait Cell: Copy + Default + Send + Sync + PartialEq + std::fmt::Debug {
    /// Adds sums.
    fn add(&mut self, other: Self);
    /// Takes the sums of a part away.
    fn subtract(&mut self, other: Self);
    /// What is in it.
    fn sums(self, packing: Packing) -> Sums;
    /// Whether no row is in it: a quick look.
    fn is_empty(self, packing: Packing) -> bool;
}

/// Sums of gradients and a count, for constant hessians.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Narrow(u64);

impl Narrow {
    /// The cell of one row.
    #[inline]
    pub fn of(gradient: i32, packing: Packing) -> Self {
        let gradient = (i64::from(gradient) + packing.half()) >> packing.shift;
        Narrow(((gradient << packing.count_bits) as u64).wrapping_add(1))
    }
}

impl Cell for Narrow {
    #[inline]
    fn add(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    #[inline]
    fn subtract(&mut self, other: Self) {
        self.0 = self.0.wrapping_sub(other.0);
    }

    #[inline]
    fn sums(self, packing: Packing) -> Sums {
        let count = self.0 & packing.mask();
        Sums { gradient: self.0 as i64 >> packing.count_bits, hessian: count, count }
    }

    #[inline]
    fn is_empty(self, packing: Packing) -> bool {
        self.0 & packing.mask() == 0
    }
}

/// Sums of gradients, of hessians, and a count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wide([u64; 2]);

impl Wide {
    /// The cell of one row.
    #[inline]
    pub fn of(pair: FixedPair, packing: Packing) -> Self {
        let hessian = (u64::from(pair.hessian) + packing.half() as u64) >> packing.shift;
        Wide([i64::from(pair.gradient) as u64, hessian << packing.count_bits | 1])
    }
}

impl Cell for Wide {
    #[inline]
    fn add(&mut self, other: Self) {
        self.0[0] = self.0[0].wrapping_add(other.0[0]);
        self.0[1] = self.0[1].wrapping_add(other.0[1]);
    }

    #[inline]
    fn subtract(&mut self, other: Self) {
        self.0[0] = self.0[0].wrapping_sub(other.0[0]);
        self.0[1] = self.0[1].wrapping_sub(other.0[1]);
    }

    #[inline]
    fn sums(self, packing: Packing) -> Sums {
        let (hessian, count) = (self.0[1] >> packing.count_bits, self.0[1] & packing.mask());
        Sums { gradient: self.0[0] as i64, hessian, count }
    }

    #[inline]
    fn is_empty(self, packing: Packing) -> bool {
        self.0[1] & packing.mask() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_the_largest_that_fit() {
        for largest in [1.0, 0.5, 0.75, 3.0, 1e300, 1e-300, f64::MIN_POSITIVE, f64::MAX, 5e-324] {
            let scaled = largest * scale(largest);
            assert!(scaled <= LEVELS as f64, "{largest}");
            if (1e-200..1e200).contains(&largest) {
                assert!(2.0 * scaled > LEVELS as f64, "{largest}");
            }
        }
        assert_eq!(scale(1.0), LEVELS as f64);
        assert_eq!(scale(0.0), 1.0);
    }

    /// Adds `n` equal cells without adding them one by one.
    fn times<C: Cell>(cell: C, n: usize) -> C {
        let (mut sum, mut power) = (C::default(), cell);
        for bit in 0..usize::BITS - n.leading_zeros() {
            if n >> bit & 1 == 1 {
                sum.add(power);
            }
            power.add(power);
        }
        sum
    }

    #[test]
    fn the_heaviest_sums_fit() {
        for n in [1, 2, 3, 100, 65_535, 65_536, 131_071, 131_072, 1_000_000, 10_000_000, 1 << 28, MOST_ROWS] {
            for gradient in [LEVELS as i32, -(LEVELS as i32), 0, 1, -1] {
                let packing = Packing::narrow(n);
                let one = Narrow::of(gradient, packing).sums(packing);
                let sums = times(Narrow::of(gradient, packing), n).sums(packing);
                assert_eq!(sums.count, n as u64, "{n} rows of {gradient}");
                assert_eq!(sums.gradient, one.gradient * n as i64, "{n} rows of {gradient}");
                for hessian in [LEVELS as u32, 0, 1] {
                    let packing = Packing::wide(n);
                    let pair = FixedPair { gradient, hessian };
                    let one = Wide::of(pair, packing).sums(packing);
                    let sums = times(Wide::of(pair, packing), n).sums(packing);
                    assert_eq!(sums.count, n as u64, "{n} rows of {pair:?}");
                    assert_eq!(sums.gradient, i64::from(gradient) * n as i64, "{n} rows of {pair:?}");
                    assert_eq!(sums.hessian, one.hessian * n as u64, "{n} rows of {pair:?}");
                }
            }
        }
    }

    #[test]
    fn extremes_of_both_signs_leave_an_exact_difference() {
        let n = 1_000_000;
        let packing = Packing::narrow(n);
        let up = times(Narrow::of(LEVELS as i32, packing), n / 2);
        let down = times(Narrow::of(-(LEVELS as i32), packing), n / 2);
        let mut node = up;
        node.add(down);
        assert_eq!(node.sums(packing), Sums { gradient: 0, hessian: n as u64, count: n as u64 });
        node.subtract(up);
        assert_eq!(node, down);
        node.subtract(down);
        assert_eq!(node, Narrow::default());
    }

    #[test]
    fn a_million_rows_keep_millions_of_levels() {
        assert_eq!(LEVELS >> Packing::narrow(1_000_000).shift, 1 << 23);
        assert_eq!(LEVELS >> Packing::wide(1_000_000).shift, 1 << 24);
        assert_eq!(Packing::narrow(65_535).shift, 0);
    }

    #[test]
    fn rounding_is_to_the_nearest_and_each_output_has_its_own_scale() {
        let pair = |gradient, hessian| GradientPair { gradient, hessian };
        let pairs = [pair(1.0, 0.25), pair(-8.0, 2.0), pair(-0.5, 0.125), pair(2.0, 1.0)];
        let derivatives = |rows: Range<usize>, out: &mut [GradientPair]| {
            out.copy_from_slice(&pairs[2 * rows.start..2 * rows.end]);
        };
        let mut fixed = vec![FixedGradients::new(2, false), FixedGradients::new(2, true)];
        round(&mut fixed, &largest(2, 2, &derivatives), Some(1.0), &derivatives);
        let FixedGradients::Varying { pairs: first, units } = &fixed[0] else {
            panic!("hessians vary");
        };
        assert_eq!(first[0], FixedPair { gradient: 1 << 30, hessian: 1 << 30 });
        assert_eq!(first[1], FixedPair { gradient: -(1 << 29), hessian: 1 << 29 });
        assert_eq!(f64::from(first[1].gradient) * units.gradient, -0.5);
        assert_eq!(f64::from(first[1].hessian) * units.hessian, 0.125);
        let second = &fixed[1];
        assert_eq!(second.sums(&[0, 1]), Sums { gradient: (-3 << 30) / 4, hessian: 2, count: 2 });
        assert_eq!(second.units().hessian, 1.0);
    }
}
