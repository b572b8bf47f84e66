//! The native route: rows by the names of their columns in, predictions out, as one JSON document or in the formats of files.

mod answer;
mod bulk;
mod document;
mod options;
#[cfg(test)]
mod speed;

use std::sync::Arc;

use axum::http::{StatusCode, header};

use crate::http::{Answering, Call, Response, content_type, json_response};
use crate::model::{Entry, Wanted};
use crate::refusal::{Answer, Refusal};
use crate::work;

use bulk::Media;
use document::Document;
use options::Options;

pub(crate) use answer::described;
pub(crate) use bulk::{IN_MEMORY, unreadable};
pub(crate) use document::{check_columns, utf8};

/// `POST …/predict`.
pub(crate) fn predict(call: Call) -> Answering {
    Box::pin(run(call))
}

async fn run(call: Call) -> Answer<Response> {
    let catalog = call.app.catalog();
    let entry = catalog.entry(call.param("name").unwrap_or_default())?;
    let options = Options::of_query(call.parts.uri.query())?;
    let input = match content_type(&call.parts.headers)?.as_deref() {
        // Whoever says nothing sends JSON, by far.
        None | Some("application/json" | "text/json" | "application/x-www-form-urlencoded") => Media::Json,
        Some(other) => Media::of_type(other).ok_or_else(|| unknown_type(other))?,
    };
    let output = Media::accepted(call.header(header::ACCEPT), input)?;
    match input {
        Media::Json => of_document(call, entry, options, output).await,
        Media::Rows(format) => bulk::of_rows(call, entry, options, (format, output)).await,
    }
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
    let Call { app, settings, parts, body, id, params, .. } = call;
    let mut turn = work::queue(&app, &settings.limits, &parts.headers)?;
    let bytes = turn.read_whole(&parts.headers, body).await?;
    let served = Arc::clone(entry.choose(wanted(&params), |canary| {
        let of_document = options.key.is_none().then(|| document::key_of(&bytes)).flatten();
        let key = (options.key.as_deref().or(of_document.as_deref()), &parts.headers);
        work::standing(&app.ids, canary, key, |column| document::value_of(&bytes, column))
    })?);
    let compute = {
        let (served, app, entry, settings) =
            (Arc::clone(&served), Arc::clone(&app), Arc::clone(entry), Arc::clone(&settings));
        move || {
            let document = Document::read(&served, &bytes, options, &settings.limits)?;
            let predictions = served.predict(&document.rows.block);
            app.metrics.predicted(&served, document.rows.block.n_rows(), document.bad.len());
            app.shadows.ask(&app, &entry, (&served, &predictions), || {
                Box::new(move |shadow| document::reread(shadow, &bytes))
            });
            match output {
                Media::Json => {
                    let (status, text) = answer::write(&served, document, predictions, &id)?;
                    Ok(json_response(status, text))
                }
                Media::Rows(format) => bulk::of_block(&served, document, predictions, (format, &id)),
            }
        }
    };
    turn.compute(&served, compute).await
}

/// Which version a path names.
pub(crate) fn wanted(params: &[(String, String)]) -> Wanted<'_> {
    let find = |name: &str| params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match (find("version"), find("alias")) {
        (Some(version), _) => Wanted::Version(version),
        (_, Some(alias)) => Wanted::Alias(alias),
        _ => Wanted::Any,
    }
}
