//! Skew between serving and scoring: are the logged predictions those that the registered model gives to the logged inputs, to the
//! bit?

use std::collections::BTreeMap;

use serde::Serialize;
use tabwright_core::{Block, Column, Kind, Rows};
use tabwright_model::artifact::Artifact;
use tabwright_store::predictions::{Chunk, Predictions, ReadRequest, hash_block};
use tabwright_store::time::Micros;

use super::gather::Growing;
use super::logger::UNUSABLE;
use super::window::{has_flag, inputs_of};
use crate::answer::expected_columns;
use crate::error::{Error, Result};

/// Entries that are named one by one, at most.
const EXAMPLES: usize = 10;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Skew {
    /// Entries of the window.
    pub entries: u64,
    /// Entries that were scored again.
    pub compared: u64,
    /// Entries that cannot be: rows that could not be used.
    pub unusable: u64,
    /// Entries that cannot be: not all of their inputs were logged.
    pub without_inputs: u64,
    /// Entries whose predictions or probabilities part.
    pub skewed: u64,
    /// Entries whose inputs are not those that were hashed when they were predicted.
    pub changed_inputs: u64,
    /// What parts, and in how many entries.
    pub outputs: BTreeMap<String, u64>,
    /// The inputs that explain it: put to how the row was scored, the answer is the logged one. With how many entries each does.
    pub columns: BTreeMap<String, u64>,
    /// The largest difference of a number or a probability.
    pub largest_difference: f64,
    /// The first entries that part.
    pub examples: Vec<SkewExample>,
    /// Why nothing could be compared; none where something was.
    pub reason: Option<String>,
}

/// An entry whose prediction parts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SkewExample {
    /// Its id.
    pub id: String,
    /// What parts: `prediction`, `probability_CLASS`, or `input_hash`.
    pub output: String,
    /// What was logged.
    pub logged: String,
    /// What the model gives.
    pub scored: String,
}

/// Scores logged inputs again.
///
/// # Errors
/// If the log cannot be read.
pub fn skew(log: &Predictions, version: &str, artifact: &Artifact, (from, to): (Micros, Micros)) -> Result<Skew> {
    let request = ReadRequest { versions: vec![version.to_owned()], ..ReadRequest::window(from, to) };
    let expected = expected_columns(artifact.model());
    let mut found = Skew {
        entries: 0,
        compared: 0,
        unusable: 0,
        without_inputs: 0,
        skewed: 0,
        changed_inputs: 0,
        outputs: BTreeMap::new(),
        columns: BTreeMap::new(),
        largest_difference: 0.0,
        examples: Vec::new(),
        reason: None,
    };
    let mut without_inputs = 0;
    let mut lacking: Option<String> = None;
    for chunk in log.read(&request)? {
        let chunk = chunk?;
        found.entries += chunk.times().len() as u64;
        match inputs_of(&chunk, &expected) {
            Some(block) => found.compare(artifact, &expected, &chunk, &block)?,
            None => {
                without_inputs += chunk.times().len() as u64;
                let lacks = |(name, _): &&(String, Kind)| chunk.schema.inputs.iter().all(|input| input.name != *name);
                lacking = expected
                    .iter()
                    .find(lacks)
                    .map(|(name, _)| name.clone())
                    .filter(|_| !chunk.schema.inputs.is_empty());
            }
        }
    }
    found.without_inputs = without_inputs;
    if found.compared == 0 {
        found.reason = Some(match (found.entries, without_inputs, lacking) {
            (0, ..) => "nothing is logged in this window".to_owned(),
            (_, 1.., None) => "only hashes of the inputs were logged, so the predictions cannot be made again; \
                               log.inputs = \"values\" would keep them"
                .to_owned(),
            (_, 1.., Some(name)) => format!(
                "the input `{name}` was not logged, so the predictions cannot be made again; log.columns leaves it out"
            ),
            _ => "no row of this window could be used".to_owned(),
        });
    }
    Ok(found)
}

impl Skew {
    fn compare(
        &mut self,
        artifact: &Artifact,
        expected: &[(String, Kind)],
        chunk: &Chunk,
        block: &Block,
    ) -> Result<()> {
        let model = artifact.model();
        let scores = model.scorer().predict(Rows::all(block));
        let hashes = hash_block(block);
        let labels = model.task().labels();
        let flags = category(chunk, "flags")?;
        let logged_hashes = category(chunk, "input_hash")?;
        for row in 0..block.n_rows() {
            if flags.get(row).is_some_and(|flags| has_flag(flags, UNUSABLE)) {
                self.unusable += 1;
                continue;
            }
            let mut parts: Vec<(String, String, String)> = Vec::new();
            let hash: String = hashes[row].iter().map(|byte| format!("{byte:02x}")).collect();
            if logged_hashes.get(row).is_some_and(|logged| logged != hash) {
                self.changed_inputs += 1;
                parts.push(("input_hash".into(), logged_hashes.get(row).unwrap_or_default().to_owned(), hash));
            }
            let given = |class: usize| match scores.row(row) {
                [positive] if labels.len() == 2 && class == 0 => 1.0 - positive,
                [only] => *only,
                several => several[class],
            };
            let mut is_compared = labels.is_empty();
            if labels.is_empty() {
                self.numbers("prediction", (chunk.predictions().number(row), given(0)), &mut parts);
            }
            for (class, label) in labels.iter().enumerate() {
                let Some(column) = chunk.probabilities().get(class).filter(|column| !column.is_missing(row)) else {
                    continue;
                };
                is_compared = true;
                self.numbers(&format!("probability_{label}"), (column.number(row), given(class)), &mut parts);
            }
            if let (false, Column::Category(logged)) = (is_compared, chunk.predictions()) {
                // Without probabilities the class is all that there is.
                is_compared = true;
                let scored = &labels[scores.label(row, model.threshold())];
                let logged = logged.get(row).unwrap_or_default();
                if logged != scored {
                    parts.push(("prediction".into(), logged.to_owned(), scored.clone()));
                }
            }
            self.compared += u64::from(is_compared);
            if let Some((output, logged, scored)) = parts.first() {
                self.skewed += 1;
                if self.examples.len() < EXAMPLES {
                    let id = chunk.ids().get(row).unwrap_or_default().to_owned();
                    let (output, logged, scored) = (output.clone(), logged.clone(), scored.clone());
                    self.examples.push(SkewExample { id, output, logged, scored });
                }
                self.explain(artifact, (expected, block), chunk, row);
            }
            for (output, ..) in parts {
                *self.outputs.entry(output).or_default() += 1;
            }
        }
        Ok(())
    }

    fn numbers(&mut self, output: &str, (logged, scored): (f64, f64), parts: &mut Vec<(String, String, String)>) {
        if logged.to_bits() != scored.to_bits() && !(logged.is_nan() && scored.is_nan()) {
            let difference = (logged - scored).abs();
            self.largest_difference = self.largest_difference.max(if difference.is_nan() { 0.0 } else { difference });
            parts.push((output.to_owned(), logged.to_string(), scored.to_string()));
        }
    }

    /// Looks for the one input that explains an answer: with it missing, the model gives what was logged.
    fn explain(
        &mut self,
        artifact: &Artifact,
        (expected, block): (&[(String, Kind)], &Block),
        chunk: &Chunk,
        row: usize,
    ) {
        /// Entries for which this is tried: it asks the model once for each input.
        const MOST: u64 = 200;
        if self.skewed > MOST {
            return;
        }
        let model = artifact.model();
        let n = expected.len();
        let rows = vec![row as u32; n];
        let mut columns: Vec<Column> = block.columns().iter().map(|column| column.take(&rows)).collect();
        for (at, column) in columns.iter_mut().enumerate() {
            *column = with_missing(column, at);
        }
        let Ok(tried) = Block::new(columns, n) else { return };
        let scores = model.scorer().predict(Rows::all(&tried));
        let is_binary = model.task().labels().len() == 2;
        let logged: Vec<f64> = match model.task().labels().len() {
            0 => vec![chunk.predictions().number(row)],
            _ => chunk.probabilities().iter().map(|p| p.number(row)).collect(),
        };
        let logged = if is_binary { &logged[logged.len().min(1)..] } else { &logged[..] };
        for (at, (name, _)) in expected.iter().enumerate() {
            if !block.column(at).is_missing(row)
                && scores.row(at).iter().zip(logged).all(|(a, b)| a.to_bits() == b.to_bits())
            {
                *self.columns.entry(name.clone()).or_default() += 1;
            }
        }
    }
}

/// A column with the value of one row taken away.
fn with_missing(column: &Column, row: usize) -> Column {
    let mut all = Growing::like(column);
    all.push(column, &(0..row as u32).collect::<Vec<_>>());
    all.push_missing(1);
    all.push(column, &(row as u32 + 1..column.len() as u32).collect::<Vec<_>>());
    all.finish()
}

fn category<'c>(chunk: &'c Chunk, name: &str) -> Result<&'c tabwright_core::Category> {
    match chunk.table.column_named(name)? {
        Column::Category(category) => Ok(category),
        _ => Err(Error::Data(format!("the column `{name}` of the log holds no texts"))),
    }
}
