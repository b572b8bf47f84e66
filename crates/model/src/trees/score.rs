//! Raw scores, with one order of summation for one row and for a batch. Batches are replayed where the ensemble has a form
//! for that; else rows walk the trees, several in flight.

use rayon::prelude::*;
use tabwright_core::numeric;

use crate::features::{CODE_FIRST, FeatureColumn, Features, ONE_HOT_NONE};
use crate::trees::ensemble::{Aggregation, CATEGORY, LEAF, MISSING_LEFT, Node, RANK, SET_APART, Trees};
use crate::trees::replay;

/// Rows that walk a tree side by side, so that the cache misses of one hide behind the steps of the others.
const IN_FLIGHT: usize = 16;
/// Values of a block of rows (256 KiB): they stay in the second-level cache while the trees pass by.
const BLOCK_VALUES: usize = 65_536;
/// Rows of a block, at most.
const BLOCK_ROWS: usize = 4096;

/// Rows from which on the form for batches pays: it works on whole blocks.
const BATCH_ROWS: usize = 64;

impl Trees {
    /// Fills `out`, row-major `(n_rows, n_outputs)`, with raw scores.
    ///
    /// # Determinism
    /// A row's sum runs over the trees in their order, so it has the same bits alone and in any batch, on any number
    /// of threads.
    ///
    /// # Panics
    /// If the features are not of the types that the trees were fitted on, or `out` has another size.
    pub fn raw_scores(&self, features: &Features, out: &mut [f64]) {
        let n_rows = features.n_rows();
        assert_eq!(out.len(), n_rows * self.n_outputs, "invariant: there is room for every score");
        let Some(compiled) = self.compiled() else {
            let block = self.block_rows();
            return in_blocks(out, block * self.n_outputs, |values: &mut Vec<f64>, i, out| {
                self.gather(features, i * block, out.len() / self.n_outputs, values);
                out.fill(0.0);
                (0..self.n_trees()).for_each(|tree| self.add_tree(tree, values, out));
                self.finish(out);
            });
        };
        match &compiled.replay {
            Some(replay) if n_rows >= BATCH_ROWS => {
                in_blocks(out, replay::BLOCK_ROWS * self.n_outputs, |scratch: &mut replay::Scratch, i, out| {
                    let start = i * replay::BLOCK_ROWS;
                    replay.sums(&compiled.codings, features, start, self.n_outputs, scratch, out);
                    self.finish(out);
                });
            }
            _ => {
                let block = compiled.walk.block_rows();
                in_blocks(out, block * self.n_outputs, |(): &mut (), i, out| {
                    compiled.walk.sums(self, &compiled.codings, features, i * block, out);
                    self.finish(out);
                });
            }
        }
    }

    /// Adds the values of one tree, without the base scores, to `out`, row-major `(n_rows, n_outputs)`: what a booster
    /// follows held-out rows with.
    ///
    /// # Panics
    /// As [`Trees::raw_scores`], or if there is no such tree.
    pub fn add_tree_scores(&self, tree: usize, features: &Features, out: &mut [f64]) {
        assert_eq!(out.len(), features.n_rows() * self.n_outputs, "invariant: there is room for every score");
        let block = self.block_rows();
        out.par_chunks_mut(block * self.n_outputs).enumerate().for_each_init(Vec::new, |values, (i, out)| {
            self.gather(features, i * block, out.len() / self.n_outputs, values);
            self.add_tree(tree, values, out);
        });
    }

    fn block_rows(&self) -> usize {
        (BLOCK_VALUES / self.used.len().max(1)).clamp(IN_FLIGHT, BLOCK_ROWS)
    }

    /// The used features of some rows, row-major; categories as numbers, NaN where missing or unseen.
    pub(super) fn gather(&self, features: &Features, start: usize, n_rows: usize, values: &mut Vec<f64>) {
        let n_used = self.used.len();
        values.clear();
        values.resize(n_rows * n_used, f64::NAN);
        let category = |code: u32, first: u32| match code {
            ONE_HOT_NONE => f64::NAN,
            code if code < first => f64::NAN,
            code => f64::from(code),
        };
        for (rank, &feature) in self.used.iter().enumerate() {
            let places = values[rank..].iter_mut().step_by(n_used);
            match &features.columns()[feature as usize] {
                FeatureColumn::Number(v) => places.zip(&v[start..start + n_rows]).for_each(|(p, x)| *p = *x),
                FeatureColumn::Code { codes, .. } => {
                    places.zip(&codes[start..start + n_rows]).for_each(|(p, c)| *p = category(*c, CODE_FIRST));
                }
                FeatureColumn::OneHot { codes, .. } => {
                    places.zip(&codes[start..start + n_rows]).for_each(|(p, c)| *p = category(*c, 0));
                }
            }
        }
    }

    fn add_tree(&self, tree: usize, values: &[f64], out: &mut [f64]) {
        let n_rows = out.len() / self.n_outputs;
        let n_flights = n_rows / IN_FLIGHT;
        for flight in 0..n_flights {
            self.walk::<IN_FLIGHT>(tree, flight * IN_FLIGHT, values, out);
        }
        for row in n_flights * IN_FLIGHT..n_rows {
            self.walk::<1>(tree, row, values, out);
        }
    }

    /// Walks a tree with some rows at once, and adds what their leaves say.
    #[inline]
    fn walk<const ROWS: usize>(&self, tree: usize, first: usize, values: &[f64], out: &mut [f64]) {
        let n_used = self.used.len();
        let values = &values[first * n_used..(first + ROWS) * n_used];
        let mut at = [self.roots[tree] as usize; ROWS];
        let mut walking = n_used > 0;
        while walking {
            walking = false;
            for (lane, at) in at.iter_mut().enumerate() {
                let node = &self.nodes[*at];
                let is_leaf = node.feature & LEAF != 0;
                let x = values[lane * n_used + (node.feature & RANK) as usize];
                // A leaf stays where it is: its distance to the right is 0.
                let goes_left = self.goes_left(node, x) & !is_leaf;
                *at += if goes_left { 1 } else { node.right as usize };
                walking |= !is_leaf;
            }
        }
        let (output, n_outputs) = (self.outputs[tree] as usize, self.n_outputs);
        for (lane, &at) in at.iter().enumerate() {
            let payload = self.nodes[at].payload;
            let row = &mut out[(first + lane) * n_outputs..][..n_outputs];
            if self.width == 1 {
                row[output] += f64::from_bits(payload);
            } else {
                let leaf = &self.leaf_values[payload as usize..][..self.width];
                row.iter_mut().zip(leaf).for_each(|(o, v)| *o += v);
            }
        }
    }

    /// Whether a value goes left. Without branches on the value or on the kind of decision: neither can be foreseen.
    #[inline]
    pub(super) fn goes_left(&self, node: &Node, x: f64) -> bool {
        if node.feature & SET_APART != 0 {
            return self.is_in_set(node, x);
        }
        let missing_left = node.feature & MISSING_LEFT != 0;
        let by_number = x <= f64::from_bits(node.payload);
        // Codes are numbers from 0 on; one beyond the set counts as missing.
        let code = x as u32;
        let by_code = node.payload >> (code & 63) & 1 == 1;
        let is_category = node.feature & CATEGORY != 0;
        let is_missing = x.is_nan() | (is_category & (code > 63));
        let decided = (is_category & by_code) | (!is_category & by_number);
        (is_missing & missing_left) | (!is_missing & decided)
    }

    #[cold]
    fn is_in_set(&self, node: &Node, x: f64) -> bool {
        let missing_left = node.feature & MISSING_LEFT != 0;
        if x.is_nan() {
            return missing_left;
        }
        let code = x as usize;
        self.category_set(node).get(code / 64).map_or(missing_left, |word| word >> (code % 64) & 1 == 1)
    }

    pub(super) fn finish(&self, out: &mut [f64]) {
        let n_trees = self.n_trees() as f64;
        for row in out.chunks_exact_mut(self.n_outputs) {
            for (score, base) in row.iter_mut().zip(&self.base_scores) {
                let trees = match self.aggregation {
                    Aggregation::Sum => *score,
                    Aggregation::Mean if n_trees > 0.0 => *score / n_trees,
                    Aggregation::Mean => 0.0,
                };
                *score = numeric::canonical(base + trees);
            }
        }
    }
}

/// Does something with every block of scores, in parallel where there are several, with memory of a thread's own.
fn in_blocks<S: Default>(out: &mut [f64], size: usize, score: impl Fn(&mut S, usize, &mut [f64]) + Sync + Send) {
    if out.is_empty() {
        return;
    }
    if out.len() <= size {
        score(&mut S::default(), 0, out);
    } else {
        out.par_chunks_mut(size).enumerate().for_each_init(S::default, |scratch, (i, out)| score(scratch, i, out));
    }
}
