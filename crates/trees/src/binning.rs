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
        let n_rows = features.n_rows();
        let mut bytes = vec![0; n_rows * features.columns().len()];
        let columns = features.columns().par_iter().zip(bytes.par_chunks_mut(n_rows.max(1)));
        let (features, large) =
            columns.map(|(column, bytes)| self.bin_column(column, sample.as_deref(), bytes)).unzip();
        BinnedMatrix { n_rows, features, bytes, large }
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

    /// Sorts the rows of a column into bins: into `bytes`, or, of a large category, into numbers of its own.
    fn bin_column(&self, column: &FeatureColumn, sample: Option<&[u32]>, bytes: &mut [u8]) -> (FeatureBins, Vec<u16>) {
        match column {
            FeatureColumn::Number(values) => {
                let sampled = match sample {
                    None => values.clone(),
                    Some(rows) => rows.iter().map(|&r| values[r as usize]).collect(),
                };
                let mut bins = NumberBins::find(sampled, self.max_bin.min(MOST_BINS), self.min_data_in_bin);
                let has_missing = bins.sort_rows(values, bytes);
                (FeatureBins { bins: Bins::Number(bins), has_missing }, Vec::new())
            }
            FeatureColumn::Code { codes, n_codes } => self.bin_category(codes, CODE_FIRST, *n_codes, bytes),
            FeatureColumn::OneHot { codes, width } => self.bin_category(codes, 0, *width, bytes),
        }
    }

    fn bin_category(&self, codes: &[u32], first: u32, n_codes: u32, bytes: &mut [u8]) -> (FeatureBins, Vec<u16>) {
        let bins = CategoryBins::find(codes, first..n_codes, self.max_levels);
        let mut large = vec![0; if bins.is_large() { codes.len() } else { 0 }];
        let has_missing = bins.sort_rows(codes, bytes, &mut large);
        (FeatureBins { bins: Bins::Category(bins), has_missing }, large)
    }
}

/// The bin of every row for a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BinColumn<'a> {
    /// Of a number, or of a category of up to [`BYTE_LEVELS`] levels.
    Bytes(&'a [u8]),
    /// Of a large category.
    Large(&'a [u16]),
}

impl<'a> BinColumn<'a> {
    /// The bin of a row.
    pub fn bin(self, row: usize) -> usize {
        match self {
            BinColumn::Bytes(bins) => bins[row].into(),
            BinColumn::Large(bins) => bins[row].into(),
        }
    }

    /// The bins of all rows as bytes.
    ///
    /// # Panics
    /// For a large category.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            BinColumn::Bytes(bins) => bins,
            BinColumn::Large(_) => unreachable!("invariant: large categories are asked for apart"),
        }
    }
}

/// Rows as bins, column by column.
#[derive(Debug, Clone, PartialEq)]
pub struct BinnedMatrix {
    n_rows: usize,
    features: Vec<FeatureBins>,
    /// Bins as bytes, of one piece, which goes back to the system as a whole. Those of large categories are never touched.
    bytes: Vec<u8>,
    /// Bins of large categories, by feature; none of others.
    large: Vec<Vec<u16>>,
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
    pub fn column(&self, feature: usize) -> BinColumn<'_> {
        match &self.large[feature][..] {
            [] => BinColumn::Bytes(&self.bytes[feature * self.n_rows..][..self.n_rows]),
            bins => BinColumn::Large(bins),
        }
    }

    /// Brings all rows into the order of the given positions. A column at a time is held twice, not all of them.
    pub fn sort(&mut self, order: &[u32]) {
        fn sort<T: Copy>(column: &mut [T], order: &[u32]) {
            let sorted: Vec<T> = order.iter().map(|&r| column[r as usize]).collect();
            column.copy_from_slice(&sorted);
        }
        let bytes = self.bytes.par_chunks_mut(self.n_rows.max(1));
        bytes.zip(&mut self.large).for_each(|(bytes, large)| match large.is_empty() {
            true => sort(bytes, order),
            false => sort(large, order),
        });
    }
}

#[cfg(test)]
mod tests;
