//! What a rule consists of: a measure, a bound, and how patient it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tabwright_core::metric::Metric;
use tabwright_core::{Error, suggest};

use super::Micros;

/// What is measured of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Measure {
    /// Share of the columns that drift.
    DriftShare,
    /// Number of predictions.
    Volume,
    /// Time that a prediction took, in seconds: the 99th percentile.
    Latency,
    /// Share of the entries without a prediction.
    Errors,
    /// Number of predictions that could not be logged.
    Lost,
    /// Share of the input values that are missing.
    Missing,
    /// Share of the entries that have a label.
    Maturity,
    /// A metric, on the entries that have a label.
    Metric(Metric),
}

impl Measure {
    /// Every measure that is no metric.
    pub const PLAIN: [Measure; 7] = [
        Measure::DriftShare,
        Measure::Volume,
        Measure::Latency,
        Measure::Errors,
        Measure::Lost,
        Measure::Missing,
        Measure::Maturity,
    ];

    /// Its name in configurations and messages.
    pub fn name(self) -> &'static str {
        match self {
            Measure::DriftShare => "drift_share",
            Measure::Volume => "volume",
            Measure::Latency => "latency",
            Measure::Errors => "errors",
            Measure::Lost => "lost",
            Measure::Missing => "missing",
            Measure::Maturity => "maturity",
            Measure::Metric(metric) => metric.name(),
        }
    }

    /// Whether it waits for labels.
    pub fn needs_labels(self) -> bool {
        matches!(self, Measure::Maturity | Measure::Metric(_))
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Measure {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(plain) = Measure::PLAIN.into_iter().find(|m| m.name().eq_ignore_ascii_case(text.trim())) {
            return Ok(plain);
        }
        text.parse().map(Measure::Metric).map_err(|_| {
            let names = || Measure::PLAIN.iter().map(|m| m.name()).chain(Metric::ALL.iter().map(|m| m.name()));
            Error::UnknownName {
                what: "measure",
                found: text.to_owned(),
                hint: suggest::did_you_mean(text, names()),
                allowed: names().collect::<Vec<_>>().join(", "),
            }
        })
    }
}

impl From<Measure> for String {
    fn from(measure: Measure) -> Self {
        measure.name().to_owned()
    }
}

impl TryFrom<String> for Measure {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

/// What a value must not be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// More than this.
    Above(f64),
    /// This or more.
    Reaches(f64),
    /// Less than this.
    Below(f64),
}

impl Bound {
    /// The number.
    pub fn value(self) -> f64 {
        match self {
            Bound::Above(x) | Bound::Reaches(x) | Bound::Below(x) => x,
        }
    }

    /// Whether large values are the bad ones.
    pub fn is_upper(self) -> bool {
        !matches!(self, Bound::Below(_))
    }

    /// Whether a value breaks it.
    pub fn is_broken_by(self, value: f64) -> bool {
        match self {
            Bound::Above(x) => value > x,
            Bound::Reaches(x) => value >= x,
            Bound::Below(x) => value < x,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Above(x) => write!(f, "above {x}"),
            Bound::Reaches(x) => write!(f, "{x} or more"),
            Bound::Below(x) => write!(f, "below {x}"),
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth looking at.
    #[default]
    Warning,
    /// Worth getting up for.
    Critical,
}

impl Severity {
    /// Every severity, the mildest first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

impl FromStr for Severity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let names = || Severity::ALL.iter().map(|s| s.name());
        Severity::ALL.into_iter().find(|s| s.name() == text).ok_or_else(|| Error::UnknownName {
            what: "severity",
            found: text.to_owned(),
            hint: suggest::did_you_mean(text, names()),
            allowed: names().collect::<Vec<_>>().join(", "),
        })
    }
}

/// When somebody is told of a measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it looks at.
    pub measure: Measure,
    /// What the measure must not be.
    pub bound: Bound,
    /// How long a window is. Windows begin at multiples of this since 1970, UTC.
    pub window: Micros,
    /// Windows in a row that must break the bound before it fires.
    pub fire_after: u32,
    /// The value at which it is over; none: where the bound is no longer broken.
    pub clear: Option<f64>,
    /// Windows in a row that must be so before it is over.
    pub clear_after: u32,
    /// So long it is not told again while it goes on.
    pub silence: Micros,
    /// So long after its end a window is judged, for what comes late, such as labels.
    pub delay: Micros,
    /// How bad it is.
    pub severity: Severity,
    /// Alerts of one group that are due together are one message; empty: a group of its own.
    pub group: String,
}

/// A second, in microseconds.
const SECOND: Micros = 1_000_000;
/// A day.
const DAY: Micros = 86_400 * SECOND;
/// The longest window, silence or delay: ten years, so that sums of moments and lengths stay far from the ends of their type.
const LONGEST: Micros = 3_650 * DAY;
/// Most windows in a row that can be asked for: more than that is a longer window.
const MOST_IN_A_ROW: u32 = 1_000;

impl Rule {
    /// A rule over days that fires at once and is told again after a day.
    pub fn new(name: impl Into<String>, measure: Measure, bound: Bound) -> Self {
        Rule {
            name: name.into(),
            measure,
            bound,
            window: DAY,
            fire_after: 1,
            clear: None,
            clear_after: 1,
            silence: DAY,
            delay: 0,
            severity: Severity::Warning,
            group: String::new(),
        }
    }

    /// Checks that the rule can be judged.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first number that is out of range, by the name that it has in a configuration.
    pub fn validate(&self) -> Result<(), Error> {
        let refuse = |parameter, found: String, allowed: &str| {
            Err(Error::Parameter { parameter, found, allowed: allowed.to_owned() })
        };
        let side = match self.bound {
            Bound::Above(_) => "above",
            Bound::Reaches(_) => "reaches",
            Bound::Below(_) => "below",
        };
        let bound = self.bound.value();
        if !bound.is_finite() {
            return refuse(side, bound.to_string(), "a finite number");
        }
        if let Some(clear) = self.clear {
            let (is_right, allowed) = match self.bound.is_upper() {
                true => (clear <= bound, format!("at most {bound}, the bound")),
                false => (clear >= bound, format!("at least {bound}, the bound")),
            };
            if !clear.is_finite() || !is_right {
                return refuse("clear", clear.to_string(), &allowed);
            }
        }
        for (parameter, count) in [("for", self.fire_after), ("clear_for", self.clear_after)] {
            if !(1..=MOST_IN_A_ROW).contains(&count) {
                return refuse(parameter, count.to_string(), &format!("1 to {MOST_IN_A_ROW} windows"));
            }
        }
        for (parameter, length, least) in
            [("window", self.window, SECOND), ("silence", self.silence, 0), ("delay", self.delay, 0)]
        {
            if !(least..=LONGEST).contains(&length) {
                let allowed = if least == 0 { "0s to 3650d" } else { "1s to 3650d" };
                return refuse(parameter, format!("{} s", length / SECOND), allowed);
            }
        }
        Ok(())
    }

    /// Where the last window ends that can be judged at a moment.
    pub fn last_end(&self, now: Micros) -> Micros {
        let now = now.saturating_sub(self.delay);
        now.saturating_sub(now.rem_euclid(self.window))
    }
}
