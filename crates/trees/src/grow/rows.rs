//! The rows of a tree on this machine: a list of row numbers, in which every node has a range.

use std::ops::Range;

use rayon::prelude::*;

use crate::binning::BinnedMatrix;
use crate::gradient::{FixedGradients, Sums, Units};
use crate::grow::{Histograms, NodeId, NodeSplit};
use crate::histogram::{Histogram, Layout, NodeRows};

/// Rows of a part of a partition: parts are made side by side, and put together in order.
const PART_ROWS: usize = 16_384;

/// All rows of a tree, on this machine.
#[derive(Debug)]
pub struct LocalRows<'a> {
    matrix: &'a BinnedMatrix,
    layout: &'a Layout,
    gradients: &'a FixedGradients,
    active: &'a [bool],
    /// Row numbers, those of a node together and in order.
    rows: Vec<u32>,
    scratch: Vec<u32>,
    /// Range of each node in `rows`.
    ranges: Vec<Range<usize>>,
    /// Rows of the whole tree, here and elsewhere: they decide how sums are packed.
    n_tree_rows: usize,
    /// Histograms to be used again.
    free: Vec<Histogram>,
}

/// What [`LocalRows`] leave behind for the next tree.
#[derive(Debug, Default)]
pub struct Remains {
    scratch: Vec<u32>,
    free: Vec<Histogram>,
}

impl<'a> LocalRows<'a> {
    /// The rows of the root, in ascending order. `remains` come from an earlier tree with the same number of rows and
    /// kind of gradients, or are empty.
    pub fn new(
        matrix: &'a BinnedMatrix,
        layout: &'a Layout,
        gradients: &'a FixedGradients,
        active: &'a [bool],
        rows: Vec<u32>,
        remains: Remains,
    ) -> Self {
        let Remains { mut scratch, free } = remains;
        scratch.resize(rows.len(), 0);
        let n_tree_rows = rows.len();
        let ranges = std::iter::once(0..n_tree_rows).collect();
        LocalRows { matrix, layout, gradients, active, rows, scratch, ranges, n_tree_rows, free }
    }

    /// Says that these are some of a tree's `n_tree_rows` rows, the others being held elsewhere.
    #[must_use]
    pub fn among(self, n_tree_rows: usize) -> Self {
        LocalRows { n_tree_rows, ..self }
    }

    /// The rows of a node, ascending.
    pub fn rows_of(&self, node: NodeId) -> &[u32] {
        &self.rows[self.ranges[node].clone()]
    }

    /// Gives the row list and the memory back.
    pub fn into_remains(self) -> (Vec<u32>, Remains) {
        (self.rows, Remains { scratch: self.scratch, free: self.free })
    }
}

impl Histograms for LocalRows<'_> {
    fn split(&mut self, splits: &[NodeSplit]) {
        for made in splits {
            let bins = &self.matrix.features()[made.split.feature];
            let table = made.split.table(bins);
            let column = self.matrix.column(made.split.feature);
            let range = self.ranges[made.node].clone();
            let (rows, scratch) = (&mut self.rows[range.clone()], &mut self.scratch[range.clone()]);
            let n_left = partition(rows, scratch, column, &table);
            let middle = range.start + n_left;
            self.ranges.resize(self.ranges.len().max(made.right + 1), 0..0);
            self.ranges[made.left] = range.start..middle;
            self.ranges[made.right] = middle..range.end;
        }
    }

    fn histograms(&mut self, nodes: &[NodeId]) -> Vec<Histogram> {
        let is_wide = matches!(self.gradients, FixedGradients::Varying { .. });
        let n_rows = self.rows.len();
        let empty: Vec<Histogram> = nodes
            .iter()
            .map(|_| match self.free.pop() {
                Some(mut histogram) => {
                    histogram.clear(self.layout, self.n_tree_rows);
                    histogram
                }
                None => Histogram::new(self.layout, is_wide, self.n_tree_rows),
            })
            .collect();
        let all_rows = n_rows == self.matrix.n_rows();
        let count = |(&node, mut histogram): (&NodeId, Histogram)| {
            let range = self.ranges[node].clone();
            let rows = if all_rows && range.len() == n_rows {
                NodeRows::All(n_rows)
            } else {
                NodeRows::List(&self.rows[range])
            };
            histogram.add_rows(self.layout, self.gradients, rows, self.active);
            histogram
        };
        let rows: usize = nodes.iter().map(|&n| self.ranges[n].len()).sum();
        if nodes.len() > 1 && rows > PART_ROWS {
            nodes.par_iter().zip(empty).map(count).collect()
        } else {
            nodes.iter().zip(empty).map(count).collect()
        }
    }

    fn sums(&mut self, nodes: &[NodeId]) -> Vec<Sums> {
        let sums = |&node: &NodeId| self.gradients.sums(self.rows_of(node));
        if self.rows.len() > PART_ROWS {
            nodes.par_iter().map(sums).collect()
        } else {
            nodes.iter().map(sums).collect()
        }
    }

    fn units(&self) -> Units {
        self.gradients.units()
    }

    fn recycle(&mut self, histogram: Histogram) {
        self.free.push(histogram);
    }
}

/// Moves the rows whose bin goes left to the front; both sides keep their order. Returns how many go left.
fn partition(rows: &mut [u32], scratch: &mut [u32], column: &[u8], table: &[bool; 256]) -> usize {
    if rows.len() <= 2 * PART_ROWS {
        let n_left = part(rows, scratch, column, table);
        let (left, right) = rows.split_at_mut(n_left);
        copy_back(&scratch[..], left, right);
        return n_left;
    }
    let parts = rows.par_chunks(PART_ROWS).zip(scratch.par_chunks_mut(PART_ROWS));
    let counts: Vec<usize> = parts.map(|(rows, scratch)| part(rows, scratch, column, table)).collect();
    let n_left = counts.iter().sum();
    let (mut left, mut right) = rows.split_at_mut(n_left);
    let mut targets = Vec::with_capacity(counts.len());
    for (&count, part) in counts.iter().zip(scratch.chunks(PART_ROWS)) {
        let (l, rest) = left.split_at_mut(count);
        left = rest;
        let (r, rest) = right.split_at_mut(part.len() - count);
        right = rest;
        targets.push((part, l, r));
    }
    targets.into_par_iter().for_each(|(part, left, right)| copy_back(part, left, right));
    n_left
}

/// Writes the rows that go left from the front of `scratch`, the others from its end backwards, without a branch.
fn part(rows: &[u32], scratch: &mut [u32], column: &[u8], table: &[bool; 256]) -> usize {
    let (mut left, mut end) = (0, rows.len());
    for &row in rows {
        let goes_left = table[column[row as usize] as usize];
        // Until the last row the two places differ; the one that is not meant is written over later.
        scratch[left] = row;
        scratch[end - 1] = row;
        left += usize::from(goes_left);
        end -= usize::from(!goes_left);
    }
    left
}

fn copy_back(part: &[u32], left: &mut [u32], right: &mut [u32]) {
    left.copy_from_slice(&part[..left.len()]);
    let backwards = part[left.len()..left.len() + right.len()].iter().rev();
    right.iter_mut().zip(backwards).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn large_partitions_keep_the_order_too() {
        let n = 3 * PART_ROWS + 11;
        let column: Vec<u8> = (0..n).map(|r| (tabwright_core::random::mix(r as u64) % 7) as u8).collect();
        let table = std::array::from_fn(|code| code < 3);
        let mut rows: Vec<u32> = (0..n as u32).collect();
        let n_left = partition(&mut rows, &mut vec![0; n], &column, &table);
        let (left, right): (Vec<u32>, Vec<u32>) = (0..n as u32).partition(|r| column[*r as usize] < 3);
        assert_eq!(rows[..n_left], left);
        assert_eq!(rows[n_left..], right);
    }

    proptest! {
        #[test]
        fn a_partition_is_stable(column in prop::collection::vec(0u8..4, 0..60)) {
            let table = std::array::from_fn(|code| code % 2 == 0);
            let mut rows: Vec<u32> = (0..column.len() as u32).collect();
            let n_left = partition(&mut rows, &mut vec![0; column.len()], &column, &table);
            let (left, right): (Vec<u32>, Vec<u32>) = (0..column.len() as u32).partition(|r| column[*r as usize] % 2 == 0);
            prop_assert_eq!(&rows[..n_left], &left[..]);
            prop_assert_eq!(&rows[n_left..], &right[..]);
        }
    }
}
