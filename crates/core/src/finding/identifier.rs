//! Columns that look like identifiers: nearly every row has a value of its own, which no new row will have.

use hashbrown::HashSet;

use crate::block::{MISSING_CODE, MISSING_INTEGER};
use crate::{Category, Column, Field, Kind, Levels, RowSet};

/// Share of distinct values from which single tokens look like identifiers.
const DISTINCT_SHARE: f64 = 0.95;

/// Values that are needed before their being distinct says anything.
const FEWEST_VALUES: usize = 10;

/// Names that mean an identifier by themselves.
const NAMES: [&str; 13] =
    ["id", "uid", "uuid", "guid", "key", "index", "idx", "rowid", "rownum", "rownumber", "rowno", "recordnumber", "pk"];

/// Says why a column looks like an identifier, if it does: single tokens that are at least 95% distinct, or whole
/// numbers, all distinct, that count rows or are named as identifiers.
///
/// It looks at the given rows alone, so a fit may ask about its fitting rows. The answer is a clause in lower case.
pub fn identifier_like(field: &Field, column: &Column, set: RowSet<'_>) -> Option<String> {
    match (field.kind, column) {
        (Kind::Categorical, Column::Category(category)) => tokens(category, set),
        (Kind::Integer | Kind::Float, Column::Integer(values)) => {
            let values = set.iter().map(|row| values[row]).filter(|&v| v != MISSING_INTEGER);
            whole_numbers(&field.name, values.collect())
        }
        (Kind::Integer | Kind::Float, Column::Float(values)) => {
            let values = set.iter().map(|row| values[row]).filter(|v| !v.is_nan());
            whole_numbers(&field.name, values.map(whole).collect::<Option<_>>()?)
        }
        _ => None,
    }
}

fn tokens(category: &Category, set: RowSet<'_>) -> Option<String> {
    let n = set.iter().filter(|&row| category.codes[row] != MISSING_CODE).count();
    if n < FEWEST_VALUES || (category.levels.len() as f64) < DISTINCT_SHARE * n as f64 {
        return None;
    }
    let mut counts = vec![0; category.levels.len()];
    for row in set.iter().filter(|&row| category.codes[row] != MISSING_CODE) {
        counts[category.codes[row] as usize] += 1;
    }
    identifier_tokens(&category.levels, &counts)
}

/// Says why levels look like identifiers, if they do, from the number of rows of each.
pub fn identifier_tokens(levels: &Levels, counts: &[usize]) -> Option<String> {
    let n: usize = counts.iter().sum();
    let enough = DISTINCT_SHARE * n as f64;
    let distinct = counts.iter().filter(|&&count| count > 0).count();
    if n < FEWEST_VALUES || (distinct as f64) < enough {
        return None;
    }
    let single = |level: &str| !level.trim().contains(char::is_whitespace);
    let in_tokens: usize = counts.iter().zip(levels.iter()).filter(|(_, l)| single(l)).map(|(c, _)| c).sum();
    (in_tokens as f64 >= enough)
        .then(|| format!("it looks like an identifier: {distinct} of its {n} values are distinct single words"))
}

fn whole_numbers(name: &str, mut values: Vec<i64>) -> Option<String> {
    let reason = counting_reason(name, values.len(), *values.iter().min()?, *values.iter().max()?)?;
    values.sort_unstable();
    values.windows(2).all(|pair| pair[0] != pair[1]).then_some(reason)
}

/// Why whole numbers look like an identifier if they are distinct.
fn counting_reason(name: &str, n: usize, min: i64, max: i64) -> Option<String> {
    let span = i128::from(max) - i128::from(min) + 1;
    // Fitting rows are a part of the rows that were numbered, so gaps are allowed; among a hundred values and more,
    // drawn from four times as many, two would be equal by chance.
    let room = if n < 100 { 2 } else { 4 };
    if n >= FEWEST_VALUES && span <= room * n as i128 {
        return Some(format!(
            "it looks like an identifier: its {n} values are distinct whole numbers that count rows ({min} to {max})"
        ));
    }
    (n >= 2 && is_named_as_identifier(name)).then(|| {
        format!("it looks like an identifier: its {n} values are distinct whole numbers, and it is named as one")
    })
}

/// Numbers of a column block by block, for as long as they may be an identifier. Memory follows the rows only while all
/// values are distinct whole numbers.
#[derive(Debug, Clone, Default)]
pub struct WholeNumbers {
    seen: HashSet<i64>,
    range: Option<(i64, i64)>,
    refuted: bool,
}

impl WholeNumbers {
    /// Takes in further rows.
    pub fn update(&mut self, column: &Column, set: RowSet<'_>) {
        for row in set.iter().filter(|&row| !column.is_missing(row)) {
            if self.refuted {
                return;
            }
            let value = match column {
                Column::Integer(values) => Some(values[row]),
                Column::Float(values) => whole(values[row]),
                _ => None,
            };
            match value.filter(|&v| self.seen.insert(v)) {
                None => *self = WholeNumbers { refuted: true, ..WholeNumbers::default() },
                Some(v) => self.range = Some(self.range.map_or((v, v), |(min, max)| (min.min(v), max.max(v)))),
            }
        }
    }

    /// Says why the column looks like an identifier, if it does: as [`identifier_like`] on all rows at once.
    pub fn reason(&self, name: &str) -> Option<String> {
        let (min, max) = self.range?;
        counting_reason(name, self.seen.len(), min, max)
    }
}

/// A float that is a whole number, exactly.
fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = (1u64 << 53) as f64;
    (value.fract() == 0.0 && value.abs() < EXACT).then_some(value as i64)
}

/// Whether a name ends in the word "id" or is one of the names of identifiers: `customer_id`, `PassengerId`,
/// `customerID`, `Unnamed: 0`, but not `paid` or `COVID`.
fn is_named_as_identifier(name: &str) -> bool {
    let name = name.trim();
    let folded: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if name.is_empty() || NAMES.contains(&folded.as_str()) || folded.starts_with("unnamed") {
        return true;
    }
    let words: Vec<String> = name.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect();
    let is_word = |word: Option<&String>| word.is_some_and(|w| ["id", "uuid", "guid", "key"].contains(&w.as_str()));
    if words.len() > 1 && (is_word(words.last()) || words[0] == "id") {
        return true;
    }
    // In one word, a change of case sets the `Id` apart.
    ["Id", "ID", "Uuid", "UUID", "Key"].iter().any(|suffix| {
        name.strip_suffix(suffix).is_some_and(|stem| stem.ends_with(|c: char| c.is_lowercase() || c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_identifiers_are_told_from_words_that_end_alike() {
        for name in [
            "id",
            "ID",
            "customer_id",
            "customerID",
            "PassengerId",
            "Unnamed: 0",
            "row_number",
            "order key",
            "",
            "user-id",
            "id_client",
            "index",
            "uuid",
        ] {
            assert!(is_named_as_identifier(name), "{name}");
        }
        for name in
            ["paid", "COVID", "salary", "grid", "valid", "Humid", "monkey", "fnlwgt", "idea", "keyboard", "Candid"]
        {
            assert!(!is_named_as_identifier(name), "{name}");
        }
    }
}
