//! Cells of histograms: sums of gradients, hessians and counts, packed into words. `gradient` has the bounds.

use crate::gradient::{COARSE_BITS, COARSE_SHIFT, Coarse, FixedGradients, FixedPair, Sums, Units};

/// How the cells of a tree's histograms pack their sums; see the head of this file for the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// Bits of the count.
    pub count_bits: u32,
    /// Bits that fine gradients lose before they are added.
    pub gradient_shift: u32,
    /// Bits that fine hessians lose before they are added.
    pub hessian_shift: u32,
}

impl Packing {
    /// Packing of the sums of up to `n_rows` rows of a tree.
    pub fn new(gradients: &FixedGradients, n_rows: usize) -> Self {
        match gradients {
            FixedGradients::Constant { .. } => Packing::narrow(n_rows),
            FixedGradients::Bounded { .. } => Packing::bounded(n_rows),
            FixedGradients::Varying { .. } => Packing::wide(n_rows),
        }
    }

    fn narrow(n_rows: usize) -> Self {
        let count_bits = bit_length(n_rows);
        Packing { count_bits, gradient_shift: (2 * count_bits).saturating_sub(33), hessian_shift: 0 }
    }

    fn wide(n_rows: usize) -> Self {
        let count_bits = bit_length(n_rows);
        Packing { count_bits, gradient_shift: 0, hessian_shift: (2 * count_bits).saturating_sub(34) }
    }

    fn bounded(n_rows: usize) -> Self {
        Packing { count_bits: bit_length(n_rows), gradient_shift: COARSE_SHIFT, hessian_shift: COARSE_SHIFT }
    }

    /// What one unit of packed sums is worth, where one of the fine sums is worth `fine`.
    pub fn units(self, fine: Units) -> Units {
        let factor = |shift: u32| (1u64 << shift) as f64;
        Units {
            gradient: fine.gradient * factor(self.gradient_shift),
            hessian: fine.hessian * factor(self.hessian_shift),
        }
    }

    fn mask(self) -> u64 {
        (1 << self.count_bits) - 1
    }
}

/// Half a unit in the last place that is kept.
fn half(shift: u32) -> i64 {
    (1i64 << shift) >> 1
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
}

/// Sums of gradients and a count, for constant hessians.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Narrow(u64);

impl Narrow {
    /// The cell of one row.
    #[inline]
    pub fn of(gradient: i32, packing: Packing) -> Self {
        let gradient = (i64::from(gradient) + half(packing.gradient_shift)) >> packing.gradient_shift;
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
}

/// Sums of gradients, of hessians, and a count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(align(16))]
pub struct Wide([u64; 2]);

impl Wide {
    /// The cell of one row.
    #[inline]
    pub fn of(pair: FixedPair, packing: Packing) -> Self {
        let hessian = (u64::from(pair.hessian) + half(packing.hessian_shift) as u64) >> packing.hessian_shift;
        Wide([i64::from(pair.gradient) as u64, hessian << packing.count_bits | 1])
    }

    /// The cell of one row with fewer bits.
    #[inline(always)]
    pub fn of_coarse(pair: Coarse, packing: Packing) -> Self {
        Wide([pair.gradient() as u64, pair.hessian() << packing.count_bits | 1])
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
}

/// Sums of up to [`crate::gradient::TIGHT_ROWS`] coarse pairs in one word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tight(u64);

/// Bits of the count of a tight cell, and of the count and the hessian together.
const TIGHT_COUNT: u32 = COARSE_BITS;
const TIGHT_HESSIAN: u32 = 38;

impl Tight {
    /// The cell of one row.
    #[inline(always)]
    pub fn of(pair: Coarse) -> Self {
        Tight(((pair.gradient() << TIGHT_HESSIAN) as u64).wrapping_add(pair.hessian() << TIGHT_COUNT | 1))
    }

    /// Adds the pair of another row.
    #[inline(always)]
    pub fn add(&mut self, other: Tight) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// The same sums in a wide cell.
    #[inline(always)]
    pub fn widen(self, packing: Packing) -> Wide {
        let (hessian, count) =
            (self.0 >> TIGHT_COUNT & ((1 << (TIGHT_HESSIAN - TIGHT_COUNT)) - 1), self.0 & ((1 << TIGHT_COUNT) - 1));
        Wide([(self.0 as i64 >> TIGHT_HESSIAN) as u64, hessian << packing.count_bits | count])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient::{LEVELS, MOST_BOUNDED_ROWS, MOST_ROWS, TIGHT_ROWS};

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
        assert_eq!(LEVELS >> Packing::narrow(1_000_000).gradient_shift, 1 << 23);
        assert_eq!(LEVELS >> Packing::wide(1_000_000).hessian_shift, 1 << 24);
        assert_eq!(Packing::narrow(65_535).gradient_shift, 0);
    }

    #[test]
    fn the_heaviest_tight_sums_fit() {
        let coarse = |gradient: i32, hessian: u32| {
            let pair = FixedPair { gradient: gradient * (1 << COARSE_SHIFT), hessian: hessian << COARSE_SHIFT };
            let found = Coarse::of(pair, 0);
            assert_eq!((found.gradient(), found.hessian()), (i64::from(gradient), u64::from(hessian)));
            found
        };
        let most = 1 << COARSE_BITS;
        for gradient in [most, -most, 0, 1, -1] {
            for hessian in [most as u32, 0, 1] {
                let mut tight = Tight::default();
                (0..TIGHT_ROWS).for_each(|_| tight.add(Tight::of(coarse(gradient, hessian))));
                for n in [TIGHT_ROWS, 1_000_000, MOST_BOUNDED_ROWS] {
                    let packing = Packing::bounded(n);
                    let wide = tight.widen(packing);
                    let rows = TIGHT_ROWS as u64;
                    let once = Sums {
                        gradient: i64::from(gradient) * rows as i64,
                        hessian: u64::from(hessian) * rows,
                        count: rows,
                    };
                    assert_eq!(wide.sums(packing), once);
                    // As often as there are rows.
                    let times_n = n / TIGHT_ROWS;
                    let sums = times(wide, times_n).sums(packing);
                    assert_eq!(sums.hessian, once.hessian * times_n as u64);
                    assert_eq!(sums.gradient, once.gradient * times_n as i64);
                    assert_eq!(sums.count, once.count * times_n as u64);
                }
            }
        }
    }
}
