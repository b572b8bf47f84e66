//! What a rule would have done over history, and how often that would have been right.

use serde::{Deserialize, Serialize};

use super::judge::{Event, State, Verdict, judge};
use super::rule::Rule;
use super::{Micros, Reading};

/// What is known of a part of history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeriodKind {
    /// Nothing happened: an alarm is a false one.
    Quiet,
    /// Something happened that should be noticed.
    Drifted,
}

/// A part of history of which it is known what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Where it begins.
    pub from: Micros,
    /// Where it ends, exclusive.
    pub to: Micros,
    /// What happened.
    pub kind: PeriodKind,
}

/// An alarm of history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// Where the first window begins that made it fire.
    pub since: Micros,
    /// When it fired: the end of a window.
    pub fired: Micros,
    /// When it was over; none: it goes on at the end.
    pub until: Option<Micros>,
}

/// What happened on the periods on which nothing should have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quiet {
    /// Windows that lie in such periods and are known.
    pub windows: u64,
    /// Windows among them that broke the bound by themselves.
    pub broken: u64,
    /// Alarms that fired with one of them.
    pub false_alarms: u64,
    /// False alarms by window; none where there is no window.
    pub rate: Option<f64>,
}

/// Whether a period was noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Noticed {
    /// Where it begins.
    pub from: Micros,
    /// Where it ends, exclusive.
    pub to: Micros,
    /// The end of the first window of it with which an alarm was on; none: it was not noticed.
    pub at: Option<Micros>,
    /// How long after its beginning that was.
    pub after: Option<Micros>,
    /// Whether the alarm had fired before the period began: it then says little.
    pub already: bool,
}

/// What a rule would have done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtest {
    /// The rule.
    pub rule: String,
    /// Windows that were judged.
    pub windows: u64,
    /// Windows among them whose value is not known.
    pub unknown: u64,
    /// How often it would have fired.
    pub fired: u64,
    /// How often somebody would have been told: alarms, reminders and ends.
    pub told: u64,
    /// When it would have fired first.
    pub first: Option<Micros>,
    /// For how long there was an alarm, in all.
    pub duration: Micros,
    /// Share of the windows after which there was an alarm; none where there is no window.
    pub share_in_alarm: Option<f64>,
    /// The alarms, in their order.
    pub alarms: Vec<Alarm>,
    /// The periods on which nothing happened, together; none where none is named.
    pub quiet: Option<Quiet>,
    /// Each of the periods in which something happened.
    pub drifted: Vec<Noticed>,
}

/// A window after which an alarm was on, or was not.
struct Step {
    from: Micros,
    to: Micros,
    verdict: Verdict,
    has_fired: bool,
    /// When the alarm fired that is on after the window.
    on_since: Option<Micros>,
}

/// Goes through the readings of history, which are in ascending order, as if each message had been sent.
pub fn backtest(rule: &Rule, readings: &[Reading], periods: &[Period]) -> Backtest {
    let (mut state, mut alarms, mut steps, mut told) = (State::default(), Vec::<Alarm>::new(), Vec::new(), 0);
    for reading in readings {
        let judged = judge(rule, &state, reading);
        if judged.event == Event::Stale {
            continue;
        }
        state = judged.state;
        match judged.event {
            Event::Fired => {
                let since = state.firing.as_ref().map_or(reading.from, |firing| firing.since);
                alarms.push(Alarm { since, fired: reading.to, until: None });
            }
            Event::Cleared => {
                if let Some(alarm) = alarms.last_mut() {
                    alarm.until = Some(reading.to);
                }
            }
            _ => {}
        }
        told += u64::from(state.due.is_some());
        state.told();
        steps.push(Step {
            from: reading.from,
            to: reading.to,
            verdict: judged.verdict,
            has_fired: judged.event == Event::Fired,
            on_since: state.firing.as_ref().map(|firing| firing.fired),
        });
    }
    let end = steps.last().map_or(0, |step| step.to);
    let lasted = |alarm: &Alarm| alarm.until.unwrap_or(end).saturating_sub(alarm.fired);
    let in_alarm = steps.iter().filter(|s| s.on_since.is_some()).count();
    Backtest {
        rule: rule.name.clone(),
        windows: steps.len() as u64,
        unknown: steps.iter().filter(|s| s.verdict == Verdict::Unknown).count() as u64,
        fired: alarms.len() as u64,
        told,
        first: alarms.first().map(|alarm| alarm.fired),
        duration: alarms.iter().map(lasted).fold(0, Micros::saturating_add),
        share_in_alarm: (!steps.is_empty()).then(|| in_alarm as f64 / steps.len() as f64),
        quiet: quiet(&steps, periods),
        drifted: periods.iter().filter(|p| p.kind == PeriodKind::Drifted).map(|p| noticed(&steps, p)).collect(),
        alarms,
    }
}

fn quiet(steps: &[Step], periods: &[Period]) -> Option<Quiet> {
    let mut quiet = periods.iter().filter(|p| p.kind == PeriodKind::Quiet).peekable();
    quiet.peek()?;
    let quiet: Vec<&Period> = quiet.collect();
    // A window that lies in a quiet period only in part may have seen something.
    let inside = |step: &&Step| quiet.iter().any(|period| period.from <= step.from && step.to <= period.to);
    let known: Vec<&Step> = steps.iter().filter(inside).filter(|s| s.verdict != Verdict::Unknown).collect();
    let false_alarms = known.iter().filter(|s| s.has_fired).count();
    Some(Quiet {
        windows: known.len() as u64,
        broken: known.iter().filter(|s| s.verdict == Verdict::Broken).count() as u64,
        false_alarms: false_alarms as u64,
        rate: (!known.is_empty()).then(|| false_alarms as f64 / known.len() as f64),
    })
}

fn noticed(steps: &[Step], period: &Period) -> Noticed {
    let overlaps = |step: &&Step| step.from < period.to && period.from < step.to;
    let first = steps.iter().filter(overlaps).find_map(|step| Some((step.to, step.on_since?)));
    Noticed {
        from: period.from,
        to: period.to,
        at: first.map(|(at, _)| at),
        after: first.map(|(at, _)| at.saturating_sub(period.from)),
        already: first.is_some_and(|(_, fired)| fired <= period.from),
    }
}
