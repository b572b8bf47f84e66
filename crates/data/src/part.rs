//! One column of one piece of a source: cells become typed values as long as they agree with what came before in the
//! piece. What the whole column is, is decided where the pieces meet.

use tabwright_core::Kind;
use tabwright_core::block::{MISSING_CODE, MISSING_INTEGER};

use crate::missing::{self, Everywhere, trim};
use crate::number::{self, Number};
use crate::text::TextPart;
use crate::time::{self, Zone};

/// Cells longer than this (bytes) are worth a warning.
pub(crate) const LARGE_CELL: usize = 1 << 20;

/// Codes of the levels of a boolean column.
pub(crate) const FALSE: u32 = 0;
/// See [`FALSE`].
pub(crate) const TRUE: u32 = 1;

/// How cells are read, apart from their column.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Tokens that mean "missing" everywhere.
    pub(crate) na: Everywhere,
    /// Zone of timestamps without an offset.
    pub(crate) zone: Zone,
}

/// How a column is read in this pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As typed values, while they agree.
    Infer,
    /// As exact text; the kind follows at the end.
    Text,
    /// As this kind; a cell that is none is an error.
    Forced(Kind),
    /// Not at all.
    Skip,
}

/// Where in a piece something was seen, and what.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    /// Row within the piece, from 0.
    pub(crate) row: usize,
    /// The cell.
    pub(crate) text: String,
}

/// The values of one column in one piece.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// Nothing but missing cells.
    Missing,
    /// Whole numbers.
    Integer(Vec<i64>),
    /// Numbers.
    Float(Vec<f64>),
    /// [`FALSE`], [`TRUE`] or missing.
    Boolean(Vec<u32>),
    /// Microseconds.
    Timestamp(Vec<i64>),
    /// Strings.
    Text(TextPart),
    /// The cells do not agree: they must be read again as text.
    Broken,
}

impl Values {
    /// Whether any row has a value.
    pub(crate) fn has_value(&self) -> bool {
        match self {
            Values::Missing | Values::Broken => false,
            Values::Integer(v) | Values::Timestamp(v) => v.iter().any(|x| *x != MISSING_INTEGER),
            Values::Float(v) => v.iter().any(|x| !x.is_nan()),
            Values::Boolean(v) => v.iter().any(|x| *x != MISSING_CODE),
            Values::Text(text) => text.has_value(),
        }
    }
}

/// What was seen on the way that may matter in the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// The first infinite number.
    pub(crate) infinite: Option<Spot>,
    /// The first literal beyond the range of numbers.
    pub(crate) overflow: Option<Spot>,
    /// The first cell that is not of the kind that was asked for.
    pub(crate) refused: Option<Spot>,
    /// The largest cell above [`LARGE_CELL`]: row and bytes.
    pub(crate) large: Option<(usize, usize)>,
}

/// One column of one piece.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// How many rows there are.
    pub(crate) rows: usize,
    /// Their values.
    pub(crate) values: Values,
    /// Whether a token such as `NA` was taken as missing.
    pub(crate) tokens: bool,
    /// What else was seen.
    pub(crate) facts: Facts,
}

impl Part {
    /// So many missing cells.
    pub(crate) fn missing(rows: usize) -> Self {
        Part { rows, values: Values::Missing, tokens: false, facts: Facts::default() }
    }

    /// Values that are already typed.
    pub(crate) fn typed(rows: usize, values: Values) -> Self {
        Part { rows, values, tokens: false, facts: Facts::default() }
    }
}

/// Reads the cells of one column of one piece.
#[derive(Debug)]
pub(crate) struct Builder {
    mode: Mode,
    capacity: usize,
    part: Part,
}

impl Builder {
    /// Begins a column; `capacity` is a guess at the number of rows.
    pub(crate) fn new(mode: Mode, capacity: usize) -> Self {
        let values = match mode {
            Mode::Infer | Mode::Skip => Values::Missing,
            Mode::Text | Mode::Forced(Kind::Categorical | Kind::Text) => Values::Text(TextPart::default()),
            Mode::Forced(Kind::Integer) => Values::Integer(Vec::with_capacity(capacity)),
            Mode::Forced(Kind::Float) => Values::Float(Vec::with_capacity(capacity)),
            Mode::Forced(Kind::Boolean) => Values::Boolean(Vec::with_capacity(capacity)),
            Mode::Forced(Kind::Timestamp) => Values::Timestamp(Vec::with_capacity(capacity)),
        };
        Builder { mode, capacity, part: Part { values, ..Part::missing(0) } }
    }

    /// How many rows there are so far.
    pub(crate) fn len(&self) -> usize {
        self.part.rows
    }

    /// Whether the cells must be read again as text.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.part.values, Values::Broken)
    }

    /// Ends the column.
    pub(crate) fn finish(mut self) -> Part {
        if let Values::Text(text) = &mut self.part.values {
            text.seal();
        }
        self.part
    }

    /// Appends a cell. Unquoted ones come trimmed.
    #[inline]
    pub(crate) fn push(&mut self, cell: &str, rules: &Rules) {
        match &mut self.part.values {
            Values::Integer(values) => {
                if let Some(value) = number::parse_short_integer(cell.as_bytes())
                    && !rules.na.has(cell)
                {
                    values.push(value);
                    self.part.rows += 1;
                    return;
                }
            }
            Values::Float(values) => {
                if let Some(Number::Float(value)) = number::parse(cell.as_bytes())
                    && !rules.na.has(cell)
                {
                    values.push(value);
                    self.part.rows += 1;
                    return;
                }
            }
            Values::Text(_) => return self.push_text(cell, rules),
            Values::Broken => return,
            _ => {}
        }
        self.push_slowly(cell, rules);
    }

    fn push_text(&mut self, cell: &str, rules: &Rules) {
        let Values::Text(text) = &mut self.part.values else { return };
        let trimmed = trim(cell);
        if trimmed.is_empty() || rules.na.has(trimmed) {
            text.push_missing();
        } else {
            text.push(cell);
            if cell.len() > LARGE_CELL && self.part.facts.large.is_none_or(|(_, bytes)| bytes < cell.len()) {
                self.part.facts.large = Some((self.part.rows, cell.len()));
            }
        }
        self.part.rows += 1;
    }

    fn push_slowly(&mut self, cell: &str, rules: &Rules) {
        if self.mode == Mode::Skip {
            self.part.rows += 1;
            return;
        }
        let text = trim(cell);
        if text.is_empty() || rules.na.has(text) {
            self.push_missing();
        } else if missing::is_token(text.as_bytes()) {
            self.part.tokens = true;
            self.push_missing();
        } else if let Mode::Forced(kind) = self.mode {
            self.push_forced(text, kind, &rules.zone);
        } else {
            self.push_inferred(text, cell, &rules.zone);
        }
    }

    /// Appends a missing cell.
    pub(crate) fn push_missing(&mut self) {
        match &mut self.part.values {
            Values::Missing => {}
            Values::Integer(values) | Values::Timestamp(values) => values.push(MISSING_INTEGER),
            Values::Float(values) => values.push(f64::NAN),
            Values::Boolean(values) => values.push(MISSING_CODE),
            Values::Text(text) => text.push_missing(),
            Values::Broken => return,
        }
        self.part.rows += 1;
    }

    fn push_inferred(&mut self, text: &str, cell: &str, zone: &Zone) {
        let bytes = text.as_bytes();
        let taken = match &mut self.part.values {
            Values::Missing => self.begin(text, cell, zone),
            Values::Integer(_) | Values::Float(_) => match number::parse(bytes) {
                Some(number) => self.push_number(number, text),
                None => false,
            },
            Values::Boolean(values) => boolean(text).map(|b| values.push(b)).is_some(),
            Values::Timestamp(values) => time::parse(bytes, zone).map(|t| values.push(t)).is_some(),
            Values::Text(_) | Values::Broken => false,
        };
        if taken {
            self.part.rows += 1;
        } else {
            self.part.values = Values::Broken;
        }
    }

    /// The first cell that is not missing tells what the piece is tried as.
    fn begin(&mut self, text: &str, cell: &str, zone: &Zone) -> bool {
        let rows = self.part.rows;
        fn filled<T: Clone>(missing: T, rows: usize, capacity: usize) -> Vec<T> {
            let mut values = Vec::with_capacity(capacity.max(rows + 1));
            values.resize(rows, missing);
            values
        }
        match number::parse(text.as_bytes()) {
            Some(Number::Big(_) | Number::Padded(_)) => {}
            Some(number) => {
                self.part.values = match number {
                    Number::Integer(_) => Values::Integer(filled(MISSING_INTEGER, rows, self.capacity)),
                    _ => Values::Float(filled(f64::NAN, rows, self.capacity)),
                };
                return self.push_number(number, text);
            }
            None => {
                if let Some(value) = boolean(text) {
                    let mut values = filled(MISSING_CODE, rows, self.capacity);
                    values.push(value);
                    self.part.values = Values::Boolean(values);
                    return true;
                }
                if let Some(value) = time::parse(text.as_bytes(), zone) {
                    let mut values = filled(MISSING_INTEGER, rows, self.capacity);
                    values.push(value);
                    self.part.values = Values::Timestamp(values);
                    return true;
                }
            }
        }
        if self.part.tokens {
            // Among strings these tokens are levels, and their text is gone.
            return false;
        }
        let mut part = TextPart::missing(rows);
        part.push(cell);
        if cell.len() > LARGE_CELL {
            self.part.facts.large = Some((rows, cell.len()));
        }
        self.part.values = Values::Text(part);
        true
    }

    /// Appends a number to numbers; false if the column cannot be numeric with it.
    fn push_number(&mut self, number: Number, text: &str) -> bool {
        let spot = || Some(Spot { row: self.part.rows, text: text.to_owned() });
        match number {
            Number::Padded(_) => return false,
            Number::Infinite(_) if self.part.facts.infinite.is_none() => self.part.facts.infinite = spot(),
            Number::Overflow if self.part.facts.overflow.is_none() => self.part.facts.overflow = spot(),
            _ => {}
        }
        match (&mut self.part.values, number) {
            (Values::Integer(values), Number::Integer(value)) => values.push(value),
            // Whether a number beyond i64 may be rounded depends on whether others have a point.
            (Values::Integer(_), Number::Big(_)) => return false,
            (Values::Integer(values), number) => {
                let mut floats = integers_to_floats(values, self.capacity);
                floats.push(number.value());
                self.part.values = Values::Float(floats);
            }
            (Values::Float(values), number) => values.push(number.value()),
            _ => return false,
        }
        true
    }

    fn push_forced(&mut self, text: &str, kind: Kind, zone: &Zone) {
        let row = self.part.rows;
        let facts = &mut self.part.facts;
        let taken = match &mut self.part.values {
            Values::Integer(values) => forced_integer(text).map(|v| values.push(v)).is_some(),
            Values::Float(values) => match number::parse(text.as_bytes()) {
                None | Some(Number::Overflow) => false,
                Some(number) => {
                    if matches!(number, Number::Infinite(_)) && facts.infinite.is_none() {
                        facts.infinite = Some(Spot { row, text: text.to_owned() });
                    }
                    values.push(number.value());
                    true
                }
            },
            Values::Boolean(values) => forced_boolean(text).map(|v| values.push(v)).is_some(),
            Values::Timestamp(values) => time::parse(text.as_bytes(), zone).map(|v| values.push(v)).is_some(),
            _ => unreachable!("invariant: a column that is asked for as {kind} has values of that kind"),
        };
        if taken {
            self.part.rows += 1;
        } else {
            if facts.refused.is_none() {
                facts.refused = Some(Spot { row, text: text.to_owned() });
            }
            self.push_missing();
        }
    }
}

/// `true` or `false`, in any case.
pub(crate) fn boolean(text: &str) -> Option<u32> {
    match text.len() {
        4 if text.eq_ignore_ascii_case("true") => Some(TRUE),
        5 if text.eq_ignore_ascii_case("false") => Some(FALSE),
        _ => None,
    }
}

/// A boolean where one is asked for: 0 and 1 mean one too.
pub(crate) fn forced_boolean(text: &str) -> Option<u32> {
    boolean(text).or(match text {
        "0" => Some(FALSE),
        "1" => Some(TRUE),
        _ => None,
    })
}

/// A whole number where one is asked for: `3.0` and `007` are.
pub(crate) fn forced_integer(text: &str) -> Option<i64> {
    whole(number::parse(text.as_bytes())?)
}

/// The whole number that a number is, if it is one.
pub(crate) fn whole(number: Number) -> Option<i64> {
    match number {
        Number::Integer(value) => Some(value),
        Number::Float(value) | Number::Padded(value) => float_to_integer(value),
        _ => None,
    }
}

/// A float that is a whole number within `i64`.
pub(crate) fn float_to_integer(value: f64) -> Option<i64> {
    // −2^63 marks a missing value, and 2^63 is the first float beyond.
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    (value.fract() == 0.0 && value.abs() < BOUND).then_some(value as i64)
}

/// Whole numbers as floats. Rounds to the nearest, as reading their digits would.
pub(crate) fn integers_to_floats(values: &[i64], capacity: usize) -> Vec<f64> {
    let mut floats = Vec::with_capacity(capacity.max(values.len() + 1));
    floats.extend(values.iter().map(|&v| tabwright_core::block::integer_to_number(v)));
    floats
}
