//! The rows of a tree with a tag each, that of their leaf: for trees of few leaves.
//!
//! A split goes over all tags and bins of one feature, several rows at a time, and lists the rows of the child that is
//! to be counted on its way. Most rows are never listed.

use rayon::prelude::*;

use crate::binning::{BinColumn, BinnedMatrix};
use crate::gradient::{Sums, Units};
use crate::grow::count::{Counted, Counter};
use crate::grow::{Histograms, NodeId, NodeSplit, bytes};
use crate::histogram::{Histogram, NodeRows};
use crate::kernels::{self, Listed};

/// Leaves of a tree, at most.
const MOST_TAGS: usize = 256;
/// Leaves up to which going over all rows for each split is quicker than keeping lists.
pub const FEW_LEAVES: usize = 64;
/// Rows below which a second thread costs more than it brings.
const PART_ROWS: usize = 1 << 15;

/// Rows of a tree, on this machine. All rows of the matrix are in it.
#[derive(Debug)]
pub struct TaggedRows<'a> {
    matrix: &'a BinnedMatrix,
    counter: Counter<'a>,
    /// The tag of the leaf of each row.
    tags: Vec<u8>,
    n_tags: usize,
    /// Tag and number of rows of each node.
    nodes: Vec<(u8, u64)>,
    /// Memory for lists of rows.
    lists: Vec<Vec<u32>>,
}

/// What [`TaggedRows`] leave behind for the next tree.
#[derive(Debug, Default)]
pub struct TaggedRemains {
    /// The tag of the leaf of each row.
    pub tags: Vec<u8>,
    lists: Vec<Vec<u32>>,
    free: Vec<Histogram>,
}

impl<'a> TaggedRows<'a> {
    /// All rows of a matrix, in the root. `remains` come from an earlier tree with the same number of rows and kind of
    /// gradients, or are empty.
    pub fn new(matrix: &'a BinnedMatrix, counted: Counted<'a>, remains: TaggedRemains) -> Self {
        let TaggedRemains { mut tags, lists, free } = remains;
        tags.clear();
        tags.resize(matrix.n_rows(), 0);
        let nodes = vec![(0, matrix.n_rows() as u64)];
        TaggedRows { matrix, counter: Counter::new(counted, free), tags, n_tags: 1, nodes, lists }
    }

    /// The tag of a leaf.
    pub fn tag_of(&self, leaf: NodeId) -> u8 {
        self.nodes[leaf].0
    }

    /// Gives the tags and the memory back.
    pub fn into_remains(self) -> TaggedRemains {
        TaggedRemains { tags: self.tags, lists: self.lists, free: self.counter.into_free() }
    }

    /// Rows of a thread's part.
    fn part_rows(&self) -> usize {
        let n_rows = self.tags.len();
        // A whole number of vectors.
        n_rows.div_ceil((n_rows / PART_ROWS).clamp(1, rayon::current_num_threads())).next_multiple_of(64)
    }

    /// Moves the rows of a node that go right to another tag, and lists those of one side.
    fn retag(&mut self, made: &NodeSplit, (from, to): (u8, u8), listed: Listed) -> Vec<Vec<u32>> {
        let goes_left = made.split.table(&self.matrix.features()[made.split.feature]);
        let size = self.part_rows();
        let column = self.matrix.column(made.split.feature);
        let n_parts = self.tags.len().div_ceil(size).max(1);
        let mut lists: Vec<Vec<u32>> = (0..n_parts).map(|_| self.lists.pop().unwrap_or_default()).collect();
        let parts = self.tags.par_chunks_mut(size).zip(&mut lists).enumerate();
        parts.for_each(|(part, (tags, list))| {
            let rows = part * size..part * size + tags.len();
            let first_row = rows.start as u32;
            match column {
                BinColumn::Bytes(bins) => {
                    kernels::retag(tags, &bins[rows], bytes(&goes_left), (from, to), listed, first_row, list);
                }
                BinColumn::Large(bins) => {
                    retag_large(tags, &bins[rows], &goes_left, (from, to), listed, first_row, list);
                }
            }
        });
        lists
    }
}

/// As [`kernels::retag`] for bins of two bytes: a block of rows at a time, which way they go is looked up first.
fn retag_large(
    tags: &mut [u8],
    column: &[u16],
    goes_left: &[bool],
    (from, to): (u8, u8),
    listed: Listed,
    first_row: u32,
    list: &mut Vec<u32>,
) {
    const BLOCK: usize = 1024;
    let is_one = std::array::from_fn(|side| side == 1);
    let mut sides = [0; BLOCK];
    for (block, (tags, column)) in tags.chunks_mut(BLOCK).zip(column.chunks(BLOCK)).enumerate() {
        if !tags.contains(&from) {
            continue;
        }
        let sides = &mut sides[..tags.len()];
        sides.iter_mut().zip(column).for_each(|(side, &bin)| *side = u8::from(goes_left[bin as usize]));
        let first_row = first_row + (block * BLOCK) as u32;
        kernels::retag(tags, sides, &is_one, (from, to), listed, first_row, list);
    }
}

impl Histograms for TaggedRows<'_> {
    fn root(&mut self) -> Histogram {
        self.counter.count(1, &[(0, NodeRows::Range(0..self.tags.len()))]).remove(0)
    }

    fn split(&mut self, splits: &[NodeSplit], counted: &[NodeId]) -> Vec<Histogram> {
        let mut lists: Vec<(usize, Vec<u32>)> = Vec::new();
        for made in splits {
            let position = |node: NodeId| counted.iter().position(|&n| n == node);
            assert!(self.n_tags < MOST_TAGS, "invariant: the grower keeps its limit of leaves");
            let to = self.n_tags as u8;
            self.n_tags += 1;
            let (left, right) = (position(made.left), position(made.right));
            let first = match (left, right) {
                (Some(_), _) => Listed::Left,
                (None, Some(_)) => Listed::Right,
                (None, None) => Listed::None,
            };
            let from = self.nodes[made.node].0;
            let found = self.retag(made, (from, to), first);
            let of = left.or(right).unwrap_or(0);
            lists.extend(found.into_iter().map(|list| (of, list)));
            if let (Some(_), Some(right)) = (left, right) {
                // What went right has the other tag by now, and goes right again.
                let found = self.retag(made, (to, to), Listed::Right);
                lists.extend(found.into_iter().map(|list| (right, list)));
            }
            self.nodes.resize(self.nodes.len().max(made.right + 1), (0, 0));
            self.nodes[made.left] = (self.nodes[made.node].0, made.split.left.count);
            self.nodes[made.right] = (to, made.split.right.count);
        }
        let parts: Vec<(usize, NodeRows<'_>)> = lists.iter().map(|(of, list)| (*of, NodeRows::List(list))).collect();
        let histograms = self.counter.count(counted.len(), &parts);
        for (_, mut list) in lists {
            list.clear();
            self.lists.push(list);
        }
        histograms
    }

    fn sums(&mut self, nodes: &[NodeId]) -> Vec<Sums> {
        let gradients = self.counter.gradients();
        let size = self.part_rows();
        let parts = self.tags.par_chunks(size).enumerate();
        let sums = parts.map(|(part, tags)| gradients.sums_by_tag(part * size, tags));
        let zero = || [Sums::default(); MOST_TAGS];
        let sums = sums.reduce(zero, |a, b| std::array::from_fn(|i| a[i] + b[i]));
        nodes.iter().map(|&node| Sums { count: self.nodes[node].1, ..sums[self.nodes[node].0 as usize] }).collect()
    }

    fn units(&self) -> Units {
        self.counter.gradients().units()
    }

    fn recycle(&mut self, histogram: Histogram) {
        self.counter.recycle(histogram);
    }
}
