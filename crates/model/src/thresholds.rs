//! Finding a number among sorted thresholds: what binning and compiled trees do with every value.

use crate::widest;

/// Thresholds, at most: with 16 bits for how many lie below a number, one is left for a missing value.
pub const BELOW_MOST: usize = u16::MAX as usize - 1;

/// Cells of the table that says where to look among thresholds, at most.
const MOST_CELLS: usize = 4096;
/// Numbers whose cells are found together.
const TOGETHER: usize = 64;
/// Cells per threshold, about.
const CELLS_PER_THRESHOLD: usize = 8;

/// The thresholds of a feature, and a table that finds a number among them with a few comparisons.
///
/// The table divides the range of the thresholds into equal cells, of values or of their bit patterns, whichever leaves
/// fewer thresholds in the fullest cell. Either way a larger number is never in an earlier cell, so all thresholds of
/// earlier cells lie below it, and those of its own are halved: as often as the fullest needs, so that no branch depends on
/// the number.
#[derive(Debug, Clone)]
pub struct Thresholds {
    /// Ascending, and as many beyond all numbers at the end as the last halvings may look at.
    sorted: Vec<f64>,
    n_halvings: u32,
    scale: Scale,
    /// For each cell how many thresholds lie in earlier ones.
    starts: Box<[u16; MOST_CELLS]>,
}

/// Where a number lies in the table.
#[derive(Debug, Clone, Copy)]
enum Scale {
    Values(ByValue),
    Bits(ByBits),
}

impl Thresholds {
    /// Of ascending, distinct, finite thresholds; up to [`BELOW_MOST`] of them.
    ///
    /// # Panics
    /// If there are more.
    pub fn new(sorted: &[f64]) -> Self {
        assert!(sorted.len() <= BELOW_MOST, "invariant: numbers of thresholds have 16 bits");
        let n_cells = (sorted.len() * CELLS_PER_THRESHOLD).next_power_of_two().min(MOST_CELLS);
        let (low, high) = (sorted.first().copied().unwrap_or(0.0), sorted.last().copied().unwrap_or(0.0));
        let width = (high / n_cells as f64) - (low / n_cells as f64);
        let per_cell = if width > 0.0 && (1.0 / width).is_finite() { 1.0 / width } else { 0.0 };
        let by_value = ByValue { low, per_cell, last: (n_cells - 1) as f64 };
        let distance = ordered(high) - ordered(low);
        let shift = (u64::BITS - distance.leading_zeros()).saturating_sub(n_cells.ilog2());
        let by_bits = ByBits { low: ordered(low), shift, last: n_cells - 1 };
        let scale = match (by_value.fullest(sorted), by_bits.fullest(sorted)) {
            (values, bits) if values <= bits => Scale::Values(by_value),
            _ => Scale::Bits(by_bits),
        };
        let (starts, fullest) = match scale {
            Scale::Values(cells) => (cells.starts(sorted), cells.fullest(sorted)),
            Scale::Bits(cells) => (cells.starts(sorted), cells.fullest(sorted)),
        };
        let n_halvings = usize::BITS - fullest.leading_zeros();
        let beyond = vec![f64::INFINITY; 1 << n_halvings];
        Thresholds { sorted: [sorted, &beyond].concat(), n_halvings, scale, starts }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sorted.len() - (1 << self.n_halvings)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of a threshold that is among them.
    pub fn position(&self, threshold: f64) -> u16 {
        self.sorted.partition_point(|t| *t < threshold + 0.0) as u16
    }

    /// How many thresholds lie below a number; means nothing for NaN.
    pub fn below(&self, x: f64) -> u16 {
        let mut found = 0;
        self.each_below(&[x], |_, n_below| found = n_below);
        found
    }

    /// Does something with each number and its count, as [`Thresholds::below`].
    #[inline]
    pub fn each_below(&self, numbers: &[f64], mut visit: impl FnMut(f64, u16)) {
        if let [x] = numbers {
            // A row alone: nothing is set aside for more.
            let cell = match self.scale {
                Scale::Values(scale) => scale.cell(*x),
                Scale::Bits(scale) => scale.cell(*x),
            };
            return self.count(numbers, &[cell as u64], &mut visit, self.n_halvings.max(1));
        }
        let mut cells = [0; TOGETHER];
        for numbers in numbers.chunks(TOGETHER) {
            let cells = &mut cells[..numbers.len()];
            match self.scale {
                Scale::Values(scale) => by_value(scale, numbers, cells),
                Scale::Bits(scale) => by_bits(scale, numbers, cells),
            }
            // The halvings that most features need are unrolled.
            match self.n_halvings {
                0 | 1 => self.count(numbers, cells, &mut visit, 1),
                2 => self.count(numbers, cells, &mut visit, 2),
                3 => self.count(numbers, cells, &mut visit, 3),
                n => self.count(numbers, cells, &mut visit, n),
            }
        }
    }

    #[inline(always)]
    fn count(&self, numbers: &[f64], cells: &[u64], visit: &mut impl FnMut(f64, u16), n_halvings: u32) {
        let (starts, sorted) = (&*self.starts, &self.sorted[..]);
        for (&x, &cell) in numbers.iter().zip(cells) {
            let mut n_below = starts[cell as usize % MOST_CELLS] as usize;
            for halving in (0..n_halvings).rev() {
                let middle = sorted[n_below + (1 << halving) - 1];
                n_below += usize::from(middle < x) << halving;
            }
            visit(x, n_below as u16);
        }
    }
}

widest! {
    /// The cells of numbers, several at a time.
    fn by_value(scale: ByValue, numbers: &[f64], cells: &mut [u64]) {
        numbers.iter().zip(cells).for_each(|(x, cell)| *cell = scale.cell(*x) as u64);
    }
}

widest! {
    /// The same.
    fn by_bits(scale: ByBits, numbers: &[f64], cells: &mut [u64]) {
        numbers.iter().zip(cells).for_each(|(x, cell)| *cell = scale.cell(*x) as u64);
    }
}

/// Cells of a table: a larger number is never in an earlier one.
trait Cells: Copy {
    /// The cell of a number.
    fn cell(self, x: f64) -> usize;

    /// The most thresholds that share a cell.
    fn fullest(self, sorted: &[f64]) -> usize {
        sorted.chunk_by(|a, b| self.cell(*a) == self.cell(*b)).map(<[f64]>::len).max().unwrap_or(0)
    }

    /// For each cell how many thresholds lie in earlier ones.
    fn starts(self, sorted: &[f64]) -> Box<[u16; MOST_CELLS]> {
        let mut starts = Box::new([sorted.len() as u16; MOST_CELLS]);
        let mut cell = 0;
        for (i, threshold) in sorted.iter().enumerate() {
            let own = self.cell(*threshold);
            if own >= cell {
                starts[cell..=own].fill(i as u16);
                cell = own + 1;
            }
        }
        starts
    }
}

/// Equal steps of the value.
#[derive(Debug, Clone, Copy)]
struct ByValue {
    low: f64,
    per_cell: f64,
    last: f64,
}

impl Cells for ByValue {
    #[inline(always)]
    fn cell(self, x: f64) -> usize {
        /// Numbers of this size have no digits after the point: their last bits are a whole number.
        const WHOLE: f64 = (1u64 << 52) as f64;
        let at = (x - self.low) * self.per_cell;
        // NaN is in the first.
        let at = if at > 0.0 { at } else { 0.0 };
        let at = if at < self.last { at } else { self.last };
        (at + WHOLE).to_bits() as usize % MOST_CELLS
    }
}

/// Equal steps of the bit pattern.
#[derive(Debug, Clone, Copy)]
struct ByBits {
    low: u64,
    shift: u32,
    last: usize,
}

impl Cells for ByBits {
    #[inline(always)]
    fn cell(self, x: f64) -> usize {
        ((ordered(x + 0.0).saturating_sub(self.low) >> self.shift) as usize).min(self.last)
    }
}

/// The bits of a number, in the order of the numbers.
#[inline]
fn ordered(x: f64) -> u64 {
    let bits = x.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_thresholds_below_are_counted(
            sorted in prop::collection::btree_set(any::<i16>(), 1..900),
            power in 0u8..40,
        ) {
            // From evenly spaced to heavy tails.
            let number = |i: i16| f64::from(i) * f64::powi(1.3, i32::from(power) * i32::from(i.unsigned_abs()) / 32_768);
            let sorted: Vec<f64> = sorted.into_iter().map(number).collect();
            let thresholds = Thresholds::new(&sorted);
            for &t in &sorted {
                for x in [t, t.next_up(), t.next_down(), t + 1.0, t - 0.5, -t, t * 1e30] {
                    prop_assert_eq!(thresholds.below(x) as usize, sorted.iter().filter(|s| **s < x).count(), "{}", x);
                }
                prop_assert_eq!(sorted[thresholds.position(t) as usize], t);
            }
            prop_assert_eq!(thresholds.below(f64::INFINITY) as usize, sorted.len());
            prop_assert_eq!(thresholds.below(f64::NEG_INFINITY), 0);
        }
    }

    #[test]
    fn thresholds_of_any_size_are_found() {
        let extremes = [f64::MIN, -1e300, -1.0, -5e-324, 0.0, 5e-324, 1e-300, 1.0, f64::MAX];
        for n in 1..=extremes.len() {
            let thresholds = Thresholds::new(&extremes[..n]);
            for x in extremes.into_iter().chain([-0.0, 0.5, f64::INFINITY, f64::NEG_INFINITY]) {
                let below = extremes[..n].iter().filter(|t| **t < x).count();
                assert_eq!(thresholds.below(x) as usize, below, "{x} among {n}");
            }
        }
    }
}
