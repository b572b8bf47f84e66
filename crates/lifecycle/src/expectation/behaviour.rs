//! How a model answers when a row is changed: invariance, direction, and rows with known answers.
//!
//! # References
//! Ribeiro, Wu, Guestrin and Singh (2020), Beyond Accuracy: Behavioral Testing of NLP Models with CheckList: invariance tests,
//! directional expectation tests and minimum functionality tests, here for rows of a table.

use std::collections::BTreeMap;

use tabwright_core::block::{MISSING_INTEGER, integer_to_number};
use tabwright_core::metric::Predictions;
use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Category, Column, Field, Kind, Rows, Schema, Table, Task, suggest};
use tabwright_model::artifact::Artifact;
use tabwright_model::model::Model;
use toml::Value;

use super::data::{percent, shown, spelling};
use super::file::{Direction, Example, Invariant, Monotone};
use super::rows::Ground;
use super::{Broken, Found};
use crate::error::{Error, Result};
use crate::registry::gate;

/// Rows that are changed at most, drawn from everywhere.
const MOST_ROWS: usize = 2_000;
/// How often each row takes another row's value.
const DRAWS: u64 = 10;
/// Seed of the draws: the same answer each time.
const SEED: u64 = 42;

/// Some rows of a table, and what a model says of them.
struct Answers<'a> {
    model: &'a Model,
    table: Table,
    answers: Predictions,
}

impl<'a> Answers<'a> {
    fn new(model: &'a Model, ground: &Ground) -> Result<Self> {
        let rows = gate::drawn(ground.held.rows.clone(), MOST_ROWS);
        let table = ground.held.table.take(&rows);
        let answers = predict(model, &table)?;
        Ok(Answers { model, table, answers })
    }

    /// Where a column stands, if the model reads it.
    fn position(&self, column: &str) -> Result<Option<usize>> {
        let position = self.table.schema().require(column)?;
        let is_read = self.model.pipeline().inputs().iter().any(|input| input.name == column);
        Ok(is_read.then_some(position))
    }

    /// What the model says when a column is replaced.
    fn with(&self, position: usize, column: Column) -> Result<Predictions> {
        let mut fields = self.table.schema().fields().to_vec();
        if matches!(column, Column::Float(_)) {
            fields[position].kind = Kind::Float;
        }
        let mut columns = self.table.block().columns().to_vec();
        columns[position] = column;
        predict(self.model, &Table::new(Schema::new(fields)?, columns)?)
    }
}

fn predict(model: &Model, table: &Table) -> Result<Predictions> {
    Ok(model.bind(table.schema())?.predict(Rows::all(table.block())))
}

const NOT_READ: &str = "the model does not read it";

/// Whether predictions stay when rows take other rows' values of a column.
pub(super) fn invariant(asked: &Invariant, artifact: &Artifact, ground: &Ground) -> Found {
    let all = Answers::new(artifact.model(), ground)?;
    let Some(position) = all.position(&asked.column)? else { return Ok((true, NOT_READ.to_owned())) };
    let (column, n) = (all.table.column(position), all.table.n_rows() as u64);
    let mut moved = vec![false; n as usize];
    let mut largest: Option<(f64, usize, usize)> = None;
    for draw in 0..DRAWS {
        let keyed = Keyed::new(SEED, Purpose::Bootstrap).child(draw);
        let from: Vec<u32> = (0..n).map(|row| keyed.below(row, n) as u32).collect();
        let changed = all.with(position, column.take(&from))?;
        for row in 0..n as usize {
            let pairs = all.answers.row(row).iter().zip(changed.row(row));
            let change = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            moved[row] |= change > asked.tolerance;
            if largest.is_none_or(|(most, ..)| change > most) {
                largest = Some((change, row, from[row] as usize));
            }
        }
    }
    let (change, row, from) = largest.unwrap_or_default();
    let kept = moved.iter().filter(|m| !**m).count();
    let example = match change > asked.tolerance {
        true => {
            format!("; most from `{}` to `{}`, by {}", shown(column, row), shown(column, from), gate::rounded(change))
        }
        false => String::new(),
    };
    Ok(shares(kept, n as usize, *asked.share.get_ref(), "keep their prediction", &example))
}

/// Whether predictions go one way when a number is raised or lowered.
pub(super) fn monotone(asked: &Monotone, artifact: &Artifact, ground: &Ground) -> Found {
    let all = Answers::new(artifact.model(), ground)?;
    let output = output_of(artifact.model(), asked.class.as_deref())?;
    let Some(position) = all.position(&asked.column)? else { return Ok((true, NOT_READ.to_owned())) };
    let (column, kind) = (all.table.column(position), all.table.schema().fields()[position].kind);
    if !kind.is_numeric() {
        return Ok((false, format!("it holds {kind} values; only numbers can be raised")));
    }
    let raised = (0..column.len()).map(|row| column.number(row) + asked.by).collect();
    let changed = all.with(position, Column::Float(raised))?;
    let sign = if asked.direction == Direction::Increasing { 1.0 } else { -1.0 };
    let steps: Vec<f64> =
        (0..column.len()).map(|row| sign * (output.of(changed.row(row)) - output.of(all.answers.row(row)))).collect();
    let right = steps.iter().filter(|step| **step >= -asked.tolerance).count();
    let worst = steps.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
    let example = match worst {
        Some((row, step)) if *step < -asked.tolerance => {
            format!("; worst at `{}`, by {} the other way", shown(column, row), gate::rounded(step.abs()))
        }
        _ => String::new(),
    };
    let (least, said) = (*asked.share.get_ref(), "go that way or stay");
    Ok(shares(right, steps.len(), least, said, &example))
}

fn shares(met: usize, n: usize, least: f64, said: &str, example: &str) -> (bool, String) {
    let share = met as f64 / n.max(1) as f64;
    let least_said = if least == 1.0 { "all should".to_owned() } else { format!("{} should", percent(least)) };
    (share >= least, format!("{met} of {n} rows {said} ({least_said}){example}"))
}

/// Which number of a prediction is meant.
enum Output {
    /// The only one.
    Only,
    /// One minus the only one.
    Other,
    /// That of a class.
    Class(usize),
}

impl Output {
    fn of(&self, row: &[f64]) -> f64 {
        match self {
            Output::Only => row[0],
            Output::Other => 1.0 - row[0],
            Output::Class(class) => row[*class],
        }
    }
}

fn output_of(model: &Model, class: Option<&str>) -> Result<Output> {
    let labels = model.task().labels();
    let Some(class) = class else {
        return match model.task() {
            Task::Multiclass { .. } => Err(Error::Config(format!(
                "the model has {} classes; say whose probability is meant: class = \"{}\"",
                labels.len(),
                labels.first().map_or("", String::as_str)
            ))),
            _ => Ok(Output::Only),
        };
    };
    let Some(position) = labels.iter().position(|label| label == class) else {
        let known = labels.iter().map(String::as_str);
        return Err(Error::Config(match labels.is_empty() {
            true => "the model predicts numbers; leave class out".to_owned(),
            false => {
                let hint = suggest::did_you_mean(class, known.clone());
                format!("the model has no class `{class}`{hint}; it has {}", suggest::shorten(known))
            }
        }));
    };
    Ok(match (model.task(), position) {
        (Task::Binary { .. }, 0) => Output::Other,
        (Task::Binary { .. }, _) => Output::Only,
        _ => Output::Class(position),
    })
}

/// Whether a row has the answer that is known for it.
pub(super) fn example(asked: &Example, artifact: &Artifact) -> Found {
    let model = artifact.model();
    let table = table_of(&asked.row, artifact)?;
    let answer = predict(model, &table)?;
    let mut found = Vec::new();
    let mut met = true;
    if let Some(expected) = &asked.prediction {
        if !model.task().is_classification() {
            let message = "the model predicts numbers; bound them with min and max instead of prediction";
            return Err(Broken::from(Error::Config(message.to_owned())));
        }
        output_of(model, Some(expected))?;
        let label = &model.task().labels()[answer.label(0, model.threshold())];
        met &= label == expected;
        found.push(format!("`{label}` is predicted, `{expected}` is expected"));
    }
    if asked.min.is_some() || asked.max.is_some() {
        let value = output_of(model, asked.class.as_deref())?.of(answer.row(0));
        let bounds = match (asked.min, asked.max) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("{min} at least"),
            (_, max) => format!("{} at most", max.unwrap_or_default()),
        };
        met &= asked.min.is_none_or(|min| value >= min) && asked.max.is_none_or(|max| value <= max);
        found.push(format!("{} ({bounds})", gate::rounded(value)));
    }
    Ok((met, found.join("; ")))
}

/// A table of one row, with a column for each input of a model.
fn table_of(row: &BTreeMap<String, Value>, artifact: &Artifact) -> Result<Table> {
    let inputs = artifact.model().pipeline().inputs();
    let known = crate::answer::known_columns(artifact);
    for name in row.keys() {
        if !inputs.iter().any(|input| input.name == *name) && !known.contains(name) {
            let names = inputs.iter().map(|input| input.name.as_str());
            let hint = suggest::did_you_mean(name, names.clone());
            let reads = suggest::shorten(names);
            return Err(Error::Config(format!("the model does not know the column `{name}`{hint}; it reads {reads}")));
        }
    }
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for input in inputs {
        let (kind, column) = match row.get(&input.name) {
            None => (input.kind, empty(input.kind)),
            Some(value) => cell(input.kind, value).ok_or_else(|| {
                Error::Config(format!("`{}` is {}: {value} cannot stand there", input.name, input.kind))
            })?,
        };
        fields.push(Field::feature(input.name.as_str(), kind));
        columns.push(column);
    }
    Ok(Table::new(Schema::new(fields)?, columns)?)
}

/// A missing value.
fn empty(kind: Kind) -> Column {
    match kind {
        Kind::Float => Column::Float(vec![f64::NAN]),
        Kind::Integer => Column::Integer(vec![MISSING_INTEGER]),
        Kind::Timestamp => Column::Timestamp(vec![MISSING_INTEGER]),
        Kind::Boolean | Kind::Categorical | Kind::Text => Column::Category(Category::from_strings([None::<&str>])),
    }
}

/// A value as a column of a kind; none where it cannot be.
fn cell(kind: Kind, value: &Value) -> Option<(Kind, Column)> {
    match (kind, value) {
        (Kind::Integer | Kind::Float, Value::Float(x)) => Some((Kind::Float, Column::Float(vec![*x]))),
        (Kind::Integer, Value::Integer(i)) => Some((kind, Column::Integer(vec![*i]))),
        (Kind::Float, Value::Integer(i)) => Some((kind, Column::Float(vec![integer_to_number(*i)]))),
        (Kind::Timestamp, Value::String(_) | Value::Datetime(_)) => {
            let text = if let Value::String(text) = value { text.clone() } else { value.to_string() };
            let at = tabwright_store::time::parse(&text).ok()?;
            Some((kind, Column::Timestamp(vec![at])))
        }
        (Kind::Boolean | Kind::Categorical | Kind::Text, Value::Array(_) | Value::Table(_)) => None,
        (Kind::Boolean | Kind::Categorical | Kind::Text, _) => {
            Some((kind, Column::Category(Category::from_strings([Some(spelling(value))]))))
        }
        _ => None,
    }
}
