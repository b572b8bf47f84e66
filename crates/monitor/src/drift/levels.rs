//! How often each level occurs on both sides, whose tables have dictionaries of their own: levels are matched by their text, and
//! numbers by their value, however they are spelled.

use tabwright_core::block::MISSING_CODE;
use tabwright_core::{Column, Levels, LevelsBuilder, RowSet};
use tabwright_model::levels::{Spelling, shortest};

use crate::sample::Sample;
use crate::test::Binned;

/// The level that stands for all that are not told apart.
const OTHERS: &str = "\u{0}others";

/// Levels of one side, and how often each occurs.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    levels: Levels,
    counts: Vec<u64>,
    /// Rows without a value.
    pub(super) missing: u64,
    /// Rows of levels that are not told apart.
    pub(super) others: u64,
}

impl Counts {
    /// Counts the levels of some rows; numbers are levels in their shortest form.
    pub(super) fn of_column(column: &Column, rows: RowSet<'_>) -> Self {
        match column {
            Column::Category(category) => {
                let mut by_code = vec![0; category.levels.len()];
                let mut missing = 0;
                for row in rows.iter() {
                    match category.codes[row] {
                        MISSING_CODE => missing += 1,
                        code => by_code[code as usize] += 1,
                    }
                }
                let used = || by_code.iter().enumerate().filter(|(_, count)| **count > 0);
                let levels = used().map(|(code, _)| category.levels.get(code as u32)).collect();
                Counts { levels, counts: used().map(|(_, count)| *count).collect(), missing, others: 0 }
            }
            column => {
                let mut sample = Sample::default();
                sample.fill_from(column, rows);
                let values: Vec<f64> = sample.all().iter().collect();
                let runs = || values.chunk_by(|a, b| a == b);
                Counts {
                    levels: runs().map(|run| shortest(run[0])).collect(),
                    counts: runs().map(|run| run.len() as u64).collect(),
                    missing: sample.missing() as u64,
                    others: 0,
                }
            }
        }
    }

    /// Takes counts that are known.
    pub(super) fn known<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>, missing: u64, others: u64) -> Self {
        let (levels, counts): (Vec<&str>, Vec<u64>) = counts.into_iter().unzip();
        Counts { levels: levels.into_iter().collect(), counts, missing, others }
    }

    /// Rows that have a value.
    pub(super) fn n(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.others
    }
}

/// Puts the counts of both sides under the same levels, in the byte order of their text.
///
/// The spelling is that of the reference, as that of a model is of the rows that it was fitted on. If the reference does not tell
/// some of its levels apart, no more are those of the current rows that it does not name.
pub(super) fn matched(reference: &Counts, current: &Counts) -> Binned {
    let spelled_by = if reference.levels.is_empty() { &current.levels } else { &reference.levels };
    let spelling = Spelling::of(spelled_by);
    let mut builder = LevelsBuilder::default();
    let mut counts: [Vec<u64>; 2] = [Vec::new(), Vec::new()];
    let mut add = |builder: &mut LevelsBuilder, side: usize, level: &str, count: u64| {
        let code = builder.intern(level) as usize;
        for counts in &mut counts {
            counts.resize(counts.len().max(code + 1), 0);
        }
        counts[side][code] += count;
    };
    let named = |of: &Counts| -> Vec<(String, u64)> {
        let levels = of.levels.iter().map(|level| spelling.canonical(level).into_owned());
        levels.zip(of.counts.iter().copied()).collect()
    };
    for (level, count) in named(reference) {
        add(&mut builder, 0, &level, count);
    }
    if reference.others > 0 {
        add(&mut builder, 0, OTHERS, reference.others);
    }
    for (level, count) in named(current) {
        let is_unnamed = reference.others > 0 && builder.find(&level).is_none();
        add(&mut builder, 1, if is_unnamed { OTHERS } else { &level }, count);
    }
    let order = builder.levels().sorted();
    let [reference, current] = counts.map(|side| order.iter().map(|&code| side[code as usize]).collect());
    Binned { reference, current }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tabwright_core::Category;

    fn count(values: &[Option<&str>]) -> Counts {
        let column = Column::Category(Category::from_strings(values.iter().copied()));
        Counts::of_column(&column, RowSet::Range(0, values.len()))
    }

    #[test]
    fn numbers_are_one_level_however_they_are_spelled() {
        let reference = count(&[Some("2"), Some("1"), Some("1"), None]);
        let current = count(&[Some("1.0"), Some("2"), Some("x")]);
        let matched_counts = matched(&reference, &current);
        assert_eq!((matched_counts.reference, matched_counts.current), (vec![2, 1, 0], vec![1, 1, 1]));
        let numbers = Column::Float(vec![1.0, f64::NAN, 2.0, 2.0]);
        let current = Counts::of_column(&numbers, RowSet::Range(0, 4));
        assert_eq!((matched(&reference, &current).current, current.missing), (vec![1, 2], 1));
    }

    #[test]
    fn text_keeps_its_bytes_and_rows_that_are_not_meant_do_not_count() {
        let column = Column::Category(Category::from_strings([Some("007"), Some("7"), Some("b"), Some("7")]));
        let some = Counts::of_column(&column, RowSet::List(&[0, 1, 3]));
        assert_eq!((some.n(), some.levels.len()), (3, 2));
        assert_eq!(matched(&some, &count(&[Some("7")])).current, [0, 1]);
    }

    #[test]
    fn levels_that_the_reference_does_not_name_stand_together() {
        let reference = Counts::known([("a", 5), ("b", 3)], 0, 4);
        let found = matched(&reference, &count(&[Some("a"), Some("c"), Some("d")]));
        assert_eq!((found.reference, found.current), (vec![4, 5, 3], vec![2, 1, 0]));
    }
}
