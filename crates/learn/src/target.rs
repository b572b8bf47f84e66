//! From the target column to a task and targets: which rows have one, which labels there are, which is positive.

use tabwright_core::block::MISSING_CODE;
use tabwright_core::{Column, Field, Kind, Levels, Targets, Task, suggest};
use tabwright_model::levels::shortest;

use crate::error::{Error, Result};

/// A whole-number target of up to this many values is a set of classes.
const MOST_NUMERIC_CLASSES: usize = 10;
/// More labels than this are no classes but names.
const MOST_CLASSES: usize = 1_000;

/// The task that the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskName {
    /// Two labels.
    Binary,
    /// Several labels.
    Multiclass,
    /// A number.
    Regression,
}

impl std::str::FromStr for TaskName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "binary" => Ok(TaskName::Binary),
            "multiclass" => Ok(TaskName::Multiclass),
            "regression" => Ok(TaskName::Regression),
            "ranking" | "multilabel" | "forecasting" => Err(Error::Config(format!(
                "the task `{text}` is not supported; supported are binary, multiclass and regression"
            ))),
            _ => Err(Error::Core(tabwright_core::Error::UnknownName {
                what: "task",
                found: text.to_owned(),
                hint: suggest::did_you_mean(text, ["binary", "multiclass", "regression"]),
                allowed: "binary, multiclass, regression".to_owned(),
            })),
        }
    }
}

/// Positions of the rows that have a target.
pub fn rows_with_target(column: &Column) -> Vec<u32> {
    (0..column.len() as u32).filter(|&r| !column.is_missing(r as usize)).collect()
}

/// Finds the task and the targets of a column without missing values.
///
/// # Errors
/// [`Error::Target`] if the column cannot be learned as it is, or as it is asked for.
pub fn resolve(
    field: &Field,
    column: &Column,
    asked: Option<TaskName>,
    positive: Option<&str>,
) -> Result<(Task, Vec<f64>)> {
    let problem = |problem: String| Error::Target { column: field.name.clone(), problem };
    if column.is_empty() {
        return Err(problem("has no value in any row; choose another target".into()));
    }
    if field.kind == Kind::Timestamp {
        return Err(problem("is a timestamp; predict a number or a class instead".into()));
    }
    let distinct = Distinct::of(column);
    if distinct.labels.len() == 1 {
        let only = &distinct.labels[0];
        return Err(problem(format!("is `{only}` in every row; there is nothing to learn")));
    }
    let name = asked.unwrap_or_else(|| infer(field.kind, distinct.labels.len()));
    if name == TaskName::Regression {
        if let Some(label) = positive {
            return Err(problem(format!(
                "is learned as a number, so there is no positive class `{label}`; drop --positive or add --task binary"
            )));
        }
        return regression(field, column);
    }
    let k = distinct.labels.len();
    match name {
        TaskName::Binary if k != 2 => {
            let some = suggest::shorten(distinct.labels.iter().map(String::as_str));
            Err(problem(format!("has {k} labels, a binary task needs two: {some}")))
        }
        TaskName::Multiclass if k < 3 => {
            Err(problem(format!("has {k} labels, a multiclass task needs three or more; leave --task out")))
        }
        _ if k > MOST_CLASSES => Err(problem(format!(
            "has {k} distinct values, too many for classes (at most {MOST_CLASSES}); {}",
            if field.kind.is_numeric() { "use --task regression" } else { "is it an identifier or free text?" }
        ))),
        TaskName::Binary => {
            let (labels, codes) = distinct.order_binary(positive).map_err(problem)?;
            Ok((Task::Binary { labels }, codes))
        }
        _ => {
            if positive.is_some() {
                return Err(problem(format!("has {k} labels; --positive is for a target of two")));
            }
            let (labels, codes) = distinct.order();
            Ok((Task::Multiclass { labels }, codes))
        }
    }
}

/// A target of two values is binary; a text target, and a whole-number one of up to 10 values, multiclass.
fn infer(kind: Kind, distinct: usize) -> TaskName {
    match kind {
        _ if distinct == 2 => TaskName::Binary,
        Kind::Boolean | Kind::Categorical | Kind::Text => TaskName::Multiclass,
        Kind::Integer if distinct <= MOST_NUMERIC_CLASSES => TaskName::Multiclass,
        _ => TaskName::Regression,
    }
}

fn regression(field: &Field, column: &Column) -> Result<(Task, Vec<f64>)> {
    let problem = |problem: String| Error::Target { column: field.name.clone(), problem };
    if !field.kind.is_numeric() {
        let kind = field.kind;
        return Err(problem(format!(
            "is {kind}, a regression needs numbers; is a token among them? see --na and --type"
        )));
    }
    let values: Vec<f64> = (0..column.len()).map(|r| column.number(r)).collect();
    match values.iter().position(|v| !v.is_finite()) {
        Some(row) => Err(problem(format!("is infinite in row {}; mend or remove that row", row + 1))),
        None => Ok((Task::Regression, values)),
    }
}

/// The distinct values of a target, as strings, and the code of each row.
struct Distinct {
    labels: Vec<String>,
    numeric: bool,
    codes: Vec<u32>,
}

impl Distinct {
    fn of(column: &Column) -> Self {
        match column {
            Column::Category(c) => {
                let mut place = vec![MISSING_CODE; c.levels.len()];
                let (mut labels, mut codes) = (Vec::new(), Vec::with_capacity(c.codes.len()));
                for &code in &c.codes {
                    let place = &mut place[code as usize];
                    if *place == MISSING_CODE {
                        *place = labels.len() as u32;
                        labels.push(c.levels.get(code).to_owned());
                    }
                    codes.push(*place);
                }
                let levels: Levels = labels.iter().collect();
                let numeric =
                    tabwright_model::levels::Spelling::of(&levels) == tabwright_model::levels::Spelling::Number;
                Distinct { labels, numeric, codes }
            }
            Column::Integer(v) | Column::Timestamp(v) => Distinct::of_ordered(v, |x| x.to_string()),
            Column::Float(v) => {
                // The order of bits is not that of numbers, but equal numbers have equal bits once canonical.
                let bits: Vec<u64> = v.iter().map(|x| tabwright_core::numeric::canonical(*x).to_bits()).collect();
                Distinct::of_ordered(&bits, |b| shortest(f64::from_bits(b)))
            }
        }
    }

    fn of_ordered<T: Ord + Copy>(values: &[T], label: impl Fn(T) -> String) -> Self {
        let mut distinct = values.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let codes = values.iter().map(|v| distinct.partition_point(|d| d < v) as u32).collect();
        Distinct { labels: distinct.into_iter().map(label).collect(), numeric: true, codes }
    }

    /// Labels in byte order, numbers by value.
    fn order(self) -> (Vec<String>, Vec<f64>) {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        let number = |i: usize| self.labels[i].parse::<f64>().unwrap_or(f64::NAN);
        order.sort_by(|&a, &b| match self.numeric {
            true => number(a).total_cmp(&number(b)),
            false => self.labels[a].cmp(&self.labels[b]),
        });
        self.arrange(&order)
    }

    /// The positive label last: the one named, else the last in byte order.
    fn order_binary(self, positive: Option<&str>) -> Result<([String; 2], Vec<f64>), String> {
        let last = usize::from(self.labels[1] > self.labels[0]);
        let place = match positive {
            None => last,
            Some(label) => self.labels.iter().position(|l| l == label).ok_or_else(|| {
                let known = self.labels.iter().map(String::as_str);
                let hint = suggest::did_you_mean(label, known);
                format!("has no label `{label}`{hint}; its labels are `{}` and `{}`", self.labels[0], self.labels[1])
            })?,
        };
        let (labels, codes) = self.arrange(&[1 - place, place]);
        let [negative, positive] = <[String; 2]>::try_from(labels).expect("invariant: two labels");
        Ok(([negative, positive], codes))
    }

    fn arrange(self, order: &[usize]) -> (Vec<String>, Vec<f64>) {
        let mut place = vec![0.0; order.len()];
        for (position, &label) in order.iter().enumerate() {
            place[label] = position as f64;
        }
        let labels = order.iter().map(|&i| self.labels[i].clone()).collect();
        (labels, self.codes.iter().map(|&c| place[c as usize]).collect())
    }
}

/// Targets with the weights of a weight column.
///
/// # Errors
/// If a weight is missing, negative or infinite, or all are 0.
pub fn with_weights(values: Vec<f64>, weights: Option<(&Field, &Column)>) -> Result<Targets> {
    let Some((field, column)) = weights else { return Ok(Targets::new(values)) };
    let problem = |problem: String| Error::Data(format!("the weight column `{}` {problem}", field.name));
    if !field.kind.is_numeric() {
        return Err(problem(format!("is {}; weights are numbers", field.kind)));
    }
    let weights: Vec<f64> = (0..column.len()).map(|r| column.number(r)).collect();
    if let Some(row) = weights.iter().position(|w| !w.is_finite() || *w < 0.0) {
        let found = weights[row];
        return Err(problem(format!("is {found} in row {}; weights are finite and not negative", row + 1)));
    }
    if weights.iter().all(|w| *w == 0.0) {
        return Err(problem("is 0 in every row".into()));
    }
    Ok(Targets { values, weights: Some(weights) })
}

#[cfg(test)]
mod tests {
    use tabwright_core::Category;

    use super::*;

    fn text(values: &[&str]) -> Column {
        Column::Category(Category::from_strings(values.iter().map(|v| Some(*v))))
    }

    fn field(kind: Kind) -> Field {
        Field::feature("t", kind)
    }

    #[test]
    fn the_positive_label_is_the_last_in_byte_order_unless_named() {
        let column = text(&["yes", "no", "yes"]);
        let (task, codes) = resolve(&field(Kind::Categorical), &column, None, None).unwrap();
        assert_eq!(task, Task::Binary { labels: ["no".into(), "yes".into()] });
        assert_eq!(codes, [1.0, 0.0, 1.0]);
        let (task, codes) = resolve(&field(Kind::Categorical), &column, None, Some("no")).unwrap();
        assert_eq!(task.labels(), ["yes", "no"]);
        assert_eq!(codes, [0.0, 1.0, 0.0]);
        let error = resolve(&field(Kind::Categorical), &column, None, Some("yse")).unwrap_err();
        assert!(error.to_string().contains("did you mean `yes`?"), "{error}");
    }

    #[test]
    fn the_task_follows_from_the_target() {
        let ints = |n: i64| Column::Integer((0..60).map(|i| i % n).collect());
        let task = |kind, column: &Column| resolve(&field(kind), column, None, None).unwrap().0.name();
        assert_eq!(task(Kind::Integer, &ints(2)), "binary");
        assert_eq!(task(Kind::Integer, &ints(10)), "multiclass");
        assert_eq!(task(Kind::Integer, &ints(11)), "regression");
        assert_eq!(task(Kind::Float, &Column::Float(vec![0.0, 1.0, 0.0])), "binary");
        assert_eq!(task(Kind::Float, &Column::Float(vec![0.5, 1.5, 2.5])), "regression");
        assert_eq!(task(Kind::Categorical, &text(&["a", "b", "c"])), "multiclass");
        let (labels, _) = resolve(&field(Kind::Integer), &Column::Integer(vec![10, 9, 3]), None, None).unwrap();
        assert_eq!(labels.labels(), ["3", "9", "10"]);
    }

    #[test]
    fn what_cannot_be_learned_is_refused() {
        let error = |kind, column: &Column, asked| resolve(&field(kind), column, asked, None).unwrap_err().to_string();
        assert!(error(Kind::Integer, &Column::Integer(vec![1, 1]), None).contains("`1` in every row"));
        assert!(error(Kind::Categorical, &text(&["a", "b"]), Some(TaskName::Regression)).contains("needs numbers"));
        assert!(error(Kind::Integer, &Column::Integer(vec![1, 2, 3]), Some(TaskName::Binary)).contains("has 3 labels"));
        assert!(error(Kind::Float, &Column::Float(vec![1.0, f64::INFINITY, 2.0]), None).contains("infinite in row 2"));
    }
}
