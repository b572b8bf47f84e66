//! Looks after logs while a server runs: says when predictions are lost, makes files of days of what was written, and frees what is
//! too old. Logs of versions that are served no more are closed here, so that no request waits for their disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tabwright_store::predictions::{Loss, Predictions, Retention};
use tabwright_store::time::{self, Micros};
use tokio::sync::oneshot;

use super::{Logging, VersionLog};
use crate::app::App;
use crate::metrics::OfModel;

/// How often it is asked how logs are doing.
const LOOK: Duration = Duration::from_secs(1);
/// How often a log that goes on losing predictions is spoken of.
const PAUSE: Duration = Duration::from_secs(10);
/// How often files are made of what was written.
const TIDYING: Duration = Duration::from_secs(3600);
/// When that is done first.
const FIRST: Duration = Duration::from_secs(60);
/// How long the end waits for what is on its way to the disk.
const LAST: Duration = Duration::from_secs(5);

/// What is known of the log of a version.
#[derive(Debug)]
struct Known {
    of: OfModel,
    log: Arc<VersionLog>,
    dropped: u64,
    /// What was lost and is in no record yet, and since when.
    lost: Option<(u64, Micros)>,
    was_failing: bool,
    spoken: Option<Instant>,
}

/// The logs of a server.
#[derive(Debug)]
pub(crate) struct Care {
    app: Arc<App>,
    logging: Arc<Logging>,
    known: Vec<Known>,
}

impl Care {
    pub(crate) fn new(app: Arc<App>, logging: Arc<Logging>) -> Self {
        Care { app, logging, known: Vec::new() }
    }

    /// Looks after the logs until the server ends, and brings them to disk then.
    pub(crate) async fn run(mut self, mut ended: oneshot::Receiver<()>) {
        let mut clock = tokio::time::interval(LOOK);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut next = Instant::now() + FIRST;
        loop {
            tokio::select! {
                _ = &mut ended => break,
                _ = clock.tick() => {}
            }
            // Losses are noted on a disk that may be slow.
            tokio::task::block_in_place(|| self.look());
            if Instant::now() >= next {
                next = Instant::now() + TIDYING;
                let models: Vec<String> = self.app.catalog().models.keys().cloned().collect();
                let logging = Arc::clone(&self.logging);
                // On its own: large logs take their time.
                drop(tokio::task::spawn_blocking(move || tidy(&logging, &models, time::now())));
            }
        }
        self.close().await;
    }

    fn look(&mut self) {
        self.meet();
        for known in &mut self.known {
            known.look(&self.logging, false);
        }
        let (retired, kept) =
            std::mem::take(&mut self.known).into_iter().partition(|known| Arc::strong_count(&known.log) == 1);
        self.known = kept;
        for mut known in retired {
            let logging = Arc::clone(&self.logging);
            drop(tokio::task::spawn_blocking(move || {
                // Its end is waited for by nobody but this thread.
                let _ = known.log.flush().wait();
                known.look(&logging, true);
            }));
        }
    }

    /// Takes up the logs that are new.
    fn meet(&mut self) {
        let catalog = self.app.catalog();
        for served in catalog.models.values().flat_map(|entry| entry.versions.values()) {
            let Some(log) = &served.log else { continue };
            if !self.known.iter().any(|known| Arc::ptr_eq(&known.log, log)) {
                let (of, log) = (served.labels_of_model.clone(), Arc::clone(log));
                self.known.push(Known { of, log, dropped: 0, lost: None, was_failing: false, spoken: None });
            }
        }
    }

    /// Brings what was logged to disk, at the end of a server, and notes what was lost until then.
    async fn close(mut self) {
        self.meet();
        let flushing: Vec<_> = self.known.iter().map(|known| known.log.flush()).collect();
        let until = tokio::time::Instant::now() + LAST;
        for (known, durable) in self.known.iter_mut().zip(flushing) {
            if !matches!(tokio::time::timeout_at(until, durable.done()).await, Ok(Ok(()))) {
                let (state, of) = (known.log.state(), &known.of);
                let (model, version, waiting) = (&of.model, &of.version, state.waiting);
                tracing::error!(
                    model,
                    version,
                    waiting,
                    why = state.last_error,
                    "the log could not be brought to disk"
                );
                // What waits now will not be written any more.
                let (before, since) = known.lost.unwrap_or((0, time::now()));
                known.lost = Some((before + state.waiting, since));
            }
        }
        let logging = Arc::clone(&self.logging);
        let mut all = self.known;
        let noting = tokio::task::spawn_blocking(move || all.iter_mut().for_each(|known| known.look(&logging, true)));
        let _ = tokio::time::timeout_at(until + LAST, noting).await;
    }
}

impl Known {
    /// Sees how a log is doing, and says what a person should know. What was lost is noted when the log can be written again, or when it
    /// is seen for the last time.
    fn look(&mut self, logging: &Logging, is_last: bool) {
        let state = self.log.state();
        let (model, version) = (&self.of.model, &self.of.version);
        let now = time::now();
        let lost = state.dropped.saturating_sub(self.dropped);
        self.dropped = state.dropped;
        if lost > 0 {
            let (before, since) = self.lost.unwrap_or((0, now));
            self.lost = Some((before + lost, since));
        }
        let is_failing = state.failing.is_some();
        let is_due = self.spoken.is_none_or(|at| at.elapsed() >= PAUSE);
        if (lost > 0 || (is_failing && !self.was_failing)) && is_due {
            let why = state.failing.as_deref().or(state.last_error.as_deref()).unwrap_or("unknown");
            let lost = self.lost.map_or(0, |(rows, _)| rows);
            tracing::error!(model, version, lost, waiting = state.waiting, why, "predictions are not logged");
            self.spoken = Some(Instant::now());
        }
        // It may have failed and recovered between two looks.
        let is_well_again = !is_failing && (self.was_failing || self.spoken.is_some()) && lost == 0;
        if is_well_again {
            tracing::info!(model, version, dropped = state.dropped, "predictions are logged again");
            self.spoken = None;
        }
        self.was_failing = is_failing;
        if let (Some((rows, from)), true) = (self.lost, is_last || !is_failing) {
            let why = state.last_error.unwrap_or_default();
            let loss = Loss { version: self.log.version().to_owned(), from, to: now, rows, why };
            if Predictions::of(&logging.to.home, model).and_then(|log| log.note_loss(&loss)).is_ok() {
                self.lost = None;
            }
        }
    }
}

fn tidy(logging: &Logging, models: &[String], now: Micros) {
    for model in models {
        let tidied = Predictions::of(&logging.to.home, model).and_then(|log| {
            // On a full disk nothing can be compacted before something is freed.
            let compacted = log.compact(now);
            let freed = log.retain(&Retention { now, ..logging.to.retention })?;
            compacted.map(|_| freed)
        });
        match tidied {
            Ok(freed) if freed.parts > 0 => {
                tracing::info!(model, days = freed.days.len(), bytes = freed.bytes, "old predictions were freed");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(model, why = %error, "the log could not be tidied; it is tried again later"),
        }
    }
}
