//! Files to blocks, for prediction: rows in their order, in bounded memory, in the columns that a model expects.
//!
//! Unlike a table, a stream infers nothing: the kinds are given, and a cell that is not of its kind makes its row bad
//! instead of ending the reading.

mod arrow;
mod csv;
mod json;
mod rows;
mod slot;

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::ops::Range;

use arrow_array::RecordBatch;
use rayon::prelude::*;
use tabwright_core::{Block, Code, Column, Kind, Warning, suggest};

use crate::error::{Place, Position};
use crate::{Error, Format, Input, ReadOptions, Result};

pub use rows::{ReadRows, RowBuilder, RowShape};

/// Batches in the air for each thread.
const BATCHES_PER_THREAD: usize = 2;

/// Bytes of text in a block that are enough: the values of so many take some tens of MB.
pub const BATCH_BYTES: usize = 8 << 20;

/// Names that may have been meant and that are looked at for each column that is missing.
const MOST_OTHERS: usize = 64;
/// Columns that are missing for which such a name is looked for.
const MOST_HINTS: usize = 10;

/// What a stream is to yield.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamRequest {
    /// Columns that may be there and are passed over without a word.
    pub passed_over: Vec<String>,
    /// The columns of the blocks, in order, with their kinds.
    pub expected: Vec<(String, Kind)>,
    /// Columns that are carried through as they are; they may be among the expected ones.
    pub keep: Vec<String>,
    /// Rows in a block, at most.
    pub batch_size: usize,
    /// Bytes of text in a block, at most, but for a row that is longer: rows may be wide. See [`BATCH_BYTES`].
    pub batch_bytes: usize,
}

/// Where a row came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowPlace {
    /// Which of the files, from 0.
    pub file: usize,
    /// Its line or row there.
    pub position: Position,
}

/// A row with a cell that cannot be used. The value is missing in the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The row within the block, from 0.
    pub row: usize,
    /// The column; absent if the row as a whole is malformed.
    pub column: Option<String>,
    /// The cell, shortened.
    pub found: String,
    /// What is wrong with it, such as "not a number".
    pub message: String,
}

/// Some rows of a stream.
#[derive(Debug)]
pub struct StreamBlock {
    /// The expected columns, in order. Numeric columns may be integers or floats, whichever fits the rows of the block.
    pub block: Block,
    /// The columns to keep: exact text from text formats, typed values from the others.
    pub keep: Vec<Column>,
    /// Where each row came from.
    pub places: Vec<RowPlace>,
    /// What is wrong, in the order of the rows. A row may occur more than once.
    pub bad: Vec<BadRow>,
    raw: Raw,
}

/// The rows as they were in the source.
#[derive(Debug)]
enum Raw {
    Text { text: String, ranges: Vec<Range<usize>> },
    Batch(RecordBatch),
}

impl StreamBlock {
    /// A row as it stands in the source, without its line end; rows of binary formats as a JSON object.
    pub fn raw(&self, row: usize) -> Cow<'_, str> {
        match &self.raw {
            Raw::Text { text, ranges } => Cow::Borrowed(text[ranges[row].clone()].trim_end_matches('\r')),
            Raw::Batch(batch) => Cow::Owned(arrow::row_as_json(batch, row)),
        }
    }
}

/// The rows of files, block by block.
pub struct BlockStream {
    blocks: Box<dyn Iterator<Item = Result<StreamBlock>> + Send>,
    files: Vec<String>,
    header: Option<String>,
    keep: Vec<(String, Kind)>,
    warnings: Vec<Warning>,
    rows: u64,
}

impl std::fmt::Debug for BlockStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockStream").field("files", &self.files).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl BlockStream {
    /// What the user should know: columns that are ignored, an encoding that was guessed.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The name of a file, for messages about a [`RowPlace`].
    pub fn file(&self, index: usize) -> &str {
        &self.files[index]
    }

    /// A place as messages have it, such as `new.csv, line 17`.
    pub fn place(&self, place: RowPlace) -> Place {
        Place { file: self.files[place.file].clone(), position: Some(place.position), column: None }
    }

    /// The first line of the first CSV, as it stands there, if it names the columns: files of rejected rows begin with it.
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// The columns to keep, with the kinds that [`StreamBlock::keep`] has.
    pub fn keep(&self) -> &[(String, Kind)] {
        &self.keep
    }

    /// Rows yielded so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl Iterator for BlockStream {
    type Item = Result<StreamBlock>;

    fn next(&mut self) -> Option<Result<StreamBlock>> {
        match self.blocks.next() {
            Some(Ok(block)) => {
                self.rows += block.block.n_rows() as u64;
                Some(Ok(block))
            }
            Some(Err(error)) => {
                self.blocks = Box::new(std::iter::empty());
                self.rows += 1;
                Some(Err(error))
            }
            None if self.rows == 0 => {
                self.rows = 1;
                let message = "there is no row, only the names of columns";
                Some(Err(Error::unreadable(Place::file(&self.files[0]), message)))
            }
            None => None,
        }
    }
}

/// Opens files as a stream of blocks. Columns may come in any order; those that are neither expected nor to be kept are
/// ignored, with one warning that names them.
///
/// Tokens such as `NA` are missing in numeric, boolean and time columns, as they were when the kinds were inferred. Text
/// whose encoding is not given is looked through once beforehand, to tell UTF-8 from Windows-1252.
///
/// # Errors
/// [`Error::MissingColumns`] naming every column that a file lacks; else as [`read_table`](crate::read_table). An
/// iterator that has yielded an error is at its end.
///
/// # Determinism
/// A row has the same values whatever the size of the batches and the number of threads.
pub fn open_stream(inputs: &[Input], request: &StreamRequest, options: &ReadOptions) -> Result<BlockStream> {
    let first = inputs.first().ok_or_else(|| Error::Usage("no data is named".into()))?;
    if request.batch_size == 0 {
        return Err(Error::Usage("a batch must have at least one row; choose a --batch-size from 1".into()));
    }
    let mut opened = match options.format.unwrap_or(first.format()) {
        Format::Csv => csv::open(inputs, request, options)?,
        Format::Jsonl => json::open(inputs, request, options)?,
        format => arrow::open(inputs, format, request, options)?,
    };
    let mut warnings = opened.warnings;
    let passed_over: HashSet<&str> = request.passed_over.iter().map(String::as_str).collect();
    opened.extra.retain(|name| !passed_over.contains(name.as_str()));
    warnings.extend(extra_warning(&opened.extra));
    Ok(BlockStream {
        blocks: opened.blocks,
        files: inputs.iter().map(|i| i.name().to_owned()).collect(),
        header: opened.header,
        keep: opened.keep,
        warnings,
        rows: 0,
    })
}

/// What a format makes of a request.
struct Opened {
    blocks: Box<dyn Iterator<Item = Result<StreamBlock>> + Send>,
    header: Option<String>,
    keep: Vec<(String, Kind)>,
    extra: Vec<String>,
    warnings: Vec<Warning>,
}

fn extra_warning(extra: &[String]) -> Option<Warning> {
    let what = match extra.len() {
        0 => return None,
        1 => "a column that is not needed was ignored".to_owned(),
        n => format!("{n} columns that are not needed were ignored"),
    };
    let names = suggest::shorten(extra.iter().map(String::as_str));
    Some(Warning::general(Code::ExtraColumn, format!("{what}: {names}")))
}

/// The columns that are expected or to be kept and that a file has not.
fn check_columns(file: &str, names: &[String], request: &StreamRequest) -> Result<()> {
    let mut known: HashSet<&str> = names.iter().map(String::as_str).collect();
    let needed = request.expected.iter().map(|(name, _)| name).chain(&request.keep);
    // A column that is missing is named once.
    let missing: Vec<String> = needed.filter(|name| known.insert(name)).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let available = suggest::shorten(names.iter().map(String::as_str));
    let expected: HashSet<&str> = request.expected.iter().map(|(name, _)| name.as_str()).collect();
    if missing.iter().all(|name| !expected.contains(name.as_str())) {
        let missing = missing.join(", ");
        return Err(Error::Usage(format!("{file}: to be kept, but not there: {missing}; the file has: {available}")));
    }
    let others = names.iter().map(String::as_str).filter(|name| !expected.contains(name));
    let others: Vec<&str> = others.take(MOST_OTHERS).collect();
    let mut missing = missing;
    for name in missing.iter_mut().take(MOST_HINTS) {
        let hint = suggest::did_you_mean(name, others.iter().copied());
        name.push_str(&hint);
    }
    Err(Error::MissingColumns { file: file.to_owned(), names: missing, available })
}

/// The columns of a file that nobody asked for.
fn extra_columns(names: &[String], request: &StreamRequest) -> Vec<String> {
    let needed = request.expected.iter().map(|(name, _)| name).chain(&request.keep);
    let needed: HashSet<&str> = needed.map(String::as_str).collect();
    names.iter().filter(|name| !needed.contains(name.as_str())).cloned().collect()
}

/// Puts a block together.
fn block(slots: slot::Slots, places: Vec<RowPlace>, raw: Raw) -> Result<StreamBlock> {
    let mut bad = slots.bad;
    bad.sort_by_key(|b| b.row);
    let block = Block::new(slots.expected.into_iter().map(slot::Slot::finish).collect(), places.len())?;
    let keep = slots.keep.into_iter().map(slot::Slot::finish).collect();
    Ok(StreamBlock { block, keep, places, bad, raw })
}

/// A source of batches that are parsed in parallel.
trait Batched: Send {
    /// Some rows as they lie in the source.
    type Raw: Send;
    /// What it takes to understand them.
    type Shape: Sync;

    /// The next rows.
    fn read(&mut self) -> Result<Option<Self::Raw>>;

    /// What it takes to understand the rows.
    fn shape(&self) -> &Self::Shape;

    /// Makes a block of them; `None` if there was no row in them.
    fn parse(shape: &Self::Shape, raw: Self::Raw) -> Result<Option<StreamBlock>>;
}

/// Reads some batches ahead and parses them together.
struct Waves<B: Batched> {
    source: B,
    ready: VecDeque<Result<StreamBlock>>,
    ended: bool,
}

impl<B: Batched> Waves<B> {
    fn new(source: B) -> Self {
        Waves { source, ready: VecDeque::new(), ended: false }
    }

    fn refill(&mut self) {
        let wanted = BATCHES_PER_THREAD * rayon::current_num_threads();
        let mut raws = Vec::with_capacity(wanted);
        let mut failed = None;
        while raws.len() < wanted && !self.ended {
            match self.source.read() {
                Ok(Some(raw)) => raws.push(raw),
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    failed = Some(error);
                }
            }
        }
        let shape = self.source.shape();
        let blocks: Vec<Result<Option<StreamBlock>>> = raws.into_par_iter().map(|raw| B::parse(shape, raw)).collect();
        self.ready.extend(blocks.into_iter().filter_map(Result::transpose));
        self.ready.extend(failed.map(Err));
    }
}

impl<B: Batched> Iterator for Waves<B> {
    type Item = Result<StreamBlock>;

    fn next(&mut self) -> Option<Result<StreamBlock>> {
        while self.ready.is_empty() && !self.ended {
            self.refill();
        }
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests;
