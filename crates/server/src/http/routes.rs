//! The table of all routes: what each is called, who may use it, which protocol it speaks, and what answers.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;

use axum::http::Method;
use tabwright_store::Scope;

use super::call::{Call, Response};
use crate::refusal::{Answer, Protocol};
use crate::{documents, infer, labels, mlflow, native, state};

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

    /// Whether a method is this one: what may be got may be asked for its head.
    fn is(self, method: &Method) -> bool {
        match self {
            Verb::Get => method == Method::GET || method == Method::HEAD,
            Verb::Post => method == Method::POST,
            Verb::Put => method == Method::PUT,
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
        post(
            ("/v1/models/{name}/labels", WRITE, "labels"),
            labels::take,
            "Say what turned out to be true of predictions",
        ),
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

/// The routes by their paths: those of one path are its methods.
static PATHS: LazyLock<matchit::Router<Vec<usize>>> = LazyLock::new(|| {
    let mut paths = matchit::Router::new();
    for (index, first) in ROUTES.iter().enumerate() {
        let same = || (0..ROUTES.len()).filter(|&other| ROUTES[other].path == first.path);
        if same().next() == Some(index) {
            paths
                .insert(first.path, same().collect())
                .expect("invariant: paths of routes do not contradict each other");
        }
    }
    paths
});

/// The parts of a path that have names.
#[derive(Debug, Default)]
pub(crate) struct Params {
    /// Of a model.
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) alias: Option<String>,
}

/// What a path and a method lead to.
#[derive(Debug)]
pub(super) enum Found {
    /// A route, by its place in the table, and the parts of the path.
    Route(usize, Params),
    /// A route whose path is no text.
    NoText,
    /// A path with other methods.
    OtherMethod(Vec<&'static str>),
    Nothing,
}

/// Finds the route of a request.
pub(super) fn find(method: &Method, path: &str) -> Found {
    let Ok(matched) = PATHS.at(path) else { return Found::Nothing };
    let Some(&index) = matched.value.iter().find(|&&index| ROUTES[index].method.is(method)) else {
        return Found::OtherMethod(matched.value.iter().map(|&index| ROUTES[index].method.name()).collect());
    };
    let mut params = Params::default();
    for (name, value) in matched.params.iter() {
        let Ok(text) = percent_encoding::percent_decode_str(value).decode_utf8() else { return Found::NoText };
        let part = match name {
            "name" => &mut params.name,
            "version" => &mut params.version,
            _ => &mut params.alias,
        };
        *part = Some(text.into_owned());
    }
    Found::Route(index, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods_lead_to_routes() {
        let Found::Route(index, params) = find(&Method::POST, "/v1/models/a%20b/versions/2/predict") else { panic!() };
        assert_eq!((ROUTES[index].operation, params.name.as_deref()), ("predict", Some("a b")));
        assert_eq!((params.version.as_deref(), params.alias), (Some("2"), None));
        assert!(matches!(find(&Method::HEAD, "/health/live"), Found::Route(..)));
        assert!(matches!(find(&Method::GET, "/v1/models/a/predict"), Found::OtherMethod(m) if m == ["POST"]));
        assert!(matches!(find(&Method::GET, "/v1/models/%ff"), Found::NoText));
        assert!(matches!(find(&Method::GET, "/v1/models/"), Found::Nothing));
        for (index, route) in ROUTES.iter().enumerate() {
            let method = Method::from_bytes(route.method.name().as_bytes()).unwrap();
            assert!(matches!(find(&method, route.path), Found::Route(found, _) if found == index), "{}", route.path);
        }
    }
}
