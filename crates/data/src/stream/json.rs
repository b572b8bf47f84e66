//! JSON Lines files as a stream of blocks.

use std::collections::{HashMap, HashSet};

use crate::csv::cut::{Cutter, TextPiece};
use crate::csv::open::checked;
use crate::decode::{Choice, TextSource};
use crate::error::{Place, Position};
use crate::json::parse::{JsonValue, Scratch, object};
use crate::json::table::LINES;
use crate::part::Rules;
use crate::read::rules;
use crate::{Error, Input, ReadOptions, Result};

use super::slot::{Slot, Slots};
use super::{BadRow, Batched, Opened, Raw, RowPlace, StreamBlock, StreamRequest, Waves, check_columns, extra_columns};

/// Lines of the first file that are looked at for their keys before all of them are.
const SAMPLE: usize = 1000;

pub(super) fn open(inputs: &[Input], request: &StreamRequest, options: &ReadOptions) -> Result<Opened> {
    let rules = rules(options)?;
    let choice = Choice::named(options.encoding.as_deref())?;
    let mut extra = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let mut keys = keys(input, choice, Some(SAMPLE), options)?;
        if check_columns(input.name(), &keys, request).is_err() {
            // A key that is rare may come later: only the whole file can say that it is missing.
            keys = self::keys(input, choice, None, options)?;
            check_columns(input.name(), &keys, request)?;
        }
        if index == 0 {
            extra = extra_columns(&keys, request);
        }
    }
    let expected = request.expected.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
    let keep = request.keep.iter().map(|name| (name.clone(), tabwright_core::Kind::Text)).collect();
    let mut kept: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, name) in request.keep.iter().enumerate() {
        kept.entry(name.clone()).or_default().push(index);
    }
    let shape = Shape { inputs: inputs.to_vec(), expected, keep: kept, request: request.clone(), rules };
    let source = JsonBatches { shape, choice, next: 0, cutter: None, lines: 0 };
    Ok(Opened { blocks: Box::new(Waves::new(source)), header: None, keep, extra, warnings: Vec::new() })
}

/// The keys of a file, or of its first lines.
fn keys(input: &Input, choice: Choice, lines: Option<usize>, options: &ReadOptions) -> Result<Vec<String>> {
    let mut cutter = Cutter::new(TextSource::open(input, choice)?, LINES, (0, input.name()));
    let mut keys = HashSet::new();
    let mut order = Vec::new();
    let mut scratch = Scratch::default();
    let mut rest = lines.unwrap_or(usize::MAX);
    while let Some(piece) = cutter.next_by_records(SAMPLE, super::BATCH_BYTES)? {
        let text = String::from_utf8_lossy(&piece.bytes);
        for line in text.split('\n').filter(|l| !l.trim().is_empty()) {
            rest = rest.saturating_sub(1);
            // What is wrong with a line is told when its rows are read.
            let _ = object(line, &mut scratch, |key, _| {
                if order.len() <= options.most_columns && !keys.contains(key) {
                    keys.insert(key.to_owned());
                    order.push(key.to_owned());
                }
                Ok(())
            });
        }
        options.check_width(input.name(), order.len())?;
        if rest == 0 {
            break;
        }
        cutter.compact();
    }
    Ok(order)
}

struct Shape {
    inputs: Vec<Input>,
    /// Positions of the expected columns.
    expected: HashMap<String, usize>,
    /// Positions of the columns to keep; one may be there twice.
    keep: HashMap<String, Vec<usize>>,
    request: StreamRequest,
    rules: Rules,
}

struct JsonBatches {
    shape: Shape,
    choice: Choice,
    next: usize,
    cutter: Option<Cutter>,
    /// Lines of the file before the next batch.
    lines: u64,
}

impl Batched for JsonBatches {
    type Raw = (TextPiece, u64);
    type Shape = Shape;

    fn read(&mut self) -> Result<Option<(TextPiece, u64)>> {
        loop {
            if let Some(cutter) = &mut self.cutter {
                cutter.compact();
                if let Some(piece) =
                    cutter.next_by_records(self.shape.request.batch_size, self.shape.request.batch_bytes)?
                {
                    let before = self.lines;
                    self.lines += memchr::memchr_iter(b'\n', &piece.bytes).count() as u64;
                    return Ok(Some((piece, before)));
                }
                self.cutter = None;
            }
            let Some(input) = self.shape.inputs.get(self.next) else { return Ok(None) };
            let source = TextSource::open(input, self.choice)?;
            self.cutter = Some(Cutter::new(source, LINES, (self.next, input.name())));
            self.next += 1;
            self.lines = 0;
        }
    }

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn parse(shape: &Shape, (piece, lines_before): (TextPiece, u64)) -> Result<Option<StreamBlock>> {
        let name = shape.inputs[piece.file].name();
        let text = match checked(&piece.bytes, false) {
            Ok(text) => text,
            Err(at) => {
                let error = crate::csv::open::not_utf8(name, &piece.bytes, at);
                return Err(error.shift_lines(lines_before));
            }
        };
        let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count() + 1;
        let mut slots = Slots::new(&shape.request, shape.request.batch_size.min(lines));
        let mut scratch = Scratch::default();
        let (mut places, mut ranges) = (Vec::new(), Vec::new());
        let mut start = 0;
        for (number, line) in text.split('\n').enumerate() {
            let range = start..start + line.len();
            start += line.len() + 1;
            if line.trim().is_empty() {
                continue;
            }
            let row = places.len();
            let outcome = object(line, &mut scratch, |key, value| shape.take(key, value, row, &mut slots));
            if let Err(problem) = outcome {
                // The values that were read before the problem are not to be trusted.
                let message = format!("not a flat JSON object: {} (character {})", problem.message, problem.at + 1);
                slots.bad.push(BadRow { row, column: None, found: crate::error::shown(line), message });
            }
            slots.fill(row + 1);
            places.push(RowPlace { file: piece.file, position: Position::Line(lines_before + number as u64 + 1) });
            ranges.push(range);
        }
        if places.is_empty() {
            return Ok(None);
        }
        let text = String::from_utf8(piece.bytes)
            .map_err(|_| Error::unreadable(Place::file(name), "the text is not UTF-8"))?;
        super::block(slots, places, Raw::Text { text, ranges }).map(Some)
    }
}

impl Shape {
    fn take(&self, key: &str, value: JsonValue<'_>, row: usize, slots: &mut Slots) -> Result<(), String> {
        let twice = || format!("the key `{key}` occurs twice in one object");
        if let Some(&position) = self.expected.get(key) {
            let slot = &mut slots.expected[position];
            if slot.len() > row {
                return Err(twice());
            }
            slot.target().push_json(value, &self.rules, &mut slots.bad);
        }
        for &position in self.keep.get(key).into_iter().flatten() {
            let slot: &mut Slot = &mut slots.keep[position];
            if slot.len() > row {
                return Err(twice());
            }
            match text_of(value) {
                Some(text) => slot.target().push_exact(text),
                None => slot.target().push_missing(),
            }
        }
        Ok(())
    }
}

/// The text that a value stands for, as a cell of a CSV would have it; nothing for `null`.
pub(super) fn text_of(value: JsonValue<'_>) -> Option<&str> {
    match value {
        JsonValue::Null => None,
        JsonValue::String(text) | JsonValue::Number(text) => Some(text),
        JsonValue::Boolean(true) => Some("true"),
        JsonValue::Boolean(false) => Some("false"),
    }
}
