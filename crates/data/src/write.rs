//! Columns to files: CSV, JSON Lines, Parquet and Arrow IPC. A file appears under its name only when it is complete.

mod arrow;
mod csv;
pub(crate) mod json;
mod sink;

pub use json::{push_number as json_number, push_string as json_string};
use tabwright_core::{Column, Kind, Table};

use crate::{Error, Format, Result};

pub(crate) use arrow::{data_type, of_parquet};
use sink::Sink;

/// A column that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteColumn {
    /// Its name.
    pub name: String,
    /// What its values mean.
    pub kind: Kind,
}

/// Writes columns block by block.
pub trait TableWriter: Send {
    /// Appends rows: one column for each that the writer was made for, all of one length. Numbers may be integers or
    /// floats whatever the kind says.
    ///
    /// # Errors
    /// [`Error::Write`] if the disk is full or the reader of a pipe has gone.
    fn write(&mut self, columns: &[&Column]) -> Result<()>;

    /// Completes the file and moves it to its name. A writer that is dropped without it leaves nothing behind.
    ///
    /// # Errors
    /// As [`TableWriter::write`].
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Makes a writer to a path, or to standard output for `-`. The format follows from the name if it is not given (CSV
/// for `-`); `.gz` and `.zst` pack text formats.
///
/// # Errors
/// [`Error::Usage`] if the name tells no format, or two columns have one name; [`Error::Write`] if the folder cannot be
/// written to.
pub fn create_writer(path: &str, format: Option<Format>, columns: &[WriteColumn]) -> Result<Box<dyn TableWriter>> {
    refuse_twins(path, columns)?;
    let (by_name, compression) = Format::of_path(std::path::Path::new(path));
    let format = match format.or(by_name) {
        Some(format) => format,
        None if path == "-" => Format::Csv,
        None => {
            return Err(Error::Usage(format!(
                "the name {path} tells no format; let it end in .csv, .jsonl, .parquet or .arrow"
            )));
        }
    };
    if !format.is_text() && compression != crate::Compression::None {
        return Err(Error::Usage(format!("{path}: {format} packs its columns itself; leave out .gz and .zst")));
    }
    let delimiter = if path.to_ascii_lowercase().contains(".tsv") { b'\t' } else { b',' };
    let sink = Sink::create(path, compression)?;
    Ok(match format {
        Format::Csv => Box::new(csv::CsvWriter::new(sink, columns, delimiter)?),
        Format::Jsonl => Box::new(json::JsonWriter::new(sink, columns)),
        Format::Parquet => Box::new(arrow::ArrowWriter::parquet(sink, columns)?),
        Format::Arrow => Box::new(arrow::ArrowWriter::ipc(sink, columns)?),
    })
}

/// Makes a writer of a format to what a caller hands over; `name` is for messages. Arrow has a form for streams, and one for files
/// with a table of contents at the end: the flag beside the format asks for that one.
///
/// # Errors
/// [`Error::Usage`] if two columns have one name; [`Error::Write`] if the first bytes cannot be written.
pub fn writer_to(
    writer: Box<dyn std::io::Write + Send>,
    name: &str,
    (format, is_arrow_file): (Format, bool),
    columns: &[WriteColumn],
) -> Result<Box<dyn TableWriter>> {
    refuse_twins(name, columns)?;
    let sink = Sink::given(name, writer);
    Ok(match format {
        Format::Csv => Box::new(csv::CsvWriter::new(sink, columns, b',')?),
        Format::Jsonl => Box::new(json::JsonWriter::new(sink, columns)),
        Format::Parquet => Box::new(arrow::ArrowWriter::parquet(sink, columns)?),
        Format::Arrow if is_arrow_file => Box::new(arrow::ArrowWriter::ipc(sink, columns)?),
        Format::Arrow => Box::new(arrow::ArrowWriter::stream(sink, columns)?),
    })
}

pub(crate) fn refuse_twins(name: &str, columns: &[WriteColumn]) -> Result<()> {
    let mut names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|w| w[0] == w[1]) {
        Some(twin) => {
            Err(Error::Usage(format!("two columns of {name} would be named `{}`; keep one of them", twin[0])))
        }
        None => Ok(()),
    }
}

/// Writes a whole table to a path, or to standard output for `-`.
///
/// # Errors
/// As [`create_writer`] and [`TableWriter::write`].
pub fn write_table(table: &Table, path: &str, format: Option<Format>) -> Result<()> {
    /// Rows that are handed over at a time.
    const ROWS: usize = 1 << 16;
    let columns: Vec<WriteColumn> =
        table.schema().fields().iter().map(|f| WriteColumn { name: f.name.clone(), kind: f.kind }).collect();
    let mut writer = create_writer(path, format, &columns)?;
    if table.n_rows() <= ROWS {
        writer.write(&table.block().columns().iter().collect::<Vec<_>>())?;
        return writer.finish();
    }
    for start in (0..table.n_rows()).step_by(ROWS) {
        let rows: Vec<u32> = (start..(start + ROWS).min(table.n_rows())).map(|r| r as u32).collect();
        let part: Vec<Column> = table.block().columns().iter().map(|c| c.take(&rows)).collect();
        writer.write(&part.iter().collect::<Vec<_>>())?;
    }
    writer.finish()
}

/// Whether the columns are those that a writer was made for.
pub(crate) fn check(columns: &[WriteColumn], values: &[&Column]) -> Result<usize> {
    let rows = values.first().map_or(0, |c| c.len());
    if columns.len() != values.len() {
        let core =
            tabwright_core::Error::Length { name: "(columns)".into(), found: values.len(), expected: columns.len() };
        return Err(Error::Core(core));
    }
    for (column, values) in columns.iter().zip(values) {
        if values.len() != rows {
            let name = column.name.clone();
            return Err(Error::Core(tabwright_core::Error::Length { name, found: values.len(), expected: rows }));
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
