//! A window of the log of one version, with the labels that have come for it: counts over all of its entries, and the entries
//! themselves, or a sample of them where they are many.

use std::collections::BTreeMap;

use tabwright_core::block::MISSING_INTEGER;
use tabwright_core::metric::Predictions as Scores;
use tabwright_core::{Block, Column, Field, Kind, Schema, Table, Task};
use tabwright_learn::fit::answer_names;
use tabwright_store::predictions::{
    Chunk, Damage, JoinCounts, LabelledChunk, Labels, LogSchema, Loss, Outputs, Predictions, ReadRequest, hash_rows,
};
use tabwright_store::time::Micros;

use super::gather::Growing;
use super::logger::{CANARY, UNUSABLE};
use crate::error::Result;

/// Microseconds of an hour.
pub const HOUR: Micros = 3_600_000_000;
/// Entries that are held, unless it is said otherwise.
pub const MOST_ROWS: usize = 1_000_000;

/// What is read.
#[derive(Debug, Clone, Copy)]
pub struct WindowRequest<'a> {
    /// The log of the model.
    pub log: &'a Predictions,
    /// The version.
    pub version: &'a str,
    /// The first moment.
    pub from: Micros,
    /// The first moment after it.
    pub to: Micros,
    /// Entries that are held; of more, a sample is.
    pub most_rows: usize,
    /// The labels that count.
    pub labels: &'a Labels,
}

/// What a window holds.
#[derive(Debug, Default)]
pub struct Window {
    /// The first moment.
    pub from: Micros,
    /// The first moment after it.
    pub to: Micros,
    /// Its predictions, without the rows that could not be used.
    pub entries: u64,
    /// The first and the last of their times.
    pub span: Option<(Micros, Micros)>,
    /// How many there were in each hour that has some, by the first moment of the hour.
    pub hours: BTreeMap<Micros, u64>,
    /// How many came under each alias.
    pub aliases: BTreeMap<String, u64>,
    /// How many a canary has answered.
    pub canary: u64,
    /// How many rows could not be used.
    pub unusable: u64,
    /// Values that were missing, out of range, or unseen, among all inputs of these predictions.
    pub unusual: [u64; 3],
    /// Predictions of which that is known: what others predicted was not looked at.
    pub looked_at: u64,
    /// What labels there are.
    pub labels: JoinCounts,
    /// Entries that were there twice.
    pub duplicates: u64,
    /// What could not be read.
    pub damage: Vec<Damage>,
    /// What could not be logged.
    pub losses: Vec<Loss>,
    /// What is logged of the version.
    pub schema: Option<LogSchema>,
    /// The entries that are held: all, or a sample.
    pub held: Held,
}

/// Entries in memory, in the order of the log.
#[derive(Debug, Default)]
pub struct Held {
    /// The logged inputs, under their own names.
    pub inputs: Table,
    /// When they were predicted.
    pub times: Vec<Micros>,
    /// What was predicted.
    pub predictions: Option<Column>,
    /// A number, or what the model gave for each class.
    pub probabilities: Vec<Vec<f64>>,
    /// How long it took, in microseconds; those that are known.
    pub latencies: Vec<i64>,
    /// What turned out to be true; missing where it is not known.
    pub labels: Option<Column>,
}

impl Held {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// What the model gave, as it is scored.
    pub fn scores(&self, task: &Task) -> Scores {
        let n_rows = self.len();
        match task {
            Task::Regression => {
                let values = self.predictions.as_ref().map(|p| (0..n_rows).map(|row| p.number(row)).collect());
                Scores { n_outputs: 1, values: values.unwrap_or_default() }
            }
            Task::Binary { .. } => Scores {
                n_outputs: 1,
                values: self.probabilities.get(1).cloned().unwrap_or_else(|| vec![f64::NAN; n_rows]),
            },
            _ => {
                let k = self.probabilities.len();
                let values = (0..n_rows).flat_map(|row| self.probabilities.iter().map(move |p| p[row])).collect();
                Scores { n_outputs: k, values }
            }
        }
    }

    /// The inputs, and what was answered under the names that a model keeps summaries of: see [`answer_names`]. Answers stand behind
    /// the inputs; those whose name an input has are left out.
    pub fn with_answers(&self, task: &Task) -> Result<(Table, Vec<String>)> {
        let scores = self.scores(task);
        let mut fields = self.inputs.schema().fields().to_vec();
        let mut columns = self.inputs.block().columns().to_vec();
        let mut names = Vec::new();
        for (name, output) in answer_names(task) {
            if self.inputs.schema().position(&name).is_some() || scores.n_outputs <= output {
                continue;
            }
            columns.push(Column::Float((0..self.len()).map(|row| scores.row(row)[output]).collect()));
            fields.push(Field::feature(&name, Kind::Float));
            names.push(name);
        }
        Ok((Table::new(Schema::new(fields)?, columns)?, names))
    }
}

impl Window {
    /// Reads a window.
    ///
    /// # Errors
    /// If the log cannot be read. What of it is damaged is passed over and told.
    pub fn read(request: &WindowRequest<'_>) -> Result<Self> {
        let (from, to) = (request.from, request.to);
        let read = ReadRequest { versions: vec![request.version.to_owned()], ..ReadRequest::window(from, to) };
        let schema = request.log.schema(request.version)?;
        let mut window = Window { from, to, losses: request.log.losses(from, to)?, ..Window::default() };
        window.losses.retain(|loss| loss.version == request.version);
        let mut builder = schema.as_ref().map(|schema| Builder::new(schema, request.most_rows));
        let mut join = request.log.join(&read, request.labels)?;
        for labelled in join.by_ref() {
            let labelled = labelled?;
            let rows = window.count(&labelled.chunk);
            if let Some(builder) = &mut builder {
                builder.add(&labelled, &rows);
            }
        }
        window.labels = join.counts();
        window.labels.entries = window.entries;
        window.duplicates = join.chunks().duplicates();
        window.damage = join.chunks().damage().to_vec();
        window.held = match builder {
            Some(builder) => builder.finish()?,
            None => Held::default(),
        };
        window.schema = schema;
        Ok(window)
    }

    /// Whether only a sample of the entries is held.
    pub fn is_sampled(&self) -> bool {
        (self.held.len() as u64) < self.entries
    }

    /// Losses of predictions, together.
    pub fn lost(&self) -> u64 {
        self.losses.iter().map(|loss| loss.rows).sum()
    }

    /// Counts the entries of a chunk, and gives those that have a prediction.
    fn count(&mut self, chunk: &Chunk) -> Vec<u32> {
        let category = |name: &str| match chunk.table.column_named(name) {
            Ok(Column::Category(category)) => Some(category),
            _ => None,
        };
        let (flags, aliases) = (category("flags"), category("alias"));
        let all = 0..chunk.times().len() as u32;
        let flags_of = |row: u32| flags.and_then(|flags| flags.get(row as usize)).unwrap_or_default();
        let (unusable, rows): (Vec<u32>, Vec<u32>) = all.partition(|row| has_flag(flags_of(*row), UNUSABLE));
        self.unusable += unusable.len() as u64;
        self.entries += rows.len() as u64;
        for &row in &rows {
            let at = chunk.times()[row as usize];
            *self.hours.entry(at.div_euclid(HOUR) * HOUR).or_default() += 1;
            let (first, last) = self.span.unwrap_or((at, at));
            self.span = Some((first.min(at), last.max(at)));
            self.canary += u64::from(has_flag(flags_of(row), CANARY));
            if let Some(alias) = aliases.and_then(|aliases| aliases.get(row as usize)) {
                match self.aliases.get_mut(alias) {
                    Some(count) => *count += 1,
                    None => drop(self.aliases.insert(alias.to_owned(), 1)),
                }
            }
        }
        for (all, name) in self.unusual.iter_mut().zip(["missing", "out_of_range", "unseen"]) {
            let Ok(column) = chunk.table.column_named(name) else { continue };
            let known = rows.iter().map(|row| column.number(*row as usize)).filter(|count| !count.is_nan());
            *all += known.sum::<f64>() as u64;
        }
        if let Ok(missing) = chunk.table.column_named("missing") {
            self.looked_at += rows.iter().filter(|row| !missing.is_missing(**row as usize)).count() as u64;
        }
        rows
    }
}

/// Whether flags, joined by commas, have a word.
pub(crate) fn has_flag(flags: &str, word: &str) -> bool {
    flags.split(',').any(|flag| flag == word)
}

/// Holds entries; of too many, those whose hash is small: the same ones whatever the order in which they are read.
struct Builder<'a> {
    schema: &'a LogSchema,
    most_rows: usize,
    /// The largest hash that is held.
    most: u64,
    hashes: Vec<u64>,
    times: Growing,
    latencies: Growing,
    predictions: Growing,
    probabilities: Vec<Growing>,
    labels: Growing,
    inputs: Vec<Option<Growing>>,
}

impl<'a> Builder<'a> {
    fn new(schema: &'a LogSchema, most_rows: usize) -> Self {
        let outcome = match &schema.outputs {
            Outputs::Number => Growing::Float(Vec::new()),
            Outputs::Classes(_) => Growing::like(&Column::empty(Kind::Categorical)),
        };
        Builder {
            schema,
            most_rows: most_rows.max(1),
            most: u64::MAX,
            hashes: Vec::new(),
            times: Growing::Timestamp(Vec::new()),
            latencies: Growing::Integer(Vec::new()),
            predictions: outcome.clone(),
            probabilities: schema.outputs.classes().iter().map(|_| Growing::Float(Vec::new())).collect(),
            labels: outcome,
            inputs: vec![None; schema.inputs.len()],
        }
    }

    /// Takes in some rows of a chunk.
    fn add(&mut self, labelled: &LabelledChunk, rows: &[u32]) {
        let chunk = &labelled.chunk;
        let ids = Column::Category(chunk.ids().clone());
        let hash = |hash: [u8; 16]| hash[..8].iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        let hashes: Vec<u64> = hash_rows(&[&ids], chunk.times().len()).into_iter().map(hash).collect();
        let rows: Vec<u32> = rows.iter().copied().filter(|row| hashes[*row as usize] <= self.most).collect();
        self.hashes.extend(rows.iter().map(|row| hashes[*row as usize]));
        for (all, name) in [(&mut self.times, "time"), (&mut self.latencies, "latency_us")] {
            match chunk.table.column_named(name) {
                Ok(column) => all.push(column, &rows),
                Err(_) => all.push_missing(rows.len()),
            }
        }
        self.predictions.push(chunk.predictions(), &rows);
        self.labels.push(&labelled.labels, &rows);
        for (class, all) in self.schema.outputs.classes().iter().zip(&mut self.probabilities) {
            let position = chunk.schema.outputs.classes().iter().position(|own| own == class);
            match position.and_then(|at| chunk.probabilities().get(at)) {
                Some(column) => all.push(column, &rows),
                None => all.push_missing(rows.len()),
            }
        }
        let held = self.hashes.len();
        for (input, all) in self.schema.inputs.iter().zip(&mut self.inputs) {
            let position = chunk.schema.inputs.iter().position(|own| own.name == input.name);
            let found = position.and_then(|at| chunk.inputs().get(at));
            let all = all.get_or_insert_with(|| {
                let mut all = Growing::like(found.unwrap_or(&Column::empty(input.kind)));
                all.push_missing(held - rows.len());
                all
            });
            match found {
                Some(column) => all.push(column, &rows),
                None => all.push_missing(held - all.len()),
            }
        }
        if self.hashes.len() > 2 * self.most_rows {
            self.thin_out();
        }
    }

    /// Lets go of the entries with the largest hashes.
    fn thin_out(&mut self) {
        let mut sorted = self.hashes.clone();
        sorted.sort_unstable();
        self.most = sorted[self.most_rows - 1];
        let kept: Vec<bool> = self.hashes.iter().map(|hash| *hash <= self.most).collect();
        let own = [&mut self.times, &mut self.latencies, &mut self.predictions, &mut self.labels];
        let all = own.into_iter().chain(&mut self.probabilities);
        all.chain(self.inputs.iter_mut().flatten()).for_each(|column| column.retain(&kept));
        self.hashes.retain(|hash| *hash <= self.most);
    }

    fn finish(mut self) -> Result<Held> {
        if self.hashes.len() > self.most_rows {
            self.thin_out();
        }
        let n_rows = self.hashes.len();
        let field = |input: &tabwright_store::predictions::LogColumn| Field::feature(&input.name, input.kind);
        let schema = Schema::new(self.schema.inputs.iter().map(field).collect())?;
        let columns: Vec<Column> = self
            .inputs
            .into_iter()
            .zip(&self.schema.inputs)
            .map(|(all, input)| all.map_or_else(|| Column::empty(input.kind), Growing::finish))
            .collect();
        let inputs = match columns.is_empty() {
            true => Table::default(),
            false => Table::new(schema, columns)?,
        };
        let floats = |column: Growing| match column.finish() {
            Column::Float(values) => values,
            other => (0..other.len()).map(|row| other.number(row)).collect(),
        };
        let whole = |column: Growing| match column.finish() {
            Column::Integer(values) | Column::Timestamp(values) => values,
            other => (0..other.len())
                .map(|row| if other.is_missing(row) { MISSING_INTEGER } else { other.number(row) as i64 })
                .collect(),
        };
        Ok(Held {
            inputs,
            times: whole(self.times),
            latencies: whole(self.latencies).into_iter().filter(|micros| *micros != MISSING_INTEGER).collect(),
            predictions: (n_rows > 0).then(|| self.predictions.finish()),
            probabilities: self.probabilities.into_iter().map(floats).collect(),
            labels: (n_rows > 0).then(|| self.labels.finish()),
        })
    }
}

/// A block of the inputs of an entry, as a model reads them; nothing where the log lacks one of them.
pub(crate) fn inputs_of(chunk: &Chunk, expected: &[(String, Kind)]) -> Option<Block> {
    let position = |name: &str| chunk.schema.inputs.iter().position(|input| input.name == name);
    let columns: Option<Vec<Column>> =
        expected.iter().map(|(name, _)| Some(chunk.inputs()[position(name)?].clone())).collect();
    Block::new(columns?, chunk.times().len()).ok()
}
