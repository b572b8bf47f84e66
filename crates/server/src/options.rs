//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tabwright_data::ReadOptions;
use tabwright_lifecycle::monitor::LogSettings;
use tabwright_store::predictions::Retention;
use tabwright_store::{Home, Reference};

use crate::model::{CanaryOptions, Source};

/// What a server is started with. What it takes up anew when it is reloaded stands in [`Changing`].
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// An address that others reach needs no token either.
    pub insecure: bool,
    /// A token is needed on loopback too.
    pub require_token: bool,
    /// Connections at a time; beyond, new ones are refused.
    pub connections: usize,
    /// Seconds that a caller has for the head of a request.
    pub header_time: Duration,
    /// How long it goes on answering as before after it was asked to end, so that balancers see that it is not ready.
    pub drain_delay: Duration,
    /// How long requests under way are waited for.
    pub drain_time: Duration,
    /// How long a connection without a request is left open.
    pub idle_time: Duration,
    /// Makes the span of a request part of the trace that its caller names.
    pub continue_trace: Option<ContinueTrace>,
    /// The home that labels are taken in for; none: they are refused.
    pub home: Option<Home>,
    /// Where and how predictions are logged; none: they are not.
    pub log: Option<LogTo>,
    /// What may change while it runs.
    pub changing: Changing,
}

/// Takes a span, and the headers `traceparent` and `tracestate` of its request (W3C Trace Context).
pub type ContinueTrace = fn(&tracing::Span, &str, Option<&str>);

/// Where and how predictions are logged.
#[derive(Debug, Clone)]
pub struct LogTo {
    /// The home that keeps them.
    pub home: Home,
    /// What is logged, and who waits for it.
    pub settings: LogSettings,
    /// What is kept of it; the server fills in the time.
    pub retention: Retention,
}

/// What a server takes up anew when it is reloaded.
#[derive(Debug, Clone, Default)]
pub struct Changing {
    /// The models.
    pub sources: Vec<Source>,
    /// The model of routes that name none.
    pub default: Option<String>,
    /// Versions that answer a share of the requests.
    pub canaries: Vec<CanaryOptions>,
    /// Versions that are asked as well.
    pub shadows: Vec<Reference>,
    /// Certificate and key, both PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// A token for predictions that is in no store.
    pub token: Option<Secret>,
    /// Names that the server goes by, beside those of loopback; empty: any name, where others reach it.
    pub hosts: Vec<String>,
    /// Origins whose pages may ask.
    pub origins: Vec<String>,
    /// What a request may cost.
    pub limits: Limits,
}

/// A text that no log and no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a request may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a JSON document, packed and unpacked.
    pub body: u64,
    /// Bytes of rows in CSV, JSON Lines or Arrow, packed and unpacked.
    pub bulk_body: u64,
    /// Rows of a JSON document.
    pub rows: usize,
    /// Columns of a row.
    pub columns: usize,
    /// Time for the body of a request to come; also the longest wait of files of rows.
    pub request_time: Duration,
    /// Requests that wait for a processor.
    pub queue: usize,
    /// Longest time that a request is expected to wait; beyond, it is refused.
    pub wait: Duration,
}

impl Limits {
    /// How files of rows are read within the limits.
    pub(crate) fn reading(&self, options: &ReadOptions) -> ReadOptions {
        ReadOptions { most_columns: self.columns, most_batch_bytes: Some(self.bulk_body), ..options.clone() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body: 64 << 20,
            bulk_body: 4 << 30,
            rows: 100_000,
            columns: 20_000,
            request_time: Duration::from_secs(60),
            queue: 1024,
            wait: Duration::from_millis(100),
        }
    }
}
