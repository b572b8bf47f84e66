//! The section `serve`: how models are served.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::train::parse_bytes;

/// How models are served. Times are seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// The address to listen on.
    pub host: String,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The model of routes that name none; empty: the only one.
    pub default: String,
    /// Whether an address that others reach needs no token either.
    pub insecure: bool,
    /// Whether loopback needs a token too.
    pub require_token: bool,
    /// A token for predictions that is in no store: `env:NAME` or `file:PATH`.
    pub token: String,
    /// The certificate, PEM; empty: no TLS.
    pub tls_certificate: String,
    /// Its key, PEM.
    pub tls_key: String,
    /// Names that the server goes by.
    pub hosts: Vec<String>,
    /// Origins whose pages may ask.
    pub origins: Vec<String>,
    /// Versions that answer a share of the requests: `NAME@ALIAS` or `NAME:VERSION`, and the share.
    pub canary: BTreeMap<String, f64>,
    /// For a model the column whose value decides whether its canary answers.
    pub canary_key: BTreeMap<String, String>,
    /// Versions that are asked as well, and whose answers nobody gets.
    pub shadow: Vec<String>,
    /// Threads that answer; 0: one for each core.
    pub threads: usize,
    /// Bytes of a JSON document.
    pub max_body: String,
    /// Bytes of rows as CSV, JSON Lines or Arrow.
    pub max_bulk_body: String,
    /// Rows of a JSON document.
    pub max_rows: usize,
    /// Columns of a row.
    pub max_columns: usize,
    /// Connections at a time.
    pub max_connections: usize,
    /// Requests that wait for a processor.
    pub max_queue: usize,
    /// Longest time that a request is expected to wait for a processor.
    pub max_wait: f64,
    /// Time for the head of a request.
    pub header_time: f64,
    /// How long a connection without a request is left open.
    pub idle_time: f64,
    /// Time for the body of a request to come; also the longest wait of files of rows.
    pub request_time: f64,
    /// How long it answers on after it was asked to end.
    pub drain_delay: f64,
    /// How long requests under way are waited for.
    pub drain_time: f64,
    /// `text` or `json`.
    pub log_format: String,
    /// Such as `info`, or `tabwright_server=debug`.
    pub log_level: String,
    /// Where traces go by the OpenTelemetry protocol; empty: nowhere.
    pub otel_endpoint: String,
}

impl Default for ServeConfig {
    fn default() -> Self {
        ServeConfig {
            host: "127.0.0.1".into(),
            port: 8080,
            default: String::new(),
            insecure: false,
            require_token: false,
            token: String::new(),
            tls_certificate: String::new(),
            tls_key: String::new(),
            hosts: Vec::new(),
            origins: Vec::new(),
            canary: BTreeMap::new(),
            canary_key: BTreeMap::new(),
            shadow: Vec::new(),
            threads: 0,
            max_body: "64MB".into(),
            max_bulk_body: "4GB".into(),
            max_rows: 100_000,
            max_columns: 20_000,
            max_connections: 1024,
            max_queue: 1024,
            max_wait: 0.1,
            header_time: 10.0,
            idle_time: 75.0,
            request_time: 60.0,
            drain_delay: 0.0,
            drain_time: 30.0,
            log_format: "text".into(),
            log_level: "info".into(),
            otel_endpoint: String::new(),
        }
    }
}

impl ServeConfig {
    /// Bytes of a JSON document and of rows, as limits.
    ///
    /// # Errors
    /// If one of the two is no size.
    pub fn body_limits(&self) -> Result<(u64, u64)> {
        let bytes = |name: &str, text: &str| parse_bytes(text).map_err(|e| Error::Config(format!("serve.{name}: {e}")));
        Ok((bytes("max_body", &self.max_body)?, bytes("max_bulk_body", &self.max_bulk_body)?))
    }
}
