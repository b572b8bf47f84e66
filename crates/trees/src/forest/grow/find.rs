//! Decides on a node: which form its rows take, and which split is the best of the features that are drawn.

use super::{Forest, TreeGrower};
use crate::forest::cells::BATCH;
use crate::forest::lanes;
use crate::forest::look::{look, look_at_records};
use crate::forest::node::{Found, Node, NodeSplit, Open, Rows};
use crate::forest::records::{self, Records};
use crate::forest::response::Kind;
use crate::forest::scan::{CodeRow, Item, Moments};
use crate::forest::sorted;

impl TreeGrower<'_> {
    /// Gives the rows of a node the form that is fastest for so many. Others of that form are no longer needed: depth first,
    /// the nodes below them are done.
    pub(super) fn enter(&mut self, open: &mut Open) {
        let response = self.forest.response;
        if let Rows::Items(range) = &open.rows {
            let items = &self.items[range.clone()];
            let weight = Moments::of(items).weight;
            if let (Some(records), true) = (&mut self.records, weight <= records::MOST_WEIGHT) {
                let span = records.fill(items, &self.codes);
                let sums = records.total(&span);
                open.rows = Rows::Records(span, sums);
            } else if response.kind == Kind::Share && weight <= lanes::MOST_WEIGHT as i64 {
                let rows = items.iter().map(|item| (item.row as usize, item.with_code(0).moments));
                open.rows = Rows::Lanes(self.lanes.fill(rows));
            }
        }
        let (Rows::Records(span, sums), Some(records)) = (&open.rows, &self.records) else { return };
        match response.kind {
            Kind::Number if span.len() <= sorted::MOST_ROWS && !self.forest.params.random_thresholds => {
                open.rows = Rows::Sorted(self.sorted.fill(records, span, &response.targets));
            }
            Kind::Share if sums.weight() <= lanes::MOST_WEIGHT as u64 => {
                let rows = span.places().zip(records.sums(span).map(|sums| records.moments(sums)));
                open.rows = Rows::Lanes(self.lanes.fill(rows));
            }
            _ => {}
        }
    }

    /// The split of a node; none if it is to be a leaf.
    pub(super) fn find(&mut self, open: &Open) -> Option<NodeSplit> {
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
            let Some(found) = self.look(&node, &open.rows, seen - 1) else { continue };
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

    pub(super) fn n_rows(&self, rows: &Rows) -> usize {
        match rows {
            Rows::Items(range) | Rows::Sorted(range) => range.len(),
            Rows::Records(span, _) => span.len(),
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
        if let (Rows::Records(span, _), Some(records), BATCH) = (rows, &self.records, batch) {
            self.batch = seen;
            self.cells.fill(records, span, &self.features[seen..seen + n], self.forest.matrix.features());
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
            Rows::Records(span, sums) => {
                let (records, kind) = (self.records(), self.forest.response.kind);
                let total = records.moments(*sums);
                let is_pure = match kind {
                    Kind::Share => total.sum == 0 || total.sum == total.weight,
                    _ => {
                        let mut targets = records.rows(span).map(|(row, _)| self.forest.response.targets[row]);
                        let first = targets.next();
                        targets.all(|target| Some(target) == first)
                    }
                };
                (!is_pure).then(|| Node::new(total, span.len(), kind))
            }
            Rows::Sorted(range) => self.sorted.node(range),
            Rows::Lanes(lanes) => {
                let node = self.lanes.node(*lanes);
                (node.total.sum != 0 && node.total.sum != node.total.weight).then_some(node)
            }
        }
    }

    /// Looks at the feature at a place of the drawn ones: none if all rows have the same code, and no split if none is allowed.
    fn look(&mut self, node: &Node, rows: &Rows, place: usize) -> Option<Option<Found>> {
        let feature = self.features[place] as usize;
        let bins = &self.forest.matrix.features()[feature];
        let draws = self.forest.params.random_thresholds.then_some(&mut self.thresholds);
        match rows {
            Rows::Items(range) => {
                let code_of = self.codes.of_rows(feature);
                let rows = self.items[range.clone()].iter().map(|item| item.with_code(code_of(item.row as usize)));
                look(&mut self.scan, draws, node, rows, feature, bins)
            }
            Rows::Records(span, _) => {
                let records = self.records.as_ref().expect("invariant: nodes have the records they came from");
                if draws.is_none() {
                    let cells = (&mut self.cells, place - self.batch);
                    return look_at_records(&mut self.scan, cells, node, (records, span), feature, bins);
                }
                let row = |(code, sums)| CodeRow { code, moments: records.moments(sums), class: 0 };
                look(&mut self.scan, draws, node, records.codes(span, feature).map(row), feature, bins)
            }
            Rows::Sorted(range) => {
                if !self.sorted.varies(range, feature) {
                    return None;
                }
                if self.scan.needs_counts() || !self.sorted.is_plain(range, feature, bins) {
                    return look(&mut self.scan, None, node, self.sorted.codes(range, feature), feature, bins);
                }
                Some(Some(self.sorted.best(node, range, feature)))
            }
            Rows::Lanes(lanes) => {
                match &self.records {
                    Some(records) => self.lanes.fetch(feature, |place| records.code(place, feature)),
                    None => self.lanes.fetch(feature, self.codes.of_rows(feature)),
                }
                match draws {
                    None => self.lanes.look(node, *lanes, feature, bins),
                    draws => look(&mut self.scan, draws, node, self.lanes.rows(*lanes, feature), feature, bins),
                }
            }
        }
    }

    fn records(&self) -> &Records<'_> {
        self.records.as_ref().expect("invariant: nodes have the records they came from")
    }
}

fn is_pure(items: &[Item]) -> bool {
    items.iter().all(|item| item.target == items[0].target)
}
