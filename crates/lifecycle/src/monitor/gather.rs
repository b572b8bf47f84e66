//! Puts columns together that come piece by piece, each piece with levels of its own.

use std::collections::HashMap;
use std::sync::Arc;

use tabwright_core::block::{MISSING_CODE, MISSING_INTEGER, integer_to_number};
use tabwright_core::{Category, Column};

/// A column that grows.
#[derive(Debug, Clone)]
pub(crate) enum Growing {
    Float(Vec<f64>),
    Integer(Vec<i64>),
    Timestamp(Vec<i64>),
    Category { codes: Vec<u32>, levels: Vec<String>, known: HashMap<String, u32> },
}

impl Growing {
    /// An empty column of the form of another.
    pub(crate) fn like(column: &Column) -> Self {
        match column {
            Column::Float(_) => Growing::Float(Vec::new()),
            Column::Integer(_) => Growing::Integer(Vec::new()),
            Column::Timestamp(_) => Growing::Timestamp(Vec::new()),
            Column::Category(_) => Growing::Category { codes: Vec::new(), levels: Vec::new(), known: HashMap::new() },
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Growing::Float(values) => values.len(),
            Growing::Integer(values) | Growing::Timestamp(values) => values.len(),
            Growing::Category { codes, .. } => codes.len(),
        }
    }

    /// Appends rows of a piece: whole numbers become floats where a piece has fractions. What is of another form is missing.
    pub(crate) fn push(&mut self, column: &Column, rows: &[u32]) {
        if let (Growing::Integer(values), Column::Float(_)) = (&*self, column) {
            *self = Growing::Float(values.iter().map(|v| integer_to_number(*v)).collect());
        }
        let rows = rows.iter().map(|row| *row as usize);
        match (self, column) {
            (Growing::Float(all), Column::Float(_) | Column::Integer(_)) => {
                all.extend(rows.map(|row| column.number(row)))
            }
            (Growing::Integer(all), Column::Integer(values)) | (Growing::Timestamp(all), Column::Timestamp(values)) => {
                all.extend(rows.map(|row| values[row]));
            }
            (Growing::Category { codes, levels, known }, Column::Category(piece)) => {
                let mut code_of: Vec<Option<u32>> = vec![None; piece.levels.len()];
                codes.extend(rows.map(|row| match piece.get(row) {
                    None => MISSING_CODE,
                    Some(level) => *code_of[piece.codes[row] as usize].get_or_insert_with(|| {
                        *known.entry(level.to_owned()).or_insert_with(|| {
                            levels.push(level.to_owned());
                            (levels.len() - 1) as u32
                        })
                    }),
                }));
            }
            (all, _) => all.push_missing(rows.count()),
        }
    }

    /// Appends rows without a value.
    pub(crate) fn push_missing(&mut self, count: usize) {
        match self {
            Growing::Float(values) => values.resize(values.len() + count, f64::NAN),
            Growing::Integer(values) | Growing::Timestamp(values) => {
                values.resize(values.len() + count, MISSING_INTEGER);
            }
            Growing::Category { codes, .. } => codes.resize(codes.len() + count, MISSING_CODE),
        }
    }

    /// Keeps the rows that are marked.
    pub(crate) fn retain(&mut self, kept: &[bool]) {
        fn some<T: Copy>(values: &mut Vec<T>, kept: &[bool]) {
            let mut row = 0;
            values.retain(|_| {
                row += 1;
                kept[row - 1]
            });
        }
        match self {
            Growing::Float(values) => some(values, kept),
            Growing::Integer(values) | Growing::Timestamp(values) => some(values, kept),
            Growing::Category { codes, .. } => some(codes, kept),
        }
    }

    pub(crate) fn finish(self) -> Column {
        match self {
            Growing::Float(values) => Column::Float(values),
            Growing::Integer(values) => Column::Integer(values),
            Growing::Timestamp(values) => Column::Timestamp(values),
            Growing::Category { codes, levels, .. } => {
                Column::Category(Category { codes, levels: Arc::new(levels.iter().collect()) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_with_levels_of_their_own_become_one_column() {
        let piece = |values: &[Option<&str>]| Column::Category(Category::from_strings(values.iter().copied()));
        let first = piece(&[Some("b"), None, Some("a")]);
        let mut all = Growing::like(&first);
        all.push(&first, &[0, 1, 2]);
        all.push(&piece(&[Some("a"), Some("c")]), &[1, 0]);
        all.push_missing(1);
        all.push(&Column::Float(vec![1.0]), &[0]);
        all.retain(&[true, true, true, true, true, false, true]);
        let Column::Category(column) = all.finish() else { panic!("a category") };
        let texts: Vec<_> = (0..column.codes.len()).map(|row| column.get(row)).collect();
        assert_eq!(texts, [Some("b"), None, Some("a"), Some("c"), Some("a"), None]);
    }

    #[test]
    fn whole_numbers_become_floats_when_fractions_come() {
        let mut all = Growing::like(&Column::Integer(vec![]));
        all.push(&Column::Integer(vec![1, MISSING_INTEGER]), &[0, 1]);
        all.push(&Column::Float(vec![0.5]), &[0]);
        all.push(&Column::Integer(vec![7]), &[0]);
        let Column::Float(values) = all.finish() else { panic!("floats") };
        assert!(values[0] == 1.0 && values[1].is_nan() && values[2..] == [0.5, 7.0]);
    }
}
