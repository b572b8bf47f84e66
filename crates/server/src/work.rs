//! Where predictions are computed: in the queue, then on the thread at hand if they are small, else on one of its own.

use axum::http::HeaderMap;

use crate::app::App;
use crate::http::{Response, name_model};
use crate::id::Ids;
use crate::model::{Canary, Served, place_of};
use crate::options::Limits;
use crate::refusal::{Answer, Refusal};

/// Bytes of a body from which on a thread of its own reads it, so that small ones need not wait.
pub(crate) const HEAVY: usize = 256 << 10;

/// The header with the key that decides whether a canary answers.
const ROUTING_KEY: &str = "x-routing-key";

/// Waits for a processor and computes an answer of a model; every answer says which version gave it.
pub(crate) async fn run(
    app: &App,
    limits: &Limits,
    served: &Served,
    is_heavy: bool,
    work: impl FnOnce() -> Answer<Response> + Send + 'static,
) -> Answer<Response> {
    let mut place = app.admission.enter(limits).await?;
    let answered = if is_heavy {
        let _turn = app.heavy.acquire().await.map_err(|e| Refusal::internal(&e))?;
        place.begin();
        tokio::task::spawn_blocking(work).await.map_err(|e| Refusal::internal(&e))?
    } else {
        place.begin();
        work()
    };
    drop(place);
    let mut response = answered.map_err(|refusal| refusal.of_model(&served.name, &served.version))?;
    name_model(response.headers_mut(), &served.name, &served.version);
    Ok(response)
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
