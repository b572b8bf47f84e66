//! Bins of categories: one level each, the rarest together.

use std::cmp::Reverse;
use std::ops::Range;

use crate::binning::{BYTE_LEVELS, MOST_LEVELS};

/// The levels of a category by bin, in the order of their codes; those of a large one by how many rows they have, so that
/// what is often needed lies together. Where there are too many, the last bin has all but the most frequent.
#[derive(Debug, Clone, PartialEq)]
pub struct CategoryBins {
    first_code: u32,
    /// The bin of each code from `first_code` on; [`NO_BIN`] where no row has it.
    bin_of: Vec<u16>,
    n_bins: usize,
}

/// Not the number of a bin: there are 65,534 at most.
const NO_BIN: u16 = u16::MAX;

impl CategoryBins {
    /// Finds up to `max_levels` bins of levels; codes outside of `levels` are missing.
    pub(super) fn find(codes: &[u32], levels: Range<u32>, max_levels: usize) -> Self {
        let mut counts = vec![0usize; levels.end as usize];
        for &code in codes {
            if let Some(count) = counts.get_mut(code as usize) {
                *count += 1;
            }
        }
        CategoryBins::of_counts(&counts, levels, max_levels)
    }

    /// The same from the number of rows of each code.
    pub(super) fn of_counts(counts: &[usize], levels: Range<u32>, max_levels: usize) -> Self {
        let (first_code, max_levels) = (levels.start, max_levels.min(MOST_LEVELS));
        let counts = &counts[levels.start as usize..levels.end as usize];
        let mut present: Vec<usize> = (0..counts.len()).filter(|&c| counts[c] > 0).collect();
        let mut bin_of = vec![NO_BIN; counts.len()];
        let mut n_bins = present.len();
        if present.len() > max_levels.min(BYTE_LEVELS) {
            present.sort_by_key(|&c| (Reverse(counts[c]), c));
        }
        if present.len() > max_levels {
            let n_kept = max_levels - 1;
            let rare = present.split_off(n_kept);
            rare.iter().for_each(|&c| bin_of[c] = n_kept as u16);
            n_bins = n_kept + 1;
        }
        if n_bins <= BYTE_LEVELS {
            present.sort_unstable();
        }
        present.iter().enumerate().for_each(|(bin, &c)| bin_of[c] = bin as u16);
        CategoryBins { first_code, bin_of, n_bins }
    }

    /// Finds the bin of each row, that of rows without a level last: as bytes, or, of a large category, as other numbers. Says
    /// whether there is such a row.
    pub(super) fn sort_rows(&self, codes: &[u32], bytes: &mut [u8], large: &mut [u16]) -> bool {
        if self.is_large() {
            self.sort_rows_as(codes, large, |bin| bin)
        } else {
            self.sort_rows_as(codes, bytes, |bin| bin as u8)
        }
    }

    fn sort_rows_as<B>(&self, codes: &[u32], bins: &mut [B], as_bin: impl Fn(u16) -> B) -> bool {
        let mut has_missing = false;
        for (bin, &code) in bins.iter_mut().zip(codes) {
            let found = self.bin_of(code);
            has_missing |= found.is_none();
            *bin = as_bin(found.unwrap_or(self.n_bins as u16));
        }
        has_missing
    }

    /// Whether its bins are more than a byte can number.
    pub fn is_large(&self) -> bool {
        self.n_bins > BYTE_LEVELS
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
    pub fn bin_of(&self, code: u32) -> Option<u16> {
        let bin = *self.bin_of.get(code.checked_sub(self.first_code)? as usize)?;
        (bin != NO_BIN).then_some(bin)
    }

    /// The set of codes whose bins are in a set of bins; codes that no row has are in it if `unseen` is.
    pub fn codes(&self, is_in: impl Fn(usize) -> bool, unseen: bool) -> Vec<u64> {
        let n_codes = self.first_code as usize + self.bin_of.len();
        let mut words = vec![0; n_codes.div_ceil(64)];
        for (i, &bin) in self.bin_of.iter().enumerate() {
            let inside = if bin == NO_BIN { unseen } else { is_in(bin.into()) };
            if inside {
                let code = self.first_code as usize + i;
                words[code / 64] |= 1 << (code % 64);
            }
        }
        words
    }
}
