//! Expectations of data: rows, columns, conditions. A file is read once for each test, with kinds inferred from all its rows.

use std::collections::HashMap;

use tabwright_core::block::MISSING_CODE;
use tabwright_core::{Column, Kind, Table, suggest};
use tabwright_model::levels::shortest;
use toml::Value;

use super::file::{Between, ColumnRule, Condition, DataTest};
use super::{Asked, Broken, Found, rows};
use crate::config::Config;
use crate::slice;

/// Characters of a value that a message shows.
const SHOWN: usize = 40;

/// Reads the file of a test, and looks at every expectation.
pub(super) fn run(test: &DataTest, config: &Config, asked: &mut Asked<'_>) {
    let sources = match &test.file {
        Some(file) => vec![file.clone()],
        None => config.data.source.clone(),
    };
    let table = match rows::read_as_configured(&sources, config, asked.context) {
        Ok(table) => table,
        Err(error) => return asked.add("file", Err(Broken::from(error))),
    };
    if let Some(bounds) = &test.rows {
        asked.add("rows", Ok(number_of_rows(table.n_rows(), *bounds.get_ref())));
    }
    for (name, rule) in &test.columns {
        asked.add(format!("columns.{name}"), Ok(column(&table, name, rule.get_ref())));
    }
    for rule in &test.conditions {
        asked.add(format!("holds: {}", rule.holds.get_ref()), condition(&table, rule));
    }
}

fn number_of_rows(n: usize, Between { min, max }: Between) -> (bool, String) {
    let bounds = match (min, max) {
        (Some(min), Some(max)) => format!("{min} to {max} are expected"),
        (Some(min), None) => format!("{min} at least"),
        (_, max) => format!("{} at most", max.unwrap_or_default()),
    };
    let n = n as u64;
    (min.is_none_or(|min| n >= min) && max.is_none_or(|max| n <= max), format!("{n} rows ({bounds})"))
}

/// All that is expected of a column. What is wrong is told in full; where nothing is, what was looked at.
fn column(table: &Table, name: &str, rule: &ColumnRule) -> (bool, String) {
    let schema = table.schema();
    let Some(position) = schema.position(name) else {
        let hint = suggest::did_you_mean(name, schema.names());
        return (false, format!("the data has no such column{hint}; it has {}", suggest::shorten(schema.names())));
    };
    let (values, kind) = (table.column(position), schema.fields()[position].kind);
    let mut findings = vec![missing(values, rule.max_missing)];
    if let Some(expected) = rule.kind {
        // Whole numbers are numbers.
        let is_met = kind == expected || (kind, expected) == (Kind::Integer, Kind::Float);
        findings.push(match is_met {
            true => Ok(kind.to_string()),
            false => Err(format!("it holds {kind} values; {expected} ones are expected")),
        });
    }
    if rule.unique {
        findings.push(unique(values));
    }
    if rule.min.is_some() || rule.max.is_some() {
        findings.push(range(values, kind, rule));
    }
    if let Some(levels) = &rule.levels {
        findings.push(allowed(values, levels));
    }
    let wrong: Vec<&str> = findings.iter().filter_map(|f| f.as_ref().err()).map(String::as_str).collect();
    match wrong.is_empty() {
        false => (false, wrong.join("; ")),
        true => {
            let met: Vec<&str> = findings.iter().flatten().filter(|m| !m.is_empty()).map(String::as_str).collect();
            (true, if met.is_empty() { "it is there".to_owned() } else { met.join(", ") })
        }
    }
}

/// What was looked at, or what is wrong.
type Looked = Result<String, String>;

fn missing(column: &Column, most: Option<f64>) -> Looked {
    let Some(most) = most else { return Ok(String::new()) };
    let (n, missing) = (column.len(), (0..column.len()).filter(|row| column.is_missing(*row)).count());
    let share = missing as f64 / n.max(1) as f64;
    let said = match missing {
        0 => "none missing".to_owned(),
        _ => format!("{missing} of {n} values are missing ({} at most)", percent(most)),
    };
    if share <= most { Ok(said) } else { Err(said) }
}

/// Whether no value stands twice. Missing ones do not count.
fn unique(column: &Column) -> Looked {
    let mut first: HashMap<u64, usize> = HashMap::with_capacity(column.len());
    let (mut twice, mut example) = (0_usize, None);
    for row in (0..column.len()).filter(|row| !column.is_missing(*row)) {
        let key = match column {
            Column::Category(category) => u64::from(category.codes[row]),
            Column::Integer(values) | Column::Timestamp(values) => values[row] as u64,
            // Both zeros are one value.
            Column::Float(values) => (values[row] + 0.0).to_bits(),
        };
        if let Some(earlier) = first.insert(key, row) {
            twice += 1;
            example.get_or_insert((earlier, row));
        }
    }
    match example {
        None => Ok("each once".to_owned()),
        Some((earlier, row)) => Err(format!(
            "{} of {} rows hold a value that stood before: `{}` is in rows {} and {}",
            twice,
            column.len(),
            shown(column, row),
            earlier + 1,
            row + 1
        )),
    }
}

fn range(column: &Column, kind: Kind, rule: &ColumnRule) -> Looked {
    if !kind.is_numeric() {
        return Err(format!("it holds {kind} values; min and max are about numbers (conditions compare the rest)"));
    }
    let bounds = match (rule.min, rule.max) {
        (Some(min), Some(max)) => format!("{} to {}", shortest(min), shortest(max)),
        (Some(min), None) => format!("{} or more", shortest(min)),
        (_, max) => format!("{} or less", shortest(max.unwrap_or_default())),
    };
    let is_outside = |row: &usize| {
        let x = column.number(*row);
        rule.min.is_some_and(|min| x < min) || rule.max.is_some_and(|max| x > max)
    };
    tell_odd(column, is_outside, &bounds)
}

fn allowed(column: &Column, levels: &[Value]) -> Looked {
    let spelled: Vec<String> = levels.iter().map(spelling).collect();
    let is_known = |text: &str| spelled.iter().any(|level| level == text);
    let bounds = format!("one of {}", suggest::shorten(spelled.iter().map(String::as_str)));
    match column {
        Column::Category(category) => {
            let known: Vec<bool> = category.levels.iter().map(is_known).collect();
            let is_odd = |row: &usize| category.codes[*row] != MISSING_CODE && !known[category.codes[*row] as usize];
            tell_odd(column, is_odd, &bounds)
        }
        _ => tell_odd(column, |row| !column.is_missing(*row) && !is_known(&shown(column, *row)), &bounds),
    }
}

/// How a level of a test file is spelled in data.
pub(super) fn spelling(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(number) => shortest(*number),
        other => other.to_string(),
    }
}

/// Which rows hold what they should not, with the first.
fn tell_odd(column: &Column, is_odd: impl Fn(&usize) -> bool, bounds: &str) -> Looked {
    let odd: Vec<usize> = (0..column.len()).filter(is_odd).collect();
    match odd.first() {
        None => Ok(bounds.to_owned()),
        Some(first) => Err(format!(
            "{} of {} rows are not {bounds}: `{}` in row {}",
            odd.len(),
            column.len(),
            shown(column, *first),
            first + 1
        )),
    }
}

/// A value for a person.
pub(super) fn shown(column: &Column, row: usize) -> String {
    match column {
        _ if column.is_missing(row) => "missing".to_owned(),
        Column::Category(category) => {
            let text = category.get(row).unwrap_or_default();
            let more = if text.chars().nth(SHOWN).is_some() { "…" } else { "" };
            text.chars().take(SHOWN).collect::<String>() + more
        }
        Column::Timestamp(values) => tabwright_data::format_timestamp(values[row]),
        Column::Integer(values) => values[row].to_string(),
        Column::Float(values) => shortest(values[row]),
    }
}

fn condition(table: &Table, rule: &Condition) -> Found {
    let (n, least) = (table.n_rows(), *rule.share.get_ref());
    let all: Vec<u32> = (0..n as u32).collect();
    // The data may lack a column that the condition names: that is a finding, with its place.
    let held = match slice::rows_of(table, &all, rule.holds.get_ref()) {
        Ok(held) => held,
        Err(error) => return Ok((false, error.to_string())),
    };
    if held.len() == n {
        return Ok((true, format!("for all {n} rows")));
    }
    let first = (0..n as u32).find(|row| held.binary_search(row).is_err()).unwrap_or_default() + 1;
    let asked = if least == 1.0 { "all should".to_owned() } else { format!("{} at least", percent(least)) };
    let message = format!("for {} of {n} rows ({asked}); the first without is row {first}", held.len());
    Ok((held.len() as f64 >= least * n as f64, message))
}

/// A share for a person.
pub(super) fn percent(share: f64) -> String {
    format!("{}%", shortest((share * 1e4).round() / 1e2))
}
