//! Columns to JSON Lines. Missing values are `null`; infinite numbers, for which JSON has no form, are the strings
//! `"inf"` and `"-inf"`, which are read as numbers again.

use tabwright_core::block::MISSING_INTEGER;
use tabwright_core::{Column, Kind};

use crate::number::canonical_zero;
use crate::time::format_timestamp;
use crate::{Result, TableWriter, WriteColumn};

use super::sink::Sink;

/// Bytes that are gathered before they go to the sink.
const BUFFER: usize = 1 << 16;

pub(super) struct JsonWriter {
    sink: Sink,
    columns: Vec<WriteColumn>,
    /// What stands before each value: `{"name": ` or `, "name": `.
    keys: Vec<String>,
    buffer: String,
}

impl JsonWriter {
    pub(super) fn new(sink: Sink, columns: &[WriteColumn]) -> Self {
        let key = |(index, column): (usize, &WriteColumn)| {
            let mut key = if index == 0 { String::from("{") } else { String::from(", ") };
            push_string(&mut key, &column.name);
            key.push_str(": ");
            key
        };
        let keys = columns.iter().enumerate().map(key).collect();
        JsonWriter { sink, columns: columns.to_vec(), keys, buffer: String::new() }
    }
}

impl TableWriter for JsonWriter {
    fn write(&mut self, columns: &[&Column]) -> Result<()> {
        let rows = super::check(&self.columns, columns)?;
        for row in 0..rows {
            for ((column, key), described) in columns.iter().zip(&self.keys).zip(&self.columns) {
                self.buffer.push_str(key);
                push_value(&mut self.buffer, column, row, described.kind);
            }
            self.buffer.push_str(if columns.is_empty() { "{}\n" } else { "}\n" });
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

fn push_value(out: &mut String, column: &Column, row: usize, kind: Kind) {
    use std::fmt::Write;
    if column.is_missing(row) {
        out.push_str("null");
        return;
    }
    match column {
        Column::Float(values) => push_number(out, values[row]),
        Column::Integer(values) => {
            debug_assert_ne!(values[row], MISSING_INTEGER);
            let _ = write!(out, "{}", values[row]);
        }
        Column::Timestamp(values) => {
            let _ = write!(out, "\"{}\"", format_timestamp(values[row]));
        }
        Column::Category(category) => match category.get(row) {
            Some(text) if kind == Kind::Boolean && matches!(text, "true" | "false") => out.push_str(text),
            Some(text) => push_string(out, text),
            None => out.push_str("null"),
        },
    }
}

/// Appends a number as JSON has it: the shortest text that is read as the same bits; `null` for NaN, and the strings `"inf"` and
/// `"-inf"`, which are read as numbers again.
pub fn push_number(out: &mut String, value: f64) {
    if value.is_finite() {
        out.push_str(zmij::Buffer::new().format(canonical_zero(value)));
    } else if value.is_nan() {
        out.push_str("null");
    } else {
        out.push_str(if value > 0.0 { "\"inf\"" } else { "\"-inf\"" });
    }
}

/// Appends a JSON string.
pub fn push_string(out: &mut String, text: &str) {
    use std::fmt::Write;
    out.push('"');
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[copied..at]);
        copied = at + 1;
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[copied..]);
    out.push('"');
}
