//! Predictions as one JSON document.

use axum::http::StatusCode;
use tabwright_core::metric::Predictions;
use tabwright_core::{Block, Column, Warning};
use tabwright_data::{BadRow, json_number, json_string};

use super::document::Document;
use super::options::{GivenIds, Options};
use crate::model::{Served, quoted};
use crate::refusal::{Answer, Refusal};

/// Bytes of a JSON answer, at most.
const LARGEST: usize = 256 << 20;
/// Values for which reasons or flags are given at a time, at most.
const MOST_CELLS: usize = 1_000_000;

/// Rows that were predicted, with what an answer says of them.
pub(crate) struct Part<'a> {
    pub(crate) block: &'a Block,
    pub(crate) predictions: Predictions,
    /// What is wrong, in the order of the rows.
    pub(crate) problems: &'a [BadRow],
    /// Rows that cannot be used, ascending.
    pub(crate) bad: &'a [u32],
    /// For each column that is carried through its values, as JSON.
    pub(crate) kept: Vec<Vec<Option<String>>>,
    /// Ids that the rows bring along.
    pub(crate) ids: Option<Vec<Option<String>>>,
}

/// A document that grows row by row.
pub(crate) struct JsonAnswer<'s> {
    served: &'s Served,
    options: Options,
    id: &'s str,
    rows: usize,
    bad: usize,
    first_problem: Option<String>,
    predictions: String,
    probabilities: String,
    ids: String,
    errors: String,
    reasons: String,
    flags: String,
    kept: String,
}

/// Writes the answer to a document.
pub(crate) fn write(
    served: &Served,
    document: Document,
    predictions: Predictions,
    id: &str,
) -> Answer<(StatusCode, String)> {
    let Document { options, rows, bad, column_ids } = document;
    let mut answer = JsonAnswer::new(served, options, id);
    answer.expect(rows.block.n_rows());
    answer.push(Part {
        block: &rows.block,
        predictions,
        problems: &rows.bad,
        bad: &bad,
        kept: rows.kept,
        ids: column_ids,
    })?;
    served.shape.give_back(rows.block);
    Ok(answer.finish())
}

impl<'s> JsonAnswer<'s> {
    pub(crate) fn new(served: &'s Served, options: Options, id: &'s str) -> Self {
        JsonAnswer {
            served,
            options,
            id,
            rows: 0,
            bad: 0,
            first_problem: None,
            predictions: String::new(),
            probabilities: String::new(),
            ids: String::new(),
            errors: String::new(),
            reasons: String::new(),
            flags: String::new(),
            kept: String::new(),
        }
    }

    /// Makes room for so many rows.
    fn expect(&mut self, n_rows: usize) {
        /// Bytes of a prediction, about.
        const PREDICTION: usize = 12;
        /// Bytes of a probability, about.
        const PROBABILITY: usize = 20;
        /// Bytes around an id, with the number of its row.
        const NUMBER: usize = 24;
        self.predictions.reserve(n_rows * PREDICTION);
        self.probabilities.reserve(n_rows * (2 + self.served.labels.len() * PROBABILITY));
        self.ids.reserve(n_rows * (self.id.len() + NUMBER));
    }

    /// How many rows there are so far.
    pub(crate) fn n_rows(&self) -> usize {
        self.rows
    }

    /// Appends rows.
    ///
    /// # Errors
    /// If the rows cannot be explained, or the answer would be too large.
    pub(crate) fn push(&mut self, part: Part<'_>) -> Answer<()> {
        let n_rows = part.block.n_rows();
        let cells = n_rows * part.block.columns().len();
        if (self.options.explain.is_some() || self.options.flags) && cells > MOST_CELLS {
            let message = "these are too many values to give reasons or flags for; send fewer rows at a time";
            return Err(Refusal::too_large(message));
        }
        let threshold = self.options.threshold.unwrap_or(self.served.model().threshold());
        for row in 0..n_rows {
            let is_bad = part.bad.binary_search(&(row as u32)).is_ok();
            self.predict(&part.predictions, row, is_bad, threshold);
            separated(&mut self.ids);
            self.write_id(part.ids.as_ref().and_then(|ids| ids[row].as_deref()), self.rows + row);
        }
        for problem in part.problems {
            self.write_problem(problem);
        }
        self.explain(&part)?;
        if self.options.flags {
            let flags = self.served.flags(part.block);
            for (row, flags) in flags.iter().enumerate() {
                // What is wrong with a value is said already; that it is missing is not so.
                let is_wrong = |flag: &Warning| {
                    part.problems.iter().any(|problem| problem.row == row && problem.column == flag.column)
                };
                write_flags(&mut self.flags, flags.iter().filter(|flag| !is_wrong(flag)));
            }
        }
        if !self.options.keep.is_empty() {
            for row in 0..n_rows {
                write_kept(&mut self.kept, &self.options.keep, &part.kept, row);
                if self.kept.len() > LARGEST {
                    return Err(too_large());
                }
            }
        }
        let parts = [&self.predictions, &self.probabilities, &self.ids, &self.errors, &self.reasons, &self.flags];
        if parts.iter().map(|part| part.len()).sum::<usize>() + self.kept.len() > LARGEST {
            return Err(too_large());
        }
        self.rows += n_rows;
        self.bad += part.bad.len();
        Ok(())
    }

    fn predict(&mut self, predictions: &Predictions, row: usize, is_bad: bool, threshold: f64) {
        separated(&mut self.predictions);
        let is_classification = !self.served.labels.is_empty();
        if is_classification {
            separated(&mut self.probabilities);
        }
        if is_bad {
            self.predictions.push_str("null");
            if is_classification {
                self.probabilities.push_str("null");
            }
            return;
        }
        if !is_classification {
            json_number(&mut self.predictions, predictions.values[row]);
            return;
        }
        self.predictions.push_str(&self.served.labels[predictions.label(row, threshold)]);
        let out = &mut self.probabilities;
        out.push('[');
        match predictions.row(row) {
            [positive] => {
                json_number(out, 1.0 - positive);
                out.push(',');
                json_number(out, *positive);
            }
            several => {
                for (class, probability) in several.iter().enumerate() {
                    if class > 0 {
                        out.push(',');
                    }
                    json_number(out, *probability);
                }
            }
        }
        out.push(']');
    }

    fn write_id(&mut self, of_column: Option<&str>, row: usize) {
        use std::fmt::Write;
        match (&self.options.ids, of_column) {
            (Some(GivenIds::List(ids)), _) => json_string(&mut self.ids, &ids[row]),
            (_, Some(text)) if text.starts_with('"') => self.ids.push_str(text),
            (_, Some(text)) => json_string(&mut self.ids, text),
            _ => {
                json_string(&mut self.ids, self.id);
                self.ids.pop();
                let _ = write!(self.ids, "-{row}\"");
            }
        }
    }

    fn write_problem(&mut self, problem: &BadRow) {
        use std::fmt::Write;
        let row = self.rows + problem.row;
        let out = &mut self.errors;
        separated(out);
        let _ = write!(out, "{{\"row\":{row}");
        if let Some(column) = &problem.column {
            out.push_str(",\"column\":");
            json_string(out, column);
        }
        if !problem.found.is_empty() {
            out.push_str(",\"found\":");
            json_string(out, &problem.found);
        }
        out.push_str(",\"message\":");
        json_string(out, &problem.message);
        out.push('}');
        self.first_problem.get_or_insert_with(|| described(row, problem));
    }

    fn explain(&mut self, part: &Part<'_>) -> Answer<()> {
        let Some(most) = self.options.explain else { return Ok(()) };
        let (reasons, model) = (self.served.reasons()?, self.served.model());
        let all = reasons.of(model, part.block, &part.predictions, most);
        let all = all.map_err(|e| Refusal::bad("no_reasons", e.to_string()))?;
        let out = &mut self.reasons;
        for (row, reasons) in all.iter().enumerate() {
            separated(out);
            if part.bad.binary_search(&(row as u32)).is_ok() {
                out.push_str("null");
                continue;
            }
            out.push('[');
            for (index, reason) in reasons.iter().enumerate() {
                out.push_str(if index > 0 { ",{\"feature\":" } else { "{\"feature\":" });
                json_string(out, reason.feature);
                out.push_str(",\"contribution\":");
                json_number(out, reason.contribution);
                out.push('}');
            }
            out.push(']');
        }
        Ok(())
    }

    /// Ends the document; 422 if no row could be used.
    pub(crate) fn finish(self) -> (StatusCode, String) {
        let is_classification = !self.served.labels.is_empty();
        let mut out = String::with_capacity(256 + self.predictions.len() + self.probabilities.len() + self.ids.len());
        out.push_str(&self.served.opening);
        out.push_str(&self.predictions);
        out.push(']');
        let mut list = |name: &str, values: &str| {
            out.push_str(",\"");
            out.push_str(name);
            out.push_str("\":[");
            out.push_str(values);
            out.push(']');
        };
        if is_classification {
            list("probabilities", &self.probabilities);
        }
        list("ids", &self.ids);
        if self.bad > 0 {
            list("errors", &self.errors);
        }
        if self.options.explain.is_some() {
            list("reasons", &self.reasons);
        }
        if self.options.flags {
            list("flags", &self.flags);
        }
        if !self.options.keep.is_empty() {
            list("keep", &self.kept);
        }
        if is_classification {
            out.push(',');
            out.push_str(&self.served.classes);
        }
        let status = if self.bad == self.rows {
            out.push_str(",\"error\":{\"code\":\"unusable_rows\",\"message\":");
            let first = self.first_problem.unwrap_or_default();
            json_string(&mut out, &format!("no row could be used; the first problem: {first}"));
            out.push_str("},\"request_id\":");
            json_string(&mut out, self.id);
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            StatusCode::OK
        };
        out.push('}');
        (status, out)
    }
}

fn too_large() -> Box<Refusal> {
    let message = "the answer would be too large; send fewer rows at a time, or ask for CSV, JSON Lines or Arrow";
    Refusal::too_large(message)
}

/// A problem of a row in one sentence.
pub(crate) fn described(row: usize, problem: &BadRow) -> String {
    let found = if problem.found.is_empty() { String::new() } else { format!("`{}` is ", problem.found) };
    match &problem.column {
        Some(column) => format!("row {row}, column `{column}`: {found}{}", problem.message),
        None => format!("row {row}: {found}{}", problem.message),
    }
}

fn separated(out: &mut String) {
    if !out.is_empty() {
        out.push(',');
    }
}

fn write_flags<'w>(out: &mut String, flags: impl Iterator<Item = &'w Warning>) {
    separated(out);
    out.push('[');
    for (index, flag) in flags.enumerate() {
        out.push_str(if index > 0 { ",{\"code\":\"" } else { "{\"code\":\"" });
        out.push_str(flag.code.name());
        out.push_str("\",\"column\":");
        json_string(out, flag.column.as_deref().unwrap_or_default());
        out.push_str(",\"message\":");
        json_string(out, &flag.message);
        out.push('}');
    }
    out.push(']');
}

fn write_kept(out: &mut String, names: &[String], kept: &[Vec<Option<String>>], row: usize) {
    separated(out);
    out.push('{');
    for (index, (name, values)) in names.iter().zip(kept).enumerate() {
        if index > 0 {
            out.push(',');
        }
        json_string(out, name);
        out.push(':');
        out.push_str(values[row].as_deref().unwrap_or("null"));
    }
    out.push('}');
}

/// The values of a column of a file as JSON: exact text as strings, typed values as such.
pub(crate) fn as_json(column: &Column) -> Vec<Option<String>> {
    let value = |row: usize| {
        if column.is_missing(row) {
            return None;
        }
        Some(match column {
            Column::Category(category) => quoted(category.get(row).unwrap_or_default()),
            Column::Integer(values) => values[row].to_string(),
            Column::Timestamp(values) => quoted(&tabwright_data::format_timestamp(values[row])),
            Column::Float(values) => {
                let mut text = String::new();
                json_number(&mut text, values[row]);
                text
            }
        })
    };
    (0..column.len()).map(value).collect()
}
