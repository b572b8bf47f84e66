//! One request on its way through: who may, which handler, and the headers, counters and log line of every answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use bytes::Bytes;
use futures_util::FutureExt;
use tracing::Instrument;

use super::request_body::RequestBody;
use super::routes::{self, Found, Params, ROUTES, Route};
use crate::app::App;
use crate::auth;
use crate::id::{self, REQUEST_ID};
use crate::options::Changing;
use crate::refusal::{Answer, OVERLOADED, Protocol, Refusal};

const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static(REQUEST_ID);

/// Headers that pages of other origins may read of an answer.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "retry-after, x-logged, x-model, x-model-version, x-prediction-id, x-request-id, x-rows, x-unusable-rows",
);

/// Headers that an answer has, about: room for them is made at once.
const HEADERS: usize = 12;

/// What goes back.
pub(crate) type Response = axum::http::Response<Body>;

/// No page of ours runs scripts, is framed, or loads anything but its own style.
const CONTENT_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// A request that has been let in.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    pub(crate) settings: Arc<Changing>,
    pub(crate) params: Params,
    pub(crate) parts: Parts,
    pub(crate) body: RequestBody,
    pub(crate) id: Arc<str>,
    /// When its head was read.
    pub(crate) started: Instant,
}

impl Call {
    /// The name of a model in the path.
    pub(crate) fn name(&self) -> &str {
        self.params.name.as_deref().unwrap_or_default()
    }

    /// A header as text.
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }
}

/// Answers a request.
pub(crate) async fn respond(app: Arc<App>, request: Request<RequestBody>) -> Response {
    match routes::find(request.method(), request.uri().path()) {
        Found::Route(index, params) => answer(app, index, params, request).await,
        Found::NoText => refuse(&app, &request, Refusal::bad("bad_path", "the path is not valid UTF-8")),
        Found::OtherMethod(methods) => other_method(&app, &methods, &request),
        Found::Nothing => unknown(&app, &request),
    }
}

/// Answers a request for a route.
async fn answer(app: Arc<App>, index: usize, params: Params, request: Request<RequestBody>) -> Response {
    let route = &ROUTES[index];
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let id = id::given(parts.headers.get(REQUEST_ID)).unwrap_or_else(|| app.ids.draw());
    let settings = app.settings();
    let origin = parts.headers.get(header::ORIGIN).cloned();
    let span = tracing::debug_span!(
        "request",
        otel.kind = "server",
        http.request.method = %parts.method,
        http.route = route.path,
        http.response.status_code = tracing::field::Empty,
        request_id = %id,
    );
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if let (Some(continue_trace), Some(parent)) = (app.continue_trace, header("traceparent")) {
        continue_trace(&span, parent, header("tracestate"));
    }
    let in_flight = app.metrics.enter();
    let outcome = match admit(&app, route, &parts, &settings) {
        Ok(()) => {
            let call = Call {
                app: Arc::clone(&app),
                settings: Arc::clone(&settings),
                params,
                parts,
                body,
                id: Arc::clone(&id),
                started,
            };
            let answered = AssertUnwindSafe((route.handler)(call)).catch_unwind().instrument(span.clone()).await;
            answered.unwrap_or_else(|_| Err(Refusal::internal(&"a handler panicked")))
        }
        Err(refusal) => Err(refusal),
    };
    let mut response = outcome.unwrap_or_else(|refusal| {
        app.metrics.refused(route.operation, refusal.code);
        log_refusal(&app, &refusal, route, &id);
        refusal.into_response(route.protocol, &id)
    });
    span.record("http.response.status_code", response.status().as_u16());
    finish(&app, &settings, &mut response, &id, origin);
    drop(in_flight);
    let seconds = started.elapsed().as_secs_f64();
    app.metrics.answered(index, response.status(), seconds);
    tracing::debug!(request_id = %id, operation = route.operation, status = response.status().as_u16(), seconds, "answered");
    response
}

/// Says that a request was refused. Where too much is asked, lines for each would be one more burden: there is one in a while.
fn log_refusal(app: &App, refusal: &Refusal, route: &Route, id: &str) {
    let (operation, status) = (route.operation, refusal.status_in(route.protocol).as_u16());
    if refusal.code == OVERLOADED {
        tracing::debug!(request_id = %id, operation, status, code = refusal.code, "refused");
        if let Some(since_last) = app.metrics.overloads.note() {
            tracing::warn!(operation, refused = since_last, "more is asked than can be answered; requests are refused");
        }
        return;
    }
    let (model, version) = refusal.model.as_ref().map(|(name, version)| (name.as_str(), version.as_str())).unzip();
    tracing::info!(request_id = %id, operation, status, code = refusal.code, column = refusal.column, model, version, "refused");
    // A message may quote a value of a row: it is for the caller, and for whoever looks closely.
    tracing::debug!(request_id = %id, message = %refusal.message, "refused because");
}

fn admit(app: &App, route: &Route, parts: &Parts, settings: &Changing) -> Answer<()> {
    // What all may know, such as whether it is ready, may be asked under any name: balancers ask by the address.
    match route.scope {
        Some(scope) => {
            auth::check_names(&parts.headers, settings, app.is_loopback)?;
            app.tokens().check(&parts.headers, scope, tabwright_store::time::now)
        }
        None => auth::check_origin(&parts.headers, settings),
    }
}

/// Answers a request for a path that there is not.
fn unknown(app: &App, request: &Request<RequestBody>) -> Response {
    let path = request.uri().path();
    let paths = ROUTES.iter().map(|route| route.path);
    let near = tabwright_core::suggest::did_you_mean(path, paths);
    let message = format!("there is nothing at this path{near}; GET /docs shows what there is");
    refuse(app, request, Refusal::new(StatusCode::NOT_FOUND, "unknown_path", message))
}

/// Answers a request for a path that knows other methods only.
fn other_method(app: &App, methods: &[&'static str], request: &Request<RequestBody>) -> Response {
    let allowed = methods.join(", ");
    let mut response = if request.method() == Method::OPTIONS {
        preflight(app, request)
    } else {
        let message = format!("the method {} is not for this path, {allowed} is", request.method());
        refuse(app, request, Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "other_method", message))
    };
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// Answers a browser that asks whether a page may ask, and others that ask for the methods of a path.
fn preflight(app: &App, request: &Request<RequestBody>) -> Response {
    let settings = app.settings();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let is_allowed = |origin: &HeaderValue| auth::is_allowed_origin(origin.to_str().unwrap_or_default(), &settings);
    if origin.as_ref().is_some_and(|origin| !is_allowed(origin)) {
        let message = "pages of this origin may not ask here; serve.origins says which ones may";
        return refuse(app, request, Refusal::new(StatusCode::FORBIDDEN, "foreign_origin", message));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT"));
    let allowed = "authorization, content-type, accept, x-request-id, x-routing-key";
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    finish(app, &settings, &mut response, &app.ids.draw(), origin);
    response
}

#[expect(clippy::boxed_local, reason = "refusals come in boxes")]
fn refuse(app: &App, request: &Request<RequestBody>, refusal: Box<Refusal>) -> Response {
    let id = id::given(request.headers().get(REQUEST_ID)).unwrap_or_else(|| app.ids.draw());
    app.metrics.refused("unknown", refusal.code);
    app.metrics.answered_unknown(refusal.status);
    let protocol = if request.uri().path().starts_with("/v2/") { Protocol::Infer } else { Protocol::Native };
    let mut response = refusal.into_response(protocol, &id);
    finish(app, &app.settings(), &mut response, &id, None);
    response
}

/// Adds what every answer has.
fn finish(app: &App, settings: &Changing, response: &mut Response, id: &str, origin: Option<HeaderValue>) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID_HEADER, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(origin) = origin.filter(|o| auth::is_allowed_origin(o.to_str().unwrap_or_default(), settings)) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
    }
    if app.is_draining() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// An answer in JSON.
pub(crate) fn json_response(status: StatusCode, text: String) -> Response {
    bytes_response(status, "application/json", Bytes::from(text))
}

/// An answer of some type.
pub(crate) fn bytes_response(status: StatusCode, content_type: &'static str, bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    *response.headers_mut() = HeaderMap::with_capacity(HEADERS);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
