//! The best split of a node, found in its histogram.
//!
//! Numbers are cut between bins, and missing values tried on either side. Categories of few levels are split one level
//! against the rest; others are sorted by gradient over hessian and cut along that order, from either end. To a
//! category a missing value is one more level.
//!
//! # References
//! Gains and leaf values: Chen and Guestrin, "XGBoost" (2016), equations 6 and 7. Sorted categories: Fisher, "On grouping
//! for maximum homogeneity" (1958), with the smoothing of LightGBM (Ke et al., 2017).

mod cut;

use std::borrow::Cow;

use rayon::prelude::*;

use crate::binning::{BinnedMatrix, Bins, FeatureBins};
use crate::gradient::{Sums, Units};
use crate::histogram::{Histogram, Layout};
use crate::split::cut::{Cut, Node};

/// Bins above which features are looked at on several threads.
const PARALLEL_BINS: usize = 1 << 14;
/// A gain below this share of what it is the difference of is a rounding error.
const LEAST_RELATIVE_GAIN: f64 = 1e-12;

/// What a split of a node may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitParams {
    /// L2 penalty of leaf values.
    pub reg_lambda: f64,
    /// L1 penalty of leaf values.
    pub reg_alpha: f64,
    /// Least gain.
    pub gamma: f64,
    /// Fewest rows on a side.
    pub min_child_samples: u64,
    /// Least sum of hessians on a side.
    pub min_child_weight: f64,
    /// Levels up to which one is split against the rest.
    pub max_cat_to_onehot: usize,
    /// Most levels that a split of sorted levels takes from an end.
    pub max_cat_threshold: usize,
    /// Added to the hessians by which levels are sorted; levels of fewer rows stay on the other side.
    pub cat_smooth: f64,
    /// L2 penalty added to splits of sorted levels.
    pub cat_l2: f64,
    /// Fewest rows by which a split of sorted levels moves on.
    pub min_data_per_group: u64,
}

impl SplitParams {
    /// The gradient that is left after the L1 penalty, squared over hessian and L2 penalty: twice what a leaf improves.
    fn score(&self, gradient: f64, hessian: f64, l2: f64) -> f64 {
        let rest = self.shrunk(gradient);
        let weight = hessian + l2;
        if weight > 0.0 { rest * rest / weight } else { 0.0 }
    }

    fn shrunk(&self, gradient: f64) -> f64 {
        // Without a branch: the signs of gradients cannot be foreseen.
        let most = if gradient < self.reg_alpha { gradient } else { self.reg_alpha };
        let within = if most > -self.reg_alpha { most } else { -self.reg_alpha };
        gradient - within
    }

    /// The best value of a leaf.
    pub fn leaf_value(&self, gradient: f64, hessian: f64) -> f64 {
        self.value(gradient, hessian, self.reg_lambda)
    }

    fn value(&self, gradient: f64, hessian: f64, l2: f64) -> f64 {
        let weight = hessian + l2;
        if weight > 0.0 { -self.shrunk(gradient) / weight } else { 0.0 }
    }

    /// What a leaf of any value improves, times two; its largest value is [`SplitParams::score`].
    fn score_of_value(&self, value: f64, gradient: f64, hessian: f64, l2: f64) -> f64 {
        -(2.0 * gradient * value + (hessian + l2) * value * value) - 2.0 * self.reg_alpha * value.abs()
    }
}

/// Between which values the leaves below a node lie, so that features keep the direction that was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Least value.
    pub least: f64,
    /// Largest value.
    pub most: f64,
}

impl Limits {
    /// Any value.
    pub const NONE: Limits = Limits { least: f64::NEG_INFINITY, most: f64::INFINITY };

    /// The nearest value within.
    pub fn clamp(self, value: f64) -> f64 {
        let value = if value < self.least { self.least } else { value };
        if value > self.most { self.most } else { value }
    }
}

/// What a node may do.
#[derive(Debug, Clone)]
pub struct Rules<'a> {
    /// The features that it may ask.
    pub allowed: Cow<'a, [bool]>,
    /// Between which values its leaves lie.
    pub limits: Limits,
}

/// What a split asks of a bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinTest {
    /// Bins of values up to this one go left.
    UpTo(u8),
    /// Bins of levels in this set go left.
    In([u64; 4]),
}

/// A split of a node in terms of bins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BinSplit {
    /// The feature that is asked.
    pub feature: usize,
    /// What is asked.
    pub test: BinTest,
    /// Whether a missing value goes left.
    pub missing_left: bool,
    /// Score of both children: how much better they are than leaves of the value 0, times two.
    pub score: f64,
    /// By how much the objective improves, times two.
    pub gain: f64,
    /// Sums of the left side.
    pub left: Sums,
    /// Sums of the right side.
    pub right: Sums,
}

impl BinSplit {
    /// Whether a row of each bin goes left.
    pub fn table(&self, bins: &FeatureBins) -> [bool; 256] {
        let missing = bins.n_values();
        std::array::from_fn(|code| match self.test {
            _ if code >= missing => self.missing_left,
            BinTest::UpTo(bin) => code <= bin as usize,
            BinTest::In(set) => contains(&set, code),
        })
    }
}

fn contains(set: &[u64; 4], bin: usize) -> bool {
    set[bin / 64] >> (bin % 64) & 1 == 1
}

fn insert(set: &mut [u64; 4], bin: usize) {
    set[bin / 64] |= 1 << (bin % 64);
}

/// Finds splits in histograms.
#[derive(Debug, Clone, Copy)]
pub struct Splitter<'a> {
    /// Bins of the features.
    pub matrix: &'a BinnedMatrix,
    /// Where histograms keep them.
    pub layout: &'a Layout,
    /// What splits may be.
    pub params: &'a SplitParams,
    /// The direction of each feature: 1 if predictions must not fall with it, -1 if they must not rise. Empty where there is
    /// none.
    pub monotone: &'a [i8],
}

impl Splitter<'_> {
    /// The best split of a node, if there is one that gains; `units` are those of the fine sums.
    ///
    /// # Determinism
    /// Of equal gains the first by (feature, bin) wins, whatever the number of threads; gains of two features are equal
    /// that differ by rounding alone.
    pub fn find(&self, histogram: &Histogram, total: Sums, units: Units, rules: &Rules<'_>) -> Option<BinSplit> {
        let units = histogram.units(units);
        let features = 0..self.matrix.n_features();
        let find = |memory: &mut Memory, feature: usize, best: Option<BinSplit>| {
            if !rules.allowed[feature] {
                return best;
            }
            histogram.sums_into(self.layout, feature, &mut memory.sums);
            let found = self.of_feature(feature, memory, (total, units), rules.limits, best.map(|split| split.score));
            later_only_if_better(best, found)
        };
        if self.layout.n_bins() < PARALLEL_BINS {
            let mut memory = Memory::default();
            features.fold(None, |best, feature| find(&mut memory, feature, best))
        } else {
            let found =
                features.into_par_iter().map_init(Memory::default, |memory, feature| find(memory, feature, None));
            found.collect::<Vec<_>>().into_iter().fold(None, later_only_if_better)
        }
    }

    /// The limits of the children of a split: where a feature has a direction, they meet in the middle.
    pub fn limits_of_children(&self, split: &BinSplit, units: Units, limits: Limits) -> (Limits, Limits) {
        let value = |sums: Sums| {
            let Weighed { gradient, hessian } = weigh(sums, units);
            limits.clamp(self.params.leaf_value(gradient, hessian))
        };
        let middle = value(split.left) / 2.0 + value(split.right) / 2.0;
        let (below, above) = (Limits { most: middle, ..limits }, Limits { least: middle, ..limits });
        match self.monotone.get(split.feature) {
            Some(1) => (below, above),
            Some(-1) => (above, below),
            _ => (limits, limits),
        }
    }

    fn of_feature(
        &self,
        feature: usize,
        memory: &mut Memory,
        (total, units): (Sums, Units),
        limits: Limits,
        to_beat: Option<f64>,
    ) -> Option<BinSplit> {
        let Memory { sums, cuts } = memory;
        if sums.is_empty() {
            return None;
        }
        let bins = &self.matrix.features()[feature];
        let mut search = Search::new(self.params, feature, total, units);
        if !self.monotone.is_empty() {
            search.keep_direction(self.monotone[feature], limits);
        }
        // What scores no more than an earlier feature, but for rounding, need not be looked at.
        search.score = to_beat.map_or(search.score, |score| search.score.max(certainly_more(score)));
        match &bins.bins {
            Bins::Number(_) => search.cut(sums, bins.n_values(), cuts),
            Bins::Category(_) if bins.n_values() <= self.params.max_cat_to_onehot => search.one_against_rest(sums),
            Bins::Category(_) => search.sorted(sums),
        }
        let mut best = search.best?;
        if let BinTest::In(set) = best.test {
            best.missing_left = bins.has_missing && contains(&set, bins.n_values());
        }
        if !bins.has_missing || sums[bins.n_values()].count == 0 {
            // Nothing is known about missing values here: they follow the majority.
            best.missing_left = best.left.count > best.right.count;
        }
        Some(best)
    }
}

/// Memory of a thread.
#[derive(Debug, Default)]
struct Memory {
    /// Sums of the bins of a feature.
    sums: Vec<Sums>,
    cuts: cut::Memory,
}

/// Gradient and hessian of some rows as numbers.
#[derive(Debug, Clone, Copy)]
struct Weighed {
    gradient: f64,
    hessian: f64,
}

/// The search along one feature.
struct Search<'a> {
    params: &'a SplitParams,
    feature: usize,
    total: Sums,
    units: Units,
    weighed: Weighed,
    /// Score of the node as one leaf.
    parent: f64,
    l2: f64,
    /// Score of both children of the best split; before there is one, what must be exceeded.
    score: f64,
    best: Option<BinSplit>,
    /// A direction of this feature, and limits of the node, where any feature has a direction.
    direction: Option<(i8, Limits)>,
}

impl<'a> Search<'a> {
    fn new(params: &'a SplitParams, feature: usize, total: Sums, units: Units) -> Self {
        let weighed = weigh(total, units);
        let l2 = params.reg_lambda;
        let parent = params.score(weighed.gradient, weighed.hessian, l2);
        let score = least_score(params, parent);
        Search { params, feature, total, units, weighed, parent, l2, score, best: None, direction: None }
    }

    /// Leaves must lie within limits, and rise or fall with the feature.
    fn keep_direction(&mut self, direction: i8, limits: Limits) {
        let Weighed { gradient, hessian } = self.weighed;
        let value = limits.clamp(self.params.value(gradient, hessian, self.l2));
        self.parent = self.params.score_of_value(value, gradient, hessian, self.l2);
        self.score = least_score(self.params, self.parent);
        self.direction = Some((direction, limits));
    }

    /// The score of two leaves within limits; none if they stand in the wrong order.
    fn score_within(&self, direction: i8, limits: Limits, l: Weighed, r: Weighed) -> Option<f64> {
        let value = |side: Weighed| limits.clamp(self.params.value(side.gradient, side.hessian, self.l2));
        let (left, right) = (value(l), value(r));
        if (direction > 0 && left > right) || (direction < 0 && left < right) {
            return None;
        }
        let score = |value: f64, side: Weighed| self.params.score_of_value(value, side.gradient, side.hessian, self.l2);
        Some(score(left, l) + score(right, r))
    }

    /// Whether a side may be a child.
    fn is_heavy_enough(&self, side: Sums) -> bool {
        side.count >= self.params.min_child_samples.max(1)
            && side.hessian as f64 * self.units.hessian >= self.params.min_child_weight
    }

    /// Keeps a split if its children score more than the best so far.
    #[inline]
    fn consider(&mut self, left: Sums, missing_left: bool, test: impl FnOnce() -> BinTest) {
        let least = self.params.min_child_samples.max(1);
        if left.count < least || self.total.count - left.count < least {
            return;
        }
        let l = weigh(left, self.units);
        let r = Weighed { gradient: self.weighed.gradient - l.gradient, hessian: self.weighed.hessian - l.hessian };
        let least = self.params.min_child_weight;
        let (l_weight, r_weight) = (l.hessian + self.l2, r.hessian + self.l2);
        if l.hessian < least || r.hessian < least || l_weight <= 0.0 || r_weight <= 0.0 {
            return;
        }
        if let Some((direction, limits)) = self.direction {
            if let Some(score) = self.score_within(direction, limits, l, r)
                && score > self.score
            {
                self.keep(score, left, missing_left, test());
            }
            return;
        }
        // The sum of two quotients is compared as one, multiplied out: most bins need no division.
        let (l_rest, r_rest) = (self.params.shrunk(l.gradient), self.params.shrunk(r.gradient));
        let (above, below) = (l_rest * l_rest * r_weight + r_rest * r_rest * l_weight, l_weight * r_weight);
        if above > self.score * below {
            self.keep(above / below, left, missing_left, test());
        }
    }

    fn keep(&mut self, score: f64, left: Sums, missing_left: bool, test: BinTest) {
        self.score = score;
        let (feature, gain, right) = (self.feature, score - self.parent, self.total - left);
        self.best = Some(BinSplit { feature, test, missing_left, score, gain, left, right });
    }

    /// Cuts between bins of numbers.
    fn cut(&mut self, sums: &[Sums], n_values: usize, memory: &mut cut::Memory) {
        if self.direction.is_none() {
            let missing = sums.get(n_values).copied().unwrap_or_default();
            let node = Node { params: self.params, total: self.total, units: self.units };
            if let Some(Cut { bin, missing_left, score }) =
                cut::best(&sums[..n_values], missing, &node, self.score, memory)
            {
                let left =
                    sums[..=bin].iter().fold(if missing_left { missing } else { Sums::default() }, |a, b| a + *b);
                self.keep(score, left, missing_left, BinTest::UpTo(bin as u8));
            }
            return;
        }
        self.cut_within_limits(sums, n_values);
    }

    /// The same where leaves must lie within limits.
    fn cut_within_limits(&mut self, sums: &[Sums], n_values: usize) {
        let missing = sums.get(n_values).copied().unwrap_or_default();
        let mut left = Sums::default();
        for (bin, sum) in sums[..n_values].iter().enumerate().filter(|(_, sum)| sum.count > 0) {
            left = left + *sum;
            let test = || BinTest::UpTo(bin as u8);
            self.consider(left, false, test);
            if missing.count > 0 {
                self.consider(left + missing, true, test);
            }
        }
    }

    fn one_against_rest(&mut self, sums: &[Sums]) {
        for (bin, &sum) in sums.iter().enumerate().filter(|(_, s)| s.count > 0) {
            self.consider(sum, false, || {
                let mut set = [0; 4];
                insert(&mut set, bin);
                BinTest::In(set)
            });
        }
    }

    /// Takes levels from either end of their order by gradient over smoothed hessian.
    fn sorted(&mut self, sums: &[Sums]) {
        let params = self.params;
        self.l2 += params.cat_l2;
        let order_of = |s: &Sums| {
            let hessian = s.hessian as f64 * self.units.hessian + params.cat_smooth;
            s.gradient as f64 * self.units.gradient / hessian
        };
        let mut order: Vec<(f64, usize)> = sums
            .iter()
            .enumerate()
            .filter(|(_, s)| s.count > 0 && s.count as f64 >= params.cat_smooth)
            .map(|(bin, s)| (order_of(s), bin))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let most = params.max_cat_threshold.min(order.len().div_ceil(2));
        self.take_from_end(sums, order.iter().take(most).map(|o| o.1));
        self.take_from_end(sums, order.iter().rev().take(most).map(|o| o.1));
    }

    fn take_from_end(&mut self, sums: &[Sums], order: impl Iterator<Item = usize>) {
        let params = self.params;
        let (mut left, mut set, mut group) = (Sums::default(), [0; 4], 0);
        for bin in order {
            left = left + sums[bin];
            insert(&mut set, bin);
            group += sums[bin].count;
            let right = self.total - left;
            if right.count < params.min_data_per_group || !self.is_heavy_enough(right) {
                break;
            }
            if group >= params.min_data_per_group && self.is_heavy_enough(left) {
                group = 0;
                self.consider(left, false, || BinTest::In(set));
            }
        }
    }
}

/// Of gains that are equal, but for rounding, the first wins.
fn later_only_if_better(first: Option<BinSplit>, later: Option<BinSplit>) -> Option<BinSplit> {
    match (first, later) {
        (Some(a), Some(b)) => Some(if b.score > certainly_more(a.score) { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// What the children must exceed together: a gain of gamma, and one beyond rounding errors.
fn least_score(params: &SplitParams, parent: f64) -> f64 {
    (parent + params.gamma).max(certainly_more(parent))
}

/// A score that is larger by more than rounding errors.
fn certainly_more(score: f64) -> f64 {
    score / (1.0 - LEAST_RELATIVE_GAIN)
}

fn weigh(sums: Sums, units: Units) -> Weighed {
    // Sums stay below 2⁶³, and numbers with a sign are converted by one instruction.
    Weighed { gradient: sums.gradient as f64 * units.gradient, hessian: sums.hessian as i64 as f64 * units.hessian }
}

#[cfg(test)]
mod tests;
