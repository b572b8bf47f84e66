//! `POST /v1/models/{name}/labels`: what turned out to be true of predictions, by their ids. All labels of a request are checked before
//! one is taken in; what is confirmed is on disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use serde_json::json;
use tabwright_core::Context;
use tabwright_data::{JsonKind, JsonReader, JsonValue, ReadOptions};
use tabwright_lifecycle::monitor::label::{
    BATCH, LabelColumns, LabelRules, NewLabel, check_label_id, check_time, read_labels,
};
use tabwright_lifecycle::monitor::logger;
use tabwright_store::predictions::{Label, LabelLog, LogOptions, Predictions};
use tabwright_store::{Home, time};

use crate::http::{Answering, Call, Response, content_type, json_response, read_whole, spool};
use crate::model::Entry;
use crate::native::{IN_MEMORY, Media, unreadable, utf8};
use crate::options::Limits;
use crate::refusal::{Answer, Refusal};
use crate::work;

/// The logs of labels, opened when the first ones come.
#[derive(Debug)]
pub(crate) struct LabelLogs {
    home: Option<Home>,
    open: Mutex<BTreeMap<String, Arc<LabelLog>>>,
}

impl LabelLogs {
    pub(crate) fn new(home: Option<Home>) -> Self {
        LabelLogs { home, open: Mutex::default() }
    }

    fn of(&self, model: &str) -> Answer<Arc<LabelLog>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = open.get(model) {
            return Ok(Arc::clone(log));
        }
        let Some(home) = &self.home else {
            let message = "this server keeps no home, so there is nowhere to keep labels";
            return Err(Refusal::new(StatusCode::CONFLICT, "no_home", message));
        };
        // Where it cannot be made, the log says so when it is written.
        let _ = home.create();
        let log = Predictions::of(home, model).and_then(|log| log.label_writer(LogOptions::default()));
        let log = Arc::new(log.map_err(|e| Refusal::bad("no_labels", e.to_string()))?);
        open.insert(model.to_owned(), Arc::clone(&log));
        Ok(log)
    }
}

/// `POST /v1/models/{name}/labels`.
pub(crate) fn take(call: Call) -> Answering {
    Box::pin(run(call))
}

async fn run(call: Call) -> Answer<Response> {
    let catalog = call.app.catalog();
    let entry = Arc::clone(catalog.entry(call.name())?);
    let log = call.app.labels.of(&entry.main.name)?;
    let Call { app, settings, parts, body, .. } = call;
    let limits = &settings.limits;
    let media = match content_type(&parts.headers)?.as_deref() {
        None | Some("application/json" | "text/json" | "application/x-www-form-urlencoded") => Media::Json,
        Some(other) => Media::of_type(other).ok_or_else(|| {
            let message = "labels come as application/json, application/x-ndjson, text/csv, application/vnd.apache.arrow.stream or \
                           application/vnd.apache.parquet";
            Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_type", message)
        })?,
    };
    let mut turn = work::queue_rows(&app, limits)?;
    let now = time::now();
    let rules = rules(&entry);
    let labels = match media {
        Media::Json => {
            let body = turn.reading(read_whole(&parts.headers, body, limits.body, limits.request_time)).await?;
            let limits = limits.clone();
            apart(move || of_document(&body.unpack()?, &rules, &limits, now)).await?
        }
        Media::Rows(form) => {
            let sizes = (IN_MEMORY, limits.bulk_body);
            let body = turn.reading(spool(&parts.headers, body, sizes, limits.request_time)).await?;
            let target = entry.main.model().signature().target.clone();
            let read = limits.reading(&ReadOptions { encoding: Some("utf-8".into()), ..ReadOptions::default() });
            apart(move || {
                let input = body.unpack()?.into_input("the body", form.format);
                let columns = LabelColumns { target: Some(target), ..LabelColumns::default() };
                read_labels(std::slice::from_ref(&input), &columns, &rules, &read, now, Context::silent())
                    .map_err(unusable)
            })
            .await?
        }
    };
    if labels.is_empty() {
        return Err(Refusal::bad("no_rows", "there is no label; at least one is needed"));
    }
    let count = labels.len();
    for some in labels.chunks(BATCH) {
        let some: Vec<Label<'_>> =
            some.iter().map(|label| Label { id: &label.id, value: label.value.clone(), time: label.time }).collect();
        let appended = log.append(&some, now).map_err(|e| Refusal::bad("bad_label", e.to_string()))?;
        appended.done().await.map_err(|error| {
            tracing::error!(model = entry.main.name, why = %error, "labels could not be kept");
            let message =
                "the labels could not be kept; send them again later, those that are there already count once";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "not_kept", message)
        })?;
    }
    Ok(json_response(StatusCode::OK, json!({"model": entry.main.name, "labels": count}).to_string()))
}

/// Computes on a thread of its own: labels may come by the million.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Answer<T> + Send + 'static) -> Answer<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Refusal::internal(&e))?
}

/// What a label can be: what any of the versions that are served answers.
fn rules(entry: &Entry) -> LabelRules {
    let outputs: Vec<_> = entry.versions.values().map(|version| logger::outputs(version.model().task())).collect();
    LabelRules::of_outputs(&outputs).unwrap_or(LabelRules::Number)
}

fn unusable(error: tabwright_lifecycle::Error) -> Box<Refusal> {
    match error {
        tabwright_lifecycle::Error::Rows(error) => unreadable(error),
        error => Refusal::unusable("bad_label", error.to_string()),
    }
}

/// Labels of a document: `{"labels": [{"id": …, "label": …, "time": …}]}`, or the list alone.
fn of_document(bytes: &[u8], rules: &LabelRules, limits: &Limits, now: i64) -> Answer<Vec<NewLabel>> {
    let mut reader = JsonReader::new(utf8(bytes)?);
    let mut labels = Vec::new();
    let wrong = || {
        let message = "send {\"labels\": [{\"id\": \"…\", \"label\": …}]}; \"time\" may say when it was true";
        Refusal::bad("bad_json", message)
    };
    let mut list = |reader: &mut JsonReader<'_>| -> Answer<()> {
        reader.array(|reader| {
            if labels.len() == limits.rows {
                let most = limits.rows;
                let message = format!("a JSON document has at most {most} labels; send more as CSV or JSON Lines");
                return Err(Refusal::too_large(message));
            }
            let told = |why: String| Refusal::unusable("bad_label", format!("label {}: {why}", labels.len()));
            let label = label(reader, rules, now).map_err(|wrong| match wrong {
                Wrong::Json(refusal) => refusal,
                Wrong::Label(why) => told(why),
            })?;
            labels.push(label);
            Ok(())
        })
    };
    match reader.kind()? {
        Some(JsonKind::Array) => list(&mut reader)?,
        Some(JsonKind::Object) => reader.object(&mut String::new(), |reader, key| match key {
            "labels" if reader.kind()? == Some(JsonKind::Array) => list(reader),
            _ => Err(wrong()),
        })?,
        _ => return Err(wrong()),
    }
    reader.end("something follows the document")?;
    Ok(labels)
}

/// Why an object is no label.
enum Wrong {
    Json(Box<Refusal>),
    Label(String),
}

impl From<tabwright_data::JsonProblem> for Wrong {
    fn from(problem: tabwright_data::JsonProblem) -> Self {
        Wrong::Json(problem.into())
    }
}

fn label(reader: &mut JsonReader<'_>, rules: &LabelRules, now: i64) -> Result<NewLabel, Wrong> {
    if reader.kind()? != Some(JsonKind::Object) {
        return Err(Wrong::Label("it is no object with `id` and `label`".into()));
    }
    let (mut id, mut value, mut time) = (None, None, None);
    reader.object(&mut String::new(), |reader, key| {
        let mut scratch = String::new();
        if matches!(reader.kind()?, Some(JsonKind::Array | JsonKind::Object)) {
            return Err(Wrong::Label(format!("`{}` is no single value", shown(key))));
        }
        match (key, reader.value(&mut scratch)?) {
            ("id" | "prediction_id", JsonValue::String(text) | JsonValue::Number(text)) => {
                check_label_id(text).map_err(Wrong::Label)?;
                id = Some(text.to_owned());
            }
            ("label", JsonValue::String(text) | JsonValue::Number(text)) => {
                value = Some(rules.text(text).map_err(Wrong::Label)?);
            }
            ("label", JsonValue::Boolean(truth)) => {
                value = Some(rules.text(if truth { "true" } else { "false" }).map_err(Wrong::Label)?);
            }
            ("time", JsonValue::Null) => {}
            ("time", JsonValue::String(text)) => {
                let at = time::parse(text).map_err(|e| Wrong::Label(e.to_string()))?;
                time = Some(check_time(at, now).map_err(Wrong::Label)?);
            }
            ("id" | "prediction_id" | "label" | "time", _) => {
                return Err(Wrong::Label(format!("`{}` holds a value of another kind", shown(key))));
            }
            _ => {
                let near = tabwright_core::suggest::did_you_mean(key, ["id", "label", "time"]);
                return Err(Wrong::Label(format!("there is no `{}`{near}; it has id, label and time", shown(key))));
            }
        }
        Ok(())
    })?;
    let id = id.ok_or_else(|| Wrong::Label("it has no `id`".into()))?;
    let value = value.ok_or_else(|| Wrong::Label("it has no `label`".into()))?;
    Ok(NewLabel { id, value, time })
}

fn shown(key: &str) -> String {
    key.chars().take(60).flat_map(char::escape_debug).collect()
}
