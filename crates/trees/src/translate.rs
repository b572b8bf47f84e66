//! From bins to values: a grown tree as the tree that predicts.

use tabwright_model::trees::{Child, Decision, Split, Tree};

use crate::binning::{BinnedMatrix, Bins};
use crate::grow::{GrownChild, GrownTree};
use crate::split::BinTest;

/// A grown tree over values instead of bins, with the given value per leaf.
pub(crate) fn translate(grown: &GrownTree, matrix: &BinnedMatrix, leaf_values: Vec<f64>) -> Tree {
    let leaf_rows = grown.leaf_sums.iter().map(|sums| sums.count as u32).collect();
    let mut tree = Tree { leaf_values, leaf_rows, ..Tree::default() };
    for made in &grown.splits {
        let split = &made.split;
        let decision = match (&matrix.features()[split.feature].bins, &split.test) {
            (Bins::Number(bins), BinTest::UpTo(bin)) => {
                Decision::Number { threshold: bins.threshold(*bin as usize, *bin as usize + 1) }
            }
            (Bins::Category(bins), BinTest::In(_)) => {
                let goes_left = split.table(&matrix.features()[split.feature]);
                tree.push_categories(&bins.codes(|bin| goes_left[bin], split.missing_left))
            }
            _ => unreachable!("invariant: numbers are cut and categories are parted"),
        };
        let child = |child: GrownChild| match child {
            GrownChild::Split(i) => Child::Split(i as u32),
            GrownChild::Leaf(i) => Child::Leaf(i as u32),
        };
        tree.splits.push(Split {
            feature: split.feature as u32,
            decision,
            missing_left: split.missing_left,
            left: child(made.left),
            right: child(made.right),
            gain: stored_gain(split.gain),
        });
    }
    tree
}

/// Finds the leaf of a row of the matrix that a tree was grown on.
pub(crate) fn leaf_of_row<'a>(grown: &'a GrownTree, matrix: &'a BinnedMatrix) -> impl Fn(usize) -> usize + Sync + 'a {
    let tables: Vec<Vec<bool>> =
        grown.splits.iter().map(|s| s.split.table(&matrix.features()[s.split.feature])).collect();
    move |row| {
        let mut at = if grown.splits.is_empty() { GrownChild::Leaf(0) } else { GrownChild::Split(0) };
        loop {
            match at {
                GrownChild::Leaf(leaf) => return leaf,
                GrownChild::Split(i) => {
                    let made = &grown.splits[i];
                    let bin = matrix.column(made.split.feature).bin(row);
                    at = if tables[i][bin] { made.left } else { made.right };
                }
            }
        }
    }
}

/// A gain as it is stored: finite.
pub(crate) fn stored_gain(gain: f64) -> f32 {
    let gain = gain as f32;
    if gain.is_finite() { gain } else { f32::MAX }
}
