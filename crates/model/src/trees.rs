//! Tree predictors: sums or means over trees of decisions on numbers and on categories.
//!
//! [`Tree`] is one tree as a grower leaves it, [`Trees`] an ensemble in the compact layout that predicts and that a
//! model file holds. Nothing here grows a tree.

mod coding;
mod compiled;
mod ensemble;
mod replay;
mod score;
mod shap;
mod stored;
mod walk;

pub use ensemble::{Aggregation, Importances, Trees, types_of};
pub use shap::Explanation;

use crate::pipeline::SlotType;

/// Where a decision leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Child {
    /// To another split of the tree, by its position in [`Tree::splits`].
    Split(u32),
    /// To a leaf, by its number.
    Leaf(u32),
}

/// What a split asks of a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// `x <= threshold` goes left. The threshold is finite.
    Number {
        /// The largest value that goes left.
        threshold: f64,
    },
    /// A category whose bit is set goes left; one beyond the set counts as missing. Bit `c` of the set stands for the
    /// frozen code `c` of a code column, or for the index `c` of a one-hot group.
    Category {
        /// First word of the set in [`Tree::category_words`].
        first_word: u32,
        /// Number of words.
        n_words: u32,
    },
}

/// One decision of a tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// The feature that is asked.
    pub feature: u32,
    /// What is asked.
    pub decision: Decision,
    /// Whether a missing value (or an unseen category) goes left.
    pub missing_left: bool,
    /// Where the left side leads.
    pub left: Child,
    /// Where the right side leads.
    pub right: Child,
    /// By how much the split improved the objective on the fitting rows.
    pub gain: f32,
}

/// One tree, in the order in which it was grown: split 0 is the root; without splits, leaf 0 is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tree {
    /// The decisions.
    pub splits: Vec<Split>,
    /// Sets of categories, one bit each.
    pub category_words: Vec<u64>,
    /// Values of the leaves, row-major `(n_leaves, width)`.
    pub leaf_values: Vec<f64>,
    /// How many fitting rows each leaf has; where that is not known, none stands for one each.
    pub leaf_rows: Vec<u32>,
}

impl Tree {
    /// A tree that answers the same to every row.
    pub fn constant(values: Vec<f64>) -> Self {
        Tree { leaf_values: values, ..Tree::default() }
    }

    /// How many leaves there are.
    pub fn n_leaves(&self) -> usize {
        self.splits.len() + 1
    }

    /// Where a row starts.
    pub fn root(&self) -> Child {
        if self.splits.is_empty() { Child::Leaf(0) } else { Child::Split(0) }
    }

    /// Adds a set of categories; bits are frozen codes or one-hot indices.
    pub fn push_categories(&mut self, words: &[u64]) -> Decision {
        let first_word = self.category_words.len() as u32;
        self.category_words.extend_from_slice(words);
        Decision::Category { first_word, n_words: words.len() as u32 }
    }

    fn words(&self, decision: Decision) -> &[u64] {
        match decision {
            Decision::Number { .. } => &[],
            Decision::Category { first_word, n_words } => {
                &self.category_words[first_word as usize..(first_word + n_words) as usize]
            }
        }
    }
}

/// What a type of feature is called in messages.
fn describe(slot_type: SlotType) -> String {
    match slot_type {
        SlotType::Number => "a number".into(),
        SlotType::Code(n) => format!("one of {n} category codes"),
        SlotType::OneHot(n) => format!("a one-hot group of {n}"),
    }
}

#[cfg(test)]
mod tests;
