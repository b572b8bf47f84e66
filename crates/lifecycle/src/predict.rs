//! `predict`: rows in, predictions out, in their order and in bounded memory.

mod logged;

use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use tabwright_core::{Code, Column, Context, Event, Rows, Warning};
use tabwright_data::{
    BATCH_BYTES, BadRow, BlockStream, Destination, ReadOptions, StreamBlock, StreamRequest, TableWriter,
};
use tabwright_model::artifact::Artifact;

use crate::answer::{Layout, bad_rows, expected_columns, known_columns, read_options};
use crate::error::{Error, Result};

use logged::Logged;

pub use logged::LogTarget;

/// Rows predicted at a time from standard input.
pub const STREAM_BATCH: usize = 1_000;
/// Rows predicted at a time from files.
pub const FILE_BATCH: usize = 20_000;
/// Rejected rows that are named one by one.
const NAMED_REJECTS: usize = 5;

/// What happens to a row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OnError {
    /// The command fails, and nothing is written.
    #[default]
    Fail,
    /// Its prediction is missing.
    Null,
    /// It is left out, and written as it stands to this file.
    Reject(String),
}

impl FromStr for OnError {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "fail" => Ok(OnError::Fail),
            "null" => Ok(OnError::Null),
            _ => match text.strip_prefix("reject=") {
                Some(file) if !file.is_empty() => Ok(OnError::Reject(file.to_owned())),
                _ => Err(Error::Config(format!("--on-error {text}: it is none of fail, null and reject=FILE"))),
            },
        }
    }
}

/// What is predicted, and where it goes.
#[derive(Debug, Clone, Default)]
pub struct PredictOptions {
    /// Files, globs, folders, or `-`.
    pub sources: Vec<String>,
    /// The file of predictions, or `-`.
    pub output: String,
    /// Columns that are carried through.
    pub keep: Vec<String>,
    /// What happens to a row that cannot be used.
    pub on_error: OnError,
    /// Rows predicted at a time; absent: [`STREAM_BATCH`] or [`FILE_BATCH`].
    pub batch_size: Option<usize>,
    /// Number of threads; 0: those that are there.
    pub threads: usize,
    /// How the files are read.
    pub read: ReadOptions,
    /// Where the predictions are logged; absent: nowhere.
    pub log: Option<LogTarget>,
}

/// What was predicted.
#[derive(Debug, Clone, Default)]
pub struct Predicted {
    /// Rows with a line in the output.
    pub rows: usize,
    /// Rows that could not be used.
    pub rejected: usize,
    /// What the user should know.
    pub warnings: Vec<Warning>,
    /// Rows that were logged.
    pub logged: u64,
    /// Wall-clock time.
    pub seconds: f64,
}

/// Predicts the rows of files.
///
/// # Errors
/// From reading and writing; with [`OnError::Fail`] for the first row that cannot be used, with file and line. The
/// output appears only when it is complete.
pub fn predict(artifact: &Artifact, options: &PredictOptions, context: Context<'_>) -> Result<Predicted> {
    let started = context.clock.seconds();
    let mut done = crate::train::with_threads(options.threads, || run(artifact, options, context))?;
    done.seconds = context.clock.seconds() - started;
    Ok(done)
}

fn run(artifact: &Artifact, options: &PredictOptions, context: Context<'_>) -> Result<Predicted> {
    let model = artifact.model();
    context.observer.event(Event::Phase { name: "predicting", steps: None });
    let inputs = crate::train::inputs(&options.sources)?;
    let piped = options.sources.iter().any(|s| s == "-");
    let mut expected = expected_columns(model);
    let mut log = options.log.as_ref().map(|target| Logged::open(target, artifact, &mut expected)).transpose()?;
    let request = StreamRequest {
        passed_over: known_columns(artifact),
        expected,
        keep: options.keep.clone(),
        batch_size: options.batch_size.unwrap_or(if piped { STREAM_BATCH } else { FILE_BATCH }),
        batch_bytes: BATCH_BYTES,
    };
    let mut stream = tabwright_data::open_stream(&inputs, &request, &read_options(model, &options.read))?;
    let mut outputs = vec![("the predictions", options.output.as_str())];
    if let OnError::Reject(path) = &options.on_error {
        outputs.push(("the rejected rows", path));
    }
    crate::file::check_apart(&outputs, &inputs)?;
    let mut keep = stream.keep().to_vec();
    if let Some(log) = &log {
        log.add_ids(&mut keep);
    }
    let layout = Layout::new(model, &keep)?;
    let mut writer = tabwright_data::create_writer(&options.output, None, layout.columns())?;
    let mut rejects = match &options.on_error {
        OnError::Reject(path) => Some(Rejects::create(path, stream.header())?),
        _ => None,
    };
    let scorer = model.scorer();
    let mut done = Predicted { warnings: stream.warnings().to_vec(), ..Predicted::default() };
    while let Some(block) = stream.next() {
        let block = block.map_err(|error| logged_already(log.as_ref(), error.into()))?;
        if context.cancel.is_cancelled() {
            let error = Error::Cancelled("no predictions were written".into());
            return Err(logged_already(log.as_ref(), error));
        }
        let bad = bad_rows(&block.bad);
        if let (OnError::Fail, Some(first)) = (&options.on_error, block.bad.first()) {
            let message = described(&stream, &block, first);
            let error =
                Error::Data(format!("{message}; mend the row, or use --on-error null or --on-error reject=FILE"));
            return Err(logged_already(log.as_ref(), error));
        }
        name_rejects(&stream, &block, &mut done);
        let predictions = scorer.predict(Rows::all(&block.block));
        let mut keep = block.keep.clone();
        if let Some(log) = &mut log {
            keep.extend(log.take(model, (&block, &predictions, &bad), &stream)?);
        }
        let columns = layout.fill(keep, predictions, model.threshold(), &bad);
        let rows = write(writer.as_mut(), columns, &bad, rejects.is_some())?;
        if let Some(rejects) = &mut rejects {
            bad.iter().try_for_each(|&row| rejects.write(&block.raw(row as usize)))?;
        }
        done.rows += rows;
        done.rejected += bad.len();
    }
    // What the output says is in the log before the output is there.
    if let Some(log) = log {
        done.logged = log.finish()?;
    }
    writer.finish()?;
    rejects.map_or(Ok(()), Rejects::finish)?;
    if done.rejected > NAMED_REJECTS {
        let message = format!("{} rows could not be used in all", done.rejected);
        done.warnings.push(Warning::general(Code::UnusableRows, message));
    }
    Ok(done)
}

/// An error that says how many rows before it are in the log: with ids of their own they are the same entries when they come again.
fn logged_already(log: Option<&Logged>, error: Error) -> Error {
    match (log.map_or(0, Logged::rows), error) {
        (0, error) => error,
        (rows, Error::Cancelled(why)) => Error::Cancelled(format!("{why}; {rows} rows are in the log")),
        (rows, error) => Error::Data(format!("{error}; {rows} rows before it are in the log")),
    }
}

/// A row that cannot be used: where it stands, and why.
pub(crate) fn described(stream: &BlockStream, block: &StreamBlock, bad: &BadRow) -> String {
    let place = stream.place(block.places[bad.row]);
    match &bad.column {
        Some(column) => format!("{place}, column `{column}`: `{}` is {}", bad.found, bad.message),
        None => format!("{place}: {}", bad.message),
    }
}

fn name_rejects(stream: &BlockStream, block: &StreamBlock, done: &mut Predicted) {
    let named = done.warnings.iter().filter(|w| w.code == Code::UnusableRows).count();
    for bad in block.bad.iter().take(NAMED_REJECTS.saturating_sub(named)) {
        done.warnings.push(Warning::general(Code::UnusableRows, described(stream, block, bad)));
    }
}

/// Writes the rows of a block, without the bad ones where those are set apart.
fn write(writer: &mut dyn TableWriter, columns: Vec<Column>, bad: &[u32], set_apart: bool) -> Result<usize> {
    let n = columns.first().map_or(0, Column::len);
    let columns = if set_apart && !bad.is_empty() {
        let good: Vec<u32> = (0..n as u32).filter(|row| bad.binary_search(row).is_err()).collect();
        columns.iter().map(|c| c.take(&good)).collect()
    } else {
        columns
    };
    writer.write(&columns.iter().collect::<Vec<_>>())?;
    Ok(columns.first().map_or(0, Column::len))
}

/// Rows that are set apart, as they stood in the source, so that they can be mended and predicted again.
struct Rejects {
    file: Destination,
    path: String,
}

impl Rejects {
    fn create(path: &str, header: Option<&str>) -> Result<Self> {
        let file = crate::file::create(Path::new(path), "the rejected rows cannot be written here")?;
        let mut rejects = Rejects { file, path: path.to_owned() };
        header.map_or(Ok(()), |header| rejects.write(header))?;
        Ok(rejects)
    }

    fn write(&mut self, line: &str) -> Result<()> {
        writeln!(self.file, "{line}").map_err(|source| rejects_error(&self.path, source))
    }

    fn finish(self) -> Result<()> {
        self.file.finish().map_err(|source| rejects_error(&self.path, source))
    }
}

fn rejects_error(path: &str, source: std::io::Error) -> Error {
    Error::Write { path: path.into(), what: "the rejected rows could not be written", source }
}
