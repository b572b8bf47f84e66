//! Judges the rules of a model against its windows, keeps what was judged and told, and makes messages of what is due.
//!
//! A run holds the lock of its model from [`AlertRun::open`] to its end, so two at a time neither judge a window twice nor tell it
//! twice. Sending is [`crate::notify`]'s matter; a message counts as told once [`AlertRun::told`] was called, so one that nobody got is
//! made again by the next run, with the same id.

mod file;
mod message;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use tabwright_monitor::alert::{self, Backtest, Due, Measure, Micros, Period, Reading, Rule, Value, grouped};
use tabwright_store::time;

use crate::error::{Error, Result};
use file::{Kept, StateFile};

pub use file::FILE;
pub use message::{Alert, Message, Status};

/// Most windows that one run judges of one rule, if none was judged for long; the last ones.
const MOST_WINDOWS: i64 = 100;

/// Most windows that are replayed of one rule: eleven years of hours are a tenth of it.
const MOST_HISTORY: i64 = 1_000_000;

/// Measures windows of a model.
pub trait Readings {
    /// Measures one window, from and to (exclusive).
    ///
    /// # Errors
    /// If it cannot be measured now. What is not known, such as a metric without labels, is a [`Reading`] that says so.
    fn read(&mut self, measure: Measure, window: (Micros, Micros)) -> Result<Reading>;
}

/// What a run found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// The model.
    pub model: String,
    /// When it was judged, RFC 3339.
    pub time: String,
    /// Each rule, in the order that they were given.
    pub rules: Vec<Judged>,
    /// What is to be sent.
    pub messages: Vec<Message>,
}

impl Judgement {
    /// Whether there is an alarm now.
    pub fn is_firing(&self) -> bool {
        self.rules.iter().any(|rule| rule.alert.status == Status::Firing)
    }
}

/// What a run found of one rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// The rule as it stands now.
    #[serde(flatten)]
    pub alert: Alert,
    /// Windows that this run judged.
    pub windows: usize,
    /// Windows that were passed over, because too many had not been judged.
    pub passed_over: i64,
    /// Why windows were not judged that should have been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The alerts of one model, held by this process.
#[derive(Debug)]
pub struct AlertRun {
    model: String,
    file: StateFile,
}

impl AlertRun {
    /// Takes the lock of a model and reads what was judged before. The folder is that of its predictions; it is made if need be.
    ///
    /// # Errors
    /// [`Error::Data`] if another process holds the lock, or the file of the state is torn or somebody else's.
    pub fn open(folder: &Path, model: &str) -> Result<Self> {
        Ok(AlertRun { model: model.to_owned(), file: StateFile::open(folder, model)? })
    }

    /// Judges every window of each rule that is whole and was not judged yet, and says what is due. Rules that are given no more are
    /// forgotten, and a rule that now means something else begins afresh.
    ///
    /// # Errors
    /// [`Error::Config`] for a rule that cannot be judged or a name that is there twice. A reading that fails is told in the outcome
    /// of its rule, whose windows are then judged by the next run.
    pub fn judge(&mut self, rules: &[Rule], readings: &mut dyn Readings, now: Micros) -> Result<Judgement> {
        let mut names = BTreeSet::new();
        for rule in rules {
            rule.validate().map_err(|e| Error::Config(format!("alerts.rules.{}.{e}", rule.name)))?;
            if !names.insert(rule.name.as_str()) {
                return Err(Error::Config(format!(
                    "there are two rules `{}`; give one of them another name",
                    rule.name
                )));
            }
        }
        self.file.rules.retain(|name, _| names.contains(name.as_str()));
        let judged: Vec<Judged> = rules.iter().map(|rule| self.judge_rule(rule, readings, now)).collect();
        Ok(Judgement {
            model: self.model.clone(),
            time: time::to_seconds(now),
            rules: judged,
            messages: self.due(rules, now),
        })
    }

    /// How rules stood when they were last judged, in the order of the rules; those that never were are left out. Takes no lock and judges
    /// nothing.
    ///
    /// # Errors
    /// As [`AlertRun::open`], but for the lock.
    pub fn standing(folder: &Path, model: &str, rules: &[Rule]) -> Result<Vec<Alert>> {
        let kept = file::read(&folder.join(file::FILE), model)?;
        let judged = rules.iter().filter_map(|rule| Some((rule, kept.get(&rule.name)?)));
        Ok(judged.filter(|(_, kept)| kept.last.is_some()).map(|(rule, kept)| kept.alert(rule, model, None)).collect())
    }

    /// Notes that somebody got a message.
    pub fn told(&mut self, message: &Message) {
        for alert in &message.alerts {
            if let Some(kept) = self.file.rules.get_mut(&alert.rule) {
                kept.state.told();
            }
        }
    }

    /// Brings to disk what was judged and told.
    ///
    /// # Errors
    /// [`Error::Write`] if that cannot be written; what was there before is then still there.
    pub fn save(&self) -> Result<()> {
        self.file.save()
    }

    fn judge_rule(&mut self, rule: &Rule, readings: &mut dyn Readings, now: Micros) -> Judged {
        let kept = self.file.rules.entry(rule.name.clone()).or_default();
        kept.begin(rule);
        let mut problem = kept.clock(rule, now);
        let end = rule.last_end(now);
        let begin = kept.state.judged.unwrap_or(end.saturating_sub(rule.window));
        let missed = end.saturating_sub(begin).max(0) / rule.window;
        let passed_over = (missed - MOST_WINDOWS).max(0);
        let mut windows = 0;
        let mut event = None;
        for back in (0..missed - passed_over).rev() {
            let to = end - back * rule.window;
            let reading = match readings.read(rule.measure, (to - rule.window, to)) {
                Ok(reading) => settled(reading),
                Err(error) => {
                    problem = Some(format!("the window up to {} was not judged: {error}", time::to_seconds(to)));
                    break;
                }
            };
            let judged = alert::judge(rule, &kept.state, &reading);
            (kept.state, kept.last, event) = (judged.state, Some(reading), Some(judged.event));
            windows += 1;
        }
        if problem.is_none() && kept.begun(rule, readings, (end, now)) {
            event = Some(alert::Event::Fired);
        }
        let alert = kept.alert(rule, &self.model, event);
        Judged { alert, windows, passed_over, problem }
    }

    /// What is to be told, by groups.
    fn due(&self, rules: &[Rule], now: Micros) -> Vec<Message> {
        let state = |rule: &Rule| self.file.rules.get(&rule.name).map(|kept| &kept.state);
        let due: Vec<(&Rule, &Due)> =
            rules.iter().filter_map(|rule| Some((rule, state(rule)?.due.as_ref()?))).collect();
        let of_due: Vec<&Rule> = due.iter().map(|(rule, _)| *rule).collect();
        grouped(&of_due)
            .into_iter()
            .map(|group| {
                let alerts = group.rules.iter().map(|i| Alert::due(due[*i].0, &self.model, due[*i].1)).collect();
                let ends = group.rules.iter().map(|i| (&*due[*i].0.name, due[*i].1)).collect::<Vec<_>>();
                Message::new(&self.model, group.name, alerts, &ends, now)
            })
            .collect()
    }
}

/// Says what a rule would have done from one moment to another, over the windows that lie wholly between them.
///
/// # Errors
/// [`Error::Config`] for a rule that cannot be judged or a stretch of more than a million windows; else what a reading fails with.
pub fn backtest(
    rule: &Rule,
    readings: &mut dyn Readings,
    (from, to): (Micros, Micros),
    periods: &[Period],
) -> Result<Backtest> {
    rule.validate().map_err(|e| Error::Config(format!("alerts.rules.{}.{e}", rule.name)))?;
    let into = from.rem_euclid(rule.window);
    let begin = if into == 0 { from } else { from.saturating_add(rule.window - into) };
    let windows = to.saturating_sub(begin).max(0) / rule.window;
    if windows > MOST_HISTORY {
        return Err(Error::Config(format!(
            "rule `{}`: {windows} windows lie in that time, and at most {MOST_HISTORY} are replayed; choose a later beginning or a longer \
             window",
            rule.name
        )));
    }
    let window = |i: i64| (begin + i * rule.window, begin + (i + 1) * rule.window);
    let history = (0..windows).map(|i| readings.read(rule.measure, window(i)).map(settled));
    Ok(alert::backtest(rule, &history.collect::<Result<Vec<_>>>()?, periods))
}

/// Entries of a window that is not whole from which on shares of them are believed.
const ENOUGH: u64 = 30;

impl Kept {
    fn alert(&self, rule: &Rule, model: &str, event: Option<alert::Event>) -> Alert {
        let since = self.state.firing.as_ref().map(|firing| firing.since);
        Alert::now(rule, model, self.last.as_ref(), since, event)
    }

    /// Looks at the window that has begun and is not whole: what breaks the bound already need not wait for its end. It is judged again
    /// when it is whole. A volume cannot be judged so, nor a rule that asks for several windows, nor few entries.
    fn begun(&mut self, rule: &Rule, readings: &mut dyn Readings, window: (Micros, Micros)) -> bool {
        let is_early =
            rule.fire_after == 1 && rule.delay == 0 && rule.measure != Measure::Volume && self.state.firing.is_none();
        if !is_early || window.0 >= window.1 {
            return false;
        }
        let Ok(reading) = readings.read(rule.measure, window).map(settled) else { return false };
        if reading.n < ENOUGH && rule.measure != Measure::Lost {
            return false;
        }
        let judged = alert::judge(rule, &self.state, &reading);
        if judged.event != alert::Event::Fired {
            return false;
        }
        let whole = self.state.judged;
        (self.state, self.last) = (judged.state, Some(reading));
        self.state.judged = whole;
        true
    }

    /// Begins afresh where the rule of this name was another.
    fn begin(&mut self, rule: &Rule) {
        let is_same =
            self.measure == Some(rule.measure) && self.bound == Some(rule.bound) && self.window == rule.window;
        if !is_same {
            let (measure, bound) = (Some(rule.measure), Some(rule.bound));
            *self = Kept { measure, bound, window: rule.window, ..Kept::default() };
        }
    }

    /// Looks whether the clock says that what was judged has not been yet. It may be wrong now, or have been wrong then: it is
    /// believed once it has said so for a whole window. Until then nothing is judged, so that nothing is judged twice.
    fn clock(&mut self, rule: &Rule, now: Micros) -> Option<String> {
        let Some(judged) = self.state.judged.filter(|judged| *judged > now) else {
            self.behind = None;
            return None;
        };
        // A clock that goes back further still has jumped again.
        let first = self.behind.map_or(now, |first| first.min(now));
        self.behind = Some(first);
        if now.saturating_sub(first) >= rule.window {
            self.state.rewind(rule.last_end(now).saturating_sub(rule.window));
            self.behind = None;
            return Some(format!(
                "the clock had run ahead to {}; windows are judged from now on",
                time::to_seconds(judged)
            ));
        }
        Some(format!(
            "the clock was set back: it is {}, and windows up to {} were judged; nothing is judged before that, or before the clock \
             has said so for {} s",
            time::to_seconds(now),
            time::to_seconds(judged),
            rule.window / 1_000_000
        ))
    }
}

/// A reading that can be written down and read again: no number without end, none that is no number.
fn settled(mut reading: Reading) -> Reading {
    let bounded = |x: f64| x.clamp(f64::MIN, f64::MAX);
    let why = match &mut reading.value {
        Value::Known { value, .. } if value.is_nan() => "it is not defined on these entries",
        Value::Known { band: Some((low, high)), .. } if low.is_nan() || high.is_nan() => {
            "its confidence band is not known"
        }
        Value::Known { value, band } => {
            *value = bounded(*value);
            *band = band.map(|(low, high)| (bounded(low), bounded(high)));
            return reading;
        }
        Value::Unknown { .. } => return reading,
    };
    reading.value = Value::Unknown { why: why.to_owned() };
    reading
}
