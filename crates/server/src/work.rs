//! Where predictions are computed: in a queue, then on the thread at hand if they are small, else on one of their own.

use axum::http::HeaderMap;
use bytes::Bytes;

use crate::admission::Place;
use crate::app::App;
use crate::http::{RequestBody, Response, is_packed, length, name_model, read_whole};
use crate::id::Ids;
use crate::model::{Canary, Served, place_of};
use crate::options::Limits;
use crate::refusal::{Answer, Refusal};

/// Bytes of a body from which on a thread of its own computes it, so that small ones need not wait: about what takes as long as to
/// hand it over and be woken ten times.
const HEAVY: u64 = 16 << 10;

/// The header with the key that decides whether a canary answers.
const ROUTING_KEY: &str = "x-routing-key";

/// A request's place in the queue of its kind.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    app: &'a App,
    limits: &'a Limits,
    place: Place<'a>,
    is_heavy: bool,
}

/// Takes a place for a request with a document, by what its head says.
pub(crate) fn queue<'a>(app: &'a App, limits: &'a Limits, headers: &HeaderMap) -> Answer<Turn<'a>> {
    let is_small = length(headers).is_some_and(|length| length <= HEAVY) && !is_packed(headers);
    let admission = if is_small { &app.small } else { &app.large };
    Ok(Turn { app, limits, place: admission.enter(limits)?, is_heavy: !is_small })
}

/// Takes a place for a request with rows in the format of a file: few bytes of those can hold many rows.
pub(crate) fn queue_rows<'a>(app: &'a App, limits: &'a Limits) -> Answer<Turn<'a>> {
    Ok(Turn { app, limits, place: app.files.enter(limits)?, is_heavy: true })
}

impl Turn<'_> {
    /// Waits for a body.
    pub(crate) async fn reading<T>(&mut self, reading: impl Future<Output = Answer<T>>) -> Answer<T> {
        self.place.outside(reading).await
    }

    /// Reads a JSON document, or another that is read whole.
    pub(crate) async fn read_whole(&mut self, headers: &HeaderMap, body: RequestBody) -> Answer<Bytes> {
        let limits = self.limits;
        self.reading(read_whole(headers, body, limits.body, limits.request_time)).await
    }

    /// Waits for a processor and computes an answer of a model; every answer says which version gave it.
    pub(crate) async fn compute(
        mut self,
        served: &Served,
        work: impl FnOnce() -> Answer<Response> + Send + 'static,
    ) -> Answer<Response> {
        self.place.enter(self.limits)?;
        let answered = if self.is_heavy {
            let _processor = self.app.processors.acquire().await.map_err(|e| Refusal::internal(&e))?;
            self.place.begin();
            tokio::task::spawn_blocking(work).await.map_err(|e| Refusal::internal(&e))?
        } else {
            // The others of this moment are to be counted before this one is computed.
            tokio::task::yield_now().await;
            self.place.begin();
            work()
        };
        drop(self);
        let mut response = answered.map_err(|refusal| refusal.of_model(&served.name, &served.version))?;
        name_model(response.headers_mut(), &served.name, &served.version);
        Ok(response)
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
