//! The data contract: do rows look like those that a model was trained on? A pure function of a model, the summaries of
//! its training columns, and a table.

use std::collections::HashMap;

use tabwright_core::summary::ColumnSummary;
use tabwright_core::{Block, Code, Column, Rows, Table, Warning};

use crate::features::CODE_UNSEEN;
use crate::levels::FrozenLevels;
use crate::model::{Model, readable};
use crate::pipeline::Operator;

/// What is still no breach. Shares of rows, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Largest share of rows with a level that the model has not seen.
    pub unseen: f64,
    /// Largest share of rows outside of the range of the training rows.
    pub out_of_range: f64,
    /// Largest rise of the share of missing values.
    pub more_missing: f64,
}

impl Default for Limits {
    /// 5%, 5% and 10 points.
    fn default() -> Self {
        Limits { unseen: 0.05, out_of_range: 0.05, more_missing: 0.10 }
    }
}

/// The verdict.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// Where the contract is broken, in the order of the model's inputs.
    pub breaches: Vec<Warning>,
    /// What is different and allowed.
    pub notes: Vec<Warning>,
}

/// Holds a table against the contract of a model.
///
/// `time` writes a timestamp (microseconds since 1970) for a person.
pub fn check(
    model: &Model,
    summaries: &[ColumnSummary],
    table: &Table,
    limits: Limits,
    time: fn(i64) -> String,
) -> Verdict {
    let mut verdict = Verdict::default();
    let schema = table.schema();
    for (i, input) in model.pipeline().inputs().iter().enumerate() {
        let Some(position) = schema.position(&input.name) else {
            let message = format!("the model needs this {} column, the data has none of this name", input.kind);
            verdict.breaches.push(Warning::column(Code::MissingColumn, &input.name, message));
            continue;
        };
        let found = schema.fields()[position].kind;
        let column = table.column(position);
        let all_missing = (0..column.len()).all(|row| column.is_missing(row));
        if found != input.kind && !all_missing {
            let message = format!("it holds {found} values, the model was trained on {} ones", input.kind);
            let change = Warning::column(Code::ChangedKind, &input.name, message);
            if !readable(found, input.kind) {
                verdict.breaches.push(change);
                continue;
            }
            verdict.notes.push(change);
        }
        let levels = frozen_levels(model, i);
        let summary = summaries.iter().find(|s| s.name == input.name);
        let own = Own { name: &input.name, column, rows: Rows::all(table.block()), time };
        own.unseen(levels, limits.unseen, &mut verdict);
        own.out_of_range(summary, limits.out_of_range, &mut verdict);
        own.more_missing(summary, limits.more_missing, &mut verdict);
    }
    let needed = |name: &str| {
        model.signature().target == name || model.pipeline().inputs().iter().any(|input| input.name == name)
    };
    let extra: Vec<&str> = schema.names().filter(|name| !needed(name)).collect();
    if !extra.is_empty() {
        let names = tabwright_core::suggest::shorten(extra.iter().copied());
        verdict.notes.push(Warning::general(Code::ExtraColumn, format!("the model does not read {names}")));
    }
    verdict
}

/// What is unusual about single rows: levels that the model has not seen, values outside of the range of the training rows,
/// values that are missing where none was. It belongs to one model, and is asked with that model.
#[derive(Debug)]
pub struct RowFlags {
    columns: Vec<FlagColumn>,
    time: fn(i64) -> String,
}

#[derive(Debug)]
struct FlagColumn {
    name: String,
    /// The step of the pipeline that has the levels.
    levels: Option<usize>,
    range: Option<(f64, f64)>,
    never_missing: bool,
}

/// How many values of each row are unusual: one element for each row in every list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowCounts {
    /// Missing values.
    pub missing: Vec<i64>,
    /// Numbers and times outside of the range of the training rows.
    pub out_of_range: Vec<i64>,
    /// Levels that the model has not seen.
    pub unseen: Vec<i64>,
}

impl RowFlags {
    /// Prepares a model. `time` writes a timestamp (microseconds since 1970) for a person.
    pub fn new(model: &Model, summaries: &[ColumnSummary], time: fn(i64) -> String) -> Self {
        let summaries: HashMap<&str, &ColumnSummary> = summaries.iter().map(|s| (s.name.as_str(), s)).collect();
        let column = |(i, input): (usize, &crate::pipeline::Input)| {
            let summary = summaries.get(input.name.as_str());
            FlagColumn {
                name: input.name.clone(),
                levels: encoding_step(model, i),
                range: summary.and_then(|s| s.numbers.as_ref()).map(|n| (n.min, n.max)),
                never_missing: summary.is_some_and(|s| s.missing == 0 && s.count > 0),
            }
        };
        RowFlags { columns: model.pipeline().inputs().iter().enumerate().map(column).collect(), time }
    }

    /// The flags of each row of a block whose columns are the inputs of `model`, in their order.
    pub fn of(&self, model: &Model, block: &Block) -> Vec<Vec<Warning>> {
        let mut flags = vec![Vec::new(); block.n_rows()];
        let mut codes = Vec::new();
        for (described, column) in self.columns.iter().zip(block.columns()) {
            described.encode(model, column, block, &mut codes);
            for (row, flags) in flags.iter_mut().enumerate() {
                let is_unseen = codes.get(row) == Some(&CODE_UNSEEN);
                flags.extend(described.flag(column, row, is_unseen, self.time));
            }
        }
        flags
    }

    /// How many there are, without a word on each; what is missing counts whether it is unusual or not.
    pub fn count(&self, model: &Model, block: &Block) -> RowCounts {
        let none = || vec![0; block.n_rows()];
        let mut counts = RowCounts { missing: none(), out_of_range: none(), unseen: none() };
        let mut codes = Vec::new();
        for (described, column) in self.columns.iter().zip(block.columns()) {
            described.encode(model, column, block, &mut codes);
            for row in 0..block.n_rows() {
                if column.is_missing(row) {
                    counts.missing[row] += 1;
                } else if codes.get(row) == Some(&CODE_UNSEEN) {
                    counts.unseen[row] += 1;
                } else if described.is_outside(column, row).is_some() {
                    counts.out_of_range[row] += 1;
                }
            }
        }
        counts
    }
}

impl FlagColumn {
    /// The codes of the levels of a column; none where it has no levels.
    fn encode(&self, model: &Model, column: &Column, block: &Block, codes: &mut Vec<u32>) {
        codes.clear();
        if let Some(levels) = self.levels.and_then(|step| levels_of_step(model, step)) {
            levels.encode(column, Rows::all(block).set(), codes);
        }
    }

    /// The number of a row and the range that it lies outside of.
    fn is_outside(&self, column: &Column, row: usize) -> Option<(f64, (f64, f64))> {
        let (min, max) = self.range?;
        let x = column.number(row);
        (x < min || x > max).then_some((x, (min, max)))
    }

    fn flag(&self, column: &Column, row: usize, is_unseen: bool, time: fn(i64) -> String) -> Option<Warning> {
        if column.is_missing(row) {
            let message = "the value is missing; no training row lacks it";
            return self.never_missing.then(|| Warning::column(Code::MoreMissing, &self.name, message.to_owned()));
        }
        if is_unseen {
            let level = level_of(column, row);
            let message = format!("the model has not seen the level `{level}`");
            return Some(Warning::column(Code::UnseenLevels, &self.name, message));
        }
        let (x, (min, max)) = self.is_outside(column, row)?;
        let shown = |x: f64| match column {
            Column::Timestamp(_) => time(x as i64),
            _ => crate::levels::shortest(x),
        };
        let message =
            format!("{} lies outside of [{}, {}], the range of the training rows", shown(x), shown(min), shown(max));
        Some(Warning::column(Code::OutOfRange, &self.name, message))
    }
}

/// The step that encodes an input by the levels that it was fitted with, if there is one.
fn encoding_step(model: &Model, input: usize) -> Option<usize> {
    let encodes =
        |step: &crate::pipeline::Step| matches!(&step.operator, Operator::Encode { input: own, .. } if *own == input);
    model.pipeline().steps().iter().position(encodes)
}

fn levels_of_step(model: &Model, step: usize) -> Option<&FrozenLevels> {
    match &model.pipeline().steps().get(step)?.operator {
        Operator::Encode { levels, .. } => Some(levels),
        _ => None,
    }
}

/// The levels that an input was fitted with, if it has any.
fn frozen_levels(model: &Model, input: usize) -> Option<&FrozenLevels> {
    levels_of_step(model, encoding_step(model, input)?)
}

/// A level for messages.
fn level_of(column: &Column, row: usize) -> String {
    match column {
        Column::Category(category) => category.get(row).unwrap_or_default().chars().take(40).collect(),
        column => crate::levels::shortest(column.number(row)),
    }
}

/// One column that is held against its contract.
struct Own<'a> {
    name: &'a str,
    column: &'a Column,
    rows: Rows<'a>,
    time: fn(i64) -> String,
}

impl Own<'_> {
    fn unseen(&self, levels: Option<&FrozenLevels>, limit: f64, verdict: &mut Verdict) {
        let Some(levels) = levels else { return };
        let mut codes = Vec::with_capacity(self.rows.len());
        levels.encode(self.column, self.rows.set(), &mut codes);
        let unseen = codes.iter().filter(|c| **c == CODE_UNSEEN).count();
        let Some(first) = codes.iter().position(|c| *c == CODE_UNSEEN) else { return };
        let example = level_of(self.column, first);
        let text = format!("have a level that the model has not seen, such as `{example}` in row {}", first + 1);
        self.judge(Code::UnseenLevels, unseen, limit, &text, verdict);
    }

    fn out_of_range(&self, summary: Option<&ColumnSummary>, limit: f64, verdict: &mut Verdict) {
        let Some(numbers) = summary.and_then(|s| s.numbers.as_ref()) else { return };
        let outside = |row: &usize| {
            let x = self.column.number(*row);
            x < numbers.min || x > numbers.max
        };
        let count = self.rows.set().iter().filter(outside).count();
        let Some(first) = self.rows.set().iter().find(outside) else { return };
        let shown = |x: f64| match self.column {
            Column::Timestamp(_) => (self.time)(x as i64),
            _ => crate::levels::shortest(x),
        };
        let (low, high) = (shown(numbers.min), shown(numbers.max));
        let example = shown(self.column.number(first));
        let text = format!(
            "lie outside of [{low}, {high}], the range of the training rows, such as {example} in row {}",
            first + 1
        );
        self.judge(Code::OutOfRange, count, limit, &text, verdict);
    }

    fn more_missing(&self, summary: Option<&ColumnSummary>, limit: f64, verdict: &mut Verdict) {
        let Some(summary) = summary.filter(|s| s.count > 0 && !self.rows.is_empty()) else { return };
        let before = summary.missing as f64 / summary.count as f64;
        let missing = self.rows.set().iter().filter(|row| self.column.is_missing(*row)).count();
        let now = missing as f64 / self.rows.len() as f64;
        if now > before + limit {
            let message =
                format!("{:.1}% are missing, {:.1}% were when the model was trained", now * 100.0, before * 100.0);
            verdict.breaches.push(Warning::column(Code::MoreMissing, self.name, message));
        }
    }

    fn judge(&self, code: Code, count: usize, limit: f64, text: &str, verdict: &mut Verdict) {
        let share = count as f64 / self.rows.len() as f64;
        let message = format!("{count} of {} rows ({:.1}%) {text}", self.rows.len(), share * 100.0);
        let warning = Warning::column(code, self.name, message);
        if share > limit { verdict.breaches.push(warning) } else { verdict.notes.push(warning) }
    }
}
