//! The form of a test file: which expectations there are, and how one is written. A key that does not exist is an error with
//! its place; nothing is run before every file is in order.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use tabwright_core::filter::{self, Filter};
use tabwright_core::{Kind, Metric, suggest};
use toml::{Spanned, Value};

use crate::error::{Error, Result};

/// The tests of one file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TestFile {
    /// The name of the file.
    #[serde(skip)]
    pub name: String,
    /// What is expected of data.
    pub(super) data: Vec<Spanned<DataTest>>,
    /// What is expected of models.
    pub(super) model: Vec<Spanned<ModelTest>>,
}

/// What is expected of the rows of a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DataTest {
    #[serde(default)]
    pub(super) name: String,
    /// A file, glob or folder; absent: the data of the project.
    pub(super) file: Option<String>,
    /// How many rows there are.
    pub(super) rows: Option<Spanned<Between>>,
    /// What each column holds.
    #[serde(default)]
    pub(super) columns: BTreeMap<String, Spanned<ColumnRule>>,
    /// What holds of the rows.
    #[serde(default)]
    pub(super) conditions: Vec<Condition>,
}

/// Bounds of a number of rows.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Between {
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
}

/// What a column holds. It must be there in any case.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ColumnRule {
    /// Of which kind it is.
    pub(super) kind: Option<Kind>,
    /// The largest share of missing values.
    pub(super) max_missing: Option<f64>,
    /// Whether no value stands twice.
    pub(super) unique: bool,
    /// The least number.
    pub(super) min: Option<f64>,
    /// The greatest number.
    pub(super) max: Option<f64>,
    /// The values that may stand in it.
    pub(super) levels: Option<Vec<Value>>,
}

/// What holds of the rows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Condition {
    /// A filter over the columns.
    pub(super) holds: Spanned<String>,
    /// The least share of the rows that it holds for.
    #[serde(default = "whole")]
    pub(super) share: Spanned<f64>,
}

/// What is expected of a model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelTest {
    #[serde(default)]
    pub(super) name: String,
    /// A file, or a registered model.
    pub(super) model: String,
    /// A file, glob or folder, all of whose rows count; absent: the rows that the model was never fitted on.
    pub(super) data: Option<String>,
    /// The worst value of each metric.
    #[serde(default)]
    pub(super) metrics: BTreeMap<Spanned<String>, f64>,
    /// The same in named slices of the rows.
    #[serde(default)]
    pub(super) slices: BTreeMap<String, BTreeMap<Spanned<String>, f64>>,
    /// Whether the data must keep the model's contract.
    #[serde(default)]
    pub(super) contract: bool,
    /// Most milliseconds to predict one row.
    pub(super) max_latency_ms: Option<f64>,
    /// Columns whose change must not change the prediction.
    #[serde(default)]
    pub(super) invariant_to: Vec<Invariant>,
    /// Columns that may move the prediction one way only.
    #[serde(default)]
    pub(super) monotone_in: Vec<Monotone>,
    /// Rows with known answers.
    #[serde(default)]
    pub(super) examples: Vec<Spanned<Example>>,
}

/// A column whose change must not change the prediction.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Invariant {
    pub(super) column: String,
    /// The largest change that counts as none: of a probability, or of a predicted number.
    #[serde(default)]
    pub(super) tolerance: f64,
    /// The least share of the rows.
    #[serde(default = "whole")]
    pub(super) share: Spanned<f64>,
}

/// A column that may move the prediction one way only.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Monotone {
    pub(super) column: String,
    /// What is added to each value.
    pub(super) by: f64,
    /// Where the prediction may go.
    pub(super) direction: Direction,
    /// The class whose probability is meant; absent: the positive one.
    pub(super) class: Option<String>,
    /// The largest step in the other direction that counts as none.
    #[serde(default)]
    pub(super) tolerance: f64,
    /// The least share of the rows.
    #[serde(default = "whole")]
    pub(super) share: Spanned<f64>,
}

/// Where a prediction may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Direction {
    /// It must not fall.
    Increasing,
    /// It must not rise.
    Decreasing,
}

/// A row with a known answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    /// Values by column; those that are left out are missing.
    pub(super) row: BTreeMap<String, Value>,
    /// The label that is predicted.
    pub(super) prediction: Option<String>,
    /// The class whose probability is meant; absent: the positive one.
    pub(super) class: Option<String>,
    /// The least probability or number.
    pub(super) min: Option<f64>,
    /// The greatest probability or number.
    pub(super) max: Option<f64>,
}

fn whole() -> Spanned<f64> {
    Spanned::new(0..0, 1.0)
}

impl TestFile {
    /// Reads tests from the text of a file.
    ///
    /// # Errors
    /// [`Error::Config`] with line and column, for what is no TOML, a key that does not exist, a value that cannot be, and a
    /// test that expects nothing.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let place = Text { name, text };
        let mut file: TestFile = toml::from_str(text).map_err(|e| {
            let message = with_hint(e.message());
            place.error(e.span().unwrap_or(0..0), &message)
        })?;
        file.name = name.to_owned();
        if file.is_empty() {
            return Err(place.error(0..0, "it holds no test; one begins with [[data]] or [[model]]"));
        }
        for (number, test) in file.data.iter_mut().enumerate() {
            name_it(&mut test.get_mut().name, "data", number);
            check_data(test, &place)?;
        }
        for (number, test) in file.model.iter_mut().enumerate() {
            name_it(&mut test.get_mut().name, "model", number);
            check_model(test, &place)?;
        }
        Ok(file)
    }

    /// How many tests there are.
    pub fn len(&self) -> usize {
        self.data.len() + self.model.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn name_it(name: &mut String, what: &str, number: usize) {
    if name.trim().is_empty() {
        *name = format!("{what} {}", number + 1);
    }
}

/// A message of the deserialiser that lists what exists, with the nearest of it.
fn with_hint(message: &str) -> String {
    let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let message = message.replacen("unknown field", "there is no key", 1);
    match words.split_first() {
        Some((found, known)) if !known.is_empty() => {
            format!("{message}{}", suggest::did_you_mean(found, known.iter().copied()))
        }
        _ => message,
    }
}

/// The text of a file, for messages that show the place.
struct Text<'a> {
    name: &'a str,
    text: &'a str,
}

/// Characters of a long line that are shown before and after a place.
const SHOWN: usize = 60;

impl Text<'_> {
    fn error(&self, span: Range<usize>, message: &str) -> Error {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let (number, start) = (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |at| at + 1));
        let column = before[start..].chars().count();
        let line: Vec<char> = self.text[start..].lines().next().unwrap_or_default().chars().collect();
        let (from, to) = (column.saturating_sub(SHOWN), (column + SHOWN).min(line.len()));
        let shown: String = line.get(from..to).unwrap_or_default().iter().collect();
        let shown = shown.replace('\t', " ");
        let mark = " ".repeat(column - from);
        Error::Config(format!(
            "{}, line {number}, character {}: {message}\n  {shown}\n  {mark}^",
            self.name,
            column + 1
        ))
    }
}

fn check_share(share: &Spanned<f64>, place: &Text<'_>) -> Result<()> {
    match (0.0..=1.0).contains(share.get_ref()) {
        true => Ok(()),
        false => Err(place.error(share.span(), "a share lies between 0 and 1")),
    }
}

fn check_data(test: &Spanned<DataTest>, place: &Text<'_>) -> Result<()> {
    let (test, span) = (test.get_ref(), test.span());
    if test.rows.is_none() && test.columns.is_empty() && test.conditions.is_empty() {
        let message = format!("the test `{}` expects nothing; give it rows, columns or conditions", test.name);
        return Err(place.error(span, &message));
    }
    if let Some(rows) = &test.rows {
        let bounds = rows.get_ref();
        if bounds.min.is_none() && bounds.max.is_none() {
            return Err(place.error(rows.span(), "rows need min, max or both"));
        }
        if bounds.min > bounds.max && bounds.max.is_some() {
            return Err(place.error(rows.span(), "min is above max"));
        }
    }
    for rule in test.columns.values() {
        let bounds = rule.get_ref();
        if let (Some(min), Some(max)) = (bounds.min, bounds.max)
            && min > max
        {
            return Err(place.error(rule.span(), "min is above max"));
        }
        if bounds.max_missing.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err(place.error(rule.span(), "max_missing is a share: it lies between 0 and 1"));
        }
        let plain = |value: &Value| !matches!(value, Value::Array(_) | Value::Table(_) | Value::Datetime(_));
        if bounds.levels.as_ref().is_some_and(|levels| !levels.iter().all(plain)) {
            return Err(place.error(rule.span(), "levels are texts, numbers, true or false"));
        }
    }
    for condition in &test.conditions {
        check_share(&condition.share, place)?;
        parsed(&condition.holds, place)?;
    }
    Ok(())
}

/// A condition that can be read; its own error has the place within it.
fn parsed(condition: &Spanned<String>, place: &Text<'_>) -> Result<Filter> {
    filter::parse(condition.get_ref())
        .map_err(|e| place.error(condition.span(), &e.in_a("condition").to_string().replace('\n', "\n  ")))
}

fn check_model(test: &Spanned<ModelTest>, place: &Text<'_>) -> Result<()> {
    let (test, span) = (test.get_ref(), test.span());
    let expects = !test.metrics.is_empty()
        || test.slices.values().any(|metrics| !metrics.is_empty())
        || test.contract
        || test.max_latency_ms.is_some()
        || !test.invariant_to.is_empty()
        || !test.monotone_in.is_empty()
        || !test.examples.is_empty();
    if !expects {
        let message = format!(
            "the test `{}` expects nothing; give it metrics, slices, contract, max_latency_ms, invariant_to, monotone_in or examples",
            test.name
        );
        return Err(place.error(span, &message));
    }
    for name in test.metrics.keys().chain(test.slices.values().flat_map(BTreeMap::keys)) {
        name.get_ref().parse::<Metric>().map_err(|e| place.error(name.span(), &e.to_string()))?;
    }
    test.invariant_to.iter().try_for_each(|i| check_share(&i.share, place))?;
    test.monotone_in.iter().try_for_each(|m| check_share(&m.share, place))?;
    for example in &test.examples {
        let Example { prediction, class, min, max, .. } = example.get_ref();
        let bounds = min.is_some() || max.is_some();
        if prediction.is_none() && !bounds {
            return Err(place.error(example.span(), "an example needs prediction, min or max"));
        }
        if class.is_some() && !bounds {
            return Err(
                place.error(example.span(), "class says whose probability min and max are about; neither is here")
            );
        }
    }
    Ok(())
}
