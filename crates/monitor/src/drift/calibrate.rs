//! Thresholds from the reference itself: two samples are drawn from it again and again, as large as both sides are, and
//! what they differ by without any drift is what drift has to exceed.

use rayon::prelude::*;
use tabwright_core::random::Keyed;

use crate::sample::Sample;
use crate::test::Binned;

use super::choice::Test;
use super::values::{Numbers, Pair, of_counts, of_numbers};

/// Pairs of samples that are drawn: the rate of a threshold of 5% is then within 0.7 points (one standard deviation).
const DRAWS: u64 = 1_000;

/// Rows of a drawn sample at most; of larger ones the distance follows, since it falls with the root of their size.
const MOST_ROWS: u64 = 10_000;

/// Whether the usual threshold of a test has another false-alarm rate than it says: distances have none, and the chi-square
/// test takes the reference as the truth.
pub(super) fn is_needed(test: Test) -> bool {
    !test.has_p_value() || test == Test::ChiSquare
}

/// The p-value below which, or the distance from which on, a share `rate` of pairs without drift lie.
pub(super) fn threshold(pair: &Pair<'_>, test: Test, rate: f64, keyed: Keyed) -> f64 {
    if !is_needed(test) {
        return rate;
    }
    let drawn = match (pair.counts(test), pair) {
        (Some(counts), _) => draw_counts(&counts, test, keyed),
        (None, Pair::Numbers(numbers)) => draw_numbers(numbers, test, keyed),
        (None, Pair::Levels(_)) => Vec::new(),
    };
    at_rate(drawn, test, rate)
}

/// The value beyond which a share `rate` lies of a further draw, too.
fn at_rate(mut drawn: Vec<f64>, test: Test, rate: f64) -> f64 {
    if drawn.is_empty() {
        return test.usual_threshold();
    }
    drawn.sort_by(f64::total_cmp);
    let n = drawn.len();
    if test.has_p_value() {
        let rank = (rate * (n + 1) as f64).floor() as usize;
        return drawn[rank.clamp(1, n) - 1];
    }
    let rank = ((1.0 - rate) * (n + 1) as f64).ceil() as usize;
    // Just above, since distances of few rows repeat, and one that is equal is no drift.
    let above = drawn[rank.clamp(1, n) - 1].next_up();
    if above.is_finite() { above } else { f64::MAX }
}

/// Sizes of the samples that are drawn, and what their distances are multiplied by.
fn sizes(n: [u64; 2], test: Test) -> ([u64; 2], f64) {
    let drawn = n.map(|n| n.clamp(1, MOST_ROWS));
    let noise = |n: [u64; 2]| n.iter().map(|&n| 1.0 / n.max(1) as f64).sum::<f64>();
    let ratio = noise(n) / noise(drawn);
    let factor = match test {
        _ if test.has_p_value() => 1.0,
        // The index is a squared distance.
        Test::PopulationStability => ratio,
        _ => ratio.sqrt(),
    };
    (drawn, factor)
}

fn draw_numbers(numbers: &Numbers<'_>, test: Test, keyed: Keyed) -> Vec<f64> {
    let n = [numbers.reference.len() as u64, numbers.current.len() as u64];
    let (drawn, factor) = sizes(n, test);
    let sample =
        |keyed: Keyed, size: u64| Sample::new((0..size).map(|i| numbers.reference.get(keyed.below(i, n[0]) as usize)));
    let draw = |i: u64| {
        let keyed = keyed.child(i);
        let (a, b) = (sample(keyed.child(0), drawn[0]), sample(keyed.child(1), drawn[1]));
        of_numbers(test, &Numbers::new(a.all(), b.all(), numbers.whole)).statistic * factor
    };
    (0..DRAWS).into_par_iter().map(draw).collect()
}

fn draw_counts(counts: &Binned, test: Test, keyed: Keyed) -> Vec<f64> {
    let (drawn, factor) = sizes(counts.totals(), test);
    let shares = Shares::new(&counts.reference);
    let draw = |i: u64| {
        let keyed = keyed.child(i);
        let reference = shares.draw(keyed.child(0), drawn[0]);
        let current = shares.draw(keyed.child(1), drawn[1]);
        let measured = of_counts(test, &Binned { reference, current });
        measured.p_value.unwrap_or(measured.statistic * factor)
    };
    (0..DRAWS).into_par_iter().map(draw).collect()
}

/// Draws levels by their shares, in the same time however many there are.
///
/// # References
/// Walker, 1977; set up as by Vose, 1991.
#[derive(Debug)]
struct Shares {
    /// By level: the share of its column that is its own.
    own: Vec<f64>,
    /// By level: whose the rest is.
    other: Vec<u32>,
}

impl Shares {
    fn new(counts: &[u64]) -> Self {
        let total = counts.iter().sum::<u64>() as f64;
        let mut own: Vec<f64> = counts.iter().map(|&c| c as f64 * counts.len() as f64 / total).collect();
        let mut other: Vec<u32> = (0..counts.len() as u32).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..counts.len() as u32).partition(|&i| own[i as usize] < 1.0);
        while let (Some(&i), Some(&j)) = (small.last(), large.last()) {
            small.pop();
            other[i as usize] = j;
            own[j as usize] -= 1.0 - own[i as usize];
            if own[j as usize] < 1.0 {
                large.pop();
                small.push(j);
            }
        }
        // What rounding left is whole.
        small.into_iter().for_each(|i| own[i as usize] = 1.0);
        Shares { own, other }
    }

    fn draw(&self, keyed: Keyed, n: u64) -> Vec<u64> {
        let mut counts = vec![0; self.own.len()];
        for i in 0..n {
            let place = keyed.uniform(i) * self.own.len() as f64;
            let level = place as usize;
            let level = if place - (level as f64) < self.own[level] { level } else { self.other[level] as usize };
            counts[level] += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tabwright_core::random::Purpose;

    #[test]
    fn levels_are_drawn_by_their_shares() {
        let shares = Shares::new(&[50, 0, 30, 15, 5]);
        let drawn = shares.draw(Keyed::new(1, Purpose::Example), 100_000);
        let expected = [50_000.0, 0.0, 30_000.0, 15_000.0, 5_000.0];
        assert!(drawn.iter().zip(expected).all(|(&c, e)| (c as f64 - e).abs() < 700.0), "{drawn:?}");
        assert_eq!(drawn[1], 0);
        assert_eq!(Shares::new(&[7]).draw(Keyed::new(1, Purpose::Example), 9), [9]);
    }

    #[test]
    fn a_threshold_leaves_its_rate_beyond_it() {
        let drawn: Vec<f64> = (1..=999).map(f64::from).collect();
        assert_eq!(at_rate(drawn.clone(), Test::Wasserstein, 0.05), 950f64.next_up());
        assert_eq!(at_rate(drawn, Test::ChiSquare, 0.05), 50.0);
        assert_eq!(at_rate(vec![0.5; 9], Test::Hellinger, 0.05), 0.5f64.next_up());
    }

    #[test]
    fn large_samples_are_scaled_down_and_their_distances_with_them() {
        let (drawn, factor) = sizes([1_000_000, 1_000_000], Test::Wasserstein);
        assert!(drawn == [10_000, 10_000] && (factor - 0.1).abs() < 1e-12, "{factor}");
        assert_eq!(sizes([500, 2_000], Test::Hellinger), ([500, 2_000], 1.0));
        assert!((sizes([1_000_000, 100], Test::PopulationStability).1 - 0.990_2).abs() < 1e-4);
    }
}
