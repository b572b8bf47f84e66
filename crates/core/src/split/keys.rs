//! Keys of rows: hashes of what a row is, the same whatever the order of rows and columns, the physical type of a
//! column and the number of threads.

use rayon::prelude::*;

use crate::block::{MISSING_CODE, MISSING_INTEGER};
use crate::random::{Keyed, Purpose, hash_bytes, mix};
use crate::rows::BLOCK_ROWS;
use crate::{Column, Levels, Role, Table, Targets, numeric};

/// Key of the hashes of names and strings: fixed, so that the hash of a row does not depend on any seed.
const HASH_KEY: u64 = 0x7461_6277_7269_6768;

/// What a missing cell adds to the hash of its row: nothing, so that an empty column changes no row.
const MISSING_HASH: u64 = 0;

/// Whether equal rows may part ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// Equal rows are told apart by the number of equal rows before them, and fall anywhere.
    #[default]
    Apart,
    /// Equal rows stay on one side.
    Together,
}

/// What a row is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowIdentity {
    /// All cells, except those of ignored columns.
    Cells(Duplicates),
    /// The column at this position: an id, or a group. Rows that lack it are known by their cells.
    Column(usize),
}

/// Draws a key for every row: equal rows, in any order and of any physical type, have equal keys on any machine.
///
/// The rows count from 0 to `u32::MAX`.
///
/// # Determinism
/// A key depends on the seed, the purpose and the row's own cells (and on how many equal rows there are, for
/// [`Duplicates::Apart`]), not on the order of rows or columns or the number of threads.
pub fn row_keys(table: &Table, seed: u64, purpose: Purpose, by: RowIdentity) -> Vec<u64> {
    let keyed = Keyed::new(seed, purpose);
    match by {
        RowIdentity::Cells(duplicates) => {
            let mut hashes = cells_hashes(table);
            if duplicates == Duplicates::Apart {
                number_equal_rows(&mut hashes, |_| true);
            }
            hashes.par_iter_mut().for_each(|hash| *hash = keyed.bits(*hash));
            hashes
        }
        RowIdentity::Column(position) => {
            let column = table.column(position);
            // The name of the column is not part of the hash: a group is the same under another name.
            let mut hashes = vec![0; table.n_rows()];
            add_column(&mut hashes, column, 0);
            if (0..column.len()).any(|row| column.is_missing(row)) {
                let mut cells = cells_hashes(table);
                number_equal_rows(&mut cells, |row| column.is_missing(row));
                for (row, hash) in hashes.iter_mut().enumerate() {
                    if column.is_missing(row) {
                        *hash = cells[row];
                    }
                }
            }
            hashes.par_iter_mut().for_each(|hash| *hash = keyed.bits(*hash));
            hashes
        }
    }
}

/// The hash of every row over all columns that are not ignored, those that the table leaves out included.
fn cells_hashes(table: &Table) -> Vec<u64> {
    let is_told = |position: usize| table.schema().fields()[position].role != Role::Ignored;
    table.row_hashes().map_or_else(|| row_hashes(table, is_told), <[u64]>::to_vec)
}

/// Rows by class. The rows of an id (or group) that has several classes go with the first of them, so that they can be
/// kept together.
pub(super) fn rows_by_class(
    n_classes: usize,
    targets: &Targets,
    rows: impl Iterator<Item = u32>,
    (keys, by): (&[u64], RowIdentity),
) -> Vec<Vec<u32>> {
    let class = |row: u32| targets.values[row as usize] as usize;
    let mut classes = vec![Vec::new(); n_classes];
    if let RowIdentity::Cells(_) = by {
        // Equal rows have equal targets.
        rows.for_each(|row| classes[class(row)].push(row));
        return classes;
    }
    let mut ranked: Vec<(u64, usize, u32)> = rows.map(|row| (keys[row as usize], class(row), row)).collect();
    ranked.sort_unstable();
    for same_key in ranked.chunk_by(|a, b| a.0 == b.0) {
        classes[same_key[0].1].extend(same_key.iter().map(|(_, _, row)| row));
    }
    classes.iter_mut().for_each(|rows| rows.sort_unstable());
    classes
}

/// Hashes every row over the columns that `keep` chooses by position: equal rows have equal hashes.
pub fn row_hashes(table: &Table, keep: impl Fn(usize) -> bool) -> Vec<u64> {
    let mut hashes = vec![0; table.n_rows()];
    for (position, field) in table.schema().fields().iter().enumerate() {
        if keep(position) {
            add_column(&mut hashes, table.column(position), hash_bytes(HASH_KEY, field.name.as_bytes()));
        }
    }
    hashes
}

/// Hashes the levels of a column, if it has any: what [`cell_hash`] needs.
pub(crate) fn level_hashes(column: &Column) -> Vec<u64> {
    match column {
        Column::Category(c) => hash_levels(&c.levels, 0),
        _ => Vec::new(),
    }
}

/// Hashes a cell; 0 is missing.
pub(crate) fn cell_hash(column: &Column, level_hashes: &[u64], row: usize) -> u64 {
    match column {
        Column::Float(v) => hash_float(v[row], 0),
        Column::Integer(v) | Column::Timestamp(v) => hash_integer(v[row], 0),
        Column::Category(c) => level_hashes.get(c.codes[row] as usize).copied().unwrap_or(MISSING_HASH),
    }
}

/// Adds the hashes of a column's cells to the hashes of the rows. Sums do not depend on the order of the columns.
fn add_column(hashes: &mut [u64], column: &Column, key: u64) {
    let level_hashes: Vec<u64> = match column {
        Column::Category(c) => hash_levels(&c.levels, key),
        _ => Vec::new(),
    };
    hashes.par_chunks_mut(BLOCK_ROWS).enumerate().for_each(|(block, hashes)| {
        let start = block * BLOCK_ROWS;
        let rows = start..start + hashes.len();
        match column {
            Column::Float(values) => {
                for (hash, &value) in hashes.iter_mut().zip(&values[rows]) {
                    *hash = hash.wrapping_add(hash_float(value, key));
                }
            }
            Column::Integer(values) | Column::Timestamp(values) => {
                for (hash, &value) in hashes.iter_mut().zip(&values[rows]) {
                    *hash = hash.wrapping_add(hash_integer(value, key));
                }
            }
            Column::Category(c) => {
                for (hash, &code) in hashes.iter_mut().zip(&c.codes[rows]) {
                    let add = if code == MISSING_CODE { MISSING_HASH } else { level_hashes[code as usize] };
                    *hash = hash.wrapping_add(add);
                }
            }
        }
    });
}

pub(crate) fn hash_float(value: f64, key: u64) -> u64 {
    if value.is_nan() {
        return MISSING_HASH;
    }
    mix(mix(numeric::canonical(value).to_bits() ^ HASH_KEY).wrapping_add(key))
}

pub(crate) fn hash_integer(value: i64, key: u64) -> u64 {
    if value == MISSING_INTEGER {
        return MISSING_HASH;
    }
    let float = value as f64;
    if float as i128 == i128::from(value) {
        hash_float(float, key)
    } else {
        // No float equals it, so it needs to agree with none.
        mix(mix(value as u64 ^ !HASH_KEY).wrapping_add(key))
    }
}

/// Hashes levels by their strings. A level that is the shortest form of a number hashes as that number: a column of
/// numbers that becomes a category when the table grows keeps its rows in place.
fn hash_levels(levels: &Levels, key: u64) -> Vec<u64> {
    (0..levels.len() as u32)
        .into_par_iter()
        .map(|code| {
            let level = levels.get(code);
            match as_number(level) {
                Some(value) => hash_float(value, key),
                None => mix(hash_bytes(HASH_KEY, level.as_bytes()).wrapping_add(key)),
            }
        })
        .collect()
}

fn as_number(level: &str) -> Option<f64> {
    if level.len() > 24 || !level.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return None;
    }
    let value: f64 = level.parse().ok()?;
    (value.is_finite() && level != "-0" && value.to_string() == level).then_some(value)
}

/// Tells equal hashes apart by the number of equal ones before them, among the rows that `among` chooses.
fn number_equal_rows(hashes: &mut [u64], among: impl Fn(usize) -> bool) {
    let mut order: Vec<(u64, u32)> =
        hashes.iter().enumerate().filter(|(row, _)| among(*row)).map(|(row, &hash)| (hash, row as u32)).collect();
    order.par_sort_unstable();
    let mut count = 0;
    for pair in order.windows(2) {
        count = if pair[0].0 == pair[1].0 { count + 1 } else { 0 };
        if count > 0 {
            hashes[pair[1].1 as usize] = mix(pair[1].0 ^ mix(count));
        }
    }
}
