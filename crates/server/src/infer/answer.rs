//! An answer of the protocol.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;
use tabwright_core::metric::Predictions;
use tabwright_data::{json_number, json_string};
use tabwright_lifecycle::answer::whole;

use super::HEADER_LENGTH;
use super::request::Request;
use crate::http::{Response, bytes_response, json_response};
use crate::model::Served;
use crate::refusal::Answer;

/// The output with a label or number for each row.
pub(super) const PREDICTION: &str = "prediction";
/// The output with the probability of each class for each row.
pub(super) const PROBABILITIES: &str = "probabilities";

/// The type of the predictions.
pub(super) fn datatype(served: &Served) -> &'static str {
    match served.labels.first() {
        None => "FP64",
        Some(label) if label.starts_with('"') => "BYTES",
        Some(_) => "INT64",
    }
}

/// Writes the outputs that were asked for.
pub(super) fn write(served: &Served, request: &Request, predictions: &Predictions) -> Answer<Response> {
    let mut header = String::from("{\"model_name\":");
    json_string(&mut header, &served.name);
    header.push_str(",\"model_version\":");
    json_string(&mut header, &served.version);
    if let Some(id) = request.id.as_deref().filter(|id| !id.is_empty()) {
        header.push_str(",\"id\":");
        json_string(&mut header, id);
    }
    header.push_str(",\"outputs\":[");
    let mut binary = Vec::new();
    for (index, (name, is_binary)) in request.outputs.iter().enumerate() {
        if index > 0 {
            header.push(',');
        }
        let output = Output { served, predictions, name };
        output.describe(&mut header);
        if *is_binary {
            let before = binary.len();
            output.write_binary(&mut binary);
            header.push_str(&format!(",\"parameters\":{{\"binary_data_size\":{}}}}}", binary.len() - before));
        } else {
            header.push_str(",\"data\":[");
            output.write_json(&mut header);
            header.push_str("]}");
        }
    }
    header.push_str("]}");
    if request.outputs.iter().all(|(_, is_binary)| !is_binary) {
        return Ok(json_response(StatusCode::OK, header));
    }
    let length = header.len();
    let mut body = header.into_bytes();
    body.append(&mut binary);
    let mut response = bytes_response(StatusCode::OK, "application/octet-stream", Bytes::from(body));
    response.headers_mut().insert(HeaderName::from_static(HEADER_LENGTH), HeaderValue::from(length));
    Ok(response)
}

struct Output<'a> {
    served: &'a Served,
    predictions: &'a Predictions,
    name: &'static str,
}

impl Output<'_> {
    fn describe(&self, out: &mut String) {
        let n_rows = self.predictions.n_rows();
        let (datatype, shape) = match self.name {
            PROBABILITIES => ("FP64", format!("[{n_rows},{}]", self.served.labels.len())),
            _ => (datatype(self.served), format!("[{n_rows}]")),
        };
        out.push_str(&format!("{{\"name\":\"{}\",\"datatype\":\"{datatype}\",\"shape\":{shape}", self.name));
    }

    fn label(&self, row: usize) -> usize {
        self.predictions.label(row, self.served.model().threshold())
    }

    /// The numbers of the output, row after row; for labels those that they are spelled as.
    fn numbers(&self) -> Vec<f64> {
        let values = &self.predictions.values;
        match self.name {
            PROBABILITIES if self.predictions.n_outputs == 1 => values.iter().flat_map(|p| [1.0 - p, *p]).collect(),
            _ => values.clone(),
        }
    }

    fn write_json(&self, out: &mut String) {
        let begin = out.len();
        let separate = |out: &mut String| {
            if out.len() > begin {
                out.push(',');
            }
        };
        if self.name == PREDICTION && !self.served.labels.is_empty() {
            for row in 0..self.predictions.n_rows() {
                separate(out);
                out.push_str(&self.served.labels[self.label(row)]);
            }
            return;
        }
        for number in self.numbers() {
            separate(out);
            json_number(out, number);
        }
    }

    fn write_binary(&self, out: &mut Vec<u8>) {
        if self.name == PROBABILITIES || self.served.labels.is_empty() {
            out.extend(self.numbers().into_iter().flat_map(f64::to_le_bytes));
            return;
        }
        let labels = self.served.model().task().labels();
        let is_whole = datatype(self.served) == "INT64";
        for row in 0..self.predictions.n_rows() {
            let label = &labels[self.label(row)];
            if is_whole {
                out.extend(whole(label).unwrap_or_default().to_le_bytes());
            } else {
                out.extend((label.len() as u32).to_le_bytes());
                out.extend(label.as_bytes());
            }
        }
    }
}
