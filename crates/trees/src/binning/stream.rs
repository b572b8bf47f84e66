//! Bins of rows that come block by block: edges from a sample of the rows, then a byte per value, and never more of the
//! features than a few blocks.

use rayon::prelude::*;
use tabwright_model::features::{CODE_FIRST, FeatureColumn, Features};

use super::{BinnedMatrix, Binner, Bins, CategoryBins, FeatureBins, MOST_BINS, NumberBins};

/// Sorts blocks of rows into bins.
#[derive(Debug, Clone)]
pub struct StreamBinner {
    n_rows: usize,
    features: Vec<FeatureBins>,
    bytes: Vec<u8>,
    /// Bins of large categories, by feature; none of others.
    large: Vec<Vec<u16>>,
    /// Rows taken in so far.
    taken: usize,
}

impl StreamBinner {
    /// Finds the bins of `n_rows` rows from those of [`Binner::sample`], and makes room for all.
    ///
    /// `counts` has for each feature that is a category the number of rows of each of its codes, and nothing for a number.
    pub fn new(binner: &Binner, n_rows: usize, sample: &Features, counts: &[Vec<usize>]) -> Self {
        let bins = |(column, counts): (&FeatureColumn, &Vec<usize>)| match column {
            FeatureColumn::Number(values) => {
                Bins::Number(NumberBins::find(values.clone(), binner.max_bin.min(MOST_BINS), binner.min_data_in_bin))
            }
            FeatureColumn::Code { n_codes, .. } => {
                Bins::Category(CategoryBins::of_counts(counts, CODE_FIRST..*n_codes, binner.max_levels))
            }
            FeatureColumn::OneHot { width, .. } => {
                Bins::Category(CategoryBins::of_counts(counts, 0..*width, binner.max_levels))
            }
        };
        let features = sample.columns().par_iter().zip(counts).map(bins);
        let features: Vec<_> = features.map(|bins| FeatureBins { bins, has_missing: false }).collect();
        let is_large = |feature: &FeatureBins| matches!(&feature.bins, Bins::Category(bins) if bins.is_large());
        let large = features.iter().map(|f| vec![0; if is_large(f) { n_rows } else { 0 }]).collect();
        StreamBinner { n_rows, features, bytes: vec![0; n_rows * counts.len()], large, taken: 0 }
    }

    /// Takes in the blocks that follow, in their order.
    ///
    /// # Panics
    /// If there are more rows than announced.
    pub fn push(&mut self, blocks: &[Features]) {
        let taken = self.taken;
        self.taken += blocks.iter().map(Features::n_rows).sum::<usize>();
        assert!(self.taken <= self.n_rows, "invariant: no more rows come than were announced");
        let columns = self.bytes.par_chunks_mut(self.n_rows.max(1)).zip(&mut self.large);
        self.features.par_iter_mut().zip(columns).enumerate().for_each(|(f, (feature, (bytes, large)))| {
            let mut rows = taken..taken;
            for block in blocks {
                rows = rows.end..rows.end + block.n_rows();
                let bytes = &mut bytes[rows.clone()];
                let has_missing = match (&mut feature.bins, &block.columns()[f]) {
                    (Bins::Number(bins), FeatureColumn::Number(values)) => bins.sort_rows(values, bytes),
                    (Bins::Category(bins), FeatureColumn::Code { codes, .. } | FeatureColumn::OneHot { codes, .. }) => {
                        bins.sort_rows(codes, bytes, large.get_mut(rows.clone()).unwrap_or_default())
                    }
                    _ => unreachable!("invariant: blocks and sample are the output of one pipeline"),
                };
                feature.has_missing |= has_missing;
            }
        });
    }

    /// The matrix that [`Binner::bin`] makes of all rows at once.
    ///
    /// # Panics
    /// If there were fewer rows than announced.
    pub fn finish(self) -> BinnedMatrix {
        assert_eq!(self.taken, self.n_rows, "invariant: every announced row was pushed");
        BinnedMatrix { n_rows: self.n_rows, features: self.features, bytes: self.bytes, large: self.large }
    }
}

#[cfg(test)]
mod tests {
    use tabwright_model::features::{CODE_MISSING, ONE_HOT_NONE};

    use super::*;
    use crate::binning::MOST_LEVELS;

    #[test]
    fn blocks_make_the_matrix_of_all_rows_at_once() {
        let n = 230_000u32;
        let number = |r: u32| if r.is_multiple_of(17) { f64::NAN } else { f64::from(r.wrapping_mul(7_919) % 100_003) };
        let code = |r: u32| if r.is_multiple_of(29) { CODE_MISSING } else { CODE_FIRST + r.wrapping_mul(31) % 300 };
        let one_hot = |r: u32| if r.is_multiple_of(5) { ONE_HOT_NONE } else { r % 3 };
        let features = |rows: &[u32]| {
            let codes = rows.iter().map(|&r| code(r)).collect();
            let columns = vec![
                FeatureColumn::Number(rows.iter().map(|&r| number(r)).collect()),
                FeatureColumn::Code { codes, n_codes: CODE_FIRST + 300 },
                FeatureColumn::OneHot { codes: rows.iter().map(|&r| one_hot(r)).collect(), width: 3 },
            ];
            Features::new(rows.len(), columns)
        };
        let rows: Vec<u32> = (0..n).collect();
        let binner = Binner { max_bin: 255, min_data_in_bin: 3, max_levels: MOST_LEVELS, seed: 9 };
        let count = |n_codes: u32, code: &dyn Fn(u32) -> u32| {
            let mut counts = vec![0; n_codes as usize];
            rows.iter().filter_map(|&r| counts.get_mut(code(r) as usize).map(|c: &mut usize| *c += 1)).count();
            counts
        };
        let counts = [vec![], count(CODE_FIRST + 300, &code), count(3, &one_hot)];
        let sample = binner.sample(n as usize).unwrap();
        assert!(sample.len() == super::super::QUANTILE_ROWS && sample.is_sorted());
        let mut stream = StreamBinner::new(&binner, n as usize, &features(&sample), &counts);
        for blocks in rows.chunks(50_000) {
            stream.push(&blocks.chunks(20_000).map(features).collect::<Vec<_>>());
        }
        assert_eq!(stream.finish(), binner.bin(&features(&rows)));
    }
}
