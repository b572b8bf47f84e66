//! What a column of strings is, from all of its rows: the rules that every format shares.
//!
//! These are the rules that the typed readers anticipate: whatever they do faster must come out as it would here.

use std::sync::{Arc, LazyLock};

use tabwright_core::block::{MISSING_CODE, MISSING_INTEGER};
use tabwright_core::{Category, Column, Kind, Levels};

use crate::missing::{self, trim};
use crate::number::{self, Number};
use crate::part::{self, Rules};
use crate::text::LevelTally;
use crate::time;

/// Share of numbers from which a column that is no numeric one is called nearly numeric.
const NEARLY: f64 = 0.95;

/// Words per cell, on average, from which distinct strings are text.
const TEXT_WORDS: u64 = 3;

/// A thing to say about a column. Rows are numbered from 0 over all files.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Note {
    /// Nothing but missing cells.
    AllMissing,
    /// Numbers but for a few cells, the first of which is shown.
    NearlyNumeric {
        /// Its row.
        row: usize,
        /// Its text.
        text: String,
        /// Share of numbers.
        share: f64,
    },
    /// Dates in more than one shape.
    MixedDates {
        /// A date in the first shape.
        first: String,
        /// A date in another.
        second: String,
    },
    /// Infinite numbers.
    Infinite {
        /// The first row.
        row: usize,
        /// Its text.
        text: String,
    },
    /// A literal beyond the range of numbers, in a column of numbers.
    Overflow {
        /// The first row.
        row: usize,
        /// Its text.
        text: String,
    },
}

/// The levels of a boolean column, by code. All columns share them.
pub(crate) fn boolean_levels() -> Arc<Levels> {
    static LEVELS: LazyLock<Arc<Levels>> = LazyLock::new(|| Arc::new(["false", "true"].into_iter().collect()));
    Arc::clone(&LEVELS)
}

/// How many rows have which sort of cell.
#[derive(Debug, Default)]
struct Tally {
    tokens: u64,
    numbers: u64,
    booleans: u64,
    times: u64,
    padded: bool,
    big: bool,
    fractional: bool,
    infinite: bool,
    overflow: bool,
}

/// Decides the kind of a column of strings: what it means, and what is to be said about it.
pub(crate) fn judge(levels: &Levels, occurrence: &LevelTally, rules: &Rules) -> (Kind, Vec<Note>) {
    let counts = &occurrence.counts;
    let cells: u64 = counts.iter().sum();
    let tally = tally(levels, counts, rules);
    let rest = cells - tally.tokens;
    if rest == 0 {
        return (Kind::Float, vec![Note::AllMissing]);
    }
    // Codes follow the order of first appearance, so the lowest is the first.
    let first = |test: &dyn Fn(&str) -> bool| {
        let (code, level) = levels.iter().enumerate().find(|(_, l)| test(l))?;
        Some((occurrence.first_rows[code], level.to_owned()))
    };
    let parse = |l: &str| number::parse(trim(l).as_bytes());
    let mut notes = Vec::new();
    if tally.numbers == rest && !tally.padded && (tally.fractional || !tally.big) {
        if tally.overflow
            && let Some((row, text)) = first(&|l| parse(l) == Some(Number::Overflow))
        {
            notes.push(Note::Overflow { row, text });
        }
        if tally.infinite
            && let Some((row, text)) = first(&|l| matches!(parse(l), Some(Number::Infinite(_))))
        {
            notes.push(Note::Infinite { row, text });
        }
        return (if tally.fractional { Kind::Float } else { Kind::Integer }, notes);
    }
    if tally.booleans == rest {
        return (Kind::Boolean, notes);
    }
    if tally.times == rest {
        return (Kind::Timestamp, notes);
    }
    if tally.numbers < rest && tally.numbers as f64 >= NEARLY * rest as f64 {
        let is_other = |l: &str| !missing::is_token(trim(l).as_bytes()) && parse(l).is_none();
        if let Some((row, text)) = first(&is_other) {
            notes.push(Note::NearlyNumeric { row, text, share: tally.numbers as f64 / rest as f64 });
        }
    }
    notes.extend(mixed_dates(levels));
    (kind_of_strings(levels, counts, cells), notes)
}

/// Converts a column of strings to the kind that it was found to have.
pub(crate) fn convert(category: Category, kind: Kind, rules: &Rules) -> Column {
    let (levels, codes) = (&category.levels, &category.codes);
    let parse = |l: &str| number::parse(trim(l).as_bytes());
    match kind {
        Kind::Float => {
            let is_token = |l: &str| missing::is_token(trim(l).as_bytes());
            let value = |l: &str| if is_token(l) { f64::NAN } else { parse(l).map_or(f64::NAN, Number::value) };
            Column::Float(lookup(codes, &levels.iter().map(value).collect::<Vec<_>>(), f64::NAN))
        }
        Kind::Integer => {
            let value = |l: &str| match parse(l) {
                Some(Number::Integer(value)) => value,
                _ => MISSING_INTEGER,
            };
            Column::Integer(lookup(codes, &levels.iter().map(value).collect::<Vec<_>>(), MISSING_INTEGER))
        }
        Kind::Boolean => {
            let map: Vec<u32> = levels.iter().map(|l| part::boolean(trim(l)).unwrap_or(MISSING_CODE)).collect();
            Column::Category(Category { codes: lookup(codes, &map, MISSING_CODE), levels: boolean_levels() })
        }
        Kind::Timestamp => {
            let read = |l: &str| time::parse(trim(l).as_bytes(), &rules.zone).unwrap_or(MISSING_INTEGER);
            Column::Timestamp(lookup(codes, &levels.iter().map(read).collect::<Vec<_>>(), MISSING_INTEGER))
        }
        Kind::Categorical | Kind::Text => Column::Category(category),
    }
}

/// Decides and converts.
#[cfg(test)]
pub(crate) fn infer(category: Category, rules: &Rules) -> (Kind, Column, Vec<Note>) {
    let (kind, notes) = judge(&category.levels, &LevelTally::of(&category.codes, category.levels.len()), rules);
    (kind, convert(category, kind, rules), notes)
}

fn tally(levels: &Levels, counts: &[u64], rules: &Rules) -> Tally {
    let mut tally = Tally::default();
    for (level, &count) in levels.iter().zip(counts) {
        let text = trim(level);
        if missing::is_token(text.as_bytes()) {
            tally.tokens += count;
        } else if let Some(number) = number::parse(text.as_bytes()) {
            tally.numbers += count;
            match number {
                Number::Integer(_) => {}
                Number::Float(_) => tally.fractional = true,
                Number::Big(_) => tally.big = true,
                Number::Padded(_) => tally.padded = true,
                Number::Infinite(_) => (tally.infinite, tally.fractional) = (true, true),
                Number::Overflow => (tally.overflow, tally.fractional) = (true, true),
            }
        } else if part::boolean(text).is_some() {
            tally.booleans += count;
        } else if time::parse(text.as_bytes(), &rules.zone).is_some() {
            tally.times += count;
        }
    }
    tally
}

fn lookup<T: Copy>(codes: &[u32], map: &[T], missing: T) -> Vec<T> {
    codes.iter().map(|&code| if code == MISSING_CODE { missing } else { map[code as usize] }).collect()
}

/// Two dates of different shapes, if all levels look like dates.
fn mixed_dates(levels: &Levels) -> Option<Note> {
    let mut first: Option<(&str, time::DateShape)> = None;
    let mut second = None;
    for level in levels.iter() {
        let text = trim(level);
        if missing::is_token(text.as_bytes()) {
            continue;
        }
        let shape = time::date_shape(text)?;
        match first {
            None => first = Some((text, shape)),
            Some((_, known)) if known != shape && second.is_none() => second = Some(text),
            Some(_) => {}
        }
    }
    let ((first, _), second) = (first?, second?);
    Some(Note::MixedDates { first: first.to_owned(), second: second.to_owned() })
}

/// Text is more than half distinct and has three words or more on average.
pub(crate) fn kind_of_strings(levels: &Levels, counts: &[u64], cells: u64) -> Kind {
    if 2 * levels.len() as u64 <= cells {
        return Kind::Categorical;
    }
    let enough = TEXT_WORDS * cells;
    let mut words = 0;
    for (level, count) in levels.iter().zip(counts) {
        words += level.split_whitespace().count() as u64 * count;
        if words >= enough {
            return Kind::Text;
        }
    }
    Kind::Categorical
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::missing::Everywhere;
    use crate::time::Zone;

    fn inferred(cells: &[&str]) -> (Kind, Column, Vec<Note>) {
        let rules = Rules { na: Everywhere::default(), zone: Zone::Utc };
        let category = Category::from_strings(cells.iter().map(|c| Some(*c).filter(|c| !c.is_empty())));
        infer(category, &rules)
    }

    fn kind(cells: &[&str]) -> Kind {
        inferred(cells).0
    }

    #[test]
    fn kinds_follow_from_all_cells() {
        assert_eq!(kind(&["1", "2", "", "NA"]), Kind::Integer);
        assert_eq!(kind(&["1", "2.5", "?"]), Kind::Float);
        assert_eq!(kind(&["1", "inf"]), Kind::Float);
        assert_eq!(kind(&["TRUE", "false", "-"]), Kind::Boolean);
        assert_eq!(kind(&["true", "1"]), Kind::Categorical);
        assert_eq!(kind(&["2024-01-05", "2024-01-05 10:11:12.5", "None"]), Kind::Timestamp);
        assert_eq!(kind(&["007", "12"]), Kind::Categorical);
        assert_eq!(kind(&["12345678901234567890", "1"]), Kind::Categorical);
        assert_eq!(kind(&["12345678901234567890", "1.5"]), Kind::Float);
        assert_eq!(kind(&["", "NA", "?"]), Kind::Float);
        assert_eq!(kind(&["a", "b", "a"]), Kind::Categorical);
        assert_eq!(kind(&["this is text", "and so is this", "one more such text"]), Kind::Text);
        assert_eq!(kind(&["two words", "few words", "no text"]), Kind::Categorical);
    }

    #[test]
    fn tokens_are_missing_among_numbers_and_levels_among_strings() {
        let (_, numbers, _) = inferred(&["1", "?", "3"]);
        assert!(numbers.is_missing(1));
        let (_, strings, _) = inferred(&["a", "?", "b"]);
        assert!(!strings.is_missing(1));
    }

    #[test]
    fn a_nearly_numeric_column_names_the_first_other_cell() {
        let mut cells = vec!["1.5"; 40];
        cells[7] = "n/k";
        cells[9] = "?";
        let (kind, _, notes) = inferred(&cells);
        assert_eq!(kind, Kind::Categorical);
        assert_eq!(notes, [Note::NearlyNumeric { row: 7, text: "n/k".into(), share: 38.0 / 39.0 }]);
        let few = [vec!["1"; 18], vec!["x"; 2]].concat();
        assert!(inferred(&few).2.is_empty(), "90% is not nearly");
    }

    #[test]
    fn mixed_dates_are_told() {
        let (kind, _, notes) = inferred(&["2024-01-05", "05/01/2024", "NA"]);
        assert_eq!(kind, Kind::Categorical);
        assert_eq!(notes, [Note::MixedDates { first: "2024-01-05".into(), second: "05/01/2024".into() }]);
        assert!(inferred(&["05/01/2024", "06/01/2024"]).2.is_empty());
    }

    #[test]
    fn numbers_beyond_the_range_are_noted() {
        let (kind, _, notes) = inferred(&["1.5", "1e400"]);
        assert_eq!((kind, notes), (Kind::Float, vec![Note::Overflow { row: 1, text: "1e400".into() }]));
    }
}
