//! A look at one feature of a node, by sums over its codes: for any rows, any kind of answer, and any parameters.

use crate::binning::{Bins, FeatureBins};
use crate::forest::cells::Cells;
use crate::forest::draws::Draws;
use crate::forest::node::{Found, Node, NodeSplit};
use crate::forest::records::{Packed, Records, Span};
use crate::forest::scan::{CodeRow, Cut, Scan};

/// Looks for the best split of a feature, or draws one: none if all rows have the same code, and no split if none is
/// allowed. `draws` are there if thresholds are to be drawn.
pub(super) fn look(
    scan: &mut Scan,
    draws: Option<&mut Draws>,
    node: &Node,
    rows: impl Iterator<Item = CodeRow> + Clone,
    feature: usize,
    bins: &FeatureBins,
) -> Option<Option<Found>> {
    if let Some(draws) = draws {
        return draw(scan, draws, node, rows, feature, bins);
    }
    let varies = scan.fill(rows, node.n_rows, bins);
    varies.then(|| scan.best(node).map(|cut| found(feature, scan.has_missing, None, cut)))
}

/// Looks for the best split of a feature in the records of a node, as [`look`] does; their sums are at a place of `cells`.
pub(super) fn look_at_records(
    scan: &mut Scan,
    (cells, place): (&mut Cells, usize),
    node: &Node,
    (records, span): (&Records<'_>, &Span),
    feature: usize,
    bins: &FeatureBins,
) -> Option<Option<Found>> {
    let (n_values, n_codes) = (bins.n_values(), bins.n_codes());
    let has_missing = bins.has_missing && cells.sums(place)[n_values] != 0;
    if scan.needs_counts() || has_missing {
        if scan.needs_counts() {
            cells.count(place, records.codes(span, feature).map(|(code, _)| code), n_codes);
        }
        let sums = cells.sums(place)[..n_codes].iter().map(|sums| records.moments(Packed(*sums)));
        let varies = scan.take(sums, cells.counts(place), bins);
        return varies.then(|| scan.best(node).map(|cut| found(feature, scan.has_missing, None, cut)));
    }
    let (last, score) = cells.best(place, n_values, node, records.offset())?;
    let left = records.moments(Packed(cells.sums(place)[last as usize]));
    let is_perfect = node.has_one_class_each(left, scan.kind);
    Some(Some(found(feature, false, None, Cut { last, missing_left: false, score, is_perfect })))
}

/// Draws a threshold between the least and the largest value of a node, or a place between its levels.
fn draw(
    scan: &mut Scan,
    draws: &mut Draws,
    node: &Node,
    rows: impl Iterator<Item = CodeRow> + Clone,
    feature: usize,
    bins: &FeatureBins,
) -> Option<Option<Found>> {
    let mut drawn = None;
    let draw = |low: u8, high: u8, has_missing: bool| {
        let missing_left = has_missing && draws.below(2) == 0;
        if low == high {
            return (low, false);
        }
        let last = match &bins.bins {
            Bins::Number(numbers) => {
                let (least, largest) = (numbers.lower(low as usize), numbers.upper(high as usize));
                let threshold = least + draws.uniform() * (largest - least);
                drawn = Some(threshold);
                numbers.last_below(threshold).clamp(low as usize, high as usize - 1) as u8
            }
            Bins::Category(_) => low + draws.below(usize::from(high - low)) as u8,
        };
        (last, missing_left)
    };
    let cut = scan.cut_at_random(node, rows, bins, draw)?;
    Some(cut.map(|cut| found(feature, scan.has_missing, drawn, cut)))
}

/// A cut as a split.
fn found(feature: usize, has_missing: bool, drawn: Option<f64>, cut: Cut) -> Found {
    let Cut { last, missing_left, score, is_perfect } = cut;
    let split = NodeSplit { feature, last, drawn, missing_left, has_missing, gain: 0.0 };
    Found { score, is_perfect, split }
}
