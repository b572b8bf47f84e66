//! Gradient boosting: [`fit`] grows one tree per output and round on the gradients of an objective.

mod booster;
mod params;
mod watch;

pub use params::{BoostParams, Loss};

pub use crate::grow::Growth;

use tabwright_core::metric::Metric;
use tabwright_core::{Cancel, Targets, Task};
use tabwright_model::Features;
use tabwright_model::model::Link;
use tabwright_model::pipeline::SlotType;
use tabwright_model::trees::{Trees, types_of};

use crate::binning::BinnedMatrix;
use crate::error::{Error, Result};
use crate::objective::{AbsoluteError, BinaryLogLoss, Huber, Objective, Poisson, Quantiles, Softmax, SquaredError};
use crate::target::Checked;

/// Held-out rows that decide when to stop.
#[derive(Debug, Clone, Copy)]
pub struct EarlyStopping<'a> {
    /// Stops after this many rounds without a better score.
    pub rounds: usize,
    /// What is better; none for the objective's loss.
    pub metric: Option<Metric>,
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
    /// What the first round starts from.
    pub start: Start<'a>,
    /// Stops before the last round, where held-out rows say so.
    pub early_stopping: Option<EarlyStopping<'a>>,
    /// Looked at between rounds.
    pub cancel: &'a Cancel,
}

/// What boosting starts from.
#[derive(Debug, Clone, Copy, Default)]
pub enum Start<'a> {
    /// The best constant.
    #[default]
    Constant,
    /// The raw scores of another model, row-major `(n_rows, n_outputs)`, which are not part of the trees.
    Scores(&'a [f64]),
    /// Trees to which more are added.
    Trees(&'a Trees),
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
    params.validate()?;
    fit_objective(request, params, objective(request.task, request.targets, params).as_ref())
}

/// What turns the raw scores of a task and a loss into predictions.
pub fn link(task: &Task, loss: &Loss) -> Link {
    match (task, loss) {
        (Task::Binary { .. }, _) => Link::Logistic,
        (Task::Multiclass { .. }, _) => Link::Softmax,
        (Task::Regression, Loss::Poisson) => Link::Exponential,
        (Task::Regression, _) => Link::Identity,
    }
}

fn objective(task: &Task, targets: &Targets, params: &BoostParams) -> Box<dyn Objective> {
    match (task, &params.loss) {
        (Task::Binary { .. }, _) => Box::new(BinaryLogLoss),
        (Task::Multiclass { labels }, _) => {
            let (n_classes, k) = (labels.len(), labels.len() as f64);
            Box::new(match params.growth {
                Growth::Depthwise => Softmax { n_classes, hessian_factor: 2.0, from_shares: false },
                Growth::Leafwise => Softmax { n_classes, hessian_factor: k / (k - 1.0), from_shares: true },
            })
        }
        (Task::Regression, Loss::OfTask) => Box::new(SquaredError),
        (Task::Regression, Loss::Absolute) => Box::new(AbsoluteError),
        (Task::Regression, Loss::Huber(delta)) => {
            Box::new(delta.map_or_else(|| Huber::for_targets(targets), |delta| Huber { delta }))
        }
        (Task::Regression, Loss::Quantiles(levels)) => Box::new(Quantiles { levels: levels.clone() }),
        (Task::Regression, Loss::Poisson) => Box::new(Poisson),
    }
}

/// Boosts trees with any objective. The task says which targets are allowed.
///
/// # Errors
/// As [`fit`].
pub fn fit_objective(request: &Request<'_>, params: &BoostParams, objective: &dyn Objective) -> Result<Fitted> {
    params.validate()?;
    let types = types_of(request.features);
    params.check_constraints(&types)?;
    check_labels(request.targets, objective)?;
    let fitting = Checked::new(request.features, request.targets, request.task)?;
    let held_out = match &request.early_stopping {
        None => None,
        Some(stopping) => Some(Checked::new(stopping.features, stopping.targets, request.task)?),
    };
    // On a thread of the pool, so that work is handed over there and not waited for here.
    rayon::scope(|_| {
        let binned = Binned { matrix: params.binner(request.seed).bin(&fitting.features), types };
        booster::boost(request, params, objective, (fitting, binned), held_out.as_ref(), booster::SORTED_ROWS)
    })
}

/// Rows that are bins already, such as those of a table that was never held.
#[derive(Debug, Clone)]
pub struct Binned {
    /// The bins of every row; each has a weight above 0.
    pub matrix: BinnedMatrix,
    /// What the features are.
    pub types: Vec<SlotType>,
}

/// What is to be learned from bins.
#[derive(Debug, Clone, Copy)]
pub struct BinnedRequest<'a> {
    /// The task: which objective, and how many outputs.
    pub task: &'a Task,
    /// Seed of the draws of rows and columns.
    pub seed: u64,
    /// Looked at between rounds.
    pub cancel: &'a Cancel,
}

/// Boosts trees as [`fit`] does, from the best constant on and through every round, on rows that are bins already.
/// `max_bin` and `min_data_in_bin` are of no effect. Targets and weights, none of which is 0, are held no longer than needed.
///
/// # Errors
/// As [`fit`].
///
/// # Determinism
/// The trees are those of [`fit`] on the features that the bins are of.
pub fn fit_binned(
    binned: Binned,
    targets: Targets,
    request: &BinnedRequest<'_>,
    params: &BoostParams,
) -> Result<Fitted> {
    params.validate()?;
    params.check_constraints(&binned.types)?;
    // Bins say all that boosting asks of features.
    let features = Features::new(binned.matrix.n_rows(), Vec::new());
    let BinnedRequest { task, seed, cancel } = *request;
    let objective = objective(task, &targets, params);
    check_labels(&targets, objective.as_ref())?;
    let fitting = Checked::owned(&features, targets, task)?;
    // Boosting asks the checked rows for their targets.
    let (none, start) = (Targets::new(Vec::new()), Start::Constant);
    let request = Request { features: &features, targets: &none, task, seed, start, early_stopping: None, cancel };
    rayon::scope(|_| {
        booster::boost(&request, params, objective.as_ref(), (fitting, binned), None, booster::SORTED_ROWS)
    })
}

fn check_labels(targets: &Targets, objective: &dyn Objective) -> Result<()> {
    let Some(least) = objective.least_label() else { return Ok(()) };
    match targets.values.iter().position(|y| *y < least) {
        None => Ok(()),
        Some(row) => {
            let allowed = format!("numbers from {least} on");
            Err(Error::Target { row, found: targets.values[row], allowed })
        }
    }
}

#[cfg(test)]
mod tests;
