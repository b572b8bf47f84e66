//! Looks after logs while a server runs: says when predictions are lost, makes files of days of what was written, and frees what is
//! too old.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tabwright_store::predictions::{Loss, Predictions, Retention};
use tabwright_store::time::{self, Micros};

use crate::app::App;
use crate::log::Logging;
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
#[derive(Debug, Default)]
struct Known {
    dropped: u64,
    /// What was lost and is in no record yet, and since when.
    lost: Option<(u64, Micros)>,
    was_failing: bool,
    spoken: Option<Instant>,
}

/// Looks after the logs of a server until it is dropped.
pub(crate) async fn care(app: Arc<App>, logging: Arc<Logging>) {
    let mut known: BTreeMap<OfModel, Known> = BTreeMap::new();
    let mut clock = tokio::time::interval(LOOK);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let begun = Instant::now();
    let mut next = begun + FIRST;
    loop {
        clock.tick().await;
        look(&app, &logging, &mut known);
        if Instant::now() >= next {
            next = Instant::now() + TIDYING;
            let models: Vec<String> = app.catalog().models.keys().cloned().collect();
            let logging = Arc::clone(&logging);
            // On its own: large logs take their time.
            drop(tokio::task::spawn_blocking(move || tidy(&logging, &models, time::now())));
        }
    }
}

fn look(app: &App, logging: &Logging, known: &mut BTreeMap<OfModel, Known>) {
    let catalog = app.catalog();
    for served in catalog.models.values().flat_map(|entry| entry.versions.values()) {
        let Some(log) = &served.log else { continue };
        let state = log.state();
        let (model, version) = (&served.name, &served.version);
        let of = known.entry(served.labels_of_model.clone()).or_default();
        let now = time::now();
        // A version that was loaded anew counts from 0 again.
        let lost = state.dropped.saturating_sub(of.dropped);
        of.dropped = state.dropped;
        if lost > 0 {
            let (before, since) = of.lost.unwrap_or((0, now));
            of.lost = Some((before + lost, since));
        }
        let is_failing = state.failing.is_some();
        let is_due = of.spoken.is_none_or(|at| at.elapsed() >= PAUSE);
        if (lost > 0 || (is_failing && !of.was_failing)) && is_due {
            let why = state.failing.as_deref().or(state.last_error.as_deref()).unwrap_or("unknown");
            let lost = of.lost.map_or(0, |(rows, _)| rows);
            tracing::error!(model, version, lost, waiting = state.waiting, why, "predictions are not logged");
            of.spoken = Some(Instant::now());
        }
        if of.was_failing && !is_failing {
            tracing::info!(model, version, dropped = state.dropped, "predictions are logged again");
            of.spoken = None;
        }
        of.was_failing = is_failing;
        if let (Some((rows, from)), false) = (of.lost, is_failing) {
            let why = state.last_error.unwrap_or_default();
            let loss = Loss { version: version.clone(), from, to: now, rows, why };
            let noted = Predictions::of(&logging.to.home, model).and_then(|log| log.note_loss(&loss));
            if noted.is_ok() {
                of.lost = None;
            }
        }
    }
}

fn tidy(logging: &Logging, models: &[String], now: Micros) {
    for model in models {
        let tidied = Predictions::of(&logging.to.home, model).and_then(|log| {
            log.compact(now)?;
            log.retain(&Retention { now, ..logging.to.retention })
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

/// Brings what was logged to disk, at the end of a server.
pub(crate) async fn close(app: &App) {
    let catalog = app.catalog();
    for served in catalog.models.values().flat_map(|entry| entry.versions.values()) {
        let Some(log) = &served.log else { continue };
        let flushed = tokio::time::timeout(LAST, log.flush().done()).await;
        if !matches!(flushed, Ok(Ok(()))) {
            let state = log.state();
            let (model, version, waiting) = (&served.name, &served.version, state.waiting);
            tracing::error!(model, version, waiting, why = state.last_error, "the log could not be brought to disk");
        }
    }
}
