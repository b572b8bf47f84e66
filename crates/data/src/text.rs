//! Columns of strings while they are read: a dictionary for each piece, merged in the order of the pieces.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};
use tabwright_core::block::MISSING_CODE;
use tabwright_core::{Category, LevelsBuilder};

/// Cells after which a piece's dictionary is judged.
const TRIAL: usize = 1024;

/// The strings of one piece of a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextPart {
    codes: Vec<u32>,
    text: String,
    ends: Vec<usize>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Most cells are distinct: looking them up here as well as in the whole column would be work for nothing.
    distinct: bool,
}

impl TextPart {
    /// So many missing cells.
    pub(crate) fn missing(rows: usize) -> Self {
        TextPart { codes: vec![MISSING_CODE; rows], ..TextPart::default() }
    }

    /// Appends a missing cell.
    #[inline]
    pub(crate) fn push_missing(&mut self) {
        self.codes.push(MISSING_CODE);
    }

    /// Appends a cell.
    #[inline]
    pub(crate) fn push(&mut self, cell: &str) {
        if self.distinct {
            let code = self.store(cell);
            self.codes.push(code);
            return;
        }
        let hash = self.hasher.hash_one(cell.as_bytes());
        let (text, ends) = (&self.text, &self.ends);
        let code = match self.table.find(hash, |&c| level(text, ends, c) == cell.as_bytes()) {
            Some(&code) => code,
            None => {
                let code = self.store(cell);
                let (text, ends, hasher) = (&self.text, &self.ends, &self.hasher);
                self.table.insert_unique(hash, code, |&c| hasher.hash_one(level(text, ends, c)));
                code
            }
        };
        self.codes.push(code);
        if self.codes.len() == TRIAL && self.ends.len() > TRIAL / 2 {
            self.distinct = true;
            self.table = HashTable::new();
        }
    }

    fn store(&mut self, cell: &str) -> u32 {
        let code = self.ends.len() as u32;
        self.text.push_str(cell);
        self.ends.push(self.text.len());
        code
    }

    /// The string of a code. Two codes may have one string.
    fn get(&self, code: u32) -> &str {
        let start = if code == 0 { 0 } else { self.ends[code as usize - 1] };
        &self.text[start..self.ends[code as usize]]
    }
}

fn level<'a>(text: &'a str, ends: &[usize], code: u32) -> &'a [u8] {
    let start = if code == 0 { 0 } else { ends[code as usize - 1] };
    &text.as_bytes()[start..ends[code as usize]]
}

/// The strings of a whole column so far.
#[derive(Debug, Default)]
pub(crate) struct TextColumn {
    codes: Vec<u32>,
    levels: LevelsBuilder,
}

impl TextColumn {
    /// So many missing cells.
    pub(crate) fn missing(rows: usize) -> Self {
        TextColumn { codes: vec![MISSING_CODE; rows], levels: LevelsBuilder::default() }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.codes.len()
    }

    /// Appends a piece.
    pub(crate) fn append(&mut self, part: &TextPart) {
        if part.distinct {
            let codes = part.codes.iter().map(|&code| match code {
                MISSING_CODE => MISSING_CODE,
                code => self.levels.intern(part.get(code)),
            });
            self.codes.extend(codes);
            return;
        }
        let map: Vec<u32> = (0..part.ends.len() as u32).map(|code| self.levels.intern(part.get(code))).collect();
        self.codes.extend(part.codes.iter().map(|&code| if code == MISSING_CODE { code } else { map[code as usize] }));
    }

    /// Makes room for so many rows in all.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.codes.reserve(rows.saturating_sub(self.codes.len()));
    }

    /// Appends missing cells.
    pub(crate) fn push_missing(&mut self, rows: usize) {
        self.codes.resize(self.codes.len() + rows, MISSING_CODE);
    }

    /// Ends the collection. Codes follow the order of first appearance.
    pub(crate) fn finish(self) -> Category {
        let mut codes = self.codes;
        codes.shrink_to_fit();
        Category { codes, levels: Arc::new(self.levels.finish()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_make_the_same_column_as_the_whole(
            cells in prop::collection::vec(prop::option::of(0..3000_u32), 0..4000),
            cut in 1..3000_usize,
        ) {
            let text: Vec<Option<String>> = cells.iter().map(|c| c.map(|n| format!("level {n}"))).collect();
            let expected = Category::from_strings(text.iter().map(Option::as_deref));
            let mut column = TextColumn::default();
            for piece in text.chunks(cut) {
                let mut part = TextPart::default();
                for cell in piece {
                    match cell {
                        Some(cell) => part.push(cell),
                        None => part.push_missing(),
                    }
                }
                column.append(&part);
            }
            let column = column.finish();
            prop_assert_eq!(column.codes, expected.codes);
            prop_assert_eq!(column.levels, expected.levels);
        }
    }
}
