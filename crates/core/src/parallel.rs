//! Parallel passes whose result does not depend on the number of threads: work is cut by row count, results are
//! combined in order.

use rayon::prelude::*;

use crate::rows::BLOCK_ROWS;

/// Blocks that are in the air at once, so that wide partial results do not fill the memory.
const WAVE: usize = 32;

/// Maps blocks of [`BLOCK_ROWS`] positions of `0..n` and combines the results from left to right.
///
/// # Determinism
/// The cuts depend on `n` alone, and `combine` is applied in the order of the blocks.
pub fn fold_blocks<T: Send>(n: usize, map: impl Fn(std::ops::Range<usize>) -> T + Sync, mut combine: impl FnMut(T)) {
    let blocks: Vec<usize> = (0..n).step_by(BLOCK_ROWS).collect();
    for wave in blocks.chunks(WAVE) {
        let parts: Vec<T> = wave.par_iter().map(|&start| map(start..(start + BLOCK_ROWS).min(n))).collect();
        parts.into_iter().for_each(&mut combine);
    }
}

/// The sum of `value(i)` for `i` in `0..n`: sequential within a block, blocks added in order.
///
/// # Determinism
/// The same bits for any number of threads.
pub fn sum(n: usize, value: impl Fn(usize) -> f64 + Sync) -> f64 {
    let mut total = 0.0;
    fold_blocks(n, |range| range.map(&value).fold(0.0, |a, b| a + b), |part| total += part);
    total
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_sum_has_the_same_bits_on_any_number_of_threads() {
        let value = |i: usize| ((i * 7919) % 10_007) as f64 * 1e-3 + 1e9 * (i % 3) as f64;
        let sums: Vec<u64> = [1, 2, 3, 8]
            .into_iter()
            .map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| super::sum(100_000, value)).to_bits()
            })
            .collect();
        assert!(sums.iter().all(|s| *s == sums[0]));
    }
}
