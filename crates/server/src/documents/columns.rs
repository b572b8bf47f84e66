//! What a caller must know of the columns of a model: kinds, levels, ranges, and a row that could be.

use serde_json::{Value, json};
use tabwright_core::Kind;
use tabwright_core::summary::ColumnSummary;
use tabwright_data::json_string;

use crate::model::Served;

/// One column of a model.
#[derive(Debug)]
pub(super) struct Column<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    summary: Option<&'a ColumnSummary>,
}

/// The columns of a model, in their order.
pub(super) fn of(served: &Served) -> Vec<Column<'_>> {
    let summaries = &served.artifact.evidence.summaries;
    served
        .expected
        .iter()
        .map(|(name, kind)| Column { name, kind: *kind, summary: summaries.iter().find(|s| s.name == *name) })
        .collect()
}

impl Column<'_> {
    /// The most frequent levels, and how many there are.
    pub(super) fn levels(&self) -> Option<(Vec<&str>, u64)> {
        let categories = self.summary?.categories.as_ref()?;
        Some((categories.top.iter().map(|level| level.value.as_str()).collect(), categories.levels))
    }

    /// Least and greatest value of the training rows, written as rows have them.
    pub(super) fn range(&self) -> Option<(Value, Value)> {
        let numbers = self.summary?.numbers.as_ref()?;
        Some((self.value(numbers.min), self.value(numbers.max)))
    }

    fn value(&self, number: f64) -> Value {
        match self.kind {
            Kind::Timestamp => json!(tabwright_data::format_timestamp(number as i64)),
            // A whole number stays one.
            Kind::Integer if number.abs() < 2f64.powi(53) => json!(number as i64),
            _ => json!(number),
        }
    }

    /// A value that a row could have: the median, or the most frequent level.
    pub(super) fn example(&self) -> Value {
        match self.kind {
            Kind::Boolean => match self.levels().and_then(|(levels, _)| levels.first().map(|l| *l == "true")) {
                Some(value) => json!(value),
                None => json!(true),
            },
            Kind::Categorical | Kind::Text => {
                json!(
                    self.levels()
                        .and_then(|(levels, _)| levels.first().copied().map(str::to_owned))
                        .unwrap_or_default()
                )
            }
            Kind::Float | Kind::Integer | Kind::Timestamp => {
                let numbers = self.summary.and_then(|s| s.numbers.as_ref());
                let median = numbers.and_then(|n| n.quantiles.iter().find(|q| q.at == 0.5)).map(|q| q.value);
                median.map_or(Value::Null, |median| self.value(median))
            }
        }
    }

    /// What a value means, in a sentence.
    pub(super) fn described(&self) -> String {
        let mut text = match self.kind {
            Kind::Boolean => "true or false".to_owned(),
            Kind::Integer => "a whole number".to_owned(),
            Kind::Float => "a number".to_owned(),
            Kind::Timestamp => "a time, such as 2026-01-31T12:00:00Z".to_owned(),
            Kind::Categorical => self.choices(),
            Kind::Text => "text".to_owned(),
        };
        if let Some((low, high)) = self.range() {
            text.push_str(&format!("; {} to {} in the training rows", plain(&low), plain(&high)));
        }
        text
    }

    fn choices(&self) -> String {
        let Some((levels, count)) = self.levels() else { return "a level".to_owned() };
        let more = count.saturating_sub(levels.len() as u64);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("one of: {}{more}", levels.join(", "))
    }
}

/// A value without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A row that could be.
pub(super) fn example(served: &Served) -> Value {
    let row = of(served).iter().map(|column| (column.name.to_owned(), column.example())).collect();
    Value::Object(row)
}

/// The same as text, with the columns in the order of the model.
pub(super) fn example_text(served: &Served) -> String {
    let mut text = String::from("{");
    for (index, column) in of(served).iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        json_string(&mut text, column.name);
        text.push_str(": ");
        text.push_str(&column.example().to_string());
    }
    text.push('}');
    text
}
