//! The best cut of a node along one feature: sums by code, then a walk over the codes that have rows.
//!
//! Codes without rows cost nothing: those that are met are noted in a bitmap, and only they are walked and cleared.
//!
//! A cut is judged by D² / (wₗ wᵣ), where D = sₗ W − S wₗ for sums s of weight times target and sums w of weights on the
//! left, on the right, and S, W of both: W times the decrease of the weighted variance. With several classes, the
//! squares of all classes are added: W times the decrease of the weighted Gini impurity.

use crate::binning::FeatureBins;
use crate::forest::node::{Left, Node};
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
    /// The row as it is seen along a feature.
    #[inline]
    pub(super) fn with_code(&self, code: u8) -> CodeRow {
        let weight = self.weight as i64;
        let moments = Moments { weight, sum: weight * i64::from(self.target) };
        CodeRow { code, moments, class: self.target as usize }
    }
}

/// A row of a node as it is seen along one feature.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeRow {
    pub(super) code: u8,
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
        items.iter().for_each(|item| total.include(item.with_code(0).moments));
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
    /// The last code on the left.
    pub(super) last: u8,
    pub(super) missing_left: bool,
    pub(super) score: f64,
    /// Whether both sides have one class each: no cut can be better.
    pub(super) is_perfect: bool,
}

/// Sums by code of one feature, for the codes that have rows.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) kind: Kind,
    min_samples_leaf: usize,
    cells: Box<[Moments; BINS]>,
    /// Rows by code; counted where leaves need several.
    counts: Box<[u32; BINS]>,
    /// Weights by code and class, for more than two classes.
    classes: Vec<i64>,
    left: Vec<i64>,
    total: Vec<i64>,
    order: Box<[u8; BINS]>,
    n_order: usize,
    /// Whether missing values have rows.
    pub(super) has_missing: bool,
    missing: u8,
    /// The code of each row.
    codes: Vec<u8>,
}

/// Codes of a feature, at most.
pub(super) const BINS: usize = 256;
/// Rows of a node from which on its codes are found by a look at all cells.
const MANY_ROWS: usize = 128;

impl Scan {
    pub(super) fn new(kind: Kind, min_samples_leaf: usize) -> Self {
        let n_classes = if let Kind::Classes(k) = kind { k } else { 0 };
        Scan {
            kind,
            min_samples_leaf,
            cells: Box::new([Moments::default(); BINS]),
            counts: Box::new([0; BINS]),
            classes: vec![0; BINS * n_classes],
            left: vec![0; n_classes],
            total: vec![0; n_classes],
            order: Box::new([0; BINS]),
            n_order: 0,
            has_missing: false,
            missing: 0,
            codes: Vec::new(),
        }
    }

    /// Adds up the rows of a node by code. Returns whether there are two codes or more.
    pub(super) fn fill(
        &mut self,
        rows: impl Iterator<Item = CodeRow> + Clone,
        n_rows: usize,
        bins: &FeatureBins,
    ) -> bool {
        self.clear();
        let (cells, mut met) = (&mut *self.cells, [0u64; 4]);
        if n_rows < MANY_ROWS {
            for CodeRow { code, moments, .. } in rows.clone() {
                cells[code as usize].include(moments);
                met[code as usize / 64] |= 1 << (code % 64);
            }
        } else {
            // Every row would wait for the one before it to note its code.
            rows.clone().for_each(|row| cells[row.code as usize].include(row.moments));
            for (met, cells) in met.iter_mut().zip(cells.chunks_exact(64)) {
                *met = cells.iter().rev().fold(0, |met, cell| met << 1 | u64::from(cell.weight > 0));
            }
        }
        if !self.list(met, bins) {
            return false;
        }
        if self.needs_counts() {
            let codes = self.order[..self.n_order].iter().chain([&self.missing]);
            codes.for_each(|&code| self.counts[code as usize] = 0);
            rows.clone().for_each(|row| self.counts[row.code as usize] += 1);
        }
        if let Kind::Classes(n_classes) = self.kind {
            self.fill_classes(rows, n_classes);
        }
        true
    }

    /// Takes the sums of a node by code, and its rows by code if [`Scan::needs_counts`]. Returns whether there are two codes
    /// or more.
    pub(super) fn take(&mut self, cells: impl Iterator<Item = Moments>, counts: &[u32], bins: &FeatureBins) -> bool {
        self.clear();
        let mut met = [0u64; 4];
        for (code, moments) in cells.enumerate().filter(|(_, moments)| moments.weight > 0) {
            self.cells[code] = moments;
            met[code / 64] |= 1 << (code % 64);
        }
        if self.needs_counts() {
            self.counts[..counts.len()].copy_from_slice(counts);
        }
        self.list(met, bins)
    }

    /// Whether rows are to be counted by code.
    pub(super) fn needs_counts(&self) -> bool {
        self.min_samples_leaf > 1
    }

    fn clear(&mut self) {
        for &code in &self.order[..self.n_order] {
            self.cells[code as usize] = Moments::default();
        }
        self.cells[self.missing as usize] = Moments::default();
    }

    /// Lists the codes that have rows. Returns whether there are two or more.
    fn list(&mut self, met: [u64; 4], bins: &FeatureBins) -> bool {
        self.n_order = 0;
        for (word, mut bits) in met.into_iter().enumerate() {
            while bits != 0 {
                self.order[self.n_order & (BINS - 1)] = (word * 64) as u8 + bits.trailing_zeros() as u8;
                self.n_order += 1;
                bits &= bits - 1;
            }
        }
        let varies = self.n_order >= 2;
        self.missing = bins.n_values() as u8;
        self.has_missing = bins.has_missing && self.codes().last() == Some(&self.missing);
        self.n_order -= usize::from(self.has_missing);
        varies
    }

    /// Codes of values that have rows, in their order.
    fn codes(&self) -> &[u8] {
        &self.order[..self.n_order]
    }

    fn fill_classes(&mut self, rows: impl Iterator<Item = CodeRow>, n_classes: usize) {
        for &code in self.order[..self.n_order].iter().chain([&self.missing]) {
            self.classes[code as usize * n_classes..][..n_classes].fill(0);
        }
        self.total.fill(0);
        for CodeRow { code, moments, class } in rows {
            self.classes[code as usize * n_classes + class] += moments.weight;
            self.total[class] += moments.weight;
        }
    }

    /// The best cut, the first of equal ones.
    pub(super) fn best(&mut self, node: &Node) -> Option<Cut> {
        let plain = !matches!(self.kind, Kind::Classes(_)) && !self.has_missing && !self.needs_counts();
        let cut = if plain { self.best_plain(node) } else { self.best_of_all(node) };
        cut.map(|cut| Cut { is_perfect: self.is_perfect(node, &cut), ..cut })
    }

    /// No missing values, no limit on leaves, one sum: what most nodes are.
    fn best_plain(&self, node: &Node) -> Option<Cut> {
        let (mut left, mut best) = (Moments::default(), None);
        let mut least = f64::NEG_INFINITY;
        let codes = self.codes();
        for &last in &codes[..codes.len() - 1] {
            left.include(self.cells[last as usize]);
            let score = node.score(left);
            if score > least {
                least = score;
                best = Some(Cut { last, missing_left: false, score, is_perfect: false });
            }
        }
        best
    }

    fn best_of_all(&mut self, node: &Node) -> Option<Cut> {
        let mut best: Option<Cut> = None;
        for missing_left in [false, true] {
            if missing_left && !self.has_missing {
                break;
            }
            // With missing values on the right, all values may go left.
            let n = if self.has_missing && !missing_left { self.n_order } else { self.n_order - 1 };
            let mut walk = self.start(missing_left);
            for place in 0..n {
                let last = self.order[place];
                self.step(&mut walk, last);
                if let Some(score) = self.score(node, &walk)
                    && best.is_none_or(|b| score > b.score)
                {
                    best = Some(Cut { last, missing_left, score, is_perfect: false });
                }
            }
        }
        best
    }

    /// Cuts a feature where `draw` says, which is given the least and the largest code of values and whether missing ones
    /// have rows, and returns the last code on the left and the side of missing values. None if all rows have one code; the
    /// cut itself is none if a side has too few rows.
    pub(super) fn cut_at_random(
        &mut self,
        node: &Node,
        rows: impl Iterator<Item = CodeRow> + Clone,
        bins: &FeatureBins,
        draw: impl FnOnce(u8, u8, bool) -> (u8, bool),
    ) -> Option<Option<Cut>> {
        self.codes.clear();
        self.codes.extend(rows.clone().map(|row| row.code));
        let missing = bins.n_values() as u8;
        let (mut low, mut high) = (u8::MAX, 0);
        if bins.has_missing {
            for &code in self.codes.iter().filter(|code| **code != missing) {
                (low, high) = (low.min(code), high.max(code));
            }
        } else {
            self.codes.iter().for_each(|&code| (low, high) = (low.min(code), high.max(code)));
        }
        self.has_missing = bins.has_missing && self.codes.contains(&missing);
        if low > high || (low == high && !self.has_missing) {
            return None;
        }
        let (last, missing_left) = draw(low, high, self.has_missing);
        let is_left = Left { last, also: if missing_left { missing } else { last } };
        let (mut left, mut n_left) = (Moments::default(), 0);
        for CodeRow { code, moments, .. } in rows.clone() {
            let keep = -i64::from(is_left.has(code));
            left.weight += moments.weight & keep;
            left.sum += moments.sum & keep;
            n_left += usize::from(is_left.has(code));
        }
        if let Kind::Classes(_) = self.kind {
            self.left.fill(0);
            self.total.fill(0);
            for CodeRow { code, moments, class } in rows {
                self.left[class] += moments.weight & -i64::from(is_left.has(code));
                self.total[class] += moments.weight;
            }
        }
        let score = self.score(node, &Walk { left, n_left });
        let is_perfect = node.has_one_class_each(left, self.kind);
        Some(score.map(|score| Cut { last, missing_left, score, is_perfect }))
    }

    fn start(&mut self, missing_left: bool) -> Walk {
        let mut walk = Walk::default();
        self.left.fill(0);
        if missing_left {
            self.step(&mut walk, self.missing);
        }
        walk
    }

    /// Moves a code to the left.
    fn step(&mut self, walk: &mut Walk, code: u8) {
        walk.left.include(self.cells[code as usize]);
        if self.needs_counts() {
            walk.n_left += self.counts[code as usize] as usize;
        }
        if let Kind::Classes(n_classes) = self.kind {
            let weights = &self.classes[code as usize * n_classes..][..n_classes];
            self.left.iter_mut().zip(weights).for_each(|(left, weight)| *left += weight);
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
            let codes = self.codes().iter().take_while(|code| **code <= cut.last);
            codes.for_each(|&code| left.include(self.cells[code as usize]));
        }
        node.has_one_class_each(left, self.kind)
    }
}

/// How far a walk over the codes has come.
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
