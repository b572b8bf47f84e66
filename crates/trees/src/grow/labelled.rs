//! The rows of a tree with a label each, that of their leaf: for trees of few leaves.
//!
//! A split goes over all labels and bins of one feature, several rows at a time, and lists the rows of the child that is
//! to be counted on its way. Most rows are never listed.

use rayon::prelude::*;

use crate::binning::BinnedMatrix;
use crate::gradient::{Sums, Units};
use crate::grow::count::{Counted, Counter};
use crate::grow::{Histograms, NodeId, NodeSplit};
use crate::histogram::{Histogram, NodeRows};
use crate::kernels::{self, Listed};

/// Leaves of a tree, at most.
const MOST_LABELS: usize = 256;
/// Leaves up to which going over all rows for each split is quicker than keeping lists.
pub const FEW_LEAVES: usize = 64;
/// Rows below which a second thread costs more than it brings.
const PART_ROWS: usize = 1 << 15;

/// Rows of a tree, on this machine. All rows of the matrix are in it.
#[derive(Debug)]
pub struct LabelledRows<'a> {
    matrix: &'a BinnedMatrix,
    counter: Counter<'a>,
    /// The label of the leaf of each row.
    labels: Vec<u8>,
    n_labels: usize,
    /// Label and number of rows of each node.
    nodes: Vec<(u8, u64)>,
    /// Memory for lists of rows.
    lists: Vec<Vec<u32>>,
}

/// What [`LabelledRows`] leave behind for the next tree.
#[derive(Debug, Default)]
pub struct LabelledRemains {
    /// The label of the leaf of each row.
    pub labels: Vec<u8>,
    lists: Vec<Vec<u32>>,
    free: Vec<Histogram>,
}

impl<'a> LabelledRows<'a> {
    /// All rows of a matrix, in the root. `remains` come from an earlier tree with the same number of rows and kind of
    /// gradients, or are empty.
    pub fn new(matrix: &'a BinnedMatrix, counted: Counted<'a>, remains: LabelledRemains) -> Self {
        let LabelledRemains { mut labels, lists, free } = remains;
        labels.clear();
        labels.resize(matrix.n_rows(), 0);
        let nodes = vec![(0, matrix.n_rows() as u64)];
        LabelledRows { matrix, counter: Counter::new(counted, free), labels, n_labels: 1, nodes, lists }
    }

    /// The label of a leaf.
    pub fn label_of(&self, leaf: NodeId) -> u8 {
        self.nodes[leaf].0
    }

    /// Gives the labels and the memory back.
    pub fn into_remains(self) -> LabelledRemains {
        LabelledRemains { labels: self.labels, lists: self.lists, free: self.counter.into_free() }
    }

    /// Rows of a thread's part.
    fn part_rows(&self) -> usize {
        let n_rows = self.labels.len();
        // A whole number of vectors.
        n_rows.div_ceil((n_rows / PART_ROWS).clamp(1, rayon::current_num_threads())).next_multiple_of(64)
    }

    /// Moves the rows of a node that go right to another label, and lists those of one side.
    fn relabel(&mut self, made: &NodeSplit, (from, to): (u8, u8), listed: Listed) -> Vec<Vec<u32>> {
        let goes_left = made.split.table(&self.matrix.features()[made.split.feature]);
        let size = self.part_rows();
        let column = self.matrix.column(made.split.feature);
        let n_parts = self.labels.len().div_ceil(size).max(1);
        let mut lists: Vec<Vec<u32>> = (0..n_parts).map(|_| self.lists.pop().unwrap_or_default()).collect();
        let parts = self.labels.par_chunks_mut(size).zip(column.par_chunks(size)).zip(&mut lists).enumerate();
        parts.for_each(|(part, ((labels, column), list))| {
            let first_row = (part * size) as u32;
            kernels::relabel(labels, column, &goes_left, (from, to), listed, first_row, list);
        });
        lists
    }
}

impl Histograms for LabelledRows<'_> {
    fn root(&mut self) -> Histogram {
        self.counter.count(1, &[(0, NodeRows::Range(0..self.labels.len()))]).remove(0)
    }

    fn split(&mut self, splits: &[NodeSplit], counted: &[NodeId]) -> Vec<Histogram> {
        let mut lists: Vec<(usize, Vec<u32>)> = Vec::new();
        for made in splits {
            let position = |node: NodeId| counted.iter().position(|&n| n == node);
            assert!(self.n_labels < MOST_LABELS, "invariant: the grower keeps its limit of leaves");
            let to = self.n_labels as u8;
            self.n_labels += 1;
            let (left, right) = (position(made.left), position(made.right));
            let first = match (left, right) {
                (Some(_), _) => Listed::Left,
                (None, Some(_)) => Listed::Right,
                (None, None) => Listed::None,
            };
            let from = self.nodes[made.node].0;
            let found = self.relabel(made, (from, to), first);
            let of = left.or(right).unwrap_or(0);
            lists.extend(found.into_iter().map(|list| (of, list)));
            if let (Some(_), Some(right)) = (left, right) {
                // What went right has the other label by now, and goes right again.
                let found = self.relabel(made, (to, to), Listed::Right);
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
        let parts = self.labels.par_chunks(size).enumerate();
        let sums = parts.map(|(part, labels)| gradients.sums_by_label(part * size, labels));
        let zero = || [Sums::default(); MOST_LABELS];
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
