//! Parts the rows of a node by its split, whichever form they have.

use std::ops::Range;

use super::TreeGrower;
use crate::forest::node::{NodeSplit, Rows, Test, contains};
use crate::forest::records::Packed;
use crate::forest::scan::Item;

impl TreeGrower<'_> {
    /// Parts a node's rows.
    pub(super) fn part(&mut self, rows: &Rows, split: &NodeSplit) -> [Rows; 2] {
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
            Rows::Records(span, sums) => {
                let records = self.records.as_mut().expect("invariant: nodes have the records they came from");
                let ([left, right], left_sums) = records.part(span, split.feature, goes_left);
                [Rows::Records(left, left_sums), Rows::Records(right, Packed(sums.0 - left_sums.0))]
            }
            Rows::Sorted(range) => sides(range, self.sorted.part(range, split.feature, goes_left)).map(Rows::Sorted),
            Rows::Lanes(lanes) => {
                let left = self.lanes.left(*lanes, split.feature, goes_left);
                [Rows::Lanes(left), Rows::Lanes(lanes & !left)]
            }
        }
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
