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
use crate::thresholds::{BELOW_MOST, Thresholds};
use crate::trees::ensemble::Trees;
use crate::trees::{Child, Decision};

/// Rows of a block: their leaves and the bytes of some features stay in the first-level cache.
pub(super) const BLOCK_ROWS: usize = 256;
/// Leaves of a tree, at most: their numbers are bytes.
const MOST_LEAVES: usize = 256;
/// The byte of a missing value, or of a category that was not seen.
const MISSING: u8 = u8::MAX;
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
        if trees.width != 1 || trees.n_trees() == 0 || trees.largest_tree() > MOST_LEAVES {
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
                SlotType::Number if own.len() > BELOW_MOST => return None,
                SlotType::Number => Coding::Number(Thresholds::new(own)),
                _ => Coding::Category,
            });
        }
        let mut compiled = Compiled { codings, trees: vec![], splits: vec![], tables: vec![], values: vec![] };
        for number in 0..trees.n_trees() {
            compiled.push(trees, number, &rank_of);
        }
        Some(compiled)
    }

    fn push(&mut self, trees: &Trees, number: usize, rank_of: &[u32]) {
        let tree = trees.tree(number);
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
                let byte = |x: f64| if x.is_nan() { MISSING } else { thresholds.below(x) };
                out.iter_mut().zip(&values[start..]).for_each(|(to, x)| *to = byte(*x));
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
