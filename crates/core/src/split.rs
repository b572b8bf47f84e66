//! Splits and folds: which rows train, which choose, which test.
//!
//! A row's place follows from a keyed hash of what it is, never from where it stands, so shuffling the rows changes
//! nothing, and a table that grows keeps every row on its side. This module decides membership; it moves no rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Code, Error, Result, Table, Targets, Task, Warning};

mod cut;
mod fold;
mod keys;
mod named;
mod time;

pub use cut::KeyCut;
pub use fold::{Fold, FoldMethod, FoldParams, Folds, folds};
pub use keys::{Duplicates, RowIdentity, row_hashes, row_keys};
pub(crate) use keys::{cell_hash, hash_float, hash_integer, level_hashes};
pub use time::TimeBound;

use crate::random::Purpose;

/// What the parts of a split may be off from the shares that were asked for before a warning says so.
const SHARE_TOLERANCE: f64 = 0.05;

/// Shares of the rows; they add up to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// Rows that models are fitted on.
    pub train: f64,
    /// Rows that candidates may be compared on.
    pub validation: f64,
    /// Rows that the chosen model is scored on, once.
    pub test: f64,
}

impl Shares {
    /// 0.70, 0.15 and 0.15, for a regression 0.64, 0.16 and 0.20.
    pub fn default_for(task: &Task) -> Self {
        if task.is_classification() {
            Shares { train: 0.70, validation: 0.15, test: 0.15 }
        } else {
            Shares { train: 0.64, validation: 0.16, test: 0.20 }
        }
    }

    /// The same proportion of train and validation, with no test part: it comes from a file of its own.
    #[must_use]
    pub fn without_test(self) -> Self {
        let rest = self.train + self.validation;
        Shares { train: self.train / rest, validation: self.validation / rest, test: 0.0 }
    }

    fn validate(self) -> Result<()> {
        let shares = [("train", self.train), ("validation", self.validation), ("test", self.test)];
        for (parameter, share) in shares {
            let least = if parameter == "train" { f64::MIN_POSITIVE } else { 0.0 };
            if !(least..=1.0).contains(&share) {
                let allowed = if parameter == "train" { "above 0, up to 1" } else { "0 to 1" };
                return Err(Error::Parameter { parameter, found: share.to_string(), allowed: allowed.into() });
            }
        }
        let sum = self.train + self.validation + self.test;
        if (sum - 1.0).abs() > 1e-9 {
            let message = format!(
                "the shares train = {}, validation = {} and test = {} add up to {sum:.4}; they must add up to 1",
                self.train, self.validation, self.test
            );
            return Err(Error::Unusable { message });
        }
        Ok(())
    }
}

/// By what rows are told apart and put on a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitMethod {
    /// Row by row.
    Rows,
    /// Whole groups: the column at this position.
    Group(usize),
    /// Earlier rows train, later rows test: the column at this position.
    Time(usize),
    /// As the column at this position says: `train`, `validation` or `test`.
    Column(usize),
    /// Every row trains; nothing is held out.
    NoHoldout,
}

/// How a table is split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitParams {
    /// Key of the hash; apart from the learners' seed.
    pub seed: u64,
    /// How much goes where.
    pub shares: Shares,
    /// By what.
    pub method: SplitMethod,
    /// Whether each class is cut by itself; of no effect on a regression and on groups, times and named parts.
    pub stratify: bool,
    /// What a row is known by: its id, or its cells.
    pub identity: RowIdentity,
}

impl SplitParams {
    /// Row by row with the task's default shares, stratified for classification; rows are known by the id column, if
    /// there is one.
    pub fn default_for(task: &Task, id: Option<usize>) -> Self {
        SplitParams {
            seed: 42,
            shares: Shares::default_for(task),
            method: SplitMethod::Rows,
            stratify: task.is_classification(),
            identity: id.map_or(RowIdentity::Cells(Duplicates::Apart), RowIdentity::Column),
        }
    }
}

/// Where the parts end. Kept in the plan, so that a table that has grown is split at the same places.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Cuts {
    /// Keys of rows or of groups.
    Key {
        /// Seed of the keys.
        seed: u64,
        /// For all rows.
        cut: KeyCut,
    },
    /// Keys of rows, class by class.
    KeyByClass {
        /// Seed of the keys.
        seed: u64,
        /// By label.
        classes: BTreeMap<String, KeyCut>,
    },
    /// Times.
    Time {
        /// First time of the validation part.
        validation_from: Option<TimeBound>,
        /// First time of the test part.
        test_from: Option<TimeBound>,
    },
    /// A column of the table says it.
    Column,
    /// There are no parts.
    NoHoldout,
}

/// The rows of each part, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Rows that models are fitted on.
    pub train: Vec<u32>,
    /// Rows that candidates may be compared on.
    pub validation: Vec<u32>,
    /// Rows that the chosen model is scored on, once.
    pub test: Vec<u32>,
    /// Where the parts end.
    pub cuts: Cuts,
    /// Rare classes, and parts of another size than asked for.
    pub warnings: Vec<Warning>,
}

/// Parts of a split, in the order of [`Split`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Validation,
    Test,
}

/// Splits a table into train, validation and test.
///
/// Rows are ranked by their key (within their class where stratified) and cut at the shares; of a class that is too
/// rare to be everywhere, training comes first.
///
/// # Errors
/// [`Error::Parameter`] and [`Error::Unusable`] for shares that are none; [`Error::Unusable`] for missing times, for
/// a word in the split column that names no part, and when no row would train.
///
/// # Determinism
/// Membership depends on the rows, not on their order, the order of the columns or the number of threads.
pub fn split(table: &Table, task: &Task, targets: &Targets, params: &SplitParams) -> Result<Split> {
    split_at(table, task, targets, params, None)
}

/// Splits a table where an earlier version of it was split: a row that once tested is never trained on.
///
/// The seed is that of the cuts; `params.seed` is not used. Classes that were not there before are cut afresh.
///
/// # Errors
/// Those of [`split`], and [`Error::Unusable`] if the cuts belong to another method.
pub fn split_with_cuts(
    table: &Table,
    task: &Task,
    targets: &Targets,
    params: &SplitParams,
    cuts: &Cuts,
) -> Result<Split> {
    split_at(table, task, targets, params, Some(cuts))
}

fn split_at(table: &Table, task: &Task, targets: &Targets, params: &SplitParams, cuts: Option<&Cuts>) -> Result<Split> {
    params.shares.validate()?;
    assert_eq!(table.n_rows(), targets.len(), "invariant: one target per row");
    let mut warnings = Vec::new();
    let (parts, cuts) = match params.method {
        SplitMethod::NoHoldout => (vec![Part::Train; table.n_rows()], Cuts::NoHoldout),
        SplitMethod::Column(column) => (named::parts(table, column)?, Cuts::Column),
        SplitMethod::Time(column) => time::split(table, column, params.shares, cuts)?,
        SplitMethod::Group(column) => {
            let (seed, old) = single_cut(cuts, params.seed)?;
            let keys = row_keys(table, seed, Purpose::Split, RowIdentity::Column(column));
            let rows: Vec<u32> = (0..keys.len() as u32).collect();
            let cut = old.unwrap_or_else(|| KeyCut::at_shares(&keys, &rows, params.shares));
            (keys.iter().map(|&key| cut.part(key)).collect(), Cuts::Key { seed, cut })
        }
        SplitMethod::Rows if params.stratify && task.is_classification() => {
            stratified(table, task, targets, params, cuts, &mut warnings)?
        }
        SplitMethod::Rows => {
            let (seed, old) = single_cut(cuts, params.seed)?;
            let keys = row_keys(table, seed, Purpose::Split, params.identity);
            let rows: Vec<u32> = (0..keys.len() as u32).collect();
            let cut = old.unwrap_or_else(|| KeyCut::at_shares(&keys, &rows, params.shares));
            (keys.iter().map(|&key| cut.part(key)).collect(), Cuts::Key { seed, cut })
        }
    };
    let rows_of = |part| (0..parts.len() as u32).filter(|&row| parts[row as usize] == part).collect::<Vec<u32>>();
    let (train, validation, test) = (rows_of(Part::Train), rows_of(Part::Validation), rows_of(Part::Test));
    if train.is_empty() {
        let message = format!(
            "no row is left to train on: {} validate and {} test; there are too few rows (or groups, or distinct times) for the split, `--holdout none` trains on all of them",
            validation.len(),
            test.len()
        );
        return Err(Error::Unusable { message });
    }
    if !matches!(params.method, SplitMethod::NoHoldout | SplitMethod::Column(_)) {
        warnings.extend(share_warning([train.len(), validation.len(), test.len()], params.shares));
    }
    Ok(Split { train, validation, test, cuts, warnings })
}

fn single_cut(cuts: Option<&Cuts>, seed: u64) -> Result<(u64, Option<KeyCut>)> {
    match cuts {
        None => Ok((seed, None)),
        Some(Cuts::Key { seed, cut }) => Ok((*seed, Some(*cut))),
        Some(_) => Err(other_method()),
    }
}

fn other_method() -> Error {
    let message = "the cuts that are to be reused were made by another method of splitting; use the same one \
                   (rows, groups, times, stratified or not), or split afresh";
    Error::Unusable { message: message.into() }
}

fn stratified(
    table: &Table,
    task: &Task,
    targets: &Targets,
    params: &SplitParams,
    cuts: Option<&Cuts>,
    warnings: &mut Vec<Warning>,
) -> Result<(Vec<Part>, Cuts)> {
    let (seed, mut classes) = match cuts {
        None => (params.seed, BTreeMap::new()),
        Some(Cuts::KeyByClass { seed, classes }) => (*seed, classes.clone()),
        Some(_) => return Err(other_method()),
    };
    let keys = row_keys(table, seed, Purpose::Split, params.identity);
    let mut parts = vec![Part::Train; keys.len()];
    let rows = 0..keys.len() as u32;
    let by_class = keys::rows_by_class(task.n_classes(), targets, rows, (&keys, params.identity));
    for (label, rows) in task.labels().iter().zip(by_class) {
        if rows.is_empty() {
            continue;
        }
        let cut = classes.entry(label.clone()).or_insert_with(|| KeyCut::at_shares(&keys, &rows, params.shares));
        for &row in &rows {
            parts[row as usize] = cut.part(keys[row as usize]);
        }
        warnings.extend(rare_warning(label, &rows, &parts, params.shares));
    }
    Ok((parts, Cuts::KeyByClass { seed, classes }))
}

fn rare_warning(label: &str, rows: &[u32], parts: &[Part], shares: Shares) -> Option<Warning> {
    let named = [
        (Part::Train, shares.train, "train"),
        (Part::Validation, shares.validation, "validation"),
        (Part::Test, shares.test, "test"),
    ];
    let has = |part| rows.iter().any(|&row| parts[row as usize] == part);
    let absent: Vec<&str> = named.iter().filter(|(p, share, _)| *share > 0.0 && !has(*p)).map(|p| p.2).collect();
    (!absent.is_empty()).then(|| {
        let (n, plural) = (rows.len(), if rows.len() == 1 { "" } else { "s" });
        let message = format!(
            "class `{label}` has {n} row{plural}, too few for every part: none is in {}; its scores there are undefined, more rows of it would help",
            absent.join(" and ")
        );
        Warning::general(Code::RareClass, message)
    })
}

fn share_warning(sizes: [usize; 3], shares: Shares) -> Option<Warning> {
    let n = sizes.iter().sum::<usize>() as f64;
    let asked = [shares.train, shares.validation, shares.test];
    let off = |(size, share): (&usize, &f64)| {
        let is = *size as f64;
        (*share > 0.0 && *size == 0) || ((is / n - share).abs() > SHARE_TOLERANCE && (is - share * n).abs() > 2.0)
    };
    sizes.iter().zip(&asked).any(off).then(|| {
        let [train, validation, test] = sizes.map(|size| format!("{:.1}%", size as f64 / n * 100.0));
        let message = format!(
            "the parts hold {train} (train), {validation} (validation) and {test} (test) of the rows instead of {:.1}%, {:.1}% and {:.1}%: whole groups, equal times and equal keys stay on one side",
            asked[0] * 100.0,
            asked[1] * 100.0,
            asked[2] * 100.0
        );
        Warning::general(Code::SplitShares, message)
    })
}

#[cfg(test)]
mod tests;
