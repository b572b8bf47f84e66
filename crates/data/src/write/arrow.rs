//! Columns to Parquet and Arrow IPC: integers as int64, floats as float64, times as microseconds in UTC, booleans as
//! such, categories and text as strings.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter as ParquetWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use tabwright_core::block::{MISSING_INTEGER, integer_to_number};
use tabwright_core::{Column, Kind};

use crate::number::{canonical_zero, shortest};
use crate::part::float_to_integer;
use crate::time::format_timestamp;
use crate::{Error, Result, TableWriter, WriteColumn};

use super::sink::Sink;

/// Rows in a row group of Parquet, at most.
const ROW_GROUP: usize = 1 << 17;

pub(super) struct ArrowWriter {
    name: String,
    columns: Vec<WriteColumn>,
    schema: SchemaRef,
    writer: Writer,
}

enum Writer {
    Parquet(Box<ParquetWriter<Sink>>),
    Ipc(Box<FileWriter<Sink>>),
    Stream(Box<StreamWriter<Sink>>),
}

impl ArrowWriter {
    pub(super) fn parquet(sink: Sink, columns: &[WriteColumn]) -> Result<Self> {
        let (name, schema) = (sink.name().to_owned(), schema(columns));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_created_by(concat!("tabwright ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = ParquetWriter::try_new(sink, Arc::clone(&schema), Some(properties));
        let writer = Writer::Parquet(Box::new(writer.map_err(|e| of_parquet(&name, e))?));
        Ok(ArrowWriter { name, columns: columns.to_vec(), schema, writer })
    }

    pub(super) fn ipc(sink: Sink, columns: &[WriteColumn]) -> Result<Self> {
        let (name, schema) = (sink.name().to_owned(), schema(columns));
        let writer = FileWriter::try_new(sink, &schema);
        let writer = Writer::Ipc(Box::new(writer.map_err(|e| of_arrow(&name, e))?));
        Ok(ArrowWriter { name, columns: columns.to_vec(), schema, writer })
    }

    pub(super) fn stream(sink: Sink, columns: &[WriteColumn]) -> Result<Self> {
        let (name, schema) = (sink.name().to_owned(), schema(columns));
        let writer = StreamWriter::try_new(sink, &schema);
        let writer = Writer::Stream(Box::new(writer.map_err(|e| of_arrow(&name, e))?));
        Ok(ArrowWriter { name, columns: columns.to_vec(), schema, writer })
    }
}

impl TableWriter for ArrowWriter {
    fn write(&mut self, columns: &[&Column]) -> Result<()> {
        let rows = super::check(&self.columns, columns)?;
        if rows == 0 {
            return Ok(());
        }
        let arrays = columns.iter().zip(&self.columns).map(|(values, column)| array(values, column.kind)).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(|e| of_arrow(&self.name, e))?;
        match &mut self.writer {
            Writer::Parquet(writer) => writer.write(&batch).map_err(|e| of_parquet(&self.name, e)),
            Writer::Ipc(writer) => writer.write(&batch).map_err(|e| of_arrow(&self.name, e)),
            Writer::Stream(writer) => writer.write(&batch).map_err(|e| of_arrow(&self.name, e)),
        }
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let name = self.name;
        let sink = match self.writer {
            Writer::Parquet(writer) => writer.into_inner().map_err(|e| of_parquet(&name, e))?,
            Writer::Ipc(writer) => writer.into_inner().map_err(|e| of_arrow(&name, e))?,
            Writer::Stream(writer) => writer.into_inner().map_err(|e| of_arrow(&name, e))?,
        };
        sink.finish()
    }
}

fn schema(columns: &[WriteColumn]) -> SchemaRef {
    let field = |column: &WriteColumn| Field::new(&column.name, data_type(column.kind), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

pub(crate) fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Boolean => DataType::Boolean,
        Kind::Integer => DataType::Int64,
        Kind::Float => DataType::Float64,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Categorical | Kind::Text => DataType::Utf8,
    }
}

/// The values as the type of their kind; what has no such form is null.
fn array(column: &Column, kind: Kind) -> ArrayRef {
    let rows = 0..column.len();
    let present = |row: &usize| !column.is_missing(*row);
    let text = |row: usize| Some(row).filter(present).map(|row| text_of(column, row));
    match kind {
        Kind::Float => {
            let value = |row: usize| Some(column.number(row)).filter(|x| !x.is_nan()).map(canonical_zero);
            Arc::new(rows.map(value).collect::<Float64Array>())
        }
        Kind::Integer => Arc::new(rows.map(|row| whole(column, row)).collect::<Int64Array>()),
        Kind::Timestamp => {
            let values: TimestampMicrosecondArray = rows.map(|row| whole(column, row)).collect();
            Arc::new(values.with_timezone("UTC"))
        }
        Kind::Boolean => {
            let value = |row: usize| text(row).map(|t| t.eq_ignore_ascii_case("true"));
            Arc::new(rows.map(value).collect::<BooleanArray>())
        }
        Kind::Categorical | Kind::Text => match column {
            Column::Category(category) => Arc::new(rows.map(|row| category.get(row)).collect::<StringArray>()),
            _ => Arc::new(rows.map(text).collect::<StringArray>()),
        },
    }
}

fn whole(column: &Column, row: usize) -> Option<i64> {
    match column {
        Column::Integer(values) | Column::Timestamp(values) => Some(values[row]).filter(|v| *v != MISSING_INTEGER),
        Column::Float(values) => float_to_integer(values[row]),
        Column::Category(category) => category.get(row)?.parse().ok(),
    }
}

fn text_of(column: &Column, row: usize) -> String {
    match column {
        Column::Category(category) => category.get(row).unwrap_or_default().to_owned(),
        Column::Timestamp(values) => format_timestamp(values[row]),
        Column::Integer(values) if integer_to_number(values[row]).is_nan() => String::new(),
        Column::Integer(values) => values[row].to_string(),
        Column::Float(values) if values[row].is_finite() => shortest(values[row], &mut zmij::Buffer::new()).to_owned(),
        Column::Float(values) => values[row].to_string(),
    }
}

fn of_arrow(name: &str, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, source) => Error::write(name, "cannot be written", source),
        other => Error::write(name, "cannot be written", std::io::Error::other(other)),
    }
}

pub(crate) fn of_parquet(name: &str, error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => Error::write(name, "cannot be written", *source),
            Err(other) => Error::write(name, "cannot be written", std::io::Error::other(other)),
        },
        other => Error::write(name, "cannot be written", std::io::Error::other(other)),
    }
}
