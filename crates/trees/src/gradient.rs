//! Gradients in fixed point: rounded once per tree to whole numbers, whose sums do not depend on their order.
//!
//! # Rounding
//! The largest |gradient| over all rows, times a power of two, is at most [`LEVELS`] = 2³⁰, and so is every rounded
//! gradient; hessians likewise. These are the *fine* numbers, of which leaf values are made.
//!
//! Histograms add cells that pack what belongs together. Let n be the number of rows of a tree and `b` its bit length,
//! so that n < 2ᵇ. The fine numbers are shifted right (rounding) by `s` bits first:
//!
//! - [`crate::cell::Narrow`], where the hessian is the same for all rows: one 64-bit word, `gradient · 2ᵇ + count`.
//!   The count stays below 2ᵇ, so it never carries into the gradient, and it is never negative, in no sum and in no
//!   difference of a node and its child, so it never borrows. With s = max(0, 2b − 33), |Σ gradients| ≤ n · 2³⁰⁻ˢ
//!   < 2ᵇ · 2⁶³⁻²ᵇ = 2⁶³⁻ᵇ: times 2ᵇ it fits a signed word, with the count.
//! - [`crate::cell::Wide`], where hessians vary: two words, `gradient` and `hessian · 2ᵇ + count`. |Σ gradients| ≤ n · 2³⁰ < 2⁶³ for
//!   n < 2³². With s = max(0, 2b − 34) for hessians, Σ hessians ≤ n · 2³⁰⁻ˢ < 2ᵇ · 2⁶⁴⁻²ᵇ = 2⁶⁴⁻ᵇ: times 2ᵇ it fits an
//!   unsigned word, with the count. A hessian is never negative, so differences do not borrow.
//! - [`crate::cell::Tight`], where gradients and hessians are probabilities, nearly: both keep [`COARSE_BITS`] = 13 bits and share one
//!   word with the count, for up to [`TIGHT_ROWS`] = 4032 rows; then the word is added to a wide cell and cleared. The
//!   count needs 12 of its 13 bits; Σ hessians ≤ 4032 · 2¹³ < 2²⁵ has 25 bits; |Σ gradients| < 2²⁵ has the upper 26, with
//!   the sign. In the wide cell, Σ hessians ≤ n · 2¹³ < 2ᵇ⁺¹³ ≤ 2⁶⁴⁻ᵇ as long as b ≤ 25 ([`MOST_BOUNDED_ROWS`]).
//!   What the 13 bits leave out is not cut off but rounded up in as many rows as its size says , so
//!   that rows with small gradients are not lost where there are many of them.
//!
//! No sum is checked while it is formed; `cell::tests` drives every bound to its end.

use crate::kernels::{AHEAD, prefetch, widest};

/// Largest rounded |gradient| and hessian.
pub const LEVELS: i64 = 1 << 30;
/// Rows of one tree, at most: with more, shifted numbers would have no bit left.
pub const MOST_ROWS: usize = i32::MAX as usize;
/// Bits of the largest number in a [`Coarse`] pair.
pub const COARSE_BITS: u32 = 13;
/// Fine bits that a [`Coarse`] pair lacks.
pub(crate) const COARSE_SHIFT: u32 = LEVELS.ilog2() - COARSE_BITS;
/// Rows whose coarse pairs a tight cell holds.
pub const TIGHT_ROWS: usize = 4032;
/// Rows up to which coarse pairs are made.
pub const MOST_BOUNDED_ROWS: usize = (1 << 25) - 1;

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

/// A gradient of 13 bits and a sign in the upper half, a hessian of 13 bits in the lower.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coarse(u32);

impl Coarse {
    /// Leaves out the last bits of a pair, rounding up where they and the dither make one more.
    #[inline(always)]
    pub(crate) fn of(pair: FixedPair, dither: u32) -> Self {
        // Of the dither's halves each rounds one of the two.
        let (first, second) = ((dither >> 16) << 1, (dither & 0xffff) << 1);
        // Numbers of another scale, which are rounded again, may be beyond the range.
        let gradient = pair.gradient.wrapping_add(first as i32) >> COARSE_SHIFT;
        let hessian = pair.hessian.wrapping_add(second) >> COARSE_SHIFT;
        Coarse((gradient as u32) << 16 | hessian)
    }

    /// The gradient.
    #[inline(always)]
    pub(crate) fn gradient(self) -> i64 {
        i64::from(self.0 as i32 >> 16)
    }

    /// The hessian.
    #[inline(always)]
    pub(crate) fn hessian(self) -> u64 {
        u64::from(self.0 & 0xffff)
    }
}

/// Numbers by row that fill the range of `u32` evenly, for any set of rows that has nothing to do with them: multiples
/// of the golden ratio. `key` moves them by tree.
#[inline(always)]
fn dither(row: u32, key: u32) -> u32 {
    row.wrapping_mul(0x9e37_79b1).wrapping_add(key)
}

/// What is known of the gradients and hessians of all rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Every hessian is this one.
    Constant(f64),
    /// Few rows are far below the largest: 13 bits are enough for sums.
    Bounded,
    /// Nothing.
    Varying,
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
    /// Few rows are far below the largest.
    Bounded {
        /// A pair per row.
        pairs: Vec<FixedPair>,
        /// The same with fewer bits.
        coarse: Vec<Coarse>,
        /// The scales.
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
    /// Gradients of no row yet, to be filled block by block.
    pub fn new(n_rows: usize, kind: Kind) -> Self {
        let units = Units { gradient: 1.0, hessian: 1.0 };
        match kind {
            Kind::Constant(hessian) => {
                FixedGradients::Constant { gradients: vec![0; n_rows], units: Units { hessian, ..units } }
            }
            Kind::Bounded if n_rows <= MOST_BOUNDED_ROWS => {
                let (pairs, coarse) = (vec![FixedPair::default(); n_rows], vec![Coarse::default(); n_rows]);
                FixedGradients::Bounded { pairs, coarse, units }
            }
            Kind::Bounded | Kind::Varying => {
                FixedGradients::Varying { pairs: vec![FixedPair::default(); n_rows], units }
            }
        }
    }

    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        match self {
            FixedGradients::Constant { gradients, .. } => gradients.len(),
            FixedGradients::Bounded { pairs, .. } | FixedGradients::Varying { pairs, .. } => pairs.len(),
        }
    }

    /// What one unit of the fine sums is worth.
    pub fn units(&self) -> Units {
        match self {
            FixedGradients::Constant { units, .. }
            | FixedGradients::Bounded { units, .. }
            | FixedGradients::Varying { units, .. } => *units,
        }
    }

    /// Says by what the rows are scaled that are to come.
    pub fn set_scale(&mut self, scale: Scale) {
        match self {
            FixedGradients::Constant { units, .. } => units.gradient = 1.0 / scale.gradient,
            FixedGradients::Bounded { units, .. } | FixedGradients::Varying { units, .. } => {
                *units = Units { gradient: 1.0 / scale.gradient, hessian: 1.0 / scale.hessian };
            }
        }
    }

    /// The rows in blocks of `size`, to be filled.
    pub fn blocks_mut(&mut self, size: usize) -> Vec<FixedBlock<'_>> {
        match self {
            FixedGradients::Constant { gradients, .. } => {
                gradients.chunks_mut(size).map(FixedBlock::Constant).collect()
            }
            FixedGradients::Bounded { pairs, coarse, .. } => {
                pairs.chunks_mut(size).zip(coarse.chunks_mut(size)).map(|(p, c)| FixedBlock::Bounded(p, c)).collect()
            }
            FixedGradients::Varying { pairs, .. } => pairs.chunks_mut(size).map(FixedBlock::Varying).collect(),
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
            FixedGradients::Bounded { pairs, .. } | FixedGradients::Varying { pairs, .. } => {
                let mut sums = Sums { count, ..Sums::default() };
                for (i, &row) in rows.iter().enumerate() {
                    prefetch(pairs, rows[(i + AHEAD).min(rows.len() - 1)] as usize);
                    let pair = pairs[row as usize];
                    sums.gradient += i64::from(pair.gradient);
                    sums.hessian += u64::from(pair.hessian);
                }
                sums
            }
        }
    }

    /// The sum of the squares of the fine gradients of some rows, as far as histograms know them.
    pub fn squares(&self, rows: impl Iterator<Item = usize>) -> u128 {
        let square = |gradient: i64| u128::from(gradient.unsigned_abs().pow(2));
        match self {
            FixedGradients::Constant { gradients, .. } => rows.map(|row| square(gradients[row].into())).sum(),
            FixedGradients::Bounded { coarse, .. } => {
                let sum: u128 = rows.map(|row| square(coarse[row].gradient())).sum();
                sum << (2 * COARSE_SHIFT)
            }
            FixedGradients::Varying { pairs, .. } => rows.map(|row| square(pairs[row].gradient.into())).sum(),
        }
    }

    /// Fine gradients and hessians of the rows from `start` on by their tags; rows are not counted.
    pub fn sums_by_tag(&self, start: usize, tags: &[u8]) -> [Sums; 256] {
        // Rows of one tag follow each other: in turns they are added to other cells, so that no addition waits for the one before.
        const TURNS: usize = 4;
        let mut sums = [[[0u64; 2]; 256]; TURNS];
        match self {
            FixedGradients::Constant { gradients, .. } => {
                for (i, (&tag, &gradient)) in tags.iter().zip(&gradients[start..]).enumerate() {
                    let sum = &mut sums[i % TURNS][tag as usize];
                    sum[0] = sum[0].wrapping_add(i64::from(gradient) as u64);
                    sum[1] += 1;
                }
            }
            FixedGradients::Bounded { pairs, .. } | FixedGradients::Varying { pairs, .. } => {
                for (i, (&tag, pair)) in tags.iter().zip(&pairs[start..]).enumerate() {
                    let sum = &mut sums[i % TURNS][tag as usize];
                    sum[0] = sum[0].wrapping_add(i64::from(pair.gradient) as u64);
                    sum[1] = sum[1].wrapping_add(u64::from(pair.hessian));
                }
            }
        }
        std::array::from_fn(|tag| {
            let of_turns = sums.iter().map(|s| Sums { gradient: s[tag][0] as i64, hessian: s[tag][1], count: 0 });
            of_turns.fold(Sums::default(), |a, b| a + b)
        })
    }
}

/// One output's fixed gradients of a block of rows.
#[derive(Debug)]
pub enum FixedBlock<'a> {
    /// Of [`FixedGradients::Constant`].
    Constant(&'a mut [i32]),
    /// Of [`FixedGradients::Bounded`].
    Bounded(&'a mut [FixedPair], &'a mut [Coarse]),
    /// Of [`FixedGradients::Varying`].
    Varying(&'a mut [FixedPair]),
}

impl FixedBlock<'_> {
    /// Rounds gradients and hessians to the nearest whole numbers. `ids` are the numbers of the rows wherever they lie,
    /// `key` that of the tree: they decide how coarse pairs are rounded.
    pub fn round(&mut self, gradients: &[f64], hessians: &[f64], scale: Scale, ids: &[u32], key: u32) {
        match self {
            FixedBlock::Constant(fixed) => round_gradients(gradients, scale, fixed),
            FixedBlock::Varying(pairs) => round_pairs(gradients, hessians, scale, pairs),
            FixedBlock::Bounded(pairs, coarse) => {
                round_pairs(gradients, hessians, scale, pairs);
                make_coarse(pairs, ids, key, coarse);
            }
        }
    }
}

widest! {
    fn round_gradients(gradients: &[f64], scale: Scale, fixed: &mut [i32]) {
        fixed.iter_mut().zip(gradients).for_each(|(to, g)| *to = nearest(g * scale.gradient));
    }
}

widest! {
    fn round_pairs(gradients: &[f64], hessians: &[f64], scale: Scale, pairs: &mut [FixedPair]) {
        for ((to, g), h) in pairs.iter_mut().zip(gradients).zip(hessians) {
            *to = FixedPair { gradient: nearest(g * scale.gradient), hessian: nearest(h * scale.hessian) as u32 };
        }
    }
}

widest! {
    fn make_coarse(pairs: &[FixedPair], ids: &[u32], key: u32, coarse: &mut [Coarse]) {
        for ((to, pair), id) in coarse.iter_mut().zip(pairs).zip(ids) {
            *to = Coarse::of(*pair, dither(*id, key));
        }
    }
}

/// What gradients and hessians are multiplied by before they are rounded: powers of two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Of gradients.
    pub gradient: f64,
    /// Of hessians.
    pub hessian: f64,
}

impl Scale {
    /// The largest that brings sizes of up to `largest` to [`LEVELS`] at most.
    pub fn of(largest: GradientPair) -> Self {
        Scale { gradient: scale(largest.gradient), hessian: scale(largest.hessian) }
    }
}

widest! {
    /// The largest of some sizes, of both signs; 0 of none.
    pub fn largest(values: &[f64]) -> f64 {
        // Sizes are ordered as their bits are. Eight at a time, which one maximum after the other is not.
        let size = |x: &f64| x.to_bits() & (u64::MAX >> 1);
        let mut most = [0u64; 8];
        let (blocks, rest) = values.as_chunks::<8>();
        for block in blocks {
            most.iter_mut().zip(block).for_each(|(most, x)| *most = if size(x) > *most { size(x) } else { *most });
        }
        f64::from_bits(rest.iter().map(size).chain(most).fold(0, u64::max))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{rounded, uniform};
    use tabwright_model::kernels::both;

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

    #[test]
    fn rounding_is_to_the_nearest() {
        let pair = |gradient, hessian| GradientPair { gradient, hessian };
        let pairs = [pair(1.0, 0.25), pair(-0.5, 0.125), pair(0.3, 0.2)];
        let fixed = rounded(&pairs, Kind::Varying);
        let FixedGradients::Varying { pairs: found, units } = &fixed else { panic!("hessians vary") };
        assert_eq!(found[0], FixedPair { gradient: 1 << 30, hessian: 1 << 30 });
        assert_eq!(found[1], FixedPair { gradient: -(1 << 29), hessian: 1 << 29 });
        assert_eq!(f64::from(found[1].gradient) * units.gradient, -0.5);
        assert!((f64::from(found[2].hessian) * units.hessian - 0.2).abs() <= units.hessian / 2.0);
        let constant = rounded(&pairs, Kind::Constant(1.0));
        assert_eq!(constant.sums(&[0, 1]), Sums { gradient: 1 << 29, hessian: 2, count: 2 });
        assert_eq!(constant.units().hessian, 1.0);
    }

    #[test]
    fn coarse_pairs_are_right_on_average() {
        let n = 1 << 16;
        // One large row, and many that 13 bits cannot tell from 0 or from each other.
        let small = |r: usize| GradientPair { gradient: -1e-5 * (1.0 + (r % 3) as f64), hessian: 2e-5 };
        let pairs: Vec<GradientPair> =
            (0..n).map(|r| if r == 0 { GradientPair { gradient: 1.0, hessian: 1.0 } } else { small(r) }).collect();
        let FixedGradients::Bounded { pairs: fine, coarse, .. } = rounded(&pairs, Kind::Bounded) else {
            panic!("13 bits are enough")
        };
        for class in 0..3 {
            let rows: Vec<usize> = (1..n).filter(|r| r % 3 == class).collect();
            let exact = |value: fn(&FixedPair) -> f64| rows.iter().map(|&r| value(&fine[r])).sum::<f64>();
            let coarse = |value: fn(&Coarse) -> f64| rows.iter().map(|&r| value(&coarse[r])).sum::<f64>();
            let unit = f64::from(1u32 << COARSE_SHIFT);
            let (exact_g, exact_h) = (exact(|p| f64::from(p.gradient)), exact(|p| f64::from(p.hessian)));
            let (found_g, found_h) = (unit * coarse(|p| p.gradient() as f64), unit * coarse(|p| p.hessian() as f64));
            assert!((found_g / exact_g - 1.0).abs() < 0.02, "{found_g} {exact_g}");
            assert!((found_h / exact_h - 1.0).abs() < 0.02, "{found_h} {exact_h}");
        }
    }

    #[test]
    fn the_largest_size_is_found_wherever_it_is() {
        for n in 1..20 {
            for at in 0..n {
                let mut values = vec![0.5; n];
                values[at] = -3.0;
                assert_eq!(largest(&values), 3.0);
            }
        }
        assert_eq!(largest(&[]), 0.0);
    }

    #[test]
    fn wide_vectors_and_none_round_alike() {
        let noise = uniform(5);
        let pairs: Vec<GradientPair> =
            (0..1_003).map(|r| GradientPair { gradient: noise(r) - 0.5, hessian: noise(r + 5_000) }).collect();
        for kind in [Kind::Constant(1.0), Kind::Bounded, Kind::Varying] {
            let (wide, plain) = both(|| rounded(&pairs, kind));
            assert_eq!(wide, plain);
        }
    }
}
