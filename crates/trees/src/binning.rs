//! Bins: the few values that growers see of a feature. [`Binner`] finds them, [`BinnedMatrix`] holds the bin of every row
//! and feature.
//!
//! A numeric feature with up to `max_bin` distinct values has a bin for each; another has bins of about equally many
//! rows, edges between neighbouring distinct values. Both are exact up to [`QUANTILE_ROWS`] rows; beyond, edges come
//! from a keyed sample of that many. A category (or a one-hot group, which is a category to a tree) has a bin for each
//! level; beyond as many as the binner is asked for, the rarest share one. Missing values, unseen categories and rows
//! without a 1 in a one-hot group share a bin of their own, the last.
//!
//! Bins are a byte, so a number has at most 255 of them and the one for missing values. Only a *large* category, one of
//! more than [`BYTE_LEVELS`] levels, has bins of two bytes.

mod category;
mod number;

use rayon::prelude::*;
use tabwright_core::random::{Keyed, Purpose};
use tabwright_model::features::{CODE_FIRST, FeatureColumn, Features};

pub use category::CategoryBins;
pub use number::NumberBins;

/// Rows up to which edges are exact, and size of the sample beyond.
pub const QUANTILE_ROWS: usize = 200_000;
/// Bins of a numeric feature, at most, without the one for missing values.
pub const MOST_BINS: usize = 255;
/// Bins of a category that fit a byte, without the one for missing values.
pub const BYTE_LEVELS: usize = 254;
/// Bins of a category, at most, without the one for missing values. A level beyond has less than one row in 65,000: it
/// could be told from chance only in tables of many millions of rows.
pub const MOST_LEVELS: usize = 65_534;

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
    /// Bins of a category, at most [`MOST_LEVELS`]; where there are more levels, the last bin has the rarest.
    pub max_levels: usize,
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
        let columns = features.columns().par_iter().map(|column| self.bin_column(column, sample.as_deref()));
        let (features_bins, columns) = columns.unzip();
        BinnedMatrix { n_rows: features.n_rows(), features: features_bins, columns }
    }

    /// The rows whose values make the edges, where those are not all.
    fn sample(&self, n_rows: usize) -> Option<Vec<u32>> {
        if n_rows <= QUANTILE_ROWS {
            return None;
        }
        let keyed = Keyed::new(self.seed, Purpose::Quantile);
        let mut keys: Vec<(u64, u32)> =
            (0..n_rows as u32).into_par_iter().map(|r| (keyed.bits(u64::from(r)), r)).collect();
        keys.select_nth_unstable(QUANTILE_ROWS);
        keys.truncate(QUANTILE_ROWS);
        Some(keys.into_iter().map(|(_, r)| r).collect())
    }

    fn bin_column(&self, column: &FeatureColumn, sample: Option<&[u32]>) -> (FeatureBins, BinColumn) {
        match column {
            FeatureColumn::Number(values) => {
                let sampled = match sample {
                    None => values.clone(),
                    Some(rows) => rows.iter().map(|&r| values[r as usize]).collect(),
                };
                let mut bins = NumberBins::find(sampled, self.max_bin.min(MOST_BINS), self.min_data_in_bin);
                let (codes, has_missing) = bins.sort_rows(values);
                (FeatureBins { bins: Bins::Number(bins), has_missing }, BinColumn::Bytes(codes))
            }
            FeatureColumn::Code { codes, n_codes } => self.bin_category(codes, CODE_FIRST, *n_codes),
            FeatureColumn::OneHot { codes, width } => self.bin_category(codes, 0, *width),
        }
    }

    fn bin_category(&self, codes: &[u32], first: u32, n_codes: u32) -> (FeatureBins, BinColumn) {
        let bins = CategoryBins::find(codes, first..n_codes, self.max_levels.min(MOST_LEVELS));
        let missing = bins.len() as u16;
        let binned = codes.iter().map(|&c| bins.bin_of(c).unwrap_or(missing));
        let column = match bins.len() <= BYTE_LEVELS {
            true => BinColumn::Bytes(binned.map(|bin| bin as u8).collect()),
            false => BinColumn::Large(binned.collect()),
        };
        let has_missing = codes.iter().any(|&c| bins.bin_of(c).is_none());
        (FeatureBins { bins: Bins::Category(bins), has_missing }, column)
    }
}

/// The bin of every row for a feature.
#[derive(Debug, Clone, PartialEq)]
pub enum BinColumn {
    /// Of a number, or of a category of up to [`BYTE_LEVELS`] levels.
    Bytes(Vec<u8>),
    /// Of a large category.
    Large(Vec<u16>),
}

impl BinColumn {
    /// The bin of a row.
    pub fn bin(&self, row: usize) -> usize {
        match self {
            BinColumn::Bytes(bins) => bins[row].into(),
            BinColumn::Large(bins) => bins[row].into(),
        }
    }

    /// The bins of all rows as bytes.
    ///
    /// # Panics
    /// For a large category.
    pub fn bytes(&self) -> &[u8] {
        match self {
            BinColumn::Bytes(bins) => bins,
            BinColumn::Large(_) => unreachable!("invariant: large categories are asked for apart"),
        }
    }

    fn take(&self, rows: &[u32]) -> BinColumn {
        match self {
            BinColumn::Bytes(bins) => BinColumn::Bytes(rows.iter().map(|&r| bins[r as usize]).collect()),
            BinColumn::Large(bins) => BinColumn::Large(rows.iter().map(|&r| bins[r as usize]).collect()),
        }
    }
}

/// Rows as bins, column by column.
#[derive(Debug, Clone, PartialEq)]
pub struct BinnedMatrix {
    n_rows: usize,
    features: Vec<FeatureBins>,
    columns: Vec<BinColumn>,
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
    pub fn column(&self, feature: usize) -> &BinColumn {
        &self.columns[feature]
    }

    /// The rows of the given positions, in that order, in the same bins.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> BinnedMatrix {
        let columns = self.columns.par_iter().map(|column| column.take(rows)).collect();
        BinnedMatrix { n_rows: rows.len(), features: self.features.clone(), columns }
    }
}

#[cfg(test)]
mod tests;
