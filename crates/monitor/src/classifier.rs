//! Drift of the whole row: can a model tell the rows of one window from those of the other? It sees what no column shows alone,
//! such as two columns that no longer move together.
//!
//! A boosted-trees fit on a seeded sample of both windows, judged on folds that it was not fitted on. Where rows of both windows
//! come from one distribution, no model tells them apart: the ROC AUC is then 0.5 but for chance, and how far chance goes is known
//! from ranks alone, whatever the model.

use serde::Serialize;
use tabwright_core::numeric::erfc;
use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Cancel, Category, Column, Kind, Role, RowSet, Targets, Task, View, suggest};
use tabwright_model::levels::{FrozenLevels, shortest};
use tabwright_model::{FeatureColumn, Features};
use tabwright_trees::boost::{self, BoostParams, Request, Start};

use crate::error::{Error, Result};
use crate::sample::Sample;

/// Rows below which a window is too small for a fit and a verdict.
const FEWEST_ROWS: usize = 50;

/// How two windows are told apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassifierOptions {
    /// Rows that are drawn from each window at most.
    pub most_rows: usize,
    /// Parts of the sample, each scored by a fit on the others; at least 2.
    pub folds: usize,
    /// The p-value below which windows differ.
    pub level: f64,
    /// Least ROC AUC that matters, however certain it is.
    pub least_auc: f64,
    /// Seed of the sample, the folds and the fits.
    pub seed: u64,
}

impl Default for ClassifierOptions {
    /// 5,000 rows of each window in three parts; p < 0.05 and an AUC of at least 0.55.
    fn default() -> Self {
        ClassifierOptions { most_rows: 5_000, folds: 3, level: 0.05, least_auc: 0.55, seed: 42 }
    }
}

/// How well two windows can be told apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Apart {
    /// ROC AUC on rows that the fits did not see: 0.5 for chance, 1 for windows that have nothing in common.
    pub roc_auc: f64,
    /// How often chance alone gets as far, at most.
    pub p_value: f64,
    /// Whether both the AUC and its certainty reach their limits.
    pub drift: bool,
    /// Rows that were drawn from the reference and from the current window.
    pub n: [u64; 2],
    /// The columns that the model saw.
    pub columns: Vec<String>,
}

/// Tells two windows apart by all columns that both have, but for identifiers, ignored ones and times (which tell any window
/// from a later one). Texts are seen by their lengths.
///
/// Nothing if a window has fewer than 50 rows.
///
/// # Errors
/// [`Error::NothingInCommon`] if no column is left; [`Error::Classifier`] if the fit fails.
///
/// # Determinism
/// The same seed gives the same result on any number of threads.
pub fn tell_apart(reference: View<'_>, current: View<'_>, options: &ClassifierOptions) -> Result<Option<Apart>> {
    let views = [reference, current];
    if views.iter().any(|view| view.len() < FEWEST_ROWS) {
        return Ok(None);
    }
    let rows = [0, 1].map(|side| draw(views[side], side as u64, options));
    let mut columns = Vec::new();
    let mut features = Vec::new();
    for field in reference.table().schema().fields() {
        if let Some(feature) = feature(views, &field.name, &rows) {
            columns.push(field.name.clone());
            features.push(feature);
        }
    }
    if features.is_empty() {
        let [before, now] = views.map(|view| suggest::shorten(view.table().schema().names()));
        let reason = "no column that tells of more than time or identity is on both sides".to_owned();
        return Err(Error::NothingInCommon { reason, reference: before, current: now });
    }
    let n = rows.each_ref().map(Vec::len);
    let features = Features::new(n[0] + n[1], features);
    let folds = (0..options.folds.max(2)).map(|fold| ranks_of_fold(&features, n, fold, options));
    let folds = folds.collect::<Result<Vec<Ranks>>>()?;
    let roc_auc = folds.iter().map(|f| f.won).sum::<f64>() / folds.iter().map(|f| f.pairs).sum::<f64>();
    let p_value = p_value(&folds);
    let drift = p_value < options.level && roc_auc >= options.least_auc;
    Ok(Some(Apart { roc_auc, p_value, drift, n: n.map(|n| n as u64), columns }))
}

/// Twice the median of the folds' p-values: the folds share rows, so they may not be counted as so many tests.
///
/// # References
/// Meinshausen, Meier and Bühlmann, 2009, equation 2.2 with γ = ½.
fn p_value(folds: &[Ranks]) -> f64 {
    let of_fold = |ranks: &Ranks| {
        let z = if ranks.variance > 0.0 { (ranks.won - ranks.pairs / 2.0) / ranks.variance.sqrt() } else { 0.0 };
        erfc(z * std::f64::consts::FRAC_1_SQRT_2) / 2.0
    };
    let mut p_values: Vec<f64> = folds.iter().map(of_fold).collect();
    p_values.sort_unstable_by(f64::total_cmp);
    (2.0 * p_values[p_values.len() / 2]).clamp(0.0, 1.0)
}

/// Row numbers of a sample of a view, in random order: by the least of their keys.
fn draw(view: View<'_>, side: u64, options: &ClassifierOptions) -> Vec<usize> {
    let keyed = Keyed::new(options.seed, Purpose::Subsample).child(side);
    let mut positions: Vec<(u64, usize)> = (0..view.len()).map(|i| (keyed.bits(i as u64), i)).collect();
    let most = options.most_rows.clamp(FEWEST_ROWS, view.len());
    if most < positions.len() {
        positions.select_nth_unstable(most - 1);
        positions.truncate(most);
    }
    positions.sort_unstable();
    positions.into_iter().map(|(_, i)| view.rows().set().get(i)).collect()
}

/// A column of both samples, the reference first, as a model sees it; nothing if it is not to see it.
fn feature(views: [View<'_>; 2], name: &str, rows: &[Vec<usize>; 2]) -> Option<FeatureColumn> {
    let mut sides = Vec::new();
    for view in views {
        let position = view.table().schema().position(name)?;
        let field = &view.table().schema().fields()[position];
        if matches!(field.role, Role::Id | Role::Ignored | Role::Time) || field.kind == Kind::Timestamp {
            return None;
        }
        sides.push((field.kind, view.table().column(position)));
    }
    let cells = || sides.iter().zip(rows).flat_map(|((_, column), rows)| rows.iter().map(move |&row| (*column, row)));
    if sides.iter().all(|(kind, _)| kind.is_numeric()) {
        return Some(FeatureColumn::Number(cells().map(|(column, row)| column.number(row)).collect()));
    }
    if sides.iter().all(|(kind, _)| *kind == Kind::Text) {
        return Some(FeatureColumn::Number(cells().map(|(column, row)| length(column, row)).collect()));
    }
    let text = |(column, row): (&Column, usize)| match column {
        Column::Category(category) => category.get(row).map(str::to_owned),
        column => (!column.is_missing(row)).then(|| shortest(column.number(row))),
    };
    let column = Column::Category(Category::from_strings(cells().map(text)));
    let all = RowSet::Range(0, column.len());
    let levels = FrozenLevels::fit(&column, all);
    let mut codes = Vec::with_capacity(column.len());
    levels.encode(&column, all, &mut codes);
    Some(FeatureColumn::Code { codes, n_codes: levels.n_codes() })
}

fn length(column: &Column, row: usize) -> f64 {
    match column {
        Column::Category(category) => category.get(row).map_or(f64::NAN, |text| text.chars().count() as f64),
        column => column.number(row),
    }
}

/// What the ranks of the scores of one fold say.
struct Ranks {
    /// Pairs of rows, one of each window, of which the current one has the higher score; half a pair where both are equal.
    won: f64,
    pairs: f64,
    /// Of `won`, if rows of both windows are alike.
    variance: f64,
}

fn ranks_of_fold(features: &Features, n: [usize; 2], fold: usize, options: &ClassifierOptions) -> Result<Ranks> {
    let folds = options.folds.max(2);
    // Rows are in random order, so each fold has its share of both windows.
    let in_fold = |row: &u32| (*row as usize - if (*row as usize) < n[0] { 0 } else { n[0] }) % folds == fold;
    let (held, fitting): (Vec<u32>, Vec<u32>) = (0..features.n_rows() as u32).partition(in_fold);
    let take = |rows: &[u32]| Features::new(rows.len(), features.columns().iter().map(|c| c.take(rows)).collect());
    let is_current = |row: &u32| *row as usize >= n[0];
    let targets = Targets::new(fitting.iter().map(|row| f64::from(u8::from(is_current(row)))).collect());
    let request = Request {
        features: &take(&fitting),
        targets: &targets,
        task: &Task::Binary { labels: ["reference".into(), "current".into()] },
        seed: options.seed,
        start: Start::Constant,
        early_stopping: None,
        cancel: &Cancel::new(),
    };
    // Few small trees: a difference that matters is found by them, and there is no time to tune.
    let params = BoostParams {
        n_estimators: 40,
        learning_rate: 0.1,
        max_depth: Some(4),
        min_child_samples: 10,
        ..BoostParams::depthwise()
    };
    let fitted = boost::fit(&request, &params).map_err(|e| Error::Classifier { message: e.to_string() })?;
    let mut scores = vec![0.0; held.len()];
    fitted.trees.raw_scores(&take(&held), &mut scores);
    let of = |current: bool| {
        let rows = held.iter().zip(&scores).filter(move |(row, _)| is_current(row) == current);
        Sample::new(rows.map(|(_, score)| *score))
    };
    Ok(ranks(&of(false), &of(true)))
}

/// # References
/// Mann and Whitney, 1947; the variance with ties: Lehmann, 1975, equation 1.34.
fn ranks(reference: &Sample, current: &Sample) -> Ranks {
    let (a, b) = (reference.all(), current.all());
    let won = b.iter().map(|score| (a.below(score) + a.below(score.next_up())) as f64 / 2.0).fold(0.0, |x, y| x + y);
    let (n, m) = (a.len() as f64, b.len() as f64);
    let mut all: Vec<f64> = a.iter().chain(b.iter()).collect();
    all.sort_unstable_by(f64::total_cmp);
    let ties = all.chunk_by(|x, y| x == y).fold(0.0, |sum, tied| {
        let t = tied.len() as f64;
        sum + (t * t * t - t)
    });
    let total = n + m;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    Ranks { won, pairs: n * m, variance }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;
    use tabwright_core::{Field, Schema, Table};

    /// Two columns of uniform numbers that move together or not, a category, and a time that rises.
    fn table(seed: u64, n: usize, together: bool) -> Table {
        let keyed = Keyed::new(seed, Purpose::Example);
        let u = |k: u64| (0..n as u64).map(|i| keyed.child(k).uniform(i)).collect::<Vec<f64>>();
        let (x, z) = (u(0), u(1));
        let y = x.iter().zip(&z).map(|(x, z)| if together { *x } else { *z }).collect();
        let words = u(2).into_iter().map(|u| Some(if u < 0.3 { "a" } else { "b" }));
        let times = (0..n as i64).map(|i| i + seed as i64 * 1_000_000).collect();
        let columns = vec![
            Column::Float(x),
            Column::Float(y),
            Column::Category(Category::from_strings(words)),
            Column::Timestamp(times),
        ];
        let kinds = [("x", Kind::Float), ("y", Kind::Float), ("c", Kind::Categorical), ("t", Kind::Timestamp)];
        Table::new(Schema::new(kinds.map(|(n, k)| Field::feature(n, k)).to_vec()).unwrap(), columns).unwrap()
    }

    fn apart(a: &Table, b: &Table) -> Option<Apart> {
        tell_apart(View::all(a), View::all(b), &ClassifierOptions::default()).unwrap()
    }

    #[test]
    fn columns_that_part_are_seen_though_each_is_as_it_was() {
        let found = apart(&table(1, 600, true), &table(2, 500, false)).unwrap();
        assert!(found.drift && found.roc_auc > 0.9 && found.p_value < 1e-9, "{found:?}");
        assert_eq!((found.n, found.columns), ([600, 500], ["x", "y", "c"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn windows_that_are_alike_are_told_apart_no_more_often_than_promised() {
        const WINDOWS: u64 = 200;
        let alarms = (0..WINDOWS).into_par_iter().filter(|&i| {
            let found = apart(&table(2 * i, 200, true), &table(2 * i + 1, 150, true)).unwrap();
            found.p_value < 0.05
        });
        let rate = alarms.count() as f64 / WINDOWS as f64;
        // A bound, not a rate: folds that depend on each other leave room. 0.046 are three standard deviations of it.
        assert!(rate < 0.05 + 0.046, "{rate}");
    }

    #[test]
    fn small_windows_have_no_verdict_and_windows_of_times_nothing_to_see() {
        assert!(apart(&table(1, 49, true), &table(2, 500, true)).is_none());
        let mut times = table(1, 60, true);
        times.retain_columns(|field| field.name == "t");
        let error = tell_apart(View::all(&times), View::all(&times), &ClassifierOptions::default()).unwrap_err();
        assert!(matches!(error, Error::NothingInCommon { .. }));
    }

    #[test]
    fn ranks_are_those_of_counting_pairs() {
        let found = ranks(&Sample::new([1.0, 2.0, 2.0]), &Sample::new([2.0, 3.0]));
        // scipy.stats.mannwhitneyu([2, 3], [1, 2, 2]): U = 5; sigma by hand: 6/12 · (6 − 24/20).
        assert_eq!((found.won, found.pairs), (5.0, 6.0));
        assert!((found.variance - 2.4).abs() < 1e-12);
    }
}
