//! The frozen levels of a categorical input: which strings have a code, and which spelling of a value is meant.

use serde::{Deserialize, Serialize};
use tabwright_core::block::{MISSING_CODE, MISSING_INTEGER};
use tabwright_core::{Category, Column, Levels, LevelsBuilder, RowSet};

use crate::features::{CODE_FIRST, CODE_MISSING, CODE_UNSEEN};

/// How the levels of a column are spelled. Decided at fit from the levels themselves, so that a table read from CSV,
/// Parquet or JSON meets the same levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spelling {
    /// `true` and `false`, in any case.
    Boolean,
    /// Numbers in their shortest decimal form: `1`, `1.0` and `"1"` are one level.
    Number,
    /// Text that keeps its bytes: `007` and `7` are two levels.
    Text,
}

impl Spelling {
    /// The spelling that fits all levels: numbers only if each is a plain decimal without leading zeros.
    pub fn of(levels: &Levels) -> Self {
        let all = |test: fn(&str) -> bool| !levels.is_empty() && levels.iter().all(test);
        if all(|l| l.eq_ignore_ascii_case("true") || l.eq_ignore_ascii_case("false")) {
            Spelling::Boolean
        } else if all(is_plain_number) {
            Spelling::Number
        } else {
            Spelling::Text
        }
    }

    /// Brings a string into the form in which levels are kept.
    pub fn canonical(self, text: &str) -> std::borrow::Cow<'_, str> {
        match self {
            Spelling::Text => text.into(),
            Spelling::Boolean => text.to_ascii_lowercase().into(),
            Spelling::Number => match text.trim().parse::<f64>() {
                // Whole numbers keep their digits: beyond 2^53 a float would merge neighbours.
                Ok(_) if text.bytes().all(|b| b.is_ascii_digit()) => text.into(),
                Ok(number) if number.is_finite() => shortest(number).into(),
                _ => text.into(),
            },
        }
    }
}

/// A decimal that means one number: digits, at most one point, an exponent, no leading zeros.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    let trailing_zero = digits.contains('.') && digits.ends_with('0') && !digits.ends_with(".0");
    !leading_zero
        && !trailing_zero
        && digits.as_bytes().first().is_some_and(u8::is_ascii_digit)
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// The shortest decimal that reads back as the same number; whole numbers without a point.
pub fn shortest(number: f64) -> String {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(tabwright_core::numeric::canonical(number));
    text.strip_suffix(".0").unwrap_or(text).to_owned()
}

/// Levels with frozen codes: [`CODE_FIRST`] and on, in the byte order of their canonical spelling.
#[derive(Debug, Clone)]
pub struct FrozenLevels {
    spelling: Spelling,
    index: LevelsBuilder,
    /// Whether each level is spelled in its canonical form, so that a text which is one of them is spelled so too.
    is_canonical: bool,
}

impl FrozenLevels {
    /// Freezes the levels that occur in some rows of a column.
    pub fn fit(column: &Column, rows: RowSet<'_>) -> Self {
        let seen = seen_levels(column, rows);
        let spelling = Spelling::of(&seen);
        let mut canonical: Vec<String> = seen.iter().map(|l| spelling.canonical(l).into_owned()).collect();
        canonical.sort_unstable();
        canonical.dedup();
        FrozenLevels::new(spelling, canonical.iter().map(String::as_str))
    }

    /// Levels that are already canonical, sorted and distinct.
    pub fn new<'a>(spelling: Spelling, levels: impl IntoIterator<Item = &'a str>) -> Self {
        let mut index = LevelsBuilder::default();
        for level in levels {
            index.intern(level);
        }
        let is_canonical = index.levels().iter().all(|level| spelling.canonical(level) == level);
        FrozenLevels { spelling, index, is_canonical }
    }

    /// How the levels are spelled.
    pub fn spelling(&self) -> Spelling {
        self.spelling
    }

    /// The levels, by code less [`CODE_FIRST`].
    pub fn levels(&self) -> &Levels {
        self.index.levels()
    }

    /// Number of codes, the two reserved ones included.
    pub fn n_codes(&self) -> u32 {
        self.index.len() as u32 + CODE_FIRST
    }

    /// The code of a string.
    pub fn code(&self, text: &str) -> u32 {
        // Most texts are spelled as the levels are, and spelling them anew costs more than looking.
        let as_it_is = if self.is_canonical { self.index.find(text) } else { None };
        let code = as_it_is.or_else(|| match self.spelling {
            Spelling::Text => None,
            spelling => self.index.find(&spelling.canonical(text)),
        });
        code.map_or(CODE_UNSEEN, |code| code + CODE_FIRST)
    }

    /// Appends the codes of some rows of a column.
    pub fn encode(&self, column: &Column, rows: RowSet<'_>, out: &mut Vec<u32>) {
        match column {
            Column::Category(category) => self.encode_category(category, rows, out),
            Column::Integer(values) => out.extend(rows.iter().map(|r| match values[r] {
                MISSING_INTEGER => CODE_MISSING,
                value => self.code(&value.to_string()),
            })),
            Column::Timestamp(values) => out.extend(rows.iter().map(|r| match values[r] {
                MISSING_INTEGER => CODE_MISSING,
                value => self.code(&value.to_string()),
            })),
            Column::Float(values) => out.extend(rows.iter().map(|r| match values[r] {
                value if value.is_nan() => CODE_MISSING,
                value => self.code(&shortest(value)),
            })),
        }
    }

    /// A dictionary that is smaller than the rows is translated once, a larger one row by row.
    fn encode_category(&self, category: &Category, rows: RowSet<'_>, out: &mut Vec<u32>) {
        if category.levels.len() < rows.len() {
            let map: Vec<u32> = category.levels.iter().map(|l| self.code(l)).collect();
            out.extend(rows.iter().map(|r| match category.codes[r] {
                MISSING_CODE => CODE_MISSING,
                code => map[code as usize],
            }));
        } else {
            out.extend(rows.iter().map(|r| category.get(r).map_or(CODE_MISSING, |l| self.code(l))));
        }
    }
}

impl PartialEq for FrozenLevels {
    fn eq(&self, other: &Self) -> bool {
        self.spelling == other.spelling && self.levels() == other.levels()
    }
}

/// The distinct values of some rows, as strings.
fn seen_levels(column: &Column, rows: RowSet<'_>) -> Levels {
    match column {
        Column::Category(category) => {
            let mut seen = vec![false; category.levels.len()];
            for row in rows.iter() {
                if let Some(flag) = seen.get_mut(category.codes[row] as usize) {
                    *flag = true;
                }
            }
            let used = (0..category.levels.len() as u32).filter(|&c| seen[c as usize]);
            used.map(|c| category.levels.get(c)).collect()
        }
        Column::Integer(values) | Column::Timestamp(values) => {
            let mut seen: Vec<i64> = rows.iter().map(|r| values[r]).filter(|v| *v != MISSING_INTEGER).collect();
            seen.sort_unstable();
            seen.dedup();
            seen.iter().map(i64::to_string).collect()
        }
        Column::Float(values) => {
            let mut seen: Vec<f64> = rows.iter().map(|r| values[r]).filter(|v| !v.is_nan()).collect();
            seen.sort_unstable_by(f64::total_cmp);
            seen.dedup();
            seen.into_iter().map(shortest).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(levels: &FrozenLevels, column: &Column) -> Vec<u32> {
        let mut out = Vec::new();
        levels.encode(column, RowSet::Range(0, column.len()), &mut out);
        out
    }

    #[test]
    fn one_number_is_one_level_from_any_format() {
        let text = Column::Category(Category::from_strings([Some("10"), Some("2"), None, Some("0.5")]));
        let levels = FrozenLevels::fit(&text, RowSet::Range(0, 4));
        assert_eq!(levels.spelling(), Spelling::Number);
        assert_eq!(levels.levels().iter().collect::<Vec<_>>(), ["0.5", "10", "2"]);
        assert_eq!(encode(&levels, &text), [3, 4, CODE_MISSING, 2]);
        assert_eq!(encode(&levels, &Column::Float(vec![10.0, 2.0, f64::NAN, 7.0])), [3, 4, CODE_MISSING, CODE_UNSEEN]);
        assert_eq!(encode(&levels, &Column::Integer(vec![10, MISSING_INTEGER])), [3, CODE_MISSING]);
        assert_eq!(levels.code("10.0"), 3);
    }

    #[test]
    fn text_keeps_its_bytes() {
        let text = Column::Category(Category::from_strings([Some("007"), Some("7"), Some("1.10")]));
        let levels = FrozenLevels::fit(&text, RowSet::Range(0, 3));
        assert_eq!(levels.spelling(), Spelling::Text);
        assert_eq!((levels.code("007"), levels.code("7"), levels.code("07")), (2, 4, CODE_UNSEEN));
    }

    #[test]
    fn only_levels_of_the_fitting_rows_are_frozen() {
        let text = Column::Category(Category::from_strings([Some("a"), Some("b"), Some("c")]));
        let levels = FrozenLevels::fit(&text, RowSet::List(&[0, 2]));
        assert_eq!(encode(&levels, &text), [2, CODE_UNSEEN, 3]);
    }

    /// Levels from a file may be spelled in any way: the canonical spelling of a text decides all the same.
    #[test]
    fn a_text_has_the_code_of_its_canonical_spelling() {
        let by_spelling = |levels: &FrozenLevels, text: &str| {
            levels.index.find(&levels.spelling().canonical(text)).map_or(CODE_UNSEEN, |code| code + CODE_FIRST)
        };
        for (spelling, stored) in [
            (Spelling::Number, vec!["0.5", "10", "2"]),
            (Spelling::Number, vec!["1", "1.0", "1e3", "007"]),
            (Spelling::Boolean, vec!["false", "true"]),
            (Spelling::Boolean, vec!["TRUE", "true"]),
            (Spelling::Text, vec!["007", "1.0", "TRUE"]),
        ] {
            let levels = FrozenLevels::new(spelling, stored);
            for text in
                ["0.5", "0.50", "10", "1e1", "2", " 2", "1", "1.0", "1e3", "1000", "007", "7", "TRUE", "true", "x"]
            {
                assert_eq!(levels.code(text), by_spelling(&levels, text), "{spelling:?} {text}");
            }
        }
    }

    #[test]
    fn booleans_are_met_in_any_case() {
        let text = Column::Category(Category::from_strings([Some("true"), Some("false")]));
        let levels = FrozenLevels::fit(&text, RowSet::Range(0, 2));
        assert_eq!((levels.code("TRUE"), levels.code("False")), (3, 2));
    }
}
