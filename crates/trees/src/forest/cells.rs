//! Sums by bin of a node's records along a few features, in one word each, and the best cut of a number in them.

use tabwright_model::widest;

use crate::binning::FeatureBins;
use crate::forest::node::Node;
use crate::forest::records::{Packed, Records, Span};
use crate::forest::scan::BINS;

/// Features whose sums are made in one pass over the records: what fits the nearest cache beside them.
pub(super) const BATCH: usize = 4;

/// Sums by bin of some features.
#[derive(Debug)]
pub(super) struct Cells {
    sums: Box<[[u64; BINS]; BATCH]>,
    counts: Box<[[u32; BINS]; BATCH]>,
}

impl Cells {
    pub(super) fn new() -> Self {
        Cells { sums: Box::new([[0; BINS]; BATCH]), counts: Box::new([[0; BINS]; BATCH]) }
    }

    /// Adds up records by their bins of some features, [`BATCH`] at most.
    pub(super) fn fill(&mut self, records: &Records, span: &Span, features: &[u32], bins: &[FeatureBins]) {
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

    /// Counts the records by their bins of a feature of the batch.
    pub(super) fn count(&mut self, place: usize, bins: impl Iterator<Item = u8>, n_codes: usize) {
        let counts = &mut self.counts[place];
        counts[..n_codes].fill(0);
        bins.for_each(|bin| counts[bin as usize] += 1);
    }

    /// The counts of a feature of the batch.
    pub(super) fn counts(&self, place: usize) -> &[u32; BINS] {
        &self.counts[place]
    }

    /// The sums of a feature of the batch.
    pub(super) fn sums(&self, place: usize) -> &[u64; BINS] {
        &self.sums[place]
    }

    /// The last bin on the left of the best cut between the first bins, the first of equal ones, and its score; none if
    /// all rows have one bin. The sums become those of all bins up to each.
    pub(super) fn best(&mut self, place: usize, n_values: usize, node: &Node, offset: i64) -> Option<(u8, f64)> {
        let (sums, mut sum) = (&mut self.sums[place], 0);
        for cell in &mut sums[..n_values] {
            sum += *cell;
            *cell = sum;
        }
        // Whole vectors: a cut that leaves nothing on the right has no score.
        let end = n_values.next_multiple_of(WIDTH);
        sums[n_values..end].fill(sum);
        let node = Scale::of(node, offset);
        let (place, score) = best_cut(&sums[..end], &node);
        (score >= 0.0).then_some((place as u8, score))
    }
}

/// Cells that are judged at once.
pub(super) const WIDTH: usize = 4;

/// What cuts are judged by, as [`Node::score`] does.
pub(super) struct Scale {
    weight: f64,
    /// Of weight times target, from the centre.
    sum: f64,
    /// The centre of the targets as they are packed.
    centre: f64,
}

impl Scale {
    pub(super) fn of(node: &Node, offset: i64) -> Self {
        let sum = (node.total.sum - node.centre * node.total.weight) as f64;
        Scale { weight: node.total.weight as f64, sum, centre: (node.centre + offset) as f64 }
    }
}

widest! {
    /// The place and the score of the best of some cuts, given the sums on their left: the first of equal ones, and a score
    /// below 0 if there is none.
    pub(super) fn best_cut(sums: &[u64], scale: &Scale) -> (usize, f64) {
        /// The bits of 2⁵²: whole numbers below it are the last bits of their sum with it.
        const TWO_TO_52: u64 = 0x4330_0000_0000_0000;
        let number = |bits: u64| f64::from_bits(bits | TWO_TO_52) - f64::from_bits(TWO_TO_52);
        let (mut best, mut places, mut at) = ([-1.0f64; WIDTH], [0u64; WIDTH], [0, 1, 2, 3]);
        let (chunks, _) = sums.as_chunks::<WIDTH>();
        for chunk in chunks {
            for lane in 0..WIDTH {
                let sums = Packed(chunk[lane]);
                let left_weight = number(sums.weight());
                let left_sum = number(sums.sum()) - scale.centre * left_weight;
                let difference = left_sum * scale.weight - scale.sum * left_weight;
                let score = difference * difference / (left_weight * (scale.weight - left_weight));
                let is_better = score > best[lane];
                best[lane] = if is_better { score } else { best[lane] };
                places[lane] = if is_better { at[lane] } else { places[lane] };
                at[lane] += WIDTH as u64;
            }
        }
        let mut found = (places[0], best[0]);
        for lane in 1..WIDTH {
            if best[lane] > found.1 || (best[lane] == found.1 && places[lane] < found.0) {
                found = (places[lane], best[lane]);
            }
        }
        (found.0 as usize, found.1)
    }
}
