//! Columns that repeat others, and rows that stand on both sides of a split.

use super::identifier_like;
use crate::random::mix;
use crate::split::{Split, cell_hash, level_hashes, row_hashes};
use crate::{Code, Column, Role, RowSet, Table, Warning};

/// A number of the values of a column in the order of the rows: two columns that share it are equal, but for a chance
/// of 2⁻⁶⁴.
pub(super) fn fingerprint(column: &Column, set: RowSet<'_>) -> u64 {
    let levels = level_hashes(column);
    set.iter().fold(0, |state, row| mix(state ^ cell_hash(column, &levels, row)).wrapping_add(state))
}

/// Pairs every column that repeats an earlier one with the first of its kind.
pub(super) fn twins(mut fingerprints: Vec<(u64, usize)>) -> Vec<(usize, usize)> {
    fingerprints.sort_unstable();
    let mut twins: Vec<(usize, usize)> = fingerprints
        .chunk_by(|a, b| a.0 == b.0)
        .flat_map(|same| same[1..].iter().map(|(_, twin)| (*twin, same[0].1)))
        .collect();
    twins.sort_unstable();
    twins
}

/// Counts the rows of the validation and test parts that equal a row of the training part in every column, identifiers
/// and ignored columns apart.
pub fn duplicate_rows(table: &Table, split: &Split) -> Option<Warning> {
    let all = RowSet::Range(0, table.n_rows());
    let tells_rows_apart = |position: usize| {
        let field = &table.schema().fields()[position];
        matches!(field.role, Role::Id | Role::Ignored)
            || (field.role == Role::Feature && identifier_like(field, table.column(position), all).is_some())
    };
    let is_told = |(position, field): (usize, &crate::Field)| field.role != Role::Target && !tells_rows_apart(position);
    if !table.schema().fields().iter().enumerate().any(is_told) {
        return None;
    }
    repeated_rows(&row_hashes(table, |position| !tells_rows_apart(position)), split)
}

/// Counts the rows of the validation and test parts whose hash is that of a row of the training part.
pub fn repeated_rows(hashes: &[u64], split: &Split) -> Option<Warning> {
    let mut train: Vec<u64> = split.train.iter().map(|&row| hashes[row as usize]).collect();
    train.sort_unstable();
    let repeated =
        |part: &[u32]| part.iter().filter(|&&row| train.binary_search(&hashes[row as usize]).is_ok()).count();
    let found: Vec<String> = [("test", &split.test), ("validation", &split.validation)]
        .into_iter()
        .map(|(name, part)| (name, part.len(), repeated(part)))
        .filter(|(_, _, count)| *count > 0)
        .map(|(name, n, count)| format!("{count} of {n} {name} rows ({:.1}%)", count as f64 / n as f64 * 100.0))
        .collect();
    (!found.is_empty()).then(|| {
        let message = format!(
            "{} equal a training row in the target and every column but identifiers; if they are copies, scores on them flatter, and `split.duplicates = \"together\"` keeps equal rows on one side",
            found.join(" and ")
        );
        Warning::general(Code::DuplicateRows, message)
    })
}
