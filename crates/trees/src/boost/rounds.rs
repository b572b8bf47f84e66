//! The rounds of boosting: gradients, a tree per output, scores.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::rows::BLOCK_ROWS;
use tabwright_core::{numeric, parallel};
use tabwright_model::trees::{Aggregation, Trees, types_of};

use crate::binning::{BinnedMatrix, Binner};
use crate::boost::{BoostParams, Fitted, Request};
use crate::error::{Error, Result};
use crate::gradient::{self, FixedGradients, GradientPair};
use crate::grow::{GrowLimits, Grower, GrownTree, LocalRows, Remains};
use crate::histogram::Layout;
use crate::objective::{Labels, Objective};
use crate::split::{SplitParams, Splitter};
use crate::target::Checked;
use crate::translate::{leaf_of_row, translate};

/// Raw scores of the fitting rows, row-major `(n_rows, n_outputs)`. Leaves have rows all over the table, and are
/// followed on several threads: each score is a word that one thread changes at a time.
struct Scores(Vec<AtomicU64>);

impl Scores {
    fn new(n_rows: usize, base: &[f64]) -> Self {
        Scores((0..n_rows).flat_map(|_| base).map(|b| AtomicU64::new(b.to_bits())).collect())
    }

    fn get(&self, place: usize) -> f64 {
        f64::from_bits(self.0[place].load(Ordering::Relaxed))
    }

    fn add(&self, place: usize, value: f64) {
        self.0[place].store((self.get(place) + value).to_bits(), Ordering::Relaxed);
    }
}

/// What stays the same over the rounds, but for the order of the rows.
struct Booster<'a> {
    params: &'a BoostParams,
    objective: &'a dyn Objective,
    matrix: BinnedMatrix,
    layout: Layout,
    values: Cow<'a, [f64]>,
    weights: Option<Cow<'a, [f64]>>,
    splitting: SplitParams,
    limits: GrowLimits,
    seed: u64,
}

/// Rows from which on they are sorted by the leaves of a tree: smaller tables are in the cache in any order.
pub(super) const SORTED_ROWS: usize = 1 << 16;
/// After these rounds: rows that one tree brings together, later trees do too, so that those of a node lie together in memory.
const SORTED_AFTER: [usize; 2] = [0, 9];

/// Boosts until the last round, or until held-out rows say that it is enough. From `sorted_rows` rows on, rows are sorted:
/// sums are whole numbers, so it makes no difference to the trees.
pub(super) fn boost(
    request: &Request<'_>,
    params: &BoostParams,
    objective: &dyn Objective,
    fitting: &Checked<'_>,
    held_out: Option<&Checked<'_>>,
    sorted_rows: usize,
) -> Result<Fitted> {
    let matrix = Binner { max_bin: params.max_bin, min_data_in_bin: params.min_data_in_bin, seed: request.seed }
        .bin(&fitting.features);
    let layout = Layout::new(&matrix);
    let mut booster = Booster {
        params,
        objective,
        matrix,
        layout,
        values: Cow::Borrowed(&fitting.values),
        weights: fitting.weights.as_deref().map(Cow::Borrowed),
        splitting: split_params(params),
        limits: limits(params),
        seed: request.seed,
    };
    let n_outputs = objective.n_outputs();
    let base = objective.base_scores(labels(fitting)).into_iter().map(numeric::canonical).collect::<Vec<f64>>();
    let mut scores = Scores::new(fitting.n_rows(), &base);
    let mut trees = Trees::new(types_of(&fitting.features), 1, Aggregation::Sum, base);
    let mut watch = held_out.map(|rows| Watch::new(rows, objective, &trees));
    let patience = request.early_stopping.map_or(0, |s| s.rounds);
    let is_constant = booster.constant_hessian().is_some();
    let mut gradients = vec![FixedGradients::new(fitting.n_rows(), is_constant); n_outputs];
    let mut memory = Memory::default();
    let mut best_round = params.n_estimators;
    for round in 0..params.n_estimators {
        if request.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        booster.round_gradients(&scores, &mut gradients);
        for (output, gradients) in gradients.iter().enumerate() {
            booster.add_tree((round, output), gradients, &scores, &mut trees, &mut memory);
        }
        if let Some(watch) = &mut watch {
            watch.follow(&trees, n_outputs);
            best_round = watch.best_round;
            if round + 1 >= best_round + patience {
                break;
            }
        }
        // A sample is drawn by the numbers of the rows, which therefore stay.
        if SORTED_AFTER.contains(&round) && params.subsample >= 1.0 && fitting.n_rows() >= sorted_rows {
            booster.sort_rows(&memory.rows, &mut scores);
        }
    }
    if trees.n_trees() > best_round * n_outputs {
        trees = trees.first_trees(best_round * n_outputs);
    }
    Ok(Fitted { trees, best_round })
}

fn split_params(params: &BoostParams) -> SplitParams {
    SplitParams {
        reg_lambda: params.reg_lambda,
        reg_alpha: params.reg_alpha,
        gamma: params.gamma,
        min_child_samples: params.min_child_samples as u64,
        min_child_weight: params.min_child_weight,
        max_cat_to_onehot: params.max_cat_to_onehot,
        max_cat_threshold: params.max_cat_threshold,
        cat_smooth: params.cat_smooth,
        cat_l2: params.cat_l2,
        min_data_per_group: params.min_data_per_group as u64,
    }
}

fn limits(params: &BoostParams) -> GrowLimits {
    GrowLimits {
        growth: params.growth,
        max_depth: params.max_depth.unwrap_or(usize::MAX),
        max_leaves: params.num_leaves.unwrap_or(usize::MAX),
    }
}

fn labels<'a>(rows: &'a Checked<'_>) -> Labels<'a> {
    Labels { values: &rows.values, weights: rows.weights.as_deref() }
}

/// Memory that trees hand on.
#[derive(Default)]
struct Memory {
    rows: Vec<u32>,
    remains: Remains,
}

impl Booster<'_> {
    fn n_rows(&self) -> usize {
        self.values.len()
    }

    /// Brings rows, with all that belongs to them, into another order.
    fn sort_rows(&mut self, order: &[u32], scores: &mut Scores) {
        let n_outputs = self.objective.n_outputs();
        let pick = |values: &[f64]| order.iter().map(|&row| values[row as usize]).collect::<Vec<f64>>();
        self.matrix = self.matrix.take(order);
        self.layout = Layout::new(&self.matrix);
        self.values = pick(&self.values).into();
        self.weights = self.weights.as_ref().map(|weights| pick(weights).into());
        let of_row = |&row: &u32| (0..n_outputs).map(move |k| row as usize * n_outputs + k);
        *scores = Scores(order.iter().flat_map(of_row).map(|i| AtomicU64::new(scores.get(i).to_bits())).collect());
    }

    /// The hessian, where it is the same for all rows.
    fn constant_hessian(&self) -> Option<f64> {
        self.objective.constant_hessian().filter(|_| self.weights.is_none())
    }

    /// Gradients and hessians of every row and output, times the row's weight, in fixed point.
    fn round_gradients(&self, scores: &Scores, fixed: &mut [FixedGradients]) {
        let (n_rows, n_outputs) = (self.n_rows(), self.objective.n_outputs());
        let weights = self.weights.as_deref();
        let derivatives = |rows: Range<usize>, out: &mut [GradientPair]| {
            let scores: Vec<f64> = (rows.start * n_outputs..rows.end * n_outputs).map(|i| scores.get(i)).collect();
            self.objective.derivatives(&scores, &self.values[rows.clone()], out);
            if let Some(weights) = weights {
                for (pairs, weight) in out.chunks_exact_mut(n_outputs).zip(&weights[rows]) {
                    pairs.iter_mut().for_each(|p| {
                        p.gradient *= weight;
                        p.hessian *= weight;
                    });
                }
            }
        };
        // Gradients shrink while a model learns: a pass over them in each round keeps all bits in use.
        let largest = gradient::largest(n_rows, n_outputs, &derivatives);
        gradient::round(fixed, &largest, self.constant_hessian(), &derivatives);
    }

    /// Grows the tree of an output, adds it to the ensemble and its values to the scores.
    fn add_tree(
        &self,
        (round, output): (usize, usize),
        gradients: &FixedGradients,
        scores: &Scores,
        trees: &mut Trees,
        memory: &mut Memory,
    ) {
        let n_outputs = self.objective.n_outputs();
        let tree_number = (round * n_outputs + output) as u64;
        let active = self.active_features(tree_number);
        let rows = self.sample_rows(round as u64, std::mem::take(&mut memory.rows));
        let is_sampled = rows.len() < self.n_rows();
        let remains = std::mem::take(&mut memory.remains);
        let mut source = LocalRows::new(&self.matrix, &self.layout, gradients, &active, rows, remains);
        let splitter =
            Splitter { matrix: &self.matrix, layout: &self.layout, params: &self.splitting, active: &active };
        let grown = Grower { splitter, limits: self.limits }.grow(&mut source);
        let units = gradients.units();
        let value = |sums: &crate::gradient::Sums| {
            let (gradient, hessian) = (sums.gradient as f64 * units.gradient, sums.hessian as f64 * units.hessian);
            numeric::canonical(self.params.learning_rate * self.splitting.leaf_value(gradient, hessian))
        };
        let values: Vec<f64> = grown.leaf_sums.iter().map(value).collect();
        trees.push(&translate(&grown, &self.matrix, values.clone()), output);
        let add = |row: u32, value: f64| scores.add(row as usize * n_outputs + output, value);
        if is_sampled {
            self.follow_all_rows(&grown, &values, add);
        } else {
            let leaves = grown.leaf_nodes.par_iter().zip(&values);
            let parts =
                leaves.flat_map(|(&node, &value)| source.rows_of(node).par_chunks(BLOCK_ROWS).map(move |c| (c, value)));
            parts.for_each(|(rows, value)| rows.iter().for_each(|&row| add(row, value)));
        }
        let (rows, remains) = source.into_remains();
        *memory = Memory { rows, remains };
    }

    /// Rows outside of the sample have no place in the tree: all rows walk it.
    fn follow_all_rows(&self, grown: &GrownTree, values: &[f64], add: impl Fn(u32, f64) + Sync) {
        let leaf_of = leaf_of_row(grown, &self.matrix);
        (0..self.n_rows() as u32)
            .into_par_iter()
            .with_min_len(BLOCK_ROWS)
            .for_each(|row| add(row, values[leaf_of(row as usize)]));
    }

    /// The rows of a round, ascending.
    fn sample_rows(&self, round: u64, mut rows: Vec<u32>) -> Vec<u32> {
        let n_rows = self.n_rows() as u32;
        rows.clear();
        if self.params.subsample >= 1.0 {
            rows.extend(0..n_rows);
            return rows;
        }
        let keyed = Keyed::new(self.seed, Purpose::Subsample).child(round);
        rows.extend((0..n_rows).filter(|&row| keyed.uniform(u64::from(row)) < self.params.subsample));
        rows
    }

    /// The features that a tree may ask.
    fn active_features(&self, tree: u64) -> Vec<bool> {
        let n = self.matrix.n_features();
        let wanted = ((self.params.colsample_bytree * n as f64).floor() as usize).max(1);
        if wanted >= n {
            return vec![true; n];
        }
        let keyed = Keyed::new(self.seed, Purpose::Columns).child(tree);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&f| (keyed.bits(f as u64), f));
        let mut active = vec![false; n];
        order[..wanted].iter().for_each(|&f| active[f] = true);
        active
    }
}

/// Held-out rows, and how the loss on them went.
struct Watch<'a> {
    rows: &'a Checked<'a>,
    objective: &'a dyn Objective,
    scores: Vec<f64>,
    least: f64,
    rounds: usize,
    best_round: usize,
}

impl<'a> Watch<'a> {
    fn new(rows: &'a Checked<'a>, objective: &'a dyn Objective, trees: &Trees) -> Self {
        let scores = (0..rows.n_rows()).flat_map(|_| trees.base_scores().iter().copied()).collect();
        Watch { rows, objective, scores, least: f64::INFINITY, rounds: 0, best_round: 1 }
    }

    /// Adds the trees of a round, and notes whether the mean loss fell.
    fn follow(&mut self, trees: &Trees, n_outputs: usize) {
        for tree in trees.n_trees() - n_outputs..trees.n_trees() {
            trees.add_tree_scores(tree, &self.rows.features, &mut self.scores);
        }
        self.rounds += 1;
        let weight = |i: usize| self.rows.weights.as_ref().map_or(1.0, |w| w[i]);
        let loss = parallel::sum(self.rows.n_rows(), |i| {
            weight(i) * self.objective.loss(&self.scores[i * n_outputs..][..n_outputs], self.rows.values[i])
        });
        if loss < self.least {
            self.least = loss;
            self.best_round = self.rounds;
        }
    }
}
