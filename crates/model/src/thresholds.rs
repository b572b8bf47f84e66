//! Finding a number among sorted thresholds: what binning and replayed trees do with every value.

/// Thresholds, at most: with a byte for how many lie below a number, one is left for a missing value.
pub const BELOW_MOST: usize = u8::MAX as usize - 1;

/// Cells of the table that says where to look among thresholds.
const CELLS: usize = 1024;

/// The thresholds of a feature, and a table that finds a number among them with a few comparisons.
///
/// The table divides the range of the thresholds into equal cells, of values or of their bit patterns, whichever leaves
/// fewer thresholds in the fullest cell. Either way a larger number is never in an earlier cell, so all thresholds of
/// earlier cells lie below it, and those of its own are compared.
#[derive(Debug, Clone)]
pub struct Thresholds {
    /// Ascending, and one beyond all numbers at the end.
    sorted: Vec<f64>,
    scale: Scale,
    /// For each cell how many thresholds lie in earlier ones.
    starts: Box<[u8; CELLS]>,
}

#[derive(Debug, Clone, Copy)]
enum Scale {
    Values { low: f64, per_cell: f64 },
    Bits { low: u64, shift: u32 },
}

impl Thresholds {
    /// Of ascending, distinct, finite thresholds; up to [`BELOW_MOST`] of them.
    ///
    /// # Panics
    /// If there are more.
    pub fn new(sorted: &[f64]) -> Self {
        assert!(sorted.len() <= BELOW_MOST, "invariant: numbers of thresholds are bytes");
        let (low, high) = (sorted.first().copied().unwrap_or(0.0), sorted.last().copied().unwrap_or(0.0));
        let width = (high / CELLS as f64) - (low / CELLS as f64);
        let per_cell = if width > 0.0 && (1.0 / width).is_finite() { 1.0 / width } else { 0.0 };
        let distance = ordered(high) - ordered(low);
        let shift = (u64::BITS - distance.leading_zeros()).saturating_sub(CELLS.ilog2());
        let scales = [Scale::Values { low, per_cell }, Scale::Bits { low: ordered(low), shift }];
        let fullest = |scale: &Scale| {
            let cells = sorted.chunk_by(|a, b| scale.cell(*a) == scale.cell(*b));
            cells.map(<[f64]>::len).max().unwrap_or(0)
        };
        let [values, bits] = scales;
        let scale = if fullest(&values) <= fullest(&bits) { values } else { bits };
        let starts = |cell: usize| sorted.iter().filter(|t| scale.cell(**t) < cell).count() as u8;
        let mut table = Box::new([0; CELLS]);
        let mut cell = 0;
        for threshold in sorted {
            let own = scale.cell(*threshold);
            if own >= cell {
                let count = starts(own);
                table[cell..=own].fill(count);
                cell = own + 1;
            }
        }
        table[cell..].fill(sorted.len() as u8);
        Thresholds { sorted: [sorted, &[f64::INFINITY]].concat(), scale, starts: table }
    }

    /// The number of a threshold that is among them.
    pub fn position(&self, threshold: f64) -> u8 {
        self.sorted.partition_point(|t| *t < threshold + 0.0) as u8
    }

    /// How many thresholds lie below a number that is not NaN.
    #[inline]
    pub fn below(&self, x: f64) -> u8 {
        let x = x + 0.0;
        let mut n_below = self.starts[self.scale.cell(x)] as usize;
        while self.sorted[n_below] < x {
            n_below += 1;
        }
        n_below as u8
    }
}

impl Scale {
    /// The cell of a number: never an earlier one for a larger number.
    #[inline]
    fn cell(self, x: f64) -> usize {
        match self {
            Scale::Values { low, per_cell } => (((x - low) * per_cell) as usize).min(CELLS - 1),
            Scale::Bits { low, shift } => ((ordered(x).saturating_sub(low) >> shift) as usize).min(CELLS - 1),
        }
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
            sorted in prop::collection::btree_set(any::<i16>(), 1..254),
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
