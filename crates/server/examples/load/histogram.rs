//! Latencies, each counted: every power of two of nanoseconds has 128 cells, so a value is known to 0.8%.

use std::time::Duration;

use serde_json::{Value, json};

const CELL_BITS: u32 = 7;
const CELLS: usize = 1 << CELL_BITS;

/// How many latencies fell into each cell.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    most: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        // One range of cells for all below the first power of two that has cells of its own.
        let ranges = (u64::BITS - CELL_BITS + 1) as usize;
        Histogram { counts: vec![0; ranges * CELLS], total: 0, most: 0 }
    }

    pub(crate) fn add(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[cell(nanoseconds)] += 1;
        self.total += 1;
        self.most = self.most.max(nanoseconds);
    }

    /// The least value, in nanoseconds, that this share of all latencies does not exceed; of a cell, its upper end.
    fn quantile(&self, share: f64) -> u64 {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (cell, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper(cell).min(self.most);
            }
        }
        self.most
    }

    /// Number, quantiles and maximum in milliseconds; null where there is nothing.
    pub(crate) fn document(&self) -> Value {
        if self.total == 0 {
            return Value::Null;
        }
        let ms = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        json!({
            "count": self.total, "p50": ms(self.quantile(0.5)), "p90": ms(self.quantile(0.9)), "p99": ms(self.quantile(0.99)),
            "p99_9": ms(self.quantile(0.999)), "max": ms(self.most),
        })
    }
}

/// The cell of a value: its leading bits, and how many others there are.
fn cell(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(CELL_BITS + 1);
    // Beyond the first range the leading bit is always set, so it need not be kept apart.
    (shift as usize * CELLS) + (value >> shift) as usize
}

/// The largest value of a cell.
fn upper(cell: usize) -> u64 {
    if cell < 2 * CELLS {
        return cell as u64;
    }
    let shift = cell / CELLS - 1;
    (((cell - shift * CELLS) as u64 + 1) << shift).wrapping_sub(1)
}
