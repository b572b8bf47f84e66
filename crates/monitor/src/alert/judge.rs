//! One window at a time: from a state and a reading to the next state.
//!
//! What fires slowly also clears slowly: a value between the bound and `clear` does neither. A value with a confidence band breaks the
//! bound only where the band as a whole does, so that few labels raise no alarm. What is not known changes nothing.

use serde::{Deserialize, Serialize};

use super::rule::Rule;
use super::{Micros, Reading, Value};

/// What one window says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It breaks the bound.
    Broken,
    /// It is on the good side of where an alarm ends.
    Calm,
    /// It is between the two, or its confidence band is.
    Between,
    /// It is not known.
    Unknown,
}

/// What became of a rule with a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An alarm begins, and is due to be told.
    Fired,
    /// It goes on, and is due to be told again.
    Still,
    /// It goes on, and is not told again yet.
    Silent,
    /// It is over, and that is due to be told.
    Cleared,
    /// There is no alarm.
    Quiet,
    /// The value is not known; an alarm that goes on goes on.
    Unknown,
    /// The window was judged before; nothing has changed.
    Stale,
}

/// An alarm that goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Firing {
    /// Where the first of the windows begins that made it fire.
    pub since: Micros,
    /// Where the window ends with which it fired.
    pub fired: Micros,
    /// Where the window ended with which it was last told of.
    pub told: Option<Micros>,
}

/// What somebody is to be told and has not been told yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Due {
    /// [`Event::Fired`], [`Event::Still`] or [`Event::Cleared`].
    pub event: Event,
    /// Since when there is, or was, an alarm.
    pub since: Micros,
    /// The window that it is due with.
    pub reading: Reading,
}

/// What is known of a rule between two windows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Where the last window ends that was judged.
    pub judged: Option<Micros>,
    /// Windows in a row that broke the bound.
    pub broken: u32,
    /// Where the first of them begins.
    pub broken_since: Option<Micros>,
    /// Windows in a row that were calm while there is an alarm.
    pub calm: u32,
    /// The alarm that goes on.
    pub firing: Option<Firing>,
    /// What is to be told.
    pub due: Option<Due>,
}

impl State {
    /// Notes that what was due was told.
    pub fn told(&mut self) {
        if let Some(due) = self.due.take()
            && let Some(firing) = &mut self.firing
        {
            firing.told = Some(due.reading.to);
        }
    }

    /// Goes back to a moment, for a clock that had run ahead: windows from there on are judged, though later ones were.
    pub fn rewind(&mut self, to: Micros) {
        self.judged = self.judged.map(|judged| judged.min(to));
        if let Some(firing) = &mut self.firing {
            firing.told = firing.told.map(|told| told.min(to));
        }
    }
}

/// What became of a rule with a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The state after it.
    pub state: State,
    /// What happened.
    pub event: Event,
    /// What the window said.
    pub verdict: Verdict,
}

/// Judges one window. A window that does not end after the last one that was judged changes nothing.
pub fn judge(rule: &Rule, state: &State, reading: &Reading) -> Judged {
    let verdict = verdict(rule, reading);
    if state.judged.is_some_and(|judged| reading.to <= judged) {
        return Judged { state: state.clone(), event: Event::Stale, verdict };
    }
    let mut next = state.clone();
    next.judged = Some(reading.to);
    let event = match (verdict, next.firing.is_some()) {
        (Verdict::Unknown, _) => Event::Unknown,
        (Verdict::Calm, true) => calm(rule, &mut next, reading),
        (_, true) => {
            next.calm = 0;
            goes_on(rule, &mut next, reading)
        }
        (Verdict::Broken, false) => broken(rule, &mut next, reading),
        (_, false) => {
            (next.broken, next.broken_since) = (0, None);
            Event::Quiet
        }
    };
    Judged { state: next, event, verdict }
}

fn verdict(rule: &Rule, reading: &Reading) -> Verdict {
    let (value, band) = match reading.value {
        Value::Known { value, band } if !value.is_nan() => (value, band),
        _ => return Verdict::Unknown,
    };
    let (low, high) = match band {
        // A band with an end that is not known says nothing against any value.
        Some((low, high)) if low.is_nan() || high.is_nan() => return Verdict::Unknown,
        Some((low, high)) => (low.min(value), high.max(value)),
        None => (value, value),
    };
    // The end of the band that lies nearest to the good side.
    let mildest = if rule.bound.is_upper() { low } else { high };
    let is_clear = match (rule.clear, rule.bound.is_upper()) {
        (None, _) => true,
        (Some(clear), true) => value <= clear,
        (Some(clear), false) => value >= clear,
    };
    match (rule.bound.is_broken_by(mildest), rule.bound.is_broken_by(value)) {
        (true, _) => Verdict::Broken,
        (false, false) if is_clear => Verdict::Calm,
        _ => Verdict::Between,
    }
}

fn broken(rule: &Rule, state: &mut State, reading: &Reading) -> Event {
    state.broken = state.broken.saturating_add(1);
    let since = *state.broken_since.get_or_insert(reading.from);
    if state.broken < rule.fire_after {
        return Event::Quiet;
    }
    (state.broken, state.broken_since, state.calm) = (0, None, 0);
    state.firing = Some(Firing { since, fired: reading.to, told: None });
    state.due = Some(Due { event: Event::Fired, since, reading: reading.clone() });
    Event::Fired
}

fn calm(rule: &Rule, state: &mut State, reading: &Reading) -> Event {
    state.calm = state.calm.saturating_add(1);
    if state.calm < rule.clear_after {
        return goes_on(rule, state, reading);
    }
    let since = state.firing.take().map_or(reading.from, |firing| firing.since);
    state.calm = 0;
    state.due = Some(Due { event: Event::Cleared, since, reading: reading.clone() });
    Event::Cleared
}

/// An alarm that was never told of stays due with its first window.
fn goes_on(rule: &Rule, state: &mut State, reading: &Reading) -> Event {
    let Some(firing) = &state.firing else { return Event::Quiet };
    let is_long_ago = firing.told.is_some_and(|told| reading.to.saturating_sub(told) >= rule.silence);
    if state.due.is_some() || !is_long_ago {
        return Event::Silent;
    }
    state.due = Some(Due { event: Event::Still, since: firing.since, reading: reading.clone() });
    Event::Still
}
