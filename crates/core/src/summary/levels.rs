//! How often each level of a column occurs.

use std::sync::Arc;

use super::{CategorySummary, LevelCount, TOP_VALUES, TextSummary};
use crate::block::MISSING_CODE;
use crate::{Category, Kind, Levels, LevelsBuilder, RowSet};

/// Counts by level: of one dictionary, as long as all rows share it, else of a merged one.
#[derive(Debug, Clone, Default)]
pub(super) struct LevelCounts {
    levels: Arc<Levels>,
    counts: Vec<u64>,
}

impl LevelCounts {
    /// Counts rows; returns how many have a value.
    pub(super) fn update(&mut self, category: &Category, set: RowSet<'_>) -> u64 {
        let mut part = LevelCounts { levels: Arc::clone(&category.levels), counts: vec![0; category.levels.len()] };
        let mut found = 0;
        for row in set.iter() {
            let code = category.codes[row];
            if code != MISSING_CODE {
                part.counts[code as usize] += 1;
                found += 1;
            }
        }
        self.merge(part);
        found
    }

    pub(super) fn merge(&mut self, other: LevelCounts) {
        if self.counts.is_empty() {
            *self = other;
            return;
        }
        if Arc::ptr_eq(&self.levels, &other.levels) {
            self.counts.iter_mut().zip(other.counts).for_each(|(a, b)| *a += b);
            return;
        }
        let mut builder = LevelsBuilder::default();
        let mut counts: Vec<u64> = Vec::new();
        for part in [&*self, &other] {
            for (level, &count) in part.levels.iter().zip(&part.counts) {
                if count > 0 {
                    let code = builder.intern(level) as usize;
                    if code == counts.len() {
                        counts.push(0);
                    }
                    counts[code] += count;
                }
            }
        }
        *self = LevelCounts { levels: Arc::new(builder.finish()), counts };
    }

    pub(super) fn finish(self, kind: Kind, n_values: u64) -> (CategorySummary, Option<TextSummary>) {
        let mut used: Vec<(u64, &str)> =
            self.counts.iter().copied().zip(self.levels.iter()).filter(|(count, _)| *count > 0).collect();
        let levels = used.len() as u64;
        if kind == Kind::Text {
            let words: u64 = used.iter().map(|(count, text)| count * text.split_whitespace().count() as u64).sum();
            let longest = used.iter().map(|(_, text)| text.chars().count() as u64).max().unwrap_or(0);
            let mean_words = if n_values == 0 { 0.0 } else { words as f64 / n_values as f64 };
            return (CategorySummary { levels, top: Vec::new() }, Some(TextSummary { mean_words, longest }));
        }
        // Of many levels, one that occurs once tells of a row rather than of the column.
        if used.len() > TOP_VALUES {
            used.retain(|(count, _)| *count > 1);
        }
        used.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        used.truncate(TOP_VALUES);
        let top = used.into_iter().map(|(count, value)| LevelCount { value: value.to_owned(), count }).collect();
        (CategorySummary { levels, top }, None)
    }
}
