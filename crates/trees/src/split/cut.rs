//! The best cut between the bins of a number: where most of a split's search goes, so it is done for several bins at a time.
//!
//! First the sums left of every cut, then which cuts beat the best so far. Few do, and those are looked at one by one.

use crate::gradient::{Sums, Units};
use crate::histogram::BinSums;
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

/// A cut.
pub(super) struct Cut {
    /// Position of the last bin on the left.
    pub(super) last_left: usize,
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

/// Sums left of every cut, in whole blocks. Where a side has too few rows, the hessian is NaN, which is never heavy enough.
#[derive(Debug, Default)]
struct Lefts {
    gradients: Vec<f64>,
    hessians: Vec<f64>,
}

impl Lefts {
    fn fill(&mut self, bins: &[BinSums], start: Sums, node: &Node<'_>) {
        let n = bins.len().next_multiple_of(BLOCK);
        self.gradients.resize(n, 0.0);
        self.hessians.resize(n, 0.0);
        self.hessians[bins.len()..].fill(f64::NAN);
        let least = node.params.min_child_samples.max(1);
        let mut left = start;
        for ((bin, gradient), hessian) in bins.iter().zip(&mut self.gradients).zip(&mut self.hessians) {
            left = left + bin.sums;
            let side = weigh(left, node.units);
            let is_enough = (left.count >= least) & (node.total.count - left.count >= least);
            *gradient = side.gradient;
            *hessian = if is_enough { side.hessian } else { f64::NAN };
        }
    }
}

/// The first of the best cuts, if its children score more than `score`; missing values are tried on the right, then on the
/// left.
pub(super) fn best(bins: &[BinSums], missing: Sums, node: &Node<'_>, score: f64, memory: &mut Memory) -> Option<Cut> {
    let scorer = Scorer::new(node.params, weigh(node.total, node.units));
    memory.lefts.fill(bins, Sums::default(), node);
    if missing.count == 0 {
        return search(&[&memory.lefts], &scorer, score);
    }
    memory.with_missing.fill(bins, missing, node);
    search(&[&memory.lefts, &memory.with_missing], &scorer, score)
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
    fn search(sides: &[&Lefts], scorer: &Scorer<'_>, score: f64) -> Option<Cut> {
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
                        best = Some(Cut { last_left: bin, missing_left: i == 1, score: least });
                    }
                }
            }
        }
        best
    }
}
