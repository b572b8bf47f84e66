//! The passes over a source that make a table: one in which every piece is read as its columns look, and, where columns
//! turn out to be strings, a second one for the pieces whose text is gone. Pieces are parsed in parallel while the
//! next ones are read and the last ones are joined.
//!
//! # Determinism
//! Pieces are cut by content and joined in order: the table does not depend on the number of threads.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use tabwright_core::{Code, Column, Context, Event, Field, Kind, Role, Schema, Table, Warning};

use crate::assemble::{Assembler, Finished};
use crate::error::{Place, Position};
use crate::notes;
use crate::part::{Mode, Part, Rules};
use crate::{Error, Input, ReadOptions, Result};

/// Pieces in the air for each thread.
const PIECES_PER_THREAD: usize = 4;

/// A source that is being read, piece by piece.
pub(crate) trait Pieces: Send {
    /// A run of rows as it lies in the source.
    type Piece: Send + Sync;

    /// The next piece.
    fn next(&mut self) -> Result<Option<Self::Piece>>;

    /// Bytes of the source taken so far.
    fn taken(&self) -> u64;
}

/// What a piece holds.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// How many rows.
    pub(crate) rows: usize,
    /// Lines of text, or rows of a binary format: what positions are counted in.
    pub(crate) lines: u64,
    /// The columns.
    pub(crate) columns: Columns,
    /// Rows with too few cells: how many, and the line (from 1, within the piece) of the first.
    pub(crate) short_rows: Option<(u64, u64)>,
}

/// The columns of a piece.
#[derive(Debug)]
pub(crate) enum Columns {
    /// By position; the columns that were asked to be skipped have no part.
    Fixed(Vec<Option<Part>>),
    /// By name, as they occur.
    Named(Vec<(String, Part)>),
}

impl Default for Columns {
    fn default() -> Self {
        Columns::Fixed(Vec::new())
    }
}

/// How the columns are read in a pass.
#[derive(Debug)]
pub(crate) struct Modes {
    /// By position, for columns that are known.
    pub(crate) by_position: Vec<Mode>,
    /// Positions by name, for sources whose columns turn up as they go.
    pub(crate) positions: Option<HashMap<String, usize>>,
    /// For columns that are not known yet; `None` skips them.
    pub(crate) wanted: Option<Arc<Wanted>>,
}

impl Modes {
    /// The mode of a named column.
    pub(crate) fn of_name(&self, name: &str) -> Mode {
        let known = self.positions.as_ref().and_then(|p| p.get(name)).map(|&p| self.by_position[p]);
        known.or_else(|| self.wanted.as_ref().map(|w| w.mode(name))).unwrap_or(Mode::Skip)
    }
}

/// Which columns a caller wants, and as what.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    types: std::collections::BTreeMap<String, Kind>,
    drop: std::collections::HashSet<String>,
    only: Option<std::collections::HashSet<String>>,
}

impl Wanted {
    /// Takes what the options say.
    pub(crate) fn new(options: &ReadOptions) -> Self {
        Wanted {
            types: options.types.clone(),
            drop: options.drop.iter().cloned().collect(),
            only: options.columns.as_ref().map(|c| c.iter().cloned().collect()),
        }
    }

    /// How a column begins.
    pub(crate) fn mode(&self, name: &str) -> Mode {
        if self.drop.contains(name) || self.only.as_ref().is_some_and(|only| !only.contains(name)) {
            return Mode::Skip;
        }
        self.types.get(name).map_or(Mode::Infer, |&kind| Mode::Forced(kind))
    }
}

/// A source that can be read again and again.
pub(crate) trait Parser: Sync {
    /// A run of rows as it lies in the source.
    type Piece: Send + Sync;

    /// The files, for messages and sizes.
    fn inputs(&self) -> &[Input];

    /// Opens the source at its beginning.
    fn open(&self) -> Result<Box<dyn Pieces<Piece = Self::Piece> + '_>>;

    /// The file that a piece belongs to.
    fn file_of(&self, piece: &Self::Piece) -> usize;

    /// Reads the cells of a piece. Positions in errors are counted within the piece.
    fn parse(&self, piece: &Self::Piece, modes: &Modes) -> Result<Parsed>;

    /// The position (from 1, within the piece) of a row of a piece.
    fn position_of(&self, piece: &Self::Piece, row: usize) -> Position;
}

/// What a reading makes.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The table; of a survey, its columns without a row.
    pub(crate) table: Table,
    /// How many rows were read.
    pub(crate) rows: usize,
    /// What the user should know.
    pub(crate) warnings: Vec<Warning>,
    /// How many rows each input gave.
    pub(crate) rows_per_input: Vec<usize>,
}

/// A piece's place in the whole.
#[derive(Debug, Clone, Copy)]
struct PieceInfo {
    file: usize,
    rows_before: usize,
    rows: usize,
    lines_before: u64,
}

struct Wave<P> {
    pieces: Vec<P>,
    /// How the source ended, if it did.
    end: Option<Result<()>>,
}

/// What is to be read, and how.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// What the caller says.
    pub(crate) options: &'a ReadOptions,
    /// How cells are read.
    pub(crate) rules: &'a Rules,
    /// Whether values are kept; a survey finds the kinds alone.
    pub(crate) keeps: bool,
    /// Is told of the progress.
    pub(crate) context: Context<'a>,
}

/// Reads a source to a table, with all that is to be said about it.
pub(crate) struct Reading<'a, P: Parser> {
    parser: &'a P,
    options: &'a ReadOptions,
    rules: &'a Rules,
    keeps: bool,
    wanted: Arc<Wanted>,
    context: Context<'a>,
    columns: Vec<Assembler>,
    /// Positions by name, for sources whose columns turn up as they go.
    positions: Option<HashMap<String, usize>>,
    pieces: Vec<PieceInfo>,
    rows: usize,
    lines: u64,
    short_rows: u64,
    first_short: Option<Place>,
    reserved: bool,
}

impl<P: Parser> std::fmt::Debug for Reading<'_, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl<'a, P: Parser> Reading<'a, P> {
    /// Prepares a reading. `names`: the columns, where they are known beforehand.
    pub(crate) fn new(parser: &'a P, names: Option<&[String]>, request: &Request<'a>) -> Self {
        let Request { options, rules, keeps, context } = *request;
        let wanted = Arc::new(Wanted::new(options));
        let columns =
            names.unwrap_or_default().iter().map(|n| Assembler::new(n.clone(), wanted.mode(n), keeps)).collect();
        let positions = names.is_none().then(HashMap::new);
        Reading {
            parser,
            options,
            rules,
            keeps,
            wanted,
            context,
            columns,
            positions,
            pieces: Vec::new(),
            rows: 0,
            lines: 0,
            short_rows: 0,
            first_short: None,
            reserved: false,
        }
    }

    /// Reads everything.
    pub(crate) fn read(mut self) -> Result<Outcome> {
        let total: u64 = self.parser.inputs().iter().map(Input::size).sum();
        self.first_pass(total)?;
        if self.columns.iter().any(Assembler::is_pending) {
            self.second_pass()?;
        }
        self.finish()
    }

    fn first_pass(&mut self, total: u64) -> Result<()> {
        let parser = self.parser;
        let mut source = parser.open()?;
        let mut wave = read_wave(&mut *source);
        let mut ready: Vec<(usize, Result<Parsed>)> = Vec::new();
        loop {
            let modes = self.modes();
            let (merged, (parsed, next)) = rayon::join(
                || self.merge(ready),
                || {
                    rayon::join(
                        || {
                            let parse = |piece: &P::Piece| (parser.file_of(piece), parser.parse(piece, &modes));
                            wave.pieces.par_iter().map(parse).collect::<Vec<_>>()
                        },
                        || wave.end.is_none().then(|| read_wave(&mut *source)),
                    )
                },
            );
            merged?;
            if self.context.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let done = source.taken();
            self.context.observer.event(Event::Progress { done: done.min(total), total: Some(total) });
            ready = parsed;
            match next {
                Some(next) => wave = next,
                None => {
                    let end = wave.end.take();
                    self.merge(ready)?;
                    return end.unwrap_or(Ok(()));
                }
            }
            self.reserve(done, total);
        }
    }

    /// Once the first rows are in, the others can be guessed: columns then need not move as they grow.
    fn reserve(&mut self, done: u64, total: u64) {
        if self.reserved || self.rows == 0 || done == 0 || self.columns.len() > 1000 {
            return;
        }
        self.reserved = true;
        // `done` runs ahead of the rows by the waves in the air, so the guess is low rather than high.
        let guess = self.rows as f64 * (total as f64 / done as f64);
        if guess < 1e10 {
            for column in &mut self.columns {
                column.reserve(guess as usize);
            }
        }
    }

    fn modes(&self) -> Modes {
        Modes {
            by_position: self.columns.iter().map(Assembler::mode).collect(),
            positions: self.positions.clone(),
            wanted: Some(Arc::clone(&self.wanted)),
        }
    }

    fn merge(&mut self, ready: Vec<(usize, Result<Parsed>)>) -> Result<()> {
        let mut waiting: Vec<Vec<Part>> = self.columns.iter().map(|_| Vec::new()).collect();
        let mut failed = Ok(());
        for (file, parsed) in ready {
            if self.pieces.last().is_some_and(|p| p.file != file) {
                self.lines = 0;
            }
            let parsed = match parsed {
                Ok(parsed) => parsed,
                Err(error) => {
                    failed = Err(error.shift_lines(self.lines));
                    break;
                }
            };
            if let Some((count, line)) = parsed.short_rows {
                self.short_rows += count;
                let name = self.parser.inputs()[file].name();
                self.first_short.get_or_insert_with(|| Place::line(name, self.lines + line));
            }
            self.distribute(parsed.rows, parsed.columns, &mut waiting);
            self.pieces.push(PieceInfo { file, rows_before: self.rows, rows: parsed.rows, lines_before: self.lines });
            self.rows += parsed.rows;
            self.lines += parsed.lines;
        }
        self.columns.par_iter_mut().zip(waiting).for_each(|(column, parts)| {
            for part in parts {
                column.append(part);
            }
        });
        failed
    }

    /// Gives each column its part of a piece.
    fn distribute(&mut self, rows: usize, columns: Columns, waiting: &mut Vec<Vec<Part>>) {
        match columns {
            Columns::Fixed(parts) => {
                for (waiting, part) in waiting.iter_mut().zip(parts) {
                    waiting.push(part.unwrap_or_else(|| Part::missing(rows)));
                }
            }
            Columns::Named(parts) => {
                let positions = self.positions.get_or_insert_default();
                let pieces = self.pieces.len();
                let mut taken: Vec<Option<Part>> = waiting.iter().map(|_| None).collect();
                for (name, part) in parts {
                    let position = *positions.entry(name).or_insert_with_key(|name| {
                        // Parts of this wave that came before are waiting still: the column begins at the first piece.
                        let mode = self.wanted.mode(name);
                        self.columns.push(Assembler::new(name.clone(), mode, self.keeps));
                        let before = self.pieces.iter().map(|p| Part::missing(p.rows)).collect();
                        waiting.push(before);
                        taken.push(None);
                        debug_assert_eq!(waiting.last().map(Vec::len), Some(pieces));
                        self.columns.len() - 1
                    });
                    taken[position] = Some(part);
                }
                for (waiting, part) in waiting.iter_mut().zip(taken) {
                    waiting.push(part.unwrap_or_else(|| Part::missing(rows)));
                }
            }
        }
    }

    fn second_pass(&mut self) -> Result<()> {
        let parser = self.parser;
        let modes: Vec<Mode> =
            self.columns.iter().map(|c| if c.is_pending() { Mode::Text } else { Mode::Skip }).collect();
        let modes = Modes { by_position: modes, positions: self.positions.clone(), wanted: None };
        let mut source = parser.open()?;
        let mut done = 0;
        while done < self.pieces.len() {
            if self.context.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let wave = read_wave(&mut *source);
            let wanted: Vec<(usize, &P::Piece)> = wave.pieces.iter().enumerate().map(|(i, p)| (done + i, p)).collect();
            let parsed: Vec<Option<Parsed>> = wanted
                .par_iter()
                .map(|&(index, piece)| {
                    let needed = self.columns.iter().any(|c| c.needs(index));
                    needed.then(|| parser.parse(piece, &modes)).transpose()
                })
                .collect::<Result<_>>()?;
            let mut parts: Vec<Vec<Option<Part>>> =
                self.columns.iter().map(|_| Vec::with_capacity(parsed.len())).collect();
            for (offset, parsed) in parsed.into_iter().enumerate() {
                let rows = self.pieces.get(done + offset).map_or(0, |p| p.rows);
                let mut by_position = self.by_position(parsed);
                for (position, parts) in parts.iter_mut().enumerate() {
                    let part = by_position.get_mut(position).and_then(Option::take);
                    parts.push(Some(part.unwrap_or_else(|| Part::missing(rows))));
                }
            }
            self.columns.par_iter_mut().zip(parts).for_each(|(column, parts)| {
                for (offset, part) in parts.into_iter().enumerate() {
                    column.resume(done + offset, part);
                }
            });
            done += wave.pieces.len();
            match wave.end {
                Some(Err(error)) => return Err(error),
                Some(Ok(())) => break,
                None => {}
            }
        }
        Ok(())
    }

    fn by_position(&self, parsed: Option<Parsed>) -> Vec<Option<Part>> {
        match parsed.map(|p| p.columns) {
            None => Vec::new(),
            Some(Columns::Fixed(parts)) => parts,
            Some(Columns::Named(named)) => {
                let mut parts: Vec<Option<Part>> = self.columns.iter().map(|_| None).collect();
                for (name, part) in named {
                    if let Some(&position) = self.positions.as_ref().and_then(|p| p.get(&name)) {
                        parts[position] = Some(part);
                    }
                }
                parts
            }
        }
    }

    fn finish(mut self) -> Result<Outcome> {
        let rules = self.rules;
        let columns = std::mem::take(&mut self.columns);
        let wanted = &self.wanted;
        let finished: Vec<Finished> = columns
            .into_par_iter()
            .filter(|c| wanted.mode(&c.name) != Mode::Skip)
            .map(|column| column.finish(rules))
            .collect();
        let mut warnings = Vec::new();
        if let Some(place) = &self.first_short {
            let (rows, verb) = if self.short_rows == 1 { ("row", "has") } else { ("rows", "have") };
            let message = format!(
                "{} {rows} {verb} fewer cells than there are columns ({place}, is the first); the missing cells are taken as empty",
                self.short_rows
            );
            warnings.push(Warning::general(Code::RaggedRows, message));
        }
        let spots = self.spots(&finished)?;
        let anywhere = Place::file(self.parser.inputs()[0].name());
        for column in &finished {
            notes::say(column, |row| spots.get(&row).unwrap_or(&anywhere).clone(), &mut warnings)?;
        }
        let options = self.options;
        let role = |name: &str| options.roles.get(name).copied().unwrap_or(Role::Feature);
        let fields =
            finished.iter().map(|c| Field { name: c.name.clone(), kind: c.kind, role: role(&c.name) }).collect();
        let file = || self.parser.inputs()[0].name().to_owned();
        let schema = Schema::new(fields).map_err(|source| Error::Table { file: file(), source })?;
        let columns: Vec<Column> = finished.into_iter().map(|c| c.column).collect();
        let table = Table::new(schema, columns).map_err(|source| Error::Table { file: file(), source })?;
        let mut rows_per_input = vec![0; self.parser.inputs().len()];
        self.pieces.iter().for_each(|piece| rows_per_input[piece.file] += piece.rows);
        Ok(Outcome { table, rows: self.rows, warnings, rows_per_input })
    }

    /// Finds the places of all rows that are to be named.
    fn spots(&self, finished: &[Finished]) -> Result<HashMap<usize, Place>> {
        let rows = notes::rows(finished);
        let mut places = HashMap::new();
        let Some(&last) = rows.last() else { return Ok(places) };
        let mut source = self.parser.open()?;
        for info in self.pieces.iter().take_while(|p| p.rows_before <= last) {
            let Some(piece) = source.next()? else { break };
            let inside = info.rows_before..info.rows_before + info.rows;
            for &row in rows.iter().filter(|r| inside.contains(r)) {
                let position = match self.parser.position_of(&piece, row - info.rows_before) {
                    Position::Line(line) => Position::Line(info.lines_before + line),
                    Position::Row(row) => Position::Row(info.lines_before + row),
                };
                let file = self.parser.inputs()[info.file].name().to_owned();
                places.insert(row, Place { file, position: Some(position), column: None });
            }
        }
        Ok(places)
    }
}

fn read_wave<P: Send + Sync>(source: &mut dyn Pieces<Piece = P>) -> Wave<P> {
    let size = PIECES_PER_THREAD * rayon::current_num_threads();
    let mut pieces = Vec::with_capacity(size);
    while pieces.len() < size {
        match source.next() {
            Ok(Some(piece)) => pieces.push(piece),
            Ok(None) => return Wave { pieces, end: Some(Ok(())) },
            Err(error) => return Wave { pieces, end: Some(Err(error)) },
        }
    }
    Wave { pieces, end: None }
}
