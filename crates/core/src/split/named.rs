//! Parts that a column of the table names.

use super::Part;
use crate::{Column, Error, Result, Table};

/// Words that name a part, in any case.
const WORDS: [(Part, &[&str]); 3] = [
    (Part::Train, &["train", "training"]),
    (Part::Validation, &["validation", "val", "valid", "dev"]),
    (Part::Test, &["test", "testing", "holdout"]),
];

fn part_of(word: &str) -> Option<Part> {
    let word = word.trim();
    WORDS.iter().find(|(_, words)| words.iter().any(|w| w.eq_ignore_ascii_case(word))).map(|(part, _)| *part)
}

pub(super) fn parts(table: &Table, position: usize) -> Result<Vec<Part>> {
    let name = &table.schema().fields()[position].name;
    let accepted = || WORDS.iter().flat_map(|(_, words)| words.iter().copied()).collect::<Vec<_>>().join(", ");
    let refuse = |found: String, row: usize| {
        let message = format!(
            "the split column `{name}` has {found} in row {}; accepted are {} (in any case)",
            row + 1,
            accepted()
        );
        Error::Unusable { message }
    };
    let column = table.column(position);
    let Column::Category(category) = column else {
        let row = (0..column.len()).find(|&row| !column.is_missing(row)).unwrap_or(0);
        return Err(refuse(format!("the number {}", column.number(row)), row));
    };
    let parts: Vec<Option<Part>> = category.levels.iter().map(part_of).collect();
    (0..column.len())
        .map(|row| {
            let level = category.get(row).ok_or_else(|| refuse("no value".into(), row))?;
            parts[category.codes[row] as usize].ok_or_else(|| refuse(format!("`{level}`"), row))
        })
        .collect()
}
