//! The best cut between the bins of a number: where most of a split's search goes, so it is done for several bins at a time.
//!
//! First the sums left of every cut, then which cuts beat the best so far. Few do, and those are looked at one by one.

use crate::gradient::{Sums, Units};
use crate::histogram::{Histogram, Layout};
use crate::kernels::widest;
use crate::split::{SplitParams, Weighed, weigh};

/// Cuts that are compared together.
const BLOCK: usize = 16;

/// What is split.
pub(super) struct Node<'a> {
    pub(super) params: &'a SplitParams,
    pub(super) total: Sums,
    pub(super) units: Units,
}

/// The bins of a feature in a node.
pub(super) struct FeatureSums<'a> {
    pub(super) histogram: &'a Histogram,
    pub(super) layout: &'a Layout,
    pub(super) feature: usize,
    /// How many bins of numbers there are; that of missing values follows.
    pub(super) n_values: usize,
}

/// A cut.
pub(super) struct Cut {
    /// The last bin on the left.
    pub(super) last_left: usize,
    /// Sums of the left side.
    pub(super) left: Sums,
    pub(super) missing_left: bool,
    /// Score of both children.
    pub(super) score: f64,
}

/// Memory of a thread.
#[derive(Debug, Default)]
pub(super) struct Memory {
    lefts: Lefts,
    with_missing: Lefts,
}

/// Sums left of every cut, in whole blocks. Where there is no cut, or a side has too few rows, the hessian is NaN, which
/// is never heavy enough.
#[derive(Debug, Default)]
struct Lefts {
    gradients: Vec<f64>,
    hessians: Vec<f64>,
}

impl Lefts {
    /// Returns the sums of all rows on the left of the last cut.
    fn fill(&mut self, bins: &FeatureSums<'_>, start: Sums, node: &Node<'_>) -> Sums {
        let n = bins.n_values.next_multiple_of(BLOCK);
        self.gradients.resize(n, 0.0);
        self.hessians.resize(n, 0.0);
        self.hessians[bins.n_values..].fill(f64::NAN);
        let least = node.params.min_child_samples.max(1);
        // Neither side may have fewer rows: one comparison for both.
        let (room, has_room) = (node.total.count.wrapping_sub(2 * least), node.total.count >= 2 * least);
        let (gradients, hessians) = (&mut self.gradients[..bins.n_values], &mut self.hessians[..bins.n_values]);
        let mut left = start;
        bins.histogram.each_bin(bins.layout, bins.feature, |bin, sums| {
            let (Some(gradient), Some(hessian)) = (gradients.get_mut(bin), hessians.get_mut(bin)) else { return };
            left = left + sums;
            let side = weigh(left, node.units);
            // A bin without rows is no cut: it would be the one before, but for rounding.
            let is_cut = (sums.count > 0) & has_room & (left.count.wrapping_sub(least) <= room);
            *gradient = side.gradient;
            // All bits set are a NaN. Nothing foretells which bins have rows: a branch would be taken wrongly half the time.
            *hessian = f64::from_bits(side.hessian.to_bits() | u64::from(!is_cut).wrapping_neg());
        });
        left
    }
}

/// The first of the best cuts, if its children score more than `score`; missing values are tried on the right, then on the
/// left.
pub(super) fn best(bins: &FeatureSums<'_>, node: &Node<'_>, score: f64, memory: &mut Memory) -> Option<Cut> {
    let scorer = Scorer::new(node.params, weigh(node.total, node.units));
    let missing = node.total - memory.lefts.fill(bins, Sums::default(), node);
    let found = if missing.count == 0 {
        search(&[&memory.lefts], &scorer, score)
    } else {
        memory.with_missing.fill(bins, missing, node);
        search(&[&memory.lefts, &memory.with_missing], &scorer, score)
    };
    found.map(|Found { last_left, missing_left, score }| {
        let mut left = if missing_left { missing } else { Sums::default() };
        bins.histogram.each_bin(bins.layout, bins.feature, |bin, sums| {
            if bin <= last_left {
                left = left + sums;
            }
        });
        // Nothing is known about missing values where there is none: they follow the majority.
        let missing_left = if missing.count == 0 { 2 * left.count > node.total.count } else { missing_left };
        Cut { last_left, left, missing_left, score }
    })
}

/// A cut as it is searched for.
struct Found {
    last_left: usize,
    missing_left: bool,
    score: f64,
}

/// Scores cuts.
struct Scorer<'a> {
    params: &'a SplitParams,
    all: Weighed,
    /// Least hessian of a side.
    least: f64,
}

impl<'a> Scorer<'a> {
    fn new(params: &'a SplitParams, all: Weighed) -> Self {
        // A side must have some weight, which without a penalty is its hessian alone.
        let some = if params.reg_lambda > 0.0 { 0.0 } else { f64::from_bits(1) };
        Scorer { params, all, least: params.min_child_weight.max(some) }
    }

    /// The score as a fraction, for the sums of the left side: most cuts need no division. Negative infinity over 1 where
    /// a side is too light.
    #[inline(always)]
    fn fraction(&self, gradient: f64, hessian: f64) -> (f64, f64) {
        let (params, right) = (self.params, self.all.hessian - hessian);
        let (l_weight, r_weight) = (hessian + params.reg_lambda, right + params.reg_lambda);
        let (l_rest, r_rest) = (params.shrunk(gradient), params.shrunk(self.all.gradient - gradient));
        let above = l_rest * l_rest * r_weight + r_rest * r_rest * l_weight;
        // One comparison for both sides, which NaN fails too.
        let lighter = if right < hessian { right } else { hessian };
        match lighter >= self.least {
            true => (above, l_weight * r_weight),
            false => (f64::NEG_INFINITY, 1.0),
        }
    }
}

widest! {
    fn search(sides: &[&Lefts], scorer: &Scorer<'_>, score: f64) -> Option<Found> {
        let (mut best, mut least) = (None, score);
        for start in (0..sides[0].hessians.len()).step_by(BLOCK) {
            let mut largest = [0.0; BLOCK];
            for lefts in sides {
                let (gradients, hessians) = (&lefts.gradients[start..start + BLOCK], &lefts.hessians[start..start + BLOCK]);
                for ((largest, gradient), hessian) in largest.iter_mut().zip(gradients).zip(hessians) {
                    let (above, below) = scorer.fraction(*gradient, *hessian);
                    let excess = above - least * below;
                    *largest = if excess > *largest { excess } else { *largest };
                }
            }
            if largest.iter().fold(0.0, |a, b| if *b > a { *b } else { a }) == 0.0 {
                continue;
            }
            for bin in start..start + BLOCK {
                for (i, lefts) in sides.iter().enumerate() {
                    let (above, below) = scorer.fraction(lefts.gradients[bin], lefts.hessians[bin]);
                    if above > least * below {
                        least = above / below;
                        best = Some(Found { last_left: bin, missing_left: i == 1, score: least });
                    }
                }
            }
        }
        best
    }
}
