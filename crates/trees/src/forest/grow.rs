//! Growing one tree of a forest: `find` decides on a node, `part` parts its rows.

mod find;
mod part;

use std::collections::BinaryHeap;
use std::ops::Range;

use tabwright_core::numeric;
use tabwright_core::random::Purpose;
use tabwright_model::trees::{Child, Decision, Split, Tree};

use crate::binning::{BinnedMatrix, Bins, NumberBins};
use crate::forest::cells::Cells;
use crate::forest::codes::Codes;
use crate::forest::draws::{Draws, bootstrap};
use crate::forest::lanes::Lanes;
use crate::forest::node::{Best, NodeSplit, Open, Rows};
use crate::forest::params::ForestParams;
use crate::forest::records::{Records, Template};
use crate::forest::response::{Kind, Response};
use crate::forest::scan::{Item, Moments, Scan, class_weights};
use crate::forest::sorted::Sorted;
use crate::translate::stored_gain;

/// What all trees of a forest share.
#[derive(Debug)]
pub(super) struct Forest<'a> {
    pub(super) params: &'a ForestParams,
    pub(super) matrix: &'a BinnedMatrix,
    pub(super) response: &'a Response<'a>,
    /// None where rows cannot be held as records.
    pub(super) template: Option<Template>,
    pub(super) seed: u64,
}

impl Forest<'_> {
    /// Rows as records, where they serve: for sums of one number, if no node waits for others in the order of their gains.
    pub(super) fn template(params: &ForestParams, matrix: &BinnedMatrix, response: &Response<'_>) -> Option<Template> {
        let has_sums = params.max_leaf_nodes.is_none() && matches!(response.kind, Kind::Share | Kind::Number);
        has_sums.then(|| Template::new(matrix, response.n_rows())).flatten()
    }
}

/// Grows the trees of a forest, one at a time, on memory that is used again.
#[derive(Debug)]
pub(super) struct TreeGrower<'a> {
    forest: &'a Forest<'a>,
    items: Vec<Item>,
    scratch: Vec<Item>,
    codes: Codes<'a>,
    scan: Scan,
    cells: Cells,
    /// Where the features of the cells begin among the drawn ones.
    batch: usize,
    /// None if a record would be too wide, or there are too many classes.
    records: Option<Records<'a>>,
    sorted: Sorted,
    lanes: Lanes,
    /// How often each row was drawn.
    times: Vec<u32>,
    /// Rows of a leaf and their weights.
    rows: Vec<(usize, u64)>,
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
            codes: Codes::new(forest.matrix),
            scan: Scan::new(forest.response.kind, forest.params.min_samples_leaf),
            cells: Cells::new(),
            batch: 0,
            records: forest.template.as_ref().map(|t| Records::new(t, forest.response.kind == Kind::Number)),
            sorted: Sorted::new(forest.matrix.n_features(), varying(forest.matrix).map(|f| f as usize).collect()),
            lanes: Lanes::new(forest.matrix.n_features(), forest.params.min_samples_leaf),
            times: Vec::new(),
            rows: Vec::new(),
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
        let Forest { params, matrix, response, seed, .. } = *self.forest;
        self.columns = Draws::new(seed, Purpose::Columns, number);
        self.thresholds = Draws::new(seed, Purpose::Threshold, number);
        self.features.clear();
        self.features.extend(varying(matrix));
        self.n_decided = 0;
        self.draw_rows(number);
        self.codes.rank(&self.items, response.kind, number);
        self.scratch.resize(self.items.len(), Item::default());
        self.weight = Moments::of(&self.items).weight as f64;
        self.tree = Tree::default();
        let root = Open { rows: Rows::Items(0..self.items.len()), depth: 0, parent: None };
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
        bootstrap(seed, number, n_rows, &mut self.times);
        let drawn = self.times.iter().enumerate().filter(|(_, t)| **t > 0);
        self.items.extend(drawn.map(|(row, &t)| item(row, t.into())));
    }

    /// Depth first, left before right.
    fn grow_all(&mut self, root: Open) {
        let mut stack = vec![root];
        while let Some(mut open) = stack.pop() {
            self.enter(&mut open);
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

    /// Parts a node's rows and returns its children.
    fn make_split(&mut self, open: Open, split: &NodeSplit) -> (Open, Open) {
        let ([left, right], next) = self.part(&open.rows, split);
        let bins = &self.forest.matrix.features()[split.feature];
        let next = usize::from(next).min(bins.n_values());
        // Without missing values in the node, they follow the majority.
        let missing_left =
            if split.has_missing { split.missing_left } else { self.n_rows(&left) > self.n_rows(&right) };
        let number = self.tree.splits.len() as u32;
        self.link(open.parent, Child::Split(number));
        let decision = match &bins.bins {
            Bins::Number(bins) => Decision::Number { threshold: threshold(bins, split.last.into(), next, split.drawn) },
            Bins::Category(bins) => {
                // Levels between both sides, of which the node has no rows, go to the nearer one.
                let halfway = if next == bins.len() { next } else { (usize::from(split.last) + next) / 2 };
                let ranks = self.codes.ranks(split.feature).expect("invariant: a category that is split has ranks");
                let is_left = |bin: usize| usize::from(ranks[bin]) <= halfway;
                self.tree.push_categories(&bins.codes(is_left, missing_left))
            }
        };
        let (feature, gain, nowhere) = (split.feature as u32, stored_gain(split.gain), Child::Leaf(0));
        self.tree.splits.push(Split { feature, decision, missing_left, left: nowhere, right: nowhere, gain });
        let child = |rows, is_left| Open { rows, depth: open.depth + 1, parent: Some((number, is_left)) };
        (child(left, true), child(right, false))
    }

    fn make_leaf(&mut self, open: &Open) {
        let width = if let Kind::Classes(k) = self.forest.response.kind { k } else { 1 };
        let number = (self.tree.leaf_values.len() / width) as u32;
        self.link(open.parent, Child::Leaf(number));
        let response = self.forest.response;
        self.tree.leaf_rows.push(self.n_rows(&open.rows) as u32);
        let value = match (&open.rows, &self.records) {
            (Rows::Lanes(lanes), _) => self.lanes.moments(*lanes).mean(),
            (Rows::Sorted(range), _) => mean(self.sorted.rows(range), response.values),
            (Rows::Records(span, _), Some(records)) if response.kind == Kind::Number => {
                self.rows.clear();
                self.rows.extend(records.rows(span));
                self.rows.sort_unstable();
                mean(self.rows.iter().copied(), response.values)
            }
            (Rows::Records(_, sums), _) => sums.moments(0).mean(),
            (Rows::Items(range), _) => return self.make_leaf_of_items(range.clone()),
        };
        self.tree.leaf_values.push(numeric::canonical(value));
    }

    fn make_leaf_of_items(&mut self, range: Range<usize>) {
        let (items, response) = (&self.items[range], self.forest.response);
        match response.kind {
            Kind::Number => {
                let rows = items.iter().map(|item| (item.row as usize, item.weight));
                self.tree.leaf_values.push(numeric::canonical(mean(rows, response.values)));
            }
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

/// Features of more than one bin.
fn varying(matrix: &BinnedMatrix) -> impl Iterator<Item = u32> {
    (0..matrix.n_features() as u32).filter(|f| matrix.features()[*f as usize].n_codes() > 1)
}

/// The weighted mean of the targets as they came: rows are in ascending order, so its bits are settled.
fn mean(mut rows: impl Iterator<Item = (usize, u64)>, values: &[f64]) -> f64 {
    let Some((row, weight)) = rows.next() else { unreachable!("invariant: a leaf has rows") };
    let first = values[row];
    // Differences from one of them: equal targets have exactly their own mean.
    let (mut sum, mut weights) = (0.0, weight as f64);
    for (row, weight) in rows {
        sum += weight as f64 * (values[row] - first);
        weights += weight as f64;
    }
    first + sum / weights
}

/// A threshold that parts the node's rows: the one that was drawn if it does, else halfway between them.
fn threshold(bins: &NumberBins, last: usize, next: usize, drawn: Option<f64>) -> f64 {
    match drawn {
        Some(t) if next < bins.len() && bins.upper(last) <= t && t < bins.lower(next) => numeric::canonical(t),
        _ => bins.threshold(last, next),
    }
}
