//! What a person is told: what, where, since when, and what to do.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use tabwright_monitor::alert::{Bound, Due, Event, Measure, Micros, Reading, Rule, Severity, Value};
use tabwright_report::text::{count, number, percent, seconds};
use tabwright_store::time;

/// How a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// There is an alarm.
    Firing,
    /// There is none.
    Quiet,
    /// There is none, and its last value is not known.
    Unknown,
}

/// A rule, its last window, and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The rule.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it looks at.
    pub measure: Measure,
    /// What the value must not be.
    pub bound: Bound,
    /// The value; none where it is not known.
    pub value: Option<f64>,
    /// Its confidence band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<(f64, f64)>,
    /// On how many entries.
    pub n: u64,
    /// Where the window begins, RFC 3339; none where no window was judged yet.
    pub from: Option<String>,
    /// Where it ends, exclusive.
    pub to: Option<String>,
    /// How the rule stands.
    pub status: Status,
    /// Since when there is, or was, an alarm.
    pub since: Option<String>,
    /// What happened; none where no window was judged.
    pub event: Option<Event>,
    /// All of it for a person.
    pub text: String,
}

impl Alert {
    /// How a rule stands with its last window.
    pub(super) fn now(
        rule: &Rule,
        model: &str,
        last: Option<&Reading>,
        since: Option<Micros>,
        event: Option<Event>,
    ) -> Self {
        let is_known = matches!(last, Some(Reading { value: Value::Known { .. }, .. }));
        let status = match since {
            Some(_) => Status::Firing,
            None if is_known => Status::Quiet,
            None => Status::Unknown,
        };
        Alert::new((rule, model), last, (status, since, event))
    }

    /// What is due.
    pub(super) fn due(rule: &Rule, model: &str, due: &Due) -> Self {
        let status = if due.event == Event::Cleared { Status::Quiet } else { Status::Firing };
        Alert::new((rule, model), Some(&due.reading), (status, Some(due.since), Some(due.event)))
    }

    fn new(
        (rule, model): (&Rule, &str),
        last: Option<&Reading>,
        (status, since, event): (Status, Option<Micros>, Option<Event>),
    ) -> Self {
        let (value, band) = match last.map(|reading| &reading.value) {
            Some(Value::Known { value, band }) => (Some(*value), *band),
            _ => (None, None),
        };
        let text = match last {
            Some(reading) => told((rule, model), reading, status, (since, event)),
            None => format!("{model}: rule `{}`: no window is whole yet.", rule.name),
        };
        Alert {
            rule: rule.name.clone(),
            severity: rule.severity,
            measure: rule.measure,
            bound: rule.bound,
            value,
            band,
            n: last.map_or(0, |reading| reading.n),
            from: last.map(|reading| time::to_seconds(reading.from)),
            to: last.map(|reading| time::to_seconds(reading.to)),
            status,
            since: since.map(time::to_seconds),
            event,
            text,
        }
    }
}

fn told(
    (rule, model): (&Rule, &str),
    reading: &Reading,
    status: Status,
    (since, event): (Option<Micros>, Option<Event>),
) -> String {
    let mut text = format!("{model}: ");
    match &reading.value {
        Value::Known { value, band } => text.push_str(&said(rule.measure, *value, *band, reading.n)),
        Value::Unknown { why } => {
            let _ = write!(text, "{} is not known: {why}", rule.measure);
        }
    }
    let (from, to) = (time::to_seconds(reading.from), time::to_seconds(reading.to));
    let _ = write!(text, ", from {from} to {to}. Rule `{}`: an alarm at {}", rule.name, bound(rule));
    match (since.map(time::to_seconds), status) {
        (Some(since), Status::Firing) => {
            let _ = write!(text, ", since {since}. {}", to_do(rule.measure, model));
        }
        (Some(since), _) if event == Some(Event::Cleared) => {
            let _ = write!(text, "; it had gone on since {since}, and is over.");
        }
        _ => text.push('.'),
    }
    text
}

/// A value in words.
fn said(measure: Measure, value: f64, band: Option<(f64, f64)>, n: u64) -> String {
    let whole = |x: f64| count(x.clamp(0.0, 1e15) as usize);
    let n = count(usize::try_from(n).unwrap_or(usize::MAX));
    match measure {
        Measure::DriftShare => format!("{} of the columns drift", percent(value)),
        Measure::Volume => format!("{} predictions", whole(value)),
        Measure::Latency => format!("99 % of the predictions took at most {}", seconds(value)),
        Measure::Errors => format!("{} of {n} entries have no prediction", percent(value)),
        Measure::Lost => format!("{} predictions could not be logged", whole(value)),
        Measure::Missing => format!("{} of the input values are missing", percent(value)),
        Measure::Maturity => format!("{} of {n} entries have a label", percent(value)),
        Measure::Metric(metric) => {
            let band = band.map_or_else(String::new, |(low, high)| format!(" ({} to {})", number(low), number(high)));
            format!("{} is {}{band} on {n} entries with a label", metric.name(), number(value))
        }
    }
}

fn bound(rule: &Rule) -> String {
    let shown = |x: f64| match rule.measure {
        Measure::DriftShare | Measure::Errors | Measure::Missing | Measure::Maturity => percent(x),
        Measure::Latency => seconds(x),
        Measure::Volume | Measure::Lost => x.to_string(),
        Measure::Metric(_) => number(x),
    };
    match rule.bound {
        Bound::Above(x) => format!("more than {}", shown(x)),
        Bound::Reaches(x) => format!("{} or more", shown(x)),
        Bound::Below(x) => format!("less than {}", shown(x)),
    }
}

fn to_do(measure: Measure, model: &str) -> String {
    match measure {
        Measure::DriftShare => format!(
            "`tabwright monitor report {model}` names the columns. Is it the data that broke, or the world that moved? For the first mend \
             where the data comes from, for the second train on newer rows."
        ),
        Measure::Volume => "Look whether those who ask still do, and whether the log is written.".into(),
        Measure::Latency => "Look at the load of the machine, and at whether a larger version is served.".into(),
        Measure::Errors => {
            format!("`tabwright monitor report {model}` shows what is refused: the form of the data may have changed.")
        }
        Measure::Lost => "Look at the disk and at who may write to the home: what is not logged is not watched.".into(),
        Measure::Missing => {
            format!("`tabwright monitor report {model}` names the columns; look at where they come from.")
        }
        Measure::Maturity => {
            "Look at where the labels come from: without them nobody knows how good the model is.".into()
        }
        Measure::Metric(_) => format!(
            "`tabwright monitor report {model}` shows where it is worst. Train on newer rows, or go back to the version before: \
             `tabwright models rollback {model}`."
        ),
    }
}

/// What is sent: one alert, or those of a group that are due together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The same for the same alerts, however often they are sent.
    pub id: String,
    /// The model.
    pub model: String,
    /// When it was made, RFC 3339.
    pub time: String,
    /// The worst of the severities.
    pub severity: Severity,
    /// `fired` if anything begins, else `still` if anything goes on, else `cleared`.
    pub event: Event,
    /// The group, or the only rule.
    pub group: String,
    /// One line.
    pub subject: String,
    /// All of it for a person.
    pub text: String,
    /// The alerts, the worst first.
    pub alerts: Vec<Alert>,
}

impl Message {
    pub(super) fn new(model: &str, group: String, alerts: Vec<Alert>, due: &[(&str, &Due)], now: Micros) -> Self {
        let has = |event| due.iter().any(|(_, due)| due.event == event);
        let event = [Event::Fired, Event::Still].into_iter().find(|e| has(*e)).unwrap_or(Event::Cleared);
        let severity = alerts.iter().map(|alert| alert.severity).max().unwrap_or_default();
        let word = match event {
            Event::Fired => severity.name().to_owned(),
            Event::Still => format!("still {}", severity.name()),
            _ => "over".into(),
        };
        let what = match alerts.as_slice() {
            [alert] => alert.rule.clone(),
            several => format!("{group} ({} alerts)", several.len()),
        };
        let texts: Vec<&str> = alerts.iter().map(|alert| alert.text.as_str()).collect();
        Message {
            id: id(model, &group, due),
            model: model.to_owned(),
            time: time::to_seconds(now),
            severity,
            event,
            subject: format!("[{word}] {model}: {what}"),
            text: texts.join("\n\n"),
            group,
            alerts,
        }
    }
}

/// Follows from what is told alone, so that who gets it twice can know.
fn id(model: &str, group: &str, due: &[(&str, &Due)]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |text: &str| {
        // With its length, so that no two lists of texts run together.
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    add(model);
    add(group);
    for (rule, due) in due {
        add(rule);
        add(&format!("{:?} {} {}", due.event, due.since, due.reading.to));
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
