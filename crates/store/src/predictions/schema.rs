//! What is logged of a model version, and how its columns are named in tables and Parquet files.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use tabwright_core::{Column, Field, Kind, Role, Schema};
use tabwright_data::{ExactColumn, Spread};

use crate::error::{Error, Result};
use crate::name;

/// What stands before the name of an input.
const INPUT: &str = "input.";
/// What stands before a class.
const PROBABILITY: &str = "probability_";

/// What is logged of a version: stands at the head of every segment and in every Parquet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSchema {
    /// The inputs that are logged; none where hashes alone are kept.
    pub inputs: Vec<LogColumn>,
    /// What the version answers.
    pub outputs: Outputs,
}

/// An input that is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogColumn {
    /// Its name, as the model has it.
    pub name: String,
    /// What its values mean.
    pub kind: Kind,
}

/// What a version answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outputs {
    /// A number.
    Number,
    /// One of these classes, with a probability for each.
    Classes(Vec<String>),
}

impl Outputs {
    /// The classes; none where a number is answered.
    pub fn classes(&self) -> &[String] {
        match self {
            Outputs::Number => &[],
            Outputs::Classes(classes) => classes,
        }
    }

    /// What a prediction is.
    pub fn kind(&self) -> Kind {
        match self {
            Outputs::Number => Kind::Float,
            Outputs::Classes(_) => Kind::Categorical,
        }
    }
}

impl LogSchema {
    /// Checks that names are there and differ.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the input or class.
    pub(super) fn check(&self) -> Result<()> {
        let mut seen = HashSet::new();
        for column in &self.inputs {
            if !seen.insert(column.name.as_str()) {
                let shown = name::shown(&column.name);
                return Err(Error::Invalid(format!("the input {shown} is to be logged twice; name it once")));
            }
        }
        let mut seen = HashSet::new();
        match self.outputs.classes().iter().find(|class| !seen.insert(class.as_str())) {
            Some(class) => Err(Error::Invalid(format!("the class {} is there twice", name::shown(class)))),
            None => Ok(()),
        }
    }

    /// All columns of an entry, in their order.
    pub(super) fn layout(&self) -> Vec<LayoutColumn> {
        let column = |name: &str, kind, spread, role| LayoutColumn { name: name.to_owned(), kind, spread, role };
        let (repeated, own) = (Spread::Repeated, Role::Ignored);
        let mut columns = vec![
            column("prediction_id", Kind::Text, Spread::Distinct, Role::Id),
            column("time", Kind::Timestamp, Spread::Rising, Role::Time),
            column("input_hash", Kind::Text, Spread::Distinct, own),
            column("missing", Kind::Integer, repeated, own),
            column("out_of_range", Kind::Integer, repeated, own),
            column("unseen", Kind::Integer, repeated, own),
            column("latency_us", Kind::Integer, repeated, own),
            column("flags", Kind::Categorical, repeated, own),
            column("alias", Kind::Categorical, repeated, own),
            column("prediction", self.outputs.kind(), repeated, own),
        ];
        let classes = self.outputs.classes().iter();
        columns.extend(classes.map(|class| column(&format!("{PROBABILITY}{class}"), Kind::Float, repeated, own)));
        let inputs = self.inputs.iter();
        columns
            .extend(inputs.map(|input| column(&format!("{INPUT}{}", input.name), input.kind, repeated, Role::Feature)));
        columns
    }

    /// Where the probabilities begin among all columns.
    pub(super) const PROBABILITIES: usize = 10;

    /// Where the inputs begin among all columns.
    pub(super) fn first_input(&self) -> usize {
        Self::PROBABILITIES + self.outputs.classes().len()
    }
}

/// Where the id of a prediction stands among all columns.
pub(super) const ID: usize = 0;
/// Where its time stands.
pub(super) const TIME: usize = 1;

/// A column of an entry.
#[derive(Debug, Clone)]
pub(super) struct LayoutColumn {
    pub(super) name: String,
    pub(super) kind: Kind,
    spread: Spread,
    role: Role,
}

impl LayoutColumn {
    pub(super) fn spread(&self) -> Spread {
        self.spread
    }

    /// The column as it is written to Parquet, by what its values in fact are.
    pub(super) fn exact(&self, values: &Column) -> ExactColumn {
        ExactColumn { name: self.name.clone(), kind: kind_of(self.kind, values), spread: self.spread }
    }
}

/// The kind that values in fact have: whole numbers among which is a fraction are floats, and booleans that say something else than
/// `true` and `false` are categories.
fn kind_of(kind: Kind, values: &Column) -> Kind {
    match values {
        Column::Float(_) => Kind::Float,
        Column::Category(c) if kind == Kind::Boolean && !c.levels.iter().all(|l| matches!(l, "true" | "false")) => {
            Kind::Categorical
        }
        _ => kind,
    }
}

/// The schema of a table of these columns.
///
/// # Errors
/// Never, for columns of a checked schema.
pub(super) fn table_schema(layout: &[LayoutColumn], values: &[Column]) -> Result<Schema> {
    let field = |(column, values): (&LayoutColumn, &Column)| Field {
        name: column.name.clone(),
        kind: kind_of(column.kind, values),
        role: column.role,
    };
    Schema::new(layout.iter().zip(values).map(field).collect()).map_err(|e| Error::Invalid(e.to_string()))
}
