//! What the server says about itself: health, metrics, models; and what may be changed while it runs.

use std::sync::Arc;

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::json;
use tabwright_data::{JsonReader, JsonValue};
use tokio::sync::oneshot;

use crate::app::App;
use crate::http::{Answering, Call, Response, bytes_response, json_response, read_whole};
use crate::metrics;
use crate::model::{Canary, Catalog, Entry};
use crate::refusal::{Answer, Refusal};

/// Bytes of a body that changes something.
const SMALL: u64 = 1 << 16;

fn done(answer: Answer<Response>) -> Answering {
    Box::pin(std::future::ready(answer))
}

fn json_of(value: &serde_json::Value) -> Answer<Response> {
    Ok(json_response(StatusCode::OK, value.to_string()))
}

/// `GET /health/live`: the process answers.
pub(crate) fn live(_: Call) -> Answering {
    done(json_of(&json!({"status": "live"})))
}

/// Whether requests should be sent here, with the status of the answer that says so.
pub(crate) fn readiness(app: &App) -> (StatusCode, &'static str) {
    if app.is_draining() { (StatusCode::SERVICE_UNAVAILABLE, "draining") } else { (StatusCode::OK, "ready") }
}

/// `GET /health/ready`: requests should be sent here.
pub(crate) fn ready(call: Call) -> Answering {
    let (status, text) = readiness(&call.app);
    done(Ok(json_response(status, json!({"status": text}).to_string())))
}

/// `GET /ping`, of MLflow and SageMaker.
pub(crate) fn ping(call: Call) -> Answering {
    let (status, _) = readiness(&call.app);
    done(Ok(bytes_response(status, "application/json", Bytes::from_static(b"\n"))))
}

/// `GET /metrics`.
pub(crate) fn metrics(call: Call) -> Answering {
    call.app.metrics.logs(&call.app.catalog());
    done(Ok(bytes_response(StatusCode::OK, metrics::CONTENT_TYPE, Bytes::from(call.app.metrics.text()))))
}

/// `GET /v1/models`.
pub(crate) fn models(call: Call) -> Answering {
    let catalog = call.app.catalog();
    let all: Vec<serde_json::Value> = catalog.models.values().map(|entry| described(entry, &catalog)).collect();
    done(json_of(&json!({"models": all})))
}

/// `GET /v1/models/{name}`.
pub(crate) fn model(call: Call) -> Answering {
    let catalog = call.app.catalog();
    let entry = catalog.entry(call.name());
    done(entry.and_then(|entry| json_of(&described(entry, &catalog))))
}

fn described(entry: &Entry, catalog: &Catalog) -> serde_json::Value {
    let served = &entry.main;
    let model = served.model();
    let inputs: Vec<serde_json::Value> =
        served.expected.iter().map(|(name, kind)| json!({"name": name, "kind": kind.name()})).collect();
    let versions: Vec<serde_json::Value> = entry
        .versions
        .values()
        .map(|version| json!({"version": version.version, "content_id": version.artifact.content_id()}))
        .collect();
    let mut out = json!({
        "name": served.name,
        "version": served.version,
        "is_default": catalog.unnamed().is_ok_and(|default| default.main.name == served.name),
        "task": model.task().name(),
        "type": model.candidate_type(),
        "target": model.signature().target,
        "inputs": inputs,
        "versions": versions,
        "aliases": entry.aliases,
    });
    let labels = model.task().labels();
    if !labels.is_empty() {
        // As predictions have them: whole numbers as such.
        let as_json = |label: &String| serde_json::from_str(label).unwrap_or_else(|_| json!(label));
        out["classes"] = served.labels.iter().map(as_json).collect();
    }
    if labels.len() == 2 {
        out["threshold"] = json!(model.threshold());
    }
    if let Some(Canary { served, share, key, .. }) = &entry.canary {
        out["canary"] = json!({"version": served.version, "share": share, "key": key});
    }
    if let Some(log) = &served.log {
        let state = log.state();
        out["log"] = json!({"written": state.written, "dropped": state.dropped, "waiting": state.waiting, "failing": state.failing});
    }
    if let Some(shadow) = &entry.shadow {
        let compared = shadow.comparison.read(!labels.is_empty());
        out["shadow"] = json!({"version": shadow.served.version, "compared": compared});
    }
    out
}

/// `PUT /v1/models/{name}/canary`: another share, until the next reload.
pub(crate) fn set_canary(call: Call) -> Answering {
    Box::pin(async move {
        let name = call.name().to_owned();
        let Call { app, settings, parts, body, .. } = call;
        let body = read_whole(&parts.headers, body, SMALL, settings.limits.request_time).await?.unpack()?;
        let share = share_of(&body)?;
        let changed = app.change_catalog(|catalog| {
            let mut catalog = Catalog { models: catalog.models.clone(), default: catalog.default.clone() };
            let changed = with_share(&mut catalog, &name, share);
            (catalog, changed)
        })?;
        tracing::info!(model = name, share, "the share of the canary was set");
        json_of(&described(&changed, &app.catalog()))
    })
}

fn with_share(catalog: &mut Catalog, name: &str, share: f64) -> Answer<Arc<Entry>> {
    catalog.entry(name)?;
    let entry = catalog.models.get_mut(name).map(Arc::make_mut);
    let Some(canary) = entry.and_then(|entry| entry.canary.as_mut()) else {
        let message = format!("`{name}` has no canary; start the server with --canary {name}@ALIAS=SHARE");
        return Err(Refusal::new(StatusCode::CONFLICT, "no_canary", message));
    };
    canary.share = share;
    canary.is_set = true;
    catalog.entry(name).map(Arc::clone)
}

fn share_of(body: &[u8]) -> Answer<f64> {
    let wrong = || Refusal::bad("bad_share", "send {\"share\": 0.1}, a number from 0 to 1");
    let text = std::str::from_utf8(body).map_err(|_| wrong())?;
    let mut share = None;
    let mut reader = JsonReader::new(text);
    reader.object(&mut String::new(), |reader, key| -> Answer<()> {
        match (key, reader.value(&mut String::new())?) {
            ("share", JsonValue::Number(number)) => share = number.parse::<f64>().ok(),
            _ => return Err(wrong()),
        }
        Ok(())
    })?;
    reader.end("something follows the document")?;
    share.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(wrong)
}

/// `POST /v1/reload`: as SIGHUP does.
pub(crate) fn reload(call: Call) -> Answering {
    Box::pin(async move {
        let (answer, answered) = oneshot::channel();
        let ending = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "the server is about to end");
        call.app.reload.send(answer).await.map_err(|_| ending())?;
        match answered.await {
            Ok(Ok(())) => json_of(&json!({"status": "reloaded"})),
            Ok(Err(_)) => {
                let message = "the change could not be taken up, what was served before is served on; the log says why";
                Err(Refusal::new(StatusCode::CONFLICT, "not_reloaded", message))
            }
            Err(_) => Err(ending()),
        }
    })
}
