//! What is counted, for Prometheus. Labels are bounded: operations, codes and models that are served, never what a caller sends.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64};

use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfModel {
    model: String,
    version: String,
}

/// All counters of a server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Operation, Histogram, fn() -> Histogram>,
    refused: Family<Refused, Counter>,
    in_flight: Gauge,
    connections: Gauge,
    connections_refused: Counter,
    rows: Family<OfModel, Counter>,
    bad_rows: Family<OfModel, Counter>,
    served: Family<OfModel, Gauge>,
    shadow_rows: Family<OfModel, Counter>,
    failed_reloads: Counter,
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
        let mut metrics = Metrics {
            requests: Family::default(),
            seconds: Family::new_with_constructor(latencies as fn() -> Histogram),
            refused: Family::default(),
            in_flight: Gauge::<i64, AtomicI64>::default(),
            connections: Gauge::<i64, AtomicI64>::default(),
            connections_refused: Counter::<u64, AtomicU64>::default(),
            rows: Family::default(),
            bad_rows: Family::default(),
            served: Family::default(),
            shadow_rows: Family::default(),
            failed_reloads: Counter::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests that were answered", metrics.requests.clone());
        registry.register_with_unit(
            "request",
            "Time from the head of a request to its answer",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
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

    /// A connection was one too many.
    pub(crate) fn refuse_connection(&self) {
        self.connections_refused.inc();
    }

    /// A request was answered.
    pub(crate) fn answered(&self, operation: &'static str, status: StatusCode, seconds: f64) {
        self.requests.get_or_create(&Answered { operation, status: status.as_u16() }).inc();
        self.seconds.get_or_create(&Operation { operation }).observe(seconds);
    }

    /// A request was refused.
    pub(crate) fn refused(&self, operation: &'static str, code: &'static str) {
        self.refused.get_or_create(&Refused { operation, code }).inc();
    }

    /// Rows were predicted.
    pub(crate) fn predicted(&self, served: &Served, rows: usize, bad: usize) {
        let labels = of(served);
        self.rows.get_or_create(&labels).inc_by(rows as u64);
        if bad > 0 {
            self.bad_rows.get_or_create(&labels).inc_by(bad as u64);
        }
    }

    /// A shadow was asked about rows.
    pub(crate) fn shadowed(&self, served: &Served, rows: usize) {
        self.shadow_rows.get_or_create(&of(served)).inc_by(rows as u64);
    }

    /// A change could not be taken up.
    pub(crate) fn failed_reload(&self) {
        self.failed_reloads.inc();
    }

    /// Other models are served from now on.
    pub(crate) fn models(&self, catalog: &Catalog) {
        self.served.clear();
        for served in catalog.models.values().flat_map(|entry| entry.versions.values()) {
            let labels = of(served);
            self.served.get_or_create(&labels).set(1);
            // So that it is there, as 0, before its first row.
            drop(self.rows.get_or_create(&labels));
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

fn of(served: &Served) -> OfModel {
    OfModel { model: served.name.clone(), version: served.version.clone() }
}
