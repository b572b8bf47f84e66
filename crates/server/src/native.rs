//! The native route: rows by the names of their columns in, predictions out, as one JSON document or in the formats of files.

mod answer;
mod bulk;
mod document;
mod options;

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};

use crate::http::{Answering, Call, Params, Response, content_type, json_response};
use crate::log::{Done, Origin};
use crate::model::{Entry, Wanted};
use crate::refusal::{Answer, Refusal};
use crate::work::{self, Going};

use document::Document;
use options::Options;

pub(crate) use answer::described;
pub(crate) use bulk::{IN_MEMORY, Media, unreadable};
pub(crate) use document::{check_columns, utf8};

/// `POST …/predict`.
pub(crate) fn predict(call: Call) -> Answering {
    Box::pin(run(call))
}

async fn run(call: Call) -> Answer<Response> {
    let catalog = call.app.catalog();
    let entry = catalog.entry(call.name())?;
    let options = Options::of_query(call.parts.uri.query())?;
    let input = input_type(&call.parts.headers)?;
    let output = Media::accepted(call.header(header::ACCEPT), input)?;
    match input {
        Media::Json => of_document(call, entry, options, output).await,
        Media::Rows(form) => bulk::of_rows(call, entry, options, (form, output)).await,
    }
}

/// How the rows of a request come.
fn input_type(headers: &HeaderMap) -> Answer<Media> {
    if headers.get(header::CONTENT_TYPE).is_some_and(|value| value == "application/json") {
        return Ok(Media::Json);
    }
    Ok(match content_type(headers)?.as_deref() {
        // Whoever says nothing sends JSON, by far.
        None | Some("application/json" | "text/json" | "application/x-www-form-urlencoded") => Media::Json,
        Some(other) => Media::of_type(other).ok_or_else(|| unknown_type(other))?,
    })
}

fn unknown_type(found: &str) -> Box<Refusal> {
    let found: String = found.chars().take(80).collect();
    let message = format!(
        "rows come as application/json, application/x-ndjson, text/csv, application/vnd.apache.arrow.stream or application/vnd.apache.parquet; \
         the header `Content-Type` says `{found}`"
    );
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_type", message)
}

async fn of_document(call: Call, entry: &Arc<Entry>, options: Options, output: Media) -> Answer<Response> {
    let Call { app, settings, parts, body, id, params, started } = call;
    // What is not there is not worth a long way.
    entry.find(wanted(&params))?;
    let mut turn = work::queue(&app, &settings.limits, &parts.headers)?;
    let bytes = turn.read_whole(&parts.headers, body).await?;
    if options.explain.is_some() || options.flags || may_ask_for_more(&bytes) {
        turn.make_heavy();
    }
    let served = Arc::clone(entry.choose(wanted(&params), |canary| {
        let of_document = options.key.is_none().then(|| document::key_of(&bytes)).flatten();
        let key = (options.key.as_deref().or(of_document.as_deref()), &parts.headers);
        work::standing(&app.ids, canary, key, |column| document::value_of(&bytes, column))
    })?);
    let origin = Origin::new((Arc::clone(&id), started), &params, entry, &served);
    let compute = {
        let (served, app, entry, settings) =
            (Arc::clone(&served), Arc::clone(&app), Arc::clone(entry), Arc::clone(&settings));
        move |_: &Going| {
            let document = Document::read(&served, &bytes, options, &settings.limits)?;
            // What is refused is not logged.
            if let Media::Rows(_) = output {
                document.options.check_for_rows()?;
            }
            if document.options.explain.is_some() {
                served.reasons()?;
            }
            let predictions = served.predict(&document.rows.block);
            app.metrics.predicted(&served, document.rows.block.n_rows(), document.bad.len());
            let waiting = document.log(&served, &predictions, &origin);
            app.shadows.ask(&app, &entry, (&served, &predictions), || {
                Box::new(move |shadow| document::reread(shadow, &bytes))
            });
            let response = match output {
                Media::Json => {
                    let (status, text) = answer::write(&served, document, predictions, &id)?;
                    json_response(status, text)
                }
                Media::Rows(form) => bulk::of_block(&served, document, predictions, (form, &id))?,
            };
            Ok(Done::after(response, waiting))
        }
    };
    turn.compute(&served, compute).await
}

/// Whether a document may have options that take far longer than predictions.
fn may_ask_for_more(bytes: &[u8]) -> bool {
    ["\"explain\"", "\"flags\""].iter().any(|name| memchr::memmem::find(bytes, name.as_bytes()).is_some())
}

/// Which version a path names.
pub(crate) fn wanted(params: &Params) -> Wanted<'_> {
    match (params.version.as_deref(), params.alias.as_deref()) {
        (Some(version), _) => Wanted::Version(version),
        (_, Some(alias)) => Wanted::Alias(alias),
        _ => Wanted::Any,
    }
}
