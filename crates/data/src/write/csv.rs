//! Columns to CSV (RFC 4180, line feeds). Missing values are empty; floats are as short as reads back to the same bits.

use tabwright_core::Column;
use tabwright_core::block::MISSING_INTEGER;

use crate::number::shortest;
use crate::time::format_timestamp;
use crate::{Result, TableWriter, WriteColumn};

use super::sink::Sink;

/// Bytes that are gathered before they go to the sink.
const BUFFER: usize = 1 << 16;

pub(super) struct CsvWriter {
    sink: Sink,
    columns: Vec<WriteColumn>,
    delimiter: u8,
    buffer: String,
}

impl CsvWriter {
    pub(super) fn new(sink: Sink, columns: &[WriteColumn], delimiter: u8) -> Result<Self> {
        let mut writer = CsvWriter { sink, columns: columns.to_vec(), delimiter, buffer: String::new() };
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                writer.buffer.push(delimiter as char);
            }
            push_cell(&mut writer.buffer, &column.name, delimiter);
        }
        writer.end_row(columns.first().is_none_or(|c| c.name.is_empty()));
        writer.sink.drain(&mut writer.buffer)?;
        Ok(writer)
    }

    /// Ends a row. A row of one empty cell must not look like a blank line, which readers skip.
    fn end_row(&mut self, first_is_empty: bool) {
        if self.columns.len() == 1 && first_is_empty {
            self.buffer.push_str("\"\"");
        }
        self.buffer.push('\n');
    }
}

impl TableWriter for CsvWriter {
    fn write(&mut self, columns: &[&Column]) -> Result<()> {
        let rows = super::check(&self.columns, columns)?;
        let mut number = zmij::Buffer::new();
        for row in 0..rows {
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    self.buffer.push(self.delimiter as char);
                }
                push_value(&mut self.buffer, column, row, (self.delimiter, &mut number));
            }
            self.end_row(columns.first().is_none_or(|c| c.is_missing(row)));
            if self.buffer.len() > BUFFER {
                self.sink.drain(&mut self.buffer)?;
            }
        }
        self.sink.drain(&mut self.buffer)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.sink.drain(&mut self.buffer)?;
        self.sink.finish()
    }
}

fn push_value(out: &mut String, column: &Column, row: usize, (delimiter, number): (u8, &mut zmij::Buffer)) {
    use std::fmt::Write;
    match column {
        Column::Float(values) => {
            let value = values[row];
            if value.is_finite() {
                // A point tells a float from a whole number where the table is read again.
                let text = shortest(value, number);
                out.push_str(text);
                if !text.contains(['.', 'e']) {
                    out.push_str(".0");
                }
            } else if value.is_infinite() {
                out.push_str(if value > 0.0 { "inf" } else { "-inf" });
            }
        }
        Column::Integer(values) => {
            if values[row] != MISSING_INTEGER {
                let _ = write!(out, "{}", values[row]);
            }
        }
        Column::Timestamp(values) => {
            if values[row] != MISSING_INTEGER {
                out.push_str(&format_timestamp(values[row]));
            }
        }
        Column::Category(category) => {
            if let Some(text) = category.get(row) {
                push_cell(out, text, delimiter);
            }
        }
    }
}

/// Appends a string, in quotes where it would otherwise be read differently.
fn push_cell(out: &mut String, text: &str, delimiter: u8) {
    let special = |b: u8| b == delimiter || matches!(b, b'"' | b'\n' | b'\r');
    let bytes = text.as_bytes();
    let at_the_edge = |b: Option<&u8>| b.is_some_and(|b| *b <= b' ' || *b >= 0x7f);
    let needs_quotes = bytes.iter().any(|b| special(*b))
        || (at_the_edge(bytes.first()) || at_the_edge(bytes.last())) && text.trim() != text
        || bytes.first() == Some(&b'\'');
    if !needs_quotes {
        out.push_str(text);
        return;
    }
    out.push('"');
    for (index, piece) in text.split('"').enumerate() {
        if index > 0 {
            out.push_str("\"\"");
        }
        out.push_str(piece);
    }
    out.push('"');
}
