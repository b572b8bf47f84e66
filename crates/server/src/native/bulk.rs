//! Rows in the formats of files, in and out, in bounded memory whatever their number: what comes is kept (in a temporary file
//! beyond some megabytes), then read block by block; what goes is kept likewise until it is known whether all went well.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;
use tabwright_core::metric::Predictions;
use tabwright_core::{Block, Category, Column, Kind};
use tabwright_data::{BadRow, Format, Input, StreamBlock, StreamRequest, open_stream, writer_to};
use tabwright_lifecycle::answer::{Layout, bad_rows};
use tempfile::SpooledTempFile;

use super::answer::{JsonAnswer, Part, as_json, described};
use super::document::{Document, check_ids, unquoted};
use super::options::{GivenIds, Options};
use crate::http::{Call, Response, json_response, spool};
use crate::log::{Done, Origin, Predicted, RowIds};
use crate::model::{Entry, Served};
use crate::options::Limits;
use crate::refusal::{Answer, Refusal};
use crate::work::{self, Going};

/// Bytes of a body, or of an answer, that are held in memory.
pub(crate) const IN_MEMORY: usize = 8 << 20;
/// Rows that are read and predicted at a time.
const BATCH: usize = 20_000;
/// Bytes of a file that are sent at a time.
const CHUNK: usize = 256 << 10;

/// The column of ids in an answer.
const ID: &str = "id";
/// The column of what is wrong with a row, in answers that have such rows.
const ERROR: &str = "error";

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// One document.
    Json,
    /// Row by row.
    Rows(Form),
}

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) format: Format,
    /// Whether Arrow is a file, with a table of contents at its end, and no stream.
    is_arrow_file: bool,
}

const fn rows(format: Format) -> Media {
    Media::Rows(Form { format, is_arrow_file: false })
}

impl Media {
    /// By the name of a type.
    pub(crate) fn of_type(name: &str) -> Option<Self> {
        Some(match name {
            "application/json" | "text/json" => Media::Json,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/jsonlines" => rows(Format::Jsonl),
            "text/csv" | "application/csv" => rows(Format::Csv),
            "application/vnd.apache.arrow.stream" => rows(Format::Arrow),
            Format::ARROW_FILE => Media::Rows(Form { format: Format::Arrow, is_arrow_file: true }),
            "application/vnd.apache.parquet" => rows(Format::Parquet),
            _ => return None,
        })
    }

    /// What a caller accepts; the first that is known of the types in the header, or as the rows came.
    pub(super) fn accepted(header: Option<&str>, input: Media) -> Answer<Self> {
        let Some(header) = header.filter(|h| !h.trim().is_empty() && *h != "*/*") else { return Ok(input) };
        for part in header.split(',') {
            let name = part.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            if name == "*/*" || name == "application/*" {
                return Ok(input);
            }
            if name == "text/*" {
                return Ok(rows(Format::Csv));
            }
            if let Some(media) = Media::of_type(&name) {
                return Ok(media);
            }
        }
        let message = "answers are application/json, application/x-ndjson, text/csv, application/vnd.apache.arrow.stream or application/vnd.apache.parquet; \
                       the header `Accept` names none of them";
        Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message))
    }
}

fn type_of(form: Form) -> &'static str {
    match form.format {
        Format::Arrow if form.is_arrow_file => Format::ARROW_FILE,
        Format::Csv => "text/csv; charset=utf-8",
        format => format.media_type(),
    }
}

/// Answers rows that come in the format of a file.
pub(super) async fn of_rows(
    call: Call,
    entry: &Arc<Entry>,
    options: Options,
    (Form { format, .. }, output): (Form, Media),
) -> Answer<Response> {
    let Call { app, settings, parts, body, id, params, started } = call;
    let limits = &settings.limits;
    // Parquet is read from its end.
    let in_memory = if format == Format::Parquet { 0 } else { IN_MEMORY };
    if let Media::Rows(_) = output {
        options.check_for_rows()?;
    }
    // What is not there is not worth a long way.
    entry.find(super::wanted(&params))?;
    let mut turn = work::queue_rows(&app, limits)?;
    let body = turn.reading(spool(&parts.headers, body, (in_memory, limits.bulk_body), limits.request_time)).await?;
    let served = Arc::clone(entry.choose(super::wanted(&params), |canary| {
        work::standing(&app.ids, canary, (options.key.as_deref(), &parts.headers), |_| None)
    })?);
    let origin = Origin::new((Arc::clone(&id), started), &params, entry, &served);
    let compute = {
        let (served, app, settings, entry) =
            (Arc::clone(&served), Arc::clone(&app), Arc::clone(&settings), Arc::clone(entry));
        move |going: &Going| -> Answer<Done> {
            options.check(&served)?;
            let body = body.unpack()?;
            if body.size() == 0 {
                return Err(Refusal::bad("empty_body", "the body is empty; a header and rows are needed"));
            }
            let asked = Asked {
                served: &served,
                input: &body.into_input("the body", format),
                options: &options,
                limits: &settings.limits,
                id: &id,
                going,
            };
            // Blocks of the same columns; a version that reads others has nothing to compare.
            let is_comparable = entry.shadow.as_ref().is_none_or(|shadow| shadow.served.expected == served.expected);
            if let Some(shadow) = entry.shadow.as_ref().filter(|_| !is_comparable && Arc::ptr_eq(&served, &entry.main))
            {
                shadow.comparison.skip();
            }
            let threshold = options.threshold.unwrap_or(served.model().threshold());
            let (mut first, mut is_logged) = (0, true);
            let mut seen = |block: &Block, predictions: &Predictions, bad: &[u32], ids: Option<&Column>| {
                app.metrics.predicted(&served, block.n_rows(), bad.len());
                if let Some(log) = &served.log {
                    let ids = ids.map_or(RowIds::Numbered(first), |column| RowIds::Of(column, first));
                    is_logged &=
                        log.block(served.model(), Predicted { block, predictions, bad, threshold, ids }, &origin);
                }
                first += block.n_rows();
                if !is_comparable {
                    return;
                }
                app.shadows.ask(&app, &entry, (&served, predictions), || {
                    let block = block.clone();
                    Box::new(move |_| Some(block))
                });
            };
            let response = match output {
                Media::Json => asked.as_document(&mut seen)?,
                Media::Rows(form) => asked.as_rows(form, &mut seen)?,
            };
            Ok(Done::after(response, served.log.as_ref().and_then(|log| log.all(is_logged))))
        }
    };
    turn.compute(&served, compute).await
}

/// What is done with the rows of each block, those that cannot be used, and their ids.
type Seen<'a> = dyn FnMut(&Block, &Predictions, &[u32], Option<&Column>) + 'a;

struct Asked<'a> {
    served: &'a Served,
    input: &'a Input,
    options: &'a Options,
    limits: &'a Limits,
    id: &'a str,
    going: &'a Going,
}

impl Asked<'_> {
    fn open(&self) -> Answer<tabwright_data::BlockStream> {
        let ids = match &self.options.ids {
            Some(GivenIds::Column(name)) => Some(name.clone()),
            _ => None,
        };
        let request = StreamRequest {
            passed_over: self.served.passed_over.clone(),
            expected: self.served.expected.clone(),
            keep: self.options.keep.iter().cloned().chain(ids).collect(),
            batch_size: BATCH,
            batch_bytes: tabwright_data::BATCH_BYTES,
        };
        let read = self.limits.reading(&self.served.read);
        open_stream(std::slice::from_ref(self.input), &request, &read).map_err(unreadable)
    }

    fn has_ids(&self) -> bool {
        matches!(self.options.ids, Some(GivenIds::Column(_)))
    }

    /// The column of ids, which is the last one that is kept.
    fn ids<'b>(&self, block: &'b StreamBlock) -> Answer<Option<&'b Column>> {
        let Some(column) = block.keep.last().filter(|_| self.has_ids()) else { return Ok(None) };
        if let Column::Category(ids) = column {
            check_ids((0..block.block.n_rows()).filter_map(|row| Some((row, ids.get(row)?.to_owned()))))?;
        }
        Ok(Some(column))
    }

    fn as_document(&self, seen: &mut Seen<'_>) -> Answer<Response> {
        let mut answer = JsonAnswer::new(self.served, self.options.clone(), self.id);
        for block in self.open()? {
            self.going.check()?;
            let block = block.map_err(unreadable)?;
            let bad = bad_rows(&block.bad);
            if answer.n_rows() + block.block.n_rows() > self.limits.rows {
                let most = self.limits.rows;
                let message = format!("a JSON answer has at most {most} rows; accept CSV, JSON Lines or Arrow instead");
                return Err(Refusal::too_large(message));
            }
            let predictions = self.served.predict(&block.block);
            seen(&block.block, &predictions, &bad, self.ids(&block)?);
            let mut kept: Vec<Vec<Option<String>>> = block.keep.iter().map(as_json).collect();
            let ids = if self.has_ids() { kept.pop() } else { None };
            answer.push(Part { block: &block.block, predictions, problems: &block.bad, bad: &bad, kept, ids })?;
        }
        let (status, text) = answer.finish();
        Ok(json_response(status, text))
    }

    /// The rows as a file would have them. Where some cannot be used, a column says why; whether there are any is known at the end,
    /// so then all is read once more.
    fn as_rows(&self, form: Form, seen: &mut Seen<'_>) -> Answer<Response> {
        match self.written(form, false, seen)? {
            Some(response) => Ok(response),
            None => self.written(form, true, &mut |_, _, _, _| {})?.ok_or_else(|| Refusal::internal(&"rows changed")),
        }
    }

    fn written(&self, form: Form, with_errors: bool, seen: &mut Seen<'_>) -> Answer<Option<Response>> {
        let stream = self.open()?;
        let mut out = Out::new(self.served, self.keep_kinds(stream.keep()), form, with_errors)?;
        let mut rows = 0;
        let mut has_bad = false;
        for block in stream {
            self.going.check()?;
            let block = block.map_err(unreadable)?;
            let bad = bad_rows(&block.bad);
            let predictions = self.served.predict(&block.block);
            seen(&block.block, &predictions, &bad, self.ids(&block)?);
            has_bad |= !bad.is_empty();
            if with_errors || !has_bad {
                let mut keep = block.keep;
                if self.has_ids() {
                    keep.rotate_right(1);
                }
                out.push(
                    self.served,
                    Filled { keep, predictions, problems: &block.bad, bad: &bad, first: rows },
                    self.options,
                )?;
            }
            rows += block.block.n_rows();
        }
        if has_bad && !with_errors {
            return Ok(None);
        }
        out.finish(form, self.id).map(Some)
    }

    /// The columns that are carried through; ids come first, under their own name.
    fn keep_kinds(&self, keep: &[(String, Kind)]) -> Vec<(String, Kind)> {
        let mut keep = keep.to_vec();
        if self.has_ids() {
            keep.rotate_right(1);
            keep[0].0 = ID.to_owned();
        }
        keep
    }
}

/// Answers the rows of a document in the format of a file.
pub(super) fn of_block(
    served: &Served,
    document: Document,
    predictions: Predictions,
    (form, id): (Form, &str),
) -> Answer<Response> {
    let Document { options, rows, bad, column_ids } = document;
    options.check_for_rows()?;
    let text = |values: &Vec<Option<String>>| {
        let plain = values.iter().map(|value| value.as_deref().map(unquoted));
        Column::Category(Category::from_strings(plain))
    };
    let given: Option<Vec<Option<String>>> = match &options.ids {
        Some(GivenIds::List(ids)) => Some(ids.iter().cloned().map(Some).collect()),
        _ => column_ids,
    };
    let ids = given.as_ref().map(|ids| (ID.to_owned(), text(ids)));
    let kept = options.keep.iter().cloned().zip(rows.kept.iter().map(text));
    let (names, keep): (Vec<String>, Vec<Column>) = ids.into_iter().chain(kept).unzip();
    let kinds = names.into_iter().map(|name| (name, Kind::Text)).collect();
    let mut out = Out::new(served, kinds, form, !bad.is_empty())?;
    out.push(served, Filled { keep, predictions, problems: &rows.bad, bad: &bad, first: 0 }, &options)?;
    out.finish(form, id)
}

/// Rows of an answer.
struct Filled<'a> {
    keep: Vec<Column>,
    predictions: Predictions,
    problems: &'a [BadRow],
    bad: &'a [u32],
    /// Number of the first row.
    first: usize,
}

/// An answer that is being written.
struct Out {
    layout: Layout,
    writer: Box<dyn tabwright_data::TableWriter>,
    file: Shared,
    with_errors: bool,
    rows: usize,
    bad: usize,
    first_problem: Option<String>,
}

impl Out {
    fn new(served: &Served, keep: Vec<(String, Kind)>, form: Form, with_errors: bool) -> Answer<Self> {
        let layout = Layout::new(served.model(), &keep).map_err(|e| Refusal::bad("bad_option", e.to_string()))?;
        let mut columns = layout.columns().to_vec();
        if with_errors {
            columns.push(tabwright_data::WriteColumn { name: ERROR.into(), kind: Kind::Text });
        }
        let file = Shared(Arc::new(Mutex::new(SpooledTempFile::new(IN_MEMORY))));
        let writer = writer_to(Box::new(file.clone()), "the answer", (form.format, form.is_arrow_file), &columns);
        let writer = writer.map_err(|e| {
            if e.is_usage() { Refusal::bad("bad_option", e.to_string()) } else { Refusal::internal(&e) }
        })?;
        Ok(Out { layout, writer, file, with_errors, rows: 0, bad: 0, first_problem: None })
    }

    fn push(&mut self, served: &Served, rows: Filled<'_>, options: &Options) -> Answer<()> {
        let n_rows = rows.predictions.n_rows();
        let threshold = options.threshold.unwrap_or(served.model().threshold());
        let mut columns = self.layout.fill(rows.keep, rows.predictions, threshold, rows.bad);
        if self.with_errors {
            let mut errors: Vec<Option<String>> = vec![None; n_rows];
            for problem in rows.problems {
                let message = described(rows.first + problem.row, problem);
                self.first_problem.get_or_insert_with(|| message.clone());
                errors[problem.row].get_or_insert(message);
            }
            columns.push(Column::Category(Category::from_strings(errors)));
        }
        self.rows += n_rows;
        self.bad += rows.bad.len();
        self.writer.write(&columns.iter().collect::<Vec<_>>()).map_err(|e| Refusal::internal(&e))
    }

    fn finish(self, form: Form, id: &str) -> Answer<Response> {
        if self.bad == self.rows {
            let first = self.first_problem.unwrap_or_default();
            let message = format!("no row could be used; the first problem: {first}");
            return Err(Refusal::unusable("unusable_rows", message));
        }
        self.writer.finish().map_err(|e| Refusal::internal(&e))?;
        let mut response = self.file.into_response(type_of(form)).map_err(|e| Refusal::internal(&e))?;
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static("x-rows"), HeaderValue::from(self.rows));
        headers.insert(HeaderName::from_static("x-unusable-rows"), HeaderValue::from(self.bad));
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.insert(HeaderName::from_static("x-prediction-id"), id);
        }
        Ok(response)
    }
}

/// A file that the writer and the answer hold.
#[derive(Clone)]
struct Shared(Arc<Mutex<SpooledTempFile>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl Shared {
    fn into_response(self, content_type: &'static str) -> io::Result<Response> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size = file.seek(SeekFrom::End(0))?;
        file.rewind()?;
        let body = if file.is_rolled() {
            drop(file);
            Body::from_stream(futures_util::stream::try_unfold(self, |shared| async {
                let read = tokio::task::spawn_blocking(move || {
                    let mut chunk = vec![0; CHUNK];
                    let read = shared.0.lock().unwrap_or_else(PoisonError::into_inner).read(&mut chunk)?;
                    chunk.truncate(read);
                    Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(chunk), shared)))
                });
                read.await.map_err(io::Error::other)?
            }))
        } else {
            let mut all = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            file.read_to_end(&mut all)?;
            Body::from(all)
        };
        let mut response = Response::new(body);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        Ok(response)
    }
}

/// What is wrong with rows as a whole.
pub(crate) fn unreadable(error: tabwright_data::Error) -> Box<Refusal> {
    use tabwright_data::Error;
    match error {
        Error::MissingColumns { names, .. } => {
            let first = names.first().map(|name| name.split(" (").next().unwrap_or_default().to_owned());
            let message = format!("the rows lack {}", names.join(", "));
            Refusal::unusable("missing_column", message).in_column(&first.unwrap_or_default())
        }
        Error::TooWide { most, .. } => Refusal::too_large(format!("a row has at most {most} columns")),
        Error::Io { .. } | Error::Write { .. } => Refusal::internal(&error),
        other => Refusal::bad("bad_rows", other.to_string()),
    }
}
