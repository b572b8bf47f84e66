//! The log of predictions: what an answer adds to it, whether the answer waits for the disk, and how logs are looked after.

mod care;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use tabwright_core::metric::Predictions;
use tabwright_core::{Block, Column};
use tabwright_lifecycle::answer::expected_columns;
use tabwright_lifecycle::monitor::logger::CANARY;
use tabwright_lifecycle::monitor::{LogMode, LoggedInputs, LoggedRows, Logger};
use tabwright_model::artifact::Artifact;
use tabwright_model::model::Model;
use tabwright_store::predictions::{Durable, LogOptions, LogState};
use tabwright_store::{CHAMPION, time};

use crate::http::{Params, Response};
use crate::model::{Entry, Served};
use crate::options::LogTo;
use crate::refusal::{Answer, Refusal};

pub(crate) use care::Care;

/// Says of an answer that should be in the log whether it is.
const LOGGED: HeaderName = HeaderName::from_static("x-logged");

/// Where and how predictions are logged.
#[derive(Debug)]
pub(crate) struct Logging {
    pub(crate) to: LogTo,
}

impl Logging {
    /// Opens the log of a version; the disk is not asked yet.
    ///
    /// # Errors
    /// If it cannot be logged as it is asked for.
    pub(crate) fn open(&self, names: (&str, &str), artifact: &Artifact) -> Result<Arc<VersionLog>, String> {
        let settings = &self.to.settings;
        let inputs = of_model(&settings.inputs, names.0, artifact);
        let logger = Logger::open(&self.to.home, names, artifact, &inputs, LogOptions::default());
        let logger = logger.map_err(|e| format!("the predictions of `{}` cannot be logged: {e}", names.0))?;
        let is_durable = settings.mode == LogMode::Durable;
        let version = names.1.to_owned();
        Ok(Arc::new(VersionLog {
            logger,
            version,
            is_durable,
            is_strict: settings.strict,
            unusable: AtomicU64::new(0),
        }))
    }
}

/// The columns that are logged of a model: those that are named and that it reads. Several models may be served that read others.
fn of_model(inputs: &LoggedInputs, name: &str, artifact: &Artifact) -> LoggedInputs {
    let LoggedInputs::Columns(columns) = inputs else { return inputs.clone() };
    let known = expected_columns(artifact.model());
    let (own, others): (Vec<String>, Vec<String>) =
        columns.iter().cloned().partition(|column| known.iter().any(|(name, _)| name == column));
    for column in others {
        tracing::warn!(model = name, column, "log.columns names a column that this model does not read");
    }
    if own.is_empty() { LoggedInputs::Hashes } else { LoggedInputs::Columns(own) }
}

/// The log of one version.
#[derive(Debug)]
pub(crate) struct VersionLog {
    logger: Logger,
    /// What the log calls the version.
    version: String,
    is_durable: bool,
    is_strict: bool,
    /// Rows that could not be made entries.
    unusable: AtomicU64,
}

/// The request behind a prediction.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    id: Arc<str>,
    started: Instant,
    alias: Option<String>,
    is_canary: bool,
}

impl Origin {
    /// Of a request that a version answers.
    pub(crate) fn new(
        (id, started): (Arc<str>, Instant),
        params: &Params,
        entry: &Entry,
        served: &Arc<Served>,
    ) -> Self {
        let is_any = params.version.is_none() && params.alias.is_none();
        let is_canary = is_any && entry.canary.as_ref().is_some_and(|canary| Arc::ptr_eq(&canary.served, served));
        let alias = match &params.alias {
            Some(alias) => Some(alias.clone()),
            None if is_any && !is_canary && served.log.is_some() => main_alias(entry),
            None => None,
        };
        Origin { id, started, alias, is_canary }
    }
}

/// The alias that a request is answered under that names none: the champion, or the only one that points to the version.
fn main_alias(entry: &Entry) -> Option<String> {
    let mut own = entry.aliases.iter().filter(|(_, version)| **version == entry.main.version).map(|(alias, _)| alias);
    let first = own.clone().find(|alias| *alias == CHAMPION).or_else(|| own.next().filter(|_| own.next().is_none()));
    first.cloned()
}

/// The ids of rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RowIds<'a> {
    /// That of the request with the number of the row, from this one on.
    Numbered(usize),
    /// One for each.
    Each(&'a [String]),
    /// Those of a column; numbered from this one on where it has none.
    Of(&'a Column, usize),
}

impl RowIds<'_> {
    fn texts(&self, request: &str, n_rows: usize) -> Vec<String> {
        let numbered = |number: usize| format!("{request}-{number}");
        match self {
            RowIds::Numbered(first) => (0..n_rows).map(|row| numbered(first + row)).collect(),
            RowIds::Each(ids) => ids.to_vec(),
            RowIds::Of(column, first) => {
                let text = |row: usize| match column {
                    Column::Category(ids) => ids.get(row).map(str::to_owned),
                    column if column.is_missing(row) => None,
                    Column::Integer(ids) => Some(ids[row].to_string()),
                    Column::Timestamp(ids) => Some(tabwright_data::format_timestamp(ids[row])),
                    column => Some(tabwright_model::levels::shortest(column.number(row))),
                };
                (0..n_rows).map(|row| text(row).unwrap_or_else(|| numbered(first + row))).collect()
            }
        }
    }
}

/// Rows that were predicted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Predicted<'a> {
    pub(crate) block: &'a Block,
    pub(crate) predictions: &'a Predictions,
    pub(crate) bad: &'a [u32],
    pub(crate) threshold: f64,
    pub(crate) ids: RowIds<'a>,
}

impl VersionLog {
    /// Logs the rows of a document. Nobody is held up; the answer may have to wait.
    pub(crate) fn rows(&self, model: &Model, rows: Predicted<'_>, origin: &Origin) -> Option<Waiting> {
        let micros = i64::try_from(origin.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        let logged = self.with_rows(rows, (origin, Some(micros)), |rows| match self.is_durable {
            true => self.logger.append_durable(model, rows).map(Some),
            false => self.logger.append(model, rows).map(|()| None),
        });
        match logged {
            Ok(durable) => durable.map(|durable| self.waiting(Ok(durable))),
            Err(why) => self.is_durable.then(|| self.waiting(Err(why))),
        }
    }

    /// Logs a block of many; the thread is held up while the queue is full. Says whether it was taken in. How long each row took is not
    /// known: the first waits for the last.
    pub(crate) fn block(&self, model: &Model, rows: Predicted<'_>, origin: &Origin) -> bool {
        self.with_rows(rows, (origin, None), |rows| self.logger.import(model, rows).map(|()| None)).is_ok()
    }

    /// What an answer waits for whose blocks were logged one by one, if all of them were taken in.
    pub(crate) fn all(&self, is_taken_in: bool) -> Option<Waiting> {
        let durable =
            if is_taken_in { Ok(self.logger.flush()) } else { Err("some rows could not be logged".to_owned()) };
        self.is_durable.then(|| self.waiting(durable))
    }

    fn with_rows(
        &self,
        rows: Predicted<'_>,
        (origin, latency): (&Origin, Option<i64>),
        log: impl FnOnce(&LoggedRows<'_>) -> tabwright_lifecycle::Result<Option<Durable>>,
    ) -> Result<Option<Durable>, String> {
        let texts = rows.ids.texts(&origin.id, rows.block.n_rows());
        let ids: Vec<&str> = texts.iter().map(String::as_str).collect();
        let logged = log(&LoggedRows {
            block: rows.block,
            scores: rows.predictions,
            threshold: rows.threshold,
            bad: rows.bad,
            ids: &ids,
            times: &[time::now()],
            latency,
            alias: origin.alias.as_deref(),
            flag: if origin.is_canary { CANARY } else { "" },
        });
        logged.map_err(|error| {
            // What the disk refuses, the log counts and tells by itself.
            if !matches!(error, tabwright_lifecycle::Error::Store(tabwright_store::Error::Log { .. })) {
                self.unusable.fetch_add(rows.block.n_rows() as u64, Ordering::Relaxed);
                tracing::warn!(request_id = %origin.id, why = %error, "predictions cannot be logged");
            }
            error.to_string()
        })
    }

    fn waiting(&self, durable: Result<Durable, String>) -> Waiting {
        Waiting { durable, is_strict: self.is_strict }
    }

    /// What the log calls the version.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// How it is doing.
    pub(crate) fn state(&self) -> LogState {
        let mut state = self.logger.state();
        state.dropped += self.unusable.load(Ordering::Relaxed);
        state
    }

    /// What was logged so far, on its way to the disk.
    pub(crate) fn flush(&self) -> Durable {
        self.logger.flush()
    }
}

/// What an answer waits for.
#[derive(Debug)]
pub(crate) struct Waiting {
    durable: Result<Durable, String>,
    is_strict: bool,
}

/// An answer that was computed.
#[derive(Debug)]
pub(crate) struct Done {
    response: Response,
    waiting: Option<Waiting>,
}

impl From<Response> for Done {
    fn from(response: Response) -> Self {
        Done { response, waiting: None }
    }
}

impl Done {
    /// That is to be sent when the log has it.
    pub(crate) fn after(response: Response, waiting: Option<Waiting>) -> Self {
        Done { response, waiting }
    }

    /// Waits until the log has it; an answer that it could not take in says so, or is refused where that is asked for.
    pub(crate) async fn logged(self) -> Answer<Response> {
        let Done { mut response, waiting } = self;
        let Some(Waiting { durable, is_strict }) = waiting else { return Ok(response) };
        let is_logged = match durable {
            Ok(durable) => durable.done().await.is_ok(),
            Err(_) => false,
        };
        if is_strict && !is_logged {
            let message = "the prediction could not be logged, and log.strict lets no other out; try again";
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "not_logged", message));
        }
        let value = HeaderValue::from_static(if is_logged { "true" } else { "false" });
        response.headers_mut().insert(LOGGED, value);
        Ok(response)
    }
}
