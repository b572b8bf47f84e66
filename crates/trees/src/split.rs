//! The best split of a node, found in its histogram.
//!
//! Numbers are cut between bins, and missing values tried on either side. Categories of few levels are split one level
//! against the rest; others are sorted by gradient over hessian and cut along that order, from either end. To a
//! category a missing value is one more level.
//!
//! Of the thousands of levels of a large category, some are extreme by chance. Their means are drawn towards that of the
//! node, the more the less they spread beyond chance and the fewer rows they have; levels are sorted by what is left and
//! cut anywhere, and a cut gains what the drawn means say.
//!
//! # References
//! Gains and leaf values: Chen and Guestrin, "XGBoost" (2016), equations 6 and 7. Sorted categories: Fisher, "On grouping
//! for maximum homogeneity" (1958), with the smoothing of LightGBM (Ke et al., 2017). Drawn means: DerSimonian and Laird,
//! "Meta-analysis in clinical trials" (1986), for the variance of the levels.

mod cut;

use std::borrow::Cow;
use std::cmp::Ordering;

use rayon::prelude::*;

use crate::binning::{BYTE_LEVELS, BinnedMatrix, Bins, FeatureBins};
use crate::gradient::{Sums, Units};
use crate::histogram::{BinSums, Histogram, Layout};
use crate::split::cut::{Cut, FeatureSums, Node};

/// Bins above which features are looked at on several threads.
const PARALLEL_BINS: usize = 1 << 14;
/// Rows of a node from which on a level of a large category is told apart. Measured on real columns taken as categories:
/// with 10, places of a few houses each are lost; without a limit, single rows are learned by heart.
const LEVEL_ROWS: u64 = 4;
/// Values of a byte.
const BYTES: usize = 256;
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
    /// Most levels that a split of sorted levels takes from an end; any number for large categories.
    pub max_cat_threshold: usize,
    /// Added to the hessians by which levels are sorted; levels of fewer rows stay on the other side. Large categories need
    /// none.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BinTest {
    /// Bins of values up to this one go left.
    UpTo(u8),
    /// Bins of levels in this list go left.
    In(Vec<u16>),
}

/// A split of a node in terms of bins.
#[derive(Debug, Clone, PartialEq)]
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
    /// Whether a row of each bin goes left; 256 bins or more, so that any byte has an answer.
    pub fn table(&self, bins: &FeatureBins) -> Vec<bool> {
        let missing = bins.n_values();
        let mut goes_left = vec![self.missing_left; BYTES.max(missing + 1)];
        goes_left[..missing].fill(false);
        match &self.test {
            BinTest::UpTo(bin) => goes_left[..=*bin as usize].fill(true),
            BinTest::In(levels) => levels.iter().for_each(|&bin| goes_left[bin as usize] = true),
        }
        goes_left
    }
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
            if !rules.allowed[feature] || !self.layout.has_bins(feature) {
                return best;
            }
            let mut search = Search::new(self.params, feature, total, units);
            if !self.monotone.is_empty() {
                search.keep_direction(self.monotone[feature], rules.limits);
            }
            if let Some(best) = &best {
                search.beat(best.score);
            }
            later_only_if_better(best, self.of_feature(search, histogram, memory))
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

    /// The best split of a feature that has bins.
    fn of_feature(&self, mut search: Search<'_>, histogram: &Histogram, memory: &mut Memory) -> Option<BinSplit> {
        let Memory { sums, cuts } = memory;
        let (layout, feature) = (self.layout, search.feature);
        let bins = &self.matrix.features()[feature];
        let n_values = bins.n_values();
        if matches!(bins.bins, Bins::Number(_)) && search.direction.is_none() {
            search.cut(&FeatureSums { histogram, layout, feature, n_values }, cuts);
            return search.best;
        }
        histogram.sums_into(layout, feature, sums);
        // The bin of missing values is the last.
        let last = sums.last()?;
        match &bins.bins {
            Bins::Number(_) => search.cut_within_limits(sums, n_values),
            Bins::Category(_) if n_values <= self.params.max_cat_to_onehot => search.one_against_rest(sums),
            Bins::Category(_) if n_values <= BYTE_LEVELS => search.sorted(sums),
            Bins::Category(_) => {
                let unit = search.units.gradient;
                search.drawn(sums, histogram.gradient_squares() * unit * unit);
            }
        }
        let mut best = search.best?;
        if let BinTest::In(levels) = &mut best.test {
            // To the search a missing value is a level.
            best.missing_left = levels.last().is_some_and(|bin| *bin as usize == n_values);
        }
        if last.bin as usize != n_values {
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
    sums: Vec<BinSums>,
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

    /// Only a score that is larger, by more than rounding errors, is of interest.
    fn beat(&mut self, score: f64) {
        self.score = self.score.max(certainly_more(score));
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
        self.consider_as(left, weigh(left, self.units), missing_left, test);
    }

    /// The same where the left side counts as something else than it sums up to.
    #[inline]
    fn consider_as(&mut self, left: Sums, l: Weighed, missing_left: bool, test: impl FnOnce() -> BinTest) {
        let least = self.params.min_child_samples.max(1);
        if left.count < least || self.total.count - left.count < least {
            return;
        }
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
    fn cut(&mut self, bins: &FeatureSums<'_>, memory: &mut cut::Memory) {
        let node = Node { params: self.params, total: self.total, units: self.units };
        if let Some(Cut { last_left, left, missing_left, score }) = cut::best(bins, &node, self.score, memory) {
            self.keep(score, left, missing_left, BinTest::UpTo(last_left as u8));
        }
    }

    /// The same where leaves must lie within limits, or rise or fall with the feature.
    fn cut_within_limits(&mut self, sums: &[BinSums], n_values: usize) {
        let (values, missing) = match sums.split_last() {
            Some((last, values)) if last.bin as usize == n_values => (values, last.sums),
            _ => (sums, Sums::default()),
        };
        let mut left = Sums::default();
        for of_bin in values {
            left = left + of_bin.sums;
            let test = || BinTest::UpTo(of_bin.bin as u8);
            self.consider(left, false, test);
            if missing.count > 0 {
                self.consider(left + missing, true, test);
            }
        }
    }

    fn one_against_rest(&mut self, sums: &[BinSums]) {
        for level in sums {
            self.consider(level.sums, false, || BinTest::In(vec![level.bin]));
        }
    }

    /// Takes levels from either end of their order by gradient over smoothed hessian.
    fn sorted(&mut self, sums: &[BinSums]) {
        let params = self.params;
        self.l2 += params.cat_l2;
        let order_of = |s: &Sums| {
            let hessian = s.hessian as f64 * self.units.hessian + params.cat_smooth;
            s.gradient as f64 * self.units.gradient / hessian
        };
        let trusted = sums.iter().filter(|level| level.sums.count as f64 >= params.cat_smooth);
        let mut order: Vec<(f64, &BinSums)> = trusted.map(|level| (order_of(&level.sums), level)).collect();
        let most = params.max_cat_threshold.min(order.len().div_ceil(2));
        self.take_first(first(&mut order, most, ascending), None);
        self.take_first(first(&mut order, most, |a, b| ascending(b, a)), None);
    }

    /// Cuts a large category anywhere along the order of its levels, whose means are drawn towards that of the node;
    /// `squares` are those of the node's gradients.
    fn drawn(&mut self, sums: &[BinSums], squares: f64) {
        let params = self.params;
        self.l2 += params.cat_l2;
        let Weighed { gradient, hessian } = self.weighed;
        let (mean, dispersion) = (gradient / hessian, squares / hessian);
        let weighed = |level: &BinSums| weigh(level.sums, self.units);
        let trusted = || sums.iter().filter(|level| level.sums.count >= LEVEL_ROWS);
        // The square of a level's deviation, over its hessian, is expected to be the dispersion and its hessian times the
        // variance of the means.
        let (mut excess, mut weight) = (0.0, 0.0);
        for level in trusted().map(weighed).filter(|level| level.hessian > 0.0) {
            let deviation = level.gradient - mean * level.hessian;
            excess += deviation * deviation / level.hessian - dispersion;
            weight += level.hessian;
        }
        let variance = excess / weight;
        if variance.is_nan() || variance <= 0.0 {
            return;
        }
        let prior = dispersion / variance;
        let mut shift = 0.0;
        let key = |level| {
            let Weighed { gradient, hessian } = weighed(level);
            let deviation = (gradient - mean * hessian) / (hessian + prior);
            shift += deviation * hessian;
            (deviation, level)
        };
        let mut order: Vec<(f64, &BinSums)> = trusted().map(key).collect();
        // Both sides together have the gradient of the node again.
        let mean = mean - shift / hessian;
        // Levels of few rows are in the middle.
        let middle = order.iter().filter(|(deviation, _)| *deviation < 0.0).count();
        order.sort_unstable_by(ascending);
        self.take_first(&order[..middle], Some(mean));
        order.reverse();
        let n_above = order.len() - middle;
        self.take_first(&order[..n_above], Some(mean));
    }

    /// Takes more and more levels to the left, by their sums, or by what their keys and the mean say.
    fn take_first(&mut self, order: &[(f64, &BinSums)], mean: Option<f64>) {
        let params = self.params;
        let (mut left, mut drawn, mut group, mut n_best) = (Sums::default(), 0.0, 0, 0);
        for (i, (key, level)) in order.iter().enumerate() {
            left = left + level.sums;
            drawn += key * weigh(level.sums, self.units).hessian;
            group += level.sums.count;
            let right = self.total - left;
            if right.count < params.min_data_per_group || !self.is_heavy_enough(right) {
                break;
            }
            if group >= params.min_data_per_group && self.is_heavy_enough(left) {
                group = 0;
                let sums = weigh(left, self.units);
                let gradient = mean.map_or(sums.gradient, |mean| mean * sums.hessian + drawn);
                self.consider_as(left, Weighed { gradient, ..sums }, false, || {
                    n_best = i + 1;
                    BinTest::In(Vec::new())
                });
            }
        }
        if let Some(best) = self.best.as_mut().filter(|_| n_best > 0) {
            let mut levels: Vec<u16> = order[..n_best].iter().map(|(_, level)| level.bin).collect();
            levels.sort_unstable();
            best.test = BinTest::In(levels);
        }
    }
}

/// By key; of equal ones the first bin.
fn ascending(a: &(f64, &BinSums), b: &(f64, &BinSums)) -> Ordering {
    a.0.total_cmp(&b.0).then(a.1.bin.cmp(&b.1.bin))
}

/// The first `n` in an order, sorted.
fn first<T>(all: &mut [T], n: usize, order: impl Fn(&T, &T) -> Ordering) -> &[T] {
    if n < all.len() {
        all.select_nth_unstable_by(n, &order);
    }
    let first = &mut all[..n];
    first.sort_unstable_by(order);
    first
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
