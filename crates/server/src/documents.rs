//! The description of the server for programs (OpenAPI 3.1) and for people, with the columns of the models that it serves.

mod columns;
mod openapi;
mod page;

use axum::http::StatusCode;
use bytes::Bytes;

use crate::http::{Answering, Call, bytes_response, json_response};

/// `GET /openapi.json`.
pub(crate) fn openapi(call: Call) -> Answering {
    let text = openapi::write(&call.app.catalog(), &call.settings, call.app.needs_token()).to_string();
    Box::pin(std::future::ready(Ok(json_response(StatusCode::OK, text))))
}

/// `GET /docs`.
pub(crate) fn page(call: Call) -> Answering {
    let text = page::write(&call.app.catalog(), &call.settings, call.app.needs_token());
    Box::pin(std::future::ready(Ok(bytes_response(StatusCode::OK, "text/html; charset=utf-8", Bytes::from(text)))))
}
