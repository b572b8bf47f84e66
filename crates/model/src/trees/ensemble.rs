//! The ensemble in its compact layout: every tree in preorder, 16 bytes a node.

use std::sync::OnceLock;

use crate::features::{FeatureColumn, Features};
use crate::pipeline::SlotType;
use crate::trees::compiled::Compiled;
use crate::trees::{Child, Decision, Split, Tree, describe};

/// How the trees' answers become raw scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// Base score plus the sum: boosting.
    Sum,
    /// Base score plus the mean: forests.
    Mean,
}

/// Marks a leaf.
pub(super) const LEAF: u32 = 1 << 31;
/// Marks a decision on a category.
pub(super) const CATEGORY: u32 = 1 << 30;
/// Missing values go left.
pub(super) const MISSING_LEFT: u32 = 1 << 29;
/// Marks a category set that is kept apart, since it is not of one word.
pub(super) const SET_APART: u32 = 1 << 28;
/// Bits of the rank of the feature.
pub(super) const RANK: u32 = SET_APART - 1;

/// A split or a leaf. The left child is the next node, the right one lies `right` nodes ahead: a walk only goes
/// forward, so it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    /// Bits of a threshold, a category set of one word, the number of another one, bits of a leaf's value, or number of the
    /// leaf's first value.
    pub(super) payload: u64,
    /// Flags, and the position of the feature in [`Trees::used`].
    pub(super) feature: u32,
    /// Nodes from here to the right child.
    pub(super) right: u32,
}

/// A fitted ensemble of trees. Data only: any number of trees, each of which adds to one output (`width` 1) or to all
/// of them (`width` = number of outputs).
#[derive(Debug, Clone, PartialEq)]
pub struct Trees {
    pub(super) n_outputs: usize,
    pub(super) width: usize,
    pub(super) aggregation: Aggregation,
    pub(super) base_scores: Vec<f64>,
    pub(super) types: Vec<SlotType>,
    /// Features that some split asks, in the order of their first use.
    pub(super) used: Vec<u32>,
    rank_of: Vec<u32>,
    pub(super) nodes: Vec<Node>,
    /// First node of each tree.
    pub(super) roots: Vec<u32>,
    /// The output that each tree adds to; 0 where a tree adds to all.
    pub(super) outputs: Vec<u32>,
    /// Where the words of each category set that is kept apart end.
    set_ends: Vec<u32>,
    words: Vec<u64>,
    /// Values of leaves, where a leaf has more than one.
    pub(super) leaf_values: Vec<f64>,
    /// Fitting rows of each leaf, in the order of the nodes; none where they are not known of all trees.
    pub(super) leaf_rows: Option<Vec<u32>>,
    pub(super) gains: Vec<f32>,
    compiled: Cache,
}

/// The form that predicts, made for the first row that is scored. It follows from the rest, so it makes no difference.
#[derive(Debug, Clone, Default)]
struct Cache(OnceLock<Option<Compiled>>);

impl PartialEq for Cache {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

const UNUSED: u32 = u32::MAX;

impl Trees {
    /// An ensemble without trees yet, over features of the given types; `width` values per leaf, 1 or the number of
    /// base scores.
    ///
    /// # Panics
    /// If there is no base score or `width` is another.
    pub fn new(types: Vec<SlotType>, width: usize, aggregation: Aggregation, base_scores: Vec<f64>) -> Self {
        let n_outputs = base_scores.len();
        assert!(
            n_outputs > 0 && (width == 1 || width == n_outputs),
            "invariant: a leaf has one value or one per output"
        );
        assert!(types.len() < RANK as usize, "invariant: features are numbered in 28 bits");
        let rank_of = vec![UNUSED; types.len()];
        Trees {
            n_outputs,
            width,
            aggregation,
            base_scores,
            types,
            used: Vec::new(),
            rank_of,
            nodes: Vec::new(),
            roots: Vec::new(),
            outputs: Vec::new(),
            set_ends: Vec::new(),
            words: Vec::new(),
            leaf_values: Vec::new(),
            leaf_rows: Some(Vec::new()),
            gains: Vec::new(),
            compiled: Cache::default(),
        }
    }

    /// The form that predicts, if there is one.
    pub(super) fn compiled(&self) -> Option<&Compiled> {
        self.compiled.0.get_or_init(|| Compiled::of(self)).as_ref()
    }

    /// Adds a tree; with one value per leaf it adds to `output`.
    ///
    /// # Panics
    /// If the tree does not fit the ensemble or is none: growers make trees.
    pub fn push(&mut self, tree: &Tree, output: usize) {
        assert_eq!(tree.leaf_values.len(), tree.n_leaves() * self.width, "invariant: every leaf has its values");
        assert!([0, tree.n_leaves()].contains(&tree.leaf_rows.len()), "invariant: every leaf has its rows");
        assert!(output < self.n_outputs, "invariant: a tree adds to an output");
        self.compiled = Cache::default();
        let first = self.nodes.len();
        assert!(first + 2 * tree.n_leaves() < u32::MAX as usize, "invariant: nodes are numbered in 32 bits");
        self.roots.push(first as u32);
        self.outputs.push(output as u32);
        // Right children wait with the position of their parent, whose distance to them is known when they come.
        let mut waiting: Vec<(Child, Option<usize>)> = vec![(tree.root(), None)];
        while let Some((child, parent)) = waiting.pop() {
            let at = self.nodes.len();
            assert!(at - first < 2 * tree.n_leaves(), "invariant: a tree has no cycle");
            if let Some(parent) = parent {
                self.nodes[parent].right = (at - parent) as u32;
            }
            match child {
                Child::Leaf(leaf) => {
                    let values = &tree.leaf_values[leaf as usize * self.width..][..self.width];
                    self.push_leaf(values, tree.leaf_rows.get(leaf as usize).copied());
                }
                Child::Split(i) => {
                    let split = &tree.splits[i as usize];
                    self.push_split(split, tree.words(split.decision));
                    waiting.push((split.right, Some(at)));
                    waiting.push((split.left, None));
                }
            }
        }
    }

    pub(super) fn push_leaf(&mut self, values: &[f64], rows: Option<u32>) {
        match (&mut self.leaf_rows, rows) {
            (Some(known), Some(rows)) => known.push(rows),
            (known, _) => *known = None,
        }
        let payload = if self.width == 1 { values[0].to_bits() } else { self.leaf_values.len() as u64 };
        if self.width > 1 {
            self.leaf_values.extend_from_slice(values);
        }
        self.nodes.push(Node { payload, feature: LEAF, right: 0 });
    }

    pub(super) fn push_split(&mut self, split: &Split, words: &[u64]) {
        let rank = &mut self.rank_of[split.feature as usize];
        if *rank == UNUSED {
            *rank = self.used.len() as u32;
            self.used.push(split.feature);
        }
        let mut feature = *rank;
        let payload = match split.decision {
            Decision::Number { threshold } => threshold.to_bits(),
            Decision::Category { .. } if words.len() == 1 => {
                feature |= CATEGORY;
                words[0]
            }
            Decision::Category { .. } => {
                feature |= CATEGORY | SET_APART;
                self.words.extend_from_slice(words);
                self.set_ends.push(self.words.len() as u32);
                self.set_ends.len() as u64 - 1
            }
        };
        if split.missing_left {
            feature |= MISSING_LEFT;
        }
        self.nodes.push(Node { payload, feature, right: 0 });
        self.gains.push(split.gain);
    }

    /// Keeps the first trees only.
    #[must_use]
    pub fn first_trees(&self, n_trees: usize) -> Trees {
        let mut kept = Trees::new(self.types.clone(), self.width, self.aggregation, self.base_scores.clone());
        for tree in 0..n_trees.min(self.n_trees()) {
            kept.push(&self.tree(tree), self.outputs[tree] as usize);
        }
        kept
    }

    /// A tree by itself, its splits and leaves in preorder.
    pub fn tree(&self, tree: usize) -> Tree {
        let nodes = self.node_range(tree);
        let first_leaf = self.first_leaf(tree);
        let mut split_number = nodes.start - first_leaf;
        let mut made = Tree::default();
        // The number of a node among splits or among leaves, by its position.
        let mut counts = (0, 0);
        let numbers: Vec<Child> = self.nodes[nodes.clone()]
            .iter()
            .map(|node| {
                if node.feature & LEAF != 0 {
                    counts.0 += 1;
                    Child::Leaf(counts.0 - 1)
                } else {
                    counts.1 += 1;
                    Child::Split(counts.1 - 1)
                }
            })
            .collect();
        for (i, node) in self.nodes[nodes].iter().enumerate() {
            if node.feature & LEAF != 0 {
                if let Some(rows) = &self.leaf_rows {
                    made.leaf_rows.push(rows[first_leaf + made.leaf_rows.len()]);
                }
                made.leaf_values.extend(self.values_of(node));
                continue;
            }
            let decision = if node.feature & CATEGORY == 0 {
                Decision::Number { threshold: f64::from_bits(node.payload) }
            } else {
                made.push_categories(self.category_set(node))
            };
            made.splits.push(Split {
                feature: self.used[(node.feature & RANK) as usize],
                decision,
                missing_left: node.feature & MISSING_LEFT != 0,
                left: numbers[i + 1],
                right: numbers[i + node.right as usize],
                gain: self.gains[split_number],
            });
            split_number += 1;
        }
        made
    }

    /// The values of a leaf.
    pub(super) fn values_of(&self, leaf: &Node) -> impl Iterator<Item = f64> {
        let own = (self.width == 1).then(|| f64::from_bits(leaf.payload));
        let apart = if self.width == 1 { &[] } else { &self.leaf_values[leaf.payload as usize..][..self.width] };
        own.into_iter().chain(apart.iter().copied())
    }

    /// One of the values of a leaf.
    pub(super) fn value_of(&self, leaf: &Node, value: usize) -> f64 {
        if self.width == 1 { f64::from_bits(leaf.payload) } else { self.leaf_values[leaf.payload as usize + value] }
    }

    /// The words of the category set of a split.
    pub(super) fn category_set<'a>(&'a self, node: &'a Node) -> &'a [u64] {
        if node.feature & SET_APART == 0 {
            return std::slice::from_ref(&node.payload);
        }
        let set = node.payload as usize;
        let start = if set == 0 { 0 } else { self.set_ends[set - 1] as usize };
        &self.words[start..self.set_ends[set] as usize]
    }

    /// How many fitting rows each node has; where that is not known, how many leaves.
    pub(super) fn node_rows(&self) -> Vec<f64> {
        let mut rows = vec![0.0; self.nodes.len()];
        let mut leaf = self.n_leaves();
        // Children come after their parent.
        for (at, node) in self.nodes.iter().enumerate().rev() {
            if node.feature & LEAF != 0 {
                leaf -= 1;
                // A leaf without rows would leave nothing to weigh its side by.
                rows[at] = self.leaf_rows.as_ref().map_or(1.0, |rows| f64::from(rows[leaf].max(1)));
            } else {
                rows[at] = rows[at + 1] + rows[at + node.right as usize];
            }
        }
        rows
    }

    /// Position of a feature that some split asks in [`Trees::used`].
    pub(super) fn rank(&self, feature: u32) -> usize {
        self.rank_of[feature as usize] as usize
    }

    pub(super) fn node_range(&self, tree: usize) -> std::ops::Range<usize> {
        let end = self.roots.get(tree + 1).map_or(self.nodes.len(), |r| *r as usize);
        self.roots[tree] as usize..end
    }

    /// How many leaves all earlier trees have.
    pub(super) fn first_leaf(&self, tree: usize) -> usize {
        // Each has one leaf more than it has splits.
        (self.roots[tree] as usize + tree) / 2
    }

    /// Leaves of the largest tree.
    pub(super) fn largest_tree(&self) -> usize {
        (0..self.n_trees()).map(|tree| self.node_range(tree).len().div_ceil(2)).max().unwrap_or(0)
    }

    /// Raw scores per row.
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// How many trees there are.
    pub fn n_trees(&self) -> usize {
        self.roots.len()
    }

    /// How many leaves all trees have.
    pub fn n_leaves(&self) -> usize {
        self.gains.len() + self.roots.len()
    }

    /// How many features the rows must have.
    pub fn n_features(&self) -> usize {
        self.types.len()
    }

    /// What each feature must be.
    pub fn feature_types(&self) -> &[SlotType] {
        &self.types
    }

    /// What the sums start from.
    pub fn base_scores(&self) -> &[f64] {
        &self.base_scores
    }

    /// How the trees' answers become raw scores.
    pub fn aggregation(&self) -> Aggregation {
        self.aggregation
    }

    /// In how many splits each feature is asked.
    pub fn split_counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.types.len()];
        self.each_split(|feature, _| counts[feature] += 1);
        counts
    }

    /// How much each feature was used, in three ways.
    pub fn importances(&self) -> Importances {
        let n = self.types.len();
        let mut found = Importances { splits: self.split_counts(), gains: vec![0.0; n], covers: vec![0.0; n] };
        self.each_split(|feature, gain| found.gains[feature] += f64::from(gain));
        let rows = self.node_rows();
        for (node, rows) in self.nodes.iter().zip(rows).filter(|(node, _)| node.feature & LEAF == 0) {
            found.covers[self.used[(node.feature & RANK) as usize] as usize] += rows;
        }
        found
    }

    /// Rank of the feature and threshold of every split of a number.
    pub(super) fn thresholds(&self) -> impl Iterator<Item = (usize, f64)> {
        let numbers = self.nodes.iter().filter(|n| n.feature & (LEAF | CATEGORY) == 0);
        numbers.map(|n| ((n.feature & RANK) as usize, f64::from_bits(n.payload)))
    }

    fn each_split(&self, mut visit: impl FnMut(usize, f32)) {
        let splits = self.nodes.iter().filter(|n| n.feature & LEAF == 0);
        for (node, gain) in splits.zip(&self.gains) {
            visit(self.used[(node.feature & RANK) as usize] as usize, *gain);
        }
    }

    /// Whether all base scores and leaf values are finite: those of a boosting that diverged are not.
    pub fn is_finite(&self) -> bool {
        let is_finite = |n: &Node| self.width > 1 || n.feature & LEAF == 0 || f64::from_bits(n.payload).is_finite();
        self.nodes.iter().all(is_finite) && self.leaf_values.iter().chain(&self.base_scores).all(|v| v.is_finite())
    }

    /// Checks that a pipeline makes the features that the trees ask for.
    ///
    /// # Errors
    /// Says which feature differs.
    pub fn check_features(&self, types: &[SlotType]) -> Result<(), String> {
        if types.len() != self.types.len() {
            return Err(format!("the trees read {} features, the pipeline makes {}", self.types.len(), types.len()));
        }
        match self.types.iter().zip(types).position(|(wanted, found)| wanted != found) {
            None => Ok(()),
            Some(i) => {
                let (wanted, found) = (describe(self.types[i]), describe(types[i]));
                Err(format!("feature {i} is {found}, the trees need {wanted}"))
            }
        }
    }
}

/// How much each feature was used, by its position.
#[derive(Debug, Clone, PartialEq)]
pub struct Importances {
    /// In how many splits it is asked.
    pub splits: Vec<u64>,
    /// What those splits improved the objective by, together.
    pub gains: Vec<f64>,
    /// How many fitting rows those splits parted, together.
    pub covers: Vec<f64>,
}

/// The types of features, as an ensemble that is fitted on them keeps them.
pub fn types_of(features: &Features) -> Vec<SlotType> {
    let of = |column: &FeatureColumn| match column {
        FeatureColumn::Number(_) => SlotType::Number,
        FeatureColumn::Code { n_codes, .. } => SlotType::Code(*n_codes),
        FeatureColumn::OneHot { width, .. } => SlotType::OneHot(*width),
    };
    features.columns().iter().map(of).collect()
}
