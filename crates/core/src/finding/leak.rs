//! One column that alone almost gives the target away: a simple model of it, fitted on one half of the rows, is
//! nearly perfect on the other.

use crate::block::MISSING_CODE;
use crate::random::{Keyed, Purpose};
use crate::{Column, LevelsBuilder, RowSet, Task};

/// ROC AUC or R² from which a column is called a leak.
const LIMIT: f64 = 0.995;

/// Rows that are looked at, at most.
const MOST_ROWS: usize = 200_000;

/// Rows of a class among the scored ones below which no ROC AUC is believed.
const FEWEST_OF_CLASS: f64 = 10.0;

/// Rows among the scored ones below which no R² is believed.
const FEWEST_ROWS: usize = 20;

/// Most bins of a number.
const MOST_BINS: usize = 256;

/// Fitting rows per bin, at least.
const ROWS_PER_BIN: usize = 20;

/// Bins times classes beyond which a column is not looked at.
const MOST_CELLS: usize = 20_000_000;

/// The target of some rows as numbers, in two halves.
#[derive(Debug)]
pub(super) struct KnownTarget<'a> {
    task: &'a Task,
    fit: Vec<(u32, f64)>,
    score: Vec<(u32, f64)>,
    counts: Vec<u64>,
}

impl<'a> KnownTarget<'a> {
    /// Reads the target where it is known, and deals the rows to the halves by their number.
    pub(super) fn new(column: &Column, task: &'a Task, set: RowSet<'_>) -> Self {
        let keyed = Keyed::new(0, Purpose::Fold).child(0x1eac);
        let share = MOST_ROWS as f64 / set.len() as f64;
        let mut target = KnownTarget { task, fit: Vec::new(), score: Vec::new(), counts: vec![0; task.n_classes()] };
        let code_of = codes(column, task);
        for row in set.iter() {
            let value = code_of(row);
            if !value.is_finite() {
                continue;
            }
            if let Some(count) = target.counts.get_mut(value as usize) {
                *count += 1;
            }
            if keyed.uniform(row as u64) < share {
                let half = if keyed.child(1).bits(row as u64) & 1 == 0 { &mut target.fit } else { &mut target.score };
                half.push((row as u32, value));
            }
        }
        target
    }

    /// How many rows each label has.
    pub(super) fn class_counts(&self) -> Vec<(&'a str, u64)> {
        self.task.labels().iter().map(String::as_str).zip(self.counts.iter().copied()).collect()
    }
}

/// How a row's target reads as a number: itself, or its label's code; NaN where it is none.
fn codes<'c>(column: &'c Column, task: &Task) -> Box<dyn Fn(usize) -> f64 + 'c> {
    if !task.is_classification() {
        return Box::new(|row| column.number(row));
    }
    let code = |found: Option<usize>| found.map_or(f64::NAN, |code| code as f64);
    match column {
        Column::Category(category) => {
            let mut labels = LevelsBuilder::default();
            task.labels().iter().for_each(|label| {
                labels.intern(label);
            });
            let codes: Vec<f64> =
                category.levels.iter().map(|level| code(labels.find(level).map(|c| c as usize))).collect();
            Box::new(move |row| codes.get(category.codes[row] as usize).copied().unwrap_or(f64::NAN))
        }
        _ => {
            let mut numbers: Vec<(f64, usize)> =
                task.labels().iter().enumerate().filter_map(|(i, label)| Some((label.parse().ok()?, i))).collect();
            numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
            Box::new(move |row| {
                let value = column.number(row);
                let at = numbers.partition_point(|(number, _)| *number < value);
                code(numbers.get(at).filter(|(number, _)| *number == value).map(|(_, label)| *label))
            })
        }
    }
}

/// Says how well a column alone predicts the target, if that is nearly perfect.
pub(super) fn leak(column: &Column, target: &KnownTarget<'_>) -> Option<String> {
    let bins = Bins::new(column, target);
    if bins.n_bins.checked_mul(target.task.n_classes().max(1)).is_none_or(|cells| cells > MOST_CELLS) {
        return None;
    }
    let (name, value) = match target.task {
        Task::Regression => ("R²", r2(column, &bins, target)?),
        Task::Binary { .. } => ("ROC AUC", roc_auc(&bins, target, 1)?),
        Task::Multiclass { labels } => {
            let aucs: Vec<f64> = (0..labels.len()).filter_map(|class| roc_auc(&bins, target, class)).collect();
            ("ROC AUC", aucs.iter().fold(0.0, |sum, auc| sum + auc) / aucs.len() as f64)
        }
    };
    (value >= LIMIT).then(|| format!("{name} {value:.4}"))
}

/// A bin per row: of a number by quantiles of the fitting rows, of a category by level; bin 0 is missing.
struct Bins {
    n_bins: usize,
    fit: Vec<u32>,
    score: Vec<u32>,
}

impl Bins {
    fn new(column: &Column, target: &KnownTarget<'_>) -> Self {
        let edges = match column {
            Column::Category(_) => Vec::new(),
            _ => edges(column, &target.fit),
        };
        let bin = |row: usize| match column {
            Column::Category(c) if c.codes[row] == MISSING_CODE => 0,
            Column::Category(c) => c.codes[row] + 1,
            _ if column.is_missing(row) => 0,
            _ => 1 + edges.partition_point(|edge| *edge < column.number(row)) as u32,
        };
        let of = |half: &[(u32, f64)]| half.iter().map(|(row, _)| bin(*row as usize)).collect();
        let n_bins = match column {
            Column::Category(c) => c.levels.len() + 1,
            _ => edges.len() + 2,
        };
        Bins { n_bins, fit: of(&target.fit), score: of(&target.score) }
    }
}

/// Upper edges of bins that hold about as many fitting rows each.
fn edges(column: &Column, fit: &[(u32, f64)]) -> Vec<f64> {
    let mut values: Vec<f64> =
        fit.iter().map(|(row, _)| column.number(*row as usize)).filter(|value| !value.is_nan()).collect();
    values.sort_unstable_by(f64::total_cmp);
    let bins = (values.len() / ROWS_PER_BIN).clamp(2, MOST_BINS);
    let mut edges: Vec<f64> = (1..bins).filter_map(|i| values.get(i * values.len() / bins).copied()).collect();
    // A value that few rows share still parts them from the rest where there are few values in all.
    values.dedup();
    if values.len() <= bins {
        edges = values;
    }
    edges.dedup();
    edges
}

/// ROC AUC on the scored half, rows ranked by how often their bin is of the class among the fitting rows. `None` if one
/// side has too few rows.
fn roc_auc(bins: &Bins, target: &KnownTarget<'_>, class: usize) -> Option<f64> {
    let is = |value: f64| f64::from(u8::from(value as usize == class));
    let rates = means(bins, target, is);
    let mut scored = vec![(0.0, 0.0); bins.n_bins];
    for (&bin, (_, value)) in bins.score.iter().zip(&target.score) {
        let (positive, negative) = &mut scored[bin as usize];
        *positive += is(*value);
        *negative += 1.0 - is(*value);
    }
    let mut ranked: Vec<(f64, f64, f64)> =
        rates.into_iter().zip(scored).filter(|(_, s)| s.0 + s.1 > 0.0).map(|(rate, s)| (rate, s.0, s.1)).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut won, mut positive, mut negative) = (0.0, 0.0, 0.0);
    for equal in ranked.chunk_by(|a, b| a.0 == b.0) {
        let (p, n) = equal.iter().fold((0.0, 0.0), |(p, n), bin| (p + bin.1, n + bin.2));
        won += p * (negative + n / 2.0);
        positive += p;
        negative += n;
    }
    (positive >= FEWEST_OF_CLASS && negative >= FEWEST_OF_CLASS).then(|| won / (positive * negative))
}

/// Mean of a value of the target per bin over the fitting rows, drawn towards the mean of all by one row of it.
fn means(bins: &Bins, target: &KnownTarget<'_>, value: impl Fn(f64) -> f64) -> Vec<f64> {
    let prior = target.fit.iter().fold(0.0, |sum, (_, y)| sum + value(*y)) / target.fit.len() as f64;
    let mut sums = vec![(prior, 1.0); bins.n_bins];
    for (&bin, (_, y)) in bins.fit.iter().zip(&target.fit) {
        sums[bin as usize].0 += value(*y);
        sums[bin as usize].1 += 1.0;
    }
    sums.into_iter().map(|(sum, n)| sum / n).collect()
}

/// The better R² on the scored half of two models: a mean per bin, and a straight line. A line meets the far ends of a
/// skewed number that no bin resolves.
fn r2(column: &Column, bins: &Bins, target: &KnownTarget<'_>) -> Option<f64> {
    let n = target.score.len();
    if n < FEWEST_ROWS || target.fit.is_empty() {
        return None;
    }
    let means = means(bins, target, |y| y);
    let mean = target.score.iter().fold(0.0, |sum, (_, y)| sum + y) / n as f64;
    let total = target.score.iter().fold(0.0, |sum, (_, y)| sum + (y - mean) * (y - mean));
    let residual = |predict: &dyn Fn(usize) -> f64| {
        target.score.iter().enumerate().fold(0.0, |sum, (i, (_, y))| sum + (y - predict(i)) * (y - predict(i)))
    };
    let by_bin = residual(&|i| means[bins.score[i] as usize]);
    let value = |row: u32| column.number(row as usize);
    let by_line = line(column, target).map_or(f64::INFINITY, |(slope, intercept)| {
        residual(&|i| {
            let x = value(target.score[i].0);
            if x.is_finite() { intercept + slope * x } else { means[bins.score[i] as usize] }
        })
    });
    let least = if by_line < by_bin { by_line } else { by_bin };
    (total > 0.0).then(|| 1.0 - least / total)
}

/// Least squares on the fitting rows that have a finite value.
fn line(column: &Column, target: &KnownTarget<'_>) -> Option<(f64, f64)> {
    let known = || target.fit.iter().map(|(row, y)| (column.number(*row as usize), *y)).filter(|(x, _)| x.is_finite());
    let (n, sum_x, sum_y) = known().fold((0.0, 0.0, 0.0), |s, (x, y)| (s.0 + 1.0, s.1 + x, s.2 + y));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let (xx, xy) =
        known().fold((0.0, 0.0), |s, (x, y)| (s.0 + (x - mean_x) * (x - mean_x), s.1 + (x - mean_x) * (y - mean_y)));
    let slope = xy / xx;
    slope.is_finite().then_some((slope, mean_y - slope * mean_x))
}
