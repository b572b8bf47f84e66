//! Predictions that another system made, on their way into the log.

use std::collections::BTreeSet;

use tabwright_core::block::{MISSING_CODE, MISSING_INTEGER};
use tabwright_core::{Category, Column, Context, Kind, Schema, suggest};
use tabwright_data::{BATCH_BYTES, BlockStream, ReadOptions, StreamBlock, StreamRequest, open_stream, survey};
use tabwright_model::artifact::Artifact;
use tabwright_model::levels::shortest;
use tabwright_store::Home;
use tabwright_store::predictions::{Entries, LogColumn, LogOptions, LogSchema, Outputs, PredictionLog, Predictions};
use tabwright_store::time::Micros;

use super::rows::{ids, text, times};
use crate::answer::expected_columns;
use crate::error::{Error, Result};
use crate::predict::{FILE_BATCH, described};

/// What stands before a class in the name of a column.
const PROBABILITY: &str = "probability_";

/// What is imported, and under which names.
#[derive(Debug, Clone)]
pub struct ImportRequest<'a> {
    /// Files, globs, folders, or `-`.
    pub sources: &'a [String],
    /// The home.
    pub home: &'a Home,
    /// The model.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The version itself, if it is one of ours: it says what its inputs and classes are.
    pub artifact: Option<&'a Artifact>,
    /// The columns of ids, times and predictions.
    pub columns: ImportColumns,
    /// How files are read.
    pub read: ReadOptions,
}

/// Where a file has what is not an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportColumns {
    /// Ids.
    pub id: String,
    /// Times.
    pub time: String,
    /// Predictions: numbers or classes.
    pub prediction: String,
    /// How long each took, in microseconds, if that is known.
    pub latency: Option<String>,
}

impl Default for ImportColumns {
    fn default() -> Self {
        let named = |name: &str| name.to_owned();
        ImportColumns {
            id: named("prediction_id"),
            time: named("time"),
            prediction: named("prediction"),
            latency: None,
        }
    }
}

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Rows.
    pub rows: u64,
    /// Columns that count as inputs.
    pub inputs: Vec<String>,
}

/// Appends the predictions of files to the log, with their own ids and times. All is on disk when it returns; where it fails, what
/// came before is in the log, and can be imported again: an id that is there twice is one entry.
///
/// # Errors
/// From reading; for the first row that cannot be used, with its place; if the log cannot be written.
pub fn import(request: &ImportRequest<'_>, context: Context<'_>) -> Result<Imported> {
    let inputs = crate::train::inputs(request.sources)?;
    let found = survey(&inputs, &request.read, context)?.schema;
    let plan = Plan::new(request, &found)?;
    let log = Predictions::of(request.home, request.name)?;
    let writer = log.writer(request.version, plan.schema.clone(), LogOptions::default())?;
    request.home.create()?;
    let stream = StreamRequest {
        passed_over: found.names().map(str::to_owned).collect(),
        expected: plan.expected.clone(),
        keep: Vec::new(),
        batch_size: FILE_BATCH,
        batch_bytes: BATCH_BYTES,
    };
    let mut stream = open_stream(&inputs, &stream, &request.read)?;
    let mut rows = 0;
    while let Some(block) = stream.next() {
        let block = block?;
        if context.cancel.is_cancelled() {
            return Err(Error::Cancelled(format!("{rows} rows are in the log; import the file again for the rest")));
        }
        if let Some(bad) = block.bad.first() {
            return Err(Error::Data(described(&stream, &block, bad)));
        }
        plan.append(&block, &stream, &writer)?;
        rows += block.block.n_rows() as u64;
    }
    writer.close()?;
    Ok(Imported { rows, inputs: plan.schema.inputs.into_iter().map(|column| column.name).collect() })
}

/// Which columns are what.
struct Plan<'a> {
    columns: &'a ImportColumns,
    schema: LogSchema,
    /// Ids, times, predictions, then the latency if there is one, probabilities and inputs.
    expected: Vec<(String, Kind)>,
    /// Classes whose probability is known.
    with_probability: Vec<bool>,
}

impl<'a> Plan<'a> {
    fn new(request: &'a ImportRequest<'_>, found: &Schema) -> Result<Self> {
        let columns = &request.columns;
        let kind_of = |name: &str| found.position(name).map(|p| found.fields()[p].kind);
        for (what, name, flag) in [
            ("ids", &columns.id, "--id"),
            ("times", &columns.time, "--time"),
            ("predictions", &columns.prediction, "--prediction"),
        ] {
            if kind_of(name).is_none() {
                let near = suggest::did_you_mean(name, found.names());
                return Err(Error::Data(format!("no column `{name}` has the {what}{near}; name it with {flag}")));
            }
        }
        let own = [Some(&columns.id), Some(&columns.time), Some(&columns.prediction), columns.latency.as_ref()];
        let is_own = |name: &str| own.iter().flatten().any(|own| *own == name);
        let probabilities: Vec<&str> = found.names().filter_map(|name| name.strip_prefix(PROBABILITY)).collect();
        let outputs = match request.artifact {
            Some(artifact) => super::logger::outputs(artifact.model().task()),
            // In byte order, as those of a model are: the last of two is the positive one.
            None if !probabilities.is_empty() => {
                let classes: BTreeSet<&str> = probabilities.iter().copied().collect();
                Outputs::Classes(classes.into_iter().map(str::to_owned).collect())
            }
            None if kind_of(&columns.prediction).is_some_and(|kind| !kind.is_numeric()) => {
                let message = format!(
                    "the column `{}` holds classes, and no column has their probabilities: add `{PROBABILITY}CLASS` for each class, \
                     or register the model first",
                    columns.prediction
                );
                return Err(Error::Data(message));
            }
            None => Outputs::Number,
        };
        let inputs: Vec<(String, Kind)> = match request.artifact {
            // What the file lacks is not logged.
            Some(artifact) => {
                expected_columns(artifact.model()).into_iter().filter(|(name, _)| kind_of(name).is_some()).collect()
            }
            None => {
                let fields = found.fields().iter();
                let others = fields.filter(|f| !is_own(&f.name) && !f.name.starts_with(PROBABILITY));
                others.map(|field| (field.name.clone(), field.kind)).collect()
            }
        };
        let classes = outputs.classes();
        let with_probability: Vec<bool> = classes.iter().map(|class| probabilities.contains(&class.as_str())).collect();
        let of_class =
            |(class, is_known): (&String, &bool)| is_known.then(|| (format!("{PROBABILITY}{class}"), Kind::Float));
        let mut expected = vec![
            (columns.id.clone(), Kind::Text),
            (columns.time.clone(), Kind::Timestamp),
            (columns.prediction.clone(), outputs.kind()),
        ];
        expected.extend(columns.latency.iter().map(|name| (name.clone(), Kind::Integer)));
        expected.extend(classes.iter().zip(&with_probability).filter_map(of_class));
        expected.extend(inputs.iter().cloned());
        let inputs = inputs.into_iter().map(|(name, kind)| LogColumn { name, kind }).collect();
        Ok(Plan { columns, schema: LogSchema { inputs, outputs }, expected, with_probability })
    }

    fn append(&self, block: &StreamBlock, stream: &BlockStream, writer: &PredictionLog) -> Result<()> {
        let told = |(row, why): (usize, String)| Error::Data(format!("{}: {why}", stream.place(block.places[row])));
        let columns = block.block.columns();
        let n_rows = block.block.n_rows();
        let ids = ids(&columns[0], &self.columns.id).map_err(told)?;
        let times: Vec<Micros> = times(&columns[1], &self.columns.time).map_err(told)?;
        let predictions = match &self.schema.outputs {
            Outputs::Number => Column::Float((0..n_rows).map(|row| columns[2].number(row)).collect()),
            Outputs::Classes(classes) => classes_of(&columns[2], classes).map_err(told)?,
        };
        let first = 3 + usize::from(self.columns.latency.is_some());
        let latencies: Vec<i64> = match &self.columns.latency {
            Some(_) => (0..n_rows).map(|row| latency(&columns[3], row)).collect(),
            None => Vec::new(),
        };
        let mut next = first;
        let mut probabilities: Vec<Vec<f64>> = Vec::new();
        for is_known in &self.with_probability {
            probabilities.push(match is_known {
                true => {
                    next += 1;
                    (0..n_rows).map(|row| columns[next - 1].number(row)).collect()
                }
                false => vec![f64::NAN; n_rows],
            });
        }
        let probabilities: Vec<&[f64]> = probabilities.iter().map(Vec::as_slice).collect();
        let inputs: Vec<&Column> = columns[next..].iter().collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let entries = Entries {
            latencies: &latencies,
            probabilities: &probabilities,
            ..Entries::new(&ids, &times, &inputs, &predictions)
        };
        Ok(writer.import(&entries)?)
    }
}

/// How long a prediction took; missing where that is not known.
fn latency(column: &Column, row: usize) -> i64 {
    match column.number(row) {
        micros if micros >= 0.0 => micros as i64,
        _ => MISSING_INTEGER,
    }
}

/// Predicted classes by the names that the log has; one that there is not is an error.
fn classes_of(column: &Column, classes: &[String]) -> Result<Column, (usize, String)> {
    let levels: tabwright_core::Levels = classes.iter().collect();
    let spelling = tabwright_model::levels::Spelling::of(&levels);
    let code = |row: usize| {
        let found = match column {
            column if column.is_missing(row) => return Ok(MISSING_CODE),
            Column::Category(_) => text(column, row).unwrap_or_default(),
            column => shortest(column.number(row)),
        };
        let canonical = spelling.canonical(&found);
        let position = classes.iter().position(|class| *class == canonical);
        position.map(|p| p as u32).ok_or_else(|| {
            let known = suggest::shorten(classes.iter().map(String::as_str));
            (row, format!("the prediction `{found}` is none of the classes {known}"))
        })
    };
    let codes = (0..column.len()).map(code).collect::<Result<Vec<_>, _>>()?;
    Ok(Column::Category(Category { codes, levels: std::sync::Arc::new(levels) }))
}
