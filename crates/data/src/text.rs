//! Columns of strings while they are read: a dictionary for each piece, merged in the order of the pieces.

use std::hash::BuildHasher;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use hashbrown::{DefaultHashBuilder, HashTable};
use tabwright_core::block::MISSING_CODE;
use tabwright_core::{Category, Levels};

/// Cells after which a piece's dictionary is judged.
const TRIAL: usize = 1024;

/// Bytes of levels that are stored together: they are handed over chunk by chunk, so that only one is held twice. Above
/// 32 MB the usual allocators give memory back to the system at once.
const CHUNK: usize = if cfg!(test) { 1 << 10 } else { 40 << 20 };

/// One hasher for all: the hashes of a piece serve the whole column. Nothing that is kept depends on them.
static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

fn hash(cell: &str) -> u32 {
    (HASHER.hash_one(cell.as_bytes()) >> 32) as u32
}

/// Spreads a hash over the bits that the table looks at.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Codes with the hashes of their strings: a growing table need not look at the strings again.
type Table = HashTable<(u32, u32)>;

/// Strings, one after the other.
#[derive(Debug, Clone, Default)]
struct Strings {
    text: String,
    ends: Vec<usize>,
}

impl Strings {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }
}

/// The strings of one piece of a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextPart {
    codes: Vec<u32>,
    strings: Strings,
    hashes: Vec<u32>,
    table: Table,
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
        let hash = hash(cell);
        if !self.distinct {
            let is_same = |&(h, code): &(u32, u32)| h == hash && self.strings.get(code as usize) == cell;
            if let Some(&(_, code)) = self.table.find(spread(hash), is_same) {
                self.codes.push(code);
                return;
            }
        }
        let code = self.strings.len() as u32;
        self.strings.push(cell);
        self.hashes.push(hash);
        self.codes.push(code);
        if !self.distinct {
            self.table.insert_unique(spread(hash), (hash, code), |&(h, _)| spread(h));
            if self.codes.len() >= TRIAL && 2 * self.strings.len() > self.codes.len() {
                self.distinct = true;
                self.table = Table::new();
            }
        }
    }

    /// Whether any cell has a string.
    pub(crate) fn has_value(&self) -> bool {
        self.strings.len() > 0
    }

    /// Lets go of what is only needed while the piece grows.
    pub(crate) fn seal(&mut self) {
        self.table = Table::new();
    }
}

/// The strings of a whole column so far.
#[derive(Debug, Default)]
pub(crate) struct TextColumn {
    codes: Codes,
    /// The levels by code, with the code of each chunk's first.
    chunks: Vec<(u32, Strings)>,
    n_levels: usize,
    table: Table,
}

/// The code of every row, or what a survey keeps of them.
#[derive(Debug)]
enum Codes {
    Kept(Vec<u32>),
    Counted { rows: usize, tally: LevelTally },
}

impl Default for Codes {
    fn default() -> Self {
        Codes::Kept(Vec::new())
    }
}

/// How often each level occurs, and where it is met first.
#[derive(Debug, Default)]
pub(crate) struct LevelTally {
    /// Rows, by code.
    pub(crate) counts: Vec<u64>,
    /// The first row, by code.
    pub(crate) first_rows: Vec<usize>,
}

impl LevelTally {
    /// Counts the codes of a column of `n_levels` levels.
    pub(crate) fn of(codes: &[u32], n_levels: usize) -> Self {
        let mut tally = LevelTally { counts: vec![0; n_levels], first_rows: vec![0; n_levels] };
        for (row, &code) in codes.iter().enumerate().filter(|(_, code)| **code != MISSING_CODE) {
            tally.add(code, row);
        }
        tally
    }

    fn add(&mut self, code: u32, row: usize) {
        let code = code as usize;
        if code >= self.counts.len() {
            self.counts.resize(code + 1, 0);
            self.first_rows.resize(code + 1, 0);
        }
        if self.counts[code] == 0 {
            self.first_rows[code] = row;
        }
        self.counts[code] += 1;
    }
}

impl TextColumn {
    /// So many missing cells. `keeps` says whether the rows are held, or only counted by level.
    pub(crate) fn missing(rows: usize, keeps: bool) -> Self {
        let codes = match keeps {
            true => Codes::Kept(vec![MISSING_CODE; rows]),
            false => Codes::Counted { rows, tally: LevelTally::default() },
        };
        TextColumn { codes, ..TextColumn::default() }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        match &self.codes {
            Codes::Kept(codes) => codes.len(),
            Codes::Counted { rows, .. } => *rows,
        }
    }

    /// Appends a piece.
    pub(crate) fn append(&mut self, part: &TextPart) {
        let map: Vec<u32> =
            part.hashes.iter().enumerate().map(|(i, &hash)| self.intern(part.strings.get(i), hash)).collect();
        let codes = part.codes.iter().map(|&code| if code == MISSING_CODE { code } else { map[code as usize] });
        match &mut self.codes {
            Codes::Kept(all) => all.extend(codes),
            Codes::Counted { rows, tally } => {
                for (i, code) in codes.enumerate().filter(|(_, code)| *code != MISSING_CODE) {
                    tally.add(code, *rows + i);
                }
                *rows += part.codes.len();
            }
        }
    }

    fn intern(&mut self, text: &str, hash: u32) -> u32 {
        let is_same = |&(h, code): &(u32, u32)| h == hash && level(&self.chunks, code) == text;
        if let Some(&(_, code)) = self.table.find(spread(hash), is_same) {
            return code;
        }
        let code = self.n_levels as u32;
        assert!(code < MISSING_CODE, "invariant: a column has fewer than 2^32 - 1 rows, so fewer levels");
        self.n_levels += 1;
        match self.chunks.last_mut() {
            Some((_, chunk)) if chunk.text.len() < CHUNK => chunk.push(text),
            _ => {
                let mut chunk = Strings::default();
                chunk.push(text);
                self.chunks.push((code, chunk));
            }
        }
        self.table.insert_unique(spread(hash), (hash, code), |&(h, _)| spread(h));
        code
    }

    /// Makes room for so many rows in all.
    pub(crate) fn reserve(&mut self, rows: usize) {
        if let Codes::Kept(codes) = &mut self.codes {
            codes.reserve(rows.saturating_sub(codes.len()));
        }
    }

    /// Appends missing cells.
    pub(crate) fn push_missing(&mut self, more: usize) {
        match &mut self.codes {
            Codes::Kept(codes) => codes.resize(codes.len() + more, MISSING_CODE),
            Codes::Counted { rows, .. } => *rows += more,
        }
    }

    /// How often each level occurs.
    pub(crate) fn tally(&mut self) -> LevelTally {
        match &mut self.codes {
            Codes::Kept(codes) => LevelTally::of(codes, self.n_levels),
            Codes::Counted { tally, .. } => std::mem::take(tally),
        }
    }

    /// Ends the collection. Codes follow the order of first appearance; there are none where rows were only counted.
    pub(crate) fn finish(self) -> Category {
        drop(self.table);
        let mut codes = match self.codes {
            Codes::Kept(codes) => codes,
            Codes::Counted { .. } => Vec::new(),
        };
        codes.shrink_to_fit();
        // Each chunk is let go when its last level is copied.
        let levels: Levels = self.chunks.into_iter().flat_map(|(_, chunk)| Level::all(chunk)).collect();
        Category { codes, levels: Arc::new(levels) }
    }
}

/// The string of a code.
fn level(chunks: &[(u32, Strings)], code: u32) -> &str {
    let index = chunks.partition_point(|(first, _)| *first <= code) - 1;
    let (first, chunk) = &chunks[index];
    chunk.get((code - first) as usize)
}

/// A level that keeps its chunk.
struct Level {
    chunk: Rc<Strings>,
    index: usize,
}

impl Level {
    fn all(chunk: Strings) -> impl Iterator<Item = Level> {
        let chunk = Rc::new(chunk);
        (0..chunk.len()).map(move |index| Level { chunk: Rc::clone(&chunk), index })
    }
}

impl AsRef<str> for Level {
    fn as_ref(&self) -> &str {
        self.chunk.get(self.index)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_make_the_same_column_as_the_whole(
            cells in prop::collection::vec(prop::option::of(0..20_000_u32), 0..40_000),
            cut in 100..30_000_usize,
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
