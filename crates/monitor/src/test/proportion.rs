//! The z-test of two shares: is one value of two more frequent than it was?

use tabwright_core::numeric::erfc;

use crate::test::Outcome;

/// Tests whether a value has the same share in two sets of rows, by the pooled share; the statistic is z, positive if the
/// share of the reference is larger. `hits` and `n` are those of the reference and of the current window.
///
/// As Evidently's `z`. If all rows agree there is nothing to tell apart: z = 0, with a p-value of 1.
pub fn z_test(hits: [u64; 2], n: [u64; 2]) -> Outcome {
    let [n_1, n_2] = n.map(|n| n as f64);
    let [share_1, share_2] = [hits[0] as f64 / n_1, hits[1] as f64 / n_2];
    let pooled = (share_1 * n_1 + share_2 * n_2) / (n_1 + n_2);
    let variance = pooled * (1.0 - pooled) * (1.0 / n_1 + 1.0 / n_2);
    let all_agree = hits == [0, 0] || hits == n;
    if n.contains(&0) || all_agree || variance <= 0.0 {
        return Outcome { statistic: 0.0, p_value: 1.0 };
    }
    let z = (share_1 - share_2) / variance.sqrt();
    Outcome { statistic: z, p_value: erfc(z.abs() * std::f64::consts::FRAC_1_SQRT_2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_rose_is_found() {
        // By Python's math.erfc: pooled 90/220.
        let found = z_test([30, 60], [100, 120]);
        assert!((found.statistic + 3.004_270_464_795_243).abs() < 1e-12, "{found:?}");
        assert!((found.p_value - 0.002_662_185_508_944_995).abs() < 1e-14, "{found:?}");
        assert_eq!(z_test([60, 30], [120, 100]).p_value, found.p_value);
    }

    #[test]
    fn rows_that_agree_do_not_differ() {
        for (hits, n) in [([0, 0], [5, 7]), ([5, 7], [5, 7]), ([0, 3], [0, 7]), ([0, 0], [0, 0])] {
            assert_eq!(z_test(hits, n), Outcome { statistic: 0.0, p_value: 1.0 });
        }
    }
}
