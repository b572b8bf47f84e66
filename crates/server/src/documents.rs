//! The description of the server for programs (OpenAPI 3.1) and for people, with the columns of the models that it serves.

mod columns;
mod openapi;
mod page;

use axum::http::{StatusCode, header};
use bytes::Bytes;

use crate::http::{Answering, Call, bytes_response, json_response};

/// `GET /openapi.json`.
pub(crate) fn openapi(call: Call) -> Answering {
    let text = openapi::write(&call.app.catalog(), &call.settings, call.app.needs_token()).to_string();
    Box::pin(std::future::ready(Ok(json_response(StatusCode::OK, text))))
}

/// `GET /docs`.
pub(crate) fn page(call: Call) -> Answering {
    let text = page::write(&call.app.catalog(), &call.settings, call.app.needs_token(), &address(&call));
    Box::pin(std::future::ready(Ok(bytes_response(StatusCode::OK, "text/html; charset=utf-8", Bytes::from(text)))))
}

/// Where the server is asked, as the caller knows it.
fn address(call: &Call) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    let host = call.header(header::HOST).filter(|host| !host.is_empty() && host.chars().all(is_plain));
    // A proxy in front of it may be the one that speaks TLS.
    let is_encrypted = call.settings.tls.is_some()
        || call.parts.headers.get("x-forwarded-proto").is_some_and(|scheme| scheme.as_bytes() == b"https");
    format!("{}://{}", if is_encrypted { "https" } else { "http" }, host.unwrap_or("HOST"))
}
