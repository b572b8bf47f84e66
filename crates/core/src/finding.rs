//! Findings: what is worth knowing about the columns of a table before and after a fit, as warnings.
//!
//! Pure functions over rows: they say what they saw, with the numbers, and what can be done; they change nothing.

use rayon::prelude::*;

use crate::{Code, Column, Field, Kind, Role, RowSet, Task, View, Warning, suggest};

mod duplicate;
mod identifier;
mod leak;

pub use duplicate::{duplicate_rows, repeated_rows};
pub use identifier::{WholeNumbers, identifier_like, identifier_tokens};

/// Share of missing values beyond which a column is nearly empty.
const NEARLY_EMPTY: f64 = 0.95;

/// Levels beyond which a category has very many.
const MANY_LEVELS: usize = 1_000;

/// Rows below which a class is rare.
const RARE_CLASS: u64 = 10;

/// Rows below which no score means much.
const FEW_ROWS: usize = 30;

/// Looks for everything that is odd about the feature columns of some rows, and about the target.
///
/// `target` is the position of the target column; leaks are sought where `task` says how to read it.
///
/// # Determinism
/// The same warnings in the same order (by column, then the general ones) on any number of threads.
pub fn findings(view: View<'_>, target: Option<usize>, task: Option<&Task>) -> Vec<Warning> {
    let table = view.table();
    let set = view.rows().set();
    if set.is_empty() {
        return Vec::new();
    }
    let targets = target.zip(task).map(|(position, task)| leak::KnownTarget::new(table.column(position), task, set));
    let fields = table.schema().fields();
    let by_column: Vec<ColumnFindings> = fields
        .par_iter()
        .enumerate()
        .map(|(position, field)| {
            if Some(position) == target || field.role != Role::Feature {
                return ColumnFindings::default();
            }
            look_at(field, table.column(position), set, targets.as_ref())
        })
        .collect();
    let distinct: Vec<(u64, usize)> =
        by_column.iter().enumerate().filter_map(|(position, f)| Some((f.fingerprint?, position))).collect();
    let twins = duplicate::twins(distinct);
    let mut warnings = Vec::new();
    for (position, found) in by_column.into_iter().enumerate() {
        warnings.extend(found.warnings);
        if let Ok(at) = twins.binary_search_by_key(&position, |(twin, _)| *twin) {
            let first = twins[at].1;
            let message =
                format!("it has the same values as `{}` in every row; one of the two is enough", fields[first].name);
            warnings.push(Warning::column(Code::DuplicateColumn, &fields[position].name, message));
        }
    }
    if let Some((known, position)) = targets.as_ref().zip(target) {
        warnings.extend(rare_classes(known, &fields[position].name));
    }
    if set.len() < FEW_ROWS {
        let message = format!("there are only {} rows: scores on parts of them say little", set.len());
        warnings.push(Warning::general(Code::FewRows, message));
    }
    warnings
}

#[derive(Default)]
struct ColumnFindings {
    warnings: Vec<Warning>,
    /// Of the values in the order of the rows; none for columns that say nothing.
    fingerprint: Option<u64>,
}

fn look_at(field: &Field, column: &Column, set: RowSet<'_>, target: Option<&leak::KnownTarget<'_>>) -> ColumnFindings {
    let mut warnings = Vec::new();
    let mut warn = |code, message: String| warnings.push(Warning::column(code, &field.name, message));
    let n = set.len();
    let missing = set.iter().filter(|&row| column.is_missing(row)).count();
    if missing == n {
        warn(Code::AllMissing, format!("all {n} values are missing; the column is left out"));
        return ColumnFindings { warnings, fingerprint: None };
    }
    if missing == 0 && is_constant(column, set) {
        warn(Code::Constant, format!("all {n} rows have the same value; the column is left out"));
        return ColumnFindings { warnings, fingerprint: None };
    }
    if missing as f64 > NEARLY_EMPTY * n as f64 {
        let share = missing as f64 / n as f64 * 100.0;
        warn(
            Code::NearlyEmpty,
            format!("{missing} of {n} values ({share:.1}%) are missing; little can be learned from it"),
        );
    }
    if let Column::Float(values) = column {
        let infinite = set.iter().filter(|&row| values[row].is_infinite()).count();
        if infinite > 0 {
            warn(Code::Infinite, format!("{infinite} of {n} values are infinite; check how they came about"));
        }
    }
    let identifier = identifier_like(field, column, set);
    if let Some(reason) = &identifier {
        let name = &field.name;
        warn(
            Code::IdentifierLike,
            format!("{reason}; it is left out of the features, `--role {name}=feature` keeps it"),
        );
    } else if field.kind == Kind::Text {
        warn(Code::TextLeftOut, "it holds free text and is left out: no model here reads text yet".into());
    } else if let Column::Category(category) = column
        && category.levels.len() > MANY_LEVELS
    {
        let levels = levels_in_use(column, set);
        if levels > MANY_LEVELS {
            warn(Code::ManyLevels, format!("it has {levels} levels in {n} rows; few rows tell about each"));
        }
    }
    if identifier.is_none()
        && field.kind != Kind::Text
        && let Some(leak) = target.and_then(|target| leak::leak(column, target))
    {
        let name = &field.name;
        warn(
            Code::TargetLeak,
            format!(
                "it alone almost gives the target away ({leak} on rows that it was not fitted on); if it is known only once the target is, leave it out with `--drop {name}`"
            ),
        );
    }
    ColumnFindings { warnings, fingerprint: Some(duplicate::fingerprint(column, set)) }
}

fn is_constant(column: &Column, set: RowSet<'_>) -> bool {
    let first = set.get(0);
    match column {
        Column::Float(v) => set.iter().all(|row| v[row] == v[first]),
        Column::Integer(v) | Column::Timestamp(v) => set.iter().all(|row| v[row] == v[first]),
        Column::Category(c) => set.iter().all(|row| c.codes[row] == c.codes[first]),
    }
}

fn levels_in_use(column: &Column, set: RowSet<'_>) -> usize {
    let Column::Category(category) = column else { return 0 };
    let mut used = vec![false; category.levels.len()];
    for row in set.iter() {
        if let Some(used) = used.get_mut(category.codes[row] as usize) {
            *used = true;
        }
    }
    used.into_iter().filter(|&used| used).count()
}

fn rare_classes(target: &leak::KnownTarget<'_>, name: &str) -> Option<Warning> {
    let rare: Vec<String> = target
        .class_counts()
        .into_iter()
        .filter(|(_, count)| (1..RARE_CLASS).contains(count))
        .map(|(label, count)| format!("`{label}` ({count})"))
        .collect();
    (!rare.is_empty()).then(|| {
        let classes = suggest::shorten(rare.iter().map(String::as_str));
        let message =
            format!("classes with fewer than {RARE_CLASS} rows: {classes}; what is measured on them says little");
        Warning::column(Code::RareClass, name, message)
    })
}

#[cfg(test)]
mod tests;
