//! CSV files as a stream of blocks.

use std::collections::HashSet;
use std::ops::Range;

use crate::csv::cut::{Cutter, TextPiece};
use crate::csv::open::{CsvFile, checked};
use crate::csv::table::{checked_text, flaw};
use crate::csv::walk::{Visit, line_of, walk};
use crate::decode::{Choice, TextSource};
use crate::error::{Place, Position};
use crate::part::Rules;
use crate::read::{fallback_warning, rules};
use crate::{Error, Input, ReadOptions, Result};

use super::slot::{Route, Slots};
use super::{BadRow, Batched, Opened, Raw, RowPlace, StreamBlock, StreamRequest, Waves, check_columns, extra_columns};

/// Bytes that are looked through at a time.
const CHUNK: usize = 1 << 20;

pub(super) fn open(inputs: &[Input], request: &StreamRequest, options: &ReadOptions) -> Result<Opened> {
    let rules = rules(options)?;
    let mut files = Vec::new();
    for input in inputs {
        let file = open_file(input, request, options)?;
        check_columns(input.name(), &file.names, request)?;
        files.push(file);
    }
    let first = &files[0];
    let header = if first.header { Some(header_text(first)?) } else { None };
    let extra = extra_columns(&first.names, request);
    let warnings = files.iter().filter(|f| f.fell_back).map(fallback_warning).collect();
    let routes = files.iter().map(|f| Route::new(f.names.iter().map(String::as_str), request)).collect();
    let keep = request.keep.iter().map(|name| (name.clone(), tabwright_core::Kind::Text)).collect();
    let shape = Shape { files, routes, request: request.clone(), rules };
    let source = CsvBatches { shape, next: 0, cutter: None, lines: 0 };
    Ok(Opened { blocks: Box::new(Waves::new(source)), header, keep, extra, warnings })
}

/// Looks at the beginning of a file. The expected names tell a header from data better than any guess.
fn open_file(input: &Input, request: &StreamRequest, options: &ReadOptions) -> Result<CsvFile> {
    let asked = Choice::named(options.encoding.as_deref())?;
    let choice = match asked {
        Choice::Detect if !is_utf8(input)? => Some(Choice::fallback()),
        _ => None,
    };
    let open = |header| CsvFile::open(input, &ReadOptions { header, ..options.clone() }, choice);
    let file = open(options.header)?;
    if options.header.is_some() {
        return Ok(file);
    }
    let known = |file: &CsvFile| {
        let names: HashSet<&str> = file.names.iter().map(String::as_str).collect();
        let needed = request.expected.iter().map(|(name, _)| name).chain(&request.keep);
        needed.filter(|name| names.contains(name.as_str())).count()
    };
    match open(Some(!file.header)) {
        Ok(other) if known(&other) > known(&file) => Ok(other),
        _ => Ok(file),
    }
}

/// Whether the whole content is UTF-8, or is in an encoding that its beginning names.
fn is_utf8(input: &Input) -> Result<bool> {
    let mut source = TextSource::open(input, Choice::Detect)?;
    if source.encoding() != encoding_rs::UTF_8.name() {
        return Ok(true);
    }
    let mut bytes = Vec::with_capacity(CHUNK);
    loop {
        let more = source.fill(&mut bytes, CHUNK)?;
        match checked(&bytes, more) {
            Err(_) => return Ok(false),
            Ok(text) => {
                let read = text.len();
                bytes.drain(..read);
            }
        }
        if !more {
            return Ok(true);
        }
    }
}

/// The record that names the columns, as it stands in the file.
fn header_text(file: &CsvFile) -> Result<String> {
    let source = TextSource::open(&file.input, file.choice)?;
    let piece = Cutter::new(source, file.dialect, (0, file.input.name())).next_by_records(1, usize::MAX)?;
    let bytes = piece.map(|p| p.bytes).unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).trim_matches(['\r', '\n']).to_owned())
}

struct Shape {
    files: Vec<CsvFile>,
    routes: Vec<Route>,
    request: StreamRequest,
    rules: Rules,
}

struct CsvBatches {
    shape: Shape,
    next: usize,
    cutter: Option<Cutter>,
    /// Lines of the file before the next batch.
    lines: u64,
}

impl Batched for CsvBatches {
    type Raw = (TextPiece, u64);
    type Shape = Shape;

    fn read(&mut self) -> Result<Option<(TextPiece, u64)>> {
        loop {
            if let Some(cutter) = &mut self.cutter {
                cutter.compact();
                let file = &self.shape.files[self.next - 1];
                let header = usize::from(file.header && self.lines == 0);
                let records = self.shape.request.batch_size.saturating_add(header);
                if let Some(piece) = cutter.next_by_records(records, self.shape.request.batch_bytes)? {
                    let before = self.lines;
                    self.lines += memchr::memchr_iter(file.dialect.newline, &piece.bytes).count() as u64;
                    return Ok(Some((piece, before)));
                }
                self.cutter = None;
            }
            let Some(file) = self.shape.files.get(self.next) else { return Ok(None) };
            let source = TextSource::open(&file.input, file.choice)?;
            self.cutter = Some(Cutter::new(source, file.dialect, (self.next, file.input.name())));
            self.next += 1;
            self.lines = 0;
        }
    }

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn parse(shape: &Shape, (piece, lines_before): (TextPiece, u64)) -> Result<Option<StreamBlock>> {
        let file = &shape.files[piece.file];
        let text = checked_text(file, &piece).map_err(|e| e.shift_lines(lines_before))?;
        if let Some((_, error)) = flaw(file, &piece, text) {
            return Err(error.shift_lines(lines_before));
        }
        let records = memchr::memchr_iter(file.dialect.newline, text.as_bytes()).count() + 1;
        let mut rows = Rows {
            slots: Slots::new(&shape.request, shape.request.batch_size.min(records)),
            route: &shape.routes[piece.file],
            rules: &shape.rules,
            width: file.names.len(),
            skip_first: piece.is_first && file.header,
            n_rows: 0,
            extra: None,
            ranges: Vec::new(),
        };
        walk(text, file.dialect, &mut rows);
        let Rows { slots, n_rows, ranges, .. } = rows;
        if n_rows == 0 {
            return Ok(None);
        }
        let mut line = lines_before + 1;
        let mut at = 0;
        let mut places = Vec::with_capacity(n_rows);
        for range in &ranges {
            line += line_of(&text[at..], range.start - at, file.dialect) - 1;
            at = range.start;
            places.push(RowPlace { file: piece.file, position: Position::Line(line) });
        }
        let text = String::from_utf8(piece.bytes)
            .map_err(|_| Error::unreadable(Place::file(file.input.name()), "the text is not UTF-8"))?;
        super::block(slots, places, Raw::Text { text, ranges }).map(Some)
    }
}

struct Rows<'a> {
    slots: Slots,
    route: &'a Route,
    rules: &'a Rules,
    width: usize,
    skip_first: bool,
    n_rows: usize,
    /// The first cell with content beyond the last column.
    extra: Option<String>,
    ranges: Vec<Range<usize>>,
}

impl Visit for Rows<'_> {
    fn cell(&mut self, column: usize, text: &str, _: bool) {
        if self.skip_first {
            return;
        }
        if column >= self.width {
            if !text.trim().is_empty() && self.extra.is_none() {
                self.extra = Some(crate::error::shown(text));
            }
            return;
        }
        if let Some(position) = self.route.expected[column] {
            self.slots.expected[position].target().push(text, self.rules, &mut self.slots.bad);
        }
        for &position in &self.route.keep[column] {
            self.slots.keep[position].target().push_exact(text);
        }
    }

    fn record(&mut self, cells: usize, range: Range<usize>) -> bool {
        if std::mem::take(&mut self.skip_first) {
            return true;
        }
        if let Some(found) = self.extra.take() {
            let message = format!("beyond the last column: {cells} cells where there are {} columns", self.width);
            self.slots.bad.push(BadRow { row: self.n_rows, column: None, found, message });
        }
        self.n_rows += 1;
        self.slots.fill(self.n_rows);
        self.ranges.push(range);
        true
    }
}
