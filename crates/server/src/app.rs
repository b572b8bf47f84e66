//! What all requests share: the models at this moment, who may ask, what is counted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tabwright_store::Home;

use crate::auth::Tokens;
use crate::id::Ids;
use crate::labels::LabelLogs;
use crate::metrics::Metrics;
use crate::model::Catalog;
use crate::options::{Changing, ContinueTrace};
use crate::shadow::ShadowQueue;
use crate::work::Queues;

/// The state of a server.
#[derive(Debug)]
pub(crate) struct App {
    catalog: RwLock<Arc<Catalog>>,
    settings: RwLock<Arc<Changing>>,
    tokens: RwLock<Arc<Tokens>>,
    draining: AtomicBool,
    /// Whether loopback is all that is listened on.
    pub(crate) is_loopback: bool,
    pub(crate) ids: Ids,
    pub(crate) metrics: Metrics,
    pub(crate) queues: Queues,
    pub(crate) shadows: ShadowQueue,
    pub(crate) labels: LabelLogs,
    /// Makes the span of a request part of the trace of its caller.
    pub(crate) continue_trace: Option<ContinueTrace>,
    /// Asks for a reload; answered with what went wrong.
    pub(crate) reload: tokio::sync::mpsc::Sender<tokio::sync::oneshot::Sender<Result<(), String>>>,
}

/// What an [`App`] begins with.
pub(crate) struct Beginning {
    pub(crate) catalog: Catalog,
    pub(crate) settings: Changing,
    pub(crate) tokens: Tokens,
    pub(crate) is_loopback: bool,
    pub(crate) ids: Ids,
    pub(crate) home: Option<Home>,
    pub(crate) continue_trace: Option<ContinueTrace>,
    pub(crate) reload: tokio::sync::mpsc::Sender<tokio::sync::oneshot::Sender<Result<(), String>>>,
}

impl App {
    /// Begins. Needs a runtime.
    pub(crate) fn new(beginning: Beginning) -> Arc<Self> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let metrics = Metrics::new();
        metrics.models(&beginning.catalog);
        Arc::new(App {
            catalog: RwLock::new(Arc::new(beginning.catalog)),
            settings: RwLock::new(Arc::new(beginning.settings)),
            tokens: RwLock::new(Arc::new(beginning.tokens)),
            draining: AtomicBool::new(false),
            is_loopback: beginning.is_loopback,
            ids: beginning.ids,
            metrics,
            queues: Queues::new(processors),
            shadows: ShadowQueue::start(),
            labels: LabelLogs::new(beginning.home),
            continue_trace: beginning.continue_trace,
            reload: beginning.reload,
        })
    }

    /// The models at this moment.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes up other models; requests under way keep theirs.
    #[cfg(test)]
    pub(crate) fn set_catalog(&self, catalog: Catalog) {
        self.metrics.models(&catalog);
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
    }

    /// Takes up a catalog that is made from the one before, while no other can come between; requests under way keep theirs.
    pub(crate) fn change_catalog<T>(&self, make: impl FnOnce(&Catalog) -> (Catalog, T)) -> T {
        let mut current = self.catalog.write().unwrap_or_else(PoisonError::into_inner);
        let (catalog, made) = make(&current);
        *current = Arc::new(catalog);
        made
    }

    /// The settings at this moment.
    pub(crate) fn settings(&self) -> Arc<Changing> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_settings(&self, settings: Changing) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// The tokens at this moment.
    pub(crate) fn tokens(&self) -> Arc<Tokens> {
        Arc::clone(&self.tokens.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_tokens(&self, tokens: Tokens) {
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tokens);
    }

    /// Whether a caller needs a token.
    pub(crate) fn needs_token(&self) -> bool {
        self.tokens().is_required()
    }

    /// Whether it was asked to end.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// From now on it is not ready, and connections end with their next answer.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}
