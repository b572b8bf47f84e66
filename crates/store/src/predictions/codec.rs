//! Entries and labels as bytes: numbers in little endian, columns one after another, each with a tag that says how it is packed.

use std::ops::Range;

use tabwright_core::block::{Category, LevelsBuilder, MISSING_CODE, MISSING_INTEGER, integer_to_number};
use tabwright_core::{Column, Kind};

use super::entry::to_whole;

/// All values are missing.
const MISSING: u8 = 0;
/// Eight bytes a value.
const FLOAT: u8 = 1;
/// Eight bytes a value.
const WHOLE: u8 = 2;
/// Small numbers: the difference to the one before, in as few bytes as it needs.
const STEPS: u8 = 3;
/// Levels, and a code for each row.
const TEXT: u8 = 4;

/// Appends a number in as few bytes as it needs.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends texts without packing them.
pub(super) fn put_distinct(out: &mut Vec<u8>, texts: &[&str]) {
    texts.iter().for_each(|text| put_text(out, text));
}

/// Appends whole numbers that are near each other.
pub(super) fn put_steps(out: &mut Vec<u8>, values: impl Iterator<Item = i64>) {
    out.push(STEPS);
    let mut before = 0_i64;
    for value in values {
        let step = value.wrapping_sub(before);
        put_number(out, ((step << 1) ^ (step >> 63)) as u64);
        before = value;
    }
}

/// Appends a column whose values are not known.
pub(super) fn put_missing(out: &mut Vec<u8>) {
    out.push(MISSING);
}

/// Appends floats, bit by bit.
pub(super) fn put_floats(out: &mut Vec<u8>, values: impl Iterator<Item = f64>) {
    out.push(FLOAT);
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Appends texts of which many are equal; empty ones are missing.
pub(super) fn put_texts<'a>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'a str>) {
    let category = Category::from_strings(texts.map(|t| (!t.is_empty()).then_some(t)));
    let rows = 0..category.codes.len();
    put_category(out, &category, rows);
}

/// Appends rows of a column in the form that its kind asks for.
pub(super) fn put_column(out: &mut Vec<u8>, column: &Column, kind: Kind, rows: Range<usize>) {
    match column {
        Column::Category(category) => put_category(out, category, rows),
        Column::Integer(values) if kind == Kind::Float => {
            put_floats(out, values[rows].iter().map(|v| integer_to_number(*v)));
        }
        Column::Integer(values) | Column::Timestamp(values) => put_whole(out, values[rows].iter().copied()),
        Column::Float(values) => {
            let values = &values[rows];
            // Whole numbers come as floats where a format or a row knows no others.
            match kind == Kind::Integer && values.iter().all(|v| to_whole(*v).is_some()) {
                true => put_whole(out, values.iter().filter_map(|v| to_whole(*v))),
                false => put_floats(out, values.iter().copied()),
            }
        }
    }
}

fn put_whole(out: &mut Vec<u8>, values: impl Iterator<Item = i64>) {
    out.push(WHOLE);
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Appends the levels that occur, then a code for each row: 0 for missing, else the place of its level from 1.
fn put_category(out: &mut Vec<u8>, category: &Category, rows: Range<usize>) {
    let codes = &category.codes[rows];
    out.push(TEXT);
    if let [code] = codes {
        // Most rows of requests come alone.
        put_number(out, u64::from(*code != MISSING_CODE));
        if *code != MISSING_CODE {
            put_text(out, category.levels.get(*code));
        }
        put_number(out, u64::from(*code != MISSING_CODE));
        return;
    }
    let mut places = vec![0_u32; category.levels.len()];
    let mut used = Vec::new();
    for code in codes.iter().filter(|c| **c != MISSING_CODE) {
        let place = &mut places[*code as usize];
        if *place == 0 {
            used.push(*code);
            *place = used.len() as u32;
        }
    }
    put_number(out, used.len() as u64);
    used.into_iter().for_each(|code| put_text(out, category.levels.get(code)));
    for code in codes {
        put_number(out, if *code == MISSING_CODE { 0 } else { u64::from(places[*code as usize]) });
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Reads bytes from their beginning; nothing where they are not what was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.bytes(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// How many things follow that take a byte each at least.
    pub(super) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.count()?;
        std::str::from_utf8(self.bytes(length)?).ok()
    }
}

/// Values of a column that come in piece by piece.
#[derive(Debug)]
pub(super) struct ColumnBuilder {
    kind: Kind,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Float(Vec<f64>),
    Whole(Vec<i64>),
    Text { codes: Vec<u32>, levels: LevelsBuilder },
}

impl ColumnBuilder {
    pub(super) fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Float => Values::Float(Vec::new()),
            Kind::Integer | Kind::Timestamp => Values::Whole(Vec::new()),
            Kind::Boolean | Kind::Categorical | Kind::Text => {
                Values::Text { codes: Vec::new(), levels: LevelsBuilder::default() }
            }
        };
        ColumnBuilder { kind, values }
    }

    pub(super) fn push_text(&mut self, text: Option<&str>) {
        if let Values::Text { codes, levels } = &mut self.values {
            codes.push(text.map_or(MISSING_CODE, |text| levels.intern(text)));
        }
    }

    /// Appends rows of a column of the same kind.
    pub(super) fn push_rows(&mut self, column: &Column, rows: &[u32]) {
        if matches!(column, Column::Float(_)) {
            self.make_float();
        }
        let rows = rows.iter().map(|r| *r as usize);
        match (&mut self.values, column) {
            (Values::Float(own), column) => own.extend(rows.map(|r| column.number(r))),
            (Values::Whole(own), Column::Integer(v) | Column::Timestamp(v)) => own.extend(rows.map(|r| v[r])),
            (Values::Text { codes, levels }, Column::Category(c)) => {
                codes.extend(rows.map(|r| c.get(r).map_or(MISSING_CODE, |text| levels.intern(text))));
            }
            (own, column) => unreachable!("invariant: a column has the type of its kind: {own:?}, {column:?}"),
        }
    }

    /// Reads `n` values; nothing if they are not of this kind.
    pub(super) fn read(&mut self, from: &mut Cursor<'_>, n: usize) -> Option<()> {
        let tag = from.bytes(1)?[0];
        if tag == FLOAT {
            self.make_float();
        }
        match (tag, &mut self.values) {
            (MISSING, Values::Float(own)) => own.extend(std::iter::repeat_n(f64::NAN, n)),
            (MISSING, Values::Whole(own)) => own.extend(std::iter::repeat_n(MISSING_INTEGER, n)),
            (MISSING, Values::Text { codes, .. }) => codes.extend(std::iter::repeat_n(MISSING_CODE, n)),
            (FLOAT, Values::Float(own)) => own.extend(eights(from, n)?.map(f64::from_le_bytes)),
            (WHOLE, Values::Whole(own)) => own.extend(eights(from, n)?.map(i64::from_le_bytes)),
            (WHOLE, Values::Float(own)) => {
                own.extend(eights(from, n)?.map(|bytes| integer_to_number(i64::from_le_bytes(bytes))));
            }
            (STEPS, Values::Whole(own)) => {
                let mut value = 0_i64;
                for _ in 0..n {
                    let step = from.number()?;
                    value = value.wrapping_add((step >> 1) as i64 ^ -((step & 1) as i64));
                    own.push(value);
                }
            }
            (TEXT, Values::Text { codes, levels }) => {
                let count = from.count()?;
                let mut own = Vec::with_capacity(count + 1);
                own.push(MISSING_CODE);
                for _ in 0..count {
                    own.push(levels.intern(from.text()?));
                }
                for _ in 0..n {
                    codes.push(*own.get(usize::try_from(from.number()?).ok()?)?);
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// A fraction among whole numbers makes all of them floats.
    fn make_float(&mut self) {
        if let Values::Whole(values) = &self.values
            && self.kind == Kind::Integer
        {
            self.values = Values::Float(values.iter().map(|v| integer_to_number(*v)).collect());
        }
    }

    pub(super) fn finish(self) -> Column {
        match self.values {
            Values::Float(values) => Column::Float(values),
            Values::Whole(values) if self.kind == Kind::Timestamp => Column::Timestamp(values),
            Values::Whole(values) => Column::Integer(values),
            Values::Text { codes, levels } => Column::Category(Category { codes, levels: levels.finish().into() }),
        }
    }
}

fn eights<'a>(from: &mut Cursor<'a>, n: usize) -> Option<impl Iterator<Item = [u8; 8]> + 'a> {
    let bytes = from.bytes(n.checked_mul(8)?)?;
    Some(bytes.as_chunks::<8>().0.iter().copied())
}
