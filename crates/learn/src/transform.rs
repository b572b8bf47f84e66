//! Fits the pipeline: by column, like a column transformer, with defaults for each family of models.
//!
//! Everything that is chosen by value (fill values, scales, levels, which columns are left out) is chosen here, on the
//! fitting rows alone. What comes out is [`Pipeline`], which knows nothing of how it was fitted.

mod category;
mod config;
mod number;
mod stream;

pub use config::{
    CategoryEncoder, CategoryImpute, CategoryTransform, ColumnTransform, Family, FamilyTransforms, Fill, NumberImpute,
    NumberTransform, Scaler, TransformConfig,
};

pub use stream::needs_values;
pub(crate) use stream::{ColumnFacts, fit as fit_facts};

use rayon::prelude::*;
use tabwright_core::finding;
use tabwright_core::{Code, Column, Field, Kind, RowSet, Schema, View, Warning};
use tabwright_model::pipeline::{Input, Operator, Output, Pipeline, Step};

use crate::error::Result;

/// The columns that may become features.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Positions in the table's schema, ascending.
    pub columns: Vec<usize>,
    /// Positions that were named as features by the user: kept even where they look like identifiers.
    pub forced: Vec<usize>,
}

/// A fitted pipeline, and what was left out of it.
#[derive(Debug, Clone)]
pub struct FittedPipeline {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// A warning for each column that was left out.
    pub left_out: Vec<Warning>,
}

/// Part of a slot program for one column. Slots count from the fragment's own first step.
#[derive(Debug, Default)]
struct Fragment {
    steps: Vec<Operator>,
    outputs: Vec<(usize, String)>,
}

impl Fragment {
    /// Adds a step and returns its slot.
    fn push(&mut self, operator: Operator) -> usize {
        self.steps.push(operator);
        self.steps.len() - 1
    }
}

/// Fits the pipeline of a family of models on the rows of a view.
///
/// # Errors
/// If a configured column is not there, or no feature is left.
///
/// # Determinism
/// Columns are fitted in parallel and put together in the order of the schema.
pub fn fit(view: View<'_>, inputs: &Inputs, family: Family, config: &TransformConfig) -> Result<FittedPipeline> {
    let fitted: Vec<Result<Fragment, Warning>> =
        inputs.columns.par_iter().map(|&c| fit_column(view, c, inputs, family, config)).collect();
    assemble(view.table().schema(), inputs, fitted)
}

/// Puts the fragments of the columns together.
fn assemble(schema: &Schema, inputs: &Inputs, fitted: Vec<Result<Fragment, Warning>>) -> Result<FittedPipeline> {
    let mut left_out = Vec::new();
    let (mut names, mut steps, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
    for (&column, fragment) in inputs.columns.iter().zip(fitted) {
        match fragment {
            Err(warning) => left_out.push(warning),
            Ok(fragment) => {
                let Field { name, kind, .. } = schema.fields()[column].clone();
                names.push(Input { name, kind });
                append(fragment, names.len() - 1, &mut steps, &mut outputs);
            }
        }
    }
    let pipeline = Pipeline::new(names, steps, outputs)?;
    Ok(FittedPipeline { pipeline, left_out })
}

/// Moves a fragment to its place in the program.
fn append(fragment: Fragment, input: usize, steps: &mut Vec<Step>, outputs: &mut Vec<Output>) {
    let base = steps.len();
    for mut operator in fragment.steps {
        match &mut operator {
            Operator::Number { input: i } | Operator::Encode { input: i, .. } => *i = input,
            Operator::Finite { slot }
            | Operator::ImputeNumber { slot, .. }
            | Operator::ImputeCode { slot, .. }
            | Operator::MissingIndicator { slot }
            | Operator::Scale { slot, .. }
            | Operator::OneHot { slot, .. }
            | Operator::Ordinal { slot, .. } => *slot += base,
        }
        steps.push(operator.into());
    }
    outputs.extend(fragment.outputs.into_iter().map(|(slot, name)| Output { slot: slot + base, name }));
}

fn fit_column(
    view: View<'_>,
    position: usize,
    inputs: &Inputs,
    family: Family,
    config: &TransformConfig,
) -> Result<Fragment, Warning> {
    let field = &view.table().schema().fields()[position];
    let column = view.table().column(position);
    let rows = view.rows().set();
    let all_missing = || rows.iter().all(|r| column.is_missing(r));
    let identifier = || finding::identifier_like(field, column, rows);
    let constant = || is_constant(column, rows);
    let forced = inputs.forced.contains(&position);
    if let Some(warning) = left_out(field, family, all_missing, || identifier().filter(|_| !forced), constant) {
        return Err(warning);
    }
    Ok(fit_kept(field, column, rows, &config.for_column(&field.name, family)))
}

/// Fits the transforms of a column that becomes a feature.
fn fit_kept(field: &Field, column: &Column, rows: RowSet<'_>, transforms: &FamilyTransforms) -> Fragment {
    match field.kind.is_coded() {
        true => category::fit(&field.name, column, rows, transforms),
        false => number::fit(&field.name, column, rows, transforms),
    }
}

/// Why a column becomes no feature, if it does not.
fn left_out(
    field: &Field,
    family: Family,
    all_missing: impl FnOnce() -> bool,
    identifier: impl FnOnce() -> Option<String>,
    constant: impl FnOnce() -> bool,
) -> Option<Warning> {
    let out = |code: Code, why: &str| Some(Warning::column(code, &field.name, why.to_owned()));
    if all_missing() {
        return out(Code::AllMissing, "every value is missing; the column is left out");
    }
    if field.kind == Kind::Text {
        return out(Code::TextLeftOut, "free text is left out: no model here reads it");
    }
    if field.kind == Kind::Timestamp && family == Family::Linear {
        return out(Code::TimestampLeftOut, "timestamps are left out of linear models; trees read them as numbers");
    }
    if let Some(reason) = identifier() {
        let keep = format!("{reason}; it is left out of the features, `--role {}=feature` keeps it", field.name);
        return out(Code::IdentifierLike, &keep);
    }
    if constant() {
        return out(Code::Constant, "it has one value only; the column is left out");
    }
    None
}

/// Whether all rows are equal, missing ones too.
fn is_constant(column: &Column, rows: RowSet<'_>) -> bool {
    fn same<T: PartialEq>(mut values: impl Iterator<Item = T>) -> bool {
        values.next().is_none_or(|first| values.all(|v| v == first))
    }
    match column {
        Column::Float(v) => same(rows.iter().map(|r| tabwright_core::numeric::canonical(v[r]).to_bits())),
        Column::Integer(v) | Column::Timestamp(v) => same(rows.iter().map(|r| v[r])),
        Column::Category(c) => same(rows.iter().map(|r| c.codes[r])),
    }
}

#[cfg(test)]
mod tests;
