//! `runs compare`: what differs between runs, which is best by each metric, and whether that is more than noise.

use std::collections::BTreeSet;

use serde::Serialize;
use tabwright_report::{Chart, Line};
use tabwright_store::{MetricPoint, Run, Store, greater_is_better};

use crate::error::{Error, Result};

/// Runs that are compared at once, at most.
const MOST_RUNS: usize = 20;

/// Runs side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The ids of the runs, in the order in which they were named.
    pub runs: Vec<String>,
    /// Parameters that differ, with the value in each run.
    pub params: Vec<ParamRow>,
    /// Metrics, with the value in each run.
    pub metrics: Vec<MetricRow>,
    /// The metric that the best is chosen by.
    pub primary: String,
    /// Position of the best run, if one is.
    pub best: Option<usize>,
    /// Positions of the runs that lack the primary metric.
    pub lacking: Vec<usize>,
    /// The best against each other run, over their folds.
    pub noise: Vec<Noise>,
}

/// A parameter that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParamRow {
    /// Its name.
    pub name: String,
    /// Its value in each run.
    pub values: Vec<Option<String>>,
}

/// A metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricRow {
    /// Its name.
    pub name: String,
    /// Its last value in each run; absent where it was not measured, or is not defined.
    pub values: Vec<Option<f64>>,
    /// Position of the best, where the direction of the metric is known and one is better than another.
    pub best: Option<usize>,
}

/// Whether the difference of two runs is larger than the noise of their folds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Noise {
    /// Position of the best run.
    pub best: usize,
    /// Position of the other run.
    pub other: usize,
    /// How much better the best is, in the mean over the folds.
    pub difference: Option<f64>,
    /// What chance alone gives: the half width of the 95% interval around no difference.
    pub chance: Option<f64>,
    /// Whether the difference is larger.
    pub beyond: Option<bool>,
    /// Whether both were measured on the same folds.
    pub paired: bool,
    /// Why it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Compares runs. `primary` is the metric that decides; empty: the one that the first run is judged by.
///
/// # Errors
/// For fewer than two runs, too many, or one named twice; from the store.
pub async fn compare(store: &Store, ids: &[String], primary: &str) -> Result<(Comparison, Vec<Chart>)> {
    if ids.len() < 2 || ids.len() > MOST_RUNS {
        return Err(Error::Config(format!("from 2 to {MOST_RUNS} runs are compared, not {}", ids.len())));
    }
    let mut runs = Vec::new();
    for id in ids {
        let run = store.run(id).await?;
        if runs.iter().any(|known: &Run| known.run_id == run.run_id) {
            return Err(Error::Config(format!("the run {} is named twice", run.run_id)));
        }
        runs.push(run);
    }
    let primary = match primary.is_empty() {
        true => runs.iter().map(|r| r.run.primary_metric.as_str()).find(|m| !m.is_empty()).unwrap_or_default(),
        false => primary,
    };
    let mut folds = Vec::new();
    let of_folds = format!("fold.{}", primary.rsplit('.').next().unwrap_or(primary));
    for run in &runs {
        folds.push(match run.metrics.contains_key(&of_folds) {
            true => store.history(&run.run_id, &of_folds).await?,
            false => Vec::new(),
        });
    }
    let comparison = side_by_side(&runs, &folds, primary);
    Ok((comparison, charts(store, &runs).await?))
}

fn side_by_side(runs: &[Run], folds: &[Vec<MetricPoint>], primary: &str) -> Comparison {
    let names: BTreeSet<&String> = runs.iter().flat_map(|r| r.params.keys()).collect();
    let params = names.into_iter().map(|name| ParamRow {
        name: name.clone(),
        values: runs.iter().map(|r| r.params.get(name).cloned()).collect(),
    });
    let params = params.filter(|row| row.values.iter().any(|v| *v != row.values[0])).collect();
    let names: BTreeSet<&String> = runs.iter().flat_map(|r| r.metrics.keys()).collect();
    let metrics: Vec<MetricRow> = names
        .into_iter()
        .filter(|name| !name.starts_with("fold."))
        .map(|name| {
            let values: Vec<Option<f64>> =
                runs.iter().map(|r| r.metrics.get(name).map(|m| m.last).filter(|v| !v.is_nan())).collect();
            MetricRow { name: name.clone(), best: best_of(name, &values), values }
        })
        .collect();
    let deciding = metrics.iter().find(|m| m.name == primary);
    let lacking = match deciding {
        Some(row) => (0..runs.len()).filter(|i| row.values[*i].is_none()).collect(),
        None => (0..runs.len()).collect(),
    };
    let best = deciding.and_then(|row| row.best);
    let others = (0..runs.len()).filter(|i| Some(*i) != best);
    let noise = best.map_or_else(Vec::new, |best| {
        let greater = greater_is_better(primary).unwrap_or(true);
        others.map(|other| noise_of((best, other), runs, folds, greater)).collect()
    });
    Comparison {
        runs: runs.iter().map(|r| r.run_id.clone()).collect(),
        params,
        metrics,
        primary: primary.to_owned(),
        best,
        lacking,
        noise,
    }
}

/// Position of the best value; none where all are equal, or the direction is not known.
fn best_of(name: &str, values: &[Option<f64>]) -> Option<usize> {
    let sign = if greater_is_better(name)? { 1.0 } else { -1.0 };
    let known: Vec<(usize, f64)> = values.iter().enumerate().filter_map(|(i, v)| Some((i, sign * (*v)?))).collect();
    let (best, value) = known.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    known.iter().any(|(_, other)| *other < value).then_some(best)
}

/// Quantiles of 0.975 of Student's t, by degrees of freedom from 1.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// Compares two runs over their folds: with a paired t-test where the folds are the same, else with Welch's. The variance is
/// corrected for folds that share their fitting rows.
///
/// # References
/// Nadeau and Bengio (2003), Inference for the generalization error, equation 9.
fn noise_of((best, other): (usize, usize), runs: &[Run], folds: &[Vec<MetricPoint>], greater: bool) -> Noise {
    let unknown = |why: &str| Noise {
        best,
        other,
        difference: None,
        chance: None,
        beyond: None,
        paired: false,
        why: Some(why.to_owned()),
    };
    let scores = |i: usize| folds[i].iter().map(|p| p.value).filter(|v| v.is_finite()).collect::<Vec<_>>();
    let (a, b) = (scores(best), scores(other));
    if a.len() < 2 || b.len() < 2 {
        return unknown("it has no scores of two folds or more");
    }
    let same = |name: &str| {
        let of = |i: usize| &runs[i].run.info[name];
        !of(best).is_null() && of(best) == of(other)
    };
    let folds_of = |i: usize| (&runs[i].run.info["plan"]["split"], &runs[i].run.info["plan"]["folds"]);
    let paired = a.len() == b.len() && same("data_fingerprint") && folds_of(best) == folds_of(other);
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let variance = |v: &[f64]| v.iter().map(|x| (x - mean(v)) * (x - mean(v))).sum::<f64>() / (v.len() - 1) as f64;
    // Of k folds, each fit has k - 1 parts of the rows and is scored on one.
    let share = |k: usize| 1.0 / k as f64 + 1.0 / (k - 1) as f64;
    let sign = if greater { 1.0 } else { -1.0 };
    let difference = sign * (mean(&a) - mean(&b));
    let (spread, freedom) = if paired {
        let each: Vec<f64> = a.iter().zip(&b).map(|(x, y)| x - y).collect();
        (share(a.len()) * variance(&each), a.len() - 1)
    } else {
        (share(a.len()) * variance(&a) + share(b.len()) * variance(&b), a.len().min(b.len()) - 1)
    };
    let t = T.get(freedom.saturating_sub(1)).copied().unwrap_or(1.96);
    let chance = t * spread.sqrt();
    Noise {
        best,
        other,
        difference: Some(difference),
        chance: Some(chance),
        beyond: Some(difference.abs() > chance),
        paired,
        why: None,
    }
}

/// The histories of metrics that have one, a chart for each.
async fn charts(store: &Store, runs: &[Run]) -> Result<Vec<Chart>> {
    let with_history =
        |run: &Run| run.metrics.iter().filter(|(_, m)| m.points > 1).map(|(n, _)| n.clone()).collect::<Vec<_>>();
    let names: BTreeSet<String> = runs.iter().flat_map(with_history).collect();
    let mut charts = Vec::new();
    for name in names {
        let mut lines = Vec::new();
        for run in runs.iter().filter(|r| r.metrics.contains_key(&name)) {
            let points = store.history(&run.run_id, &name).await?;
            let own = if run.run.name.is_empty() { String::new() } else { format!(" {}", run.run.name) };
            let short = run.run_id.get(..8).unwrap_or(&run.run_id);
            let points = points.iter().map(|p| (p.step as f64, p.value)).collect();
            lines.push(Line { name: format!("{short}{own}"), points });
        }
        let horizontal = if name.starts_with("fold.") { "fold" } else { "step" };
        charts.push(Chart { title: name, horizontal: horizontal.into(), lines });
    }
    Ok(charts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_found_by_the_direction_of_the_metric() {
        let values = [Some(0.3), None, Some(0.1), Some(0.2)];
        assert_eq!((best_of("cv.roc_auc", &values), best_of("cv.log_loss", &values)), (Some(0), Some(2)));
        assert_eq!((best_of("seconds", &values), best_of("roc_auc", &[Some(1.0), Some(1.0)])), (None, None));
        assert_eq!(best_of("roc_auc", &[None, None]), None);
    }
}
