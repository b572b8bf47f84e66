//! Bins: the few values that growers see of a feature. [`Binner`] finds them, [`BinnedMatrix`] holds a byte per row and
//! feature.
//!
//! A numeric feature with up to `max_bin` distinct values has a bin for each; another has bins of about equally many
//! rows, edges between neighbouring distinct values. Both are exact up to [`QUANTILE_ROWS`] rows; beyond, edges come
//! from a keyed sample of that many. A category (or a one-hot group, which is a category to a tree) has a bin for each
//! level; beyond [`CATEGORY_BINS`] of them, the rarest share one. Missing values, unseen
//! categories and rows without a 1 in a one-hot group share a bin of their own, the last.
//!
//! Bins are a byte, so a feature has at most 255 of them and the one for missing values.

mod category;
mod number;
mod stream;

use rayon::prelude::*;
use tabwright_core::random::{Keyed, Purpose};
use tabwright_model::features::{CODE_FIRST, FeatureColumn, Features};

pub use category::CategoryBins;
pub use number::NumberBins;
pub use stream::StreamBinner;

/// Rows up to which edges are exact, and size of the sample beyond.
pub const QUANTILE_ROWS: usize = 200_000;
/// Bins of a numeric feature, at most, without the one for missing values.
pub const MOST_BINS: usize = 255;
/// Bins of a category, at most, without the one for missing values; the last then stands for all rarer levels.
pub const CATEGORY_BINS: usize = 254;

/// The bins of a feature's values.
#[derive(Debug, Clone, PartialEq)]
pub enum Bins {
    /// Intervals of numbers.
    Number(NumberBins),
    /// Sets of levels.
    Category(CategoryBins),
}

/// The bins of a feature.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureBins {
    /// Of its values.
    pub bins: Bins,
    /// Whether a row lacks a value; its bin is then the one after those of values.
    pub has_missing: bool,
}

impl FeatureBins {
    /// Number of bins of values; also the code of a missing one.
    pub fn n_values(&self) -> usize {
        match &self.bins {
            Bins::Number(b) => b.len(),
            Bins::Category(b) => b.len(),
        }
    }

    /// Number of bins, the one for missing values included.
    pub fn n_codes(&self) -> usize {
        self.n_values() + usize::from(self.has_missing)
    }
}

/// Finds bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binner {
    /// Bins of a numeric feature, at most; 256 means 255.
    pub max_bin: usize,
    /// Fewest rows of a numeric feature's bin, of those that its edges are found from.
    pub min_data_in_bin: usize,
    /// Seed of the sample of rows.
    pub seed: u64,
}

impl Binner {
    /// Finds the bins of features and sorts every row into them.
    ///
    /// # Determinism
    /// Depends on the rows and the seed, not on the number of threads.
    pub fn bin(&self, features: &Features) -> BinnedMatrix {
        let sample = self.sample(features.n_rows());
        let n_rows = features.n_rows();
        let mut codes = vec![0; n_rows * features.columns().len()];
        let columns = features.columns().par_iter().zip(codes.par_chunks_mut(n_rows.max(1)));
        let features = columns.map(|(column, codes)| self.bin_column(column, sample.as_deref(), codes)).collect();
        BinnedMatrix { n_rows, features, codes }
    }

    /// The rows whose values make the edges, ascending, where those are not all.
    pub fn sample(&self, n_rows: usize) -> Option<Vec<u32>> {
        if n_rows <= QUANTILE_ROWS {
            return None;
        }
        let keyed = Keyed::new(self.seed, Purpose::Quantile);
        let mut keys: Vec<(u64, u32)> =
            (0..n_rows as u32).into_par_iter().map(|r| (keyed.bits(u64::from(r)), r)).collect();
        keys.select_nth_unstable(QUANTILE_ROWS);
        keys.truncate(QUANTILE_ROWS);
        let mut rows: Vec<u32> = keys.into_iter().map(|(_, r)| r).collect();
        rows.sort_unstable();
        Some(rows)
    }

    /// Sorts the rows of a column into bins, which `binned` takes.
    fn bin_column(&self, column: &FeatureColumn, sample: Option<&[u32]>, binned: &mut [u8]) -> FeatureBins {
        match column {
            FeatureColumn::Number(values) => {
                let sampled = match sample {
                    None => values.clone(),
                    Some(rows) => rows.iter().map(|&r| values[r as usize]).collect(),
                };
                let mut bins = NumberBins::find(sampled, self.max_bin.min(MOST_BINS), self.min_data_in_bin);
                let has_missing = bins.sort_rows(values, binned);
                FeatureBins { bins: Bins::Number(bins), has_missing }
            }
            FeatureColumn::Code { codes, n_codes } => bin_category(codes, CODE_FIRST, *n_codes, binned),
            FeatureColumn::OneHot { codes, width } => bin_category(codes, 0, *width, binned),
        }
    }
}

fn bin_category(codes: &[u32], first: u32, n_codes: u32, binned: &mut [u8]) -> FeatureBins {
    let bins = CategoryBins::find(codes, first..n_codes);
    let has_missing = bins.sort_rows(codes, binned);
    FeatureBins { bins: Bins::Category(bins), has_missing }
}

/// Rows as bins: a byte per row and feature, column by column.
#[derive(Debug, Clone, PartialEq)]
pub struct BinnedMatrix {
    n_rows: usize,
    features: Vec<FeatureBins>,
    /// Of one piece, which goes back to the system as a whole.
    codes: Vec<u8>,
}

impl BinnedMatrix {
    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// How many features there are.
    pub fn n_features(&self) -> usize {
        self.features.len()
    }

    /// The bins of every feature.
    pub fn features(&self) -> &[FeatureBins] {
        &self.features
    }

    /// The bin of every row for a feature.
    pub fn column(&self, feature: usize) -> &[u8] {
        &self.codes[feature * self.n_rows..][..self.n_rows]
    }

    /// Brings all rows into the order of the given positions. A column at a time is held twice, not all of them.
    pub fn sort(&mut self, order: &[u32]) {
        self.codes.par_chunks_mut(self.n_rows.max(1)).for_each(|column| {
            let sorted: Vec<u8> = order.iter().map(|&r| column[r as usize]).collect();
            column.copy_from_slice(&sorted);
        });
    }
}

#[cfg(test)]
mod tests;
