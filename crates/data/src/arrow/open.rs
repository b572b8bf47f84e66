//! Opens Parquet and Arrow IPC files as streams of record batches.

use std::io::{BufReader, Read, Seek};

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::Place;
use crate::guard::guarded;
use crate::{Error, Format, Input, ReadOptions, Result};

/// What is said where the library breaks off.
const BROKEN: &str = "its parts do not fit each other";

/// What the first bytes of the file form of Arrow IPC are.
pub(super) const IPC_FILE: &[u8] = b"ARROW1";

/// Reads the batches of one file.
pub(crate) struct Batches {
    name: String,
    reader: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>,
    /// Rows in a batch at most; the batches of IPC files are as large as they were written.
    most: usize,
    /// What is left of a batch that was too large.
    rest: Option<RecordBatch>,
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The columns of a file.
///
/// # Errors
/// If the file is not what its format says, or asks for more memory than it may.
pub(crate) fn schema(input: &Input, format: Format, options: &ReadOptions) -> Result<SchemaRef> {
    match format {
        Format::Parquet => Ok(parquet_builder(input)?.schema().clone()),
        _ => {
            super::claims::check(input, options)?;
            Ok(ipc(input, None)?.schema())
        }
    }
}

impl Batches {
    /// Opens a file and reads the columns of the given positions (ascending), at most `most` rows at a time.
    ///
    /// # Errors
    /// If the file is not what its format says.
    pub(crate) fn open(input: &Input, format: Format, columns: &[usize], most: usize) -> Result<Self> {
        let reader: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send> = match format {
            Format::Parquet => {
                let builder = parquet_builder(input)?;
                let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
                let reader = builder.with_projection(mask).with_batch_size(most).build();
                Box::new(reader.map_err(|e| damaged(input.name(), format, &e))?)
            }
            _ => Box::new(ipc(input, Some(columns.to_vec()))?),
        };
        Ok(Batches { name: input.name().to_owned(), reader, most, rest: None })
    }

    /// The next batch that has rows.
    ///
    /// # Errors
    /// If the file is damaged.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let batch = match self.rest.take() {
                Some(batch) => batch,
                None => match guarded(|| self.reader.next()) {
                    None => return Err(damaged(&self.name, Format::Arrow, &BROKEN)),
                    Some(None) => return Ok(None),
                    Some(Some(batch)) => batch.map_err(|e| damaged(&self.name, Format::Arrow, &e))?,
                },
            };
            if batch.num_rows() > self.most {
                self.rest = Some(batch.slice(self.most, batch.num_rows() - self.most));
                return Ok(Some(batch.slice(0, self.most)));
            }
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
    }
}

fn parquet_builder(input: &Input) -> Result<ParquetRecordBatchReaderBuilder<std::fs::File>> {
    let file = input.open_file()?;
    let opened = guarded(|| ParquetRecordBatchReaderBuilder::try_new(file));
    let opened = opened.ok_or_else(|| damaged(input.name(), Format::Parquet, &BROKEN))?;
    opened.map_err(|e| damaged(input.name(), Format::Parquet, &e))
}

fn ipc(input: &Input, columns: Option<Vec<usize>>) -> Result<Box<dyn RecordBatchReader + Send>> {
    let error = |e: ArrowError| damaged(input.name(), Format::Arrow, &e);
    let mut file = BufReader::new(input.open_raw()?);
    let mut head = [0; IPC_FILE.len()];
    let is_file = file.read_exact(&mut head).is_ok() && head == IPC_FILE;
    file.rewind().map_err(|e| Error::io(input.name(), "cannot be read", e))?;
    let opened = guarded(move || -> Result<Box<dyn RecordBatchReader + Send>, ArrowError> {
        Ok(match is_file {
            true => Box::new(FileReader::try_new(file, columns)?),
            false => Box::new(StreamReader::try_new(file, columns)?),
        })
    });
    match opened {
        Some(opened) => opened.map_err(error),
        None => Err(damaged(input.name(), Format::Arrow, &BROKEN)),
    }
}

pub(super) fn damaged(name: &str, format: Format, error: &dyn std::fmt::Display) -> Error {
    let message = format!("this is no {format} file, or it is damaged or cut off ({error})");
    Error::unreadable(Place::file(name), message)
}

/// Refuses types that are no column of a table.
///
/// # Errors
/// [`Error::Unreadable`] with the name of the column and its type.
pub(crate) fn check_type(input: &Input, name: &str, data_type: &DataType) -> Result<()> {
    use DataType as T;
    let is_flat = |t: &T| {
        t.is_integer()
            || t.is_floating()
            || matches!(
                t,
                T::Null
                    | T::Boolean
                    | T::Decimal32(..)
                    | T::Decimal64(..)
                    | T::Decimal128(..)
                    | T::Decimal256(..)
                    | T::Utf8
                    | T::LargeUtf8
                    | T::Utf8View
                    | T::Binary
                    | T::LargeBinary
                    | T::BinaryView
                    | T::Date32
                    | T::Date64
                    | T::Timestamp(..)
            )
    };
    let is_known = match data_type {
        T::Dictionary(_, value) => is_flat(value),
        other => is_flat(other),
    };
    if is_known {
        return Ok(());
    }
    let sort = if data_type.is_nested() { "nested type" } else { "type" };
    let message = format!(
        "the {sort} {data_type} is not supported; flatten or convert the column, or leave it out with --drop '{name}'"
    );
    Err(Error::unreadable(Place::file(input.name()).in_column(name), message))
}
