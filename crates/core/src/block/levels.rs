//! The distinct strings of a column, and how they are found.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::MISSING_CODE;

/// Levels up to which one is found by looking at each: a row of a request has one, and a table of hashes costs more.
const FEW_LEVELS: usize = 8;

/// Bytes of text whose memory is not kept when levels are used again.
const LARGE: usize = 4096;

/// The distinct strings of a column, each with a code: its position. Cheap to clone by `Arc`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels {
    text: String,
    ends: Vec<usize>,
}

impl Levels {
    /// How many levels there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The level of a code.
    ///
    /// # Panics
    /// If there is no such code.
    pub fn get(&self, code: u32) -> &str {
        let code = code as usize;
        let start = if code == 0 { 0 } else { self.ends[code - 1] };
        &self.text[start..self.ends[code]]
    }

    /// Every level, by code.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len() as u32).map(|code| self.get(code))
    }

    /// The codes in the byte order of their levels.
    pub fn sorted(&self) -> Vec<u32> {
        let mut codes: Vec<u32> = (0..self.len() as u32).collect();
        codes.sort_unstable_by(|&a, &b| self.get(a).cmp(self.get(b)));
        codes
    }

    /// Takes all levels away, to begin anew on their memory; that of a large text is given back.
    pub fn clear(&mut self) {
        if self.text.capacity() > LARGE {
            *self = Levels::default();
        }
        self.text.clear();
        self.ends.clear();
    }

    fn find_among_few(&self, level: &str) -> Option<u32> {
        (0..self.len() as u32).find(|&code| self.get(code) == level)
    }

    fn push(&mut self, level: &str) -> u32 {
        let code = self.ends.len() as u32;
        assert!(code < MISSING_CODE, "invariant: a column has fewer than 2^32 - 1 rows, so fewer levels");
        self.text.push_str(level);
        self.ends.push(self.text.len());
        code
    }
}

impl<S: AsRef<str>> FromIterator<S> for Levels {
    /// Takes the strings as they come; the caller sees to it that they are distinct.
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let mut levels = Levels::default();
        for s in strings {
            levels.push(s.as_ref());
        }
        levels
    }
}

/// Finds levels, which lie elsewhere: few by looking at each, many by their hashes. It begins with no levels, and knows those that
/// were pushed through it.
#[derive(Debug, Clone, Default)]
pub struct LevelIndex {
    /// Absent while there are few.
    hashes: Option<Box<Hashes>>,
}

#[derive(Debug, Clone, Default)]
struct Hashes {
    codes: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Hashes {
    fn insert(&mut self, levels: &Levels, code: u32) {
        let hash = |code: u32| self.hasher.hash_one(levels.get(code));
        self.codes.insert_unique(hash(code), code, |&code| hash(code));
    }
}

impl LevelIndex {
    /// The code of a level, if it is known.
    pub fn find(&self, levels: &Levels, level: &str) -> Option<u32> {
        match &self.hashes {
            None => levels.find_among_few(level),
            Some(hashes) => {
                let hash = hashes.hasher.hash_one(level);
                hashes.codes.find(hash, |&code| levels.get(code) == level).copied()
            }
        }
    }

    /// Appends a level that is not known yet, and returns its code.
    pub fn push(&mut self, levels: &mut Levels, level: &str) -> u32 {
        let code = levels.push(level);
        match &mut self.hashes {
            Some(hashes) => hashes.insert(levels, code),
            None if levels.len() > FEW_LEVELS => {
                let hashes = self.hashes.insert(Box::default());
                (0..=code).for_each(|code| hashes.insert(levels, code));
            }
            None => {}
        }
        code
    }
}

/// Collects levels in the order in which they are first seen.
#[derive(Debug, Clone, Default)]
pub struct LevelsBuilder {
    levels: Levels,
    index: LevelIndex,
}

impl LevelsBuilder {
    /// The code of a level, new or known.
    pub fn intern(&mut self, level: &str) -> u32 {
        match self.index.find(&self.levels, level) {
            Some(code) => code,
            None => self.index.push(&mut self.levels, level),
        }
    }

    /// The code of a level, if it is known.
    pub fn find(&self, level: &str) -> Option<u32> {
        self.index.find(&self.levels, level)
    }

    /// How many levels there are so far.
    pub fn len(&self) -> usize {
        self.levels.len()
    }

    /// Whether there are none so far.
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The levels so far.
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// Ends the collection.
    pub fn finish(self) -> Levels {
        self.levels
    }
}
