//! Sums by code of a node's records along a few features, in one word each, and the best cut in them.

use crate::binning::FeatureBins;
use crate::forest::node::Node;
use crate::forest::records::{Records, Span};
use crate::forest::scan::BINS;
use crate::kernels::cuts::{Judge, WIDTH, best_cut};

/// Features whose sums are made in one pass over the records: what fits the nearest cache beside them.
pub(super) const BATCH: usize = 4;

/// Sums by code of some features.
#[derive(Debug)]
pub(super) struct Cells {
    sums: Box<[[u64; BINS]; BATCH]>,
    counts: Box<[[u32; BINS]; BATCH]>,
}

impl Cells {
    pub(super) fn new() -> Self {
        Cells { sums: Box::new([[0; BINS]; BATCH]), counts: Box::new([[0; BINS]; BATCH]) }
    }

    /// Adds up records by their codes of some features, [`BATCH`] at most.
    pub(super) fn fill(&mut self, records: &Records<'_>, span: &Span, features: &[u32], bins: &[FeatureBins]) {
        for (sums, feature) in self.sums.iter_mut().zip(features) {
            sums[..bins[*feature as usize].n_codes()].fill(0);
        }
        let feature = |i: usize| features[i] as usize;
        match features.len() {
            1 => records.add_up([feature(0)], span, &mut self.sums[..]),
            2 => records.add_up([0, 1].map(feature), span, &mut self.sums[..]),
            3 => records.add_up([0, 1, 2].map(feature), span, &mut self.sums[..]),
            _ => records.add_up([0, 1, 2, 3].map(feature), span, &mut self.sums[..]),
        }
    }

    /// Counts the records by their codes of a feature of the batch.
    pub(super) fn count(&mut self, place: usize, codes: impl Iterator<Item = u8>, n_codes: usize) {
        let counts = &mut self.counts[place];
        counts[..n_codes].fill(0);
        codes.for_each(|code| counts[code as usize] += 1);
    }

    /// The counts of a feature of the batch.
    pub(super) fn counts(&self, place: usize) -> &[u32; BINS] {
        &self.counts[place]
    }

    /// The sums of a feature of the batch.
    pub(super) fn sums(&self, place: usize) -> &[u64; BINS] {
        &self.sums[place]
    }

    /// The last code on the left of the best cut between the first codes, the first of equal ones, and its score; none if
    /// all rows have one code. The sums become those of all codes up to each.
    pub(super) fn best(&mut self, place: usize, n_values: usize, node: &Node, offset: i64) -> Option<(u8, f64)> {
        let (sums, mut sum) = (&mut self.sums[place], 0);
        for cell in &mut sums[..n_values] {
            sum += *cell;
            *cell = sum;
        }
        // Whole vectors: a cut that leaves nothing on the right has no score.
        let end = n_values.next_multiple_of(WIDTH);
        sums[n_values..end].fill(sum);
        let (place, score) = best_cut(&sums[..end], &judge(node, offset));
        (score >= 0.0).then_some((place as u8, score))
    }
}

/// What the cuts of a node are judged by, as [`Node::score`] does, if so much was added to every target.
pub(super) fn judge(node: &Node, offset: i64) -> Judge {
    let sum = (node.total.sum - node.centre * node.total.weight) as f64;
    Judge { weight: node.total.weight as f64, sum, centre: (node.centre + offset) as f64 }
}
