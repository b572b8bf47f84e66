//! The table of all routes: what each is called, who may use it, which protocol it speaks, and what answers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request, State};
use axum::routing::{MethodFilter, on};
use tabwright_store::Scope;

use super::call::{self, Call, Response};
use crate::app::App;
use crate::refusal::{Answer, Protocol};
use crate::{documents, infer, mlflow, native, state};

/// What a handler gives back.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Answer<Response>> + Send>>;

/// The methods that routes know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
}

impl Verb {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
        }
    }
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: Verb,
    pub(crate) path: &'static str,
    /// What a caller must be allowed to; nothing for those that all may use.
    pub(crate) scope: Option<Scope>,
    /// What it does, for people.
    pub(crate) about: &'static str,
    /// What logs and metrics call it.
    pub(crate) operation: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) handler: fn(Call) -> Answering,
}

/// A path, who may use it, and its name.
type Place = (&'static str, Option<Scope>, &'static str);

const fn get((path, scope, operation): Place, handler: fn(Call) -> Answering, about: &'static str) -> Route {
    Route { method: Verb::Get, path, scope, about, operation, protocol: Protocol::Native, handler }
}

const fn post(place: Place, handler: fn(Call) -> Answering, about: &'static str) -> Route {
    Route { method: Verb::Post, ..get(place, handler, about) }
}

const fn speaking(protocol: Protocol, route: Route) -> Route {
    Route { protocol, ..route }
}

/// Every route that there is.
pub(crate) static ROUTES: &[Route] = {
    use Protocol::{Infer, Mlflow};
    const ALL: Option<Scope> = None;
    const PREDICT: Option<Scope> = Some(Scope::Predict);
    const READ: Option<Scope> = Some(Scope::Read);
    const WRITE: Option<Scope> = Some(Scope::Write);
    const ADMIN: Option<Scope> = Some(Scope::Admin);
    const ROWS: &str = "Predict rows: JSON, JSON Lines, CSV, Arrow or Parquet";
    const VERSION: &str = "Predict rows with one version";
    const ALIAS: &str = "Predict rows with the version that an alias points to";
    const TENSORS: &str = "Predict tensors, in JSON or binary";
    const ABOUT: &str = "Inputs and outputs of a model";
    const READY: &str = "Whether a model answers";
    &[
        post(("/v1/models/{name}/predict", PREDICT, "predict"), native::predict, ROWS),
        post(("/v1/models/{name}/versions/{version}/predict", PREDICT, "predict"), native::predict, VERSION),
        post(("/v1/models/{name}/aliases/{alias}/predict", PREDICT, "predict"), native::predict, ALIAS),
        get(("/v1/models", PREDICT, "models"), state::models, "The models that are served"),
        get(
            ("/v1/models/{name}", PREDICT, "model"),
            state::model,
            "One model: versions, aliases, inputs, canary, shadow",
        ),
        Route {
            method: Verb::Put,
            ..get(("/v1/models/{name}/canary", WRITE, "canary"), state::set_canary, "Set the share of a canary")
        },
        post(("/v1/reload", ADMIN, "reload"), state::reload, "Take up new settings, files and certificates"),
        get(("/health/live", ALL, "live"), state::live, "Whether the process answers"),
        get(("/health/ready", ALL, "ready"), state::ready, "Whether requests should be sent here"),
        get(("/metrics", READ, "metrics"), state::metrics, "Counters and latencies for Prometheus"),
        get(("/openapi.json", PREDICT, "openapi"), documents::openapi, "This description, for programs"),
        get(("/docs", PREDICT, "docs"), documents::page, "This description, for people"),
        speaking(
            Mlflow,
            post(("/invocations", PREDICT, "invocations"), mlflow::invocations, "MLflow scoring, SageMaker"),
        ),
        speaking(Mlflow, get(("/ping", ALL, "ping"), state::ping, "Whether requests should be sent here, for MLflow")),
        speaking(Mlflow, get(("/version", ALL, "version"), mlflow::version, "The version of the server")),
        speaking(Infer, get(("/v2", PREDICT, "infer_server"), infer::server, "Open Inference Protocol: the server")),
        speaking(Infer, get(("/v2/health/live", ALL, "live"), infer::live, "Whether the process answers")),
        speaking(Infer, get(("/v2/health/ready", ALL, "ready"), infer::ready, "Whether requests should be sent here")),
        speaking(Infer, get(("/v2/models/{name}", PREDICT, "infer_model"), infer::model, ABOUT)),
        speaking(Infer, get(("/v2/models/{name}/versions/{version}", PREDICT, "infer_model"), infer::model, ABOUT)),
        speaking(Infer, get(("/v2/models/{name}/ready", PREDICT, "infer_ready"), infer::model_ready, READY)),
        speaking(
            Infer,
            get(("/v2/models/{name}/versions/{version}/ready", PREDICT, "infer_ready"), infer::model_ready, READY),
        ),
        speaking(Infer, post(("/v2/models/{name}/infer", PREDICT, "infer"), infer::infer, TENSORS)),
        speaking(Infer, post(("/v2/models/{name}/versions/{version}/infer", PREDICT, "infer"), infer::infer, TENSORS)),
    ]
};

/// The routes, ready to be called.
pub(crate) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let filter = match route.method {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Put => MethodFilter::PUT,
        };
        let handler = move |State(app): State<Arc<App>>, params: Params, request: Request<Body>| {
            call::answer(app, route, params.0, request)
        };
        router = router.route(route.path, on(filter, handler));
    }
    let unknown = |State(app): State<Arc<App>>, request: Request<Body>| call::unknown(app, request);
    let other_method = |State(app): State<Arc<App>>, request: Request<Body>| call::other_method(app, request);
    router.fallback(unknown).method_not_allowed_fallback(other_method).with_state(app)
}

/// The parts of a path that have names; nothing if they are no UTF-8.
struct Params(Option<Vec<(String, String)>>);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Params {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, Self::Rejection> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        Ok(Params(params.ok().map(|params| params.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())))
    }
}
