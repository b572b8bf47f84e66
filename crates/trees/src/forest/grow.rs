//! Growing one tree of a forest.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;

use tabwright_core::numeric;
use tabwright_core::random::{Keyed, Purpose};
use tabwright_model::trees::{Child, Decision, Split, Tree};

use crate::binning::{BinnedMatrix, Bins, FeatureBins, NumberBins};
use crate::forest::params::ForestParams;
use crate::forest::response::{Kind, Response};
use crate::forest::scan::{Cut, Item, Moments, Node, Scan, class_weights};
use crate::translate::stored_gain;

/// What all trees of a forest share.
#[derive(Debug)]
pub(super) struct Forest<'a> {
    pub(super) params: &'a ForestParams,
    pub(super) matrix: &'a BinnedMatrix,
    pub(super) response: &'a Response<'a>,
    pub(super) seed: u64,
}

/// Numbers of one purpose for one node after the other.
#[derive(Debug)]
struct Draws {
    tree: Keyed,
    node: Keyed,
    counter: u64,
}

impl Draws {
    fn new(seed: u64, purpose: Purpose, tree: u64) -> Self {
        let tree = Keyed::new(seed, purpose).child(tree);
        Draws { tree, node: tree, counter: 0 }
    }

    /// Goes to a node: how many numbers another one took makes no difference.
    fn start(&mut self, node: u64) {
        self.node = self.tree.child(node);
        self.counter = 0;
    }

    fn below(&mut self, n: usize) -> usize {
        self.counter += 1;
        self.node.below(self.counter, n as u64) as usize
    }

    fn uniform(&mut self) -> f64 {
        self.counter += 1;
        self.node.uniform(self.counter)
    }
}

/// A split that a node may make.
#[derive(Debug, Clone, Copy)]
struct NodeSplit {
    feature: usize,
    test: Test,
    missing_left: bool,
    /// Whether missing values had a say in that.
    has_missing: bool,
    /// Decrease of the impurity, times the node's share of the weight.
    gain: f64,
}

#[derive(Debug, Clone, Copy)]
enum Test {
    /// Bins up to `last` go left; `next` is the first one with rows on the right, if there is one.
    UpTo { last: u8, next: Option<u8>, drawn: Option<f64> },
    /// Bins of this set go left.
    In([u64; 4]),
}

/// A node to be decided on, and where its number is to be written.
#[derive(Debug, Clone)]
struct Open {
    items: Range<usize>,
    depth: usize,
    parent: Option<(u32, bool)>,
}

/// A node that has a split, ordered by its gain; of equal ones the earlier.
struct Best {
    open: Open,
    split: NodeSplit,
    number: usize,
}

impl PartialEq for Best {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Best {}

impl PartialOrd for Best {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Best {
    fn cmp(&self, other: &Self) -> Ordering {
        self.split.gain.total_cmp(&other.split.gain).then(other.number.cmp(&self.number))
    }
}

/// Grows the trees of a forest, one at a time, on memory that is used again.
#[derive(Debug)]
pub(super) struct TreeGrower<'a> {
    forest: &'a Forest<'a>,
    items: Vec<Item>,
    scratch: Vec<Item>,
    scan: Scan,
    /// Features that vary, in their order but for those that are drawn at the moment.
    features: Vec<u32>,
    drawn: Vec<usize>,
    max_features: usize,
    columns: Draws,
    thresholds: Draws,
    shares: Vec<i64>,
    /// Nodes that were decided on.
    n_decided: u64,
    /// Weight of all rows of the tree.
    weight: f64,
    tree: Tree,
}

impl<'a> TreeGrower<'a> {
    pub(super) fn new(forest: &'a Forest<'a>) -> Self {
        TreeGrower {
            forest,
            items: Vec::new(),
            scratch: Vec::new(),
            scan: Scan::new(forest.response.kind, forest.params.min_samples_leaf),
            features: Vec::new(),
            drawn: Vec::new(),
            n_decided: 0,
            max_features: forest.params.max_features.of(forest.matrix.n_features()),
            columns: Draws::new(forest.seed, Purpose::Columns, 0),
            thresholds: Draws::new(forest.seed, Purpose::Threshold, 0),
            shares: Vec::new(),
            weight: 0.0,
            tree: Tree::default(),
        }
    }

    /// Grows the tree of a number: draws depend on nothing else.
    pub(super) fn grow(&mut self, number: u64) -> Tree {
        let Forest { params, matrix, seed, .. } = *self.forest;
        self.columns = Draws::new(seed, Purpose::Columns, number);
        self.thresholds = Draws::new(seed, Purpose::Threshold, number);
        let varies = |f: &u32| matrix.features()[*f as usize].n_codes() > 1;
        self.features = (0..matrix.n_features() as u32).filter(varies).collect();
        self.n_decided = 0;
        self.draw_rows(number);
        self.scratch.resize(self.items.len(), Item::default());
        self.weight = Moments::of(&self.items).weight as f64;
        self.tree = Tree::default();
        let root = Open { items: 0..self.items.len(), depth: 0, parent: None };
        match params.max_leaf_nodes {
            None => self.grow_all(root),
            Some(most) => self.grow_best(root, most),
        }
        std::mem::take(&mut self.tree)
    }

    fn draw_rows(&mut self, number: u64) {
        let Forest { params, response, seed, .. } = *self.forest;
        let n_rows = response.n_rows();
        let item = |row: usize, times: u64| Item {
            row: row as u32,
            target: response.targets[row],
            weight: response.weight(row) * times,
        };
        self.items.clear();
        if !params.bootstrap {
            self.items.extend((0..n_rows).map(|row| item(row, 1)));
            return;
        }
        let times = bootstrap(seed, number, n_rows);
        let drawn = times.iter().enumerate().filter(|(_, t)| **t > 0);
        self.items.extend(drawn.map(|(row, &t)| item(row, t)));
    }

    /// Depth first, left before right.
    fn grow_all(&mut self, root: Open) {
        let mut stack = vec![root];
        while let Some(open) = stack.pop() {
            match self.find(&open) {
                None => self.make_leaf(&open),
                Some(split) => {
                    let (left, right) = self.make_split(open, &split);
                    stack.push(right);
                    stack.push(left);
                }
            }
        }
    }

    /// The largest gain first, up to a number of leaves.
    fn grow_best(&mut self, root: Open, most: usize) {
        let mut heap = BinaryHeap::new();
        let (mut number, mut leaves) = (0, 1);
        let mut decide = |grower: &mut Self, heap: &mut BinaryHeap<Best>, open: Open| {
            number += 1;
            match grower.find(&open) {
                None => grower.make_leaf(&open),
                Some(split) => heap.push(Best { open, split, number }),
            }
        };
        decide(self, &mut heap, root);
        while leaves < most {
            let Some(Best { open, split, .. }) = heap.pop() else { break };
            let (left, right) = self.make_split(open, &split);
            leaves += 1;
            decide(self, &mut heap, left);
            decide(self, &mut heap, right);
        }
        for Best { open, .. } in heap.into_sorted_vec() {
            self.make_leaf(&open);
        }
    }

    /// The split of a node; none if it is to be a leaf.
    fn find(&mut self, open: &Open) -> Option<NodeSplit> {
        let Forest { params, matrix, response, .. } = *self.forest;
        let items = &self.items[open.items.clone()];
        self.n_decided += 1;
        let too_small = items.len() < params.min_samples_split || items.len() / 2 < params.min_samples_leaf;
        if too_small || params.max_depth.is_some_and(|d| open.depth >= d) || is_pure(items) {
            return None;
        }
        let node = Node::new(items, response.kind);
        self.columns.start(self.n_decided);
        self.thresholds.start(self.n_decided);
        let n_features = self.features.len();
        let (mut seen, mut varying) = (0, 0);
        self.drawn.clear();
        let mut best: Option<(Cut, NodeSplit)> = None;
        while seen < n_features && (seen < self.max_features || varying == 0) {
            let drawn = seen + self.columns.below(n_features - seen);
            self.features.swap(seen, drawn);
            self.drawn.push(drawn);
            let feature = self.features[seen] as usize;
            seen += 1;
            let bins = &matrix.features()[feature];
            let Some(found) = self.look(&node, open.items.clone(), feature, bins) else { continue };
            varying += 1;
            let Some((cut, split)) = found else { continue };
            if best.as_ref().is_none_or(|(b, _)| cut.score > b.score) {
                best = Some((cut, split));
            }
            if cut.is_perfect {
                break;
            }
        }
        // The next node draws from the same order.
        (0..self.drawn.len()).rev().for_each(|i| self.features.swap(i, self.drawn[i]));
        let (cut, mut split) = best?;
        // Two classes as 0 and 1: their Gini impurity is twice the variance.
        let factor = if response.kind == Kind::Share { 2.0 } else { response.unit * response.unit };
        split.gain = cut.score * factor / (node.total.weight as f64 * self.weight);
        (split.gain >= params.min_impurity_decrease).then_some(split)
    }

    /// Looks at one feature of a node: none if all rows have the same bin, and no cut if none is allowed.
    fn look(
        &mut self,
        node: &Node,
        range: Range<usize>,
        feature: usize,
        bins: &FeatureBins,
    ) -> Option<Option<(Cut, NodeSplit)>> {
        let (items, column) = (&self.items[range], self.forest.matrix.column(feature).bytes());
        let is_random = self.forest.params.random_thresholds;
        if let (true, Bins::Number(numbers)) = (is_random, &bins.bins) {
            let (draws, mut drawn) = (&mut self.thresholds, None);
            let draw = |low: u8, high: u8, has_missing: bool| {
                let missing_left = has_missing && draws.below(2) == 0;
                if low == high {
                    return (low, false);
                }
                let (least, largest) = (numbers.lower(low as usize), numbers.upper(high as usize));
                let threshold = least + draws.uniform() * (largest - least);
                drawn = Some(threshold);
                (numbers.last_below(threshold).clamp(low as usize, high as usize - 1) as u8, missing_left)
            };
            let (cut, last) = self.scan.cut_at_random(node, items, column, bins, draw)?;
            let test = Test::UpTo { last, next: Some(last + 1), drawn };
            let has_missing = self.scan.has_missing;
            return Some(cut.map(|cut| {
                (cut, NodeSplit { feature, test, missing_left: cut.missing_left, has_missing, gain: 0.0 })
            }));
        }
        if !self.scan.fill(items, column, bins) {
            return None;
        }
        let cut = if is_random {
            let (n_left, missing_left) = draw_levels(&mut self.thresholds, &mut self.scan);
            self.scan.cut(node, n_left, missing_left)
        } else {
            self.scan.best(node)
        };
        Some(cut.map(|cut| (cut, split_of(&self.scan, feature, bins, cut))))
    }

    /// Parts a node's rows and returns its children.
    fn make_split(&mut self, open: Open, split: &NodeSplit) -> (Open, Open) {
        let matrix = self.forest.matrix;
        let (column, bins) = (matrix.column(split.feature).bytes(), &matrix.features()[split.feature]);
        let range = open.items.clone();
        let items = &mut self.items[range.clone()];
        let missing = bins.n_values();
        let n_left = match split.test {
            Test::UpTo { last, .. } if !split.missing_left || !split.has_missing => {
                partition(items, &mut self.scratch, |row| column[row] <= last)
            }
            Test::UpTo { last, .. } => {
                partition(items, &mut self.scratch, |row| column[row] <= last || column[row] as usize == missing)
            }
            Test::In(set) => partition(items, &mut self.scratch, |row| {
                let bin = column[row] as usize;
                if bin == missing { split.missing_left } else { contains(&set, bin) }
            }),
        };
        // Without missing values in the node, they follow the majority.
        let missing_left = if split.has_missing { split.missing_left } else { 2 * n_left > items.len() };
        let number = self.tree.splits.len() as u32;
        self.link(open.parent, Child::Split(number));
        let decision = match (&bins.bins, split.test) {
            (Bins::Number(bins), Test::UpTo { last, next, drawn }) => {
                Decision::Number { threshold: threshold(bins, last, next, drawn) }
            }
            (Bins::Category(bins), Test::In(set)) => {
                self.tree.push_categories(&bins.codes(|bin| contains(&set, bin), missing_left))
            }
            _ => unreachable!("invariant: numbers are cut and categories are parted"),
        };
        let (feature, gain, nowhere) = (split.feature as u32, stored_gain(split.gain), Child::Leaf(0));
        self.tree.splits.push(Split { feature, decision, missing_left, left: nowhere, right: nowhere, gain });
        let middle = range.start + n_left;
        let child = |items, is_left| Open { items, depth: open.depth + 1, parent: Some((number, is_left)) };
        (child(range.start..middle, true), child(middle..range.end, false))
    }

    fn make_leaf(&mut self, open: &Open) {
        let width = if let Kind::Classes(k) = self.forest.response.kind { k } else { 1 };
        let number = (self.tree.leaf_values.len() / width) as u32;
        self.link(open.parent, Child::Leaf(number));
        let items = &self.items[open.items.clone()];
        let values = self.forest.response.values;
        self.tree.leaf_rows.push(items.len() as u32);
        match self.forest.response.kind {
            Kind::Number => self.tree.leaf_values.push(numeric::canonical(mean(items, values))),
            Kind::Share => self.tree.leaf_values.push(Moments::of(items).mean()),
            Kind::Classes(n_classes) => {
                class_weights(items, n_classes, &mut self.shares);
                let total = self.shares.iter().sum::<i64>() as f64;
                self.tree.leaf_values.extend(self.shares.iter().map(|&w| w as f64 / total));
            }
        }
    }

    fn link(&mut self, parent: Option<(u32, bool)>, child: Child) {
        if let Some((split, is_left)) = parent {
            let split = &mut self.tree.splits[split as usize];
            *(if is_left { &mut split.left } else { &mut split.right }) = child;
        }
    }
}

fn contains(set: &[u64; 4], bin: usize) -> bool {
    set[bin / 64] >> (bin % 64) & 1 == 1
}

fn is_pure(items: &[Item]) -> bool {
    items.iter().all(|item| item.target == items[0].target)
}

/// The weighted mean of the targets as they came: rows are in ascending order, so its bits are settled.
fn mean(items: &[Item], values: &[f64]) -> f64 {
    let first = values[items[0].row as usize];
    // Differences from one of them: equal targets have exactly their own mean.
    let (mut sum, mut weight) = (0.0, 0.0);
    for item in items {
        sum += item.weight as f64 * (values[item.row as usize] - first);
        weight += item.weight as f64;
    }
    first + sum / weight
}

/// Draws where to part the levels of a category: one of few rows from all others, or at any place of the order.
fn draw_levels(draws: &mut Draws, scan: &mut Scan) -> (usize, bool) {
    let missing_left = scan.has_missing && draws.below(2) == 0;
    let steps = scan.order().len();
    if steps < 2 {
        // One level against the missing ones.
        return (steps, false);
    }
    let place = draws.below(steps);
    if scan.single_out(place) { (1, missing_left) } else { ((place + 1).min(steps - 1), missing_left) }
}

/// A cut as a split; it is gone with the next feature that is scanned.
fn split_of(scan: &Scan, feature: usize, bins: &FeatureBins, cut: Cut) -> NodeSplit {
    let (left, right) = scan.order().split_at(cut.n_left);
    let test = match bins.bins {
        Bins::Number(_) => Test::UpTo { last: left[left.len() - 1], next: right.first().copied(), drawn: None },
        Bins::Category(_) => {
            let mut set = [0u64; 4];
            left.iter().for_each(|&bin| set[bin as usize / 64] |= 1 << (bin % 64));
            Test::In(set)
        }
    };
    NodeSplit { feature, test, missing_left: cut.missing_left, has_missing: scan.has_missing, gain: 0.0 }
}

/// A threshold that parts the node's rows: the one that was drawn if it does, else halfway between them.
fn threshold(bins: &NumberBins, last: u8, next: Option<u8>, drawn: Option<f64>) -> f64 {
    let (last, next) = (last as usize, next.map_or(bins.len(), usize::from));
    match drawn {
        Some(t) if next < bins.len() && bins.upper(last) <= t && t < bins.lower(next) => numeric::canonical(t),
        _ => bins.threshold(last, next),
    }
}

/// Moves the rows that go left to the front; both sides keep their order. Returns how many go left.
fn partition(items: &mut [Item], scratch: &mut [Item], goes_left: impl Fn(usize) -> bool) -> usize {
    let (mut left, mut right) = (0, 0);
    for i in 0..items.len() {
        let item = items[i];
        let is_left = goes_left(item.row as usize);
        // The one that is not meant is written over by the next row.
        items[left] = item;
        scratch[right] = item;
        left += usize::from(is_left);
        right += usize::from(!is_left);
    }
    items[left..].copy_from_slice(&scratch[..right]);
    left
}

/// How often each row is drawn for a tree.
pub(super) fn bootstrap(seed: u64, tree: u64, n_rows: usize) -> Vec<u64> {
    let keyed = Keyed::new(seed, Purpose::Bootstrap).child(tree);
    let mut times = vec![0; n_rows];
    (0..n_rows as u64).for_each(|draw| times[keyed.below(draw, n_rows as u64) as usize] += 1);
    times
}
