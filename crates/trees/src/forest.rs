//! Forests: trees grown to purity on bootstrap samples or with random thresholds, averaged.
//!
//! Trees grow side by side, each on one thread. Targets and weights are whole numbers, so a node's sums do not depend on
//! the order of its rows, and two classes are numbers 0 and 1, for which Gini impurity is twice the variance.
//!
//! The rows of a node take one of four forms, and every form finds the same splits. Items (row, target, weight) hold any
//! rows, and codes are looked up by row. `records` hold the codes too; they serve one number or two classes, rows that do
//! not weigh too much together, and not too many features. Of few rows, `lanes` are bits of a word for two classes, and
//! `sorted` lists for a number.
//!
//! Levels of categories are ranked once a tree (`codes`), so that below its root there are only numbers. Bins are bytes: of a large category all but the 253 most frequent levels
//! share one.
//!
//! # References
//! Breiman, "Random forests", Machine Learning 45 (2001); Geurts, Ernst, Wehenkel, "Extremely randomized trees", Machine
//! Learning 63 (2006). Names and defaults are scikit-learn's, and so is the rule that a node looks at further features
//! while all it has seen are constant.

mod cells;
mod codes;
mod draws;
mod grow;
mod lanes;
mod look;
mod node;
mod params;
mod records;
mod response;
mod scan;
mod sorted;

pub use params::{ForestParams, MaxFeatures};

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use tabwright_core::{Cancel, Targets, Task};
use tabwright_model::Features;
use tabwright_model::trees::{Aggregation, Tree, Trees, types_of};

use crate::binning::{BYTE_LEVELS, Binner};
use crate::error::{Error, Result};
use crate::forest::draws::bootstrap;
use crate::forest::grow::{Forest, TreeGrower};
use crate::forest::response::Response;
use crate::target::Checked;

/// Grows a forest. Its raw scores are means over the trees: for binary the probability of the positive label, for
/// multiclass one probability per label, for regression the number.
///
/// # Errors
/// If a parameter is out of range, the rows cannot be learned from, or the caller wished to stop.
///
/// # Determinism
/// The same rows, parameters and seed give the same trees, on any number of threads.
pub fn fit(
    features: &Features,
    targets: &Targets,
    task: &Task,
    params: &ForestParams,
    seed: u64,
    cancel: &Cancel,
) -> Result<Trees> {
    params.validate()?;
    let rows = Checked::new(features, targets, task)?;
    let binner = Binner { max_bin: params.max_bin, min_data_in_bin: 1, max_levels: BYTE_LEVELS, seed };
    let matrix = binner.bin(&rows.features);
    let response = Response::new(&rows, task);
    let template = Forest::template(params, &matrix, &response);
    let forest = Forest { params, matrix: &matrix, response: &response, template, seed };
    let n_outputs = task.n_outputs();
    let trees = Trees::new(types_of(features), n_outputs, Aggregation::Mean, vec![0.0; n_outputs]);
    let packed = Mutex::new(InOrder { trees, waiting: BTreeMap::new() });
    let next = AtomicUsize::new(0);
    // Trees are begun in their order, so that few wait unpacked for an earlier one.
    let grow = |_: usize| {
        let mut grower = TreeGrower::new(&forest);
        while !cancel.is_cancelled() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= params.n_estimators {
                break;
            }
            let tree = grower.grow(number as u64);
            packed.lock().expect("invariant: packing a tree does not panic").add(number, tree);
        }
    };
    (0..rayon::current_num_threads()).into_par_iter().with_max_len(1).for_each(grow);
    let InOrder { trees, .. } = packed.into_inner().expect("invariant: packing a tree does not panic");
    if trees.n_trees() < params.n_estimators { Err(Error::Cancelled) } else { Ok(trees) }
}

/// Raw scores of the fitting rows by the trees of a forest that have not seen them, row-major `(n_rows, n_outputs)`; NaN for
/// a row that every tree has seen. All arguments are those of [`fit`], which made the trees.
///
/// # Errors
/// As [`fit`], or if the trees were not grown on bootstrap samples, or are not as many as the parameters say.
///
/// # Determinism
/// Answers are added in the order of the trees, on any number of threads.
pub fn out_of_bag(
    trees: &Trees,
    features: &Features,
    targets: &Targets,
    task: &Task,
    params: &ForestParams,
    seed: u64,
) -> Result<Vec<f64>> {
    params.validate()?;
    if !params.bootstrap {
        let (found, allowed) = ("false".to_owned(), "true: without samples no row is out of a bag");
        return Err(Error::Parameter { parameter: "bootstrap", found, allowed });
    }
    if trees.n_trees() != params.n_estimators {
        let (found, allowed) = (params.n_estimators.to_string(), "the number of trees of the forest");
        return Err(Error::Parameter { parameter: "n_estimators", found, allowed });
    }
    let rows = Checked::new(features, targets, task)?;
    // Samples are drawn from the rows that have a weight.
    let has_weight = |row: &usize| targets.weights.as_ref().is_none_or(|w| w[*row] > 0.0);
    let drawn_from: Vec<usize> = (0..features.n_rows()).filter(has_weight).collect();
    let (n_rows, n_outputs) = (features.n_rows(), trees.n_outputs());
    let (mut sums, mut n_trees) = (vec![0.0; n_rows * n_outputs], vec![0u32; n_rows]);
    let mut times = Vec::new();
    for tree in 0..trees.n_trees() {
        let mut answers = vec![0.0; n_rows * n_outputs];
        trees.add_tree_scores(tree, features, &mut answers);
        let mut is_out = vec![true; n_rows];
        bootstrap(seed, tree as u64, rows.n_rows(), &mut times);
        for (&row, &times) in drawn_from.iter().zip(&times) {
            is_out[row] = times == 0;
        }
        let rows = sums.chunks_exact_mut(n_outputs).zip(answers.chunks_exact(n_outputs));
        for ((sums, answers), n) in rows.zip(&mut n_trees).enumerate().filter(|(row, _)| is_out[*row]).map(|(_, r)| r) {
            sums.iter_mut().zip(answers).for_each(|(sum, answer)| *sum += answer);
            *n += 1;
        }
    }
    for (sums, n) in sums.chunks_exact_mut(n_outputs).zip(n_trees) {
        sums.iter_mut().for_each(|sum| *sum = if n > 0 { *sum / f64::from(n) } else { f64::NAN });
    }
    Ok(sums)
}

/// Packs trees in the order of their numbers, whichever is ready first.
struct InOrder {
    trees: Trees,
    /// Trees that are ready before an earlier one.
    waiting: BTreeMap<usize, Tree>,
}

impl InOrder {
    fn add(&mut self, number: usize, tree: Tree) {
        self.waiting.insert(number, tree);
        while let Some(tree) = self.waiting.remove(&self.trees.n_trees()) {
            self.trees.push(&tree, 0);
        }
    }
}

#[cfg(test)]
mod tests;
