//! What is counted, for Prometheus. Labels are bounded: operations, codes and models that are served, never what a caller sends.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::http::{ROUTES, Route};
use crate::model::{Catalog, Served};

/// Upper bounds of the histogram of latencies, in seconds.
const LATENCIES: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// The type of the text.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    operation: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    operation: &'static str,
    code: &'static str,
}

/// The labels of a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(crate) struct OfModel {
    pub(crate) model: String,
    pub(crate) version: String,
}

/// All counters of a server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    /// For each route of the table how many were answered with 200, and how long all took.
    routes: Vec<(Counter, Histogram)>,
    refused: Family<Refused, Counter>,
    in_flight: Gauge,
    connections: Gauge,
    connections_refused: Counter,
    rows: Family<OfModel, Counter>,
    bad_rows: Family<OfModel, Counter>,
    served: Family<OfModel, Gauge>,
    shadow_rows: Family<OfModel, Counter>,
    logged_rows: Family<OfModel, Counter>,
    unlogged_rows: Family<OfModel, Counter>,
    waiting_rows: Family<OfModel, Gauge>,
    log_failing: Family<OfModel, Gauge>,
    /// The versions that are served.
    known: Mutex<BTreeSet<OfModel>>,
    failed_reloads: Counter,
    pub(crate) overloads: Overloads,
}

/// Requests that were refused because too much was asked.
#[derive(Debug, Default)]
pub(crate) struct Overloads {
    begun: OnceLock<Instant>,
    /// Since they were last told.
    count: AtomicU64,
    /// The second after which they are told again.
    next: AtomicU64,
}

impl Overloads {
    /// Seconds between two lines.
    const PAUSE: u64 = 5;

    /// Counts one more; says how many there were since it last did so, once in a while.
    pub(crate) fn note(&self) -> Option<u64> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let now = self.begun.get_or_init(Instant::now).elapsed().as_secs();
        let next = self.next.load(Ordering::Relaxed);
        let is_due = now >= next;
        let is_mine =
            is_due && self.next.compare_exchange(next, now + Self::PAUSE, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        is_mine.then(|| self.count.swap(0, Ordering::Relaxed))
    }
}

/// One that is there as long as this is.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn latencies() -> Histogram {
    Histogram::new(LATENCIES)
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("tabwright");
        let requests = Family::<Answered, Counter>::default();
        let seconds = Family::<Operation, Histogram, fn() -> Histogram>::new_with_constructor(latencies);
        let of_route = |route: &Route| {
            let operation = route.operation;
            let answered = requests.get_or_create(&Answered { operation, status: 200 }).clone();
            (answered, seconds.get_or_create(&Operation { operation }).clone())
        };
        let mut metrics = Metrics {
            routes: ROUTES.iter().map(of_route).collect(),
            requests,
            refused: Family::default(),
            in_flight: Gauge::<i64, AtomicI64>::default(),
            connections: Gauge::<i64, AtomicI64>::default(),
            connections_refused: Counter::<u64, AtomicU64>::default(),
            rows: Family::default(),
            bad_rows: Family::default(),
            served: Family::default(),
            shadow_rows: Family::default(),
            logged_rows: Family::default(),
            unlogged_rows: Family::default(),
            waiting_rows: Family::default(),
            log_failing: Family::default(),
            known: Mutex::default(),
            failed_reloads: Counter::default(),
            overloads: Overloads::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests that were answered", metrics.requests.clone());
        registry.register_with_unit("request", "Time from the head of a request to its answer", Unit::Seconds, seconds);
        registry.register(
            "refused",
            "Requests that were refused, by the code that the caller got",
            metrics.refused.clone(),
        );
        registry.register("in_flight", "Requests that are being answered", metrics.in_flight.clone());
        registry.register("connections", "Connections that are open", metrics.connections.clone());
        registry.register(
            "connections_refused",
            "Connections that were one too many",
            metrics.connections_refused.clone(),
        );
        registry.register("predicted_rows", "Rows that were predicted", metrics.rows.clone());
        registry.register("unusable_rows", "Rows that could not be used", metrics.bad_rows.clone());
        registry.register("model_served", "1 for each version that is served", metrics.served.clone());
        registry.register("shadow_rows", "Rows that a shadow was asked", metrics.shadow_rows.clone());
        registry.register("logged_rows", "Predictions that were logged", metrics.logged_rows.clone());
        registry.register("unlogged_rows", "Predictions that the log has lost", metrics.unlogged_rows.clone());
        registry.register("log_waiting_rows", "Predictions that wait to be logged", metrics.waiting_rows.clone());
        registry.register("log_failing", "1 while the log cannot be written", metrics.log_failing.clone());
        registry.register("failed_reloads", "Changes that could not be taken up", metrics.failed_reloads.clone());
        metrics.registry = registry;
        metrics
    }

    /// A request begins.
    pub(crate) fn enter(&self) -> Counted {
        self.in_flight.inc();
        Counted(self.in_flight.clone())
    }

    /// A connection begins.
    pub(crate) fn connect(&self) -> Counted {
        self.connections.inc();
        Counted(self.connections.clone())
    }

    /// Connections that are open.
    pub(crate) fn open_connections(&self) -> u64 {
        u64::try_from(self.connections.get()).unwrap_or(0)
    }

    /// A connection was one too many.
    pub(crate) fn refuse_connection(&self) {
        self.connections_refused.inc();
    }

    /// A request for a route of the table was answered.
    pub(crate) fn answered(&self, route: usize, status: StatusCode, seconds: f64) {
        let (answered, latency) = &self.routes[route];
        latency.observe(seconds);
        if status == StatusCode::OK {
            answered.inc();
        } else {
            let operation = ROUTES[route].operation;
            self.requests.get_or_create(&Answered { operation, status: status.as_u16() }).inc();
        }
    }

    /// A request for something that there is not was answered.
    pub(crate) fn answered_unknown(&self, status: StatusCode) {
        self.requests.get_or_create(&Answered { operation: "unknown", status: status.as_u16() }).inc();
    }

    /// A request was refused.
    pub(crate) fn refused(&self, operation: &'static str, code: &'static str) {
        self.refused.get_or_create(&Refused { operation, code }).inc();
    }

    /// Rows were predicted.
    pub(crate) fn predicted(&self, served: &Served, rows: usize, bad: usize) {
        self.rows.get_or_create(&served.labels_of_model).inc_by(rows as u64);
        if bad > 0 {
            self.bad_rows.get_or_create(&served.labels_of_model).inc_by(bad as u64);
        }
    }

    /// A shadow was asked about rows.
    pub(crate) fn shadowed(&self, served: &Served, rows: usize) {
        self.shadow_rows.get_or_create(&served.labels_of_model).inc_by(rows as u64);
    }

    /// A change could not be taken up.
    pub(crate) fn failed_reload(&self) {
        self.failed_reloads.inc();
    }

    /// Other models are served from now on.
    pub(crate) fn models(&self, catalog: &Catalog) {
        let mut now = BTreeSet::new();
        for served in catalog.models.values().flat_map(|entry| entry.versions.values()) {
            self.served.get_or_create(&served.labels_of_model).set(1);
            // So that it is there, as 0, before its first row.
            drop(self.rows.get_or_create(&served.labels_of_model));
            now.insert(served.labels_of_model.clone());
        }
        // What is served no more is counted no more: else there would be ever more of them.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in known.difference(&now) {
            self.served.remove(gone);
            for rows in [&self.rows, &self.bad_rows, &self.shadow_rows, &self.logged_rows, &self.unlogged_rows] {
                rows.remove(gone);
            }
            for gauge in [&self.waiting_rows, &self.log_failing] {
                gauge.remove(gone);
            }
        }
        *known = now;
    }

    /// Takes up how the logs are doing.
    pub(crate) fn logs(&self, catalog: &Catalog) {
        for served in catalog.models.values().flat_map(|entry| entry.versions.values()) {
            let (Some(log), of) = (&served.log, &served.labels_of_model) else { continue };
            let state = log.state();
            for (rows, count) in [(&self.logged_rows, state.written), (&self.unlogged_rows, state.dropped)] {
                rows.get_or_create(of).inner().store(count, Ordering::Relaxed);
            }
            self.waiting_rows.get_or_create(of).set(i64::try_from(state.waiting).unwrap_or(i64::MAX));
            self.log_failing.get_or_create(of).set(i64::from(state.failing.is_some()));
        }
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            let _ = writeln!(text, "# EOF");
        }
        text
    }
}
