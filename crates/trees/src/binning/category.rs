//! Bins of categories: one level each, the rarest together.

use std::cmp::Reverse;
use std::ops::Range;

use crate::binning::CATEGORY_BINS;

/// The levels of a category by bin, in the order of their codes; where there are too many, the last bin has all but
/// the most frequent.
#[derive(Debug, Clone, PartialEq)]
pub struct CategoryBins {
    first_code: u32,
    /// The bin of each code from `first_code` on; [`NO_BIN`] where no row has it.
    bin_of: Vec<u8>,
    n_bins: usize,
}

/// Not the number of a bin: there are 254 at most.
const NO_BIN: u8 = u8::MAX;

impl CategoryBins {
    /// Finds the bins of levels; codes outside of `levels` are missing.
    pub(super) fn find(codes: &[u32], levels: Range<u32>) -> Self {
        let first_code = levels.start;
        let mut counts = vec![0usize; levels.len()];
        for &code in codes {
            if let Some(count) = code.checked_sub(first_code).and_then(|c| counts.get_mut(c as usize)) {
                *count += 1;
            }
        }
        CategoryBins { first_code, ..CategoryBins::of_counts(&counts, 0..levels.end - first_code) }
    }

    /// Finds the bins of levels from the number of rows of each code; codes outside of `levels` are missing.
    pub(super) fn of_counts(counts: &[usize], levels: Range<u32>) -> Self {
        let first_code = levels.start;
        let counts = &counts[levels.start as usize..levels.end as usize];
        let mut present: Vec<usize> = (0..counts.len()).filter(|&c| counts[c] > 0).collect();
        let mut bin_of = vec![NO_BIN; counts.len()];
        let mut n_bins = present.len();
        if present.len() > CATEGORY_BINS {
            let n_kept = CATEGORY_BINS - 1;
            present.sort_by_key(|&c| (Reverse(counts[c]), c));
            let rare = present.split_off(n_kept);
            rare.iter().for_each(|&c| bin_of[c] = n_kept as u8);
            present.sort_unstable();
            n_bins = n_kept + 1;
        }
        present.iter().enumerate().for_each(|(bin, &c)| bin_of[c] = bin as u8);
        CategoryBins { first_code, bin_of, n_bins }
    }

    /// Finds the bin of each row, that of rows without a level last; says whether there is such a row.
    pub(super) fn sort_rows(&self, codes: &[u32], binned: &mut [u8]) -> bool {
        let mut has_missing = false;
        for (bin, &code) in binned.iter_mut().zip(codes) {
            *bin = self.bin_of(code).unwrap_or_else(|| {
                has_missing = true;
                self.n_bins as u8
            });
        }
        has_missing
    }

    /// How many bins there are.
    pub fn len(&self) -> usize {
        self.n_bins
    }

    /// Whether there is none: no row has a level.
    pub fn is_empty(&self) -> bool {
        self.n_bins == 0
    }

    /// The bin of a code; none for a missing or unseen one.
    pub fn bin_of(&self, code: u32) -> Option<u8> {
        let bin = *self.bin_of.get(code.checked_sub(self.first_code)? as usize)?;
        (bin != NO_BIN).then_some(bin)
    }

    /// The set of codes whose bins are in a set of bins; codes that no row has are in it if `unseen` is.
    pub fn codes(&self, bins: &[u64; 4], unseen: bool) -> Vec<u64> {
        let n_codes = self.first_code as usize + self.bin_of.len();
        let mut words = vec![0; n_codes.div_ceil(64)];
        for (i, &bin) in self.bin_of.iter().enumerate() {
            let inside = if bin == NO_BIN { unseen } else { bins[bin as usize / 64] >> (bin % 64) & 1 == 1 };
            if inside {
                let code = self.first_code as usize + i;
                words[code / 64] |= 1 << (code % 64);
            }
        }
        words
    }
}
