//! Growing one tree: which node is split next, and what its children need.
//!
//! The [`Grower`] never sees a row. It asks [`Histograms`] for the histograms of a set of nodes, of the smaller child of
//! each split only: the larger one's is what is left of the parent's.

mod count;
mod listed;
mod tagged;

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;

pub use count::Counted;
pub use listed::{ListedRows, Remains};
pub use tagged::{FEW_LEAVES, TaggedRemains, TaggedRows};

use crate::columns::Columns;
use crate::gradient::{Sums, Units};
use crate::histogram::Histogram;
use crate::split::{BinSplit, Limits, Rules, Splitter};

/// In which order a tree grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Level by level, as XGBoost's `depthwise`.
    Depthwise,
    /// The leaf with the largest gain first, as LightGBM.
    Leafwise,
}

/// Memory that the histograms of waiting nodes may take; beyond, a child is counted anew instead of subtracted.
const POOL_BYTES: usize = 512 << 20;

/// Bins of some nodes above which their splits are sought on several threads.
const PARALLEL_BINS: usize = 4096;

/// A node of a tree while it grows: the root is 0, children are numbered as they come.
pub type NodeId = usize;

/// A node that becomes two.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSplit {
    /// The node.
    pub node: NodeId,
    /// How its rows are parted.
    pub split: BinSplit,
    /// The child on the left.
    pub left: NodeId,
    /// The child on the right.
    pub right: NodeId,
}

/// Who holds the rows: this machine ([`ListedRows`], [`TaggedRows`]), or several that hold a part each and add their
/// whole numbers.
pub trait Histograms {
    /// The histogram of all rows; only active features need be counted.
    fn root(&mut self) -> Histogram;

    /// Parts the rows of some nodes, and returns the histograms of some of their children, in the order of `counted`.
    fn split(&mut self, splits: &[NodeSplit], counted: &[NodeId]) -> Vec<Histogram>;

    /// Fine sums over the rows of some leaves, in their order.
    fn sums(&mut self, leaves: &[NodeId]) -> Vec<Sums>;

    /// What one unit of the fine sums is worth.
    fn units(&self) -> Units;

    /// Takes a histogram back that is not needed any more.
    fn recycle(&mut self, histogram: Histogram);
}

/// Where a split leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrownChild {
    /// To another split, by its number.
    Split(usize),
    /// To a leaf, by its number.
    Leaf(usize),
}

/// A split of a grown tree.
#[derive(Debug, Clone, PartialEq)]
pub struct GrownSplit {
    /// What is asked.
    pub split: BinSplit,
    /// Where the left side leads.
    pub left: GrownChild,
    /// Where the right side leads.
    pub right: GrownChild,
}

/// A grown tree in terms of bins.
#[derive(Debug, Clone, PartialEq)]
pub struct GrownTree {
    /// Splits in the order in which they were made.
    pub splits: Vec<GrownSplit>,
    /// The node of each leaf.
    pub leaf_nodes: Vec<NodeId>,
    /// Fine sums of each leaf.
    pub leaf_sums: Vec<Sums>,
    /// Between which values each leaf must lie.
    pub leaf_limits: Vec<Limits>,
}

impl GrownTree {
    /// The numbers of the leaves, from left to right.
    pub fn leaves_in_order(&self) -> Vec<usize> {
        let mut leaves = Vec::with_capacity(self.leaf_nodes.len());
        let mut waiting = vec![if self.splits.is_empty() { GrownChild::Leaf(0) } else { GrownChild::Split(0) }];
        while let Some(child) = waiting.pop() {
            match child {
                GrownChild::Leaf(leaf) => leaves.push(leaf),
                GrownChild::Split(split) => waiting.extend([self.splits[split].right, self.splits[split].left]),
            }
        }
        leaves
    }
}

/// How far a tree grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrowLimits {
    /// In which order.
    pub growth: Growth,
    /// Deepest level.
    pub max_depth: usize,
    /// Most leaves.
    pub max_leaves: usize,
}

/// A node with a split that gains. Ordered by the gain; of equal ones the earlier node comes first.
struct Candidate {
    node: NodeId,
    depth: usize,
    split: BinSplit,
    /// Kept so that a child can be subtracted from it; none where memory is short.
    histogram: Option<Histogram>,
    /// Limits of the children.
    limits: (Limits, Limits),
    path: Vec<u32>,
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.split.gain.total_cmp(&other.split.gain).then(other.node.cmp(&self.node))
    }
}

/// Candidates that wait for their round.
struct Waiting {
    growth: Growth,
    /// Depth-wise: the next level, in the order of its nodes.
    level: Vec<Candidate>,
    /// Leaf-wise: all open leaves.
    leaves: BinaryHeap<Candidate>,
    held_bytes: usize,
}

impl Waiting {
    fn new(growth: Growth) -> Self {
        Waiting { growth, level: Vec::new(), leaves: BinaryHeap::new(), held_bytes: 0 }
    }

    fn push(&mut self, candidate: Candidate) {
        self.held_bytes += candidate.histogram.as_ref().map_or(0, Histogram::bytes);
        match self.growth {
            Growth::Depthwise => self.level.push(candidate),
            Growth::Leafwise => self.leaves.push(candidate),
        }
    }

    /// The candidates of the next round: a whole level, up to `most`, or the one with the largest gain.
    fn next_round(&mut self, most: usize) -> Vec<Candidate> {
        let chosen: Vec<Candidate> = match self.growth {
            Growth::Depthwise => {
                let mut level = std::mem::take(&mut self.level);
                level.sort_by_key(|c| c.node);
                level.truncate(most);
                level
            }
            Growth::Leafwise => self.leaves.pop().into_iter().collect(),
        };
        self.held_bytes -= chosen.iter().filter_map(|c| c.histogram.as_ref()).map(Histogram::bytes).sum::<usize>();
        chosen
    }
}

/// A node that may become a candidate.
struct Open {
    node: NodeId,
    depth: usize,
    total: Sums,
    limits: Limits,
    /// Features that its ancestors ask, where that matters.
    path: Vec<u32>,
}

/// Grows trees.
#[derive(Debug, Clone)]
pub struct Grower<'a> {
    /// Finds the splits.
    pub splitter: Splitter<'a>,
    /// Which features nodes may ask.
    pub columns: &'a Columns<'a>,
    /// How far trees grow.
    pub limits: GrowLimits,
}

impl Grower<'_> {
    /// Grows one tree on the rows that `source` holds.
    ///
    /// # Determinism
    /// Depends on the sums of the rows alone, not on who holds them.
    pub fn grow(&self, source: &mut dyn Histograms) -> GrownTree {
        let mut made: Vec<NodeSplit> = Vec::new();
        let mut waiting = Waiting::new(self.limits.growth);
        self.open_root(source, &mut waiting);
        let mut limits = vec![Limits::NONE];
        while made.len() + 1 < self.limits.max_leaves {
            let chosen = waiting.next_round(self.limits.max_leaves - 1 - made.len());
            if chosen.is_empty() {
                break;
            }
            let splits: Vec<NodeSplit> = chosen
                .iter()
                .map(|candidate| {
                    let left = limits.len();
                    limits.extend([candidate.limits.0, candidate.limits.1]);
                    NodeSplit { node: candidate.node, split: candidate.split.clone(), left, right: left + 1 }
                })
                .collect();
            made.extend_from_slice(&splits);
            // The children of the last split are leaves: nobody asks for their histograms.
            let is_last = made.len() + 1 >= self.limits.max_leaves;
            self.split(source, chosen, &splits, is_last, &mut waiting);
        }
        finish(source, made, &limits)
    }

    fn open_root(&self, source: &mut dyn Histograms, waiting: &mut Waiting) {
        if self.limits.max_leaves < 2 || self.limits.max_depth < 1 {
            return;
        }
        let histogram = source.root();
        // Every feature counts every row, so the sums of any one are those of the node.
        let mut sums = Vec::new();
        let total = (0..self.splitter.matrix.n_features()).find_map(|f| {
            if !self.columns.active[f] {
                return None;
            }
            histogram.sums_into(self.splitter.layout, f, &mut sums);
            (!sums.is_empty()).then(|| sums.iter().fold(Sums::default(), |total, bin| total + bin.sums))
        });
        match total {
            Some(total) => {
                let root = Open { node: 0, depth: 0, total, limits: Limits::NONE, path: Vec::new() };
                self.evaluate(source, vec![(root, histogram)], waiting);
            }
            None => source.recycle(histogram),
        }
    }

    /// Splits nodes, and adds those of their children that can be split further to `waiting`.
    fn split(
        &self,
        source: &mut dyn Histograms,
        parents: Vec<Candidate>,
        splits: &[NodeSplit],
        is_last: bool,
        waiting: &mut Waiting,
    ) {
        let mut counted: Vec<NodeId> = Vec::new();
        let mut plans = Vec::new();
        for (parent, made) in parents.into_iter().zip(splits) {
            let depth = parent.depth + 1;
            let mut path = parent.path;
            if !self.columns.together.is_empty() {
                path.push(made.split.feature as u32);
            }
            let (below, above) = parent.limits;
            let left = Open { node: made.left, depth, total: made.split.left, limits: below, path: path.clone() };
            let right = Open { node: made.right, depth, total: made.split.right, limits: above, path };
            let (small, large) = if left.total.count <= right.total.count { (left, right) } else { (right, left) };
            let (small_open, large_open) = match is_last {
                true => (false, false),
                false => (self.can_be_split(&small), self.can_be_split(&large)),
            };
            if small_open || large_open {
                counted.push(small.node);
            }
            if large_open && parent.histogram.is_none() {
                counted.push(large.node);
            }
            plans.push((parent.histogram, small, small_open, large, large_open));
        }
        let mut found = source.split(splits, &counted).into_iter();
        let mut next = || found.next().expect("invariant: a histogram comes for every node that was asked for");
        let mut open: Vec<(Open, Histogram)> = Vec::with_capacity(2 * plans.len());
        for (parent, small, small_open, large, large_open) in plans {
            if !small_open && !large_open {
                parent.into_iter().for_each(|h| source.recycle(h));
                continue;
            }
            let small_histogram = next();
            if large_open {
                let large_histogram = match parent {
                    Some(mut histogram) => {
                        histogram.subtract(&small_histogram, self.splitter.layout);
                        histogram
                    }
                    None => next(),
                };
                open.push((large, large_histogram));
            } else {
                parent.into_iter().for_each(|h| source.recycle(h));
            }
            if small_open {
                open.push((small, small_histogram));
            } else {
                source.recycle(small_histogram);
            }
        }
        self.evaluate(source, open, waiting);
    }

    fn can_be_split(&self, open: &Open) -> bool {
        let least = 2 * self.splitter.params.min_child_samples.max(1);
        open.depth < self.limits.max_depth && open.total.count >= least
    }

    /// Looks for the splits of some nodes; a node without one stays a leaf.
    fn evaluate(&self, source: &mut dyn Histograms, open: Vec<(Open, Histogram)>, waiting: &mut Waiting) {
        let units = source.units();
        let find = |(open, histogram): &(Open, Histogram)| {
            let allowed = self.columns.of_node(open.depth, open.node, &open.path);
            self.splitter.find(histogram, open.total, units, &Rules { allowed, limits: open.limits })
        };
        let splits: Vec<Option<BinSplit>> = if open.len() * self.splitter.layout.n_bins() < PARALLEL_BINS {
            open.iter().map(find).collect()
        } else {
            open.par_iter().with_max_len(1).map(find).collect()
        };
        for ((Open { node, depth, limits, path, .. }, histogram), split) in open.into_iter().zip(splits) {
            match split {
                None => source.recycle(histogram),
                Some(split) => {
                    let limits = self.splitter.limits_of_children(&split, histogram.units(units), limits);
                    let histogram = if waiting.held_bytes + histogram.bytes() <= POOL_BYTES {
                        Some(histogram)
                    } else {
                        source.recycle(histogram);
                        None
                    };
                    waiting.push(Candidate { node, depth, split, histogram, limits, path });
                }
            }
        }
    }
}

/// Numbers splits and leaves, and asks for the leaves' sums.
fn finish(source: &mut dyn Histograms, made: Vec<NodeSplit>, limits: &[Limits]) -> GrownTree {
    let mut place = vec![None; 2 * made.len() + 1];
    made.iter().enumerate().for_each(|(i, s)| place[s.node] = Some(i));
    let leaf_nodes: Vec<NodeId> = (0..place.len()).filter(|&node| place[node].is_none()).collect();
    let mut leaf_of = vec![0; place.len()];
    leaf_nodes.iter().enumerate().for_each(|(i, &node)| leaf_of[node] = i);
    let child = |node: NodeId| place[node].map_or(GrownChild::Leaf(leaf_of[node]), GrownChild::Split);
    let splits = made.into_iter().map(|s| GrownSplit { split: s.split, left: child(s.left), right: child(s.right) });
    let splits = splits.collect();
    let leaf_sums = source.sums(&leaf_nodes);
    let leaf_limits = leaf_nodes.iter().map(|&leaf| limits[leaf]).collect();
    GrownTree { splits, leaf_nodes, leaf_sums, leaf_limits }
}

/// The part of a split's table that bytes ask.
fn bytes(goes_left: &[bool]) -> &[bool; 256] {
    goes_left.first_chunk().expect("invariant: a table has an answer for any byte")
}

#[cfg(test)]
mod tests;
