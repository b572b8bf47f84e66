//! The rows of a tree as a list of row numbers, in which every node has a range: for trees of any size.

use std::ops::Range;

use rayon::prelude::*;

use crate::binning::{BinColumn, BinnedMatrix};
use crate::gradient::{Sums, Units};
use crate::grow::count::{Counted, Counter};
use crate::grow::{Histograms, NodeId, NodeSplit, bytes};
use crate::histogram::{Histogram, NodeRows};
use crate::kernels;

/// Rows below which a second thread costs more than it brings.
const PART_ROWS: usize = 16_384;

/// Rows of a tree, on this machine.
#[derive(Debug)]
pub struct ListedRows<'a> {
    matrix: &'a BinnedMatrix,
    counter: Counter<'a>,
    /// Row numbers, those of a node together and in order.
    rows: Vec<u32>,
    scratch: Vec<u32>,
    /// Range of each node in `rows`.
    ranges: Vec<Range<usize>>,
}

/// What [`ListedRows`] leave behind for the next tree.
#[derive(Debug, Default)]
pub struct Remains {
    rows: Vec<u32>,
    scratch: Vec<u32>,
    free: Vec<Histogram>,
}

impl Remains {
    /// Memory for a list of rows.
    pub fn take_rows(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.rows)
    }
}

impl<'a> ListedRows<'a> {
    /// The rows of the root, in ascending order. `remains` come from an earlier tree with the same number of rows and
    /// kind of gradients, or are empty.
    pub fn new(matrix: &'a BinnedMatrix, counted: Counted<'a>, rows: Vec<u32>, remains: Remains) -> Self {
        let Remains { mut scratch, free, .. } = remains;
        scratch.resize(rows.len(), 0);
        let ranges = std::iter::once(0..rows.len()).collect();
        ListedRows { matrix, counter: Counter::new(counted, free), rows, scratch, ranges }
    }

    /// The rows of a node, ascending.
    pub fn rows_of(&self, node: NodeId) -> &[u32] {
        &self.rows[self.ranges[node].clone()]
    }

    /// Gives the memory back.
    pub fn into_remains(self) -> Remains {
        Remains { rows: self.rows, scratch: self.scratch, free: self.counter.into_free() }
    }

    fn node_rows(&self, node: NodeId) -> NodeRows<'_> {
        let range = self.ranges[node].clone();
        // All rows are in order, whatever the list says.
        if range.len() == self.matrix.n_rows() { NodeRows::Range(range) } else { NodeRows::List(&self.rows[range]) }
    }
}

impl Histograms for ListedRows<'_> {
    fn root(&mut self) -> Histogram {
        self.split(&[], &[0]).remove(0)
    }

    fn split(&mut self, splits: &[NodeSplit], counted: &[NodeId]) -> Vec<Histogram> {
        for made in splits {
            let bins = &self.matrix.features()[made.split.feature];
            let table = made.split.table(bins);
            let range = self.ranges[made.node].clone();
            let (rows, scratch) = (&mut self.rows[range.clone()], &mut self.scratch[range.clone()]);
            let n_left = match self.matrix.column(made.split.feature) {
                BinColumn::Bytes(bins) => {
                    let table = bytes(&table);
                    partition(rows, scratch, bins, |bin| table[usize::from(bin)])
                }
                BinColumn::Large(bins) => partition(rows, scratch, bins, |bin| table[usize::from(bin)]),
            };
            let middle = range.start + n_left;
            self.ranges.resize(self.ranges.len().max(made.right + 1), 0..0);
            self.ranges[made.left] = range.start..middle;
            self.ranges[made.right] = middle..range.end;
        }
        // Parts borrow the rows, the counter its histograms.
        let empty = Counter::new(*self.counter.counted(), Vec::new());
        let mut counter = std::mem::replace(&mut self.counter, empty);
        let parts: Vec<(usize, NodeRows<'_>)> =
            counted.iter().enumerate().map(|(i, &node)| (i, self.node_rows(node))).collect();
        let histograms = counter.count(counted.len(), &parts);
        self.counter = counter;
        histograms
    }

    fn sums(&mut self, nodes: &[NodeId]) -> Vec<Sums> {
        let gradients = self.counter.gradients();
        let sums = |&node: &NodeId| gradients.sums(self.rows_of(node));
        if self.rows.len() > PART_ROWS {
            nodes.par_iter().map(sums).collect()
        } else {
            nodes.iter().map(sums).collect()
        }
    }

    fn units(&self) -> Units {
        self.counter.gradients().units()
    }

    fn recycle(&mut self, histogram: Histogram) {
        self.counter.recycle(histogram);
    }
}

/// Moves the rows whose bin goes left to the front; both sides keep their order. Returns how many go left.
fn partition<C: Copy + Sync>(
    rows: &mut [u32],
    scratch: &mut [u32],
    column: &[C],
    goes_left: impl Fn(C) -> bool + Copy + Sync,
) -> usize {
    let n_parts = (rows.len() / PART_ROWS).clamp(1, rayon::current_num_threads());
    if n_parts == 1 {
        let n_left = kernels::partition(rows, scratch, column, goes_left);
        let right = &mut rows[n_left..];
        right.copy_from_slice(&scratch[..right.len()]);
        return n_left;
    }
    let size = rows.len().div_ceil(n_parts);
    let parts = rows.par_chunks_mut(size).zip(scratch.par_chunks_mut(size));
    let counts: Vec<(usize, usize)> =
        parts.map(|(rows, scratch)| (kernels::partition(rows, scratch, column, goes_left), rows.len())).collect();
    let mut n_left = 0;
    for (part, &(n, _)) in counts.iter().enumerate() {
        rows.copy_within(part * size..part * size + n, n_left);
        n_left += n;
    }
    let mut rest = &mut rows[n_left..];
    let mut targets = Vec::with_capacity(n_parts);
    for (&(n, n_rows), scratch) in counts.iter().zip(scratch.chunks(size)) {
        let (target, others) = rest.split_at_mut(n_rows - n);
        rest = others;
        targets.push((target, &scratch[..n_rows - n]));
    }
    targets.into_par_iter().for_each(|(target, part)| target.copy_from_slice(part));
    n_left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn large_partitions_keep_the_order_too() {
        let n = 3 * PART_ROWS + 11;
        let column: Vec<u8> = (0..n).map(|r| (tabwright_core::random::mix(r as u64) % 7) as u8).collect();
        let mut rows: Vec<u32> = (0..n as u32).collect();
        let n_left = partition(&mut rows, &mut vec![0; n], &column, |bin| bin < 3);
        let (left, right): (Vec<u32>, Vec<u32>) = (0..n as u32).partition(|r| column[*r as usize] < 3);
        assert_eq!(rows[..n_left], left);
        assert_eq!(rows[n_left..], right);
    }

    proptest! {
        #[test]
        fn a_partition_is_stable(column in prop::collection::vec(0u8..4, 0..60)) {
            let mut rows: Vec<u32> = (0..column.len() as u32).collect();
            let n_left = partition(&mut rows, &mut vec![0; column.len()], &column, |bin| bin % 2 == 0);
            let (left, right): (Vec<u32>, Vec<u32>) = (0..column.len() as u32).partition(|r| column[*r as usize] % 2 == 0);
            prop_assert_eq!(&rows[..n_left], &left[..]);
            prop_assert_eq!(&rows[n_left..], &right[..]);
        }
    }
}
