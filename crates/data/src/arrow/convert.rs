//! Arrow arrays to columns: typed values as they are, strings by the rules that hold for the text of every format.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, TimeUnit};
use tabwright_core::Kind;
use tabwright_core::block::{MISSING_CODE, MISSING_INTEGER};

use crate::number::{canonical_zero, shortest};
use crate::part::{Builder, FALSE, Mode, Part, Rules, Spot, TRUE, Values};
use crate::time::{Zone, format_timestamp};

/// Bytes of the strings of some rows, at most, where rows share them: one string of 1 MB, in a dictionary or behind views, would
/// take 64 GB in 65,536 rows.
const MOST_EXPANDED: usize = 1 << 30;

/// Turns an array into a part of a column. Strings are kept as text whatever the mode, since their kind follows from
/// all rows.
///
/// # Errors
/// A message if the array cannot be converted, such as bytes that are not UTF-8.
pub(crate) fn part(array: &ArrayRef, mode: Mode, rules: &Rules) -> Result<Part, String> {
    let array = plain(array)?;
    let rows = array.len();
    if mode == Mode::Skip {
        return Ok(Part::missing(rows));
    }
    if let Some(strings) = strings(&array) {
        let mode = if mode == Mode::Infer { Mode::Text } else { mode };
        let mut builder = Builder::new(mode, rows);
        for cell in strings {
            match cell {
                Some(cell) => builder.push(cell, rules),
                None => builder.push_missing(),
            }
        }
        return Ok(builder.finish());
    }
    let natural = natural_kind(array.data_type());
    let as_it_is = match mode {
        Mode::Infer => natural.is_some(),
        Mode::Forced(kind) => natural == Some(kind),
        Mode::Text | Mode::Skip => false,
    };
    // Tokens that mean "missing" may be numbers.
    if as_it_is && rules.na.is_empty() {
        return Ok(typed(&array, rules));
    }
    let mut builder = Builder::new(mode, rows);
    let mut text = String::new();
    let cells = Cells::new(&array, &rules.zone)?;
    for row in 0..rows {
        text.clear();
        match cells.write(row, &mut text) {
            true => builder.push(&text, rules),
            false => builder.push_missing(),
        }
    }
    Ok(builder.finish())
}

/// Dictionaries and binary strings, as the plain arrays that they stand for.
pub(crate) fn plain(array: &ArrayRef) -> Result<ArrayRef, String> {
    let target = match array.data_type() {
        DataType::Dictionary(_, value) => match value.as_ref() {
            DataType::Binary | DataType::BinaryView | DataType::LargeBinary => DataType::LargeUtf8,
            value => value.clone(),
        },
        DataType::Binary | DataType::BinaryView | DataType::LargeBinary => DataType::LargeUtf8,
        DataType::Float16 => DataType::Float64,
        _ => return Ok(Arc::clone(array)),
    };
    check_expansion(array)?;
    let options = arrow_cast::CastOptions { safe: false, ..Default::default() };
    arrow_cast::cast_with_options(array, &target, &options).map_err(|e| match array.data_type() {
        DataType::Float16 => e.to_string(),
        _ => format!("the strings are not UTF-8 ({e})"),
    })
}

/// Refuses arrays whose rows share strings that take too much when each row has its own.
fn check_expansion(array: &ArrayRef) -> Result<(), String> {
    let bytes: usize = match array.as_any_dictionary_opt() {
        Some(dictionary) if dictionary.values().is_empty() => 0,
        Some(dictionary) => {
            let lengths = lengths(dictionary.values());
            let keys = dictionary.normalized_keys().into_iter().enumerate();
            let keys = keys.filter(|(row, _)| array.is_valid(*row));
            keys.map(|(_, key)| lengths.get(key).copied().unwrap_or(0)).sum()
        }
        None => lengths(array).into_iter().sum(),
    };
    if bytes <= MOST_EXPANDED {
        return Ok(());
    }
    let rows = array.len();
    Err(format!("the strings of {rows} rows take {bytes} bytes; at most {MOST_EXPANDED} are read at a time"))
}

/// How long the strings are; nothing for what is none.
fn lengths(array: &ArrayRef) -> Vec<usize> {
    // The length of a view is its lowest half word.
    let of_view = |view: &u128| *view as u32 as usize;
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().offsets().lengths().collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().offsets().lengths().collect(),
        DataType::Binary => array.as_binary::<i32>().offsets().lengths().collect(),
        DataType::LargeBinary => array.as_binary::<i64>().offsets().lengths().collect(),
        DataType::Utf8View => array.as_string_view().views().iter().map(of_view).collect(),
        DataType::BinaryView => array.as_binary_view().views().iter().map(of_view).collect(),
        _ => Vec::new(),
    }
}

/// The strings of an array of strings.
fn strings(array: &ArrayRef) -> Option<Box<dyn Iterator<Item = Option<&str>> + '_>> {
    Some(match array.data_type() {
        DataType::Utf8 => Box::new(array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => Box::new(array.as_string::<i64>().iter()),
        DataType::Utf8View => Box::new(array.as_string_view().iter()),
        _ => return None,
    })
}

/// The kind that a type says by itself; `None` where the values decide.
fn natural_kind(data_type: &DataType) -> Option<Kind> {
    match data_type {
        DataType::Boolean => Some(Kind::Boolean),
        DataType::Float32 | DataType::Float64 => Some(Kind::Float),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Some(Kind::Timestamp),
        // u64 may go beyond what a whole number can hold here.
        DataType::UInt64 => None,
        t if t.is_integer() => Some(Kind::Integer),
        _ => None,
    }
}

/// The kind of a column that is carried through: text where the type does not say one.
pub(crate) fn kept_kind(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Float16 => Kind::Float,
        other => natural_kind(other).unwrap_or(Kind::Text),
    }
}

fn typed(array: &ArrayRef, rules: &Rules) -> Part {
    let rows = array.len();
    if array.null_count() == rows {
        return Part::missing(rows);
    }
    match array.data_type() {
        DataType::Boolean => {
            let code = |b: Option<bool>| b.map_or(MISSING_CODE, |b| if b { TRUE } else { FALSE });
            Part::typed(rows, Values::Boolean(array.as_boolean().iter().map(code).collect()))
        }
        DataType::Float64 => floats(array.as_primitive::<Float64Type>(), |x| x),
        DataType::Float32 => floats(array.as_primitive::<Float32Type>(), f64::from),
        DataType::Int64 => integers(array.as_primitive::<Int64Type>(), |x| x),
        DataType::Int32 => integers(array.as_primitive::<Int32Type>(), i64::from),
        DataType::Int16 => integers(array.as_primitive::<Int16Type>(), i64::from),
        DataType::Int8 => integers(array.as_primitive::<Int8Type>(), i64::from),
        DataType::UInt32 => integers(array.as_primitive::<UInt32Type>(), i64::from),
        DataType::UInt16 => integers(array.as_primitive::<UInt16Type>(), i64::from),
        DataType::UInt8 => integers(array.as_primitive::<UInt8Type>(), i64::from),
        _ => {
            let micros = micros(array, &rules.zone);
            let values = (0..rows).map(|row| micros(row).unwrap_or(MISSING_INTEGER)).collect();
            Part::typed(rows, Values::Timestamp(values))
        }
    }
}

fn floats<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, widen: impl Fn(T::Native) -> f64) -> Part {
    let values: Vec<f64> = array.iter().map(|x| x.map_or(f64::NAN, |x| canonical_zero(widen(x)))).collect();
    let infinite = values.iter().position(|x| x.is_infinite());
    let infinite = infinite.map(|row| Spot { row, text: values[row].to_string() });
    let mut part = Part::typed(values.len(), Values::Float(values));
    part.facts.infinite = infinite;
    part
}

fn integers<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, widen: impl Fn(T::Native) -> i64) -> Part {
    let has_mark = array.iter().flatten().any(|x| widen(x) == MISSING_INTEGER);
    if has_mark {
        // The number that marks a missing value can only be held as a float.
        return floats(array, |x| widen(x) as f64);
    }
    let values = array.iter().map(|x| x.map_or(MISSING_INTEGER, &widen)).collect();
    Part::typed(array.len(), Values::Integer(values))
}

/// Reads dates and timestamps of any unit as microseconds in UTC.
fn micros<'a>(array: &'a ArrayRef, zone: &'a Zone) -> Box<dyn Fn(usize) -> Option<i64> + 'a> {
    const DAY: i64 = 86_400_000_000;
    fn of<'a, T: ArrowPrimitiveType>(
        array: &'a ArrayRef,
        convert: impl Fn(T::Native) -> Option<i64> + 'a,
    ) -> Box<dyn Fn(usize) -> Option<i64> + 'a> {
        let values = array.as_primitive::<T>();
        Box::new(move |row| values.is_valid(row).then(|| convert(values.value(row))).flatten())
    }
    match array.data_type() {
        DataType::Date32 => of::<Date32Type>(array, move |d| zone.to_utc(i64::from(d) * DAY)),
        DataType::Date64 => of::<Date64Type>(array, move |ms| zone.to_utc(ms.checked_mul(1000)?)),
        DataType::Timestamp(unit, named) => {
            let place = move |micros: i64| if named.is_some() { Some(micros) } else { zone.to_utc(micros) };
            match unit {
                TimeUnit::Second => of::<TimestampSecondType>(array, move |s| place(s.checked_mul(1_000_000)?)),
                TimeUnit::Millisecond => of::<TimestampMillisecondType>(array, move |ms| place(ms.checked_mul(1000)?)),
                TimeUnit::Microsecond => of::<TimestampMicrosecondType>(array, place),
                TimeUnit::Nanosecond => of::<TimestampNanosecondType>(array, move |ns| place(ns.div_euclid(1000))),
            }
        }
        _ => Box::new(|_| None),
    }
}

/// Writes single values as text, the way a CSV would have them.
pub(crate) struct Cells<'a> {
    array: &'a ArrayRef,
    sort: Sort<'a>,
}

enum Sort<'a> {
    Float(Box<dyn Fn(usize) -> f64 + 'a>),
    Time(Box<dyn Fn(usize) -> Option<i64> + 'a>),
    Other(ArrayFormatter<'a>),
}

impl<'a> Cells<'a> {
    /// Prepares the cells of a plain array.
    ///
    /// # Errors
    /// A message if the type has no text form.
    pub(crate) fn new(array: &'a ArrayRef, zone: &'a Zone) -> Result<Self, String> {
        static OPTIONS: FormatOptions<'static> = FormatOptions::new();
        let sort = match array.data_type() {
            DataType::Float64 => {
                let values = array.as_primitive::<Float64Type>();
                Sort::Float(Box::new(|row| values.value(row)))
            }
            DataType::Float32 => {
                let values = array.as_primitive::<Float32Type>();
                Sort::Float(Box::new(|row| f64::from(values.value(row))))
            }
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Sort::Time(micros(array, zone)),
            _ => Sort::Other(ArrayFormatter::try_new(array.as_ref(), &OPTIONS).map_err(|e| e.to_string())?),
        };
        Ok(Cells { array, sort })
    }

    /// Appends the text of a row; false if the value is missing.
    pub(crate) fn write(&self, row: usize, out: &mut String) -> bool {
        if self.array.is_null(row) {
            return false;
        }
        match &self.sort {
            Sort::Float(value) => {
                let value = value(row);
                if value.is_finite() {
                    out.push_str(shortest(value, &mut zmij::Buffer::new()));
                } else if !value.is_nan() {
                    out.push_str(if value > 0.0 { "inf" } else { "-inf" });
                }
                !value.is_nan()
            }
            Sort::Time(micros) => match micros(row) {
                Some(micros) => {
                    out.push_str(&format_timestamp(micros));
                    true
                }
                None => false,
            },
            Sort::Other(formatter) => write!(out, "{}", formatter.value(row)).is_ok(),
        }
    }
}
