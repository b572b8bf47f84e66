//! The ensemble for batches: features become bytes once, then every tree is replayed split by split on whole blocks.
//!
//! A number becomes how many of the ensemble's thresholds for its feature lie below it, so that `x <= threshold` is a
//! comparison of bytes, and the same decision to the last bit. Rows of a block carry the number of the leaf that they are
//! in: a split moves those of one leaf that go right to a new one, several rows at a time and without a branch. At the
//! end of a tree the leaf's value is looked up and added. Sums run over the trees in their order, as they do for a row alone.
//!
//! Ensembles of large trees, or with more thresholds than a byte can tell apart, have no such form: they are walked.

use crate::features::{CODE_FIRST, FeatureColumn, Features, ONE_HOT_NONE};
use crate::pipeline::SlotType;
use crate::trees::Child;
use crate::trees::Decision;
use crate::trees::ensemble::Trees;

/// Rows of a block: their leaves and the bytes of some features stay in the first-level cache.
pub(super) const BLOCK_ROWS: usize = 256;
/// Leaves of a tree, at most: their numbers are bytes.
const MOST_LEAVES: usize = 256;
/// The byte of a missing value, or of a category that was not seen.
const MISSING: u8 = u8::MAX;
/// Thresholds of a feature, at most: as many as leave a byte for every value between them, and that of a missing one.
const MOST_THRESHOLDS: usize = MISSING as usize - 1;
/// Categories of a feature, at most.
const MOST_CODES: u32 = MISSING as u32;

type Block = [u8; BLOCK_ROWS];

/// An ensemble for batches.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    /// How each used feature becomes a byte.
    codings: Vec<Coding>,
    trees: Vec<Replay>,
    splits: Vec<Split>,
    /// For each split of a category, which bytes go right.
    tables: Vec<[bool; 256]>,
    /// Leaf values, tree after tree.
    values: Vec<f64>,
}

/// How a feature becomes a byte.
#[derive(Debug, Clone)]
enum Coding {
    Number(Thresholds),
    /// A category is its code.
    Category,
}

/// A tree: its splits and values, and the output that it adds to.
#[derive(Debug, Clone)]
struct Replay {
    splits: std::ops::Range<usize>,
    first_value: usize,
    output: usize,
}

/// Moves the rows of a leaf that go right to a new leaf.
#[derive(Debug, Clone, Copy)]
struct Split {
    /// Position of the feature among the used ones.
    rank: u32,
    from: u8,
    to: u8,
    test: Test,
}

/// Which bytes go right.
#[derive(Debug, Clone, Copy)]
enum Test {
    /// Those above one, missing values too.
    Above(u8),
    /// Those above one, but missing values stay.
    AboveUnlessMissing(u8),
    /// Those of a table.
    Table(u32),
}

impl Compiled {
    /// Compiles an ensemble, if it has such a form.
    pub(super) fn of(trees: &Trees) -> Option<Self> {
        if trees.width != 1 || trees.n_trees() == 0 {
            return None;
        }
        let mut thresholds: Vec<Vec<f64>> = vec![Vec::new(); trees.used.len()];
        let mut rank_of = vec![0u32; trees.types.len()];
        for (rank, &feature) in trees.used.iter().enumerate() {
            rank_of[feature as usize] = rank as u32;
            match trees.types[feature as usize] {
                SlotType::Code(n) | SlotType::OneHot(n) if n > MOST_CODES => return None,
                _ => {}
            }
        }
        for (rank, threshold) in trees.thresholds() {
            thresholds[rank].push(threshold + 0.0);
        }
        let mut codings = Vec::with_capacity(trees.used.len());
        for (&feature, own) in trees.used.iter().zip(&mut thresholds) {
            own.sort_unstable_by(f64::total_cmp);
            own.dedup();
            codings.push(match trees.types[feature as usize] {
                SlotType::Number if own.len() > MOST_THRESHOLDS => return None,
                SlotType::Number => Coding::Number(Thresholds::new(own)),
                _ => Coding::Category,
            });
        }
        let mut compiled = Compiled { codings, trees: vec![], splits: vec![], tables: vec![], values: vec![] };
        for number in 0..trees.n_trees() {
            compiled.push(trees, number, &rank_of)?;
        }
        Some(compiled)
    }

    fn push(&mut self, trees: &Trees, number: usize, rank_of: &[u32]) -> Option<()> {
        let tree = trees.tree(number);
        if tree.n_leaves() > MOST_LEAVES {
            return None;
        }
        let (first_split, first_value) = (self.splits.len(), self.values.len());
        self.values.resize(first_value + tree.n_leaves(), 0.0);
        // Each split makes one new leaf on its right; what is on the left keeps the number.
        let (mut n_leaves, mut waiting) = (1u32, vec![(tree.root(), 0u8)]);
        while let Some((child, leaf)) = waiting.pop() {
            let split = match child {
                Child::Leaf(value) => {
                    self.values[first_value + leaf as usize] = tree.leaf_values[value as usize];
                    continue;
                }
                Child::Split(i) => &tree.splits[i as usize],
            };
            let (rank, to) = (rank_of[split.feature as usize], n_leaves as u8);
            n_leaves += 1;
            let test = match (split.decision, &self.codings[rank as usize]) {
                (Decision::Number { threshold }, Coding::Number(thresholds)) => {
                    let above = thresholds.position(threshold);
                    if split.missing_left { Test::AboveUnlessMissing(above) } else { Test::Above(above) }
                }
                (decision, _) => {
                    let words = tree.words(decision);
                    let goes_left = |code: usize| match words.get(code / 64) {
                        Some(word) if code != MISSING as usize => word >> (code % 64) & 1 == 1,
                        _ => split.missing_left,
                    };
                    self.tables.push(std::array::from_fn(|code| !goes_left(code)));
                    Test::Table(self.tables.len() as u32 - 1)
                }
            };
            self.splits.push(Split { rank, from: leaf, to, test });
            waiting.push((split.right, to));
            waiting.push((split.left, leaf));
        }
        let splits = first_split..self.splits.len();
        self.trees.push(Replay { splits, first_value, output: trees.outputs[number] as usize });
        Some(())
    }

    /// Adds the values of all trees for some rows to `out`, row-major `(n_rows, n_outputs)`; `used` are the features that
    /// the codings are of. `bytes` is memory to be used again.
    pub(super) fn add(
        &self,
        features: &Features,
        used: &[u32],
        start: usize,
        n_outputs: usize,
        out: &mut [f64],
        bytes: &mut Vec<Block>,
    ) {
        let n_rows = out.len() / n_outputs;
        bytes.resize(self.codings.len(), [0; BLOCK_ROWS]);
        for ((coding, &feature), block) in self.codings.iter().zip(used).zip(bytes.iter_mut()) {
            coding.encode(&features.columns()[feature as usize], start, &mut block[..n_rows]);
        }
        let mut leaves: Block = [0; BLOCK_ROWS];
        for tree in &self.trees {
            leaves.fill(0);
            for split in &self.splits[tree.splits.clone()] {
                let bytes = &bytes[split.rank as usize];
                match split.test {
                    Test::Above(least) => relabel(&mut leaves, bytes, split, |byte| byte > least),
                    // The byte of a missing value becomes the least.
                    Test::AboveUnlessMissing(least) => {
                        relabel(&mut leaves, bytes, split, |byte| byte.wrapping_add(1) > least + 1);
                    }
                    Test::Table(number) => {
                        let table = &self.tables[number as usize];
                        relabel(&mut leaves, bytes, split, |byte| table[byte as usize]);
                    }
                }
            }
            let values = &self.values[tree.first_value..];
            let scores = out[tree.output..].iter_mut().step_by(n_outputs);
            scores.zip(&leaves).for_each(|(score, leaf)| *score += values[*leaf as usize]);
        }
    }
}

/// The kernel: several rows at a time.
#[inline]
fn relabel(leaves: &mut Block, bytes: &Block, split: &Split, goes_right: impl Fn(u8) -> bool) {
    for (leaf, byte) in leaves.iter_mut().zip(bytes) {
        let moves = (*leaf == split.from) & goes_right(*byte);
        *leaf = if moves { split.to } else { *leaf };
    }
}

impl Coding {
    /// The bytes of some rows of a column.
    fn encode(&self, column: &FeatureColumn, start: usize, out: &mut [u8]) {
        let category = |code: u32, first: u32| match code {
            ONE_HOT_NONE => MISSING,
            code if code < first || code >= MOST_CODES => MISSING,
            code => code as u8,
        };
        match (self, column) {
            (Coding::Number(thresholds), FeatureColumn::Number(values)) => {
                out.iter_mut().zip(&values[start..]).for_each(|(byte, x)| *byte = thresholds.byte(*x));
            }
            (_, FeatureColumn::Code { codes, .. }) => {
                out.iter_mut().zip(&codes[start..]).for_each(|(byte, code)| *byte = category(*code, CODE_FIRST));
            }
            (_, FeatureColumn::OneHot { codes, .. }) => {
                out.iter_mut().zip(&codes[start..]).for_each(|(byte, code)| *byte = category(*code, 0));
            }
            _ => unreachable!("invariant: features are of the types that the trees were fitted on"),
        }
    }
}

/// Cells of the table that says where to look among thresholds.
const CELLS: usize = 1024;

/// The thresholds of a feature, and a table that finds a number among them with a few comparisons.
///
/// The table divides the range of the thresholds into equal cells, of values or of their bit patterns, whichever leaves
/// fewer thresholds in the fullest cell. Either way a larger number is never in an earlier cell, so all thresholds of
/// earlier cells lie below it, and those of its own are compared.
#[derive(Debug, Clone)]
struct Thresholds {
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
    /// Of ascending, distinct, finite thresholds; up to [`MOST_THRESHOLDS`] of them.
    fn new(sorted: &[f64]) -> Self {
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
    fn position(&self, threshold: f64) -> u8 {
        self.sorted.partition_point(|t| *t < threshold + 0.0) as u8
    }

    /// How many thresholds lie below a number.
    #[inline]
    fn byte(&self, x: f64) -> u8 {
        if x.is_nan() {
            return MISSING;
        }
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
        fn bytes_count_the_thresholds_below(
            sorted in prop::collection::btree_set(any::<i16>(), 1..254),
            power in 0u8..40,
        ) {
            // From evenly spaced to heavy tails.
            let number = |i: i16| f64::from(i) * f64::powi(1.3, i32::from(power) * i32::from(i.unsigned_abs()) / 32_768);
            let sorted: Vec<f64> = sorted.into_iter().map(number).collect();
            let thresholds = Thresholds::new(&sorted);
            for &t in &sorted {
                for x in [t, t.next_up(), t.next_down(), t + 1.0, t - 0.5, -t, t * 1e30] {
                    prop_assert_eq!(thresholds.byte(x) as usize, sorted.iter().filter(|s| **s < x).count(), "{}", x);
                }
                prop_assert_eq!(sorted[thresholds.position(t) as usize], t);
            }
            prop_assert_eq!(thresholds.byte(f64::INFINITY) as usize, sorted.len());
            prop_assert_eq!(thresholds.byte(f64::NEG_INFINITY), 0);
            prop_assert_eq!(thresholds.byte(f64::NAN), MISSING);
        }
    }

    #[test]
    fn thresholds_of_any_size_are_found() {
        let extremes = [f64::MIN, -1e300, -1.0, -5e-324, 0.0, 5e-324, 1e-300, 1.0, f64::MAX];
        for n in 1..=extremes.len() {
            let thresholds = Thresholds::new(&extremes[..n]);
            for x in extremes.into_iter().chain([-0.0, 0.5, f64::INFINITY, f64::NEG_INFINITY]) {
                let below = extremes[..n].iter().filter(|t| **t < x).count();
                assert_eq!(thresholds.byte(x) as usize, below, "{x} among {n}");
            }
        }
    }
}
