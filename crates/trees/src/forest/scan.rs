//! The best cut of a node along one feature: sums by bin, then a walk over the bins that have rows.
//!
//! Bins without rows cost nothing: those that are met are noted in a bitmap, and only they are walked and cleared.

use std::cmp::Reverse;

use crate::binning::{Bins, FeatureBins};
use crate::forest::MIN_LEVEL_ROWS;
use crate::forest::response::Kind;

/// A row of a tree.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Item {
    pub(super) row: u32,
    /// Number or class, as in the response.
    pub(super) target: i32,
    /// Weight times how often the bootstrap drew the row.
    pub(super) weight: u64,
}

/// Sums over some rows: of weights, of weight times target, and the number of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moments {
    pub(super) weight: i64,
    pub(super) sum: i64,
    pub(super) count: u32,
}

impl Moments {
    fn add(&mut self, item: &Item) {
        self.weight += item.weight as i64;
        self.sum += item.weight as i64 * i64::from(item.target);
        self.count += 1;
    }

    fn plus(self, other: Moments) -> Moments {
        Moments {
            weight: self.weight + other.weight,
            sum: self.sum + other.sum,
            count: self.count + other.count,
        }
    }

    fn minus(self, other: Moments) -> Moments {
        Moments {
            weight: self.weight - other.weight,
            sum: self.sum - other.sum,
            count: self.count - other.count,
        }
    }

    /// The squared sum over the weight: what is to be large on both sides.
    fn score(self) -> f64 {
        let sum = self.sum as f64;
        sum * sum / self.weight as f64
    }

    pub(super) fn mean(self) -> f64 {
        self.sum as f64 / self.weight as f64
    }
}

/// A cut along a feature: the first `n_left` of the bins in `order` go left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cut {
    /// How many of the walked bins go left, missing values apart.
    pub(super) n_left: usize,
    pub(super) missing_left: bool,
    /// Score of both sides together.
    pub(super) score: f64,
    /// Rows on the left.
    pub(super) left_rows: u32,
}

/// Sums by bin of one feature, for the bins that have rows.
#[derive(Debug)]
pub(super) struct Scan {
    kind: Kind,
    min_samples_leaf: u32,
    cells: Vec<Moments>,
    /// Weights by bin and class, for more than two classes.
    classes: Vec<i64>,
    left: Vec<i64>,
    total: Vec<i64>,
    /// Bins with rows in the order in which they are walked, that of missing values left out.
    pub(super) order: Vec<u8>,
    /// Whether missing values have rows.
    pub(super) has_missing: bool,
    missing: u8,
    keys: Vec<(f64, u8)>,
}

const BINS: usize = 256;

impl Scan {
    pub(super) fn new(kind: Kind, min_samples_leaf: usize) -> Self {
        let n_classes = if let Kind::Classes(k) = kind { k } else { 0 };
        Scan {
            kind,
            min_samples_leaf: min_samples_leaf.min(u32::MAX as usize) as u32,
            cells: vec![Moments::default(); BINS],
            classes: vec![0; BINS * n_classes],
            left: vec![0; n_classes],
            total: vec![0; n_classes],
            order: Vec::with_capacity(BINS),
            has_missing: false,
            missing: 0,
            keys: Vec::with_capacity(BINS),
        }
    }

    /// Adds up the rows of a node by bin, in ascending order of the bins. Returns whether there are two bins or more.
    pub(super) fn fill(&mut self, items: &[Item], column: &[u8], bins: &FeatureBins) -> bool {
        let mut met = [0u64; 4];
        self.order.iter().for_each(|&b| self.cells[b as usize] = Moments::default());
        self.cells[self.missing as usize] = Moments::default();
        for item in items {
            let bin = column[item.row as usize];
            self.cells[bin as usize].add(item);
            met[bin as usize / 64] |= 1 << (bin % 64);
        }
        self.missing = bins.n_values() as u8;
        self.order.clear();
        for (word, mut bits) in met.into_iter().enumerate() {
            while bits != 0 {
                self.order.push((word * 64) as u8 + bits.trailing_zeros() as u8);
                bits &= bits - 1;
            }
        }
        self.has_missing = bins.has_missing && self.order.last() == Some(&self.missing);
        if self.has_missing {
            self.order.pop();
        }
        if self.order.len() + usize::from(self.has_missing) < 2 {
            return false;
        }
        if let Kind::Classes(n_classes) = self.kind {
            self.fill_classes(items, column, n_classes);
        }
        if matches!(bins.bins, Bins::Category(_)) {
            self.sort_levels();
        }
        true
    }

    fn fill_classes(&mut self, items: &[Item], column: &[u8], n_classes: usize) {
        let missing = self.has_missing.then_some(self.missing);
        for &bin in self.order.iter().chain(&missing) {
            self.classes[bin as usize * n_classes..][..n_classes].fill(0);
        }
        self.total.fill(0);
        for item in items {
            let (bin, class) = (column[item.row as usize] as usize, item.target as usize);
            self.classes[bin * n_classes + class] += item.weight as i64;
            self.total[class] += item.weight as i64;
        }
    }

    /// Sorts levels by the mean of their targets; with several classes, by the share of the node's heaviest class. Levels
    /// of fewer than [`MIN_LEVEL_ROWS`] rows share one place, in the order of their bins.
    fn sort_levels(&mut self) {
        let heaviest = (0..self.total.len()).max_by_key(|&k| (self.total[k], Reverse(k))).unwrap_or(0);
        // What is averaged over a bin, and its weight.
        let sums = |bin: u8| {
            let cell = self.cells[bin as usize];
            let sum = match self.kind {
                Kind::Classes(n_classes) => self.classes[bin as usize * n_classes + heaviest],
                _ => cell.sum,
            };
            (sum, cell.weight, (cell.count as usize) < MIN_LEVEL_ROWS)
        };
        let (mut rare_sum, mut rare_weight) = (0, 0);
        for (sum, weight, _) in self.order.iter().map(|&bin| sums(bin)).filter(|s| s.2) {
            rare_sum += sum;
            rare_weight += weight;
        }
        let mean = |bin: u8| match sums(bin) {
            (_, _, true) => rare_sum as f64 / rare_weight as f64,
            (sum, weight, false) => sum as f64 / weight as f64,
        };
        self.keys.clear();
        self.keys.extend(self.order.iter().map(|&bin| (mean(bin), bin)));
        self.keys.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        self.order.clear();
        self.order.extend(self.keys.iter().map(|k| k.1));
    }

    /// The best cut of a node with the given sums.
    pub(super) fn best(&mut self, total: Moments) -> Option<Cut> {
        let mut best: Option<Cut> = None;
        let steps = self.order.len();
        // Without missing values the last step would leave nobody on the right.
        let last = if self.has_missing { steps } else { steps - 1 };
        for missing_left in [false, true] {
            if missing_left && !self.has_missing {
                break;
            }
            let mut walk = self.start(total, missing_left);
            for n_left in 1..=last.min(if missing_left { steps - 1 } else { last }) {
                let bin = self.order[n_left - 1];
                self.step(&mut walk, bin);
                if let Some(score) = self.score(&walk)
                    && best.is_none_or(|b| score > b.score)
                {
                    best = Some(Cut { n_left, missing_left, score, left_rows: walk.left.count });
                }
            }
        }
        best
    }

    /// The score of a cut that is given, if both sides have enough rows.
    pub(super) fn score_of(&mut self, total: Moments, n_left: usize, missing_left: bool) -> Option<Cut> {
        let mut walk = self.start(total, missing_left);
        for i in 0..n_left {
            let bin = self.order[i];
            self.step(&mut walk, bin);
        }
        self.score(&walk).map(|score| Cut { n_left, missing_left, score, left_rows: walk.left.count })
    }

    fn start(&mut self, total: Moments, missing_left: bool) -> Walk {
        // Sums are taken from the node's mean on, so that squares of large means do not hide small differences.
        let centre = match self.kind {
            Kind::Number => total.mean().round() as i64,
            _ => 0,
        };
        let centred = Moments { sum: total.sum - centre * total.weight, ..total };
        let mut walk = Walk { centre, left: Moments::default(), total: centred };
        self.left.fill(0);
        if missing_left {
            self.step(&mut walk, self.missing);
        }
        walk
    }

    /// Moves a bin to the left.
    fn step(&mut self, walk: &mut Walk, bin: u8) {
        let cell = self.cells[bin as usize];
        walk.left = walk.left.plus(Moments { sum: cell.sum - walk.centre * cell.weight, ..cell });
        if let Kind::Classes(n_classes) = self.kind {
            let bin = &self.classes[bin as usize * n_classes..][..n_classes];
            self.left.iter_mut().zip(bin).for_each(|(l, b)| *l += b);
        }
    }

    fn score(&self, walk: &Walk) -> Option<f64> {
        let (left, right) = (walk.left, walk.total.minus(walk.left));
        if left.count < self.min_samples_leaf || right.count < self.min_samples_leaf {
            return None;
        }
        if !matches!(self.kind, Kind::Classes(_)) {
            return Some(left.score() + right.score());
        }
        let (mut squares_left, mut squares_right) = (0.0, 0.0);
        for (l, t) in self.left.iter().zip(&self.total) {
            let (l, r) = (*l as f64, (*t - *l) as f64);
            squares_left += l * l;
            squares_right += r * r;
        }
        Some(squares_left / left.weight as f64 + squares_right / right.weight as f64)
    }
}

/// How far a walk over the bins has come.
struct Walk {
    centre: i64,
    left: Moments,
    total: Moments,
}

/// Sums of some rows.
pub(super) fn moments(items: &[Item]) -> Moments {
    let mut total = Moments::default();
    items.iter().for_each(|item| total.add(item));
    total
}

/// The score of a node as one leaf, as [`Scan::best`] counts it.
pub(super) fn score_as_leaf(items: &[Item], total: Moments, kind: Kind, shares: &mut Vec<i64>) -> f64 {
    match kind {
        Kind::Number => {
            let centre = total.mean().round() as i64;
            Moments { sum: total.sum - centre * total.weight, ..total }.score()
        }
        Kind::Share => total.score(),
        Kind::Classes(n_classes) => {
            class_weights(items, n_classes, shares);
            shares.iter().map(|&w| w as f64 * w as f64).fold(0.0, |a, b| a + b) / total.weight as f64
        }
    }
}

/// Weight of each class.
pub(super) fn class_weights(items: &[Item], n_classes: usize, weights: &mut Vec<i64>) {
    weights.clear();
    weights.resize(n_classes, 0);
    items.iter().for_each(|item| weights[item.target as usize] += item.weight as i64);
}
