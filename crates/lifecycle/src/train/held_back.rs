//! The rows that a model was never fitted on, found again: its files are read as the training read them, and cut where it cut.

use serde_json::Value;
use tabwright_core::metric::{self, Predictions};
use tabwright_core::{Context, Metric, RowSet, Rows, Table, Targets};
use tabwright_model::model::Model;

use super::material;
use crate::config::{Config, Holdout, RowsFrom};
use crate::error::{Error, Result};

/// Rows with their targets, and which of them were held back as the test part.
#[derive(Debug, Clone)]
pub struct HeldBack {
    /// All rows with a target.
    pub table: Table,
    /// Their targets and weights.
    pub targets: Targets,
    /// Positions of the held back, ascending.
    pub rows: Vec<u32>,
}

impl HeldBack {
    /// What a model answers for some of the rows.
    ///
    /// # Errors
    /// If the model cannot read them.
    pub fn predict(&self, model: &Model, rows: &[u32]) -> Result<Predictions> {
        let scorer = model.bind(self.table.schema())?;
        Ok(scorer.predict(Rows::new(self.table.block(), RowSet::List(rows))))
    }

    /// A metric of predictions for some of the rows; NaN where it is not defined.
    pub fn score(&self, metric: Metric, model: &Model, rows: &[u32], predictions: &Predictions) -> f64 {
        metric::score(metric, model.task(), &self.targets.take(rows), predictions, model.threshold())
    }
}

/// Reads the files of a configuration and finds the rows that a model with this plan was never fitted on.
///
/// # Errors
/// From reading; [`Error::Data`] for a model that held nothing back, or of another target.
pub fn held_back(config: &Config, plan: &Value, context: Context<'_>) -> Result<HeldBack> {
    if config.split.holdout == Holdout::None {
        return Err(Error::Data("it was trained on every row (holdout none), so nothing was held back".into()));
    }
    if config.data.source.iter().any(|s| s == "-") {
        return Err(Error::Data("it was trained on standard input, which cannot be read again".into()));
    }
    let mut config = config.clone();
    config.train.rows_from = RowsFrom::Memory;
    config.train.memory_limit.clear();
    config.train.output.clear();
    let registry = tabwright_learn::candidate::Registry::default();
    let prepared = material::read(&config, &registry, context)?;
    if plan["target"] != prepared.signature.target.as_str() {
        return Err(Error::Data(format!(
            "the target is `{}`, that of the model is {}",
            config.data.target, plan["target"]
        )));
    }
    let cuts = match config.split.column.is_empty() {
        true => material::cuts_of_plan(plan).ok(),
        false => None,
    };
    config.selection.folds = 0;
    let divided = material::divide_at(&prepared, &config, cuts)?;
    if divided.split.test.is_empty() {
        return Err(Error::Data("none of the rows was held back".into()));
    }
    Ok(HeldBack { table: prepared.table, targets: prepared.targets, rows: divided.split.test })
}
