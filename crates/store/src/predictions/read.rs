//! Reads a window of the log: parts and segments alike, also those that are being written, chunk by chunk.
//!
//! An id that is there twice is one entry: that of the earlier time. Twins are looked for in the window and one day before it.

mod source;
mod twins;

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tabwright_core::block::Category;
use tabwright_core::{Block, Column, Field, Kind, Role, Schema, Table};

use super::Predictions;
use super::log::Head;
use super::part::{BEFORE, constant};
use super::schema::{self, LayoutColumn, LogSchema};
use crate::error::{Error, Result};
use crate::time::Micros;

use source::{Rows, Source};
use twins::Twins;

/// Rows of a chunk, unless it is asked for others.
pub const CHUNK_ROWS: usize = 1 << 16;
/// The file that readers lock together, so that parts are not merged under them.
pub(super) const READING: &str = ".reading";

/// What is read of a log.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// Versions; all if empty.
    pub versions: Vec<String>,
    /// The first moment of the window.
    pub from: Micros,
    /// The first moment after it.
    pub to: Micros,
    /// Rows of a chunk, at most.
    pub chunk_rows: usize,
}

impl ReadRequest {
    /// A window of all versions.
    pub fn window(from: Micros, to: Micros) -> Self {
        ReadRequest { versions: Vec::new(), from, to, chunk_rows: CHUNK_ROWS }
    }
}

/// A file, or a piece of one, that could not be read and was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl Damage {
    /// Notes what is wrong with a file, once.
    pub(super) fn note(all: &mut Vec<Damage>, path: &Path, why: &impl std::fmt::Display) {
        let this = Damage { path: path.to_owned(), why: why.to_string() };
        if !all.contains(&this) {
            all.push(this);
        }
    }
}

/// Entries of one version.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The version.
    pub version: String,
    /// What was logged of it.
    pub schema: Arc<LogSchema>,
    /// The entries: the columns `model`, `version`, `prediction_id`, `time`, `input_hash`, `missing`, `out_of_range`, `unseen`,
    /// `latency_us`, `flags`, `alias`, `prediction`, then `probability_CLASS` and `input.NAME` for each class and input.
    pub table: Table,
}

impl Chunk {
    /// The ids.
    pub fn ids(&self) -> &Category {
        match self.table.column(BEFORE + schema::ID) {
            Column::Category(ids) => ids,
            other => unreachable!("invariant: ids are a category, not {other:?}"),
        }
    }

    /// The times.
    pub fn times(&self) -> &[Micros] {
        match self.table.column(BEFORE + schema::TIME) {
            Column::Timestamp(times) => times,
            other => unreachable!("invariant: times are timestamps, not {other:?}"),
        }
    }

    /// The predictions.
    pub fn predictions(&self) -> &Column {
        self.table.column(BEFORE + LogSchema::PROBABILITIES - 1)
    }

    /// The probabilities, a column for each class.
    pub fn probabilities(&self) -> &[Column] {
        &self.table.block().columns()[BEFORE + LogSchema::PROBABILITIES..BEFORE + self.schema.first_input()]
    }

    /// The inputs that were logged, in the order of the schema and with the bits that the model saw.
    pub fn inputs(&self) -> &[Column] {
        &self.table.block().columns()[BEFORE + self.schema.first_input()..]
    }
}

/// The entries of a window, chunk by chunk, version by version. Memory holds one chunk, one segment, and eight bytes for each entry
/// of a version, up to some millions; beyond that, ids are read in several passes.
#[derive(Debug)]
pub struct Chunks {
    folder: PathBuf,
    request: ReadRequest,
    versions: VecDeque<String>,
    open: Option<OpenVersion>,
    damage: Vec<Damage>,
    duplicates: u64,
}

impl Chunks {
    pub(super) fn open(log: &Predictions, request: &ReadRequest) -> Result<Self> {
        let versions = match request.versions.is_empty() {
            true => log.versions()?,
            false => {
                request.versions.iter().try_for_each(|version| super::check_version(version))?;
                request.versions.clone()
            }
        };
        let request = ReadRequest { chunk_rows: request.chunk_rows.max(1), ..request.clone() };
        let folder = log.folder().to_owned();
        Ok(Chunks { folder, request, versions: versions.into(), open: None, damage: Vec::new(), duplicates: 0 })
    }

    /// What could not be read so far and was passed over.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Entries so far that were passed over since their id was there before.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    fn advance(&mut self) -> Result<Option<Chunk>> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(version) = self.versions.pop_front() else { return Ok(None) };
                self.open = Some(OpenVersion::open(&self.folder, version, &self.request, &mut self.damage)?);
                continue;
            };
            match open.next(&self.request, &mut self.damage, &mut self.duplicates)? {
                Some(chunk) => return Ok(Some(chunk)),
                None => self.open = None,
            }
        }
    }
}

impl Iterator for Chunks {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Result<Chunk>> {
        let next = self.advance();
        if next.is_err() {
            self.open = None;
            self.versions.clear();
        }
        next.transpose()
    }
}

/// A version that is being read.
#[derive(Debug)]
struct OpenVersion {
    version: String,
    sources: Vec<Source>,
    twins: Twins,
    /// The source whose rows are being read, and how many of them have been.
    at: usize,
    rows: Option<Rows>,
    read: u64,
    _reading: Option<File>,
}

impl OpenVersion {
    fn open(model: &Path, version: String, request: &ReadRequest, damage: &mut Vec<Damage>) -> Result<Self> {
        let folder = model.join(&version);
        let reading = lock_for_reading(&folder);
        let sources = source::of_window(&folder, request.from, request.to, damage)?;
        let twins = Twins::find(&sources, request.from, request.to, damage)?;
        Ok(OpenVersion { version, sources, twins, at: 0, rows: None, read: 0, _reading: reading })
    }

    fn next(&mut self, request: &ReadRequest, damage: &mut Vec<Damage>, duplicates: &mut u64) -> Result<Option<Chunk>> {
        while let Some(source) = self.sources.get(self.at) {
            if self.rows.is_none() {
                let is_needed = source.overlaps(request.from, request.to);
                self.rows = if is_needed { source.rows(request.chunk_rows, damage)? } else { None };
                self.read = 0;
                if self.rows.is_none() {
                    self.at += 1;
                    continue;
                }
            }
            let Some(rows) = &mut self.rows else { continue };
            let block = match rows.next() {
                Ok(Some(block)) => block,
                Ok(None) => {
                    self.rows = None;
                    self.at += 1;
                    continue;
                }
                Err(error) => {
                    Damage::note(damage, source.path(), &error);
                    self.rows = None;
                    self.at += 1;
                    continue;
                }
            };
            let kept = self.twins.keep(&block, (self.at, self.read), request, duplicates);
            self.read += block.n_rows() as u64;
            if !kept.is_empty() {
                return chunk(&self.version, rows.head(), rows.layout(), block, &kept).map(Some);
            }
        }
        Ok(None)
    }
}

fn chunk(version: &str, head: &Head, layout: &[LayoutColumn], block: Block, kept: &[u32]) -> Result<Chunk> {
    let columns: Vec<Column> = match kept.len() == block.n_rows() {
        true => block.into_columns(),
        false => block.columns().iter().map(|c| c.take(kept)).collect(),
    };
    let own = |name: &str| Field { name: name.into(), kind: Kind::Categorical, role: Role::Ignored };
    let mut fields = vec![own("model"), own("version")];
    fields.extend_from_slice(schema::table_schema(layout, &columns)?.fields());
    let mut all = vec![constant(&head.model, kept.len()), constant(version, kept.len())];
    all.extend(columns);
    let invalid = |e: tabwright_core::Error| Error::Invalid(e.to_string());
    let table = Table::new(Schema::new(fields).map_err(invalid)?, all).map_err(invalid)?;
    Ok(Chunk { version: version.to_owned(), schema: Arc::new(head.schema.clone()), table })
}

/// Keeps parts from being merged while the answer is held. Where there are no locks, or the home can only be read, nobody merges.
fn lock_for_reading(folder: &Path) -> Option<File> {
    let path = folder.join(READING);
    if !folder.is_dir() || path.is_symlink() {
        return None;
    }
    let made = File::options().create(true).append(true).open(&path).or_else(|_| File::open(&path));
    let file = made.ok()?;
    file.lock_shared().ok()?;
    Some(file)
}

/// The times of rows of the log.
pub(super) fn times_of(block: &Block) -> &[Micros] {
    match block.column(schema::TIME) {
        Column::Timestamp(times) => times,
        other => unreachable!("invariant: times are timestamps, not {other:?}"),
    }
}

/// How much is logged of a version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extent {
    /// Entries; an id that is there twice is counted twice.
    pub entries: u64,
    /// The first and the last of their times.
    pub span: Option<(Micros, Micros)>,
    /// What could not be read.
    pub damage: Vec<Damage>,
}

pub(super) fn extent(folder: &Path) -> Result<Extent> {
    let mut extent = Extent::default();
    let _reading = lock_for_reading(folder);
    let mut damage = Vec::new();
    for source in source::of_window(folder, 0, Micros::MAX, &mut damage)? {
        let read = source.for_each_id(&mut |_, at, _| {
            extent.entries += 1;
            let (first, last) = extent.span.unwrap_or((at, at));
            extent.span = Some((first.min(at), last.max(at)));
        });
        if let Err(error) = read {
            Damage::note(&mut damage, source.path(), &error);
        }
    }
    extent.damage = damage;
    Ok(extent)
}

/// What the newest file of a version has.
pub(super) fn newest_schema(folder: &Path) -> Result<Option<LogSchema>> {
    let sources = source::of_window(folder, 0, Micros::MAX, &mut Vec::new())?;
    Ok(sources.iter().rev().find_map(Source::schema))
}

/// Every id of all versions, for those who look for one.
pub(super) fn for_each_id(log: &Predictions, mut visit: impl FnMut(&str)) -> Result<Vec<Damage>> {
    let mut damage = Vec::new();
    for version in log.versions()? {
        let folder = log.folder().join(&version);
        let _reading = lock_for_reading(&folder);
        for source in source::of_window(&folder, 0, Micros::MAX, &mut damage)? {
            if let Err(error) = source.for_each_id(&mut |id, _, _| visit(id)) {
                Damage::note(&mut damage, source.path(), &error);
            }
        }
    }
    Ok(damage)
}

/// Whether readers hold a version; nobody begins to read it while the answer is held.
pub(super) fn lock_against_readers(folder: &Path) -> Result<Option<File>> {
    let path = folder.join(READING);
    if path.is_symlink() {
        return Ok(None);
    }
    let file = File::options().create(true).append(true).open(&path);
    let file = file.map_err(Error::file(&path, "readers cannot be locked out"))?;
    Ok(file.try_lock().is_ok().then_some(file))
}
