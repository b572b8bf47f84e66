//! A fitted model: signature, pipeline, predictor, link. What `train` makes and everything else uses.

use std::borrow::Cow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tabwright_core::metric::{DEFAULT_THRESHOLD, Predictions};
use tabwright_core::rows::BLOCK_ROWS;
use tabwright_core::{Block, Kind, Rows, Schema, Task, numeric};

use crate::error::{Error, Result};
use crate::pipeline::{Pipeline, Scratch, SlotType};
use crate::{Features, Linear, Trees};

/// What turns features into raw scores.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a model has one predictor: a box would save nothing")]
pub enum Predictor {
    /// The same scores for every row.
    Constant(Vec<f64>),
    /// Weighted sums.
    Linear(Linear),
    /// Sums or means over trees.
    Trees(Trees),
}

impl Predictor {
    /// Checks that it can read what a pipeline makes, and that its numbers are finite.
    fn check(&self, pipeline: &Pipeline) -> Result<()> {
        let is_finite = match self {
            Predictor::Constant(scores) => scores.iter().all(|s| s.is_finite()),
            Predictor::Linear(linear) => {
                let (found, wanted) = (linear.n_weights(), pipeline.n_weights());
                if found != wanted {
                    return Err(Error::Invalid(format!(
                        "the predictor has {found} weights, the pipeline makes {wanted}"
                    )));
                }
                linear.coefficients().iter().chain(linear.intercepts()).all(|w| w.is_finite())
            }
            Predictor::Trees(trees) => {
                let types: Vec<_> = pipeline.output_types().collect();
                trees.check_features(&types).map_err(Error::Invalid)?;
                trees.is_finite()
            }
        };
        if is_finite { Ok(()) } else { Err(Error::Invalid("a number of the predictor is not finite".into())) }
    }

    /// Raw scores per row.
    pub fn n_outputs(&self) -> usize {
        match self {
            Predictor::Constant(scores) => scores.len(),
            Predictor::Linear(linear) => linear.n_outputs(),
            Predictor::Trees(trees) => trees.n_outputs(),
        }
    }

    /// Fills `out`, row-major `(n_rows, n_outputs)`.
    pub fn raw_scores(&self, features: &Features, out: &mut [f64]) {
        match self {
            Predictor::Constant(scores) => {
                out.chunks_exact_mut(scores.len()).for_each(|row| row.copy_from_slice(scores))
            }
            Predictor::Linear(linear) => linear.raw_scores(features, out),
            Predictor::Trees(trees) => trees.raw_scores(features, out),
        }
    }
}

/// What turns raw scores into predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The score is the prediction: a number, or already a probability.
    Identity,
    /// The score is the log-odds of the positive label.
    Logistic,
    /// The scores are unnormalised log-probabilities.
    Softmax,
    /// The score is the logarithm of the prediction.
    Exponential,
}

impl Link {
    /// Turns raw scores into predictions, in place; `n_outputs` scores per row.
    pub fn apply(self, scores: &mut [f64], n_outputs: usize) {
        match self {
            Link::Identity => {}
            Link::Logistic => scores.iter_mut().for_each(|s| *s = numeric::sigmoid(*s)),
            Link::Softmax => scores.chunks_exact_mut(n_outputs).for_each(numeric::softmax),
            Link::Exponential => scores.iter_mut().for_each(|s| *s = numeric::exp(*s)),
        }
    }
}

/// What a model was made for and how its input was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Task and labels.
    pub task: Task,
    /// The column that is predicted.
    pub target: String,
    /// Time zone in which naive timestamps are read.
    pub zone: String,
    /// Tokens that mean "missing" in every column, beyond those that always do.
    pub na: Vec<String>,
}

/// A fitted model.
#[derive(Debug, Clone)]
pub struct Model {
    signature: Signature,
    /// The type of the candidate, such as `gbdt_leafwise`.
    candidate_type: String,
    pipeline: Pipeline,
    predictor: Predictor,
    link: Link,
    threshold: f64,
    /// The positions of the inputs in rows that have them in order.
    in_order: Vec<usize>,
}

impl Model {
    /// Puts the parts together.
    ///
    /// # Errors
    /// [`Error::Invalid`] if they do not fit each other.
    pub fn new(
        signature: Signature,
        candidate_type: impl Into<String>,
        pipeline: Pipeline,
        predictor: Predictor,
        link: Link,
    ) -> Result<Self> {
        let wanted = signature.task.n_outputs();
        if predictor.n_outputs() != wanted {
            let found = predictor.n_outputs();
            return Err(Error::Invalid(format!("the predictor gives {found} scores, the task needs {wanted}")));
        }
        match (&signature.task, link) {
            (Task::Regression, Link::Identity | Link::Exponential)
            | (Task::Binary { .. }, Link::Identity | Link::Logistic)
            | (Task::Multiclass { .. }, Link::Identity | Link::Softmax) => {}
            (task, link) => {
                return Err(Error::Invalid(format!("a {} model cannot have the link {link:?}", task.name())));
            }
        }
        predictor.check(&pipeline)?;
        Ok(Model {
            signature,
            candidate_type: candidate_type.into(),
            in_order: (0..pipeline.inputs().len()).collect(),
            pipeline,
            predictor,
            link,
            threshold: DEFAULT_THRESHOLD,
        })
    }

    /// What the model was made for.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Task and labels.
    pub fn task(&self) -> &Task {
        &self.signature.task
    }

    /// The type of the candidate, such as `gbdt_leafwise`.
    pub fn candidate_type(&self) -> &str {
        &self.candidate_type
    }

    /// The fitted pipeline.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The fitted predictor.
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// What turns raw scores into predictions.
    pub fn link(&self) -> Link {
        self.link
    }

    /// Probability from which a binary prediction is the positive label.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// How much each feature weighs, the strongest first: its share of the gain of all trees, or of the size of all weights of a
    /// linear model, whose features have one scale. None for a model that asks no feature.
    pub fn importances(&self) -> Vec<(&str, f64)> {
        let by_feature = match &self.predictor {
            Predictor::Constant(_) => return Vec::new(),
            Predictor::Trees(trees) => trees.importances().gains,
            Predictor::Linear(linear) => {
                let sizes =
                    |row: &[f64], range: std::ops::Range<usize>| row[range].iter().map(|w| w.abs()).sum::<f64>();
                let mut start = 0;
                let width = |t| if let SlotType::OneHot(width) = t { width as usize } else { 1 };
                let widths = self.pipeline.output_types().map(width);
                let of = |width: usize| {
                    let range = start..start + width;
                    start += width;
                    linear
                        .coefficients()
                        .chunks_exact(linear.n_weights().max(1))
                        .map(|row| sizes(row, range.clone()))
                        .sum()
                };
                widths.map(of).collect()
            }
        };
        let total: f64 = by_feature.iter().sum();
        let names = self.pipeline.outputs().iter().map(|output| output.name.as_str());
        let mut shares: Vec<(&str, f64)> =
            names.zip(by_feature).filter(|(_, x)| *x > 0.0).map(|(name, x)| (name, x / total)).collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        shares
    }

    /// Finds the model's inputs in a schema, and checks their kinds.
    ///
    /// # Errors
    /// [`Error::MissingColumns`] and [`Error::Kind`].
    pub fn bind<'a>(&'a self, schema: &Schema) -> Result<Scorer<'a>> {
        let positions = self.pipeline.bind(schema)?;
        for (input, &position) in self.pipeline.inputs().iter().zip(&positions) {
            let found = schema.fields()[position].kind;
            if !readable(found, input.kind) {
                let column = input.name.clone();
                return Err(Error::Kind { column, found: found.name(), expected: input.kind.name() });
            }
        }
        Ok(Scorer { model: self, positions: positions.into() })
    }

    /// A scorer for blocks whose columns are the model's inputs, in their order.
    pub fn scorer(&self) -> Scorer<'_> {
        Scorer { model: self, positions: self.in_order.as_slice().into() }
    }
}

/// Whether a column of one kind can stand for an input of another: numbers for numbers, anything discrete for levels.
pub(crate) fn readable(found: Kind, expected: Kind) -> bool {
    match expected {
        Kind::Integer | Kind::Float => found.is_numeric(),
        Kind::Timestamp => found == Kind::Timestamp,
        Kind::Boolean | Kind::Categorical | Kind::Text => found != Kind::Timestamp,
    }
}

/// A model bound to the columns of its input: rows in, predictions out.
#[derive(Debug, Clone)]
pub struct Scorer<'a> {
    model: &'a Model,
    positions: Cow<'a, [usize]>,
}

impl Scorer<'_> {
    /// The columns of a block that the model reads, in its order: what a log keeps, and what [`Model::scorer`] takes.
    ///
    /// # Errors
    /// Never, for a block of the schema that this was bound to.
    pub fn inputs(&self, block: &Block) -> Result<Block> {
        let columns = self.positions.iter().map(|&position| block.column(position).clone()).collect();
        Block::new(columns, block.n_rows()).map_err(|e| Error::Invalid(e.to_string()))
    }

    /// Predicts rows, in parallel over blocks of rows: for binary the probability of the positive label, for
    /// multiclass `(n_rows, n_classes)` probabilities, for regression the number.
    ///
    /// # Determinism
    /// A row has the same bits alone and in any batch, on any number of threads.
    pub fn predict(&self, rows: Rows<'_>) -> Predictions {
        let n_outputs = self.model.predictor.n_outputs();
        let mut values = vec![0.0; rows.len() * n_outputs];
        values.par_chunks_mut(BLOCK_ROWS * n_outputs).enumerate().for_each_init(
            Scratch::default,
            |scratch, (i, out)| {
                let start = i * BLOCK_ROWS;
                self.predict_into(rows.slice(start..start + out.len() / n_outputs), scratch, out);
            },
        );
        Predictions { n_outputs, values }
    }

    /// Predicts rows on this thread into `out`, row-major `(n_rows, n_outputs)`, on memory that is used again.
    pub fn predict_into(&self, rows: Rows<'_>, scratch: &mut Scratch, out: &mut [f64]) {
        let features = self.model.pipeline.transform_into(rows, &self.positions, scratch);
        self.model.predictor.raw_scores(features, out);
        self.model.link.apply(out, self.model.predictor.n_outputs());
    }

    /// Where the model's inputs stand in the rows.
    pub(crate) fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The model that is bound.
    pub fn model(&self) -> &Model {
        self.model
    }
}
