//! Logs what a model predicted: from the block that it saw and the numbers that it gave to entries of the log of its version.

use std::path::Path;
use std::sync::Arc;

use tabwright_core::block::MISSING_CODE;
use tabwright_core::metric::Predictions as Scores;
use tabwright_core::{Block, Category, Column, Kind, Levels, Task, suggest};
use tabwright_model::artifact::Artifact;
use tabwright_model::contract::RowFlags;
use tabwright_model::model::Model;
use tabwright_store::Home;
use tabwright_store::predictions::{
    Durable, Entries, LONGEST_ID, LogColumn, LogOptions, LogSchema, LogState, Outputs, PredictionLog, Predictions,
    fresh_id, hash_rows,
};
use tabwright_store::time::Micros;

use crate::answer::expected_columns;
use crate::error::{Error, Result};

/// The flag of a row that could not be used: it has no prediction.
pub const UNUSABLE: &str = "unusable";
/// The flag of what a canary has answered.
pub const CANARY: &str = "canary";

/// Whether predictions are logged, and who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogMode {
    /// They are not.
    #[default]
    Off,
    /// Nobody waits. What finds no room in the queue is dropped and counted.
    Async,
    /// An answer waits until what it says is on disk.
    Durable,
}

/// What is logged of the inputs. Their hash is, in any case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LoggedInputs {
    /// Every value.
    #[default]
    All,
    /// No value.
    Hashes,
    /// The values of these columns.
    Columns(Vec<String>),
}

/// How predictions are logged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogSettings {
    /// Whether they are, and who waits.
    pub mode: LogMode,
    /// What of the inputs is.
    pub inputs: LoggedInputs,
    /// Whether an answer that should wait and cannot be logged is refused; otherwise it says that it was not logged.
    pub strict: bool,
}

/// The name and version that a model file is logged as: its name without the ending, and what its content is. So a file that is trained
/// anew, or a registered model of the same name, has a log of its own.
pub fn names_of_file(path: &Path, artifact: &Artifact) -> (String, String) {
    (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), version_of_file(artifact))
}

/// The version that a model file is logged as: `file-` and the first digits of its content id.
pub fn version_of_file(artifact: &Artifact) -> String {
    const DIGITS: usize = 8;
    let id = artifact.content_id();
    let id = id.strip_prefix("blake3:").unwrap_or(id);
    format!("file-{}", id.get(..DIGITS).unwrap_or(id))
}

/// Rows that a model has answered.
#[derive(Debug, Clone, Copy)]
pub struct LoggedRows<'a> {
    /// What the model saw: its inputs, in their order; columns behind them are not looked at.
    pub block: &'a Block,
    /// What it gave.
    pub scores: &'a Scores,
    /// What decides between two classes.
    pub threshold: f64,
    /// Rows that could not be used, ascending: they have no prediction.
    pub bad: &'a [u32],
    /// An id for each row.
    pub ids: &'a [&'a str],
    /// When they were predicted; one moment may stand for all.
    pub times: &'a [Micros],
    /// How long it took, in microseconds; nothing where nobody has measured it.
    pub latency: Option<i64>,
    /// Under which alias the version answered.
    pub alias: Option<&'a str>,
    /// A word on why this version answered, such as `canary`; empty for none.
    pub flag: &'a str,
}

/// Logs the predictions of one version of a model.
#[derive(Debug)]
pub struct Logger {
    log: PredictionLog,
    flags: RowFlags,
    /// How many inputs the model has.
    n_inputs: usize,
    /// Which of them are logged.
    logged: Vec<usize>,
    /// The classes; none where a number is answered.
    classes: Option<Arc<Levels>>,
}

impl Logger {
    /// Begins to log. The disk is not asked yet.
    ///
    /// # Errors
    /// If the model or the version have names that no folder can have, or a column is to be logged that the model does not read.
    pub fn open(
        home: &Home,
        (name, version): (&str, &str),
        artifact: &Artifact,
        inputs: &LoggedInputs,
        options: LogOptions,
    ) -> Result<Self> {
        let model = artifact.model();
        let logged = logged(model, inputs)?;
        let columns = expected_columns(model);
        let column = |&i: &usize| LogColumn { name: columns[i].0.clone(), kind: columns[i].1 };
        let schema = LogSchema { inputs: logged.iter().map(column).collect(), outputs: outputs(model.task()) };
        let classes = model.task().is_classification().then(|| Arc::new(model.task().labels().iter().collect()));
        let log = Predictions::of(home, name)?.writer(version, schema, options)?;
        let flags = RowFlags::new(model, &artifact.evidence.summaries, tabwright_data::format_timestamp);
        Ok(Logger { log, flags, n_inputs: columns.len(), logged, classes })
    }

    /// Logs without waiting.
    ///
    /// # Errors
    /// If something about the rows cannot be logged, such as an id.
    pub fn append(&self, model: &Model, rows: &LoggedRows<'_>) -> Result<()> {
        Ok(self.with_entries(model, rows, |entries| self.log.append(entries))?)
    }

    /// Logs, and answers when it is on disk.
    ///
    /// # Errors
    /// As [`Logger::append`]. What the disk says comes with the answer.
    pub fn append_durable(&self, model: &Model, rows: &LoggedRows<'_>) -> Result<Durable> {
        Ok(self.with_entries(model, rows, |entries| self.log.append_durable(entries))?)
    }

    /// Logs many rows, and holds up the thread until there is room for them; [`Logger::flush`] says whether all is on disk. What cannot
    /// be taken in is counted as dropped.
    ///
    /// # Errors
    /// As [`Logger::append`], and if nothing can be written.
    pub fn import(&self, model: &Model, rows: &LoggedRows<'_>) -> Result<()> {
        Ok(self.with_entries(model, rows, |entries| self.log.import(entries))?)
    }

    /// Logs what was predicted for some rows at a time, and gives the ids that it made for them: labels come by these. For programs that
    /// predict on their own; the rest of what a log knows is in [`Logger::append`].
    ///
    /// # Errors
    /// As [`Logger::append`], and if the system gives no random numbers.
    pub fn log_prediction(
        &self,
        model: &Model,
        input: &Block,
        prediction: &Scores,
        time: Micros,
    ) -> Result<Vec<String>> {
        let prefix = fresh_id()?;
        let made: Vec<String> = (0..input.n_rows()).map(|row| format!("{prefix}-{row}")).collect();
        let ids: Vec<&str> = made.iter().map(String::as_str).collect();
        let rows = LoggedRows {
            block: input,
            scores: prediction,
            threshold: model.threshold(),
            bad: &[],
            ids: &ids,
            times: &[time],
            latency: None,
            alias: None,
            flag: "",
        };
        self.append(model, &rows)?;
        Ok(made)
    }

    /// Answers when all that was logged before is on disk.
    pub fn flush(&self) -> Durable {
        self.log.flush()
    }

    /// How the log is doing.
    pub fn state(&self) -> LogState {
        self.log.state()
    }

    /// Writes what waits and closes the log.
    ///
    /// # Errors
    /// If something could not be written.
    pub fn close(self) -> Result<()> {
        Ok(self.log.close()?)
    }

    fn with_entries<T>(&self, model: &Model, rows: &LoggedRows<'_>, then: impl FnOnce(&Entries<'_>) -> T) -> T {
        let n_rows = rows.block.n_rows();
        let columns = &rows.block.columns()[..self.n_inputs];
        let inputs: Vec<&Column> = self.logged.iter().map(|&i| &columns[i]).collect();
        let counts = self.flags.count(model, rows.block);
        let hashes = hash_rows(&columns.iter().collect::<Vec<_>>(), n_rows);
        let is_bad = |row: usize| !rows.bad.is_empty() && rows.bad.binary_search(&(row as u32)).is_ok();
        let (predictions, probabilities) = self.outputs(rows, is_bad);
        let probabilities: Vec<&[f64]> = probabilities.iter().map(Vec::as_slice).collect();
        let both = if rows.flag.is_empty() { UNUSABLE.to_owned() } else { format!("{},{UNUSABLE}", rows.flag) };
        let flag = |row| if is_bad(row) { both.as_str() } else { rows.flag };
        let flags: Vec<&str> = match (rows.flag, rows.bad) {
            ("", []) => Vec::new(),
            _ => (0..n_rows).map(flag).collect(),
        };
        let latency = rows.latency.map(|latency| [latency]);
        let renamed: Vec<String> = rows.bad.iter().map(|row| unusable_id(rows.ids[*row as usize])).collect();
        let mut ids = rows.ids.to_vec();
        for (row, id) in rows.bad.iter().zip(&renamed) {
            ids[*row as usize] = id;
        }
        then(&Entries {
            hashes: &hashes,
            missing: &counts.missing,
            out_of_range: &counts.out_of_range,
            unseen: &counts.unseen,
            latencies: latency.as_ref().map_or(&[], |latency| &latency[..]),
            flags: &flags,
            alias: rows.alias,
            probabilities: &probabilities,
            ..Entries::new(&ids, rows.times, &inputs, &predictions)
        })
    }

    /// Predictions and the probabilities of each class; nothing for rows that could not be used.
    fn outputs(&self, rows: &LoggedRows<'_>, is_bad: impl Fn(usize) -> bool) -> (Column, Vec<Vec<f64>>) {
        let (scores, n_rows) = (rows.scores, rows.scores.n_rows());
        let or_missing = |row: usize, value: f64| if is_bad(row) { f64::NAN } else { value };
        let Some(classes) = &self.classes else {
            let numbers = (0..n_rows).map(|row| or_missing(row, scores.values[row])).collect();
            return (Column::Float(numbers), Vec::new());
        };
        let label = |row: usize| if is_bad(row) { MISSING_CODE } else { scores.label(row, rows.threshold) as u32 };
        let codes = (0..n_rows).map(label).collect();
        let predictions = Column::Category(Category { codes, levels: Arc::clone(classes) });
        let of = |class: usize, row: usize| match scores.row(row) {
            [positive] if class == 0 => 1.0 - positive,
            [positive] => *positive,
            several => several[class],
        };
        let class = |class: usize| (0..n_rows).map(|row| or_missing(row, of(class, row))).collect();
        (predictions, (0..classes.len()).map(class).collect())
    }
}

/// What a row that could not be used is logged as: its id is still free for the prediction that comes when it is mended.
fn unusable_id(id: &str) -> String {
    let most = LONGEST_ID - UNUSABLE.len() - 1;
    let end = (0..=id.len().min(most)).rev().find(|end| id.is_char_boundary(*end)).unwrap_or(0);
    format!("{}-{UNUSABLE}", &id[..end])
}

/// What a task answers, as the log has it.
pub fn outputs(task: &Task) -> Outputs {
    match task.is_classification() {
        true => Outputs::Classes(task.labels().to_vec()),
        false => Outputs::Number,
    }
}

/// Which inputs of a model are logged.
fn logged(model: &Model, inputs: &LoggedInputs) -> Result<Vec<usize>> {
    let all: Vec<(String, Kind)> = expected_columns(model);
    match inputs {
        LoggedInputs::All => Ok((0..all.len()).collect()),
        LoggedInputs::Hashes => Ok(Vec::new()),
        LoggedInputs::Columns(names) => {
            let position = |name: &String| {
                all.iter().position(|(known, _)| known == name).ok_or_else(|| {
                    let near = suggest::did_you_mean(name, all.iter().map(|(known, _)| known.as_str()));
                    Error::Config(format!("log.columns: the model does not read the column `{name}`{near}"))
                })
            };
            let mut positions = names.iter().map(position).collect::<Result<Vec<_>>>()?;
            positions.sort_unstable();
            positions.dedup();
            Ok(positions)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::example::{Example, generate};
    use crate::train::{Surroundings, train_table};
    use tabwright_core::{Context, Rows, Table};
    use tabwright_learn::candidate::Registry;
    use tabwright_store::predictions::{Chunk, ReadRequest, hash_block};

    fn trained(example: Example, target: &str) -> Artifact {
        let mut config = Config::default();
        config.data.target = target.into();
        config.train.candidates = vec!["gbdt_leafwise".into()];
        config.selection.folds = 0;
        let table = generate(example, 400, 42);
        train_table(table, &config, &Registry::default(), &Surroundings::default(), Context::silent()).unwrap().artifact
    }

    /// The first rows of a table, as the model sees them.
    fn inputs(artifact: &Artifact, table: &Table, n_rows: u32) -> Block {
        let rows: Vec<u32> = (0..n_rows).collect();
        let column = |(name, _): (String, Kind)| table.column_named(&name).unwrap().take(&rows);
        Block::new(expected_columns(artifact.model()).into_iter().map(column).collect(), n_rows as usize).unwrap()
    }

    fn logged_once(artifact: &Artifact, settings: &LoggedInputs, bad: &[u32]) -> (Chunk, Block, Scores) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let logger = Logger::open(&home, ("m", "3"), artifact, settings, LogOptions::default()).unwrap();
        let example = if artifact.model().task().is_classification() { Example::Churn } else { Example::Houses };
        let block = inputs(artifact, &generate(example, 50, 7), 4);
        let scores = artifact.model().scorer().predict(Rows::all(&block));
        let rows = LoggedRows {
            block: &block,
            scores: &scores,
            threshold: artifact.model().threshold(),
            bad,
            ids: &["a", "b", "c", "d"],
            times: &[5],
            latency: Some(17),
            alias: Some("champion"),
            flag: "canary",
        };
        logger.append_durable(artifact.model(), &rows).unwrap().wait().unwrap();
        let log = Predictions::of(&home, "m").unwrap();
        let chunk = log.read(&ReadRequest::window(0, i64::MAX)).unwrap().next().unwrap().unwrap();
        (chunk, block, scores)
    }

    #[test]
    fn what_a_model_saw_and_said_is_logged_to_the_bit() {
        let artifact = trained(Example::Churn, "churned");
        let (chunk, block, scores) = logged_once(&artifact, &LoggedInputs::All, &[2]);
        assert_eq!(chunk.version, "3");
        assert_eq!(chunk.inputs().len(), block.columns().len());
        assert_eq!(hash_block(&Block::new(chunk.inputs().to_vec(), 4).unwrap()), hash_block(&block));
        let Column::Float(positive) = &chunk.probabilities()[1] else { panic!("a number") };
        assert_eq!(positive[0].to_bits(), scores.values[0].to_bits());
        assert!(positive[2].is_nan() && chunk.predictions().is_missing(2) && !chunk.predictions().is_missing(3));
        let flags = chunk.table.column_named("flags").unwrap();
        let Column::Category(flags) = flags else { panic!("texts") };
        assert_eq!((flags.get(0), flags.get(2)), (Some("canary"), Some("canary,unusable")));
    }

    #[test]
    fn columns_can_be_chosen_and_values_left_out() {
        let artifact = trained(Example::Houses, "price");
        let names: Vec<String> = expected_columns(artifact.model()).into_iter().map(|(name, _)| name).collect();
        let some = LoggedInputs::Columns(vec![names[2].clone(), names[0].clone(), names[2].clone()]);
        let (chunk, ..) = logged_once(&artifact, &some, &[]);
        let found: Vec<&str> = chunk.schema.inputs.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(found, [&names[0], &names[2]]);
        let (chunk, block, _) = logged_once(&artifact, &LoggedInputs::Hashes, &[]);
        assert!(chunk.inputs().is_empty());
        let Column::Category(hashes) = chunk.table.column_named("input_hash").unwrap() else { panic!("texts") };
        let hex: String = hash_block(&block)[0].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hashes.get(0), Some(hex.as_str()));
        let folder = tempfile::tempdir().unwrap();
        let wrong = LoggedInputs::Columns(vec![format!("{}x", names[0])]);
        let opened = Logger::open(&Home::at(folder.path()), ("m", "1"), &artifact, &wrong, LogOptions::default());
        assert!(opened.unwrap_err().to_string().contains("did you mean"));
    }
}
