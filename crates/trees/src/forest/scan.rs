//! The best cut of a node along one feature: sums by bin, then a walk over the bins that have rows.
//!
//! Bins without rows cost nothing: those that are met are noted in a bitmap, and only they are walked and cleared.
//!
//! A cut is judged by D² / (wₗ wᵣ), where D = sₗ W − S wₗ for sums s of weight times target and sums w of weights on the
//! left, on the right, and S, W of both: W times the decrease of the weighted variance. With several classes, the
//! squares of all classes are added: W times the decrease of the weighted Gini impurity.

use std::cmp::Reverse;

use crate::binning::{Bins, FeatureBins};
use crate::forest::MIN_LEVEL_ROWS;
use crate::forest::node::Node;
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

impl Item {
    /// What the row adds to a bin.
    #[inline]
    pub(super) fn in_bin(&self, bin: u8) -> BinRow {
        let weight = self.weight as i64;
        let moments = Moments { weight, sum: weight * i64::from(self.target) };
        BinRow { bin, moments, class: self.target as usize }
    }
}

/// A row of a node as it is seen along one feature.
#[derive(Debug, Clone, Copy)]
pub(super) struct BinRow {
    pub(super) bin: u8,
    pub(super) moments: Moments,
    /// The class, where there are several.
    pub(super) class: usize,
}

/// Sums over some rows: of weights, and of weight times target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moments {
    pub(super) weight: i64,
    pub(super) sum: i64,
}

impl Moments {
    /// The sums over all rows of a node.
    pub(super) fn of(items: &[Item]) -> Self {
        let mut total = Moments::default();
        items.iter().for_each(|item| total.include(item.in_bin(0).moments));
        total
    }

    #[inline]
    pub(super) fn include(&mut self, other: Moments) {
        self.weight += other.weight;
        self.sum += other.sum;
    }

    pub(super) fn mean(self) -> f64 {
        self.sum as f64 / self.weight as f64
    }
}

/// A cut along a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cut {
    /// How many of the bins in [`Scan::order`] go left.
    pub(super) n_left: usize,
    pub(super) missing_left: bool,
    pub(super) score: f64,
    /// Whether both sides have one class each: no cut can be better.
    pub(super) is_perfect: bool,
}

/// Sums by bin of one feature, for the bins that have rows.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) kind: Kind,
    min_samples_leaf: usize,
    cells: Box<[Moments; BINS]>,
    /// Rows by bin; counted for categories, and where leaves need several rows.
    counts: Box<[u32; BINS]>,
    has_counts: bool,
    /// Weights by bin and class, for more than two classes.
    classes: Vec<i64>,
    left: Vec<i64>,
    total: Vec<i64>,
    order: Box<[u8; BINS]>,
    n_order: usize,
    /// Whether missing values have rows.
    pub(super) has_missing: bool,
    missing: u8,
    keys: Vec<(f64, u8)>,
    /// The bin of each row.
    bins: Vec<u8>,
    /// Where the levels of few rows lie in the order, which are parted from all others one at a time.
    rare: std::ops::Range<usize>,
}

/// Bins of a feature, at most.
pub(super) const BINS: usize = 256;
/// Rows of a node from which on its bins are found by a look at all cells.
const MANY_ROWS: usize = 128;

impl Scan {
    pub(super) fn new(kind: Kind, min_samples_leaf: usize) -> Self {
        let n_classes = if let Kind::Classes(k) = kind { k } else { 0 };
        Scan {
            kind,
            min_samples_leaf,
            cells: Box::new([Moments::default(); BINS]),
            counts: Box::new([0; BINS]),
            has_counts: false,
            classes: vec![0; BINS * n_classes],
            left: vec![0; n_classes],
            total: vec![0; n_classes],
            order: Box::new([0; BINS]),
            n_order: 0,
            has_missing: false,
            missing: 0,
            keys: Vec::with_capacity(BINS),
            bins: Vec::new(),
            rare: 0..0,
        }
    }

    /// Bins with rows in the order in which they are walked, that of missing values left out.
    pub(super) fn order(&self) -> &[u8] {
        &self.order[..self.n_order]
    }

    /// Adds up the rows of a node by bin. Returns whether there are two bins or more.
    pub(super) fn fill(
        &mut self,
        rows: impl Iterator<Item = BinRow> + Clone,
        n_rows: usize,
        bins: &FeatureBins,
    ) -> bool {
        self.clear();
        let (cells, mut met) = (&mut *self.cells, [0u64; 4]);
        if n_rows < MANY_ROWS {
            for BinRow { bin, moments, .. } in rows.clone() {
                cells[bin as usize].include(moments);
                met[bin as usize / 64] |= 1 << (bin % 64);
            }
        } else {
            // Every row would wait for the one before it to note its bin.
            rows.clone().for_each(|row| cells[row.bin as usize].include(row.moments));
            for (met, cells) in met.iter_mut().zip(cells.chunks_exact(64)) {
                *met = cells.iter().rev().fold(0, |met, cell| met << 1 | u64::from(cell.weight > 0));
            }
        }
        if !self.begin(met, bins) {
            return false;
        }
        if self.has_counts {
            self.order[..self.n_order].iter().for_each(|&bin| self.counts[bin as usize] = 0);
            rows.clone().for_each(|row| self.counts[row.bin as usize] += 1);
        }
        if let Kind::Classes(n_classes) = self.kind {
            self.fill_classes(rows, n_classes);
        }
        self.arrange(bins);
        true
    }

    /// Takes the sums of a node by bin, and its rows by bin if [`Scan::needs_counts`]. Returns whether there are two bins or
    /// more.
    pub(super) fn take(&mut self, cells: impl Iterator<Item = Moments>, counts: &[u32], bins: &FeatureBins) -> bool {
        self.clear();
        let mut met = [0u64; 4];
        for (bin, moments) in cells.enumerate().filter(|(_, moments)| moments.weight > 0) {
            self.cells[bin] = moments;
            met[bin / 64] |= 1 << (bin % 64);
        }
        if !self.begin(met, bins) {
            return false;
        }
        if self.has_counts {
            self.counts[..counts.len()].copy_from_slice(counts);
        }
        self.arrange(bins);
        true
    }

    /// Begins with the bins that have rows. Returns whether there are two or more.
    fn begin(&mut self, met: [u64; 4], bins: &FeatureBins) -> bool {
        self.list(met);
        self.has_counts = self.needs_counts(bins);
        let varies = self.n_order >= 2;
        if !varies {
            self.note_missing(bins);
        }
        varies
    }

    /// Whether rows are to be counted by bin.
    pub(super) fn needs_counts(&self, bins: &FeatureBins) -> bool {
        matches!(bins.bins, Bins::Category(_)) || self.min_samples_leaf > 1
    }

    fn clear(&mut self) {
        for &bin in &self.order[..self.n_order] {
            self.cells[bin as usize] = Moments::default();
        }
        self.cells[self.missing as usize] = Moments::default();
    }

    /// Lists the bins that have rows.
    fn list(&mut self, met: [u64; 4]) {
        self.n_order = 0;
        for (word, mut bits) in met.into_iter().enumerate() {
            while bits != 0 {
                self.order[self.n_order & (BINS - 1)] = (word * 64) as u8 + bits.trailing_zeros() as u8;
                self.n_order += 1;
                bits &= bits - 1;
            }
        }
    }

    fn note_missing(&mut self, bins: &FeatureBins) {
        self.missing = bins.n_values() as u8;
        self.has_missing = bins.has_missing && self.order().last() == Some(&self.missing);
    }

    /// Brings bins into the order in which they are walked.
    fn arrange(&mut self, bins: &FeatureBins) {
        self.note_missing(bins);
        self.rare = 0..0;
        if self.has_missing {
            self.n_order -= 1;
        }
        if matches!(bins.bins, Bins::Category(_)) {
            self.sort_levels();
        }
    }

    fn fill_classes(&mut self, rows: impl Iterator<Item = BinRow>, n_classes: usize) {
        for &bin in &self.order[..self.n_order] {
            self.classes[bin as usize * n_classes..][..n_classes].fill(0);
        }
        self.total.fill(0);
        for BinRow { bin, moments, class } in rows {
            self.classes[bin as usize * n_classes + class] += moments.weight;
            self.total[class] += moments.weight;
        }
    }

    /// Sorts levels by the mean of their targets; with several classes, by the share of the node's heaviest class. Levels
    /// of fewer than [`MIN_LEVEL_ROWS`] rows share one place, within which there is no order to be trusted.
    fn sort_levels(&mut self) {
        let heaviest = (0..self.total.len()).max_by_key(|&k| (self.total[k], Reverse(k))).unwrap_or(0);
        // What is averaged over a bin, and its weight.
        let sums = |bin: u8| {
            let cell = self.cells[bin as usize];
            let sum = match self.kind {
                Kind::Classes(n_classes) => self.classes[bin as usize * n_classes + heaviest],
                _ => cell.sum,
            };
            (sum, cell.weight, (self.counts[bin as usize] as usize) < MIN_LEVEL_ROWS)
        };
        let (mut rare_sum, mut rare_weight) = (0, 0);
        for (sum, weight, _) in self.order().iter().map(|&bin| sums(bin)).filter(|s| s.2) {
            rare_sum += sum;
            rare_weight += weight;
        }
        let mean = |bin: u8| match sums(bin) {
            (_, _, true) => rare_sum as f64 / rare_weight as f64,
            (sum, weight, false) => sum as f64 / weight as f64,
        };
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        keys.extend(self.order().iter().map(|&bin| (mean(bin), bin)));
        let is_rare = |bin: u8| (self.counts[bin as usize] as usize) < MIN_LEVEL_ROWS;
        keys.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(is_rare(a.1).cmp(&is_rare(b.1))).then(a.1.cmp(&b.1)));
        let first = keys.iter().position(|k| is_rare(k.1)).unwrap_or(0);
        let n_rare = keys.iter().filter(|k| is_rare(k.1)).count();
        self.rare = first..first + n_rare;
        self.order.iter_mut().zip(&keys).for_each(|(bin, key)| *bin = key.1);
        self.keys = keys;
    }

    /// The best cut, the first of equal ones.
    pub(super) fn best(&mut self, node: &Node) -> Option<Cut> {
        let plain = !matches!(self.kind, Kind::Classes(_))
            && !self.has_missing
            && self.min_samples_leaf <= 1
            && self.rare.is_empty();
        let cut = if plain { self.best_plain(node) } else { self.best_of_all(node) };
        cut.map(|cut| Cut { is_perfect: self.is_perfect(node, &cut), ..cut })
    }

    /// No missing values, no limit on leaves, one sum: what most nodes are.
    fn best_plain(&self, node: &Node) -> Option<Cut> {
        let (mut left, mut best, mut n_left) = (Moments::default(), f64::NEG_INFINITY, 0);
        let order = self.order();
        for (i, &bin) in order[..order.len() - 1].iter().enumerate() {
            left.include(self.cells[bin as usize]);
            let score = node.score(left);
            if score > best {
                best = score;
                n_left = i + 1;
            }
        }
        (n_left > 0).then_some(Cut { n_left, missing_left: false, score: best, is_perfect: false })
    }

    fn best_of_all(&mut self, node: &Node) -> Option<Cut> {
        let (mut best, mut alone): (Option<Cut>, Option<usize>) = (None, None);
        for missing_left in [false, true] {
            if missing_left && !self.has_missing {
                break;
            }
            // With missing values on the right, all values may go left.
            let last = if self.has_missing && !missing_left { self.n_order } else { self.n_order - 1 };
            let mut walk = self.start(missing_left);
            for n_left in 1..=last {
                self.step(&mut walk, self.order[n_left - 1]);
                // Within the rare levels there is no order to be trusted.
                if self.rare.contains(&n_left) && n_left > self.rare.start {
                    continue;
                }
                if let Some(score) = self.score(node, &walk)
                    && best.is_none_or(|b| score > b.score)
                {
                    best = Some(Cut { n_left, missing_left, score, is_perfect: false });
                }
            }
        }
        for place in self.rare.clone() {
            let mut walk = self.start(false);
            self.step(&mut walk, self.order[place]);
            if let Some(score) = self.score(node, &walk)
                && best.is_none_or(|b| score > b.score)
            {
                best = Some(Cut { n_left: 1, missing_left: false, score, is_perfect: false });
                alone = Some(place);
            }
        }
        if let Some(place) = alone {
            self.order.swap(0, place);
        }
        best
    }

    /// Brings a level to the front of the order, so that it is parted from all others, if it has few rows.
    pub(super) fn single_out(&mut self, place: usize) -> bool {
        let is_rare = self.rare.contains(&place);
        if is_rare {
            self.order.swap(0, place);
        }
        is_rare
    }

    /// Cuts a number where `draw` says, which is given the least and the largest bin with values and whether missing ones
    /// have rows, and returns the last bin on the left and the side of missing values. None if all rows have one bin; the
    /// cut itself is none if a side has too few rows.
    pub(super) fn cut_at_random(
        &mut self,
        node: &Node,
        rows: impl Iterator<Item = BinRow> + Clone,
        bins: &FeatureBins,
        draw: impl FnOnce(u8, u8, bool) -> (u8, bool),
    ) -> Option<(Option<Cut>, u8)> {
        self.bins.clear();
        self.bins.extend(rows.clone().map(|row| row.bin));
        let missing = bins.n_values() as u8;
        let (mut low, mut high) = (u8::MAX, 0);
        if bins.has_missing {
            for &bin in self.bins.iter().filter(|bin| **bin != missing) {
                (low, high) = (low.min(bin), high.max(bin));
            }
        } else {
            self.bins.iter().for_each(|&bin| (low, high) = (low.min(bin), high.max(bin)));
        }
        self.has_missing = bins.has_missing && self.bins.contains(&missing);
        if low > high || (low == high && !self.has_missing) {
            return None;
        }
        let (last, missing_left) = draw(low, high, self.has_missing);
        // The bin of missing values is above all others.
        let is_left = |bin: u8| (bin <= last) | (missing_left & (bin == missing));
        let (mut left, mut n_left) = (Moments::default(), 0);
        for BinRow { bin, moments, .. } in rows.clone() {
            let keep = -i64::from(is_left(bin));
            left.weight += moments.weight & keep;
            left.sum += moments.sum & keep;
            n_left += usize::from(is_left(bin));
        }
        if let Kind::Classes(_) = self.kind {
            self.left.fill(0);
            self.total.fill(0);
            for BinRow { bin, moments, class } in rows {
                self.left[class] += moments.weight & -i64::from(is_left(bin));
                self.total[class] += moments.weight;
            }
        }
        let score = self.score(node, &Walk { left, n_left });
        let is_perfect = node.has_one_class_each(left, self.kind);
        Some((score.map(|score| Cut { n_left: 0, missing_left, score, is_perfect }), last))
    }

    /// A cut that is given, if both sides have enough rows.
    pub(super) fn cut(&mut self, node: &Node, n_left: usize, missing_left: bool) -> Option<Cut> {
        let mut walk = self.start(missing_left);
        for i in 0..n_left {
            self.step(&mut walk, self.order[i]);
        }
        let score = self.score(node, &walk)?;
        let cut = Cut { n_left, missing_left, score, is_perfect: false };
        Some(Cut { is_perfect: self.is_perfect(node, &cut), ..cut })
    }

    fn start(&mut self, missing_left: bool) -> Walk {
        let mut walk = Walk::default();
        self.left.fill(0);
        if missing_left {
            self.step(&mut walk, self.missing);
        }
        walk
    }

    /// Moves a bin to the left.
    fn step(&mut self, walk: &mut Walk, bin: u8) {
        walk.left.include(self.cells[bin as usize]);
        if self.has_counts {
            walk.n_left += self.counts[bin as usize] as usize;
        }
        if let Kind::Classes(n_classes) = self.kind {
            let bin = &self.classes[bin as usize * n_classes..][..n_classes];
            self.left.iter_mut().zip(bin).for_each(|(l, b)| *l += b);
        }
    }

    fn score(&self, node: &Node, walk: &Walk) -> Option<f64> {
        let least = self.min_samples_leaf;
        if least > 1 && (walk.n_left < least || node.n_rows - walk.n_left < least) {
            return None;
        }
        if !matches!(self.kind, Kind::Classes(_)) {
            return Some(node.score(walk.left));
        }
        let (weight, left_weight) = (node.total.weight as f64, walk.left.weight as f64);
        let squares = self.left.iter().zip(&self.total).fold(0.0, |squares, (&left, &total)| {
            let difference = left as f64 * weight - total as f64 * left_weight;
            squares + difference * difference
        });
        Some(squares / (left_weight * (weight - left_weight)))
    }

    fn is_perfect(&self, node: &Node, cut: &Cut) -> bool {
        let mut left = if cut.missing_left { self.cells[self.missing as usize] } else { Moments::default() };
        if self.kind == Kind::Share {
            self.order[..cut.n_left].iter().for_each(|&bin| left.include(self.cells[bin as usize]));
        }
        node.has_one_class_each(left, self.kind)
    }
}

/// How far a walk over the bins has come.
#[derive(Debug, Default)]
struct Walk {
    left: Moments,
    n_left: usize,
}

/// Weight of each class.
pub(super) fn class_weights(items: &[Item], n_classes: usize, weights: &mut Vec<i64>) {
    weights.clear();
    weights.resize(n_classes, 0);
    items.iter().for_each(|item| weights[item.target as usize] += item.weight as i64);
}
