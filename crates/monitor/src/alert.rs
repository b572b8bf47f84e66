//! Alerts: rules over windows of a prediction log, and whether somebody should be told.
//!
//! A [`Rule`] holds a [`Measure`] of each window against a [`Bound`]. [`judge`] takes the state of a rule and the [`Reading`] of one
//! window to the next state; [`backtest`] does that over history; [`grouped`] makes one message of what belongs together. Nothing here
//! reads a log or a clock or sends anything: moments come with the readings, so a clock that jumps changes no verdict.

mod backtest;
mod group;
mod judge;
mod rule;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use backtest::{Alarm, Backtest, Noticed, Period, PeriodKind, Quiet, backtest};
pub use group::{Group, grouped};
pub use judge::{Due, Event, Firing, Judged, State, Verdict, judge};
pub use rule::{Bound, Measure, Rule, Severity};

/// A moment in microseconds since 1970, UTC, or a length in microseconds.
pub type Micros = i64;

/// What was measured in one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Where the window begins.
    pub from: Micros,
    /// Where it ends, exclusive.
    pub to: Micros,
    /// How many entries, or entries with a label, it is measured on.
    pub n: u64,
    /// What was measured.
    pub value: Value,
}

/// A measure of one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// It is known.
    Known {
        /// The value.
        value: f64,
        /// The confidence band, from and to, where the measure has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        band: Option<(f64, f64)>,
    },
    /// It is not, and this is why.
    Unknown {
        /// The reason, as a sentence without its full stop.
        why: String,
    },
}

impl Reading {
    /// A value that is known.
    pub fn known((from, to): (Micros, Micros), n: u64, value: f64) -> Self {
        Reading { from, to, n, value: Value::Known { value, band: None } }
    }

    /// A value that is known up to a confidence band.
    pub fn with_band((from, to): (Micros, Micros), n: u64, value: f64, band: (f64, f64)) -> Self {
        Reading { from, to, n, value: Value::Known { value, band: Some(band) } }
    }

    /// A value that is not known.
    pub fn unknown((from, to): (Micros, Micros), why: impl Into<String>) -> Self {
        Reading { from, to, n: 0, value: Value::Unknown { why: why.into() } }
    }

    /// What a window is in which nothing was logged: no volume, which is known, and nothing else that is.
    pub fn of_nothing(measure: Measure, window: (Micros, Micros)) -> Self {
        match measure {
            Measure::Volume | Measure::Lost => Reading::known(window, 0, 0.0),
            _ => Reading::unknown(window, "nothing was logged in this window"),
        }
    }
}
