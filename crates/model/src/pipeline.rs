//! The fitted pipeline: a slot program that turns rows into [`Features`](crate::Features).
//!
//! It is the only implementation of the transforms: training, batch prediction and one online row run these steps. A
//! step reads slots and writes a new one, so that a value computed once (a code, an imputed number) serves several.

mod plan;
mod run;
mod step;

pub use run::{Scratch, seconds};
pub use step::{Operator, Step};

use plan::Plan;

use serde::{Deserialize, Serialize};
use tabwright_core::{Kind, Schema};

use crate::error::{Error, Result};

/// A column that the pipeline reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The column's name.
    pub name: String,
    /// The kind that it was fitted on.
    pub kind: Kind,
}

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotType {
    /// Numbers.
    Number,
    /// Category codes, below the given number.
    Code(u32),
    /// Indices into a one-hot group of the given width.
    OneHot(u32),
}

/// A feature that the predictor reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The slot that holds it.
    pub slot: usize,
    /// Its name; a one-hot group has the name of its column.
    pub name: String,
}

/// A fitted pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    inputs: Vec<Input>,
    steps: Vec<Step>,
    outputs: Vec<Output>,
    types: Vec<SlotType>,
    plan: Plan,
}

impl Pipeline {
    /// Checks a program: each step reads inputs and slots that exist, of the type that it needs.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the first step that does not.
    pub fn new(inputs: Vec<Input>, steps: Vec<Step>, outputs: Vec<Output>) -> Result<Self> {
        let mut names = std::collections::BTreeSet::new();
        if let Some(twice) = inputs.iter().find(|i| !names.insert(i.name.as_str())) {
            return Err(Error::Invalid(format!("the pipeline reads the column `{}` twice", twice.name)));
        }
        let mut types = Vec::with_capacity(steps.len());
        for (i, step) in steps.iter().enumerate() {
            let found = step.check(inputs.len(), &types);
            types.push(found.map_err(|why| Error::Invalid(format!("pipeline step {i} ({}): {why}", step.name())))?);
        }
        match outputs.iter().find(|o| o.slot >= types.len()) {
            Some(o) => {
                Err(Error::Invalid(format!("pipeline output `{}` reads slot {}, which is not there", o.name, o.slot)))
            }
            None => {
                let plan = Plan::new(steps.len(), &outputs);
                Ok(Pipeline { inputs, steps, outputs, types, plan })
            }
        }
    }

    /// The columns that the pipeline reads.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The steps, in the order in which they run; step `i` writes slot `i`.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The features that come out.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// What the features hold.
    pub fn output_types(&self) -> impl ExactSizeIterator<Item = SlotType> + '_ {
        self.outputs.iter().map(|o| self.types[o.slot])
    }

    /// How many weights a linear model has for the features.
    pub fn n_weights(&self) -> usize {
        let width = |t| if let SlotType::OneHot(width) = t { width as usize } else { 1 };
        self.output_types().map(width).sum()
    }

    /// The positions of the inputs in a schema.
    ///
    /// # Errors
    /// [`Error::MissingColumns`] names all that are not there.
    pub fn bind(&self, schema: &Schema) -> Result<Vec<usize>> {
        let positions: Vec<Option<usize>> = self.inputs.iter().map(|i| schema.position(&i.name)).collect();
        let missing: Vec<String> =
            self.inputs.iter().zip(&positions).filter(|(_, p)| p.is_none()).map(|(i, _)| i.name.clone()).collect();
        if missing.is_empty() {
            Ok(positions.into_iter().flatten().collect())
        } else {
            let found = tabwright_core::suggest::shorten(schema.names());
            Err(Error::MissingColumns { missing, found })
        }
    }
}
