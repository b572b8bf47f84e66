//! Gradient boosting: [`fit`] grows one tree per output and round on the gradients of an objective.

mod booster;
mod params;

pub use params::BoostParams;

pub use crate::grow::Growth;

use tabwright_core::{Cancel, Targets, Task};
use tabwright_model::Features;
use tabwright_model::trees::Trees;

use crate::error::Result;
use crate::objective::{BinaryLogLoss, Objective, Softmax, SquaredError};
use crate::target::Checked;

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

/// Boosts trees with the objective of a task: log-loss for classes, squared error for numbers.
///
/// # Errors
/// If a parameter is out of range, the rows cannot be learned from, or the caller wished to stop.
///
/// # Determinism
/// The same request and parameters give the same trees, on any number of threads.
pub fn fit(request: &Request<'_>, params: &BoostParams) -> Result<Fitted> {
    match request.task {
        Task::Binary { .. } => fit_objective(request, params, &BinaryLogLoss),
        Task::Regression => fit_objective(request, params, &SquaredError),
        Task::Multiclass { labels } => {
            let k = labels.len() as f64;
            let softmax = match params.growth {
                Growth::Depthwise => Softmax { n_classes: labels.len(), hessian_factor: 2.0, from_shares: false },
                Growth::Leafwise => {
                    Softmax { n_classes: labels.len(), hessian_factor: k / (k - 1.0), from_shares: true }
                }
            };
            fit_objective(request, params, &softmax)
        }
    }
}

/// Boosts trees with any objective. The task says which targets are allowed.
///
/// # Errors
/// As [`fit`].
pub fn fit_objective(request: &Request<'_>, params: &BoostParams, objective: &dyn Objective) -> Result<Fitted> {
    params.validate()?;
    let fitting = Checked::new(request.features, request.targets, request.task)?;
    let held_out = match &request.early_stopping {
        None => None,
        Some(stopping) => Some(Checked::new(stopping.features, stopping.targets, request.task)?),
    };
    booster::boost(request, params, objective, &fitting, held_out.as_ref(), booster::SORTED_ROWS)
}

#[cfg(test)]
mod tests;
