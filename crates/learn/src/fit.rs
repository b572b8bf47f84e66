//! One fit of one candidate: pipeline and predictor, on the same rows and no others.

use tabwright_core::metric::{self, Predictions, Reliability};
use tabwright_core::summary::{ColumnSummary, summarize};
use tabwright_core::{Block, Cancel, Column, Field, Kind, RowSet, Rows, Table, Targets, Task, View, Warning};
use tabwright_model::Model;
use tabwright_model::evidence::Metrics;
use tabwright_model::model::Signature;

use crate::candidate::{Candidate, Sample};
use crate::error::Result;
use crate::transform::{self, Inputs, TransformConfig};

/// The table and what is asked of it: all that fits have in common.
#[derive(Debug, Clone, Copy)]
pub struct Material<'a> {
    /// Every row with a target.
    pub table: &'a Table,
    /// What is to be learned.
    pub signature: &'a Signature,
    /// Targets and weights of all rows.
    pub targets: &'a Targets,
    /// A key per row.
    pub keys: &'a [u64],
    /// The columns that may become features.
    pub inputs: &'a Inputs,
    /// What is done to columns before a model sees them.
    pub transforms: &'a TransformConfig,
    /// Seed of the learners.
    pub seed: u64,
    /// Whether fits may run side by side.
    pub side_by_side: bool,
}

impl Material<'_> {
    /// What is to be learned.
    pub fn task(&self) -> &Task {
        &self.signature.task
    }
}

/// Where fits and scores come from: a table in memory, or rows that are read again for each.
pub trait Fits: Sync {
    /// What is to be learned.
    fn task(&self) -> &Task;

    /// The columns that may become features.
    fn inputs(&self) -> &Inputs;

    /// Whether fits may run side by side; those that read all rows again run one by one.
    fn side_by_side(&self) -> bool;

    /// Fits pipeline and predictor of a candidate on some rows (ascending). `rounds`: those that earlier fits settled on.
    ///
    /// # Errors
    /// From the pipeline, the learner or the reading.
    fn fit(&self, candidate: &Candidate, rows: &[u32], rounds: Option<u32>, cancel: &Cancel)
    -> Result<FittedCandidate>;

    /// What a model is worth on each of some sets of rows (ascending).
    ///
    /// # Errors
    /// If the model cannot read the rows.
    fn score(&self, model: &Model, sets: &[&[u32]]) -> Result<Vec<Scores>>;
}

/// What a model is worth on some rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// All metrics; those that are not defined are left out.
    pub metrics: Metrics,
    /// How its probabilities agree with what was observed.
    pub reliability: Vec<Reliability>,
    /// What the answers look like: a number, or the probability of each class.
    pub answers: Vec<ColumnSummary>,
}

impl Scores {
    /// Scores the predictions of some rows.
    pub(crate) fn of(task: &Task, targets: &Targets, rows: &[u32], predictions: &Predictions) -> Self {
        let targets = targets.take(rows);
        Scores {
            metrics: metrics(task, &targets, predictions),
            reliability: metric::reliability(task, &targets, predictions),
            answers: answers(task, predictions),
        }
    }
}

/// Answers that are summarized, at most: a sample tells as much.
const SUMMARIZED: usize = 100_000;

fn answers(task: &Task, predictions: &Predictions) -> Vec<ColumnSummary> {
    let n_rows = predictions.n_rows();
    let step = n_rows.div_ceil(SUMMARIZED).max(1);
    let summary = |(name, output): (String, usize)| {
        let values: Vec<f64> = (0..n_rows).step_by(step).map(|row| predictions.row(row)[output]).collect();
        let n_rows = values.len();
        let block = Block::new(vec![Column::Float(values)], n_rows).ok()?;
        Some(summarize(&Field::feature(name, Kind::Float), Rows::all(&block), 0))
    };
    answer_names(task).into_iter().filter_map(summary).collect()
}

/// What the answers of a task are called, each with its output: the prediction, or the probability of the positive class or of each.
pub fn answer_names(task: &Task) -> Vec<(String, usize)> {
    let of_class = |(output, class): (usize, &String)| (format!("probability_{class}"), output);
    match task {
        Task::Regression => vec![("prediction".to_owned(), 0)],
        Task::Binary { labels } => vec![of_class((0, &labels[1]))],
        task => task.labels().iter().enumerate().map(of_class).collect(),
    }
}

impl Fits for Material<'_> {
    fn task(&self) -> &Task {
        Material::task(self)
    }

    fn inputs(&self) -> &Inputs {
        self.inputs
    }

    fn side_by_side(&self) -> bool {
        self.side_by_side
    }

    fn fit(
        &self,
        candidate: &Candidate,
        rows: &[u32],
        rounds: Option<u32>,
        cancel: &Cancel,
    ) -> Result<FittedCandidate> {
        fit(self, candidate, rows, rounds, cancel)
    }

    fn score(&self, model: &Model, sets: &[&[u32]]) -> Result<Vec<Scores>> {
        let scorer = model.bind(self.table.schema())?;
        let predict = |rows: &&[u32]| scorer.predict(Rows::new(self.table.block(), RowSet::List(rows)));
        Ok(sets.iter().map(|rows| Scores::of(Material::task(self), self.targets, rows, &predict(rows))).collect())
    }
}

/// All metrics of predictions; those that are not defined are left out.
pub fn metrics(task: &Task, targets: &Targets, predictions: &Predictions) -> Metrics {
    let scores = metric::scores(task, targets, predictions);
    scores.into_iter().filter(|(_, s)| s.is_finite()).map(|(m, s)| (m.name().to_owned(), s)).collect()
}

/// A fitted model, and what came to light.
#[derive(Debug, Clone)]
pub struct FittedCandidate {
    /// The model.
    pub model: Model,
    /// The number of rounds that early stopping chose.
    pub rounds: Option<u32>,
    /// Columns that were left out, and why.
    pub left_out: Vec<Warning>,
    /// From the learner.
    pub warnings: Vec<Warning>,
}

/// Fits pipeline and predictor of a candidate on some rows.
///
/// # Errors
/// From the pipeline or the learner.
pub fn fit(
    material: &Material<'_>,
    candidate: &Candidate,
    rows: &[u32],
    rounds: Option<u32>,
    cancel: &Cancel,
) -> Result<FittedCandidate> {
    let set = RowSet::List(rows);
    let view = View::new(material.table, set);
    let fitted = transform::fit(view, material.inputs, candidate.family, material.transforms)?;
    let positions = fitted.pipeline.bind(material.table.schema())?;
    let features = fitted.pipeline.transform(Rows::new(material.table.block(), set), &positions);
    let targets = material.targets.take(rows);
    let keys: Vec<u64> = rows.iter().map(|&r| material.keys[r as usize]).collect();
    let names: Vec<String> = fitted.pipeline.outputs().iter().map(|output| output.name.clone()).collect();
    let sample = Sample {
        task: material.task(),
        features: &features,
        names: &names,
        targets: &targets,
        keys: &keys,
        seed: material.seed,
        rounds,
        cancel,
    };
    let learned = candidate.fit(&sample)?;
    let signature = material.signature.clone();
    let model = Model::new(signature, &candidate.candidate_type, fitted.pipeline, learned.predictor, learned.link)?;
    Ok(FittedCandidate { model, rounds: learned.rounds, left_out: fitted.left_out, warnings: learned.warnings })
}
