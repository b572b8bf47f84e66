//! Parts of the rows: a condition over the columns of a table.

use tabwright_core::filter::{self, Field, Filter, FilterError, Literal};
use tabwright_core::{Column, Kind, Table};

use crate::error::{Error, Result};

/// Which of some rows a condition holds for. A condition on a missing cell does not hold.
///
/// # Errors
/// [`Error::Config`] with the place in the condition: for one that cannot be read, an unknown column, or a value of another kind.
pub(crate) fn rows_of(table: &Table, rows: &[u32], condition: &str) -> Result<Vec<u32>> {
    let told = |e: FilterError| Error::Config(e.in_a("condition").to_string());
    let filter = filter::parse(condition).map_err(told)?;
    let slice = Slice { table, text: condition };
    let test = slice.test(&filter).map_err(told)?;
    Ok(rows.iter().copied().filter(|row| test(*row as usize)).collect())
}

type Test<'a> = Box<dyn Fn(usize) -> bool + 'a>;

struct Slice<'a> {
    table: &'a Table,
    text: &'a str,
}

impl<'a> Slice<'a> {
    fn test(&self, filter: &Filter) -> Result<Test<'a>, FilterError> {
        let tests = |parts: &[Filter]| parts.iter().map(|p| self.test(p)).collect::<Result<Vec<_>, _>>();
        Ok(match filter {
            Filter::And(parts) => {
                let parts = tests(parts)?;
                Box::new(move |row| parts.iter().all(|t| t(row)))
            }
            Filter::Or(parts) => {
                let parts = tests(parts)?;
                Box::new(move |row| parts.iter().any(|t| t(row)))
            }
            Filter::Not(inner) => {
                let inner = self.test(inner)?;
                Box::new(move |row| !inner(row))
            }
            Filter::IsNull(field) => {
                let (column, _) = self.column(field)?;
                Box::new(move |row| column.is_missing(row))
            }
            Filter::Compare(field, comparison, literal) => {
                let comparison = *comparison;
                self.against(field, literal, move |order| comparison.holds(order))?
            }
            Filter::In(field, literals) => {
                let equal = |order: Option<std::cmp::Ordering>| order == Some(std::cmp::Ordering::Equal);
                let parts = literals.iter().map(|l| self.against(field, l, equal)).collect::<Result<Vec<_>, _>>()?;
                Box::new(move |row| parts.iter().any(|t| t(row)))
            }
            Filter::Like(field, pattern) => {
                let (column, kind) = self.column(field)?;
                let Column::Category(category) = column else {
                    let message = format!("`like` compares texts; the column `{}` is {kind}", field.name());
                    return Err(FilterError::new(self.text, field.at, message));
                };
                let pattern: Vec<char> = pattern.chars().collect();
                let levels: Vec<bool> =
                    category.levels.iter().map(|l| is_like(&l.chars().collect::<Vec<_>>(), &pattern)).collect();
                Box::new(move |row| !column.is_missing(row) && levels[category.codes[row] as usize])
            }
        })
    }

    fn column(&self, field: &Field) -> Result<(&'a Column, Kind), FilterError> {
        let schema = self.table.schema();
        match schema.position(&field.name()) {
            Some(position) => Ok((self.table.column(position), schema.fields()[position].kind)),
            None => Err(FilterError::unknown(self.text, field, "column", schema.names().collect::<Vec<_>>())),
        }
    }

    fn against(
        &self,
        field: &Field,
        literal: &Literal,
        holds: impl Fn(Option<std::cmp::Ordering>) -> bool + 'a,
    ) -> Result<Test<'a>, FilterError> {
        let (column, kind) = self.column(field)?;
        let error = |message: String| FilterError::new(self.text, field.at, message);
        let name = field.name();
        match (column, literal) {
            (Column::Category(category), Literal::Text(value)) => {
                let value = if kind == Kind::Boolean { value.to_lowercase() } else { value.clone() };
                let compare = |level: &str| match kind {
                    Kind::Boolean => level.to_lowercase().cmp(&value),
                    _ => level.cmp(value.as_str()),
                };
                let levels: Vec<bool> = category.levels.iter().map(|l| holds(Some(compare(l)))).collect();
                Ok(Box::new(move |row| !column.is_missing(row) && levels[category.codes[row] as usize]))
            }
            (Column::Category(_), Literal::Number(value)) => {
                Err(error(format!("the column `{name}` is {kind}; write the value in quotes: '{value}'")))
            }
            (Column::Timestamp(_), Literal::Text(value)) => {
                let at = tabwright_store::time::parse(value).map_err(|e| error(e.to_string()))? as f64;
                Ok(Box::new(move |row| !column.is_missing(row) && holds(column.number(row).partial_cmp(&at))))
            }
            (Column::Timestamp(_), Literal::Number(_)) => {
                Err(error(format!("the column `{name}` is a time; write it in quotes, such as '2026-11-27'")))
            }
            (_, Literal::Number(value)) => {
                let value = *value;
                Ok(Box::new(move |row| !column.is_missing(row) && holds(column.number(row).partial_cmp(&value))))
            }
            (_, Literal::Text(value)) => {
                Err(error(format!("the column `{name}` is {kind} and cannot be compared with the text '{value}'")))
            }
        }
    }
}

/// Whether a text matches a pattern: `%` stands for any characters, `_` for one.
fn is_like(text: &[char], pattern: &[char]) -> bool {
    // Where the text may stand after each part of the pattern: no recursion that a hostile pattern could blow up.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for sign in pattern {
        let before = reached.clone();
        reached = vec![false; text.len() + 1];
        match sign {
            '%' => {
                let first = before.iter().position(|r| *r).unwrap_or(before.len());
                reached[first.min(text.len() + 1)..].fill(true);
            }
            sign => {
                for (i, c) in text.iter().enumerate() {
                    reached[i + 1] = before[i] && (*sign == '_' || sign == c);
                }
            }
        }
    }
    reached[text.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Example, generate};

    #[test]
    fn conditions_choose_rows() {
        let table = generate(Example::Churn, 200, 1);
        let all: Vec<u32> = (0..200).collect();
        let count = |condition: &str| rows_of(&table, &all, condition).unwrap().len();
        assert_eq!(count("support_calls >= 0") + count("support_calls is null"), 200);
        assert_eq!(count("churned = 'yes'") + count("churned != 'yes'"), 200);
        assert_eq!(count("churned like 'y%'"), count("churned in ('yes', 'other')"));
        assert_eq!(count("not churned like '_e_'"), count("churned = 'no'"));
        assert_eq!(count("signup_date > '1970-01-01' and signup_date < '2999-01-01'"), 200);
        for (condition, says) in [
            ("support_call > 3", "did you mean `support_calls`?"),
            ("churned = 1", "write the value in quotes"),
            ("support_calls = 'a'", "cannot be compared with the text"),
            ("signup_date > 5", "is a time"),
            ("support_calls like 'a'", "`like` compares texts"),
        ] {
            let error = rows_of(&table, &all, condition).unwrap_err().to_string();
            assert!(error.contains(says), "{condition}: {error}");
        }
    }

    #[test]
    fn patterns_match_as_those_of_the_store() {
        let like = |text: &str, pattern: &str| {
            is_like(&text.chars().collect::<Vec<_>>(), &pattern.chars().collect::<Vec<_>>())
        };
        assert!(like("", "") && like("", "%") && like("abc", "a%c") && like("abc", "%") && like("abc", "_b_"));
        assert!(!like("abc", "a%b") && !like("abc", "ab") && !like("", "_") && !like("Abc", "a%"));
        assert!(!like(&"a".repeat(5_000), &format!("{}b", "%a".repeat(40))));
    }
}
