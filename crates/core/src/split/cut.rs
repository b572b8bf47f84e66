//! Cuts among keys: the test part has the least keys, then comes validation, then training.

use serde::{Deserialize, Serialize};

use super::{Part, Shares};

/// Keys at which the parts end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCut {
    /// Keys below it test.
    #[serde(with = "hexadecimal")]
    pub test_below: u64,
    /// Keys below it, and not below the other, validate; all others train.
    #[serde(with = "hexadecimal")]
    pub validation_below: u64,
}

impl KeyCut {
    /// Cuts rows at the shares. Equal keys stay together, and at least one key trains.
    ///
    /// Within the gap between the last key of one part and the first of the next, the cut lies as near to the share of
    /// all possible keys as it can: so rows that come later fall into the parts by the shares, even in a class that
    /// was too rare to be cut at all.
    pub(super) fn at_shares(keys: &[u64], rows: &[u32], shares: Shares) -> Self {
        let mut sorted: Vec<u64> = rows.iter().map(|&row| keys[row as usize]).collect();
        sorted.sort_unstable();
        let (wanted, validation) = sizes(sorted.len(), shares);
        let test = boundary(&sorted, 0, wanted);
        let held_out =
            boundary(&sorted, test, if validation == 0 { test } else { (wanted + validation).max(test + 1) });
        let test_below = if shares.test > 0.0 { threshold(&sorted, test, shares.test) } else { 0 };
        let validation_below = if shares.validation > 0.0 {
            threshold(&sorted, held_out, shares.test + shares.validation).max(test_below)
        } else {
            test_below
        };
        KeyCut { test_below, validation_below }
    }

    pub(super) fn part(&self, key: u64) -> Part {
        if key < self.test_below {
            Part::Test
        } else if key < self.validation_below {
            Part::Validation
        } else {
            Part::Train
        }
    }
}

/// How many of `n` rows test and validate: the rounded shares, but at least one each as long as one is left to train;
/// of two rows, one trains and one tests.
fn sizes(n: usize, shares: Shares) -> (usize, usize) {
    let rounded = |share: f64| ((share * n as f64).round() as usize).max(usize::from(share > 0.0));
    let (test, validation) = (rounded(shares.test), rounded(shares.validation));
    let spare = n.saturating_sub(1);
    let test = test.min(spare);
    (test, validation.min(spare - test))
}

/// The boundary between distinct keys that is nearest to a position and beyond `after`, such that a key is left behind
/// it; `after` itself if there is none, or if the part would have more than half of the rows.
fn boundary(sorted: &[u64], after: usize, position: usize) -> usize {
    let n = sorted.len();
    if position <= after || position >= n {
        return after;
    }
    let key = sorted[position];
    let from = sorted.partition_point(|&k| k < key);
    let to = sorted.partition_point(|&k| k <= key);
    let usable = |b: usize| b > after && b < n && (b - after == 1 || 2 * (b - after) <= n);
    let (near, far) = if to - position < position - from { (to, from) } else { (from, to) };
    [near, far].into_iter().find(|&b| usable(b)).unwrap_or(after)
}

/// The threshold within the gap before a position that is nearest to a share of all keys.
fn threshold(sorted: &[u64], position: usize, share: f64) -> u64 {
    let least = position.checked_sub(1).map_or(0, |last| sorted[last].saturating_add(1));
    let most = sorted.get(position).copied().unwrap_or(u64::MAX);
    // 2⁶⁴ as a float is exact; a share of 1 saturates.
    ((share * 18_446_744_073_709_551_616.0) as u64).clamp(least.min(most), most)
}

/// Keys as text: not every reader of JSON keeps 64 bits of a number.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(key: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{key:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map_err(|_| D::Error::custom(format!("`{text}` is not a key of 16 hex digits")))
    }
}
