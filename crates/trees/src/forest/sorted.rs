//! Nodes of few rows that learn a number, as lists of their rows in the order of each feature.
//!
//! The lists are made once, of a node of at most [`MOST_ROWS`]; those of the nodes below are parts of them, in which splits
//! keep the order. A feature is then looked at in as many steps as the node has rows, however many bins there are.

use std::ops::Range;

use crate::binning::FeatureBins;
use crate::forest::cells::judge;
use crate::forest::node::{Found, Left, Node, NodeSplit};
use crate::forest::records::{Packed, Records, Span};
use crate::forest::response::Kind;
use crate::forest::scan::{CodeRow, Moments};
use crate::kernels::cuts::{WIDTH, best_cut};

/// Rows of the largest node that has lists: sums over bins of more rows take less time than to keep so many in order.
pub(super) const MOST_ROWS: usize = 128;

/// The lists of one node, of which those of the nodes below are parts.
#[derive(Debug)]
pub(super) struct Sorted {
    /// By feature, for those that vary: the code of a row, and in the lower byte the place of the row in `rows`.
    lists: Vec<[u16; MOST_ROWS]>,
    varying: Vec<usize>,
    /// Places of rows, in their order.
    places: [u8; MOST_ROWS],
    rows: [u32; MOST_ROWS],
    targets: [i32; MOST_ROWS],
    sums: [u64; MOST_ROWS],
    offset: i64,
    scratch: [u16; MOST_ROWS],
    /// Sums on the left of the cuts of a feature, and the last code there.
    lefts: [u64; MOST_ROWS],
    lasts: [u8; MOST_ROWS],
}

fn code_of(entry: u16) -> u8 {
    (entry >> 8) as u8
}

fn place_of(entry: u16) -> usize {
    usize::from(entry & 0xff) & (MOST_ROWS - 1)
}

impl Sorted {
    /// Lists of some of the features.
    pub(super) fn new(n_features: usize, varying: Vec<usize>) -> Self {
        Sorted {
            lists: vec![[0; MOST_ROWS]; n_features],
            varying,
            places: [0; MOST_ROWS],
            rows: [0; MOST_ROWS],
            targets: [0; MOST_ROWS],
            sums: [0; MOST_ROWS],
            offset: 0,
            scratch: [0; MOST_ROWS],
            lefts: [0; MOST_ROWS],
            lasts: [0; MOST_ROWS],
        }
    }

    /// Takes the records of a node, given the targets of all rows.
    pub(super) fn fill(&mut self, records: &Records<'_>, span: &Span, targets: &[i32]) -> Range<usize> {
        self.offset = records.offset();
        // Places are in the order of the rows, so that what is added up by place has settled bits.
        let mut order = [(0, 0); MOST_ROWS];
        let order = &mut order[..span.len()];
        order.iter_mut().zip(records.rows(span)).enumerate().for_each(|(i, (to, (row, _)))| *to = (row as u32, i));
        order.sort_unstable();
        let mut place_of_record = [0; MOST_ROWS];
        for (place, &(row, record)) in order.iter().enumerate() {
            place_of_record[record & (MOST_ROWS - 1)] = place as u16;
            self.places[place] = place as u8;
            self.rows[place] = row;
            self.targets[place] = targets[row as usize];
        }
        for (place, sums) in place_of_record.iter().zip(records.sums(span)) {
            self.sums[usize::from(*place) & (MOST_ROWS - 1)] = sums.0;
        }
        for &feature in &self.varying {
            let list = &mut self.lists[feature][..span.len()];
            let entries = place_of_record.iter().zip(records.codes(span, feature));
            list.iter_mut().zip(entries).for_each(|(to, (place, (code, _)))| *to = u16::from(code) << 8 | place);
            list.sort_unstable();
        }
        0..span.len()
    }

    fn moments_of(&self, place: usize) -> Moments {
        Packed(self.sums[place]).moments(self.offset)
    }

    /// The node of some rows; none if they have the same target.
    pub(super) fn node(&self, range: &Range<usize>) -> Option<Node> {
        let places = &self.places[range.clone()];
        let first = self.targets[places[0] as usize];
        if places.iter().all(|place| self.targets[*place as usize] == first) {
            return None;
        }
        let total = Packed(places.iter().map(|place| self.sums[*place as usize]).sum());
        Some(Node::new(total.moments(self.offset), range.len(), Kind::Number))
    }

    /// The rows of a node and their weights.
    pub(super) fn rows(&self, range: &Range<usize>) -> impl Iterator<Item = (usize, u64)> {
        let row = |place: &u8| (self.rows[*place as usize] as usize, Packed(self.sums[*place as usize]).weight());
        self.places[range.clone()].iter().map(row)
    }

    /// The rows of a node along a feature.
    pub(super) fn codes(&self, range: &Range<usize>, feature: usize) -> impl Iterator<Item = CodeRow> + Clone {
        let row = |&entry: &u16| CodeRow { code: code_of(entry), moments: self.moments_of(place_of(entry)), class: 0 };
        self.lists[feature][range.clone()].iter().map(row)
    }

    /// Whether the rows of a node differ in a feature.
    pub(super) fn varies(&self, range: &Range<usize>, feature: usize) -> bool {
        let list = &self.lists[feature];
        code_of(list[range.start]) != code_of(list[range.end - 1])
    }

    /// Whether a feature that varies has no missing values in a node.
    pub(super) fn is_plain(&self, range: &Range<usize>, feature: usize, bins: &FeatureBins) -> bool {
        let last = code_of(self.lists[feature][range.end - 1]);
        usize::from(last) < bins.n_values()
    }

    /// The best cut of a feature that varies and is plain, the first of equal ones.
    pub(super) fn best(&mut self, node: &Node, range: &Range<usize>, feature: usize) -> Found {
        let list = &self.lists[feature][range.clone()];
        let (mut sums, mut n) = (0, 0);
        for (&entry, &after) in list.iter().zip(&list[1..]) {
            sums += self.sums[place_of(entry)];
            let place = n & (MOST_ROWS - 1);
            self.lefts[place] = sums;
            self.lasts[place] = code_of(entry);
            n += usize::from(code_of(entry) != code_of(after));
        }
        // Whole vectors: the first cut again makes no difference.
        let end = n.next_multiple_of(WIDTH);
        let first = self.lefts[0];
        self.lefts[n..end].fill(first);
        let (place, score) = best_cut(&self.lefts[..end], &judge(node, self.offset));
        let last = self.lasts[place];
        let split = NodeSplit { feature, last, drawn: None, missing_left: false, has_missing: false, gain: 0.0 };
        Found { score, is_perfect: node.n_rows == 2, split }
    }

    /// Moves the rows of a node that go left to the front of all lists; both sides keep their order. Returns how many go
    /// left, and the least code on the right.
    pub(super) fn part(&mut self, range: &Range<usize>, feature: usize, left: Left) -> (usize, u8) {
        let (mut is_left, mut next) = ([false; MOST_ROWS], u8::MAX);
        for &entry in &self.lists[feature][range.clone()] {
            let code = code_of(entry);
            is_left[place_of(entry)] = left.has(code);
            next = if left.has(code) { next } else { next.min(code) };
        }
        let mut n_left = 0;
        let (mut right, places) = ([0; MOST_ROWS], &mut self.places[range.clone()]);
        for i in 0..places.len() {
            let place = places[i];
            let is_left = is_left[usize::from(place) & (MOST_ROWS - 1)];
            places[n_left] = place;
            right[(i - n_left) & (MOST_ROWS - 1)] = place;
            n_left += usize::from(is_left);
        }
        let n_right = range.len() - n_left;
        places[n_left..].copy_from_slice(&right[..n_right]);
        // Where both sides are rows by themselves, no list is read again; nor is one of equal codes, where a part is as
        // good as another.
        if range.len() > 2 {
            for &feature in &self.varying {
                let list = &mut self.lists[feature][range.clone()];
                if code_of(list[0]) != code_of(list[list.len() - 1]) {
                    part(list, &mut self.scratch, &is_left);
                }
            }
        }
        (n_left, next)
    }
}

fn part(list: &mut [u16], right: &mut [u16; MOST_ROWS], is_left: &[bool; MOST_ROWS]) {
    let mut n_left = 0;
    for i in 0..list.len() {
        let entry = list[i];
        list[n_left] = entry;
        right[(i - n_left) & (MOST_ROWS - 1)] = entry;
        n_left += usize::from(is_left[place_of(entry)]);
    }
    let n_right = list.len() - n_left;
    list[n_left..].copy_from_slice(&right[..n_right]);
}
