//! The ensemble for batches: every tree is replayed split by split on whole blocks of rows.
//!
//! Rows of a block carry the number of the leaf that they are in: a split moves those of one leaf that go right to a new
//! one, many rows at a time and without a branch. At the end of a tree the leaf's value is looked up and added. Sums run over
//! the trees in their order, as they do for a row alone.

use std::ops::Range;

use crate::features::Features;
use crate::kernels::{self, ByteSet};
use crate::trees::coding::{Coding, Codings, MISSING};
use crate::trees::ensemble::Trees;
use crate::trees::{Child, Decision};
use crate::widest;

/// Rows of a block: their leaves and the codes of some features stay in the first-level cache.
pub(super) const BLOCK_ROWS: usize = 256;
/// Leaves of a tree, at most: their numbers are bytes.
const MOST_LEAVES: usize = 256;
/// Codes of a feature, at most, where they are bytes; one more means a missing value.
const BYTE_CODES: usize = u8::MAX as usize;

/// Trees whose values are added together: the sums are then read and written once for all of them.
const TOGETHER: usize = 4;

type Bytes = [u8; BLOCK_ROWS];

/// An ensemble for batches.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    /// For each used feature whether its codes are bytes.
    is_narrow: Vec<bool>,
    /// Those of an output one after another.
    trees: Vec<Tree>,
    /// Trees of one output that are replayed before their values are added.
    groups: Vec<Range<usize>>,
    /// Splits one after another that are all compared, or all looked up.
    runs: Vec<Range<usize>>,
    splits: Vec<Split>,
    byte_sets: Vec<ByteSet>,
    /// Words of the sets of features whose codes are no bytes.
    words: Vec<u64>,
    /// Leaf values, tree after tree, and some more, so that 256 follow each.
    values: Vec<f64>,
}

/// A tree: its runs of splits, its values, and the output that it adds to.
#[derive(Debug, Clone)]
struct Tree {
    runs: Range<usize>,
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

/// Which codes go right.
#[derive(Debug, Clone, Copy)]
enum Test {
    /// Bytes above one, missing values too.
    Above(u8),
    /// Bytes above one, but missing values stay.
    AboveUnlessMissing(u8),
    /// Bytes of a set.
    In(u32),
    /// Codes above one, and missing values if they do.
    WideAbove { least: u16, missing: bool },
    /// Codes whose bit is set, in words from one on, and missing values if they do.
    WideIn { first_word: u32, missing: bool },
}

/// Memory of a thread.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    bytes: Vec<Bytes>,
    /// Codes of the features whose codes are no bytes, at the same places.
    wide: Vec<[u16; BLOCK_ROWS]>,
    sums: Vec<[f64; BLOCK_ROWS]>,
}

impl Replay {
    /// Of an ensemble whose trees are small.
    pub(super) fn of(trees: &Trees, codings: &Codings) -> Option<Self> {
        if trees.width != 1 || trees.n_trees() == 0 || trees.largest_tree() > MOST_LEAVES {
            return None;
        }
        let is_narrow = |rank| match codings.coding(rank) {
            Coding::Number(thresholds) => thresholds.len() < BYTE_CODES,
            Coding::Category(n) => *n as usize <= BYTE_CODES,
        };
        let mut replay = Replay {
            is_narrow: (0..codings.len()).map(is_narrow).collect(),
            trees: vec![],
            groups: vec![],
            runs: vec![],
            splits: vec![],
            byte_sets: vec![],
            words: vec![],
            values: vec![],
        };
        (0..trees.n_trees()).for_each(|number| replay.push(trees, number, codings));
        replay.trees.sort_by_key(|tree| tree.output);
        let mut start = 0;
        for of_output in replay.trees.chunk_by(|a, b| a.output == b.output) {
            for group in of_output.chunks(TOGETHER) {
                replay.groups.push(start..start + group.len());
                start += group.len();
            }
        }
        replay.values.resize(replay.values.len() + MOST_LEAVES, 0.0);
        Some(replay)
    }

    fn push(&mut self, trees: &Trees, number: usize, codings: &Codings) {
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
            let (rank, to) = (trees.rank(split.feature), n_leaves as u8);
            n_leaves += 1;
            let (is_narrow, missing_left) = (self.is_narrow[rank], split.missing_left);
            let test = match (split.decision, codings.coding(rank)) {
                (Decision::Number { threshold }, Coding::Number(thresholds)) => {
                    match (thresholds.position(threshold), is_narrow) {
                        (least, true) if missing_left => Test::AboveUnlessMissing(least as u8),
                        (least, true) => Test::Above(least as u8),
                        (least, false) => Test::WideAbove { least, missing: !missing_left },
                    }
                }
                (decision, coding) => {
                    let words = tree.words(decision);
                    let goes_right = |code: usize| match words.get(code / 64) {
                        Some(word) => word >> (code % 64) & 1 == 0,
                        None => !missing_left,
                    };
                    match (is_narrow, coding) {
                        (false, Coding::Category(n_codes)) => {
                            let first_word = self.words.len() as u32;
                            let word =
                                |first: usize| (0..64).map(|i| u64::from(goes_right(first + i)) << i).sum::<u64>();
                            self.words.extend((0..*n_codes as usize).step_by(64).map(word));
                            Test::WideIn { first_word, missing: !missing_left }
                        }
                        _ => {
                            let is_missing = |byte: u8| byte == MISSING as u8;
                            let set = ByteSet::of(|byte| match is_missing(byte) {
                                true => !missing_left,
                                false => goes_right(byte as usize),
                            });
                            self.byte_sets.push(set);
                            Test::In(self.byte_sets.len() as u32 - 1)
                        }
                    }
                }
            };
            self.splits.push(Split { rank: rank as u32, from: leaf, to, test });
            waiting.push((split.right, to));
            waiting.push((split.left, leaf));
        }
        let (first_run, mut start) = (self.runs.len(), first_split);
        for run in self.splits[first_split..].chunk_by(|a, b| a.test.is_compared() == b.test.is_compared()) {
            self.runs.push(start..start + run.len());
            start += run.len();
        }
        let runs = first_run..self.runs.len();
        self.trees.push(Tree { runs, first_value, output: trees.outputs[number] as usize });
    }

    /// Fills `out`, row-major `(n_rows, n_outputs)`, with the sums over all trees for rows from `start` on, a block of them
    /// at most.
    pub(super) fn sums(
        &self,
        codings: &Codings,
        features: &Features,
        start: usize,
        n_outputs: usize,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) {
        let Scratch { bytes, wide, sums } = scratch;
        let n_rows = out.len() / n_outputs;
        bytes.resize(codings.len(), [0; BLOCK_ROWS]);
        for (rank, block) in bytes.iter_mut().enumerate() {
            let rows = start..start + n_rows;
            if self.is_narrow[rank] {
                let mut places = block.iter_mut();
                codings.each(rank, features, rows, |code| {
                    if let Some(place) = places.next() {
                        *place = code as u8;
                    }
                });
            } else {
                wide.resize(codings.len(), [0; BLOCK_ROWS]);
                let mut places = wide[rank].iter_mut();
                codings.each(rank, features, rows, |code| {
                    if let Some(place) = places.next() {
                        *place = code;
                    }
                });
            }
        }
        sums.clear();
        sums.resize(n_outputs, [0.0; BLOCK_ROWS]);
        let mut leaves: [Bytes; TOGETHER] = [[0; BLOCK_ROWS]; TOGETHER];
        for trees in &self.groups {
            let trees = &self.trees[trees.clone()];
            for (tree, leaves) in trees.iter().zip(&mut leaves) {
                self.replay(tree, bytes, wide, leaves);
            }
            let values =
                |tree: &Tree| self.values[tree.first_value..].first_chunk().expect("invariant: 256 values follow");
            let sums = &mut sums[trees[0].output];
            match trees {
                [a, b, c, d] => add_values(sums, &leaves, [a, b, c, d].map(values)),
                _ => trees.iter().zip(&leaves).for_each(|(tree, leaves)| {
                    add_values(sums, std::array::from_ref(leaves), [values(tree)]);
                }),
            }
        }
        for (output, sums) in sums.iter().enumerate() {
            out[output..].iter_mut().step_by(n_outputs).zip(sums).for_each(|(to, sum)| *to = *sum);
        }
    }

    /// Finds the leaf of every row in a tree.
    fn replay(&self, tree: &Tree, bytes: &[Bytes], wide: &[[u16; BLOCK_ROWS]], leaves: &mut Bytes) {
        leaves.fill(0);
        for run in &self.runs[tree.runs.clone()] {
            let splits = &self.splits[run.clone()];
            if splits[0].test.is_compared() {
                compare(leaves, bytes, splits);
            } else {
                splits.iter().for_each(|split| self.look_up(leaves, bytes, wide, split));
            }
        }
    }

    fn look_up(&self, leaves: &mut Bytes, bytes: &[Bytes], wide: &[[u16; BLOCK_ROWS]], split: &Split) {
        let (rank, ends) = (split.rank as usize, (split.from, split.to));
        match split.test {
            Test::In(number) => {
                kernels::retag_in_set(leaves, &bytes[rank], &self.byte_sets[number as usize], ends);
            }
            Test::WideIn { first_word, missing } => {
                let words = &self.words[first_word as usize..];
                move_wide(leaves, &wide[rank], ends, missing, |c| words[c as usize / 64] >> (c % 64) & 1 == 1);
            }
            Test::WideAbove { least, missing } => move_wide(leaves, &wide[rank], ends, missing, |c| c > least),
            Test::Above(_) | Test::AboveUnlessMissing(_) => unreachable!("invariant: these are compared"),
        }
    }
}

impl Test {
    /// Whether bytes are compared, as those of most splits are.
    fn is_compared(self) -> bool {
        matches!(self, Test::Above(_) | Test::AboveUnlessMissing(_))
    }
}

widest! {
    /// Splits by comparison: 32 rows at a time where vectors are that long.
    fn compare(leaves: &mut Bytes, bytes: &[Bytes], splits: &[Split]) {
        for split in splits {
            let (bytes, ends) = (&bytes[split.rank as usize], (split.from, split.to));
            match split.test {
                Test::Above(least) => move_rows(leaves, bytes, ends, |byte| byte > least),
                // The byte of a missing value becomes the least.
                Test::AboveUnlessMissing(least) => {
                    move_rows(leaves, bytes, ends, |byte| byte.wrapping_add(1) > least + 1);
                }
                _ => unreachable!("invariant: these are looked up"),
            }
        }
    }
}

#[inline(always)]
fn move_rows(leaves: &mut Bytes, bytes: &Bytes, (from, to): (u8, u8), goes_right: impl Fn(u8) -> bool) {
    for (leaf, byte) in leaves.iter_mut().zip(bytes) {
        let moves = u8::from(*leaf == from) & u8::from(goes_right(*byte));
        *leaf ^= (from ^ to) & moves.wrapping_neg();
    }
}

/// Only the rows of the leaf are looked at: a set of many codes is not asked for every row.
fn move_wide(
    leaves: &mut Bytes,
    codes: &[u16; BLOCK_ROWS],
    (from, to): (u8, u8),
    missing: bool,
    goes_right: impl Fn(u16) -> bool,
) {
    for (leaf, code) in leaves.iter_mut().zip(codes) {
        if *leaf == from && (if *code == MISSING { missing } else { goes_right(*code) }) {
            *leaf = to;
        }
    }
}

/// Adds the values of the rows' leaves in some trees.
fn add_values<const TREES: usize>(
    sums: &mut [f64; BLOCK_ROWS],
    leaves: &[Bytes; TREES],
    values: [&[f64; MOST_LEAVES]; TREES],
) {
    for (row, sum) in sums.iter_mut().enumerate() {
        for (leaves, values) in leaves.iter().zip(values) {
            *sum += values[leaves[row] as usize];
        }
    }
}
