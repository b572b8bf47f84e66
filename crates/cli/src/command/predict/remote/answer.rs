//! What a server answers: predictions, which go where the user wants them, or why there are none.

use std::fs::File;
use std::io::{self, Write};

use futures_util::StreamExt;
use reqwest::Response;
use tabwright_core::Column;
use tabwright_data::{BATCH_BYTES, Destination, Input, ReadOptions, Spool, StreamRequest, open_stream};
use tabwright_lifecycle::error::{Error, Exit};

use super::connection::{Activity, deepest};
use super::{Request, address, rows};
use crate::error::Failure;

/// Bytes of a message of the server that are shown at most.
const MESSAGE: usize = 4096;
/// Rows of an answer that are looked at at a time.
const BATCH: usize = 20_000;
/// The column of what is wrong with a row.
const ERROR: &str = "error";
/// A column that every answer has.
const PREDICTION: &str = "prediction";

/// What was done.
pub(super) struct Done {
    pub(super) rows: usize,
    pub(super) unusable: usize,
    pub(super) model: String,
    pub(super) version: String,
}

/// Writes the answer; nothing is said of it if the reader of the output has gone.
pub(super) async fn receive(request: &Request, response: Response) -> Result<Option<Done>, Failure> {
    let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
    let count = |name: &str| header(name).and_then(|text| text.parse().ok());
    let counted = count("x-rows").zip(count("x-unusable-rows"));
    let text = |name: &str| header(name).unwrap_or("?").to_owned();
    let (model, version) = (text("x-model"), text("x-model-version"));
    let done = |(rows, unusable)| Done { rows, unusable, model, version };
    let written = match counted {
        Some((_, unusable)) if unusable == 0 || request.accepts_bad_rows => copy(request, response).await,
        // What stands in the answer decides whether it is written.
        _ => return looked_at(request, response, counted, done).await,
    };
    match written {
        Err(Stop::Written(error)) => left_or_failed(request, error),
        Err(Stop::Cut(failure)) => Err(failure),
        Ok(()) => Ok(counted.map(done)),
    }
}

/// Why an answer is not written to its end.
enum Stop {
    /// It came no further.
    Cut(Failure),
    /// The place where it goes takes no more.
    Written(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Written(error)
    }
}

async fn copy(request: &Request, response: Response) -> Result<(), Stop> {
    let mut out = Destination::create(&request.output)?;
    write_to(response, &mut out).await?;
    Ok(out.finish()?)
}

async fn write_to(response: Response, out: &mut impl Write) -> Result<(), Stop> {
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = Activity::begun().watch(chunks.next()).await.map_err(Stop::Cut)? {
        let cut = |e| Stop::Cut(Failure::failed(format!("the answer was cut off: {}", deepest(&e))));
        out.write_all(&chunk.map_err(cut)?)?;
    }
    Ok(())
}

/// `| head` has read what it wanted; a full disk is a failure.
fn left_or_failed(request: &Request, error: io::Error) -> Result<Option<Done>, Failure> {
    match request.output == "-" && error.kind() == io::ErrorKind::BrokenPipe {
        true => Ok(None),
        false => Err(Failure::failed(format!("{}: it could not be written: {error}", request.output))),
    }
}

/// Keeps the answer until it is known what it says of its rows: of those that cannot be used, and of all where something between
/// here and the server took the counts away.
async fn looked_at(
    request: &Request,
    response: Response,
    counted: Option<(usize, usize)>,
    done: impl FnOnce((usize, usize)) -> Done,
) -> Result<Option<Done>, Failure> {
    let kept = |error: io::Error| Failure::failed(format!("the answer could not be kept: {error}"));
    let mut spool = Spool::new(0);
    match write_to(response, &mut spool).await {
        Ok(()) => {}
        Err(Stop::Cut(failure)) => return Err(failure),
        Err(Stop::Written(error)) => return Err(kept(error)),
    }
    let answer = spool.into_input("the answer", request.wanted);
    let seen = Seen::of(&answer).map_err(Error::from)?;
    let (n_rows, unusable) = match counted {
        Some(counted) => counted,
        None if request.keeps_error && seen.has_errors => {
            return Err(Failure::failed(
                "the answer does not say how many rows could not be used (its header x-unusable-rows is gone), and the kept \
                 column `error` hides it; keep another column",
            ));
        }
        None => (seen.rows, seen.unusable),
    };
    if unusable > 0 && !request.accepts_bad_rows {
        let first = seen.first.map(|(row, why)| located(request, row, &why)).unwrap_or_default();
        let message = format!(
            "{first}{unusable} of {} cannot be used; mend them, or use --on-error null: then the column `error` says what is \
             wrong",
            rows(n_rows)
        );
        return Err(Failure { message, exit: Exit::Data });
    }
    let copied = File::open(answer.path()).and_then(|mut file| {
        let mut out = Destination::create(&request.output)?;
        io::copy(&mut file, &mut out)?;
        out.finish()
    });
    match copied {
        Ok(()) => Ok(Some(done((n_rows, unusable)))),
        Err(error) => left_or_failed(request, error),
    }
}

/// What an answer says of its rows.
#[derive(Debug, Default)]
struct Seen {
    rows: usize,
    unusable: usize,
    /// The first that cannot be used, and why.
    first: Option<(usize, String)>,
    has_errors: bool,
}

impl Seen {
    fn of(answer: &Input) -> tabwright_data::Result<Self> {
        let keep = |name: &str| StreamRequest {
            passed_over: Vec::new(),
            expected: Vec::new(),
            keep: vec![name.to_owned()],
            batch_size: BATCH,
            batch_bytes: BATCH_BYTES,
        };
        let read = ReadOptions {
            delimiter: Some(b','),
            quote: Some(b'"'),
            header: Some(true),
            encoding: Some("utf-8".into()),
            ..ReadOptions::default()
        };
        let inputs = std::slice::from_ref(answer);
        let mut seen = Seen::default();
        // Without rows that cannot be used there is no column that says so.
        let stream = match open_stream(inputs, &keep(ERROR), &read) {
            Err(error) if error.is_usage() => open_stream(inputs, &keep(PREDICTION), &read)?,
            other => {
                seen.has_errors = true;
                other?
            }
        };
        for block in stream {
            let block = block?;
            if seen.has_errors {
                for (row, why) in (0..block.places.len()).filter_map(|row| Some((row, text_of(&block.keep[0], row)?))) {
                    seen.first.get_or_insert_with(|| (seen.rows + row, why.to_owned()));
                    seen.unusable += 1;
                }
            }
            seen.rows += block.places.len();
        }
        Ok(seen)
    }
}

fn text_of(column: &Column, row: usize) -> Option<&str> {
    match column {
        Column::Category(texts) => texts.get(row).filter(|text| !text.is_empty()),
        _ => None,
    }
}

/// What is wrong with a row, by its line in the file instead of its number in the request.
fn located(request: &Request, row: usize, why: &str) -> String {
    match (place_of(request, row), why.strip_prefix(&format!("row {row}"))) {
        (Some(place), Some(rest)) => format!("{place}{rest}; "),
        _ => format!("{why}; "),
    }
}

/// Where a row stands in the file that was sent.
fn place_of(request: &Request, row: usize) -> Option<String> {
    let nothing = StreamRequest {
        passed_over: Vec::new(),
        expected: Vec::new(),
        keep: Vec::new(),
        batch_size: BATCH,
        batch_bytes: BATCH_BYTES,
    };
    let read = ReadOptions {
        format: Some(request.format),
        encoding: request.encoding.clone(),
        header: Some(true),
        ..ReadOptions::default()
    };
    let mut stream = open_stream(std::slice::from_ref(&request.input), &nothing, &read).ok()?;
    let mut before = 0;
    while let Some(block) = stream.next() {
        let places = block.ok()?.places;
        if let Some(place) = places.get(row - before) {
            return Some(stream.place(*place).to_string());
        }
        before += places.len();
    }
    None
}

/// What the server says when it does not predict.
pub(super) async fn refused(request: &Request, response: Response) -> Failure {
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    let said = serde_json::from_str::<serde_json::Value>(&text).ok();
    let said = said.as_ref().and_then(|v| v["error"]["message"].as_str()).unwrap_or(&text);
    let said: String = said.chars().take(MESSAGE).collect();
    let said = said.replace("the body", request.input.name());
    let message = match said.trim() {
        "" => format!("{}: the server answers {status}", address::shown(&request.url)),
        said => format!("the server answers {}: {said}", status.as_u16()),
    };
    let exit = match status.as_u16() {
        400 | 413 | 422 => Exit::Data,
        401 | 403 | 404 | 405 | 406 | 415 | 421 => Exit::Usage,
        _ => Exit::Failed,
    };
    Failure { message, exit }
}
