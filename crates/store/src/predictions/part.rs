//! Parts: Parquet files of the entries of one day, which any tool can read. They have the columns of the log in its order, behind
//! the model and the version.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use tabwright_core::block::Category;
use tabwright_core::{Block, Column, Kind};
use tabwright_data::{ExactColumn, ExactReader, ExactWriter, Spread};

use super::log::Head;
use super::place;
use super::schema::LayoutColumn;
use super::segment;
use crate::error::{Error, Result};
use crate::time::Micros;

/// Microseconds of a day.
pub(super) const DAY: Micros = 86_400_000_000;
/// What the names of the folders of days begin with.
const FOLDER: &str = "day=";
/// What the names of parts end in.
const ENDING: &str = ".parquet";
/// The note that has the head.
const HEAD: &str = "tabwright.log";
/// The note that lists the parts that this one takes the place of.
const REPLACES: &str = "tabwright.replaces";
/// Columns before those of the log: model and version.
pub(super) const BEFORE: usize = 2;
/// Rows that are written at a time.
const ROWS: usize = 1 << 16;

/// A day, as days since 1970.
pub(super) type Day = i64;

/// The day of a moment, in UTC.
pub(super) fn day_of(at: Micros) -> Day {
    at.div_euclid(DAY)
}

/// A day as it stands in names: `2026-11-27`.
pub(super) fn day_text(day: Day) -> String {
    let at = Timestamp::from_microsecond(day.saturating_mul(DAY)).unwrap_or_default();
    TimeZone::UTC.to_datetime(at).date().to_string()
}

/// The folder of a day in that of its version.
pub(super) fn day_folder(version: &Path, day: Day) -> PathBuf {
    version.join(format!("{FOLDER}{}", day_text(day)))
}

/// Whether a folder has the name of one of a day.
pub(super) fn is_day(name: &str) -> bool {
    read_day(name).is_some()
}

fn read_day(name: &str) -> Option<Day> {
    let text = name.strip_prefix(FOLDER)?;
    let at = TimeZone::UTC.to_timestamp(text.parse::<Date>().ok()?.at(0, 0, 0, 0)).ok()?;
    let day = day_of(at.as_microsecond());
    (day_text(day) == text).then_some(day)
}

/// A part in the folder of its day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) day: Day,
    /// The name without its ending: that of the segment that it was made of.
    pub(super) stem: String,
    pub(super) size: u64,
}

/// The parts of a version, by day and name. What is no file of such a name is left alone.
pub(super) fn list(version: &Path) -> Result<Vec<Part>> {
    let mut found = Vec::new();
    for name in place::folders(version)? {
        let Some(day) = read_day(&name) else { continue };
        for entry in place::entries(&version.join(&name))?.into_iter().filter(place::is_file) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let (Some(stem), Ok(metadata)) = (name.strip_suffix(ENDING), entry.metadata()) {
                found.push(Part { path: entry.path(), day, stem: stem.to_owned(), size: metadata.len() });
            }
        }
    }
    found.sort_by(|a, b| (a.day, &a.stem).cmp(&(b.day, &b.stem)));
    Ok(found)
}

/// The parts that have entries of which no other file has all: those whose segment is gone and that no other takes the place of.
/// Their footers are read; what cannot be read is handed to `damaged`.
pub(super) fn current(parts: Vec<Part>, segments: &HashSet<&str>, mut damaged: impl FnMut(Error)) -> Vec<OpenPart> {
    let mut open = Vec::new();
    for part in parts.into_iter().filter(|part| !segments.contains(part.stem.as_str())) {
        match OpenPart::open(part) {
            Ok(part) => open.extend(part),
            Err(error) => damaged(error),
        }
    }
    let replaced: HashSet<(Day, String)> =
        open.iter().flat_map(|p| p.replaces.iter().map(|stem| (p.part.day, stem.clone()))).collect();
    open.retain(|p| !replaced.contains(&(p.part.day, p.part.stem.clone())));
    open
}

/// A part of which the end has been read.
#[derive(Debug)]
pub(super) struct OpenPart {
    pub(super) part: Part,
    pub(super) head: Arc<Head>,
    pub(super) layout: Arc<Vec<LayoutColumn>>,
    pub(super) columns: Vec<(String, Kind)>,
    pub(super) replaces: Vec<String>,
    pub(super) n_rows: u64,
}

impl OpenPart {
    /// Reads the end of a part; nothing where it has gone.
    pub(super) fn open(part: Part) -> Result<Option<Self>> {
        let Some(reader) = read(&part.path)? else { return Ok(None) };
        let damaged = |why: String| Error::Damaged { path: part.path.clone(), why };
        let note = reader.note(HEAD).ok_or_else(|| damaged("it is no part of a prediction log".into()))?;
        let head: Head = serde_json::from_str(note).map_err(|e| damaged(format!("its schema cannot be read: {e}")))?;
        segment::check_format(head.format).map_err(damaged)?;
        let replaces = reader.note(REPLACES).map_or(Ok(Vec::new()), serde_json::from_str);
        let replaces = replaces.map_err(|e| damaged(format!("what it replaces cannot be read: {e}")))?;
        let layout = head.schema.layout();
        let columns: Vec<(String, Kind)> = reader.columns().iter().map(|c| (c.name.clone(), c.kind)).collect();
        let names = columns.iter().skip(BEFORE).map(|(name, _)| name);
        if !names.eq(layout.iter().map(|c| &c.name)) {
            return Err(damaged("its columns are not those that its schema says".into()));
        }
        let n_rows = reader.n_rows();
        Ok(Some(OpenPart { head: Arc::new(head), layout: Arc::new(layout), part, columns, replaces, n_rows }))
    }

    /// Begins to read its rows: all columns, or ids and times alone. Nothing where it has gone.
    pub(super) fn rows(&self, positions: Option<&[usize]>, rows: usize) -> Result<Option<ExactReader>> {
        let Some(mut reader) = read(&self.part.path)? else { return Ok(None) };
        reader.start(positions, rows).map_err(|e| of_data(&self.part.path, &e))?;
        Ok(Some(reader))
    }
}

fn read(path: &Path) -> Result<Option<ExactReader>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::file(path, "the part cannot be read")(e)),
    };
    ExactReader::open(file, path).map(Some).map_err(|e| of_data(path, &e))
}

/// What the reader or writer of Parquet says of a part.
pub(super) fn of_data(path: &Path, error: &tabwright_data::Error) -> Error {
    Error::Damaged { path: path.to_owned(), why: error.to_string() }
}

/// Writes a part; it appears under its name when it is whole and on disk.
pub(super) struct PartWriter {
    path: PathBuf,
    writer: ExactWriter,
    names: [String; BEFORE],
}

impl PartWriter {
    /// Begins a part in the folder of its day, for columns of such types.
    pub(super) fn create(
        (version, day, stem): (&Path, Day, &str),
        head: &Head,
        columns: Vec<ExactColumn>,
        replaces: &[String],
    ) -> Result<Self> {
        let folder = day_folder(version, day);
        place::make_folder(&folder).map_err(Error::file(&folder, "the folder of a day cannot be made"))?;
        let path = folder.join(format!("{stem}{ENDING}"));
        let json = head.to_json()?;
        let replaces = if replaces.is_empty() { String::new() } else { serde_json::json!(replaces).to_string() };
        let mut notes = vec![(HEAD, json.as_str())];
        notes.extend((!replaces.is_empty()).then_some((REPLACES, replaces.as_str())));
        let own = |name: &str| ExactColumn { name: name.to_owned(), kind: Kind::Categorical, spread: Spread::Repeated };
        let columns: Vec<ExactColumn> = [own("model"), own("version")].into_iter().chain(columns).collect();
        let writer = ExactWriter::create(&path, &columns, &notes).map_err(|e| of_writing(&path, e))?;
        Ok(PartWriter { path, writer, names: [head.model.clone(), head.version.clone()] })
    }

    /// Appends rows of the columns of the log.
    pub(super) fn write(&mut self, block: &Block) -> Result<()> {
        for start in (0..block.n_rows()).step_by(ROWS) {
            let rows: Vec<u32> = (start..(start + ROWS).min(block.n_rows())).map(|r| r as u32).collect();
            let mut columns: Vec<Column> = self.names.iter().map(|name| constant(name, rows.len())).collect();
            columns.extend(block.columns().iter().map(|c| c.take(&rows)));
            let refs: Vec<&Column> = columns.iter().collect();
            self.writer.write(&refs).map_err(|e| of_writing(&self.path, e))?;
        }
        Ok(())
    }

    /// Completes it, and returns its size.
    pub(super) fn finish(self) -> Result<u64> {
        let path = self.path;
        self.writer.finish().map_err(|e| of_writing(&path, e))?;
        Ok(path.metadata().map_or(0, |m| m.len()))
    }
}

fn of_writing(path: &Path, error: tabwright_data::Error) -> Error {
    Error::file(path, "the part could not be written")(io::Error::other(error))
}

/// A column of one text.
pub(super) fn constant(text: &str, n_rows: usize) -> Column {
    Column::Category(Category { codes: vec![0; n_rows], levels: Arc::new([text].into_iter().collect()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_names_and_other_names_are_no_days() {
        for (at, text) in [(0, "1970-01-01"), (DAY - 1, "1970-01-01"), (crate::time::LAST, "9999-12-30")] {
            assert_eq!(day_text(day_of(at)), text);
            assert_eq!(read_day(&format!("day={text}")), Some(day_of(at)));
        }
        for name in ["1970-01-01", "day=", "day=1970-1-1", "day=1970-02-30", "day=1970-01-01T00:00", "day=19700101"] {
            assert_eq!(read_day(name), None, "{name}");
        }
    }
}
