//! Columns that look like identifiers: nearly every row has a value of its own, which no new row will have.

use crate::block::{MISSING_CODE, MISSING_INTEGER};
use crate::{Category, Column, Field, Kind, RowSet};

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
            const EXACT: f64 = (1u64 << 53) as f64;
            let values = set.iter().map(|row| values[row]).filter(|v| !v.is_nan());
            let whole = values.map(|v| (v.fract() == 0.0 && v.abs() < EXACT).then_some(v as i64));
            whole_numbers(&field.name, whole.collect::<Option<_>>()?)
        }
        _ => None,
    }
}

fn tokens(category: &Category, set: RowSet<'_>) -> Option<String> {
    let n = set.iter().filter(|&row| category.codes[row] != MISSING_CODE).count();
    let enough = DISTINCT_SHARE * n as f64;
    if n < FEWEST_VALUES || (category.levels.len() as f64) < enough {
        return None;
    }
    let mut counts = vec![0usize; category.levels.len()];
    for row in set.iter() {
        if category.codes[row] != MISSING_CODE {
            counts[category.codes[row] as usize] += 1;
        }
    }
    let distinct = counts.iter().filter(|&&count| count > 0).count();
    if (distinct as f64) < enough {
        return None;
    }
    let single = |level: &str| !level.trim().contains(char::is_whitespace);
    let in_tokens: usize = counts.iter().zip(category.levels.iter()).filter(|(_, l)| single(l)).map(|(c, _)| c).sum();
    (in_tokens as f64 >= enough)
        .then(|| format!("it looks like an identifier: {distinct} of its {n} values are distinct single words"))
}

fn whole_numbers(name: &str, mut values: Vec<i64>) -> Option<String> {
    let n = values.len();
    let (min, max) = (*values.iter().min()?, *values.iter().max()?);
    let span = i128::from(max) - i128::from(min) + 1;
    // Fitting rows are a part of the rows that were numbered, so gaps are allowed; among a hundred values and more,
    // drawn from four times as many, two would be equal by chance.
    let room = if n < 100 { 2 } else { 4 };
    let counts_rows = n >= FEWEST_VALUES && span <= room * n as i128;
    let named = n >= 2 && is_named_as_identifier(name);
    if !counts_rows && !named {
        return None;
    }
    values.sort_unstable();
    if values.windows(2).any(|pair| pair[0] == pair[1]) {
        return None;
    }
    Some(if counts_rows {
        format!(
            "it looks like an identifier: its {n} values are distinct whole numbers that count rows ({min} to {max})"
        )
    } else {
        format!("it looks like an identifier: its {n} values are distinct whole numbers, and it is named as one")
    })
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
