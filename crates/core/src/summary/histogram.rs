//! Histograms, and their picture in a terminal.

use serde::{Deserialize, Serialize};

/// Fewest bins of a histogram of numbers that are not all whole.
const FEWEST_BINS: usize = 10;

/// Most bins.
const MOST_BINS: usize = 30;

/// How many values lie between neighbouring edges. A bin holds its lower edge, the last one its upper edge too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Ascending; one more than there are bins.
    pub edges: Vec<f64>,
    /// Values per bin.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Bins sorted finite values: whole numbers of a small range one by one, others in bins of equal width.
    pub(super) fn of_sorted(values: &[f64], min: f64, max: f64, whole: bool) -> Self {
        let edges = if whole && max - min < MOST_BINS as f64 {
            (0..=(max - min) as usize + 1).map(|i| min - 0.5 + i as f64).collect()
        } else if min == max {
            vec![min, max]
        } else {
            let bins = (values.len().ilog2() as usize + 1).clamp(FEWEST_BINS, MOST_BINS);
            let edge = |i: usize| {
                let t = i as f64 / bins as f64;
                min * (1.0 - t) + max * t
            };
            (0..=bins).map(edge).collect::<Vec<f64>>()
        };
        let bins = edges.len() - 1;
        let below = |edge: f64| values.partition_point(|&v| v < edge);
        let ends: Vec<usize> = (0..=bins).map(|i| if i == bins { values.len() } else { below(edges[i]) }).collect();
        let counts = (0..bins).map(|i| (ends[i + 1].saturating_sub(if i == 0 { 0 } else { ends[i] })) as u64).collect();
        Histogram { edges, counts }
    }
}

/// Draws a histogram in one line, a character per bin: a bin with values is at least one step above an empty one.
pub fn sparkline(histogram: &Histogram) -> String {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let top = histogram.counts.iter().copied().max().unwrap_or(0).max(1);
    let step = |count: u64| if count == 0 { 0 } else { 1 + (count as f64 / top as f64 * 6.0).round() as usize };
    histogram.counts.iter().map(|&count| STEPS[step(count).min(7)]).collect()
}
