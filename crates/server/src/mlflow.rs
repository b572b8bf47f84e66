//! MLflow's scoring server, which is the contract of SageMaker's containers as well: rows in four JSON forms or CSV, labels or
//! numbers out, one bad row refuses all.

use std::collections::HashSet;
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use tabwright_core::Block;
use tabwright_core::metric::Predictions;
use tabwright_data::{
    Format, JsonKind, JsonReader, RowBuilder, Spool, StreamRequest, json_number, json_string, open_stream,
};

use crate::http::{Answering, Call, Response, bytes_response, content_type, json_response};
use crate::log::{Done, Origin};
use crate::model::{Served, Wanted};
use crate::native::{IN_MEMORY, check_columns, described, unreadable, utf8};
use crate::options::Limits;
use crate::refusal::{Answer, Refusal};
use crate::work::{self, Going};

/// The forms of a document.
const FORMS: [&str; 4] = ["dataframe_split", "dataframe_records", "instances", "inputs"];

/// `GET /version`.
pub(crate) fn version(_: Call) -> Answering {
    let text = Bytes::from_static(env!("CARGO_PKG_VERSION").as_bytes());
    Box::pin(std::future::ready(Ok(bytes_response(StatusCode::OK, "text/plain; charset=utf-8", text))))
}

/// `POST /invocations`.
pub(crate) fn invocations(call: Call) -> Answering {
    Box::pin(run(call))
}

/// How the rows come.
#[derive(Debug, Clone, Copy)]
enum Form {
    Json,
    Csv,
}

fn form(headers: &HeaderMap) -> Answer<Form> {
    match content_type(headers)?.as_deref() {
        Some("application/json") => Ok(Form::Json),
        Some("text/csv") => Ok(Form::Csv),
        _ => {
            let message = "this route takes the content types application/json and text/csv";
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_type", message))
        }
    }
}

async fn run(call: Call) -> Answer<Response> {
    let Call { app, settings, parts, body, id, params, started } = call;
    let catalog = app.catalog();
    let entry = Arc::clone(catalog.unnamed()?);
    let form = form(&parts.headers)?;
    let mut turn = work::queue(&app, &settings.limits, &parts.headers)?;
    let bytes = turn.read_whole(&parts.headers, body).await?;
    let served = Arc::clone(
        entry.choose(Wanted::Any, |canary| work::standing(&app.ids, canary, (None, &parts.headers), |_| None))?,
    );
    let origin = Origin::new((id, started), &params, &entry, &served);
    let compute = {
        let (served, app, settings) = (Arc::clone(&served), Arc::clone(&app), Arc::clone(&settings));
        move |_: &Going| {
            let block = read(&served, &bytes, form, &settings.limits)?;
            let predictions = served.predict(&block);
            app.metrics.predicted(&served, block.n_rows(), 0);
            let waiting = served.log_all(&block, &predictions, &origin);
            app.shadows.ask(&app, &entry, (&served, &predictions), || {
                Box::new(move |shadow| read(shadow, &bytes, form, &Limits::default()).ok())
            });
            served.shape.give_back(block);
            Ok(Done::after(json_response(StatusCode::OK, written(&served, &predictions)), waiting))
        }
    };
    turn.compute(&served, compute).await
}

/// What MLflow calls an error of a status (`ErrorCode` in its `databricks.proto`).
pub(crate) fn error_code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
        StatusCode::FORBIDDEN => "PERMISSION_DENIED",
        StatusCode::NOT_FOUND => "RESOURCE_DOES_NOT_EXIST",
        StatusCode::TOO_MANY_REQUESTS => "RESOURCE_EXHAUSTED",
        StatusCode::SERVICE_UNAVAILABLE => "TEMPORARILY_UNAVAILABLE",
        status if status.is_server_error() => "INTERNAL_ERROR",
        _ => "BAD_REQUEST",
    }
}

fn written(served: &Served, predictions: &Predictions) -> String {
    let mut out = String::from("{\"predictions\":[");
    for row in 0..predictions.n_rows() {
        if row > 0 {
            out.push(',');
        }
        match served.labels.is_empty() {
            true => json_number(&mut out, predictions.values[row]),
            false => out.push_str(&served.labels[predictions.label(row, served.model().threshold())]),
        }
    }
    out.push_str("],\"model\":");
    json_string(&mut out, &served.name);
    out.push_str(",\"model_version\":");
    json_string(&mut out, &served.version);
    out.push('}');
    out
}

fn read(served: &Served, bytes: &Bytes, form: Form, limits: &Limits) -> Answer<Block> {
    if bytes.is_empty() {
        return Err(Refusal::bad("empty_body", "the body is empty; rows are needed"));
    }
    let block = match form {
        Form::Json => of_json(served, utf8(bytes)?, limits)?,
        Form::Csv => of_csv(served, bytes, limits)?,
    };
    Ok(block)
}

fn of_json(served: &Served, text: &str, limits: &Limits) -> Answer<Block> {
    let mut reader = JsonReader::lenient(text);
    let mut builder = None;
    if reader.kind()? != Some(JsonKind::Object) {
        return Err(unknown_form());
    }
    reader.object(&mut String::new(), |reader, key| -> Answer<()> {
        let form = FORMS.iter().find(|form| **form == key);
        let Some(form) = form else {
            // Parameters of a model: ours have none, and MLflow passes over those that a model does not know.
            return if key == "params" { Ok(reader.skip()?) } else { Err(unknown_form()) };
        };
        if builder.is_some() {
            return Err(unknown_form());
        }
        let mut rows =
            Rows { served, limits, builder: RowBuilder::new(&served.shape, &[], 1).most_columns(limits.columns) };
        match *form {
            "dataframe_split" => rows.split(reader)?,
            "inputs" if reader.kind()? == Some(JsonKind::Object) => rows.columns(reader)?,
            _ => rows.records(reader)?,
        }
        builder = Some(rows.builder);
        Ok(())
    })?;
    reader.end("something follows the document")?;
    let builder = builder.ok_or_else(unknown_form)?;
    check_columns(&builder)?;
    let rows = builder.finish().map_err(|e| Refusal::internal(&e))?;
    refuse_bad(&rows.bad)?;
    Ok(rows.block)
}

fn unknown_form() -> Box<Refusal> {
    Refusal::bad("bad_json", format!("the body must be a JSON object with one of the keys {}", FORMS.join(", ")))
}

/// One bad row refuses all.
fn refuse_bad(bad: &[tabwright_data::BadRow]) -> Answer<()> {
    let Some(first) = bad.first() else { return Ok(()) };
    let refusal = Refusal::bad("bad_row", described(first.row, first));
    Err(match &first.column {
        Some(column) => refusal.in_column(column),
        None => refusal,
    })
}

/// Rows that are being read.
struct Rows<'s> {
    served: &'s Served,
    limits: &'s Limits,
    builder: RowBuilder<'s>,
}

impl Rows<'_> {
    fn check_room(&self) -> Answer<()> {
        let most = self.limits.rows;
        match self.builder.n_rows() < most {
            true => Ok(()),
            false => Err(Refusal::too_large(format!("a document has at most {most} rows; send fewer at a time"))),
        }
    }

    /// A list of objects; or of lists, whose values stand in the order of the model's columns; or, for a model of one column, of
    /// values.
    fn records(&mut self, reader: &mut JsonReader<'_>) -> Answer<()> {
        let names: Vec<String> = self.served.expected.iter().map(|(name, _)| name.clone()).collect();
        let positions: Vec<Option<usize>> = (0..names.len()).map(Some).collect();
        reader.array(|reader| {
            self.check_room()?;
            match reader.kind()? {
                Some(JsonKind::Object) => {
                    let pushed = self.builder.push_object(reader);
                    return pushed.map_err(|problem| match self.builder.is_too_wide() {
                        true => Refusal::too_large(problem.message),
                        false => problem.into(),
                    });
                }
                Some(JsonKind::Array) => self.builder.push_array(reader, &names, &positions)?,
                _ if names.len() == 1 => {
                    let mut scratch = String::new();
                    let value = reader.value(&mut scratch)?;
                    self.builder.push(0, value);
                    self.builder.end_columns(self.builder.n_rows() + 1);
                }
                _ => {
                    let start = reader.at();
                    reader.skip()?;
                    self.builder.push_unusable(reader.since(start), "no object with the names of columns");
                }
            }
            Ok(())
        })
    }

    /// `{"columns": [names], "data": [[values]]}`, as pandas splits a frame.
    fn split(&mut self, reader: &mut JsonReader<'_>) -> Answer<()> {
        let (mut names, mut data) = (None, None);
        reader.object(&mut String::new(), |reader, key| -> Answer<()> {
            match key {
                "columns" => {
                    let mut all = Vec::new();
                    reader.array(|reader| -> Answer<()> {
                        let mut scratch = String::new();
                        match reader.value(&mut scratch)? {
                            tabwright_data::JsonValue::String(name) | tabwright_data::JsonValue::Number(name) => {
                                all.push(name.to_owned());
                            }
                            _ => return Err(Refusal::bad("bad_json", "the names of `columns` must be texts")),
                        }
                        Ok(())
                    })?;
                    names = Some(all);
                }
                "data" => {
                    data = Some(reader.clone());
                    reader.skip()?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let (Some(names), Some(mut data)) = (names, data) else {
            return Err(Refusal::bad("bad_json", "`dataframe_split` needs `columns` and `data`"));
        };
        if names.len() > self.limits.columns {
            return Err(Refusal::too_large(format!("a row has at most {} columns", self.limits.columns)));
        }
        let positions: Vec<Option<usize>> = names.iter().map(|name| self.served.shape.position(name)).collect();
        self.builder.remember(&names);
        data.array(|reader| {
            self.check_room()?;
            if reader.kind()? != Some(JsonKind::Array) {
                return Err(Refusal::bad("bad_json", "each row of `data` must be a list of values"));
            }
            Ok(self.builder.push_array(reader, &names, &positions)?)
        })
    }

    /// `{"column": [values]}`.
    fn columns(&mut self, reader: &mut JsonReader<'_>) -> Answer<()> {
        let mut n_rows = None;
        let mut names = Vec::new();
        let mut known = HashSet::new();
        reader.object(&mut String::new(), |reader, key| -> Answer<()> {
            let position = self.served.shape.position(key);
            if !known.insert(key.to_owned()) {
                return Err(Refusal::bad("bad_json", format!("the column `{key}` is there twice")).in_column(key));
            }
            if names.len() == self.limits.columns {
                return Err(Refusal::too_large(format!("a row has at most {} columns", self.limits.columns)));
            }
            names.push(key.to_owned());
            let mut count = 0;
            let mut take = |reader: &mut JsonReader<'_>| -> Answer<()> {
                let mut scratch = String::new();
                let value = reader.value(&mut scratch)?;
                if let Some(position) = position {
                    self.builder.push(position, value);
                }
                count += 1;
                if count > self.limits.rows {
                    let most = self.limits.rows;
                    return Err(Refusal::too_large(format!(
                        "a document has at most {most} rows; send fewer at a time"
                    )));
                }
                Ok(())
            };
            match reader.kind()? {
                Some(JsonKind::Array) => reader.array(|reader| match reader.kind()? {
                    // A column of shape (n, 1).
                    Some(JsonKind::Array) => reader.array(&mut take),
                    _ => take(reader),
                })?,
                _ => take(reader)?,
            }
            let rows = *n_rows.get_or_insert(count);
            if rows != count {
                let message = format!("the column `{key}` has {count} values, those before it have {rows}");
                return Err(Refusal::bad("bad_length", message).in_column(key));
            }
            Ok(())
        })?;
        self.builder.remember(&names);
        self.builder.end_columns(n_rows.unwrap_or(0));
        Ok(())
    }
}

fn of_csv(served: &Served, bytes: &Bytes, limits: &Limits) -> Answer<Block> {
    use std::io::Write;
    let mut spool = Spool::new(IN_MEMORY.max(bytes.len()));
    spool.write_all(bytes).map_err(|e| Refusal::internal(&e))?;
    let input = spool.into_input("the body", Format::Csv);
    let request = StreamRequest {
        passed_over: served.passed_over.clone(),
        expected: served.expected.clone(),
        keep: Vec::new(),
        // All that may come is one block, and one row more tells that there are too many.
        batch_size: limits.rows.saturating_add(1),
        batch_bytes: usize::MAX,
    };
    let mut all: Option<Block> = None;
    for block in
        open_stream(std::slice::from_ref(&input), &request, &limits.reading(&served.read)).map_err(unreadable)?
    {
        let block = block.map_err(unreadable)?;
        if all.is_some() || block.block.n_rows() > limits.rows {
            return Err(Refusal::too_large(format!("a body has at most {} rows; send fewer at a time", limits.rows)));
        }
        refuse_bad(&block.bad)?;
        all = Some(block.block);
    }
    all.ok_or_else(|| Refusal::bad("no_rows", "there is no row; at least one is needed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_names_of_mlflow() {
        for (status, name) in [
            (400, "BAD_REQUEST"),
            (401, "UNAUTHENTICATED"),
            (403, "PERMISSION_DENIED"),
            (404, "RESOURCE_DOES_NOT_EXIST"),
            (413, "BAD_REQUEST"),
            (415, "BAD_REQUEST"),
            (429, "RESOURCE_EXHAUSTED"),
            (500, "INTERNAL_ERROR"),
            (503, "TEMPORARILY_UNAVAILABLE"),
        ] {
            assert_eq!(error_code(StatusCode::from_u16(status).unwrap()), name, "{status}");
        }
    }
}
