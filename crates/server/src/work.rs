//! Where predictions are computed: in a queue, then on the thread at hand if they are small, else on one of their own.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::HeaderMap;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::admission::{Admission, Place};
use crate::app::App;
use crate::http::{RequestBody, Response, is_packed, length, read_whole};
use crate::id::Ids;
use crate::log::Done;
use crate::model::{Canary, Served, place_of};
use crate::options::Limits;
use crate::refusal::{Answer, Refusal};

/// Bytes of a body from which on a thread of its own computes it, so that small ones need not wait: about what takes a
/// millisecond.
const HEAVY: u64 = 64 << 10;

/// The header with the key that decides whether a canary answers.
const ROUTING_KEY: &str = "x-routing-key";

/// The queues of requests.
#[derive(Debug)]
pub(crate) struct Queues {
    /// Of those that are computed where they are read.
    small: Admission,
    /// Of those that are large enough to hold a thread.
    large: Admission,
    /// Of rows in the formats of files.
    files: Admission,
    /// Requests that are computed on threads of their own at a time: as many as there are processors.
    threads: Arc<Semaphore>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Queue {
    Small,
    Large,
    Files,
}

impl Queues {
    pub(crate) fn new(processors: usize) -> Self {
        Queues {
            small: Admission::new(processors),
            large: Admission::new(processors),
            files: Admission::of_files(processors),
            threads: Arc::new(Semaphore::new(processors)),
        }
    }

    fn of(&self, queue: Queue) -> &Admission {
        match queue {
            Queue::Small => &self.small,
            Queue::Large => &self.large,
            Queue::Files => &self.files,
        }
    }
}

/// A queue that is held as long as anybody is in it.
struct Held(Arc<App>, Queue);

impl Deref for Held {
    type Target = Admission;

    fn deref(&self) -> &Admission {
        self.0.queues.of(self.1)
    }
}

/// Whether somebody waits for an answer that is being computed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Going(Option<Arc<AtomicBool>>);

impl Going {
    /// Ends work whose caller is gone.
    pub(crate) fn check(&self) -> Answer<()> {
        match &self.0 {
            Some(is_gone) if is_gone.load(Ordering::Relaxed) => Err(Refusal::bad("cut_off", "the caller is gone")),
            _ => Ok(()),
        }
    }
}

/// Tells work when whoever waits for it is dropped.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A request's place in the queue of its kind.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    app: &'a Arc<App>,
    limits: &'a Limits,
    place: Place<&'a Admission>,
    queue: Queue,
    /// Whether it is computed on a thread of its own.
    is_heavy: bool,
}

/// Takes a place for a request with a document, by what its head says.
pub(crate) fn queue<'a>(app: &'a Arc<App>, limits: &'a Limits, headers: &HeaderMap) -> Answer<Turn<'a>> {
    let is_small = length(headers).is_some_and(|length| length <= HEAVY) && !is_packed(headers);
    Turn::new(app, limits, if is_small { Queue::Small } else { Queue::Large })
}

/// Takes a place for a request with rows in the format of a file: few bytes of those can hold many rows.
pub(crate) fn queue_rows<'a>(app: &'a Arc<App>, limits: &'a Limits) -> Answer<Turn<'a>> {
    Turn::new(app, limits, Queue::Files)
}

impl<'a> Turn<'a> {
    fn new(app: &'a Arc<App>, limits: &'a Limits, queue: Queue) -> Answer<Self> {
        let place = app.queues.of(queue).enter(limits)?;
        Ok(Turn { app, limits, place, queue, is_heavy: queue != Queue::Small })
    }

    /// Waits for a body.
    pub(crate) async fn reading<T>(&mut self, reading: impl Future<Output = Answer<T>>) -> Answer<T> {
        self.place.outside(reading).await
    }

    /// Reads a document, unpacked.
    pub(crate) async fn read_whole(&mut self, headers: &HeaderMap, body: RequestBody) -> Answer<Bytes> {
        let limits = self.limits;
        let whole = self.reading(read_whole(headers, body, limits.body, limits.request_time)).await?;
        if !whole.is_packed() {
            return whole.unpack();
        }
        let thread = self.thread().await?;
        let unpacking = tokio::task::spawn_blocking(move || {
            let _thread = thread;
            whole.unpack()
        });
        unpacking.await.map_err(|e| Refusal::internal(&e))?
    }

    /// Gives it a thread of its own, whatever its size.
    pub(crate) fn make_heavy(&mut self) {
        self.is_heavy = true;
    }

    /// Waits for a processor and computes an answer of a model; every answer says which version gave it.
    pub(crate) async fn compute(
        mut self,
        served: &Served,
        work: impl FnOnce(&Going) -> Answer<Done> + Send + 'static,
    ) -> Answer<Response> {
        self.place.enter(self.limits)?;
        let answered = if self.is_heavy {
            let thread = self.thread().await?;
            let is_gone = Arc::new(AtomicBool::new(false));
            let _waiting = Waiting(Arc::clone(&is_gone));
            let mut place = self.place.held_by(Held(Arc::clone(self.app), self.queue));
            // Whoever goes away gives nothing back before the work has ended.
            let computing = tokio::task::spawn_blocking(move || {
                place.begin();
                let answered = work(&Going(Some(is_gone)));
                drop((place, thread));
                answered
            });
            computing.await.map_err(|e| Refusal::internal(&e))?
        } else {
            if self.app.queues.small.may_be_crowded(self.app.metrics.open_connections(), self.limits) {
                // The others of this moment are to be counted before this one is computed.
                tokio::task::yield_now().await;
            }
            self.place.begin();
            let answered = work(&Going::default());
            drop(self.place);
            answered
        };
        let of_model = |refusal: Box<Refusal>| refusal.of_model(&served.name, &served.version);
        let mut response = answered.map_err(of_model)?.logged().await.map_err(of_model)?;
        served.headers.add(response.headers_mut());
        Ok(response)
    }

    async fn thread(&self) -> Answer<OwnedSemaphorePermit> {
        Arc::clone(&self.app.queues.threads).acquire_owned().await.map_err(|e| Refusal::internal(&e))
    }
}

/// Where a request stands between 0 and 1, for the share of a canary: by the value of its key column, else by the key that the
/// caller gave, else by chance.
pub(crate) fn standing(
    ids: &Ids,
    canary: &Canary,
    (key, headers): (Option<&str>, &HeaderMap),
    of_row: impl FnOnce(&str) -> Option<String>,
) -> f64 {
    let of_column = canary.key.as_deref().and_then(of_row);
    let given = || key.or_else(|| headers.get(ROUTING_KEY)?.to_str().ok()).map(str::to_owned);
    match of_column.or_else(given) {
        Some(key) => place_of(&canary.served.name, &key),
        None => ids.chance(),
    }
}
