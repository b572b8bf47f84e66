//! JSON Lines files as pieces of typed columns. The columns are the union of the keys; where an object lacks a key, the
//! value is missing. A string means what the same text would mean in a quoted cell of a CSV: a column of strings that
//! are all numbers is numeric unless its type is given.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Mutex;

use crate::csv::cut::{Cutter, TextPiece};
use crate::csv::open::checked;
use crate::csv::walk::Dialect;
use crate::decode::{Choice, TextSource};
use crate::error::{Place, Position};
use crate::part::{Builder, Mode, Rules};
use crate::passes::{Columns, Modes, Parsed, Parser, Pieces};
use crate::{Error, Input, ReadOptions, Result};

use super::parse::{JsonValue, Scratch, object};

/// Bytes of a piece.
const PIECE: usize = 1 << 20;

/// Lines end where a line feed is: JSON has none inside of strings, so no quote needs to be followed. The byte 0 never
/// occurs in JSON.
pub(crate) const LINES: Dialect = Dialect { delimiter: 0, quote: 0, newline: b'\n' };

/// JSON Lines files, to be read into one table.
#[derive(Debug)]
pub(crate) struct JsonParser<'a> {
    inputs: &'a [Input],
    choice: Choice,
    encoding: &'static str,
    rules: &'a Rules,
    most_columns: usize,
    seen: Mutex<BTreeSet<String>>,
}

impl<'a> JsonParser<'a> {
    /// Prepares the reading.
    ///
    /// # Errors
    /// If the first file cannot be read, or the encoding is unknown.
    pub(crate) fn new(inputs: &'a [Input], options: &ReadOptions, rules: &'a Rules) -> Result<Self> {
        let choice = Choice::named(options.encoding.as_deref())?;
        let encoding = TextSource::open(&inputs[0], choice)?.encoding();
        let most_columns = options.most_columns;
        Ok(JsonParser { inputs, choice, encoding, rules, most_columns, seen: Mutex::default() })
    }

    /// The encoding of the first file.
    pub(crate) fn encoding(&self) -> &'static str {
        self.encoding
    }

    /// Every key that was met.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().map(|s| s.iter().cloned().collect()).unwrap_or_default()
    }

    fn columns(&self, piece: &TextPiece, text: &str, modes: &Modes, only: Option<&HashSet<String>>) -> Result<Found> {
        let name = self.inputs[piece.file].name();
        let mut found = Found::default();
        let mut scratch = Scratch::default();
        for (number, line) in text.split('\n').enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let rows = found.rows;
            let mut next = 0;
            object(line, &mut scratch, |key, value| {
                let position = found.position(key, next, modes, only);
                next = position + 1;
                if found.columns.len() > self.most_columns {
                    return Err(format!("more than {} keys, which is the most that is read", self.most_columns));
                }
                let (_, builder) = &mut found.columns[position];
                if builder.len() > rows {
                    return Err(format!("the key `{key}` occurs twice in one object"));
                }
                while builder.len() < rows && !builder.is_broken() {
                    builder.push_missing();
                }
                push(builder, value, self.rules);
                Ok(())
            })
            .map_err(|problem| {
                let message = format!("{} (character {})", problem.message, problem.at + 1);
                Error::unreadable(Place::line(name, number as u64 + 1), message)
            })?;
            found.rows += 1;
        }
        for (_, builder) in &mut found.columns {
            while builder.len() < found.rows && !builder.is_broken() {
                builder.push_missing();
            }
        }
        Ok(found)
    }

    fn text<'p>(&self, piece: &'p TextPiece) -> Result<&'p str> {
        checked(&piece.bytes, false).map_err(|at| Error::Encoding {
            place: Place::line(
                self.inputs[piece.file].name(),
                1 + memchr::memchr_iter(b'\n', &piece.bytes[..at]).count() as u64,
            ),
            offset: piece.offset + at as u64,
            encoding: "UTF-8".into(),
        })
    }
}

/// Hands a JSON value to a column.
pub(crate) fn push(builder: &mut Builder, value: JsonValue<'_>, rules: &Rules) {
    match value {
        JsonValue::Null => builder.push_missing(),
        JsonValue::String(text) | JsonValue::Number(text) => builder.push(text, rules),
        JsonValue::Boolean(true) => builder.push("true", rules),
        JsonValue::Boolean(false) => builder.push("false", rules),
    }
}

/// The columns of a piece.
#[derive(Debug, Default)]
struct Found {
    rows: usize,
    columns: Vec<(String, Builder)>,
    positions: HashMap<String, usize>,
}

impl Found {
    /// The position of a key; objects of one file mostly have their keys in one order, so the next is tried first.
    fn position(&mut self, key: &str, next: usize, modes: &Modes, only: Option<&HashSet<String>>) -> usize {
        if self.columns.get(next).is_some_and(|(name, _)| name == key) {
            return next;
        }
        if let Some(&position) = self.positions.get(key) {
            return position;
        }
        let mode = match only {
            Some(only) if !only.contains(key) => Mode::Skip,
            Some(_) if modes.of_name(key) == Mode::Infer => Mode::Text,
            _ => modes.of_name(key),
        };
        self.columns.push((key.to_owned(), Builder::new(mode, 0)));
        self.positions.insert(key.to_owned(), self.columns.len() - 1);
        self.columns.len() - 1
    }
}

impl Parser for JsonParser<'_> {
    type Piece = TextPiece;

    fn inputs(&self) -> &[Input] {
        self.inputs
    }

    fn open(&self) -> Result<Box<dyn Pieces<Piece = TextPiece> + '_>> {
        Ok(Box::new(JsonPieces { inputs: self.inputs, choice: self.choice, next: 0, cutter: None, before: 0 }))
    }

    fn file_of(&self, piece: &TextPiece) -> usize {
        piece.file
    }

    fn parse(&self, piece: &TextPiece, modes: &Modes) -> Result<Parsed> {
        let text = self.text(piece)?;
        let mut found = self.columns(piece, text, modes, None)?;
        let broken: HashSet<String> =
            found.columns.iter().filter(|(_, b)| b.is_broken()).map(|(name, _)| name.clone()).collect();
        if !broken.is_empty() {
            let again = self.columns(piece, text, modes, Some(&broken))?;
            for (name, builder) in again.columns.into_iter().filter(|(name, _)| broken.contains(name)) {
                if let Some(&position) = found.positions.get(&name) {
                    found.columns[position].1 = builder;
                }
            }
        }
        if let Ok(mut seen) = self.seen.lock() {
            for (name, _) in &found.columns {
                if !seen.contains(name) {
                    seen.insert(name.clone());
                }
            }
        }
        let columns = found.columns.into_iter().map(|(name, builder)| (name, builder.finish())).collect();
        let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
        Ok(Parsed { rows: found.rows, lines, columns: Columns::Named(columns), short_rows: None })
    }

    fn position_of(&self, piece: &TextPiece, row: usize) -> Position {
        let text = String::from_utf8_lossy(&piece.bytes);
        let filled = text.split('\n').enumerate().filter(|(_, line)| !line.trim().is_empty());
        Position::Line(filled.map(|(number, _)| number as u64 + 1).nth(row).unwrap_or(1))
    }
}

/// The pieces of all files, in order.
#[derive(Debug)]
struct JsonPieces<'a> {
    inputs: &'a [Input],
    choice: Choice,
    next: usize,
    cutter: Option<Cutter>,
    /// Bytes on disk of the files that are done.
    before: u64,
}

impl Pieces for JsonPieces<'_> {
    type Piece = TextPiece;

    fn next(&mut self) -> Result<Option<TextPiece>> {
        loop {
            if let Some(cutter) = &mut self.cutter {
                if let Some(piece) = cutter.next_by_size(PIECE)? {
                    return Ok(Some(piece));
                }
                self.before += self.inputs[self.next - 1].size();
                self.cutter = None;
            }
            let Some(input) = self.inputs.get(self.next) else { return Ok(None) };
            let source = TextSource::open(input, self.choice)?;
            self.cutter = Some(Cutter::new(source, LINES, (self.next, input.name())));
            self.next += 1;
        }
    }

    fn taken(&self) -> u64 {
        self.before + self.cutter.as_ref().map_or(0, Cutter::taken)
    }
}
