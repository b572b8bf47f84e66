//! One fit of one candidate: pipeline and predictor, on the same rows and no others.

use tabwright_core::Table;
use tabwright_core::{Cancel, RowSet, Rows, Targets, Task, View, Warning};
use tabwright_model::Model;
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
}

impl Material<'_> {
    /// What is to be learned.
    pub fn task(&self) -> &Task {
        &self.signature.task
    }
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
