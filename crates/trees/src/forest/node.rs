//! Nodes of a tree that grows: where their rows are, how they may be split, which comes first.

use std::cmp::Ordering;
use std::ops::Range;

use crate::forest::records::{Packed, Span};
use crate::forest::response::Kind;
use crate::forest::scan::Moments;

/// A node to be decided on, and where its number is to be written.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) rows: Rows,
    pub(super) depth: usize,
    pub(super) parent: Option<(u32, bool)>,
}

/// The rows of a node.
#[derive(Debug, Clone)]
pub(super) enum Rows {
    /// Items of the tree.
    Items(Range<usize>),
    /// Records of the tree, and their sums.
    Records(Span, Packed),
    /// Parts of sorted lists.
    Sorted(Range<usize>),
    /// Lanes, by their bits.
    Lanes(u64),
}

/// What a node looks for in each of its features.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) total: Moments,
    /// Subtracted from every target, so that squares of a large mean do not hide small differences.
    pub(super) centre: i64,
    /// Number of rows.
    pub(super) n_rows: usize,
}

impl Node {
    pub(super) fn new(total: Moments, n_rows: usize, kind: Kind) -> Self {
        let centre = if kind == Kind::Number { total.mean().round() as i64 } else { 0 };
        Node { total, centre, n_rows }
    }

    /// D² / (wₗ wᵣ).
    #[inline]
    pub(super) fn score(&self, left: Moments) -> f64 {
        let (weight, left_weight) = (self.total.weight as f64, left.weight as f64);
        let total_sum = (self.total.sum - self.centre * self.total.weight) as f64;
        let left_sum = (left.sum - self.centre * left.weight) as f64;
        let difference = left_sum * weight - total_sum * left_weight;
        difference * difference / (left_weight * (weight - left_weight))
    }

    /// Whether both sides of a cut are pure, as far as that is cheap to see.
    pub(super) fn has_one_class_each(&self, left: Moments, kind: Kind) -> bool {
        match kind {
            Kind::Share => {
                let right = Moments { weight: self.total.weight - left.weight, sum: self.total.sum - left.sum };
                [left, right].iter().all(|side| side.sum == 0 || side.sum == side.weight)
            }
            _ => self.n_rows == 2,
        }
    }
}

/// A split that a node may make.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeSplit {
    pub(super) feature: usize,
    /// Codes up to this one go left.
    pub(super) last: u8,
    /// The threshold that was drawn.
    pub(super) drawn: Option<f64>,
    pub(super) missing_left: bool,
    /// Whether missing values had a say in that.
    pub(super) has_missing: bool,
    /// Decrease of the impurity, times the node's share of the weight.
    pub(super) gain: f64,
}

/// Which codes of a feature go left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) last: u8,
    /// The code of missing values, if they go left; else `last` again.
    pub(super) also: u8,
}

impl Left {
    #[inline(always)]
    pub(super) fn has(self, code: u8) -> bool {
        (code <= self.last) | (code == self.also)
    }
}

/// A split of one feature and how good it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) score: f64,
    /// Whether both sides have one class each: no split can be better.
    pub(super) is_perfect: bool,
    pub(super) split: NodeSplit,
}

/// A node that has a split, ordered by its gain; of equal ones the earlier.
#[derive(Debug)]
pub(super) struct Best {
    pub(super) open: Open,
    pub(super) split: NodeSplit,
    pub(super) number: usize,
}

impl PartialEq for Best {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Best {}

impl PartialOrd for Best {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Best {
    fn cmp(&self, other: &Self) -> Ordering {
        self.split.gain.total_cmp(&other.split.gain).then(other.number.cmp(&self.number))
    }
}
