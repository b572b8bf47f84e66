//! How two versions answer the same rows: the one that callers hear, and its shadow.

use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Serialize;
use tabwright_core::metric::Predictions;

use super::served::Served;

/// Collects differences.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    sums: Mutex<Sums>,
}

#[derive(Debug, Default, Clone)]
struct Sums {
    rows: u64,
    agreeing: u64,
    difference: f64,
    largest: f64,
    skipped: u64,
}

/// What came out so far.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Compared {
    /// Rows that both have answered.
    pub(crate) rows: u64,
    /// Share of them with the same label; absent for a regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agreement: Option<f64>,
    /// Mean absolute difference of the probabilities, or of the numbers.
    pub(crate) mean_difference: f64,
    /// The largest.
    pub(crate) largest_difference: f64,
    /// Requests that the shadow was not asked, since it could not follow.
    pub(crate) skipped: u64,
}

impl Comparison {
    /// Adds the answers for some rows.
    pub(crate) fn add(&self, (main, of_main): (&Served, &Predictions), (shadow, of_shadow): (&Served, &Predictions)) {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = (main.model().task().labels(), shadow.model().task().labels());
        for row in 0..of_main.n_rows().min(of_shadow.n_rows()) {
            sums.rows += 1;
            let code = |served: &Served, predictions: &Predictions| predictions.label(row, served.model().threshold());
            let is_same = labels.0.get(code(main, of_main)) == labels.1.get(code(shadow, of_shadow));
            sums.agreeing += u64::from(is_same);
            let pairs = of_main.row(row).iter().zip(of_shadow.row(row));
            let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            sums.difference += difference;
            sums.largest = sums.largest.max(difference);
        }
    }

    /// Notes a request that the shadow was not asked.
    pub(crate) fn skip(&self) {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner).skipped += 1;
    }

    /// What came out so far.
    pub(crate) fn read(&self, is_classification: bool) -> Compared {
        let sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let rows = sums.rows.max(1) as f64;
        Compared {
            rows: sums.rows,
            agreement: is_classification.then(|| sums.agreeing as f64 / rows),
            mean_difference: sums.difference / rows,
            largest_difference: sums.largest,
            skipped: sums.skipped,
        }
    }
}
