//! Bins of categories: one level each, the rarest together.

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
    /// Finds the bins of levels; codes below `first_code` or from `n_codes` on are missing.
    pub(super) fn find(codes: &[u32], first_code: u32, n_codes: u32) -> Self {
        let mut counts = vec![0u64; n_codes.saturating_sub(first_code) as usize];
        for &code in codes {
            if let Some(count) = code.checked_sub(first_code).and_then(|c| counts.get_mut(c as usize)) {
                *count += 1;
            }
        }
        let mut present: Vec<usize> = (0..counts.len()).filter(|&c| counts[c] > 0).collect();
        let mut bin_of = vec![NO_BIN; counts.len()];
        let mut n_bins = present.len();
        if present.len() > CATEGORY_BINS {
            present.sort_by_key(|&c| (std::cmp::Reverse(counts[c]), c));
            let rare = present.split_off(CATEGORY_BINS - 1);
            rare.iter().for_each(|&c| bin_of[c] = (CATEGORY_BINS - 1) as u8);
            present.sort_unstable();
            n_bins = CATEGORY_BINS;
        }
        present.iter().enumerate().for_each(|(bin, &c)| bin_of[c] = bin as u8);
        CategoryBins { first_code, bin_of, n_bins }
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
