//! From a connection to an answer: the table of routes, and what every answer has.

mod activity;
mod body;
mod call;
mod connection;
mod request_body;
mod routes;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) use body::{content_type, is_packed, length, read_whole, spool};
pub(crate) use call::{Call, Response, bytes_response, json_response, respond};
pub(crate) use connection::{Listening, Phase, serve};
pub(crate) use request_body::RequestBody;
pub(crate) use routes::{Answering, Params, ROUTES, Route, Verb};

/// The header with the name of the model that answered.
const MODEL: HeaderName = HeaderName::from_static("x-model");
/// The header with its version.
const MODEL_VERSION: HeaderName = HeaderName::from_static("x-model-version");

/// The headers that say which model has answered; none for a name that no header can hold (a file may have any).
#[derive(Debug, Clone)]
pub(crate) struct ModelHeaders(Option<(HeaderValue, HeaderValue)>);

impl ModelHeaders {
    pub(crate) fn new(name: &str, version: &str) -> Self {
        ModelHeaders(HeaderValue::from_str(name).ok().zip(HeaderValue::from_str(version).ok()))
    }

    /// Adds them to an answer.
    pub(crate) fn add(&self, headers: &mut HeaderMap) {
        if let Some((name, version)) = &self.0 {
            headers.insert(MODEL, name.clone());
            headers.insert(MODEL_VERSION, version.clone());
        }
    }
}
