//! Entries with their labels.

use std::collections::HashSet;

use tabwright_core::Column;
use tabwright_core::block::{Category, MISSING_INTEGER};

use super::Predictions;
use super::label::{LabelValue, Labels};
use super::read::{self, Chunk, Chunks, Damage};
use super::schema::Outputs;
use crate::error::Result;

/// Unknown ids that are named.
const EXAMPLES: usize = 10;

/// What a join has counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JoinCounts {
    /// Entries.
    pub entries: u64,
    /// Those of them that have a label.
    pub labelled: u64,
    /// Those of these whose label was another one before.
    pub corrected: u64,
    /// Entries whose label is no number where the model answers one: they count as not labelled.
    pub wrong_kind: u64,
}

impl JoinCounts {
    /// The share of entries that have a label; none where there are no entries.
    pub fn maturity(&self) -> Option<f64> {
        (self.entries > 0).then(|| self.labelled as f64 / self.entries as f64)
    }
}

/// Entries and their labels, row by row.
#[derive(Debug, Clone)]
pub struct LabelledChunk {
    /// The entries.
    pub chunk: Chunk,
    /// Their labels: numbers or classes, as the model answers; missing where there is none.
    pub labels: Column,
    /// When these came, as timestamps.
    pub received: Column,
    /// When they were true, as timestamps.
    pub times: Column,
}

/// The entries of a window with their labels, chunk by chunk.
#[derive(Debug)]
pub struct Join<'a> {
    chunks: Chunks,
    labels: &'a Labels,
    counts: JoinCounts,
}

impl<'a> Join<'a> {
    pub(super) fn new(chunks: Chunks, labels: &'a Labels) -> Self {
        Join { chunks, labels, counts: JoinCounts::default() }
    }

    /// What was counted so far; of the whole window at the end.
    pub fn counts(&self) -> JoinCounts {
        self.counts
    }

    /// The entries themselves: what of them was damaged, or there twice.
    pub fn chunks(&self) -> &Chunks {
        &self.chunks
    }

    fn label(&mut self, chunk: Chunk) -> LabelledChunk {
        let n_rows = chunk.table.n_rows();
        let mut numbers = Vec::new();
        let mut texts: Vec<Option<String>> = Vec::new();
        let (mut received, mut times) = (vec![MISSING_INTEGER; n_rows], vec![MISSING_INTEGER; n_rows]);
        let is_number = chunk.schema.outputs == Outputs::Number;
        for row in 0..n_rows {
            let id = chunk.ids().get(row).unwrap_or_default();
            let record = self.labels.get(id);
            let value = record.map(|r| &r.value);
            let is_labelled = match is_number {
                true => {
                    let number = value.and_then(as_number);
                    self.counts.wrong_kind += u64::from(value.is_some() && number.is_none());
                    numbers.push(number.unwrap_or(f64::NAN));
                    number.is_some()
                }
                false => {
                    texts.push(value.map(as_text));
                    value.is_some()
                }
            };
            self.counts.entries += 1;
            if let (true, Some(record)) = (is_labelled, record) {
                self.counts.labelled += 1;
                self.counts.corrected += u64::from(self.labels.is_corrected(id));
                received[row] = record.received;
                times[row] = record.time.unwrap_or(MISSING_INTEGER);
            }
        }
        let labels = match is_number {
            true => Column::Float(numbers),
            false => Column::Category(Category::from_strings(texts)),
        };
        LabelledChunk { chunk, labels, received: Column::Timestamp(received), times: Column::Timestamp(times) }
    }
}

impl Iterator for Join<'_> {
    type Item = Result<LabelledChunk>;

    fn next(&mut self) -> Option<Result<LabelledChunk>> {
        Some(match self.chunks.next()? {
            Ok(chunk) => Ok(self.label(chunk)),
            Err(error) => Err(error),
        })
    }
}

/// A label as a number, if it is one.
fn as_number(value: &LabelValue) -> Option<f64> {
    match value {
        LabelValue::Number(number) => Some(*number),
        LabelValue::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

/// A label as the text of a class: 1 and 1.0 are the class `1`.
fn as_text(value: &LabelValue) -> String {
    match value {
        LabelValue::Number(number) => number.to_string(),
        LabelValue::Text(text) => text.to_string(),
    }
}

/// Labels whose id no logged prediction has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownLabels {
    /// How many ids there are.
    pub ids: u64,
    /// The first of them, in their order.
    pub examples: Vec<String>,
    /// What of the log could not be read: their predictions may be there.
    pub damage: Vec<Damage>,
}

pub(super) fn unknown(log: &Predictions, labels: &Labels) -> Result<UnknownLabels> {
    let mut unknown: HashSet<&str> = labels.ids().collect();
    let damage = read::for_each_id(log, |id| {
        unknown.remove(id);
    })?;
    let mut unknown: Vec<&str> = unknown.into_iter().collect();
    unknown.sort_unstable();
    let examples = unknown.iter().take(EXAMPLES).map(|id| (*id).to_owned()).collect();
    Ok(UnknownLabels { ids: unknown.len() as u64, examples, damage })
}
