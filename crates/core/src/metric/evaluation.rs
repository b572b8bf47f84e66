//! Everything that is to be said about predictions: scores, the confusion matrix, figures per class and curves.

use serde::{Deserialize, Serialize, Serializer};

use super::ranking::Ranking;
use super::{Metric, Predictions, Scoring};
use crate::{Targets, Task};

/// Points of a curve that are kept: enough for any plot, whatever the number of rows.
const CURVE_POINTS: usize = 1_000;

/// Classes up to which the confusion matrix is written out.
const CONFUSION_CLASSES: usize = 500;

/// Bins of the reliability curve.
const RELIABILITY_BINS: usize = 10;

/// Classes of a multiclass task up to which [`reliability`] tells about each.
const RELIABILITY_CLASSES: usize = 20;

/// What predictions are worth on some rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Number of rows.
    pub rows: usize,
    /// Sum of their weights.
    pub weight: f64,
    /// Every metric of the task; written as an object, undefined values as `null`.
    #[serde(serialize_with = "serialize_scores")]
    pub scores: Vec<(Metric, f64)>,
    /// The probability from which a row counts as positive; only of a binary task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// The labels in the order of the matrix and of the figures; none for a regression.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Weight of the rows by actual label (row) and predicted label (column); none beyond 500 labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<f64>>,
    /// Figures for each label.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassFigures>,
    /// Curves of the positive label, or of every label against the rest; only where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<Curves>,
}

/// Figures for one label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassFigures {
    /// The label.
    pub label: String,
    /// Share of the rows labelled so that are.
    pub precision: f64,
    /// Share of the rows that are, labelled so.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Weight of the rows that are.
    pub support: f64,
}

/// Curves of one label against the rest, of at most 1,000 points each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curves {
    /// The label.
    pub label: String,
    /// From (0, 0) to (1, 1), without points on a straight line between their neighbours.
    pub roc: Vec<RocPoint>,
    /// By falling threshold.
    pub precision_recall: Vec<PrecisionRecallPoint>,
    /// By rising probability, in ten bins of equal width; empty bins are left out.
    pub reliability: Vec<ReliabilityBin>,
}

/// A point of a ROC curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RocPoint {
    /// Rows with at least this probability count as positive; infinite, written as `null`, at the start.
    pub threshold: f64,
    /// Share of the negative rows among them.
    pub false_positive_rate: f64,
    /// Share of the positive rows among them.
    pub true_positive_rate: f64,
}

/// A point of a precision-recall curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PrecisionRecallPoint {
    /// Rows with at least this probability count as positive.
    pub threshold: f64,
    /// Share of those rows that are positive.
    pub precision: f64,
    /// Share of the positive rows that are among them.
    pub recall: f64,
}

/// How the probabilities of one label agree with what was observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// The label.
    pub label: String,
    /// By rising probability, in ten bins of equal width; empty bins are left out.
    pub bins: Vec<ReliabilityBin>,
}

/// Rows of similar probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Least probability of the bin.
    pub from: f64,
    /// Greatest probability of the bin.
    pub to: f64,
    /// Mean probability of its rows.
    pub predicted: f64,
    /// Share of its rows that are positive.
    pub observed: f64,
    /// Weight of its rows.
    pub weight: f64,
}

impl Evaluation {
    /// The value of a metric, if it is one of the task.
    pub fn score(&self, metric: Metric) -> Option<f64> {
        self.scores.iter().find(|(m, _)| *m == metric).map(|(_, value)| *value)
    }
}

/// Evaluates predictions by everything that the task allows.
///
/// # Panics
/// If there is not one prediction per target.
pub fn evaluate(
    task: &Task,
    targets: &Targets,
    predictions: &Predictions,
    threshold: f64,
    with_curves: bool,
) -> Evaluation {
    let scoring = Scoring::new(task, targets, predictions, threshold);
    let scores = Metric::for_task(task).iter().map(|&metric| (metric, scoring.value(metric))).collect();
    let labels = task.labels();
    let tally = (!labels.is_empty()).then(|| scoring.tally());
    let figures = |(class, label): (usize, &String)| {
        tally.map(|t| ClassFigures {
            label: label.clone(),
            precision: t.precision(class),
            recall: t.recall(class),
            f1: t.f1(class),
            support: t.support(class),
        })
    };
    Evaluation {
        rows: targets.len(),
        weight: crate::parallel::sum(targets.len(), |i| targets.weight(i)),
        scores,
        threshold: matches!(task, Task::Binary { .. }).then_some(threshold),
        labels: labels.to_vec(),
        confusion: if labels.len() <= CONFUSION_CLASSES {
            confusion(labels.len(), targets, predictions, threshold)
        } else {
            Vec::new()
        },
        classes: labels.iter().enumerate().filter_map(figures).collect(),
        curves: if with_curves && scoring.defined { curves(task, &scoring) } else { Vec::new() },
    }
}

/// Writes scores as an object by name, undefined values as `null`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize_scores<S: Serializer>(scores: &[(Metric, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(scores.iter().map(|(metric, value)| (metric.name(), value.is_finite().then_some(*value))))
}

fn confusion(n_classes: usize, targets: &Targets, predictions: &Predictions, threshold: f64) -> Vec<Vec<f64>> {
    let mut matrix = vec![vec![0.0; n_classes]; n_classes];
    if n_classes > 0 {
        for row in 0..targets.len() {
            matrix[targets.values[row] as usize][predictions.label(row, threshold)] += targets.weight(row);
        }
    }
    matrix
}

fn curves(task: &Task, scoring: &Scoring<'_>) -> Vec<Curves> {
    let (targets, predictions) = (scoring.targets, scoring.predictions);
    match task {
        Task::Regression => Vec::new(),
        Task::Binary { labels } => vec![curves_of(&labels[1], scoring.ranking(), targets, predictions, (1, 0))],
        Task::Multiclass { labels } => labels
            .iter()
            .enumerate()
            .map(|(class, label)| {
                let ranking = Ranking::new(targets, predictions, class, class);
                curves_of(label, &ranking, targets, predictions, (class, class))
            })
            .collect(),
    }
}

fn curves_of(
    label: &str,
    ranking: &Ranking,
    targets: &Targets,
    predictions: &Predictions,
    (positive, output): (usize, usize),
) -> Curves {
    Curves {
        label: label.to_owned(),
        roc: roc(ranking),
        precision_recall: precision_recall(ranking),
        reliability: reliability_bins(targets, predictions, positive, output),
    }
}

fn roc(ranking: &Ranking) -> Vec<RocPoint> {
    let (positive, negative) = ranking.totals();
    if positive == 0.0 || negative == 0.0 {
        return Vec::new();
    }
    let mut points = vec![RocPoint { threshold: f64::INFINITY, false_positive_rate: 0.0, true_positive_rate: 0.0 }];
    let step = |i: usize| {
        let (before, here) = (i.checked_sub(1).map(|b| ranking.points[b]), ranking.points[i]);
        let (tp, fp) = before.map_or((0.0, 0.0), |b| (b.true_positive, b.false_positive));
        (here.true_positive - tp, here.false_positive - fp)
    };
    for (i, p) in ranking.points.iter().enumerate() {
        let is_end = i + 1 == ranking.points.len();
        if is_end || i == 0 || {
            let ((tp, fp), (next_tp, next_fp)) = (step(i), step(i + 1));
            tp * next_fp != fp * next_tp
        } {
            points.push(RocPoint {
                threshold: p.threshold,
                false_positive_rate: p.false_positive / negative,
                true_positive_rate: p.true_positive / positive,
            });
        }
    }
    thinned(points)
}

fn precision_recall(ranking: &Ranking) -> Vec<PrecisionRecallPoint> {
    let (positive, _) = ranking.totals();
    if positive == 0.0 {
        return Vec::new();
    }
    let point = |p: &super::ranking::Point| PrecisionRecallPoint {
        threshold: p.threshold,
        precision: p.true_positive / (p.true_positive + p.false_positive),
        recall: p.true_positive / positive,
    };
    thinned(ranking.points.iter().map(point).collect())
}

/// Takes points at equal distances along the list; the ends stay.
fn thinned<T: Copy>(points: Vec<T>) -> Vec<T> {
    let n = points.len();
    if n <= CURVE_POINTS {
        return points;
    }
    (0..CURVE_POINTS).map(|i| points[i * (n - 1) / (CURVE_POINTS - 1)]).collect()
}

/// How the probabilities of the positive label, or of every label of a multiclass task, agree with what was observed. Nothing
/// for a regression, for more than 20 classes, and without rows.
///
/// # Panics
/// If there is not one prediction per target.
pub fn reliability(task: &Task, targets: &Targets, predictions: &Predictions) -> Vec<Reliability> {
    let of = |label: &String, positive, output| Reliability {
        label: label.clone(),
        bins: reliability_bins(targets, predictions, positive, output),
    };
    match task {
        Task::Regression => Vec::new(),
        _ if targets.is_empty() => Vec::new(),
        Task::Binary { labels } => vec![of(&labels[1], 1, 0)],
        Task::Multiclass { labels } if labels.len() > RELIABILITY_CLASSES => Vec::new(),
        Task::Multiclass { labels } => {
            labels.iter().enumerate().map(|(class, label)| of(label, class, class)).collect()
        }
    }
}

fn reliability_bins(
    targets: &Targets,
    predictions: &Predictions,
    positive: usize,
    output: usize,
) -> Vec<ReliabilityBin> {
    let edge = |i: usize| i as f64 / RELIABILITY_BINS as f64;
    let mut sums = [(0.0, 0.0, 0.0); RELIABILITY_BINS];
    for row in 0..targets.len() {
        let p = predictions.row(row)[output];
        let weight = targets.weight(row);
        let bin = (1..RELIABILITY_BINS).filter(|&i| edge(i) < p).count();
        sums[bin].0 += weight;
        sums[bin].1 += weight * p;
        if targets.values[row] as usize == positive {
            sums[bin].2 += weight;
        }
    }
    let bin = |(i, &(weight, predicted, observed)): (usize, &(f64, f64, f64))| ReliabilityBin {
        from: edge(i),
        to: edge(i + 1),
        predicted: predicted / weight,
        observed: observed / weight,
        weight,
    };
    sums.iter().enumerate().filter(|(_, sums)| sums.0 > 0.0).map(bin).collect()
}
