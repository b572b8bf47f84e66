//! Parts the rows of a node by its split, whichever form they have.

use std::ops::Range;

use super::TreeGrower;
use crate::forest::node::{Left, NodeSplit, Rows};
use crate::forest::records::Packed;
use crate::forest::scan::Item;

impl TreeGrower<'_> {
    /// Parts a node's rows. Returns both sides and the least code on the right; that is the code of missing values if there
    /// are no others.
    pub(super) fn part(&mut self, rows: &Rows, split: &NodeSplit) -> ([Rows; 2], u8) {
        let missing = self.forest.matrix.features()[split.feature].n_values() as u8;
        let left = Left { last: split.last, also: if split.missing_left { missing } else { split.last } };
        let sides = |range: &Range<usize>, n_left: usize| {
            let middle = range.start + n_left;
            [range.start..middle, middle..range.end]
        };
        match rows {
            Rows::Items(range) => {
                let code_of = self.codes.of_rows(split.feature);
                let items = &mut self.items[range.clone()];
                let (n_left, next) = partition(items, &mut self.scratch, code_of, left);
                (sides(range, n_left).map(Rows::Items), next)
            }
            Rows::Records(span, sums) => {
                let records = self.records.as_mut().expect("invariant: nodes have the records they came from");
                let ([left, right], left_sums, next) = records.part(span, split.feature, left);
                ([Rows::Records(left, left_sums), Rows::Records(right, Packed(sums.0 - left_sums.0))], next)
            }
            Rows::Sorted(range) => {
                let (n_left, next) = self.sorted.part(range, split.feature, left);
                (sides(range, n_left).map(Rows::Sorted), next)
            }
            Rows::Lanes(lanes) => {
                let (left, next) = self.lanes.part(*lanes, split.feature, left);
                ([Rows::Lanes(left), Rows::Lanes(lanes & !left)], next)
            }
        }
    }
}

/// Moves the rows that go left to the front; both sides keep their order. Returns how many go left, and the least code on
/// the right.
fn partition(items: &mut [Item], scratch: &mut [Item], code_of: impl Fn(usize) -> u8, is_left: Left) -> (usize, u8) {
    let (mut left, mut right, mut next) = (0, 0, u8::MAX);
    for i in 0..items.len() {
        let item = items[i];
        let code = code_of(item.row as usize);
        let goes_left = is_left.has(code);
        // The one that is not meant is written over by the next row.
        items[left] = item;
        scratch[right] = item;
        left += usize::from(goes_left);
        right += usize::from(!goes_left);
        next = if goes_left { next } else { next.min(code) };
    }
    items[left..].copy_from_slice(&scratch[..right]);
    (left, next)
}
