//! Which entries have an id that is there twice. Hashes of all ids tell which ids may be, in as many passes as memory asks for; then
//! those alone are looked at.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use tabwright_core::{Block, Column};

use super::source::{Source, look_back};
use super::{Damage, ReadRequest, times_of};
use crate::error::Result;
use crate::predictions::schema::ID;
use crate::time::Micros;

/// Hashes that are held at a time: with those that a table leaves free, some 64 MB.
const AT_ONCE: u64 = 1 << 22;

/// The entries whose ids are there more than once.
#[derive(Debug, Default)]
pub(super) struct Twins {
    /// Of each such id the earliest: its time, its source and its row.
    first: HashMap<String, (Micros, usize, u64)>,
}

impl Twins {
    /// Looks at all rows of a window and of the day before it.
    pub(super) fn find(sources: &[Source], from: Micros, to: Micros, damage: &mut Vec<Damage>) -> Result<Self> {
        let about: u64 = sources.iter().map(Source::about_rows).sum();
        let (passes, window) = (about.div_ceil(AT_ONCE).max(1), look_back(from)..to);
        let state = RandomState::new();
        let mut several = HashSet::new();
        for pass in 0..passes {
            let mut seen = HashSet::new();
            for source in sources {
                let found = source.for_each_id(&mut |id, at, _| {
                    let hash = state.hash_one(id);
                    if window.contains(&at) && hash % passes == pass && !seen.insert(hash) {
                        several.insert(hash);
                    }
                });
                if let (Err(error), 0) = (found, pass) {
                    Damage::note(damage, source.path(), &error);
                }
            }
        }
        let mut first = HashMap::new();
        if several.is_empty() {
            return Ok(Twins { first });
        }
        for (position, source) in sources.iter().enumerate() {
            // What cannot be read has been noted.
            let _ = source.for_each_id(&mut |id, at, row| {
                if window.contains(&at) && several.contains(&state.hash_one(id)) {
                    let this = (at, position, row);
                    match first.get_mut(id) {
                        Some(earliest) => *earliest = this.min(*earliest),
                        None => {
                            first.insert(id.to_owned(), this);
                        }
                    }
                }
            });
        }
        Ok(Twins { first })
    }

    /// The rows of a block that are in the window and the first of their id; `place` is the source and how many rows it had before.
    pub(super) fn keep(
        &self,
        block: &Block,
        (source, before): (usize, u64),
        request: &ReadRequest,
        duplicates: &mut u64,
    ) -> Vec<u32> {
        let Column::Category(ids) = block.column(ID) else { return Vec::new() };
        let mut kept = Vec::with_capacity(block.n_rows());
        for (row, at) in times_of(block).iter().enumerate() {
            if !(request.from..request.to).contains(at) {
                continue;
            }
            let first = if self.first.is_empty() { None } else { self.first.get(ids.get(row).unwrap_or_default()) };
            match first {
                Some(first) if *first != (*at, source, before + row as u64) => *duplicates += 1,
                _ => kept.push(row as u32),
            }
        }
        kept
    }
}
