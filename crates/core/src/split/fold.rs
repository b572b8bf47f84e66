//! Folds for cross-validation over the training rows: stratified, plain, by group, and by time.

use super::keys::{RowIdentity, row_keys, rows_by_class};
use super::time::Times;
use crate::random::{Keyed, Purpose};
use crate::{Code, Error, Result, Table, Targets, Task, Warning};

/// By what rows are dealt to folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoldMethod {
    /// Row by row.
    Rows,
    /// Whole groups: the column at this position.
    Group(usize),
    /// Later rows score what earlier rows were fitted on: the column at this position.
    Time(usize),
}

/// How training rows are dealt to folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoldParams {
    /// Number of folds: 0 for none, else at least 2.
    pub folds: usize,
    /// How often all rows are dealt anew.
    pub repeats: usize,
    /// Key of the hash.
    pub seed: u64,
    /// By what.
    pub method: FoldMethod,
    /// Whether each class is dealt by itself; of no effect on a regression, on groups and on times.
    pub stratify: bool,
    /// What a row is known by. Rows of one key stay together.
    pub identity: RowIdentity,
}

/// Rows to fit on and rows to score, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Rows that everything is fitted on.
    pub fit: Vec<u32>,
    /// Rows that are scored.
    pub score: Vec<u32>,
}

/// The folds, repeat after repeat, and what is to be known about them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Folds {
    /// `folds` × `repeats` of them.
    pub folds: Vec<Fold>,
    /// Classes with fewer rows than folds.
    pub warnings: Vec<Warning>,
}

/// Deals the given rows to folds; `targets` are those of the whole table.
///
/// # Errors
/// [`Error::Parameter`] if there are more folds than rows (or groups, or distinct times), if there is 1 fold or no
/// repeat; [`Error::Unusable`] for missing times.
///
/// # Determinism
/// Membership depends on the rows, not on their order or the number of threads.
pub fn folds(table: &Table, task: &Task, targets: &Targets, rows: &[u32], params: &FoldParams) -> Result<Folds> {
    if params.folds == 0 {
        return Ok(Folds::default());
    }
    if params.folds == 1 || params.folds > rows.len() {
        return Err(too_many(params.folds, rows.len(), "rows to train on"));
    }
    if params.repeats == 0 {
        return Err(Error::Parameter { parameter: "repeats", found: "0".into(), allowed: "1 and more".into() });
    }
    let mut result = Folds::default();
    if let FoldMethod::Time(column) = params.method {
        result.folds = by_time(&Times::new(table, column)?, rows, params.folds)?;
        if params.repeats > 1 {
            let message = "`repeats` has no effect on folds by time: there is only one order of time";
            result.warnings.push(Warning::general(Code::NoEffect, message));
        }
        return Ok(result);
    }
    let keys = match params.method {
        FoldMethod::Group(column) => row_keys(table, params.seed, Purpose::Fold, RowIdentity::Column(column)),
        _ => row_keys(table, params.seed, Purpose::Fold, params.identity),
    };
    let stratify = params.stratify && task.is_classification() && params.method == FoldMethod::Rows;
    let classes = match stratify {
        true => rows_by_class(task.n_classes(), targets, rows.iter().copied(), (&keys, params.identity)),
        false => vec![rows.to_vec()],
    };
    if stratify {
        result.warnings.extend(few_members(task, &classes, params.folds));
    }
    for repeat in 0..params.repeats {
        let keyed = Keyed::new(params.seed, Purpose::Fold).child(repeat as u64);
        let mut fold_of = vec![0; table.n_rows()];
        if let FoldMethod::Group(_) = params.method {
            deal_groups(&keys, rows, keyed, params.folds, &mut fold_of)?;
        } else {
            deal_rows(&keys, &classes, keyed, params.folds, &mut fold_of);
        }
        result.folds.extend((0..params.folds).map(|fold| {
            let (score, fit): (Vec<u32>, Vec<u32>) = rows.iter().partition(|&&row| fold_of[row as usize] == fold);
            Fold { fit: ascending(fit), score: ascending(score) }
        }));
    }
    if let Some(fold) = result.folds.iter().find(|fold| fold.score.is_empty() || fold.fit.is_empty()) {
        let distinct = if fold.score.is_empty() { "distinct rows to train on" } else { "rows to train on" };
        return Err(too_many(params.folds, rows.len(), distinct));
    }
    Ok(result)
}

fn too_many(folds: usize, n: usize, what: &str) -> Error {
    let allowed = if n < 2 {
        format!("0, since the number of {what} is {n}")
    } else {
        format!("0, or 2 to {n}, the number of {what}")
    };
    Error::Parameter { parameter: "folds", found: folds.to_string(), allowed }
}

fn ascending(mut rows: Vec<u32>) -> Vec<u32> {
    rows.sort_unstable();
    rows
}

fn few_members(task: &Task, classes: &[Vec<u32>], folds: usize) -> Option<Warning> {
    let few: Vec<String> = task
        .labels()
        .iter()
        .zip(classes)
        .filter(|(_, rows)| (1..folds).contains(&rows.len()))
        .map(|(label, rows)| format!("`{label}` ({})", rows.len()))
        .collect();
    (!few.is_empty()).then(|| {
        let names = crate::suggest::shorten(few.iter().map(String::as_str));
        let message = format!(
            "classes with fewer training rows than the {folds} folds: {names}; they are absent from some folds, fewer folds or more rows of them would help"
        );
        Warning::general(Code::FewerThanFolds, message)
    })
}

/// Deals keys in turn, class after class, so that folds differ by at most one key in each class and in all.
fn deal_rows(keys: &[u64], classes: &[Vec<u32>], keyed: Keyed, folds: usize, fold_of: &mut [usize]) {
    let mut next = 0;
    for rows in classes {
        let mut ranked: Vec<(u64, u32)> = rows.iter().map(|&row| (keyed.bits(keys[row as usize]), row)).collect();
        ranked.sort_unstable();
        for same_key in ranked.chunk_by(|a, b| a.0 == b.0) {
            for &(_, row) in same_key {
                fold_of[row as usize] = next;
            }
            next = (next + 1) % folds;
        }
    }
}

/// Deals groups, the large ones first, each to the fold that has the fewest rows so far. Groups of about one size (up
/// to a factor of two) come in the order of their keys, so that repeats differ.
fn deal_groups(keys: &[u64], rows: &[u32], keyed: Keyed, folds: usize, fold_of: &mut [usize]) -> Result<()> {
    let mut ranked: Vec<(u64, u32)> = rows.iter().map(|&row| (keyed.bits(keys[row as usize]), row)).collect();
    ranked.sort_unstable();
    let mut groups: Vec<&[(u64, u32)]> = ranked.chunk_by(|a, b| a.0 == b.0).collect();
    if groups.len() < folds {
        return Err(too_many(folds, groups.len(), "groups to train on"));
    }
    groups.sort_by_key(|group| (std::cmp::Reverse(group.len().ilog2()), group[0].0));
    let mut sizes = vec![0; folds];
    for group in groups {
        let fold = (0..folds).fold(0, |least, fold| if sizes[fold] < sizes[least] { fold } else { least });
        sizes[fold] += group.len();
        for &(_, row) in group {
            fold_of[row as usize] = fold;
        }
    }
    Ok(())
}

/// An expanding window, as scikit-learn's `TimeSeriesSplit`: each fold scores the rows that follow its fitting rows.
fn by_time(times: &Times<'_>, rows: &[u32], folds: usize) -> Result<Vec<Fold>> {
    let mut ordered = rows.to_vec();
    ordered.sort_by(|&a, &b| times.compare(a, b).then(a.cmp(&b)));
    let n = ordered.len();
    let size = n / (folds + 1);
    let ends: Vec<usize> = (0..=folds).map(|i| times.boundary(&ordered, n - size * (folds - i))).collect();
    if size == 0 || ends[0] == 0 || ends.windows(2).any(|pair| pair[0] >= pair[1]) {
        let distinct = ordered.chunk_by(|&a, &b| times.compare(a, b).is_eq()).count();
        let message = format!(
            "{folds} folds by time need more distinct times: the {n} rows to train on have {distinct}, and equal times stay together; ask for fewer folds"
        );
        return Err(Error::Unusable { message });
    }
    let fold = |pair: &[usize]| Fold {
        fit: ascending(ordered[..pair[0]].to_vec()),
        score: ascending(ordered[pair[0]..pair[1]].to_vec()),
    };
    Ok(ends.windows(2).map(fold).collect())
}
