//! A look at one feature of a node, by sums over its bins: for any rows, any kind of answer, and any parameters.

use crate::binning::{Bins, FeatureBins};
use crate::forest::cells::Cells;
use crate::forest::draws::Draws;
use crate::forest::node::{Found, Node, NodeSplit, Test, set_of};
use crate::forest::records::{Packed, Records, Span};
use crate::forest::scan::{BinRow, Cut, Scan};

/// Looks for the best split of a feature, or draws one: none if all rows have the same bin, and no split if none is allowed.
/// `draws` are there if thresholds are to be drawn.
pub(super) fn look(
    scan: &mut Scan,
    draws: Option<&mut Draws>,
    node: &Node,
    rows: impl Iterator<Item = BinRow> + Clone,
    feature: usize,
    bins: &FeatureBins,
) -> Option<Option<Found>> {
    let draws = match (draws, &bins.bins) {
        (Some(draws), Bins::Number(_)) => return draw_number(scan, draws, node, rows, feature, bins),
        (draws, _) => draws,
    };
    if !scan.fill(rows, node.n_rows, bins) {
        return None;
    }
    let cut = match draws {
        None => scan.best(node),
        Some(draws) => {
            let (n_left, missing_left) = draw_levels(draws, scan);
            scan.cut(node, n_left, missing_left)
        }
    };
    Some(cut.map(|cut| found(scan, feature, bins, cut)))
}

/// Looks for the best split of a feature in the records of a node, as [`look`] does; their sums are at a place of `cells`.
pub(super) fn look_at_records(
    scan: &mut Scan,
    (cells, place): (&mut Cells, usize),
    node: &Node,
    (records, span): (&Records, &Span),
    feature: usize,
    bins: &FeatureBins,
) -> Option<Option<Found>> {
    let (n_values, n_codes) = (bins.n_values(), bins.n_codes());
    let needs_counts = scan.needs_counts(bins);
    let has_missing = bins.has_missing && cells.sums(place)[n_values] != 0;
    if needs_counts || has_missing {
        if needs_counts {
            cells.count(place, records.bins(span, feature).map(|(bin, _)| bin), n_codes);
        }
        let sums = cells.sums(place)[..n_codes].iter().map(|sums| records.moments(Packed(*sums)));
        let varies = scan.take(sums, cells.counts(place), bins);
        return varies.then(|| scan.best(node).map(|cut| found(scan, feature, bins, cut)));
    }
    let (last, score) = cells.best(place, n_values, node, records.offset())?;
    let up_to = &cells.sums(place)[..n_values];
    let left = up_to[last as usize];
    let next = up_to[last as usize..].iter().position(|sums| *sums != left).map(|steps| last + steps as u8);
    let test = Test::UpTo { last, next, drawn: None };
    let is_perfect = node.has_one_class_each(records.moments(Packed(left)), scan.kind);
    let split = NodeSplit { feature, test, missing_left: false, has_missing: false, gain: 0.0 };
    Some(Some(Found { score, is_perfect, split }))
}

/// Draws a threshold between the least and the largest value of a node.
fn draw_number(
    scan: &mut Scan,
    draws: &mut Draws,
    node: &Node,
    rows: impl Iterator<Item = BinRow> + Clone,
    feature: usize,
    bins: &FeatureBins,
) -> Option<Option<Found>> {
    let Bins::Number(numbers) = &bins.bins else { unreachable!("invariant: thresholds are drawn for numbers") };
    let mut drawn = None;
    let draw = |low: u8, high: u8, has_missing: bool| {
        let missing_left = has_missing && draws.below(2) == 0;
        if low == high {
            return (low, false);
        }
        let (least, largest) = (numbers.lower(low as usize), numbers.upper(high as usize));
        let threshold = least + draws.uniform() * (largest - least);
        drawn = Some(threshold);
        (numbers.last_below(threshold).clamp(low as usize, high as usize - 1) as u8, missing_left)
    };
    let (cut, last) = scan.cut_at_random(node, rows, bins, draw)?;
    let test = Test::UpTo { last, next: Some(last + 1), drawn };
    let has_missing = scan.has_missing;
    Some(cut.map(|Cut { missing_left, score, is_perfect, .. }| {
        let split = NodeSplit { feature, test, missing_left, has_missing, gain: 0.0 };
        Found { score, is_perfect, split }
    }))
}

/// Draws where to part the levels of a category: one of few rows from all others, or at any place of the order.
fn draw_levels(draws: &mut Draws, scan: &mut Scan) -> (usize, bool) {
    let missing_left = scan.has_missing && draws.below(2) == 0;
    let steps = scan.order().len();
    if steps < 2 {
        // One level against the missing ones.
        return (steps, false);
    }
    let place = draws.below(steps);
    if scan.single_out(place) { (1, missing_left) } else { ((place + 1).min(steps - 1), missing_left) }
}

/// A cut as a split; it is gone with the next feature that is scanned.
fn found(scan: &Scan, feature: usize, bins: &FeatureBins, cut: Cut) -> Found {
    let (left, right) = scan.order().split_at(cut.n_left);
    let test = match bins.bins {
        Bins::Number(_) => Test::UpTo { last: left[left.len() - 1], next: right.first().copied(), drawn: None },
        Bins::Category(_) => Test::In(set_of(left.iter().copied())),
    };
    let Cut { missing_left, score, is_perfect, .. } = cut;
    let split = NodeSplit { feature, test, missing_left, has_missing: scan.has_missing, gain: 0.0 };
    Found { score, is_perfect, split }
}
