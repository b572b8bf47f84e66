//! The number of distinct values: counted up to a bound, estimated beyond it. Mergeable, and independent of the order
//! of the values.

use super::SUMMARY_ROWS;

/// Hashes that were seen lately, so that columns of few values cost little. Changes no result.
const CACHE: usize = 4_096;

/// The least hashes of the values.
///
/// # References
/// Bar-Yossef et al., 2002; Beyer et al., 2007 ("k minimum values").
#[derive(Debug, Clone)]
pub(super) struct Distinct {
    hashes: Vec<u64>,
    cache: Vec<u64>,
    /// Hashes above it are not among the least; `u64::MAX` until the bound was reached.
    limit: u64,
}

impl Default for Distinct {
    fn default() -> Self {
        Distinct { hashes: Vec::new(), cache: Vec::new(), limit: u64::MAX }
    }
}

impl Distinct {
    pub(super) fn add(&mut self, hash: u64) {
        if hash > self.limit {
            return;
        }
        if self.hashes.len() >= CACHE {
            self.cache.resize(CACHE, 0);
            let seen = &mut self.cache[hash as usize % CACHE];
            // An empty slot reads 0: that hash is never taken for seen.
            if *seen == hash && hash != 0 {
                return;
            }
            *seen = hash;
        }
        self.hashes.push(hash);
        self.shrink();
    }

    pub(super) fn merge(&mut self, other: Distinct) {
        self.limit = self.limit.min(other.limit);
        self.hashes.extend(other.hashes);
        self.shrink();
    }

    fn shrink(&mut self) {
        if self.hashes.len() >= 2 * SUMMARY_ROWS {
            self.compact();
        }
    }

    fn compact(&mut self) {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        if self.hashes.len() > SUMMARY_ROWS {
            self.hashes.truncate(SUMMARY_ROWS);
            self.limit = self.limit.min(self.hashes[SUMMARY_ROWS - 1]);
        }
    }

    /// The number of distinct values, and whether it was counted.
    pub(super) fn finish(mut self) -> (u64, bool) {
        self.compact();
        if self.limit == u64::MAX {
            return (self.hashes.len() as u64, true);
        }
        // The k-th least of n hashes lies at about k/n of their range.
        let kth = self.hashes[SUMMARY_ROWS - 1] as f64 / 18_446_744_073_709_551_616.0;
        (((SUMMARY_ROWS - 1) as f64 / kth).round() as u64, false)
    }
}
