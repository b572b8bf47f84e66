//! What a forest learns, in whole numbers: a target and a weight per row.
//!
//! # Bounds
//! Targets are at most [`NUMBER_LEVELS`] = 2²⁶ in size, weights sum to at most 2³⁶ (numbers) or 2⁵² (classes) however
//! often the bootstrap draws the heaviest row. So sums of weight times target stay below 2⁶², and sums of weights are
//! exact as f64.

use tabwright_core::Task;

use crate::gradient::power_of_two_scale;
use crate::target::Checked;

/// Largest rounded target of a regression.
const NUMBER_LEVELS: u32 = 26;
/// Bits of the sum of all weights, for numbers and for classes.
const WEIGHT_BITS: (u32, u32) = (36, 52);

/// What kind of answer a leaf gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The mean of numbers.
    Number,
    /// The share of class 1 of two.
    Share,
    /// The shares of so many classes.
    Classes(usize),
}

/// Targets and weights of all rows.
#[derive(Debug)]
pub(super) struct Response<'a> {
    pub(super) kind: Kind,
    /// The number in units of `unit` from a centre, or the class.
    pub(super) targets: Vec<i32>,
    /// What one unit of a target is worth.
    pub(super) unit: f64,
    /// None where all are 1.
    weights: Option<Vec<u64>>,
    /// The targets as they came.
    pub(super) values: &'a [f64],
}

impl<'a> Response<'a> {
    pub(super) fn new(rows: &'a Checked<'_>, task: &Task) -> Self {
        let kind = match task {
            Task::Regression => Kind::Number,
            Task::Binary { .. } => Kind::Share,
            Task::Multiclass { labels } => Kind::Classes(labels.len()),
        };
        let values: &[f64] = &rows.values;
        let (targets, unit) = match kind {
            Kind::Number => {
                let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), &y| {
                    (if y < low { y } else { low }, if y > high { y } else { high })
                });
                let centre = low / 2.0 + high / 2.0;
                let scale = power_of_two_scale(high - centre, NUMBER_LEVELS);
                (values.iter().map(|y| ((y - centre) * scale).round() as i32).collect(), 1.0 / scale)
            }
            _ => (values.iter().map(|y| *y as i32).collect(), 1.0),
        };
        let bits = if kind == Kind::Number { WEIGHT_BITS.0 } else { WEIGHT_BITS.1 };
        let weights = rows.weights.as_ref().map(|w| whole_weights(w, bits));
        Response { kind, targets, unit, weights, values }
    }

    pub(super) fn n_rows(&self) -> usize {
        self.targets.len()
    }

    pub(super) fn weight(&self, row: usize) -> u64 {
        self.weights.as_ref().map_or(1, |w| w[row])
    }
}

/// Weights as whole numbers, of which any `n` sum to less than 2 to the power of `bits`; none is 0.
fn whole_weights(weights: &[f64], bits: u32) -> Vec<u64> {
    let largest = weights.iter().copied().fold(0.0, |a: f64, b| if b > a { b } else { a });
    let rows_bits = usize::BITS - weights.len().leading_zeros();
    let bits = bits.saturating_sub(rows_bits).min(40);
    // Numbers of rows stay what they are.
    let is_whole = weights.iter().all(|w| w.fract() == 0.0) && largest <= (1u64 << bits) as f64;
    let scale = if is_whole { 1.0 } else { power_of_two_scale(largest, bits) };
    weights.iter().map(|w| ((w * scale).round() as u64).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_keep_their_ratios_and_their_sum_is_bounded() {
        assert_eq!(whole_weights(&[0.5, 2.0, 1e-300], 52), [1 << 38, 1 << 40, 1]);
        assert_eq!(whole_weights(&[3.0, 1.0], 52), [3, 1]);
        let many = whole_weights(&vec![3.5; 1_000_000], 36);
        assert!(many[0] * 1_000_000 < 1 << 36);
        assert!(many[0] > 1 << 14);
    }
}
