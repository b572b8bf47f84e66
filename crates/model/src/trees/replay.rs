//! The ensemble for batches: every tree is replayed split by split on whole blocks of rows.
//!
//! Rows of a block carry the number of the leaf that they are in: a split moves those of one leaf that go right to a new
//! one, many rows at a time and without a branch. At the end of a tree the leaf's value is looked up and added. Sums run over
//! the trees in their order, as they do for a row alone.

use std::ops::Range;

use crate::features::Features;
use crate::kernels::{self, Block, ByteSet, MISSING_CODE, Move};
use crate::trees::coding::{Coding, Codings, MISSING};
use crate::trees::ensemble::Trees;
use crate::trees::{Child, Decision};

pub(super) use crate::kernels::BLOCK_ROWS;

/// Leaves of a tree, at most: their numbers are bytes.
const MOST_LEAVES: usize = 256;
/// Codes of a feature, at most, where they are bytes; one more means a missing value.
const BYTE_CODES: usize = u8::MAX as usize;
/// Between codes from 0 on and from the least byte with a sign on: vectors compare those.
const SIGN: u8 = 0x80;

/// Trees whose values are added together: the sums are then read and written once for all of them.
const TOGETHER: usize = 4;

/// An ensemble for batches.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    /// By used feature.
    forms: Vec<Form>,
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

/// What the codes of a feature are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Bytes to be compared.
    Numbers,
    /// Bytes to be looked up.
    Levels,
    /// Too many for bytes.
    Wide,
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
    /// Bytes above one, and missing values unless they stay.
    Above { least: i8, missing_stay: bool },
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
    codes: Codes,
    sums: Vec<Block<f64>>,
}

/// The codes of a block of rows, each at the place of its feature.
#[derive(Debug, Default)]
struct Codes {
    numbers: Vec<Block<i8>>,
    /// Whether one of the numbers is missing.
    has_missing: Vec<bool>,
    levels: Vec<Block<u8>>,
    wide: Vec<Block<u16>>,
}

impl Codes {
    fn fill(&mut self, forms: &[Form], codings: &Codings, features: &Features, rows: &Range<usize>) {
        let n = forms.len();
        self.numbers.resize(n, [0; BLOCK_ROWS]);
        self.has_missing.resize(n, false);
        self.levels.resize(if forms.contains(&Form::Levels) { n } else { 0 }, [0; BLOCK_ROWS]);
        self.wide.resize(if forms.contains(&Form::Wide) { n } else { 0 }, [0; BLOCK_ROWS]);
        for (rank, form) in forms.iter().enumerate() {
            match form {
                Form::Numbers => {
                    let block = &mut self.numbers[rank];
                    fill(block, codings, rank, features, rows, |code| (code as u8 ^ SIGN) as i8);
                    self.has_missing[rank] = block[..rows.len()].contains(&MISSING_CODE);
                }
                Form::Levels => fill(&mut self.levels[rank], codings, rank, features, rows, |code| code as u8),
                Form::Wide => fill(&mut self.wide[rank], codings, rank, features, rows, |code| code),
            }
        }
    }
}

/// The codes of a feature, as far as there are rows.
#[inline]
fn fill<T>(
    block: &mut Block<T>,
    codings: &Codings,
    rank: usize,
    features: &Features,
    rows: &Range<usize>,
    of: impl Fn(u16) -> T,
) {
    let mut places = block.iter_mut();
    codings.each(rank, features, rows.clone(), |code| {
        if let Some(place) = places.next() {
            *place = of(code);
        }
    });
}

impl Replay {
    /// Of an ensemble whose trees are small.
    pub(super) fn of(trees: &Trees, codings: &Codings) -> Option<Self> {
        if trees.width != 1 || trees.n_trees() == 0 || trees.largest_tree() > MOST_LEAVES {
            return None;
        }
        let form = |rank| match codings.coding(rank) {
            Coding::Number(thresholds) if thresholds.len() < BYTE_CODES => Form::Numbers,
            Coding::Category(n) if *n as usize <= BYTE_CODES => Form::Levels,
            _ => Form::Wide,
        };
        let mut replay = Replay {
            forms: (0..codings.len()).map(form).collect(),
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
            let (form, missing_left) = (self.forms[rank], split.missing_left);
            let test = match (split.decision, codings.coding(rank)) {
                (Decision::Number { threshold }, Coding::Number(thresholds)) => {
                    let least = thresholds.position(threshold);
                    match form {
                        Form::Wide => Test::WideAbove { least, missing: !missing_left },
                        _ => Test::Above { least: (least as u8 ^ SIGN) as i8, missing_stay: missing_left },
                    }
                }
                (decision, coding) => {
                    let words = tree.words(decision);
                    let goes_right = |code: usize| match words.get(code / 64) {
                        Some(word) => word >> (code % 64) & 1 == 0,
                        None => !missing_left,
                    };
                    match (form, coding) {
                        (Form::Wide, Coding::Category(n_codes)) => {
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
        let Scratch { codes, sums } = scratch;
        let n_rows = out.len() / n_outputs;
        codes.fill(&self.forms, codings, features, &(start..start + n_rows));
        sums.clear();
        sums.resize(n_outputs, [0.0; BLOCK_ROWS]);
        let mut leaves: [Block<u8>; TOGETHER] = [[0; BLOCK_ROWS]; TOGETHER];
        for trees in &self.groups {
            let trees = &self.trees[trees.clone()];
            for (tree, leaves) in trees.iter().zip(&mut leaves) {
                self.replay(tree, codes, leaves);
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
    fn replay(&self, tree: &Tree, codes: &Codes, leaves: &mut Block<u8>) {
        leaves.fill(0);
        for run in &self.runs[tree.runs.clone()] {
            let splits = &self.splits[run.clone()];
            if splits[0].test.is_compared() {
                let moves = splits.iter().map(|split| split.compared(codes));
                kernels::move_rows(leaves, moves);
            } else {
                splits.iter().for_each(|split| self.look_up(leaves, codes, split));
            }
        }
    }

    fn look_up(&self, leaves: &mut Block<u8>, codes: &Codes, split: &Split) {
        let (rank, ends) = (split.rank as usize, (split.from, split.to));
        match split.test {
            Test::In(number) => {
                kernels::retag_in_set(leaves, &codes.levels[rank], &self.byte_sets[number as usize], ends);
            }
            Test::WideIn { first_word, missing } => {
                let words = &self.words[first_word as usize..];
                move_wide(leaves, &codes.wide[rank], ends, missing, |c| words[c as usize / 64] >> (c % 64) & 1 == 1);
            }
            Test::WideAbove { least, missing } => move_wide(leaves, &codes.wide[rank], ends, missing, |c| c > least),
            Test::Above { .. } => unreachable!("invariant: these are compared"),
        }
    }
}

impl Test {
    /// Whether bytes are compared, as those of most splits are.
    fn is_compared(self) -> bool {
        matches!(self, Test::Above { .. })
    }
}

impl Split {
    /// What a split by comparison moves.
    #[inline]
    fn compared<'a>(&self, codes: &'a Codes) -> Move<'a> {
        let (rank, Split { from, to, test, .. }) = (self.rank as usize, *self);
        let Test::Above { least, missing_stay } = test else {
            unreachable!("invariant: others are looked up");
        };
        Move { codes: &codes.numbers[rank], from, to, least, missing_stay: missing_stay & codes.has_missing[rank] }
    }
}

/// Only the rows of the leaf are looked at: a set of many codes is not asked for every row.
fn move_wide(
    leaves: &mut Block<u8>,
    codes: &Block<u16>,
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
    sums: &mut Block<f64>,
    leaves: &[Block<u8>; TREES],
    values: [&[f64; MOST_LEAVES]; TREES],
) {
    for (row, sum) in sums.iter_mut().enumerate() {
        for (leaves, values) in leaves.iter().zip(values) {
            *sum += values[leaves[row] as usize];
        }
    }
}
