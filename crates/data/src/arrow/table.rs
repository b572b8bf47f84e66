//! Parquet and Arrow IPC files as pieces of typed columns.

use arrow_array::RecordBatch;

use crate::error::{Place, Position, shown};
use crate::part::{Mode, Rules};
use crate::passes::{Columns, Modes, Parsed, Parser, Pieces, Wanted};
use crate::{Error, Format, Input, ReadOptions, Result};

use super::convert;
use super::open::{self, Batches};

/// Rows that are read at a time.
const ROWS: usize = 1 << 16;

/// Files of the same columns, to be read into one table.
#[derive(Debug)]
pub(crate) struct ArrowParser<'a> {
    inputs: &'a [Input],
    format: Format,
    rules: &'a Rules,
    names: Vec<String>,
    files: Vec<File>,
}

/// The columns of a file that are read.
#[derive(Debug)]
struct File {
    /// Positions in the file, ascending.
    columns: Vec<usize>,
    /// The position in the table of each.
    positions: Vec<usize>,
}

/// Some rows of a file.
#[derive(Debug)]
pub(crate) struct BatchPiece {
    file: usize,
    batch: RecordBatch,
}

impl<'a> ArrowParser<'a> {
    /// Puts files together by the names of their columns.
    ///
    /// # Errors
    /// If a file is damaged, lacks a column of the first or has one more, or if a column that is wanted is nested.
    pub(crate) fn new(inputs: &'a [Input], format: Format, options: &ReadOptions, rules: &'a Rules) -> Result<Self> {
        let wanted = Wanted::new(options);
        let mut names: Vec<String> = Vec::new();
        let mut files = Vec::new();
        for (index, input) in inputs.iter().enumerate() {
            let schema = open::schema(input, format, options)?;
            options.check_width(input.name(), schema.fields().len())?;
            let own: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
            crate::csv::open::refuse_twins(input.name(), &own)?;
            if index == 0 {
                names.clone_from(&own);
            }
            let missing: Vec<String> = names.iter().filter(|n| !own.contains(n)).cloned().collect();
            if !missing.is_empty() {
                let available = tabwright_core::suggest::shorten(own.iter().map(String::as_str));
                return Err(Error::MissingColumns { file: input.name().to_owned(), names: missing, available });
            }
            let mut file = File { columns: Vec::new(), positions: Vec::new() };
            for (column, field) in schema.fields().iter().enumerate() {
                let Some(position) = names.iter().position(|n| n == field.name()) else {
                    let message = format!(
                        "the column is not in {}; files that are read together must have the same columns",
                        inputs[0].name()
                    );
                    return Err(Error::unreadable(Place::file(input.name()).in_column(shown(field.name())), message));
                };
                if wanted.mode(field.name()) != Mode::Skip {
                    open::check_type(input, field.name(), field.data_type())?;
                    file.columns.push(column);
                    file.positions.push(position);
                }
            }
            files.push(file);
        }
        Ok(ArrowParser { inputs, format, rules, names, files })
    }

    /// The columns, in the order of the first file.
    pub(crate) fn names(&self) -> Vec<String> {
        self.names.clone()
    }
}

impl Parser for ArrowParser<'_> {
    type Piece = BatchPiece;

    fn inputs(&self) -> &[Input] {
        self.inputs
    }

    fn open(&self) -> Result<Box<dyn Pieces<Piece = BatchPiece> + '_>> {
        Ok(Box::new(ArrowPieces { parser: self, next: 0, batches: None, before: 0 }))
    }

    fn file_of(&self, piece: &BatchPiece) -> usize {
        piece.file
    }

    fn parse(&self, piece: &BatchPiece, modes: &Modes) -> Result<Parsed> {
        let rows = piece.batch.num_rows();
        let mut columns = (0..self.names.len()).map(|_| None).collect::<Vec<_>>();
        for (array, &position) in piece.batch.columns().iter().zip(&self.files[piece.file].positions) {
            let part = convert::part(array, modes.by_position[position], self.rules).map_err(|message| {
                let place = Place::file(self.inputs[piece.file].name()).in_column(&self.names[position]);
                Error::unreadable(place, message)
            })?;
            columns[position] = Some(part);
        }
        Ok(Parsed { rows, lines: rows as u64, columns: Columns::Fixed(columns), short_rows: None })
    }

    fn position_of(&self, _: &BatchPiece, row: usize) -> Position {
        Position::Row(row as u64 + 1)
    }
}

/// The batches of all files, in order.
#[derive(Debug)]
struct ArrowPieces<'a> {
    parser: &'a ArrowParser<'a>,
    next: usize,
    batches: Option<Batches>,
    /// Bytes on disk of the files that are done.
    before: u64,
}

impl Pieces for ArrowPieces<'_> {
    type Piece = BatchPiece;

    fn next(&mut self) -> Result<Option<BatchPiece>> {
        loop {
            if let Some(batches) = &mut self.batches {
                if let Some(batch) = batches.next()? {
                    return Ok(Some(BatchPiece { file: self.next - 1, batch }));
                }
                self.before += self.parser.inputs[self.next - 1].size();
                self.batches = None;
            }
            let Some(input) = self.parser.inputs.get(self.next) else { return Ok(None) };
            let columns = &self.parser.files[self.next].columns;
            self.batches = Some(Batches::open(input, self.parser.format, columns, ROWS)?);
            self.next += 1;
        }
    }

    fn taken(&self) -> u64 {
        self.before
    }
}
