//! Reads what [`ExactWriter`](super::ExactWriter) wrote.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use tabwright_core::block::{Category, LevelsBuilder, MISSING_CODE, MISSING_INTEGER};
use tabwright_core::{Block, Column, Kind};

use crate::error::Place;
use crate::guard::guarded;
use crate::{Error, Result, WriteColumn};

/// What is said where the library breaks off.
const BROKEN: &str = "its parts do not fit each other";

/// The rows of an exact file, block by block, in bounded memory.
pub struct ExactReader {
    name: String,
    builder: Option<ParquetRecordBatchReaderBuilder<File>>,
    reader: Option<ParquetRecordBatchReader>,
    columns: Vec<WriteColumn>,
    notes: BTreeMap<String, String>,
    n_rows: u64,
}

impl std::fmt::Debug for ExactReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExactReader").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ExactReader {
    /// Reads what stands at the end of a file: its columns, its notes, its number of rows. `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it is no Parquet file, is damaged, or has columns that an exact file has not.
    pub fn open(file: File, name: &Path) -> Result<Self> {
        let name = name.display().to_string();
        let opened = guarded(|| ParquetRecordBatchReaderBuilder::try_new(file));
        let opened = opened.ok_or_else(|| damaged(&name, &BROKEN))?;
        let builder = opened.map_err(|e| damaged(&name, &e))?;
        let columns = builder.schema().fields().iter().map(|field| {
            let kind = kind(field.data_type())
                .ok_or_else(|| damaged(&name, &format!("the column `{}` is {}", field.name(), field.data_type())))?;
            Ok(WriteColumn { name: field.name().clone(), kind })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let metadata = builder.metadata().file_metadata();
        let notes = metadata.key_value_metadata().into_iter().flatten();
        let notes = notes.filter_map(|n| Some((n.key.clone(), n.value.clone()?))).collect();
        let n_rows = metadata.num_rows().unsigned_abs();
        Ok(ExactReader { name, builder: Some(builder), reader: None, columns, notes, n_rows })
    }

    /// The columns: all of the file, or those that were chosen.
    pub fn columns(&self) -> &[WriteColumn] {
        &self.columns
    }

    /// A note that the file keeps.
    pub fn note(&self, key: &str) -> Option<&str> {
        self.notes.get(key).map(String::as_str)
    }

    /// Rows of the file.
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// Chooses the columns that are read, by ascending positions (none: all), and the rows of a block, at most.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the file is damaged; [`Error::Usage`] the second time.
    pub fn start(&mut self, positions: Option<&[usize]>, rows: usize) -> Result<()> {
        let Some(mut builder) = self.builder.take() else {
            return Err(Error::Usage(format!("{}: the reading has begun already", self.name)));
        };
        if let Some(positions) = positions {
            let mask = ProjectionMask::roots(builder.parquet_schema(), positions.iter().copied());
            builder = builder.with_projection(mask);
            self.columns = positions.iter().map(|&p| self.columns[p].clone()).collect();
        }
        let reader = guarded(|| builder.with_batch_size(rows).build());
        let reader = reader.ok_or_else(|| damaged(&self.name, &BROKEN))?;
        self.reader = Some(reader.map_err(|e| damaged(&self.name, &e))?);
        Ok(())
    }

    /// The next rows; none at the end, and before [`ExactReader::start`].
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the file is damaged.
    pub fn next_block(&mut self) -> Result<Option<Block>> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let batch = match guarded(|| reader.next()) {
            None => return Err(damaged(&self.name, &BROKEN)),
            Some(None) => return Ok(None),
            Some(Some(batch)) => batch.map_err(|e| damaged(&self.name, &e))?,
        };
        let columns = batch.columns().iter().map(column).collect();
        Ok(Some(Block::new(columns, batch.num_rows())?))
    }
}

fn damaged(name: &str, why: &dyn std::fmt::Display) -> Error {
    Error::unreadable(Place::file(name), format!("this is no file that was written here, or it is damaged ({why})"))
}

fn kind(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::Float64 => Kind::Float,
        DataType::Int64 => Kind::Integer,
        DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, _) => Kind::Timestamp,
        DataType::Boolean => Kind::Boolean,
        DataType::Utf8 => Kind::Categorical,
        _ => return None,
    })
}

/// The values of an array whose type [`kind`] knows.
fn column(array: &ArrayRef) -> Column {
    match array.data_type() {
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            Column::Float(values.iter().map(|v| v.unwrap_or(f64::NAN)).collect())
        }
        DataType::Int64 => {
            let values = array.as_primitive::<Int64Type>();
            Column::Integer(values.iter().map(|v| v.unwrap_or(MISSING_INTEGER)).collect())
        }
        DataType::Timestamp(..) => {
            let values = array.as_primitive::<TimestampMicrosecondType>();
            Column::Timestamp(values.iter().map(|v| v.unwrap_or(MISSING_INTEGER)).collect())
        }
        DataType::Boolean => {
            let code = |b: Option<bool>| b.map_or(MISSING_CODE, u32::from);
            let codes = array.as_boolean().iter().map(code).collect();
            Column::Category(Category { codes, levels: Arc::new(["false", "true"].into_iter().collect()) })
        }
        _ => {
            let mut levels = LevelsBuilder::default();
            let texts = array.as_string::<i32>().iter();
            let codes = texts.map(|t| t.map_or(MISSING_CODE, |t| levels.intern(t))).collect();
            Column::Category(Category { codes, levels: Arc::new(levels.finish()) })
        }
    }
}
