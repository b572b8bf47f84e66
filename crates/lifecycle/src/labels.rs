//! What the levels of a target column mean to a model: its labels, missing, or labels that it does not know.

use tabwright_core::{Category, Column, Levels, Task, suggest};
use tabwright_model::levels::{Spelling, shortest};

/// What a level of the target means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// The label of this code.
    Known(usize),
    /// No target.
    Missing,
    /// A label that the model was not trained on.
    Unknown,
}

/// The labels of a task, and how they are spelled.
#[derive(Debug)]
pub(crate) struct Labels<'a> {
    task: &'a Task,
    /// How the labels are spelled.
    pub(crate) spelling: Spelling,
}

impl<'a> Labels<'a> {
    /// The labels of a task.
    pub(crate) fn of(task: &'a Task) -> Self {
        let labels: Levels = task.labels().iter().collect();
        Labels { task, spelling: Spelling::of(&labels) }
    }

    /// What each level of a column means.
    pub(crate) fn codes(&self, category: &Category) -> Vec<Label> {
        category.levels.iter().map(|level| self.code(level)).collect()
    }

    /// What a text means.
    pub(crate) fn code(&self, level: &str) -> Label {
        let canonical = self.spelling.canonical(level);
        match self.task.labels().iter().position(|l| *l == canonical) {
            Some(code) => Label::Known(code),
            // As in training: tokens such as `NA` are a level of a text column only.
            None if self.spelling != Spelling::Text && tabwright_data::is_missing_token(level) => Label::Missing,
            None => Label::Unknown,
        }
    }

    /// The target of each row of a column as the model codes it; none where it is missing. The error names the first row with a
    /// label that the model does not know.
    pub(crate) fn targets(&self, column: &Column) -> Result<Vec<Option<f64>>, String> {
        let by_level = match column {
            Column::Category(category) => self.codes(category),
            _ => Vec::new(),
        };
        let one = |row: usize| {
            if column.is_missing(row) {
                return Ok(None);
            }
            let (label, text) = match column {
                _ if !self.task.is_classification() => return Ok(Some(column.number(row))),
                Column::Category(category) => {
                    (by_level[category.codes[row] as usize], category.get(row).unwrap_or_default().to_owned())
                }
                column => {
                    let text = shortest(column.number(row));
                    (self.code(&text), text)
                }
            };
            match label {
                Label::Known(code) => Ok(Some(code as f64)),
                Label::Missing => Ok(None),
                Label::Unknown => Err(format!("row {}: {}", row + 1, self.unknown(&text))),
            }
        };
        (0..column.len()).map(one).collect()
    }

    /// What is said of a label that the model does not know.
    pub(crate) fn unknown(&self, found: &str) -> String {
        let known = suggest::shorten(self.task.labels().iter().map(String::as_str));
        format!("the model does not know the label `{found}`; it knows {known}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_met_in_every_spelling_and_column() {
        let task = Task::Binary { labels: ["0".into(), "1".into()] };
        let labels = Labels::of(&task);
        let numbers = Column::Float(vec![1.0, 0.0, f64::NAN]);
        assert_eq!(labels.targets(&numbers).unwrap(), [Some(1.0), Some(0.0), None]);
        let texts = Column::Category(Category::from_strings([Some("1.0"), None, Some("NA")]));
        assert_eq!(labels.targets(&texts).unwrap(), [Some(1.0), None, None]);
        let error = labels.targets(&Column::Integer(vec![0, 2])).unwrap_err();
        assert!(error.contains("row 2") && error.contains("`2`"), "{error}");
        let number = Labels::of(&Task::Regression).targets(&Column::Float(vec![2.5])).unwrap();
        assert_eq!(number, [Some(2.5)]);
    }
}
