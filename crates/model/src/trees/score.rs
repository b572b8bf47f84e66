//! Raw scores: rows in blocks, several rows in flight, one order of summation for one row and for a batch.

use rayon::prelude::*;
use tabwright_core::numeric;

use crate::features::{CODE_FIRST, FeatureColumn, Features, ONE_HOT_NONE};
use crate::trees::ensemble::{Aggregation, CATEGORY, LEAF, MISSING_LEFT, Node, RANK, Trees};

/// Rows that walk a tree side by side, so that the cache misses of one hide behind the steps of the others.
const IN_FLIGHT: usize = 8;
/// Values of a block of rows (256 KiB): they stay in the second-level cache while the trees pass by.
const BLOCK_VALUES: usize = 32_768;
/// Rows of a block, at most.
const BLOCK_ROWS: usize = 512;

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
        let block = self.block_rows();
        let score = |values: &mut Vec<f64>, (i, out): (usize, &mut [f64])| {
            let start = i * block;
            self.gather(features, start, out.len() / self.n_outputs, values);
            out.fill(0.0);
            for tree in 0..self.n_trees() {
                self.add_tree(tree, values, out);
            }
            self.finish(out);
        };
        if n_rows <= block {
            score(&mut Vec::new(), (0, out));
        } else {
            out.par_chunks_mut(block * self.n_outputs).enumerate().for_each_init(Vec::new, score);
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
    fn gather(&self, features: &Features, start: usize, n_rows: usize, values: &mut Vec<f64>) {
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
        let root = self.roots[tree] as usize;
        let output = self.outputs[tree] as usize;
        let (n_used, n_outputs) = (self.used.len(), self.n_outputs);
        let n_rows = out.len() / n_outputs;
        for first in (0..n_rows).step_by(IN_FLIGHT) {
            let count = IN_FLIGHT.min(n_rows - first);
            let mut at = [root; IN_FLIGHT];
            let mut walking = true;
            while walking {
                walking = false;
                for (lane, at) in at[..count].iter_mut().enumerate() {
                    let node = &self.nodes[*at];
                    if node.feature & LEAF == 0 {
                        let x = values[(first + lane) * n_used + (node.feature & RANK) as usize];
                        *at += if self.goes_left(node, x) { 1 } else { node.right as usize };
                        walking = true;
                    }
                }
            }
            for (lane, &at) in at[..count].iter().enumerate() {
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
    }

    #[inline]
    fn goes_left(&self, node: &Node, x: f64) -> bool {
        let missing_left = node.feature & MISSING_LEFT != 0;
        if node.feature & CATEGORY == 0 {
            let threshold = f64::from_bits(node.payload);
            (x <= threshold) | (missing_left & x.is_nan())
        } else if x.is_nan() {
            missing_left
        } else {
            let code = x as usize;
            let words = self.category_set(node.payload as usize);
            words.get(code / 64).map_or(missing_left, |word| word >> (code % 64) & 1 == 1)
        }
    }

    fn finish(&self, out: &mut [f64]) {
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
