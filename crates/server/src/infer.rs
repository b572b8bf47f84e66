//! Open Inference Protocol, version 2: one tensor for each column in, the prediction and the probabilities out, as JSON or in the
//! binary extension.
//!
//! # References
//! <https://github.com/open-inference/open-inference-protocol>: `inference_rest.md` and `extension_binary_data.md`.

mod answer;
mod request;
mod tensor;

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tabwright_core::Kind;

use crate::http::{Answering, Call, Response, json_response};
use crate::log::{Done, Origin};
use crate::model::{Served, Wanted};
use crate::native::wanted;
use crate::refusal::Answer;
use crate::state::readiness;
use crate::work::{self, Going};

/// The header with the length of the JSON before binary tensors.
pub(crate) const HEADER_LENGTH: &str = "inference-header-content-length";

fn done(status: StatusCode, value: &Value) -> Answering {
    Box::pin(std::future::ready(Ok(json_response(status, value.to_string()))))
}

/// `GET /v2`.
pub(crate) fn server(_: Call) -> Answering {
    let about =
        json!({"name": "tabwright", "version": env!("CARGO_PKG_VERSION"), "extensions": ["binary_tensor_data"]});
    done(StatusCode::OK, &about)
}

/// `GET /v2/health/live`.
pub(crate) fn live(_: Call) -> Answering {
    done(StatusCode::OK, &json!({"live": true}))
}

/// `GET /v2/health/ready`.
pub(crate) fn ready(call: Call) -> Answering {
    let (status, _) = readiness(&call.app);
    done(status, &json!({"ready": status == StatusCode::OK}))
}

/// `GET /v2/models/{name}`.
pub(crate) fn model(call: Call) -> Answering {
    Box::pin(async move {
        let catalog = call.app.catalog();
        let entry = catalog.entry(call.name())?;
        let served = entry.find(wanted(&call.params))?;
        let inputs: Vec<Value> = served
            .expected
            .iter()
            .map(|(name, kind)| json!({"name": name, "datatype": datatype(*kind), "shape": [-1]}))
            .collect();
        let mut outputs =
            vec![json!({"name": answer::PREDICTION, "datatype": answer::datatype(served), "shape": [-1]})];
        if !served.labels.is_empty() {
            outputs
                .push(json!({"name": answer::PROBABILITIES, "datatype": "FP64", "shape": [-1, served.labels.len()]}));
        }
        let about = json!({
            "name": served.name,
            "versions": entry.versions.keys().collect::<Vec<_>>(),
            "platform": "tabwright",
            "inputs": inputs,
            "outputs": outputs,
        });
        Ok(json_response(StatusCode::OK, about.to_string()))
    })
}

/// The type of the tensor that a column is asked for as. Any other type that can hold its values will do.
fn datatype(kind: Kind) -> &'static str {
    match kind {
        Kind::Float => "FP64",
        Kind::Integer => "INT64",
        Kind::Boolean => "BOOL",
        Kind::Categorical | Kind::Text | Kind::Timestamp => "BYTES",
    }
}

/// `GET /v2/models/{name}/ready`.
pub(crate) fn model_ready(call: Call) -> Answering {
    Box::pin(async move {
        let catalog = call.app.catalog();
        let served = catalog.entry(call.name())?.find(wanted(&call.params))?;
        let (status, _) = readiness(&call.app);
        let about = json!({"name": served.name, "ready": status == StatusCode::OK});
        Ok(json_response(status, about.to_string()))
    })
}

/// `POST /v2/models/{name}/infer`.
pub(crate) fn infer(call: Call) -> Answering {
    Box::pin(run(call))
}

async fn run(call: Call) -> Answer<Response> {
    let catalog = call.app.catalog();
    let entry = Arc::clone(catalog.entry(call.name())?);
    let header_length = request::header_length(call.header(HEADER_LENGTH))?;
    let Call { app, settings, parts, body, id, params, started } = call;
    let mut turn = work::queue(&app, &settings.limits, &parts.headers)?;
    let bytes = turn.read_whole(&parts.headers, body).await?;
    let choose = |wanted: Wanted<'_>| {
        let served = entry.choose(wanted, |canary| work::standing(&app.ids, canary, (None, &parts.headers), |_| None));
        served.map(Arc::clone)
    };
    let served: Arc<Served> = choose(wanted(&params))?;
    let origin = Origin::new((id, started), &params, &entry, &served);
    let compute = {
        let (served, app, settings) = (Arc::clone(&served), Arc::clone(&app), Arc::clone(&settings));
        move |_: &Going| {
            let request = request::read(&served, &bytes, header_length, &settings.limits)?;
            let predictions = served.predict(&request.block);
            app.metrics.predicted(&served, request.block.n_rows(), 0);
            let waiting = served.log_all(&request.block, &predictions, &origin);
            app.shadows.ask(&app, &entry, (&served, &predictions), || {
                Box::new(move |shadow| {
                    let limits = crate::options::Limits::default();
                    request::read(shadow, &bytes, header_length, &limits).ok().map(|request| request.block)
                })
            });
            let response = answer::write(&served, &request, &predictions);
            served.shape.give_back(request.block);
            Ok(Done::after(response?, waiting))
        }
    };
    turn.compute(&served, compute).await
}
