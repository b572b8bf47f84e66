//! Growing one tree of a forest.

use std::collections::BinaryHeap;
use std::ops::Range;

use tabwright_core::numeric;
use tabwright_core::random::Purpose;
use tabwright_model::trees::{Child, Decision, Split, Tree};

use crate::binning::{BinnedMatrix, Bins, NumberBins};
use crate::forest::cells::{BATCH, Cells};
use crate::forest::draws::{Draws, bootstrap};
use crate::forest::lanes::{self, Lanes};
use crate::forest::look::{look, look_at_records};
use crate::forest::node::{Best, Found, Node, NodeSplit, Open, Rows, Test, contains};
use crate::forest::params::ForestParams;
use crate::forest::records::{self, Packed, Records};
use crate::forest::response::{Kind, Response};
use crate::forest::scan::{BinRow, Item, Moments, Scan, class_weights};
use crate::forest::sorted::{self, Sorted};
use crate::translate::stored_gain;

/// What all trees of a forest share.
#[derive(Debug)]
pub(super) struct Forest<'a> {
    pub(super) params: &'a ForestParams,
    pub(super) matrix: &'a BinnedMatrix,
    pub(super) response: &'a Response<'a>,
    pub(super) seed: u64,
}

/// Grows the trees of a forest, one at a time, on memory that is used again.
#[derive(Debug)]
pub(super) struct TreeGrower<'a> {
    forest: &'a Forest<'a>,
    items: Vec<Item>,
    scratch: Vec<Item>,
    scan: Scan,
    cells: Cells,
    /// Where the features of the cells begin among the drawn ones.
    batch: usize,
    /// None if a record would be too wide, or there are too many classes.
    records: Option<Records>,
    sorted: Sorted,
    lanes: Lanes,
    /// How often each row was drawn.
    times: Vec<u32>,
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
            cells: Cells::new(),
            batch: 0,
            records: records_of(forest),
            sorted: Sorted::new(forest.matrix.n_features(), varying(forest.matrix).map(|f| f as usize).collect()),
            lanes: Lanes::new(forest.matrix.n_features(), forest.params.min_samples_leaf),
            times: Vec::new(),
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
        self.features.clear();
        self.features.extend(varying(matrix));
        self.n_decided = 0;
        self.draw_rows(number);
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

    /// Gives the rows of a node the form that is fastest for so many. Others of that form are no longer needed: depth first,
    /// the nodes below them are done.
    fn enter(&mut self, open: &mut Open) {
        let (Rows::Items(range) | Rows::Records(range, _)) = &open.rows else { return };
        let (range, response) = (range.clone(), self.forest.response);
        let Some(records) = &mut self.records else {
            let items = &self.items[range];
            let is_light = response.kind == Kind::Share && items.len() <= lanes::MOST_WEIGHT;
            if is_light && Moments::of(items).weight <= lanes::MOST_WEIGHT as i64 {
                let rows = items.iter().map(|item| (item.row as usize, item.in_bin(0).moments));
                open.rows = Rows::Lanes(self.lanes.fill(rows));
            }
            return;
        };
        if let Rows::Items(_) = open.rows {
            let items = &self.items[range.clone()];
            if Moments::of(items).weight > records::MOST_WEIGHT {
                return;
            }
            records.fill(items, self.forest.matrix);
            let range = 0..items.len();
            let sums = records.total(&range);
            open.rows = Rows::Records(range, sums);
        }
        let Rows::Records(range, sums) = &open.rows else { return };
        match response.kind {
            Kind::Number if range.len() <= sorted::MOST_ROWS && !self.forest.params.random_thresholds => {
                open.rows = Rows::Sorted(self.sorted.fill(records, range, &response.targets));
            }
            Kind::Share if sums.weight() <= lanes::MOST_WEIGHT as u64 => {
                let rows = range.clone().zip(records.sums(range).map(|sums| records.moments(sums)));
                open.rows = Rows::Lanes(self.lanes.fill(rows));
            }
            _ => {}
        }
    }

    /// The split of a node; none if it is to be a leaf.
    fn find(&mut self, open: &Open) -> Option<NodeSplit> {
        let Forest { params, response, .. } = *self.forest;
        self.n_decided += 1;
        let n_rows = self.n_rows(&open.rows);
        let too_small = n_rows < params.min_samples_split || n_rows / 2 < params.min_samples_leaf;
        if too_small || params.max_depth.is_some_and(|d| open.depth >= d) {
            return None;
        }
        let node = self.impure(&open.rows)?;
        self.columns.start(self.n_decided);
        if params.random_thresholds {
            self.thresholds.start(self.n_decided);
        }
        let n_features = self.features.len();
        let (mut seen, mut varying) = (0, 0);
        self.drawn.clear();
        let mut best: Option<Found> = None;
        while seen < n_features && (seen < self.max_features || varying == 0) {
            if seen == self.drawn.len() {
                self.draw_features(&open.rows);
            }
            seen += 1;
            let least = best.as_ref().map_or(f64::NEG_INFINITY, |b| b.score);
            let Some(found) = self.look(&node, &open.rows, seen - 1, least) else { continue };
            varying += 1;
            let Some(found) = found else { continue };
            if found.score > least {
                best = Some(found);
            }
            if found.is_perfect {
                break;
            }
        }
        // The next node draws from the same order.
        (0..self.drawn.len()).rev().for_each(|i| self.features.swap(i, self.drawn[i]));
        let Found { score, mut split, .. } = best?;
        // Two classes as 0 and 1: their Gini impurity is twice the variance.
        let factor = if response.kind == Kind::Share { 2.0 } else { response.unit * response.unit };
        split.gain = score * factor / (node.total.weight as f64 * self.weight);
        (split.gain >= params.min_impurity_decrease).then_some(split)
    }

    fn n_rows(&self, rows: &Rows) -> usize {
        match rows {
            Rows::Items(range) | Rows::Records(range, _) | Rows::Sorted(range) => range.len(),
            Rows::Lanes(lanes) => self.lanes.n_rows(*lanes),
        }
    }

    /// Draws the next features of a node: one, or as many as are looked at together.
    fn draw_features(&mut self, rows: &Rows) {
        let (seen, n_features) = (self.drawn.len(), self.features.len());
        let batch = match rows {
            Rows::Records(..) if !self.forest.params.random_thresholds => BATCH,
            _ => 1,
        };
        // Beyond those that are asked for, each is drawn only if the one before is constant.
        let n = batch.min(self.max_features.saturating_sub(seen)).clamp(1, n_features - seen);
        for place in seen..seen + n {
            let drawn = place + self.columns.below(n_features - place);
            self.features.swap(place, drawn);
            self.drawn.push(drawn);
        }
        if let (Rows::Records(range, _), Some(records), BATCH) = (rows, &self.records, batch) {
            self.batch = seen;
            self.cells.fill(records, range, &self.features[seen..seen + n], self.forest.matrix.features());
        }
    }

    /// A node as features are judged by it; none if all its rows have the same target.
    fn impure(&self, rows: &Rows) -> Option<Node> {
        match rows {
            Rows::Items(range) => {
                let items = &self.items[range.clone()];
                let node = || Node::new(Moments::of(items), items.len(), self.forest.response.kind);
                (!is_pure(items)).then(node)
            }
            Rows::Records(range, sums) => {
                let (records, kind) = (self.records(), self.forest.response.kind);
                let total = records.moments(*sums);
                let is_pure = match kind {
                    Kind::Share => total.sum == 0 || total.sum == total.weight,
                    _ => {
                        let mut targets = records.rows(range).map(|(row, _)| self.forest.response.targets[row]);
                        let first = targets.next();
                        targets.all(|target| Some(target) == first)
                    }
                };
                (!is_pure).then(|| Node::new(total, range.len(), kind))
            }
            Rows::Sorted(range) => self.sorted.node(range),
            Rows::Lanes(lanes) => {
                let node = self.lanes.node(*lanes);
                (node.total.sum != 0 && node.total.sum != node.total.weight).then_some(node)
            }
        }
    }

    /// Looks at the feature at a place of the drawn ones: none if all rows have the same bin, and no split if none is allowed. One whose score
    /// is not above `least` may be left out.
    fn look(&mut self, node: &Node, rows: &Rows, place: usize, least: f64) -> Option<Option<Found>> {
        let feature = self.features[place] as usize;
        let matrix = self.forest.matrix;
        let (bins, column) = (&matrix.features()[feature], matrix.column(feature).bytes());
        let draws = self.forest.params.random_thresholds.then_some(&mut self.thresholds);
        match rows {
            Rows::Items(range) => {
                let rows = self.items[range.clone()].iter().map(|item| item.in_bin(column[item.row as usize]));
                look(&mut self.scan, draws, node, rows, feature, bins)
            }
            Rows::Records(range, _) => {
                let records = self.records.as_ref().expect("invariant: nodes have the records they came from");
                if draws.is_none() {
                    let cells = (&mut self.cells, place - self.batch);
                    return look_at_records(&mut self.scan, cells, node, (records, range), feature, bins);
                }
                let row = |(bin, sums)| BinRow { bin, moments: records.moments(sums), class: 0 };
                look(&mut self.scan, draws, node, records.bins(range, feature).map(row), feature, bins)
            }
            Rows::Sorted(range) => {
                if !self.sorted.varies(range, feature) {
                    return None;
                }
                if self.scan.needs_counts(bins) || !self.sorted.is_plain(range, feature, bins) {
                    return look(&mut self.scan, None, node, self.sorted.bins(range, feature), feature, bins);
                }
                Some(Some(self.sorted.best(node, range, feature)))
            }
            Rows::Lanes(lanes) => {
                match &self.records {
                    Some(records) => self.lanes.fetch(feature, |record| records.bin(record, feature)),
                    None => self.lanes.fetch(feature, |row| column[row]),
                }
                match draws {
                    None => self.lanes.look(*lanes, feature, bins, least),
                    draws => look(&mut self.scan, draws, node, self.lanes.rows(*lanes, feature), feature, bins),
                }
            }
        }
    }

    /// Parts a node's rows.
    fn part(&mut self, rows: &Rows, split: &NodeSplit) -> [Rows; 2] {
        let missing = self.forest.matrix.features()[split.feature].n_values();
        match split.test {
            Test::UpTo { last, .. } if split.missing_left && split.has_missing => {
                self.move_left(rows, split, |bin| (bin <= last) | (usize::from(bin) == missing))
            }
            Test::UpTo { last, .. } => self.move_left(rows, split, |bin| bin <= last),
            Test::In(mut set) => {
                set[missing / 64] |= u64::from(split.missing_left) << (missing % 64);
                self.move_left(rows, split, |bin| contains(&set, bin.into()))
            }
        }
    }

    /// Moves the rows that go left to the front.
    fn move_left(&mut self, rows: &Rows, split: &NodeSplit, goes_left: impl Fn(u8) -> bool) -> [Rows; 2] {
        let sides = |range: &Range<usize>, n_left: usize| {
            let middle = range.start + n_left;
            [range.start..middle, middle..range.end]
        };
        match rows {
            Rows::Items(range) => {
                let column = self.forest.matrix.column(split.feature).bytes();
                let items = &mut self.items[range.clone()];
                sides(range, partition(items, &mut self.scratch, |row| goes_left(column[row]))).map(Rows::Items)
            }
            Rows::Records(range, sums) => {
                let records = self.records.as_mut().expect("invariant: nodes have the records they came from");
                let (n_left, left_sums) = records.part(range, split.feature, goes_left);
                let [left, right] = sides(range, n_left);
                [Rows::Records(left, left_sums), Rows::Records(right, Packed(sums.0 - left_sums.0))]
            }
            Rows::Sorted(range) => sides(range, self.sorted.part(range, split.feature, goes_left)).map(Rows::Sorted),
            Rows::Lanes(lanes) => {
                let left = self.lanes.left(*lanes, split.feature, goes_left);
                [Rows::Lanes(left), Rows::Lanes(lanes & !left)]
            }
        }
    }

    /// Parts a node's rows and returns its children.
    fn make_split(&mut self, open: Open, split: &NodeSplit) -> (Open, Open) {
        let [left, right] = self.part(&open.rows, split);
        let bins = &self.forest.matrix.features()[split.feature];
        // Without missing values in the node, they follow the majority.
        let missing_left =
            if split.has_missing { split.missing_left } else { self.n_rows(&left) > self.n_rows(&right) };
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
            (Rows::Records(range, _), Some(records)) if response.kind == Kind::Number => {
                mean(records.rows(range), response.values)
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

    fn records(&self) -> &Records {
        self.records.as_ref().expect("invariant: nodes have the records they came from")
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

fn records_of(forest: &Forest<'_>) -> Option<Records> {
    let kind = forest.response.kind;
    let has_sums = forest.params.max_leaf_nodes.is_none() && matches!(kind, Kind::Share | Kind::Number);
    has_sums.then(|| Records::new(forest.matrix, kind == Kind::Number)).flatten()
}

fn is_pure(items: &[Item]) -> bool {
    items.iter().all(|item| item.target == items[0].target)
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
