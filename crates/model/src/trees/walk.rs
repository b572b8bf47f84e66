//! The ensemble for rows alone and for large trees: nodes of eight bytes that are walked without a branch, many trees of a
//! row or many rows of a tree side by side, so that the steps of one hide the waiting of another.
//!
//! A node holds the code that the row's code is compared with, where the row keeps that one, and where the left child is; the
//! right one is next to it. A leaf leads to itself, so that a walk of as many steps as the tree is deep ends in the right one
//! whichever way it takes. A row keeps two codes per feature: the second is one larger, so that a missing value, the
//! largest code, is the least there. Sums run over the trees in their order.

use std::cell::RefCell;

use crate::features::Features;
use crate::trees::coding::{Coding, Codings, MISSING};
use crate::trees::ensemble::Trees;
use crate::trees::{Child, Decision};

/// Trees, or rows, that are walked side by side.
const SIDE_BY_SIDE: usize = 8;
/// Codes of a block of rows (256 KiB): they stay in the second-level cache while the trees pass by.
const BLOCK_CODES: usize = 131_072;
/// Rows of a block, at most.
const BLOCK_ROWS: usize = 4096;
/// Places of a row's codes that a node can name.
const MOST_PLACES: usize = CATEGORY as usize;
/// Numbers of the type of a place.
const PLACES: usize = 1 << 16;
/// Marks the place of a category: the code of the node is then the number of a set.
const CATEGORY: u16 = 1 << 15;
/// Steps after which the walks are asked whether they have ended.
const STEPS: u32 = 4;

/// Code to compare with, place of the row's code, and the left child; the right one follows it. The value of a leaf, or the
/// number of its first value, is two nodes after it.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
struct Node(u64);

impl Node {
    fn new(code: u16, place: u16, left: u32) -> Self {
        Node(u64::from(code) | u64::from(place) << 16 | u64::from(left) << 32)
    }

    /// A leaf: no code is larger, so that the walk stays on the left, where the leaf itself is.
    fn leaf(at: u32) -> Self {
        Node::new(u16::MAX, 0, at)
    }

    #[inline(always)]
    fn code(self) -> u16 {
        self.0 as u16
    }

    #[inline(always)]
    fn place(self) -> u16 {
        (self.0 >> 16) as u16
    }

    #[inline(always)]
    fn left(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// An ensemble for walks.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    nodes: Vec<Node>,
    trees: Vec<Tree>,
    /// Trees that a row walks side by side: the flattest with the flattest.
    groups: Vec<Group>,
    sets: Vec<Set>,
    words: Vec<u64>,
    n_places: usize,
}

#[derive(Debug, Clone, Copy)]
struct Tree {
    root: u32,
    depth: u32,
    /// Number of the first set of categories; those of a tree are counted from there.
    first_set: u32,
}

/// Some trees, their numbers, and the depth of the deepest. The last group is filled up with its first tree.
#[derive(Debug, Clone)]
struct Group {
    trees: [Tree; SIDE_BY_SIDE],
    numbers: [u32; SIDE_BY_SIDE],
    depth: u32,
}

/// Categories that go right: words of a bit per code.
#[derive(Debug, Clone, Copy)]
struct Set {
    first_word: u32,
    missing: bool,
}

/// Memory of a thread.
#[derive(Debug)]
struct Scratch {
    /// Codes of rows side by side.
    codes: Vec<u16>,
    /// Codes of a row alone: as many as a place can name, so that none needs to be checked.
    row: Box<[u16; PLACES]>,
    leaves: Vec<u32>,
}

thread_local! {
    /// Used again from call to call: a row alone allocates nothing.
    static SCRATCH: RefCell<Scratch> =
        RefCell::new(Scratch { codes: Vec::new(), row: Box::new([0; PLACES]), leaves: Vec::new() });
}

impl Walk {
    /// Of an ensemble with few enough features, nodes, and categories per tree.
    pub(super) fn of(trees: &Trees, codings: &Codings) -> Option<Self> {
        let n_places = 2 * codings.len();
        if n_places > MOST_PLACES || trees.nodes.len() >= (u32::MAX / 4) as usize {
            return None;
        }
        let mut walk = Walk { nodes: vec![], trees: vec![], groups: vec![], sets: vec![], words: vec![], n_places };
        walk.nodes.reserve_exact(trees.nodes.len() / 2 * 3 + 3 * trees.n_trees());
        for number in 0..trees.n_trees() {
            walk.push(trees, number, codings)?;
        }
        let mut by_depth: Vec<u32> = (0..walk.trees.len() as u32).collect();
        by_depth.sort_by_key(|&tree| walk.trees[tree as usize].depth);
        let group = |numbers: &[u32]| {
            let numbers = std::array::from_fn(|i| *numbers.get(i).unwrap_or(&numbers[0]));
            let trees = numbers.map(|number| walk.trees[number as usize]);
            Group { numbers, trees, depth: trees.iter().map(|tree| tree.depth).max().unwrap_or(0) }
        };
        walk.groups = by_depth.chunks(SIDE_BY_SIDE).map(group).collect();
        Some(walk)
    }

    fn push(&mut self, trees: &Trees, number: usize, codings: &Codings) -> Option<()> {
        let tree = trees.tree(number);
        let (root, first_set) = (self.nodes.len() as u32, self.sets.len() as u32);
        self.nodes.resize(self.nodes.len() + 3, Node(0));
        let mut deepest = 0;
        let mut waiting = vec![(tree.root(), root, 0)];
        while let Some((child, at, depth)) = waiting.pop() {
            deepest = deepest.max(depth);
            let split = match child {
                Child::Leaf(leaf) => {
                    self.nodes[at as usize] = Node::leaf(at);
                    self.nodes[at as usize + 2] = Node(match trees.width {
                        1 => tree.leaf_values[leaf as usize].to_bits(),
                        width => ((trees.first_leaf(number) + leaf as usize) * width) as u64,
                    });
                    continue;
                }
                Child::Split(i) => &tree.splits[i as usize],
            };
            let rank = trees.rank(split.feature);
            let (code, flag) = match (split.decision, codings.coding(rank)) {
                (Decision::Number { threshold }, Coding::Number(thresholds)) => {
                    (thresholds.position(threshold) + u16::from(split.missing_left), 0)
                }
                (decision, coding) => {
                    let words = tree.words(decision);
                    let missing = !split.missing_left;
                    let n_codes = if let Coding::Category(n) = coding { *n as usize } else { 0 };
                    let first_word = self.words.len() as u32;
                    // Codes beyond the words count as missing.
                    let beyond = if missing { u64::MAX } else { 0 };
                    self.words.extend((0..n_codes.div_ceil(64)).map(|i| words.get(i).map_or(beyond, |word| !word)));
                    self.sets.push(Set { first_word, missing });
                    (u16::try_from(self.sets.len() as u32 - 1 - first_set).ok()?, CATEGORY)
                }
            };
            let shifted = u16::from(split.missing_left && flag == 0);
            let left = self.nodes.len() as u32;
            self.nodes[at as usize] = Node::new(code, (2 * rank as u16 + shifted) | flag, left);
            // The values of leaves lie behind both children.
            let is_leaf = |child| matches!(child, Child::Leaf(_));
            let room = if is_leaf(split.right) {
                4
            } else if is_leaf(split.left) {
                3
            } else {
                2
            };
            self.nodes.resize(self.nodes.len() + room, Node(0));
            waiting.push((split.right, left + 1, depth + 1));
            waiting.push((split.left, left, depth + 1));
        }
        self.trees.push(Tree { root, depth: deepest, first_set });
        Some(())
    }

    /// One step of a row with its codes by place.
    #[inline(always)]
    fn step<const SETS: bool>(&self, at: u32, code_at: impl Fn(usize) -> u16, tree: &Tree) -> u32 {
        let node = self.nodes[at as usize];
        if SETS && node.place() & CATEGORY != 0 {
            let code = code_at((node.place() & !CATEGORY) as usize);
            let set = self.sets[tree.first_set as usize + node.code() as usize];
            let goes_right = match code {
                MISSING => set.missing,
                code => self.words[set.first_word as usize + code as usize / 64] >> (code % 64) & 1 == 1,
            };
            return node.left() + u32::from(goes_right);
        }
        node.left() + u32::from(code_at(node.place() as usize) > node.code())
    }

    fn value(&self, leaf: u32) -> u64 {
        self.nodes[leaf as usize + 2].0
    }

    /// Adds what a leaf says to the scores of a row.
    #[inline]
    fn add(&self, trees: &Trees, tree: usize, leaf: u32, row: &mut [f64]) {
        if trees.width == 1 {
            row[trees.outputs[tree] as usize] += f64::from_bits(self.value(leaf));
        } else {
            let values = &trees.leaf_values[self.value(leaf) as usize..][..trees.width];
            row.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
    }

    /// Rows of a block.
    pub(super) fn block_rows(&self) -> usize {
        (BLOCK_CODES / self.n_places.max(1)).clamp(SIDE_BY_SIDE, BLOCK_ROWS)
    }

    /// Fills `out`, row-major `(n_rows, n_outputs)`, with the sums over all trees for rows from `start` on.
    pub(super) fn sums(&self, trees: &Trees, codings: &Codings, features: &Features, start: usize, out: &mut [f64]) {
        SCRATCH.with_borrow_mut(|scratch| match self.sets.is_empty() {
            true => self.sums_of::<false>(trees, codings, features, start, scratch, out),
            false => self.sums_of::<true>(trees, codings, features, start, scratch, out),
        });
    }

    fn sums_of<const SETS: bool>(
        &self,
        trees: &Trees,
        codings: &Codings,
        features: &Features,
        start: usize,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) {
        let n_outputs = trees.n_outputs;
        out.fill(0.0);
        let n_together = out.len() / n_outputs / SIDE_BY_SIDE * SIDE_BY_SIDE;
        let (together, alone) = out.split_at_mut(n_together * n_outputs);
        if n_together > 0 {
            let n_places = self.n_places.max(1);
            scratch.codes.resize(n_together * n_places, 0);
            for rank in 0..codings.len() {
                let mut rows = scratch.codes.chunks_exact_mut(n_places);
                codings.each(rank, features, start..start + n_together, |code| {
                    if let Some(row) = rows.next() {
                        [row[2 * rank], row[2 * rank + 1]] = [code, code.wrapping_add(1)];
                    }
                });
            }
            for tree in 0..self.trees.len() {
                let rows = scratch.codes.chunks_exact(SIDE_BY_SIDE * n_places);
                for (rows, out) in rows.zip(together.chunks_exact_mut(SIDE_BY_SIDE * n_outputs)) {
                    let leaves = self.rows_of_a_tree::<SETS>(&self.trees[tree], rows);
                    for (leaf, out) in leaves.into_iter().zip(out.chunks_exact_mut(n_outputs)) {
                        self.add(trees, tree, leaf, out);
                    }
                }
            }
        }
        for (i, out) in alone.chunks_exact_mut(n_outputs).enumerate() {
            let row = start + n_together + i;
            for rank in 0..codings.len() {
                codings.each(rank, features, row..row + 1, |code| {
                    [scratch.row[2 * rank], scratch.row[2 * rank + 1]] = [code, code.wrapping_add(1)];
                });
            }
            self.trees_of_a_row::<SETS>(&scratch.row, &mut scratch.leaves);
            match out {
                [sum] if trees.width == 1 => {
                    *sum = scratch.leaves.iter().fold(0.0, |sum, leaf| sum + f64::from_bits(self.value(*leaf)));
                }
                _ => scratch.leaves.iter().enumerate().for_each(|(tree, leaf)| self.add(trees, tree, *leaf, out)),
            }
        }
    }

    /// The leaves of some rows in a tree.
    fn rows_of_a_tree<const SETS: bool>(&self, tree: &Tree, codes: &[u16]) -> [u32; SIDE_BY_SIDE] {
        let n_places = codes.len() / SIDE_BY_SIDE;
        let rows: [&[u16]; SIDE_BY_SIDE] = std::array::from_fn(|i| &codes[i * n_places..(i + 1) * n_places]);
        let mut at = [tree.root; SIDE_BY_SIDE];
        for _ in 0..tree.depth.div_ceil(STEPS) {
            let before = at;
            for _ in 0..STEPS {
                at.iter_mut().zip(&rows).for_each(|(at, row)| *at = self.step::<SETS>(*at, |place| row[place], tree));
            }
            if at == before {
                break;
            }
        }
        at
    }

    /// The leaf of a row in every tree.
    fn trees_of_a_row<const SETS: bool>(&self, codes: &[u16; PLACES], leaves: &mut Vec<u32>) {
        leaves.resize(self.trees.len(), 0);
        for Group { trees, numbers, depth } in &self.groups {
            let mut at = trees.map(|tree| tree.root);
            for _ in 0..*depth {
                for (at, tree) in at.iter_mut().zip(trees) {
                    *at = self.step::<SETS>(*at, |place| codes[place], tree);
                }
            }
            numbers.iter().zip(at).for_each(|(number, at)| leaves[*number as usize] = at);
        }
    }
}
