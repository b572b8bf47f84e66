//! The floor: the same answer for every row. The shares of the classes, or the mean.

use tabwright_core::{Task, numeric, parallel};
use tabwright_model::model::{Link, Predictor};

use super::{BASELINE, CandidateType, Learned, Learner, Reads, Sample, Tasks};
use crate::error::Result;
use crate::transform::Family;

/// A class that the fitting rows do not have is still given this share: what was not seen is not impossible.
const LEAST_SHARE: f64 = 1e-9;

pub(super) fn types() -> Vec<CandidateType> {
    let baseline = CandidateType::new(BASELINE, Family::Trees, Tasks::Any, vec![], |_, _| Ok(Box::new(Baseline)));
    vec![baseline.documented("Majority or mean: what every other candidate must beat.", &["dummy"])]
}

struct Baseline;

impl Learner for Baseline {
    fn reads(&self, _seed: u64) -> Reads {
        Reads::Targets
    }

    fn fit(&self, sample: &Sample<'_>) -> Result<Learned> {
        constant(sample)
    }
}

/// The constant predictor of some rows: log-odds, log-shares or the mean, by weight.
///
/// # Errors
/// None; the signature is that of every fit.
pub fn constant(sample: &Sample<'_>) -> Result<Learned> {
    let targets = sample.targets;
    let n = targets.len();
    let total = parallel::sum(n, |i| targets.weight(i));
    let total = if total > 0.0 { total } else { 1.0 };
    let share = |class: usize| {
        let weight = parallel::sum(n, |i| if targets.values[i] as usize == class { targets.weight(i) } else { 0.0 });
        (weight / total).clamp(LEAST_SHARE, 1.0 - LEAST_SHARE)
    };
    let (scores, link) = match sample.task {
        Task::Regression => (vec![parallel::sum(n, |i| targets.weight(i) * targets.values[i]) / total], Link::Identity),
        Task::Binary { .. } => {
            let p = share(1);
            (vec![numeric::ln(p) - numeric::ln_1p(-p)], Link::Logistic)
        }
        Task::Multiclass { labels } => ((0..labels.len()).map(|c| numeric::ln(share(c))).collect(), Link::Softmax),
    };
    Ok(Learned::new(Predictor::Constant(scores.into_iter().map(numeric::canonical).collect()), link))
}

/// Whether all rows that count have one class.
pub(super) fn has_one_answer(sample: &Sample<'_>) -> bool {
    if !sample.task.is_classification() {
        return false;
    }
    let counted = (0..sample.targets.len()).filter(|&i| sample.targets.weight(i) > 0.0);
    let mut classes = counted.map(|i| sample.targets.values[i]);
    classes.next().is_none_or(|first| classes.all(|c| c == first))
}
