//! CSV files as pieces of typed columns.

use std::ops::Range;

use crate::decode::TextSource;
use crate::error::{Place, Position, shown};
use crate::part::{Builder, Mode, Part, Rules};
use crate::passes::{Columns, Modes, Parsed, Parser, Pieces};
use crate::{Error, Input, Result};

use super::cut::{Cutter, TextPiece};
use super::open::{CsvFile, checked};
use super::walk::{Visit, line_of, walk};

/// Bytes of a piece. Large enough that a dictionary per piece pays, small enough that the pieces in the air are few MB.
const PIECE: usize = 1 << 20;

/// Records that a piece should hold at least, so that very wide tables do not fall into slivers.
const RECORDS: usize = 64;

/// CSV files of the same columns, to be read into one table.
#[derive(Debug)]
pub(crate) struct CsvParser<'a> {
    inputs: Vec<Input>,
    files: Vec<CsvFile>,
    /// For each file, the position in the table of each of its columns.
    positions: Vec<Vec<usize>>,
    n_columns: usize,
    rules: &'a Rules,
    piece: usize,
}

impl<'a> CsvParser<'a> {
    /// Puts files together by the names of their columns.
    ///
    /// # Errors
    /// If a file lacks a column of the first, or has one more.
    pub(crate) fn new(files: Vec<CsvFile>, rules: &'a Rules) -> Result<Self> {
        let names = files[0].names.clone();
        let positions = files.iter().map(|file| positions(&files[0], file)).collect::<Result<_>>()?;
        let inputs = files.iter().map(|f| f.input.clone()).collect();
        // A cell has about six bytes; a piece of a very wide table should still hold some records.
        let piece = PIECE.max(names.len() * 8 * RECORDS).min(16 * PIECE);
        Ok(CsvParser { inputs, files, positions, n_columns: names.len(), rules, piece })
    }

    /// Cuts the files into pieces of another size.
    #[cfg(test)]
    pub(crate) fn with_piece(mut self, bytes: usize) -> Self {
        self.piece = bytes;
        self
    }

    fn visit(&self, piece: &TextPiece, text: &str, modes: &[Mode]) -> Rows<'_> {
        let file = &self.files[piece.file];
        let width = file.names.len();
        // A guess from the number of lines; rows that are short of it cost a little memory for a moment.
        let capacity = memchr::memchr_iter(file.dialect.newline, text.as_bytes()).count() + 1;
        let builders = self.positions[piece.file].iter().map(|&p| Builder::new(modes[p], capacity)).collect();
        let skip_first = piece.is_first && file.header;
        let mut rows =
            Rows { builders, rules: self.rules, width, skip_first, extra: false, trouble: None, short: None };
        walk(text, file.dialect, &mut rows);
        rows
    }

    fn too_many(&self, piece: &TextPiece, text: &str, start: usize, cells: usize) -> Error {
        let file = &self.files[piece.file];
        let message = format!(
            "{cells} cells where {} has {} columns; quote cells that hold the delimiter `{}`, or choose another --delimiter",
            if file.header { "the header" } else { "the first line" },
            file.names.len(),
            (file.dialect.delimiter as char).escape_default()
        );
        Error::unreadable(Place::line(file.input.name(), line_of(text, start, file.dialect)), message)
    }
}

/// The text of a piece.
///
/// # Errors
/// For bytes that are not UTF-8; lines are counted within the piece.
pub(crate) fn checked_text<'p>(file: &CsvFile, piece: &'p TextPiece) -> Result<&'p str> {
    checked(&piece.bytes, false).map_err(|at| {
        let line = 1 + memchr::memchr_iter(file.dialect.newline, &piece.bytes[..at]).count() as u64;
        let place = Place::line(file.input.name(), line);
        Error::Encoding { place, offset: piece.offset + at as u64, encoding: "UTF-8".into() }
    })
}

/// The first thing in the text of a piece that no CSV may have, a NUL byte or a quote that is never closed: its position
/// and the error, with the line counted within the piece.
pub(crate) fn flaw(file: &CsvFile, piece: &TextPiece, text: &str) -> Option<(usize, Error)> {
    let nul = memchr::memchr(0, text.as_bytes());
    let (at, message) = match (nul, piece.unclosed) {
        (None, None) => return None,
        (Some(at), open) if open.is_none_or(|open| at < open) => {
            let message = "a NUL byte; the file is not text, is damaged, or is in another encoding (see --encoding)";
            (at, message.to_owned())
        }
        (_, open) => {
            let quote = file.dialect.quote as char;
            let advice = "close it, or choose another --quote";
            (open.unwrap_or(0), format!("the quote `{quote}` that opens here is never closed; {advice}"))
        }
    };
    let place = Place::line(file.input.name(), line_of(text, at, file.dialect));
    Some((at, Error::unreadable(place, message)))
}

/// The position of each column of a file among those of the first file.
fn positions(first: &CsvFile, file: &CsvFile) -> Result<Vec<usize>> {
    let name = file.input.name();
    let missing: Vec<String> = {
        let own: std::collections::HashSet<&str> = file.names.iter().map(String::as_str).collect();
        first.names.iter().filter(|name| !own.contains(name.as_str())).cloned().collect()
    };
    if !missing.is_empty() {
        let available = tabwright_core::suggest::shorten(file.names.iter().map(String::as_str));
        return Err(Error::MissingColumns { file: name.to_owned(), names: missing, available });
    }
    let by_name: std::collections::HashMap<&str, usize> =
        first.names.iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
    let position = |column: &String| {
        by_name.get(column.as_str()).copied().ok_or_else(|| {
            let message = format!(
                "the column is not in {}; files that are read together must have the same columns",
                first.input.name()
            );
            Error::unreadable(Place::file(name).in_column(shown(column)), message)
        })
    };
    file.names.iter().map(position).collect()
}

impl Parser for CsvParser<'_> {
    type Piece = TextPiece;

    fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    fn open(&self) -> Result<Box<dyn Pieces<Piece = TextPiece> + '_>> {
        Ok(Box::new(CsvPieces { files: &self.files, next: 0, cutter: None, before: 0, piece: self.piece }))
    }

    fn file_of(&self, piece: &TextPiece) -> usize {
        piece.file
    }

    fn parse(&self, piece: &TextPiece, modes: &Modes) -> Result<Parsed> {
        let text = checked_text(&self.files[piece.file], piece)?;
        let dialect = self.files[piece.file].dialect;
        let mut modes = modes.by_position.clone();
        let rows = self.visit(piece, text, &modes);
        // Whatever comes first is told, so that the error does not depend on where the pieces end.
        match (rows.trouble, flaw(&self.files[piece.file], piece, text)) {
            (Some((start, cells)), flaw) if flaw.as_ref().is_none_or(|(at, _)| start < *at) => {
                return Err(self.too_many(piece, text, start, cells));
            }
            (_, Some((_, error))) => return Err(error),
            _ => {}
        }
        let short_rows = rows.short.map(|(count, start)| (count, line_of(text, start, dialect)));
        let mut columns: Vec<Option<Part>> = (0..self.n_columns).map(|_| None).collect();
        let mut n_rows = 0;
        let mut broken = false;
        for (builder, &position) in rows.builders.into_iter().zip(&self.positions[piece.file]) {
            if builder.is_broken() {
                broken = true;
            } else {
                n_rows = builder.len();
                modes[position] = Mode::Skip;
                columns[position] = Some(builder.finish());
            }
        }
        if broken {
            // Only the columns that do not agree with themselves are read again, as text.
            modes.iter_mut().filter(|m| **m == Mode::Infer).for_each(|m| *m = Mode::Text);
            let again = self.visit(piece, text, &modes);
            for (builder, &position) in again.builders.into_iter().zip(&self.positions[piece.file]) {
                if columns[position].is_none() {
                    n_rows = builder.len();
                    columns[position] = Some(builder.finish());
                }
            }
        }
        let lines = memchr::memchr_iter(dialect.newline, text.as_bytes()).count() as u64;
        Ok(Parsed { rows: n_rows, lines, columns: Columns::Fixed(columns), short_rows })
    }

    fn position_of(&self, piece: &TextPiece, row: usize) -> Position {
        let Ok(text) = std::str::from_utf8(&piece.bytes) else { return Position::Line(1) };
        let file = &self.files[piece.file];
        let skip = usize::from(piece.is_first && file.header);
        let mut find = Find { left: row + skip, start: 0 };
        walk(text, file.dialect, &mut find);
        Position::Line(line_of(text, find.start, file.dialect))
    }
}

/// Makes rows of typed columns.
#[derive(Debug)]
struct Rows<'a> {
    builders: Vec<Builder>,
    rules: &'a Rules,
    width: usize,
    /// The next record is the header.
    skip_first: bool,
    /// The record has a cell with content beyond the last column.
    extra: bool,
    /// Start and number of cells of a record with too many cells.
    trouble: Option<(usize, usize)>,
    /// Records with too few cells, and the start of the first.
    short: Option<(u64, usize)>,
}

impl Visit for Rows<'_> {
    #[inline]
    fn cell(&mut self, column: usize, text: &str, _: bool) {
        if self.skip_first {
            return;
        }
        match self.builders.get_mut(column) {
            Some(builder) => builder.push(text, self.rules),
            None => self.extra |= !text.trim().is_empty(),
        }
    }

    fn record(&mut self, cells: usize, range: Range<usize>) -> bool {
        if std::mem::take(&mut self.skip_first) {
            return true;
        }
        if self.extra {
            self.trouble = Some((range.start, cells));
            return false;
        }
        if cells < self.width {
            self.builders[cells..].iter_mut().for_each(Builder::push_missing);
            self.short.get_or_insert((0, range.start)).0 += 1;
        }
        true
    }
}

/// Finds the start of a record.
#[derive(Debug)]
struct Find {
    left: usize,
    start: usize,
}

impl Visit for Find {
    fn cell(&mut self, _: usize, _: &str, _: bool) {}

    fn record(&mut self, _: usize, range: Range<usize>) -> bool {
        self.start = range.start;
        self.left = self.left.wrapping_sub(1);
        self.left != usize::MAX
    }
}

/// The pieces of all files, in order.
#[derive(Debug)]
struct CsvPieces<'a> {
    files: &'a [CsvFile],
    next: usize,
    cutter: Option<Cutter>,
    /// Bytes on disk of the files that are done.
    before: u64,
    piece: usize,
}

impl Pieces for CsvPieces<'_> {
    type Piece = TextPiece;

    fn next(&mut self) -> Result<Option<TextPiece>> {
        loop {
            if let Some(cutter) = &mut self.cutter {
                if let Some(piece) = cutter.next_by_size(self.piece)? {
                    return Ok(Some(piece));
                }
                self.before += self.files[self.next - 1].input.size();
                self.cutter = None;
            }
            let Some(file) = self.files.get(self.next) else { return Ok(None) };
            let source = TextSource::open(&file.input, file.choice)?;
            self.cutter = Some(Cutter::new(source, file.dialect, (self.next, file.input.name())));
            self.next += 1;
        }
    }

    fn taken(&self) -> u64 {
        self.before + self.cutter.as_ref().map_or(0, Cutter::taken)
    }
}
