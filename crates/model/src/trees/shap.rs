//! What each feature adds to a raw score: Shapley values, exact for trees.
//!
//! Features that are left out of a coalition are filled in either from the fitting rows of the tree ([`Trees::explain`]: a
//! row goes both ways, weighed by how many fitting rows did) or from given rows ([`Trees::explain_against`]).
//!
//! # References
//! Lundberg et al., "From local explanations to global understanding with explainable AI for trees", Nature Machine
//! Intelligence 2 (2020). A leaf of value v whose path asks d features adds v (oᵢ − zᵢ) ∫₀¹ Π_{j ≠ i} (t oⱼ + (1 − t) zⱼ) dt to
//! feature i, where oⱼ says whether the row keeps to the path and zⱼ is the share of fitting rows that do: expanding the
//! product gives Shapley's weights, since ∫ tˢ (1 − t)ᵈ⁻¹⁻ˢ dt = s! (d − 1 − s)! / d!. The product is a polynomial in t, which a few
//! points integrate exactly (Gauss and Legendre), as in Yu et al., "Linear TreeShap" (2022).

mod paths;

use rayon::prelude::*;
use tabwright_core::numeric;

use crate::error::{Error, Result};
use crate::features::Features;
use crate::trees::ensemble::{Aggregation, LEAF, RANK, Trees};
use crate::trees::shap::paths::{Rules, Walk};

/// What each feature adds to each raw score of some rows. A row's contributions and the base add up to its raw score.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// How many features there are.
    pub n_features: usize,
    /// What the raw scores are on average, per output.
    pub base: Vec<f64>,
    /// Row-major `(n_rows, n_outputs, n_features)`.
    pub contributions: Vec<f64>,
}

/// Rows of a block.
const BLOCK_ROWS: usize = 256;
/// Levels of a tree that can be explained, at most: the walk needs memory for each.
const DEEPEST: usize = 256;

impl Trees {
    /// Explains rows by the fitting rows of the trees ("path-dependent").
    ///
    /// # Determinism
    /// A row's contributions have the same bits alone and in any batch, on any number of threads.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a tree has more than 256 levels.
    ///
    /// # Panics
    /// If the features are not of the types that the trees were fitted on.
    pub fn explain(&self, features: &Features) -> Result<Explanation> {
        let most_features = self.most_features_on_a_path()?;
        let node_rows = self.node_rows();
        let mut base = vec![0.0; self.n_outputs];
        for tree in 0..self.n_trees() {
            let root = self.roots[tree] as usize;
            for at in self.node_range(tree).filter(|&at| self.nodes[at].feature & LEAF != 0) {
                let share = node_rows[at] / node_rows[root];
                self.each_value(tree, at, |output, value| base[output] += share * value);
            }
        }
        let row_len = self.n_outputs * self.n_features();
        let mut contributions = vec![0.0; features.n_rows() * row_len];
        let rules = Rules::new(&most_features);
        let blocks = contributions.par_chunks_mut((paths::BLOCK_ROWS * row_len).max(1)).enumerate();
        blocks.for_each_init(
            || Walk::new(self, &node_rows, &rules),
            |walk, (block, out)| {
                self.gather(features, block * paths::BLOCK_ROWS, out.len() / row_len, &mut walk.values);
                // A tree at a time, which then stays in the cache.
                (0..self.n_trees()).for_each(|tree| walk.add_tree(tree, most_features[tree], out));
            },
        );
        Ok(self.finish_explanation(base, contributions))
    }

    /// Explains rows by the difference to other rows, on average over those ("interventional").
    ///
    /// # Determinism
    /// As [`Trees::explain`].
    ///
    /// # Errors
    /// As [`Trees::explain`].
    ///
    /// # Panics
    /// As [`Trees::explain`], or if there is no other row.
    pub fn explain_against(&self, features: &Features, others: &Features) -> Result<Explanation> {
        let n_others = others.n_rows();
        assert!(n_others > 0, "invariant: rows are explained against at least one other");
        let (n_used, n_features) = (self.used.len(), self.n_features());
        let mut other_values = Vec::new();
        self.gather(others, 0, n_others, &mut other_values);
        let mut base = vec![0.0; self.n_outputs];
        for tree in 0..self.n_trees() {
            for other in 0..n_others {
                let leaf = self.leaf_of(tree, &other_values[other * n_used..][..n_used]);
                self.each_value(tree, leaf, |output, value| base[output] += value / n_others as f64);
            }
        }
        let weights = CoalitionWeights::new(self.most_features_on_a_path()?.into_iter().max().unwrap_or(0));
        let mut contributions = vec![0.0; features.n_rows() * self.n_outputs * n_features];
        let row_len = self.n_outputs * n_features;
        let blocks = contributions.par_chunks_mut((BLOCK_ROWS * row_len).max(1)).enumerate();
        blocks.for_each_init(Vec::new, |values, (block, out)| {
            self.gather(features, block * BLOCK_ROWS, out.len() / row_len, values);
            let mut pair = Pair {
                trees: self,
                weights: &weights,
                row: &[],
                other: &[],
                sides: vec![Side::Both; n_used],
                sums: Vec::new(),
                tree: 0,
            };
            for (row, out) in out.chunks_exact_mut(row_len).enumerate() {
                pair.row = &values[row * n_used..][..n_used];
                for other in 0..n_others {
                    pair.other = &other_values[other * n_used..][..n_used];
                    for tree in 0..self.n_trees() {
                        pair.tree = tree;
                        pair.visit(self.roots[tree] as usize, (0, 0), out);
                    }
                }
                out.iter_mut().for_each(|c| *c /= n_others as f64);
            }
        });
        Ok(self.finish_explanation(base, contributions))
    }

    fn finish_explanation(&self, mut base: Vec<f64>, mut contributions: Vec<f64>) -> Explanation {
        if self.aggregation == Aggregation::Mean && self.n_trees() > 0 {
            let n_trees = self.n_trees() as f64;
            base.iter_mut().chain(&mut contributions).for_each(|x| *x /= n_trees);
        }
        base.iter_mut().zip(&self.base_scores).for_each(|(base, own)| *base += own);
        contributions.iter_mut().for_each(|c| *c = numeric::canonical(*c));
        Explanation { n_features: self.n_features(), base, contributions }
    }

    /// The outputs and values of a leaf.
    fn each_value(&self, tree: usize, leaf: usize, mut visit: impl FnMut(usize, f64)) {
        let first = if self.width == 1 { self.outputs[tree] as usize } else { 0 };
        self.values_of(&self.nodes[leaf]).enumerate().for_each(|(i, value)| visit(first + i, value));
    }

    fn leaf_of(&self, tree: usize, values: &[f64]) -> usize {
        let mut at = self.roots[tree] as usize;
        while self.nodes[at].feature & LEAF == 0 {
            let node = &self.nodes[at];
            let goes_left = self.goes_left(node, values[(node.feature & RANK) as usize]);
            at += if goes_left { 1 } else { node.right as usize };
        }
        at
    }

    /// Of each tree, how many different features the path asks that asks the most.
    fn most_features_on_a_path(&self) -> Result<Vec<usize>> {
        let mut times = vec![0u32; self.used.len()];
        let mut found = Vec::with_capacity(self.n_trees());
        for &root in &self.roots {
            let mut most = 0;
            // Down into a node, and out of it again.
            let mut waiting = vec![(root as usize, false)];
            let (mut n_features, mut depth) = (0, 0);
            while let Some((at, is_left)) = waiting.pop() {
                let node = &self.nodes[at];
                let feature = (node.feature & RANK) as usize;
                if node.feature & LEAF != 0 {
                    most = most.max(n_features);
                } else if is_left {
                    depth -= 1;
                    times[feature] -= 1;
                    n_features -= usize::from(times[feature] == 0);
                } else {
                    n_features += usize::from(times[feature] == 0);
                    times[feature] += 1;
                    depth += 1;
                    if depth > DEEPEST {
                        return Err(Error::Invalid(format!("trees of more than {DEEPEST} levels cannot be explained")));
                    }
                    waiting.extend([(at, true), (at + node.right as usize, false), (at + 1, false)]);
                }
            }
            found.push(most);
        }
        Ok(found)
    }
}

/// Which of two rows keep to a path, as far as one feature goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Both,
    Row,
    Other,
}

/// A walk over the paths that a row, another row, or a mixture of both can take.
struct Pair<'a> {
    trees: &'a Trees,
    weights: &'a CoalitionWeights,
    row: &'a [f64],
    other: &'a [f64],
    /// By rank of the feature.
    sides: Vec<Side>,
    /// What is returned: for each value of a leaf, what features of the row add, and what those of the other take away.
    sums: Vec<[f64; 2]>,
    tree: usize,
}

impl Pair<'_> {
    /// Adds what the leaves below a node contribute to the features that part the two rows on the path, of which `counts` are
    /// the row's and the other's; leaves the sums over these leaves in `self.sums`.
    fn visit(&mut self, at: usize, counts: (usize, usize), out: &mut [f64]) {
        let node = &self.trees.nodes[at];
        if node.feature & LEAF != 0 {
            let [plus, minus] = self.weights.of(counts.0, counts.1);
            self.sums.clear();
            let values = self.trees.values_of(node);
            self.sums.extend(values.map(|value| [value * plus, value * minus]));
            return;
        }
        let rank = (node.feature & RANK) as usize;
        let child = |goes_left: bool| at + if goes_left { 1 } else { node.right as usize };
        let of_row = child(self.trees.goes_left(node, self.row[rank]));
        let of_other = child(self.trees.goes_left(node, self.other[rank]));
        match self.sides[rank] {
            Side::Both if of_row == of_other => self.visit(of_row, counts, out),
            Side::Row => self.visit(of_row, counts, out),
            Side::Other => self.visit(of_other, counts, out),
            Side::Both => {
                self.sides[rank] = Side::Row;
                self.visit(of_row, (counts.0 + 1, counts.1), out);
                self.add(rank, |sums| sums[0], out);
                let of_row = std::mem::take(&mut self.sums);
                self.sides[rank] = Side::Other;
                self.visit(of_other, (counts.0, counts.1 + 1), out);
                self.add(rank, |sums| -sums[1], out);
                self.sums.iter_mut().zip(of_row).for_each(|(a, b)| *a = [a[0] + b[0], a[1] + b[1]]);
                self.sides[rank] = Side::Both;
            }
        }
    }

    fn add(&self, rank: usize, what: impl Fn([f64; 2]) -> f64, out: &mut [f64]) {
        let first = if self.trees.width == 1 { self.trees.outputs[self.tree] as usize } else { 0 };
        let feature = self.trees.used[rank] as usize;
        for (i, sums) in self.sums.iter().enumerate() {
            out[(first + i) * self.trees.n_features() + feature] += what(*sums);
        }
    }
}

/// Shapley's weights of a leaf that `a` features of the row and `b` of the other lead to.
struct CoalitionWeights {
    most: usize,
    by_counts: Vec<[f64; 2]>,
}

impl CoalitionWeights {
    fn new(most: usize) -> Self {
        // s! r! / (s + r + 1)! by s and r: one more of the row's features changes it by s / (s + r + 1).
        let weight =
            |s: usize, r: usize| (1..=s).fold(1.0 / (r + 1) as f64, |weight, i| weight * i as f64 / (i + r + 1) as f64);
        let of = |a: usize, b: usize| {
            [if a > 0 { weight(a - 1, b) } else { 0.0 }, if b > 0 { weight(a, b - 1) } else { 0.0 }]
        };
        let by_counts = (0..=most).flat_map(|a| (0..=most).map(move |b| (a, b))).map(|(a, b)| of(a, b)).collect();
        CoalitionWeights { most, by_counts }
    }

    fn of(&self, a: usize, b: usize) -> [f64; 2] {
        self.by_counts[a * (self.most + 1) + b]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureColumn;
    use crate::pipeline::SlotType;
    use crate::trees::{Child, Decision, Split, Tree};

    const N_FEATURES: usize = 4;

    fn noise(seed: u64, i: u64) -> f64 {
        (tabwright_core::random::mix(seed ^ tabwright_core::random::mix(i)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Full trees that ask few features, so that paths ask one several times.
    fn ensemble(width: usize, aggregation: Aggregation, seed: u64) -> Trees {
        let mut trees = Trees::new(vec![SlotType::Number; N_FEATURES], width, aggregation, vec![0.5; 2]);
        for t in 0..5u64 {
            let of = |i: u64| noise(seed + t, i);
            let n_splits = 15;
            let mut tree = Tree::default();
            for i in 0..n_splits as u64 {
                let child = |c: u64| {
                    if c < n_splits as u64 { Child::Split(c as u32) } else { Child::Leaf((c - n_splits as u64) as u32) }
                };
                tree.splits.push(Split {
                    feature: (of(i) * N_FEATURES as f64) as u32,
                    decision: Decision::Number { threshold: of(i + 100) },
                    missing_left: of(i + 200) < 0.5,
                    left: child(2 * i + 1),
                    right: child(2 * i + 2),
                    gain: 1.0,
                });
            }
            tree.leaf_values = (0..16 * width as u64).map(|i| of(i + 300) - 0.3).collect();
            tree.leaf_rows = (0..16).map(|i| 1 + (of(i + 400) * 9.0) as u32).collect();
            trees.push(&tree, (t % 2) as usize * usize::from(width == 1));
        }
        trees
    }

    fn rows(n: usize, seed: u64) -> Features {
        let column = |f: u64| {
            let value = |i: u64| if noise(seed + 9, i * 8 + f) < 0.1 { f64::NAN } else { noise(seed, i * 8 + f) };
            FeatureColumn::Number((0..n as u64).map(value).collect())
        };
        Features::new(n, (0..N_FEATURES as u64).map(column).collect())
    }

    fn values(features: &Features, row: usize) -> Vec<f64> {
        let value = |c: &FeatureColumn| if let FeatureColumn::Number(v) = c { v[row] } else { f64::NAN };
        features.columns().iter().map(value).collect()
    }

    /// Shapley values by their definition, of a game whose worth is asked for every coalition.
    fn by_definition(worth: impl Fn(usize) -> f64) -> Vec<f64> {
        let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
        let n = N_FEATURES as u32;
        let of = |f: usize| {
            let coalitions = (0..1usize << N_FEATURES).filter(|s| s >> f & 1 == 0);
            let terms = coalitions.map(|s| {
                let size = s.count_ones();
                factorial(size) * factorial(n - size - 1) / factorial(n) * (worth(s | 1 << f) - worth(s))
            });
            terms.sum()
        };
        (0..N_FEATURES).map(of).collect()
    }

    /// What a tree answers if only some features are known: others go both ways.
    fn known_to_tree(trees: &Trees, node_rows: &[f64], at: usize, row: &[f64], known: usize, value: usize) -> f64 {
        let node = &trees.nodes[at];
        if node.feature & LEAF != 0 {
            return trees.values_of(node).nth(value).unwrap();
        }
        let feature = trees.used[(node.feature & RANK) as usize] as usize;
        let (left, right) = (at + 1, at + node.right as usize);
        let below = |at: usize| known_to_tree(trees, node_rows, at, row, known, value);
        if known >> feature & 1 == 1 {
            return below(if trees.goes_left(node, row[feature]) { left } else { right });
        }
        (below(left) * node_rows[left] + below(right) * node_rows[right]) / node_rows[at]
    }

    #[test]
    fn contributions_are_shapley_values_and_add_up() {
        for (width, aggregation) in [(1, Aggregation::Sum), (2, Aggregation::Mean)] {
            let trees = ensemble(width, aggregation, 3);
            let (features, others) = (rows(40, 5), rows(7, 6));
            let mut scores = vec![0.0; 80];
            trees.raw_scores(&features, &mut scores);
            let node_rows = trees.node_rows();
            let divisor = if aggregation == Aggregation::Mean { trees.n_trees() as f64 } else { 1.0 };
            let explained = [trees.explain(&features).unwrap(), trees.explain_against(&features, &others).unwrap()];
            for (row, output) in (0..40).flat_map(|row| [(row, 0), (row, 1)]) {
                let x = values(&features, row);
                let path_worth = |known: usize| {
                    let tree = |tree: usize| {
                        let value = if width == 1 { 0 } else { output };
                        let is_meant = width > 1 || trees.outputs[tree] as usize == output;
                        let root = trees.roots[tree] as usize;
                        if is_meant { known_to_tree(&trees, &node_rows, root, &x, known, value) } else { 0.0 }
                    };
                    (0..trees.n_trees()).map(tree).sum::<f64>() / divisor
                };
                let mixed_worth = |known: usize| {
                    let score = |other: usize| {
                        let other = values(&others, other);
                        let mixed = |f: usize| if known >> f & 1 == 1 { x[f] } else { other[f] };
                        let columns = (0..N_FEATURES).map(|f| FeatureColumn::Number(vec![mixed(f)])).collect();
                        let mut out = [0.0; 2];
                        trees.raw_scores(&Features::new(1, columns), &mut out);
                        out[output]
                    };
                    (0..7).map(score).sum::<f64>() / 7.0
                };
                for (explained, wanted) in explained.iter().zip([by_definition(path_worth), by_definition(mixed_worth)])
                {
                    let found = &explained.contributions[(row * 2 + output) * N_FEATURES..][..N_FEATURES];
                    for (found, wanted) in found.iter().zip(wanted) {
                        assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
                    }
                    let sum = explained.base[output] + found.iter().sum::<f64>();
                    assert!((sum - scores[row * 2 + output]).abs() < 1e-9, "{sum}");
                }
            }
            let alone = trees.explain(&features.take(&[11])).unwrap();
            assert_eq!(alone.contributions[..], explained[0].contributions[11 * 2 * N_FEATURES..][..2 * N_FEATURES]);
        }
    }

    /// Chains that ask another feature at every level, so that paths need every number of points.
    #[test]
    fn long_paths_add_up_in_every_block() {
        for n_features in [3usize, 7, 11, 15, 23, 31, 60, 140, 250] {
            let mut tree = Tree { leaf_rows: vec![2; n_features + 1], ..Tree::default() };
            tree.leaf_values = (0..=n_features as u64).map(|i| noise(7, i) - 0.4).collect();
            for i in 0..n_features as u32 {
                let is_last = i + 1 == n_features as u32;
                let right = if is_last { Child::Leaf(i + 1) } else { Child::Split(i + 1) };
                tree.splits.push(Split {
                    feature: i,
                    decision: Decision::Number { threshold: 0.1 },
                    missing_left: i % 2 == 0,
                    left: Child::Leaf(i),
                    right,
                    gain: 1.0,
                });
            }
            let mut trees = Trees::new(vec![SlotType::Number; n_features], 1, Aggregation::Sum, vec![0.25]);
            trees.push(&tree, 0);
            let n_rows = 300;
            let column = |f: u64| FeatureColumn::Number((0..n_rows as u64).map(|i| noise(f, i)).collect());
            let features = Features::new(n_rows, (0..n_features as u64).map(column).collect());
            let mut scores = vec![0.0; n_rows];
            trees.raw_scores(&features, &mut scores);
            let explained = trees.explain(&features).unwrap();
            for (score, row) in scores.iter().zip(explained.contributions.chunks_exact(n_features)) {
                assert!((score - explained.base[0] - row.iter().sum::<f64>()).abs() < 1e-9, "{n_features} features");
            }
            let alone = trees.explain(&features.take(&[290])).unwrap();
            assert_eq!(alone.contributions[..], explained.contributions[290 * n_features..][..n_features]);
        }
    }

    #[test]
    fn a_chain_without_end_is_refused() {
        let mut tree = Tree { leaf_values: vec![1.0; 5_001], ..Tree::default() };
        for i in 0..5_000u32 {
            let right = if i + 1 < 5_000 { Child::Split(i + 1) } else { Child::Leaf(5_000) };
            let decision = Decision::Number { threshold: 0.5 };
            tree.splits.push(Split {
                feature: 0,
                decision,
                missing_left: false,
                left: Child::Leaf(i),
                right,
                gain: 0.0,
            });
        }
        let mut trees = Trees::new(vec![SlotType::Number; N_FEATURES], 1, Aggregation::Sum, vec![0.0]);
        trees.push(&tree, 0);
        let error = trees.explain(&rows(1, 1)).unwrap_err().to_string();
        assert!(error.contains("more than 256 levels"), "{error}");
    }
}
