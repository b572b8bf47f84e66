//! Writes columns to Parquet as they are.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use tabwright_core::block::MISSING_INTEGER;
use tabwright_core::{Column, Kind};

use super::{ExactColumn, Spread};
use crate::destination::Destination;
use crate::write::{data_type, of_parquet};
use crate::{Error, Result, WriteColumn};

/// Rows in a row group, at most.
const ROW_GROUP: usize = 1 << 17;
/// Bytes of distinct floats in a row group up to which they are numbered. Beyond some 16,000 of them, the numbers of
/// distinct values take more than they save.
const FLOAT_DICTIONARY: usize = 1 << 17;
/// Level of Zstandard: its default, which other writers of Parquet use as well.
const ZSTD_LEVEL: i32 = 3;

/// Writes typed columns to a Parquet file, block by block. The file appears under its name when it is complete and on disk.
pub struct ExactWriter {
    name: String,
    columns: Vec<WriteColumn>,
    schema: SchemaRef,
    writer: ArrowWriter<Destination>,
}

impl std::fmt::Debug for ExactWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExactWriter").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ExactWriter {
    /// Begins a file; `notes` are kept in it under their names.
    ///
    /// # Errors
    /// [`Error::Usage`] if two columns have one name; [`Error::Write`] if the folder cannot be written to.
    pub fn create(path: &Path, columns: &[ExactColumn], notes: &[(&str, &str)]) -> Result<Self> {
        let name = path.display().to_string();
        let schema_of = |c: &ExactColumn| WriteColumn { name: c.name.clone(), kind: c.kind };
        let written: Vec<WriteColumn> = columns.iter().map(schema_of).collect();
        crate::write::refuse_twins(&name, &written)?;
        let fields = written.iter().map(|c| Field::new(&c.name, data_type(c.kind), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let file = Destination::create_file(path).map_err(|e| Error::write(&name, "cannot be written", e))?;
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties(columns, notes)?));
        let writer = writer.map_err(|e| of_parquet(&name, e))?;
        Ok(ExactWriter { name, columns: written, schema, writer })
    }

    /// Appends rows: one column for each that the file has, all of one length and of the type of their kind.
    ///
    /// # Errors
    /// [`Error::Write`] if the disk is full; [`Error::Core`] for columns of another number or length.
    ///
    /// # Panics
    /// If a column is not of the type that its kind asks for.
    pub fn write(&mut self, columns: &[&Column]) -> Result<()> {
        if crate::write::check(&self.columns, columns)? == 0 {
            return Ok(());
        }
        let arrays = columns.iter().zip(&self.columns).map(|(values, column)| array(values, column.kind)).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays);
        let batch = batch.map_err(|e| Error::write(&self.name, "cannot be written", std::io::Error::other(e)))?;
        self.writer.write(&batch).map_err(|e| of_parquet(&self.name, e))
    }

    /// Completes the file, brings it to disk and moves it to its name. A writer that is dropped without it leaves nothing behind.
    ///
    /// # Errors
    /// [`Error::Write`]; what was under the name before is then still there.
    pub fn finish(self) -> Result<()> {
        let name = self.name;
        let told = |e| Error::write(&name, "could not be written to the end", e);
        let mut file = self.writer.into_inner().map_err(|e| of_parquet(&name, e))?;
        file.flush().map_err(told)?;
        file.finish().map_err(told)
    }
}

fn properties(columns: &[ExactColumn], notes: &[(&str, &str)]) -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(|e| Error::Usage(e.to_string()))?;
    let notes = notes.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned())).collect();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(notes))
        .set_created_by(concat!("tabwright ", env!("CARGO_PKG_VERSION")).to_owned());
    for column in columns {
        let path = ColumnPath::new(vec![column.name.clone()]);
        let encoding = match (column.spread, column.kind) {
            (_, Kind::Float) => {
                properties = properties.set_column_dictionary_page_size_limit(path, FLOAT_DICTIONARY);
                continue;
            }
            (Spread::Repeated, _) | (_, Kind::Boolean) => continue,
            (_, Kind::Integer | Kind::Timestamp) => Encoding::DELTA_BINARY_PACKED,
            (_, Kind::Categorical | Kind::Text) => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        };
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
            .set_column_encoding(path, encoding);
    }
    Ok(properties.build())
}

fn array(column: &Column, kind: Kind) -> ArrayRef {
    let whole = |values: &[i64]| values.iter().map(|v| (*v != MISSING_INTEGER).then_some(*v)).collect::<Vec<_>>();
    match (column, kind) {
        (Column::Float(values), Kind::Float) => {
            Arc::new(values.iter().map(|v| (!v.is_nan()).then_some(*v)).collect::<Float64Array>())
        }
        (Column::Integer(values), Kind::Integer) => Arc::new(Int64Array::from(whole(values))),
        (Column::Timestamp(values), Kind::Timestamp) => {
            Arc::new(TimestampMicrosecondArray::from(whole(values)).with_timezone("UTC"))
        }
        (Column::Category(category), Kind::Boolean) => {
            let rows = 0..category.codes.len();
            Arc::new(rows.map(|row| category.get(row).map(|t| t == "true")).collect::<BooleanArray>())
        }
        (Column::Category(category), Kind::Categorical | Kind::Text) => {
            Arc::new((0..category.codes.len()).map(|row| category.get(row)).collect::<StringArray>())
        }
        (column, kind) => unreachable!("invariant: a column has the type of its kind: {column:?}, {kind:?}"),
    }
}
