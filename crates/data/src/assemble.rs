//! Pieces of a column to the whole column, in order. What a piece was read as is kept while all pieces agree; where they
//! do not, the column is text, and the pieces whose text is gone are asked for again.

use tabwright_core::block::{MISSING_CODE, MISSING_INTEGER};
use tabwright_core::{Category, Column, Kind};

use crate::infer::{self, Note};
use crate::part::{Mode, Part, Rules, Values, integers_to_floats};
use crate::text::{TextColumn, TextPart};

/// A column on its way.
#[derive(Debug)]
pub(crate) struct Assembler {
    /// Its name.
    pub(crate) name: String,
    mode: Mode,
    /// Whether values are kept; a survey only wants to know what they are.
    keeps: bool,
    state: State,
    rows: usize,
    pieces: usize,
    /// Whether any cell of a kind asked for has a value.
    has_value: bool,
    /// Whether a token was taken as missing: if the column turns out to be strings, it was a level.
    tokens: bool,
    infinite: Option<(usize, String)>,
    overflow: Option<(usize, String)>,
    /// The first cell that is not of the kind asked for, by row.
    refused: Option<(usize, String)>,
    /// Row and bytes of the largest cell above the limit.
    large: Option<(usize, usize)>,
}

#[derive(Debug)]
enum State {
    Missing,
    Integer(Vec<i64>),
    Float(Vec<f64>),
    Boolean(Vec<u32>),
    Timestamp(Vec<i64>),
    Text(TextColumn),
    /// Text of which some pieces are still to be read again.
    Pending {
        /// The first pieces, complete.
        prefix: TextColumn,
        prefix_pieces: usize,
        /// The pieces after them; `None` where the text is gone.
        rest: Vec<Option<TextPart>>,
    },
}

/// A column that is complete, with what is to be said about it.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its name.
    pub(crate) name: String,
    /// What the values mean.
    pub(crate) kind: Kind,
    /// The values.
    pub(crate) column: Column,
    /// What is to be said.
    pub(crate) notes: Vec<Note>,
    /// The first cell that is not of the kind asked for, by row.
    pub(crate) refused: Option<(usize, String)>,
    /// Row and bytes of the largest cell above the limit.
    pub(crate) large: Option<(usize, usize)>,
}

impl Assembler {
    /// Begins a column at the first piece. One that does not keep its values tells its kind, and what is to be said about it.
    pub(crate) fn new(name: String, mode: Mode, keeps: bool) -> Self {
        Assembler {
            name,
            mode,
            keeps,
            state: State::Missing,
            rows: 0,
            pieces: 0,
            has_value: false,
            tokens: false,
            infinite: None,
            overflow: None,
            refused: None,
            large: None,
        }
    }

    /// How later pieces are to be read.
    pub(crate) fn mode(&self) -> Mode {
        match (self.mode, &self.state) {
            (Mode::Infer, State::Text(_) | State::Pending { .. }) => Mode::Text,
            (mode, _) => mode,
        }
    }

    /// Appends the next piece.
    pub(crate) fn append(&mut self, part: Part) {
        let at = |spot: crate::part::Spot| (self.rows + spot.row, spot.text);
        self.infinite = self.infinite.take().or(part.facts.infinite.map(at));
        self.overflow = self.overflow.take().or(part.facts.overflow.map(at));
        self.refused = self.refused.take().or(part.facts.refused.map(at));
        if let Some((row, bytes)) = part.facts.large
            && self.large.is_none_or(|(_, most)| most < bytes)
        {
            self.large = Some((self.rows + row, bytes));
        }
        if matches!(self.mode, Mode::Forced(_)) && !self.has_value {
            self.has_value = part.values.has_value();
        }
        if self.mode != Mode::Skip {
            self.state = self.join(part.rows, part.values, part.tokens);
        }
        self.tokens |= part.tokens;
        self.rows += part.rows;
        self.pieces += 1;
    }

    fn join(&mut self, rows: usize, values: Values, tokens: bool) -> State {
        let (before, keeps) = (self.rows, self.keeps);
        match (std::mem::replace(&mut self.state, State::Missing), values) {
            (State::Missing, Values::Missing) => State::Missing,
            (State::Missing, Values::Integer(v)) => State::Integer(begun(keeps, before, MISSING_INTEGER, v)),
            (State::Missing, Values::Float(v)) => State::Float(begun(keeps, before, f64::NAN, v)),
            (State::Missing, Values::Boolean(v)) => State::Boolean(begun(keeps, before, MISSING_CODE, v)),
            (State::Missing, Values::Timestamp(v)) => State::Timestamp(begun(keeps, before, MISSING_INTEGER, v)),
            (State::Missing, Values::Text(v)) if !self.tokens => {
                let mut column = TextColumn::missing(before, keeps);
                column.append(&v);
                State::Text(column)
            }
            // What is not kept has no values to join.
            (state @ (State::Integer(_) | State::Float(_)), Values::Integer(_)) if !keeps => state,
            (State::Integer(_) | State::Float(_), Values::Float(_)) if !keeps => State::Float(Vec::new()),
            (state @ State::Boolean(_), Values::Boolean(_)) if !keeps => state,
            (state @ State::Timestamp(_), Values::Timestamp(_)) if !keeps => state,
            (
                state @ (State::Integer(_) | State::Float(_) | State::Boolean(_) | State::Timestamp(_)),
                Values::Missing,
            ) if !keeps => state,
            (State::Integer(all), Values::Integer(v)) => State::Integer(extended(all, &v)),
            (State::Float(all), Values::Float(v)) => State::Float(extended(all, &v)),
            (State::Boolean(all), Values::Boolean(v)) => State::Boolean(extended(all, &v)),
            (State::Timestamp(all), Values::Timestamp(v)) => State::Timestamp(extended(all, &v)),
            (State::Integer(all), Values::Float(v)) => {
                State::Float(extended(integers_to_floats(&all, all.capacity()), &v))
            }
            (State::Float(all), Values::Integer(v)) => State::Float(extended(all, &integers_to_floats(&v, 0))),
            (State::Integer(all), Values::Missing) => State::Integer(resized(all, before + rows, MISSING_INTEGER)),
            (State::Float(all), Values::Missing) => State::Float(resized(all, before + rows, f64::NAN)),
            (State::Boolean(all), Values::Missing) => State::Boolean(resized(all, before + rows, MISSING_CODE)),
            (State::Timestamp(all), Values::Missing) => State::Timestamp(resized(all, before + rows, MISSING_INTEGER)),
            (State::Text(mut column), Values::Text(v)) => {
                column.append(&v);
                State::Text(column)
            }
            (State::Text(mut column), Values::Missing) if !tokens => {
                column.push_missing(rows);
                State::Text(column)
            }
            (State::Text(prefix), _) => State::Pending { prefix, prefix_pieces: self.pieces, rest: vec![None] },
            (State::Pending { prefix, prefix_pieces, mut rest }, values) => {
                rest.push(self.text_of(rows, values, tokens));
                State::Pending { prefix, prefix_pieces, rest }
            }
            (_, values) => {
                let mut rest = vec![None; self.pieces];
                rest.push(self.text_of(rows, values, tokens));
                State::Pending { prefix: TextColumn::missing(0, keeps), prefix_pieces: 0, rest }
            }
        }
    }

    /// The text of a piece, if it is still known.
    fn text_of(&self, rows: usize, values: Values, tokens: bool) -> Option<TextPart> {
        match values {
            _ if !self.keeps => None,
            Values::Text(text) => Some(text),
            Values::Missing if !tokens => Some(TextPart::missing(rows)),
            _ => None,
        }
    }

    /// Makes room for so many rows in all, where the state is typed already.
    pub(crate) fn reserve(&mut self, rows: usize) {
        if !self.keeps {
            return;
        }
        let more = rows.saturating_sub(self.rows);
        match &mut self.state {
            State::Integer(v) | State::Timestamp(v) => v.reserve(more),
            State::Float(v) => v.reserve(more),
            State::Boolean(v) => v.reserve(more),
            State::Text(column) => column.reserve(rows),
            State::Missing | State::Pending { .. } => {}
        }
    }

    /// Whether the text of any piece is to be read again.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending { .. })
    }

    /// Whether the text of this piece is to be read again.
    pub(crate) fn needs(&self, piece: usize) -> bool {
        match &self.state {
            State::Pending { prefix_pieces, rest, .. } => {
                piece >= *prefix_pieces && rest.get(piece - prefix_pieces).is_some_and(Option::is_none)
            }
            _ => false,
        }
    }

    /// Second pass: takes the text of the next piece, where it was asked for.
    pub(crate) fn resume(&mut self, piece: usize, part: Option<Part>) {
        let State::Pending { prefix, prefix_pieces, rest } = &mut self.state else { return };
        if piece < *prefix_pieces {
            return;
        }
        if let Some(part) = &part
            && let Some((row, bytes)) = part.facts.large
            && self.large.is_none_or(|(_, most)| most < bytes)
        {
            self.large = Some((prefix.len() + row, bytes));
        }
        let kept = rest.get_mut(piece - *prefix_pieces).and_then(Option::take);
        match (kept, part) {
            (Some(text), _) => prefix.append(&text),
            (None, Some(Part { values: Values::Text(text), .. })) => prefix.append(&text),
            (None, other) => prefix.push_missing(other.map_or(0, |p| p.rows)),
        }
    }

    /// Ends the column: decides its kind.
    pub(crate) fn finish(self, rules: &Rules) -> Finished {
        let mut notes = Vec::new();
        let (kind, column) = match self.state {
            State::Missing => {
                notes.push(Note::AllMissing);
                (Kind::Float, Column::Float(vec![f64::NAN; if self.keeps { self.rows } else { 0 }]))
            }
            State::Integer(v) => (Kind::Integer, Column::Integer(shrunk(v))),
            State::Float(v) => (Kind::Float, Column::Float(shrunk(v))),
            State::Timestamp(v) => (Kind::Timestamp, Column::Timestamp(shrunk(v))),
            State::Boolean(v) => {
                (Kind::Boolean, Column::Category(Category { codes: shrunk(v), levels: infer::boolean_levels() }))
            }
            State::Text(mut column) | State::Pending { prefix: mut column, .. } => match self.mode {
                Mode::Forced(kind) => (kind, Column::Category(column.finish())),
                _ => {
                    let tally = column.tally();
                    let category = column.finish();
                    let (kind, found) = infer::judge(&category.levels, &tally, rules);
                    notes = found;
                    (kind, infer::convert(category, kind, rules))
                }
            },
        };
        let is_known = |note: &Note| matches!(note, Note::Infinite { .. } | Note::Overflow { .. });
        if kind.is_numeric() && !notes.iter().any(is_known) {
            notes.extend(self.overflow.map(|(row, text)| Note::Overflow { row, text }));
            notes.extend(self.infinite.map(|(row, text)| Note::Infinite { row, text }));
        }
        if matches!(self.mode, Mode::Forced(_)) && !notes.contains(&Note::AllMissing) && !self.has_value {
            notes.push(Note::AllMissing);
        }
        Finished { name: self.name, kind, column, notes, refused: self.refused, large: self.large }
    }
}

fn shrunk<T>(mut values: Vec<T>) -> Vec<T> {
    values.shrink_to_fit();
    values
}

fn begun<T: Copy>(keeps: bool, rows: usize, missing: T, values: Vec<T>) -> Vec<T> {
    if !keeps {
        return Vec::new();
    }
    if rows == 0 {
        return values;
    }
    let mut all = Vec::with_capacity(rows + values.len());
    all.resize(rows, missing);
    all.extend_from_slice(&values);
    all
}

fn extended<T: Copy>(mut all: Vec<T>, more: &[T]) -> Vec<T> {
    all.extend_from_slice(more);
    all
}

fn resized<T: Copy>(mut all: Vec<T>, rows: usize, missing: T) -> Vec<T> {
    all.resize(rows, missing);
    all
}
