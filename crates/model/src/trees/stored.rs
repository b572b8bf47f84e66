//! The ensemble as numbers and typed arrays, and back. Loading believes nothing.
//!
//! Trees are stored in preorder, one byte of flags per node, so their shape is what the flags spell: a parse either
//! ends exactly where the arrays do, with every child in place, or is refused. There are no child indices, so no
//! cycles and no shared subtrees can be written.

use serde_json::{Value, json};

use crate::artifact::{Tensor, Tensors};
use crate::error::{Error, Result};
use crate::pipeline::SlotType;
use crate::trees::ensemble::{Aggregation, CATEGORY, LEAF, MISSING_LEFT, RANK, Trees};
use crate::trees::{Child, Decision, Split};

/// Bits of a node's byte.
const IS_LEAF: u8 = 1;
const IS_CATEGORY: u8 = 2;
const IS_MISSING_LEFT: u8 = 4;

/// Words of one category set, at most: 2³² codes.
const MOST_WORDS: usize = 1 << 26;

impl Trees {
    /// Adds the arrays of the ensemble to `tensors`, under names that begin with `prefix`, and returns its numbers.
    pub fn store(&self, prefix: &str, tensors: &mut Tensors) -> Value {
        let mut insert = |name: &str, tensor: Tensor| tensors.insert(format!("{prefix}.{name}"), tensor);
        let flags = self.nodes.iter().map(|node| {
            let bit = |mask: u32, bit: u8| if node.feature & mask == 0 { 0 } else { bit };
            bit(LEAF, IS_LEAF) | bit(CATEGORY, IS_CATEGORY) | bit(MISSING_LEFT, IS_MISSING_LEFT)
        });
        let splits = || self.nodes.iter().filter(|n| n.feature & LEAF == 0);
        let features = splits().map(|n| self.used[(n.feature & RANK) as usize]);
        let thresholds = splits().filter(|n| n.feature & CATEGORY == 0).map(|n| f64::from_bits(n.payload));
        let sets = || splits().filter(|n| n.feature & CATEGORY != 0).map(|n| self.category_set(n));
        let ends = sets().scan(0, |end, set| {
            *end += set.len() as u32;
            Some(*end)
        });
        let leaves = self.nodes.iter().filter(|n| n.feature & LEAF != 0);
        let leaf_values = Tensor::f64(leaves.flat_map(|n| self.values_of(n)));
        let types = self.types.iter().flat_map(|t| encode_type(*t));
        insert("types", Tensor::u32(types).shaped(vec![self.types.len(), 2]));
        insert("base_scores", Tensor::f64(&self.base_scores));
        insert("outputs", Tensor::u32(&self.outputs));
        insert("nodes", Tensor::u8(flags));
        insert("features", Tensor::u32(features));
        insert("thresholds", Tensor::f64(thresholds));
        insert("gains", Tensor::u32(self.gains.iter().map(|g| g.to_bits())));
        if let Some(rows) = &self.leaf_rows {
            insert("leaf_rows", Tensor::u32(rows));
        }
        insert("category_ends", Tensor::u32(ends));
        insert("categories", Tensor::u64(sets().flatten()));
        insert("leaf_values", leaf_values.shaped(vec![self.n_leaves(), self.width]));
        let aggregation = match self.aggregation {
            Aggregation::Sum => "sum",
            Aggregation::Mean => "mean",
        };
        json!({ "aggregation": aggregation, "width": self.width })
    }

    /// Takes an ensemble out of `tensors` and checks every length, index and number of it.
    ///
    /// # Errors
    /// [`Error::Invalid`] says what contradicts what.
    pub fn load(prefix: &str, numbers: &Value, tensors: &mut Tensors) -> Result<Self> {
        let arrays = Arrays::take(prefix, numbers, tensors)?;
        arrays.check()?;
        let Arrays { width, aggregation, types, base_scores, .. } = &arrays;
        let mut trees = Trees::new(types.clone(), *width, *aggregation, base_scores.clone());
        Parser { arrays: &arrays, node: 0, split: 0, threshold: 0, set: 0, leaf: 0 }.run(&mut trees)?;
        Ok(trees)
    }
}

fn encode_type(slot_type: SlotType) -> [u32; 2] {
    match slot_type {
        SlotType::Number => [0, 0],
        SlotType::Code(n) => [1, n],
        SlotType::OneHot(n) => [2, n],
    }
}

fn decode_type(pair: &[u32]) -> Result<SlotType> {
    match pair {
        [0, 0] => Ok(SlotType::Number),
        [1, n] => Ok(SlotType::Code(*n)),
        [2, n] => Ok(SlotType::OneHot(*n)),
        other => Err(Error::Invalid(format!("trees: a feature has the unknown type {other:?}"))),
    }
}

fn invalid<T>(what: impl std::fmt::Display) -> Result<T> {
    Err(Error::Invalid(format!("trees: {what}")))
}

struct Arrays {
    width: usize,
    aggregation: Aggregation,
    types: Vec<SlotType>,
    base_scores: Vec<f64>,
    outputs: Vec<u32>,
    nodes: Vec<u8>,
    features: Vec<u32>,
    thresholds: Vec<f64>,
    gains: Vec<f32>,
    category_ends: Vec<u32>,
    categories: Vec<u64>,
    leaf_values: Vec<f64>,
    /// Files of before may lack them.
    leaf_rows: Option<Vec<u32>>,
}

impl Arrays {
    fn take(prefix: &str, numbers: &Value, tensors: &mut Tensors) -> Result<Self> {
        let width = numbers["width"].as_u64().and_then(|w| usize::try_from(w).ok());
        let Some(width) = width else { return invalid("they have no `width`") };
        let aggregation = match numbers["aggregation"].as_str() {
            Some("sum") => Aggregation::Sum,
            Some("mean") => Aggregation::Mean,
            _ => return invalid("their `aggregation` is neither `sum` nor `mean`"),
        };
        let mut take = |name: &str| tensors.take(&format!("{prefix}.{name}"));
        let types = take("types")?.to_u32()?;
        Ok(Arrays {
            width,
            aggregation,
            types: types.chunks(2).map(decode_type).collect::<Result<_>>()?,
            base_scores: take("base_scores")?.to_f64()?,
            outputs: take("outputs")?.to_u32()?,
            nodes: take("nodes")?.to_u8()?,
            features: take("features")?.to_u32()?,
            thresholds: take("thresholds")?.to_f64()?,
            gains: take("gains")?.to_u32()?.into_iter().map(f32::from_bits).collect(),
            category_ends: take("category_ends")?.to_u32()?,
            categories: take("categories")?.to_u64()?,
            leaf_values: take("leaf_values")?.to_f64()?,
            leaf_rows: take("leaf_rows").ok().map(|rows| rows.to_u32()).transpose()?,
        })
    }

    /// What does not depend on the shape of the trees.
    fn check(&self) -> Result<()> {
        let n_outputs = self.base_scores.len();
        if n_outputs == 0 || (self.width != 1 && self.width != n_outputs) {
            return invalid(format!("a leaf has {} values for {n_outputs} outputs", self.width));
        }
        if self.types.len() >= RANK as usize || self.nodes.len() >= u32::MAX as usize {
            return invalid("there are more features or nodes than the format allows");
        }
        let n_leaves = self.nodes.iter().filter(|f| **f & IS_LEAF != 0).count();
        let n_splits = self.nodes.len() - n_leaves;
        let n_sets = self.nodes.iter().filter(|f| **f & (IS_LEAF | IS_CATEGORY) == IS_CATEGORY).count();
        let sizes = [
            ("features", self.features.len(), n_splits),
            ("gains", self.gains.len(), n_splits),
            ("leaf rows", self.leaf_rows.as_ref().map_or(n_leaves, Vec::len), n_leaves),
            ("category sets", self.category_ends.len(), n_sets),
            ("leaf values", self.leaf_values.len(), n_leaves.saturating_mul(self.width)),
        ];
        if let Some((name, found, wanted)) = sizes.iter().find(|(_, found, wanted)| found != wanted) {
            return invalid(format!("there are {found} {name} where {wanted} are needed"));
        }
        if n_sets > n_splits || self.thresholds.len() != n_splits - n_sets {
            return invalid(format!("there are {} thresholds for {n_splits} splits", self.thresholds.len()));
        }
        let finite = [&self.base_scores, &self.thresholds, &self.leaf_values];
        if !finite.iter().all(|v| v.iter().all(|x| x.is_finite())) || !self.gains.iter().all(|g| g.is_finite()) {
            return invalid("a number is not finite");
        }
        let in_range = |o: &u32| if self.width == 1 { (*o as usize) < n_outputs } else { *o == 0 };
        if !self.outputs.iter().all(in_range) {
            return invalid(format!("a tree adds to an output beyond {n_outputs}"));
        }
        if self.features.iter().any(|f| *f as usize >= self.types.len()) {
            return invalid(format!("a split asks for a feature beyond {}", self.types.len()));
        }
        let mut start = 0;
        for &end in &self.category_ends {
            if end < start || (end - start) as usize > MOST_WORDS {
                return invalid("category sets are not in order");
            }
            start = end;
        }
        if start as usize != self.categories.len() {
            return invalid("category sets do not use all of their words");
        }
        Ok(())
    }
}

/// Reads the nodes of all trees in order.
struct Parser<'a> {
    arrays: &'a Arrays,
    node: usize,
    split: usize,
    threshold: usize,
    set: usize,
    leaf: usize,
}

impl Parser<'_> {
    fn run(mut self, trees: &mut Trees) -> Result<()> {
        for &output in &self.arrays.outputs {
            trees.roots.push(self.node as u32);
            trees.outputs.push(output);
            self.tree(trees)?;
        }
        if self.node == self.arrays.nodes.len() { Ok(()) } else { invalid("there are nodes beyond the last tree") }
    }

    /// Reads one tree: it is whole when no split waits for its right child.
    fn tree(&mut self, trees: &mut Trees) -> Result<()> {
        let mut waiting: Vec<usize> = Vec::new();
        loop {
            let Some(&flags) = self.arrays.nodes.get(self.node) else { return invalid("the last tree is cut off") };
            let at = self.node;
            self.node += 1;
            if flags == IS_LEAF {
                let width = self.arrays.width;
                let rows = self.arrays.leaf_rows.as_ref().map(|rows| rows[self.leaf]);
                trees.push_leaf(&self.arrays.leaf_values[self.leaf * width..][..width], rows);
                self.leaf += 1;
                let Some(parent) = waiting.pop() else { return Ok(()) };
                trees.nodes[parent].right = (self.node - parent) as u32;
            } else if flags & !(IS_CATEGORY | IS_MISSING_LEFT) == 0 {
                self.split(flags, trees)?;
                waiting.push(at);
            } else {
                return invalid(format!("a node has the unknown flags {flags}"));
            }
        }
    }

    fn split(&mut self, flags: u8, trees: &mut Trees) -> Result<()> {
        let arrays = self.arrays;
        let feature = arrays.features[self.split];
        let is_category = flags & IS_CATEGORY != 0;
        if is_category == (arrays.types[feature as usize] == SlotType::Number) {
            return invalid(format!("a split asks feature {feature} for what it is not"));
        }
        let mut words: &[u64] = &[];
        let decision = if is_category {
            let start = if self.set == 0 { 0 } else { arrays.category_ends[self.set - 1] };
            words = &arrays.categories[start as usize..arrays.category_ends[self.set] as usize];
            self.set += 1;
            Decision::Category { first_word: 0, n_words: words.len() as u32 }
        } else {
            self.threshold += 1;
            Decision::Number { threshold: arrays.thresholds[self.threshold - 1] }
        };
        let gain = arrays.gains[self.split];
        let missing_left = flags & IS_MISSING_LEFT != 0;
        let placeholder = Child::Leaf(0);
        trees
            .push_split(&Split { feature, decision, missing_left, left: placeholder, right: placeholder, gain }, words);
        self.split += 1;
        Ok(())
    }
}
