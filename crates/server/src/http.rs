//! From a connection to an answer: the table of routes, and what every answer has.

mod body;
mod call;
mod connection;
mod request_body;
mod routes;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) use body::{content_type, is_packed, length, read_whole, spool};
pub(crate) use call::{Call, Response, bytes_response, json_response};
pub(crate) use connection::{Listening, Phase, serve};
pub(crate) use request_body::RequestBody;
pub(crate) use routes::{Answering, ROUTES, Route, Verb, router};

/// The header with the name of the model that answered.
const MODEL: HeaderName = HeaderName::from_static("x-model");
/// The header with its version.
const MODEL_VERSION: HeaderName = HeaderName::from_static("x-model-version");

/// Says in the headers which model has answered.
pub(crate) fn name_model(headers: &mut HeaderMap, name: &str, version: &str) {
    // A name that no header can hold (a file may have any) stands in the body alone.
    if let (Ok(name), Ok(version)) = (HeaderValue::from_str(name), HeaderValue::from_str(version)) {
        headers.insert(MODEL, name);
        headers.insert(MODEL_VERSION, version);
    }
}
