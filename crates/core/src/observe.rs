//! What a long computation is handed instead of a clock, a terminal and a signal handler.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Metric, Warning};

/// What happens while a model is sought. Fields are borrowed: an observer copies what it keeps.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A phase begins ("reading", "cross-validation", "final fit" …).
    Phase {
        /// Its name.
        name: &'a str,
        /// How many steps it has, where that is known.
        steps: Option<usize>,
    },
    /// A step of the phase has ended.
    Step {
        /// What it was, such as `gbdt_leafwise, fold 2`.
        name: &'a str,
    },
    /// The first fit of a candidate begins.
    CandidateBegun {
        /// The candidate.
        candidate: &'a str,
        /// Its type and hyperparameters, as texts.
        params: &'a BTreeMap<String, String>,
        /// The metric that decides.
        metric: Metric,
    },
    /// The last fit of a candidate has ended. One that was stopped before its first fit has not begun.
    CandidateEnded {
        /// The candidate.
        candidate: &'a str,
        /// Its type and hyperparameters, and what was found for them, as texts.
        params: &'a BTreeMap<String, String>,
        /// The metric that decides.
        metric: Metric,
        /// All that was measured.
        measured: &'a [Measurement],
        /// Why it is not complete.
        failure: Option<&'a str>,
        /// Whether it is not complete because the user wished to stop.
        interrupted: bool,
    },
    /// One fold of a candidate was scored.
    Fold {
        /// The candidate.
        candidate: &'a str,
        /// From 0.
        fold: usize,
        /// The selection metric.
        score: f64,
    },
    /// A reader has come this far.
    Progress {
        /// Bytes read.
        done: u64,
        /// Bytes there are, where that is known.
        total: Option<u64>,
    },
    /// Something the user should know.
    Warning(&'a Warning),
}

/// A value that was measured of a candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// What was measured where, such as `cv.roc_auc`.
    pub name: String,
    /// The fold, from 0; 0 where it is of no fold.
    pub step: i64,
    /// The value.
    pub value: f64,
}

/// Is told what happens. Called from several threads at once.
pub trait Observer: Send + Sync {
    /// Takes note of an event.
    fn event(&self, event: Event<'_>);
}

/// An observer that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event<'_>) {}
}

/// The wish to stop: raised by a signal handler, looked at between steps.
#[derive(Debug, Default)]
pub struct Cancel(AtomicBool);

impl Cancel {
    /// A wish that nobody has yet.
    pub const fn new() -> Self {
        Cancel(AtomicBool::new(false))
    }

    /// Asks to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Tells the time to libraries that have no clock of their own.
pub trait Clock: Send + Sync {
    /// Seconds since some fixed moment.
    fn seconds(&self) -> f64;
}

/// A clock that stands still: every duration is 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoClock;

impl Clock for NoClock {
    fn seconds(&self) -> f64 {
        0.0
    }
}

/// What a long computation is handed.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Is told what happens.
    pub observer: &'a dyn Observer,
    /// The wish to stop.
    pub cancel: &'a Cancel,
    /// Measures durations. They are reported and never decide anything.
    pub clock: &'a dyn Clock,
}

impl Context<'static> {
    /// No observer, no clock, never cancelled.
    pub fn silent() -> Self {
        static NEVER: Cancel = Cancel::new();
        Context { observer: &Silent, cancel: &NEVER, clock: &NoClock }
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("cancel", self.cancel).finish_non_exhaustive()
    }
}
