//! Many tests judged together.

/// Adjusts the p-values of tests that are judged together: whoever calls those at most q significant is wrong, on
/// average, in a share q of the calls.
///
/// # References
/// Benjamini and Hochberg, 1995; the adjusted form of Yekutieli and Benjamini, 1999.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0; n];
    let mut least = 1.0;
    for (rank, &i) in order.iter().enumerate().rev() {
        let scaled = p_values[i] * (n as f64 / (rank + 1) as f64);
        least = if scaled < least { scaled } else { least };
        adjusted[i] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::benjamini_hochberg;

    #[test]
    fn adjusted_values_are_those_of_scipy() {
        // scipy.stats.false_discovery_control([0.01, 0.04, 0.03, 0.8, 0.002]) of SciPy 1.17.1.
        let found = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.8, 0.002]);
        let expected = [0.025, 0.05, 0.05, 0.8, 0.01];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{found:?}");
        assert_eq!(benjamini_hochberg(&[0.03]), [0.03]);
        assert!(benjamini_hochberg(&[]).is_empty());
    }
}
