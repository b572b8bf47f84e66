//! Features as small whole numbers: what compiled ensembles compare.
//!
//! A number becomes how many of the ensemble's thresholds for its feature lie below it, so that `x <= threshold` is a
//! comparison of such counts, and the same decision to the last bit. A category is its code.

use std::ops::Range;

use crate::features::{CODE_FIRST, FeatureColumn, Features, ONE_HOT_NONE};
use crate::pipeline::SlotType;
use crate::thresholds::{BELOW_MOST, Thresholds};
use crate::trees::ensemble::Trees;

/// A missing value, or a category that was not seen. As a byte it is one too.
pub(super) const MISSING: u16 = u16::MAX;

/// How a feature becomes whole numbers.
#[derive(Debug, Clone)]
pub(super) enum Coding {
    /// By thresholds.
    Number(Thresholds),
    /// A category is its code, below this number.
    Category(u32),
}

/// How the used features of an ensemble become whole numbers.
#[derive(Debug, Clone)]
pub(super) struct Codings {
    /// For each used feature its position and its coding.
    codings: Vec<(usize, Coding)>,
}

impl Codings {
    /// Of an ensemble whose features have few enough thresholds and categories.
    pub(super) fn of(trees: &Trees) -> Option<Self> {
        let mut thresholds: Vec<Vec<f64>> = vec![Vec::new(); trees.used.len()];
        for (rank, threshold) in trees.thresholds() {
            thresholds[rank].push(threshold + 0.0);
        }
        let coding = |(&feature, mut own): (&u32, Vec<f64>)| {
            own.sort_unstable_by(f64::total_cmp);
            own.dedup();
            let coding = match trees.types[feature as usize] {
                SlotType::Number if own.len() > BELOW_MOST => return None,
                SlotType::Number => Coding::Number(Thresholds::new(&own)),
                SlotType::Code(n) | SlotType::OneHot(n) if n > u32::from(MISSING) => return None,
                SlotType::Code(n) | SlotType::OneHot(n) => Coding::Category(n),
            };
            Some((feature as usize, coding))
        };
        let codings = trees.used.iter().zip(thresholds).map(coding).collect::<Option<_>>()?;
        Some(Codings { codings })
    }

    /// How many features there are.
    pub(super) fn len(&self) -> usize {
        self.codings.len()
    }

    /// The coding of a feature.
    pub(super) fn coding(&self, rank: usize) -> &Coding {
        &self.codings[rank].1
    }

    /// Does something with the code of each of some rows for a feature, in their order.
    #[inline]
    pub(super) fn each(&self, rank: usize, features: &Features, rows: Range<usize>, mut visit: impl FnMut(u16)) {
        let (feature, coding) = &self.codings[rank];
        match (coding, &features.columns()[*feature]) {
            (Coding::Number(thresholds), FeatureColumn::Number(values)) => {
                thresholds.each_below(&values[rows], |x, n_below| visit(if x.is_nan() { MISSING } else { n_below }));
            }
            (Coding::Category(n), FeatureColumn::Code { codes, .. }) => {
                let is_level = |code| code >= CODE_FIRST && code < *n;
                codes[rows].iter().for_each(|&code| visit(if is_level(code) { code as u16 } else { MISSING }));
            }
            (Coding::Category(n), FeatureColumn::OneHot { codes, .. }) => {
                let is_level = |code| code != ONE_HOT_NONE && code < *n;
                codes[rows].iter().for_each(|&code| visit(if is_level(code) { code as u16 } else { MISSING }));
            }
            _ => unreachable!("invariant: features are of the types that the trees were fitted on"),
        }
    }
}
