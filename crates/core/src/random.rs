//! Random numbers without a state: a number is a function of a key and a counter, so rows can be drawn in any order
//! and on any machine.

/// What a draw is for. Each purpose has numbers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// The place of a row in train, validation and test.
    Split = 1,
    /// The fold of a row.
    Fold = 2,
    /// The sample of rows for quantiles.
    Quantile = 3,
    /// Rows of a tree.
    Bootstrap = 4,
    /// Columns of a tree or a node.
    Columns = 5,
    /// Random thresholds.
    Threshold = 6,
    /// Rows held out for early stopping.
    EarlyStopping = 7,
    /// Stochastic rounding.
    Rounding = 8,
    /// Generated tables.
    Example = 9,
    /// Row subsampling of a boosting round.
    Subsample = 10,
    /// Rows that a memory limit leaves.
    MemorySample = 11,
}

/// A stateless generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyed {
    key: u64,
}

impl Keyed {
    /// Numbers of a seed and a purpose.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        Keyed { key: mix(mix(seed ^ 0x9e37_79b9_7f4a_7c15) ^ purpose as u64) }
    }

    /// Numbers of their own for a part, such as a tree or a fold.
    #[must_use]
    pub fn child(self, part: u64) -> Self {
        Keyed { key: mix(self.key ^ mix(part ^ 0xd1b5_4a32_d192_ed03)) }
    }

    /// 64 bits for a counter.
    pub fn bits(self, counter: u64) -> u64 {
        mix(mix(counter ^ self.key).wrapping_add(self.key))
    }

    /// A number in `[0, 1)` with 53 bits.
    pub fn uniform(self, counter: u64) -> f64 {
        (self.bits(counter) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A whole number in `0..n`, unbiased to one part in 2³² for the sizes used here.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below(self, counter: u64, n: u64) -> u64 {
        assert!(n > 0, "invariant: nothing can be drawn from an empty set");
        ((u128::from(self.bits(counter)) * u128::from(n)) >> 64) as u64
    }
}

/// A bijection of 64 bits that leaves no trace of its input.
///
/// # References
/// The finaliser "moremur" (P. Evensen, 2018), after David Stafford's variant 13 of MurmurHash3's.
pub fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 27)).wrapping_mul(0x3c79_ac49_2ba7_b653);
    let x = (x ^ (x >> 33)).wrapping_mul(0x1c69_b3f7_4ac4_ae35);
    x ^ (x >> 27)
}

/// Hashes bytes to 64 bits under a key: the same on every machine.
///
/// Not a defence against chosen input; rows that collide share a place in a split, no more.
pub fn hash_bytes(key: u64, bytes: &[u8]) -> u64 {
    let mut state = mix(key ^ (bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().expect("invariant: eight bytes"));
        state = mix(state ^ word).wrapping_add(0xa076_1d64_78bd_642f);
    }
    let mut last = [0; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    mix(state ^ u64::from_le_bytes(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_numbers_fill_the_unit_interval_evenly() {
        let keyed = Keyed::new(42, Purpose::Bootstrap);
        let mut buckets = [0u32; 64];
        for i in 0..640_000 {
            buckets[(keyed.uniform(i) * 64.0) as usize] += 1;
        }
        let chi2: f64 = buckets.iter().map(|&b| (f64::from(b) - 1e4).powi(2) / 1e4).sum();
        assert!((30.0..110.0).contains(&chi2), "63 degrees of freedom: {chi2}");
    }

    #[test]
    fn seeds_purposes_and_parts_are_apart() {
        let a = Keyed::new(1, Purpose::Split);
        let others = [Keyed::new(2, Purpose::Split), Keyed::new(1, Purpose::Fold), a.child(0), a.child(1)];
        for b in others {
            assert!((0..100).all(|i| a.bits(i) != b.bits(i)));
        }
        assert_ne!(hash_bytes(1, b"ab"), hash_bytes(1, b"ab\0"));
        assert_ne!(hash_bytes(1, b"ab"), hash_bytes(2, b"ab"));
    }
}
