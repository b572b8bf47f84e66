//! What a model answers for some rows, in the form in which it is given away: the columns of answers, why an answer is what it
//! is, and what is unusual about its row. Files and requests share it.

mod reasons;

use std::collections::HashSet;
use std::sync::Arc;

use tabwright_core::block::{MISSING_CODE, MISSING_INTEGER};
use tabwright_core::metric::Predictions;
use tabwright_core::{Category, Column, Kind, Levels, Task};
use tabwright_data::{BadRow, ReadOptions, WriteColumn};
use tabwright_model::artifact::Artifact;
use tabwright_model::model::Model;

use crate::error::{Error, Result};

pub use reasons::{Reason, Reasons};

/// The columns that a model reads, with their kinds.
pub fn expected_columns(model: &Model) -> Vec<(String, Kind)> {
    model.pipeline().inputs().iter().map(|input| (input.name.clone(), input.kind)).collect()
}

/// Columns that were there when the model was trained and that it does not read: the target, and those left out.
pub fn known_columns(artifact: &Artifact) -> Vec<String> {
    let left_out = artifact.evidence.findings.iter().filter_map(|finding| finding.column.clone());
    left_out.chain([artifact.model().signature().target.clone()]).collect()
}

/// The model's own tokens and zone, beside what the caller says.
pub fn read_options(model: &Model, given: &ReadOptions) -> ReadOptions {
    let mut options = given.clone();
    options.na.extend(model.signature().na.iter().cloned());
    options.zone.clone_from(&model.signature().zone);
    options
}

/// Rows that cannot be used, each once, ascending.
pub fn bad_rows(bad: &[BadRow]) -> Vec<u32> {
    let mut rows: Vec<u32> = bad.iter().map(|b| b.row as u32).collect();
    rows.dedup();
    rows
}

/// The columns of answers: those that are carried through, the prediction, and the probability of each class.
#[derive(Debug)]
pub struct Layout {
    columns: Vec<WriteColumn>,
    labels: Labels,
}

/// How predicted labels are written: numbers as numbers.
#[derive(Debug)]
enum Labels {
    None,
    Whole(Vec<i64>),
    Text(Arc<Levels>),
}

impl Layout {
    /// For a model, and columns to carry through.
    ///
    /// # Errors
    /// [`Error::Config`] if two columns would have one name.
    pub fn new(model: &Model, keep: &[(String, Kind)]) -> Result<Self> {
        let mut columns: Vec<WriteColumn> =
            keep.iter().map(|(name, kind)| WriteColumn { name: name.clone(), kind: *kind }).collect();
        let task = model.task();
        let whole: Option<Vec<i64>> = task.labels().iter().map(|l| whole(l)).collect();
        let (labels, kind) = match (task, whole) {
            (Task::Regression, _) => (Labels::None, Kind::Float),
            (_, Some(whole)) => (Labels::Whole(whole), Kind::Integer),
            (_, None) => (Labels::Text(Arc::new(task.labels().iter().collect())), Kind::Categorical),
        };
        columns.push(WriteColumn { name: "prediction".into(), kind });
        for label in task.labels() {
            columns.push(WriteColumn { name: format!("probability_{label}"), kind: Kind::Float });
        }
        let kept = &columns[..keep.len()];
        let mut names = HashSet::new();
        if let Some(twin) = kept.iter().find(|column| !names.insert(column.name.as_str())) {
            return Err(Error::Config(format!("the column `{}` is to be kept twice; name it once", twin.name)));
        }
        let own: HashSet<&str> = columns[keep.len()..].iter().map(|column| column.name.as_str()).collect();
        match kept.iter().find(|column| own.contains(column.name.as_str())) {
            Some(twin) => Err(Error::Config(format!(
                "the column `{}` cannot be kept: the predictions have a column of this name; rename it first",
                twin.name
            ))),
            None => Ok(Layout { columns, labels }),
        }
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[WriteColumn] {
        &self.columns
    }

    /// Kept columns, prediction and probabilities of some rows; those of bad rows are missing. `threshold` decides between two
    /// classes.
    pub fn fill(&self, keep: Vec<Column>, predictions: Predictions, threshold: f64, bad: &[u32]) -> Vec<Column> {
        let mut predictions = predictions;
        let k = predictions.n_outputs;
        for &row in bad {
            predictions.values[row as usize * k..][..k].fill(f64::NAN);
        }
        let n = predictions.n_rows();
        let mut columns = keep;
        let label = |row: usize| predictions.label(row, threshold);
        let is_missing = |row: usize| predictions.values[row * k].is_nan();
        match &self.labels {
            Labels::None => {
                columns.push(Column::Float(predictions.values));
                return columns;
            }
            Labels::Whole(labels) => columns.push(Column::Integer(
                (0..n).map(|row| if is_missing(row) { MISSING_INTEGER } else { labels[label(row)] }).collect(),
            )),
            Labels::Text(levels) => {
                let code = |row: usize| if is_missing(row) { MISSING_CODE } else { label(row) as u32 };
                let codes = (0..n).map(code).collect();
                columns.push(Column::Category(Category { codes, levels: Arc::clone(levels) }));
            }
        }
        if k == 1 {
            columns.push(Column::Float(predictions.values.iter().map(|p| 1.0 - p).collect()));
            columns.push(Column::Float(predictions.values));
        } else {
            for class in 0..k {
                columns.push(Column::Float(predictions.values.iter().skip(class).step_by(k).copied().collect()));
            }
        }
        columns
    }
}

/// The whole number that a label is spelled as; `007` is none.
pub fn whole(label: &str) -> Option<i64> {
    label.parse().ok().filter(|value: &i64| value.to_string() == label)
}
