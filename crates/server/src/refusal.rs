//! What a caller is told when a request is not answered, in the form of the protocol that was spoken. No message names a path or
//! anything of the inside.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use tabwright_data::json_string;

/// The code of what is refused because too much is asked.
pub(crate) const OVERLOADED: &str = "overloaded";

/// Which protocol a route speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Our own.
    Native,
    /// MLflow's scoring server.
    Mlflow,
    /// Open Inference Protocol, version 2.
    Infer,
}

/// Why a request is not answered.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// Stable: programs may match on it.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The column that is meant.
    pub(crate) column: Option<String>,
    /// Seconds after which to come again.
    pub(crate) retry_after: Option<u32>,
    /// Name and version of the model, where one was chosen already.
    pub(crate) model: Option<(String, String)>,
    /// Whether what is left of the request is not worth reading.
    pub(crate) close: bool,
}

pub(crate) type Answer<T> = Result<T, Box<Refusal>>;

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Box<Self> {
        Box::new(Refusal {
            status,
            code,
            message: message.into(),
            column: None,
            retry_after: None,
            model: None,
            close: false,
        })
    }

    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Box<Self> {
        Refusal::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Box<Self> {
        Refusal { close: true, ..*Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message) }.into()
    }

    pub(crate) fn unusable(code: &'static str, message: impl Into<String>) -> Box<Self> {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// For what is our own fault: the log says more.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Box<Self> {
        tracing::error!(%error, "a request failed inside");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed; its log has the reason")
    }

    pub(crate) fn in_column(mut self: Box<Self>, column: &str) -> Box<Self> {
        self.column = Some(column.to_owned());
        self
    }

    pub(crate) fn of_model(mut self: Box<Self>, name: &str, version: &str) -> Box<Self> {
        self.model.get_or_insert_with(|| (name.to_owned(), version.to_owned()));
        self
    }

    /// The status that a protocol has for it.
    pub(crate) fn status_in(&self, protocol: Protocol) -> StatusCode {
        match (protocol, self.status) {
            // These protocols know no other code for what is wrong with a request.
            (Protocol::Mlflow | Protocol::Infer, StatusCode::UNPROCESSABLE_ENTITY) => StatusCode::BAD_REQUEST,
            (_, status) => status,
        }
    }

    /// The answer that says so.
    pub(crate) fn into_response(self, protocol: Protocol, request_id: &str) -> Response<Body> {
        let status = self.status_in(protocol);
        let mut response = Response::new(Body::from(self.text(protocol, request_id)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some((name, version)) = &self.model {
            crate::http::ModelHeaders::new(name, version).add(headers);
        }
        response
    }

    fn text(&self, protocol: Protocol, request_id: &str) -> String {
        let mut out = String::with_capacity(256);
        match protocol {
            Protocol::Native => {
                out.push_str("{\"error\":{\"code\":");
                json_string(&mut out, self.code);
                out.push_str(",\"message\":");
                json_string(&mut out, &self.message);
                if let Some(column) = &self.column {
                    out.push_str(",\"column\":");
                    json_string(&mut out, column);
                }
                out.push('}');
            }
            Protocol::Mlflow => {
                out.push_str("{\"error_code\":");
                json_string(&mut out, crate::mlflow::error_code(self.status));
                out.push_str(",\"message\":");
                json_string(&mut out, &self.message);
            }
            Protocol::Infer => {
                out.push_str("{\"error\":");
                json_string(&mut out, &self.message);
            }
        }
        if let Some((name, version)) = &self.model {
            out.push_str(if protocol == Protocol::Infer { ",\"model_name\":" } else { ",\"model\":" });
            json_string(&mut out, name);
            out.push_str(",\"model_version\":");
            json_string(&mut out, version);
        }
        out.push_str(",\"request_id\":");
        json_string(&mut out, request_id);
        out.push('}');
        out
    }
}
