//! Labels on their way in: what they may be for a model, and how files of them are read.

use tabwright_core::block::MISSING_INTEGER;
use tabwright_core::{Column, Context, Kind, Levels, Task, suggest};
use tabwright_data::{BATCH_BYTES, Input, ReadOptions, StreamRequest, open_stream, survey};
use tabwright_model::levels::{Spelling, shortest};
use tabwright_store::predictions::{Label, LabelValue, LogOptions, Outputs, Predictions, check_id};
use tabwright_store::time::{self, Micros};

use super::rows::text;
use crate::error::{Error, Result};
use crate::predict::{FILE_BATCH, described};

/// How far ahead of the clock here that of a caller may be.
const AHEAD: Micros = 5 * 60 * 1_000_000;
/// Labels that are handed to the log at a time.
pub const BATCH: usize = 50_000;

/// Names that the columns of a file of labels may have.
const IDS: [&str; 2] = ["prediction_id", "id"];
const LABELS: [&str; 2] = ["label", "actual"];
const TIMES: [&str; 2] = ["label_time", "time"];

/// What a label of a model can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelRules {
    /// A finite number.
    Number,
    /// One of these classes.
    Classes {
        /// All that any of its versions knows.
        classes: Vec<String>,
        /// How they are spelled.
        spelling: Spelling,
    },
}

impl LabelRules {
    /// For a task.
    pub fn of_task(task: &Task) -> Self {
        LabelRules::of_outputs([&super::logger::outputs(task)]).unwrap_or(LabelRules::Number)
    }

    /// For versions that answer these; none where there are none.
    pub fn of_outputs<'a>(outputs: impl IntoIterator<Item = &'a Outputs>) -> Option<Self> {
        let mut all: Option<Vec<String>> = None;
        for outputs in outputs {
            let classes = all.get_or_insert_with(Vec::new);
            for class in outputs.classes() {
                if !classes.contains(class) {
                    classes.push(class.clone());
                }
            }
        }
        let classes = all?;
        if classes.is_empty() {
            return Some(LabelRules::Number);
        }
        let levels: Levels = classes.iter().collect();
        Some(LabelRules::Classes { spelling: Spelling::of(&levels), classes })
    }

    /// A label that came as text.
    ///
    /// # Errors
    /// What is wrong with it, as an end of a sentence.
    pub fn text(&self, text: &str) -> Result<LabelValue, String> {
        match self {
            LabelRules::Number => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(LabelValue::Number(number)),
                _ => Err(format!("the label `{}` is no number, and the model answers numbers", shown(text))),
            },
            LabelRules::Classes { classes, spelling } => {
                let canonical = spelling.canonical(text);
                match classes.iter().find(|class| **class == canonical) {
                    Some(class) => Ok(LabelValue::Text(class.as_str().into())),
                    None => {
                        let near = suggest::did_you_mean(text, classes.iter().map(String::as_str));
                        let known = suggest::shorten(classes.iter().map(String::as_str));
                        Err(format!("the model does not know the class `{}`{near}; it knows {known}", shown(text)))
                    }
                }
            }
        }
    }

    /// A label that came as a number.
    ///
    /// # Errors
    /// As [`LabelRules::text`].
    pub fn number(&self, number: f64) -> Result<LabelValue, String> {
        match self {
            LabelRules::Number if number.is_finite() => Ok(LabelValue::Number(number)),
            LabelRules::Number => Err(format!("{number} is no number that can be true")),
            LabelRules::Classes { .. } => self.text(&shortest(number)),
        }
    }
}

/// When a label was true: not after now, but for clocks that are a little ahead.
///
/// # Errors
/// What is wrong with it, as an end of a sentence.
pub fn check_time(at: Micros, now: Micros) -> Result<Micros, String> {
    if at < 0 {
        return Err(format!("the time {} lies before 1970", time::to_text(at)));
    }
    if at > now.saturating_add(AHEAD) {
        return Err(format!("the time {} lies in the future; a label says what has happened", time::to_seconds(at)));
    }
    Ok(at)
}

fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

/// A label that may be taken in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLabel {
    /// The prediction that it belongs to.
    pub id: String,
    /// What turned out to be true.
    pub value: LabelValue,
    /// When it was, if that is known.
    pub time: Option<Micros>,
}

impl NewLabel {
    /// As the log takes it.
    pub fn as_label(&self) -> Label<'_> {
        Label { id: &self.id, value: self.value.clone(), time: self.time }
    }
}

/// The columns of a file of labels; those that are not named are looked for by their usual names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelColumns {
    /// Ids of predictions: `prediction_id` or `id`.
    pub id: Option<String>,
    /// What turned out to be true: `label` or `actual`, or the target of the model.
    pub label: Option<String>,
    /// When it was, if a file says it: `label_time` or `time`.
    pub time: Option<String>,
    /// The target of the model, if it is known.
    pub target: Option<String>,
}

/// Reads labels of files. Memory holds each of them: all are checked before one is taken in.
///
/// # Errors
/// From reading; for the first row whose label, id or time cannot be one, with its place.
pub fn read_labels(
    inputs: &[Input],
    columns: &LabelColumns,
    rules: &LabelRules,
    read: &ReadOptions,
    now: Micros,
    context: Context<'_>,
) -> Result<Vec<NewLabel>> {
    let schema = survey(inputs, read, context)?.schema;
    let names: Vec<&str> = schema.names().collect();
    let find = |given: &Option<String>, usual: &[&str], what: &str| match given {
        Some(name) if names.contains(&name.as_str()) => Ok(Some(name.clone())),
        Some(name) => {
            let near = suggest::did_you_mean(name, names.iter().copied());
            Err(Error::Data(format!("there is no column `{name}` with {what}{near}")))
        }
        None => Ok(usual.iter().find(|name| names.contains(*name)).map(|name| (*name).to_owned())),
    };
    let missing = |what: &str, usual: &[&str], flag: &str| {
        let usual = usual.join("` or `");
        let found = suggest::shorten(names.iter().copied());
        Error::Data(format!("no column has {what} (`{usual}`); there are {found}: name it with {flag}"))
    };
    let id = find(&columns.id, &IDS, "ids")?.ok_or_else(|| missing("the ids of predictions", &IDS, "--id"))?;
    let usual: Vec<&str> = LABELS.into_iter().chain(columns.target.as_deref()).collect();
    let label = find(&columns.label, &usual, "labels")?.ok_or_else(|| missing("the labels", &usual, "--label"))?;
    let time = find(&columns.time, &TIMES, "times")?;
    let kind = if *rules == LabelRules::Number { Kind::Float } else { Kind::Categorical };
    let mut expected = vec![(id.clone(), Kind::Text), (label.clone(), kind)];
    expected.extend(time.iter().map(|name| (name.clone(), Kind::Timestamp)));
    let passed_over = names.iter().map(|name| (*name).to_owned()).collect();
    let request =
        StreamRequest { passed_over, expected, keep: Vec::new(), batch_size: FILE_BATCH, batch_bytes: BATCH_BYTES };
    let mut stream = open_stream(inputs, &request, read)?;
    let mut all = Vec::new();
    while let Some(block) = stream.next() {
        let block = block?;
        if context.cancel.is_cancelled() {
            return Err(Error::Cancelled("no label was taken in".into()));
        }
        if let Some(bad) = block.bad.first() {
            return Err(Error::Data(format!("{}; no label was taken in", described(&stream, &block, bad))));
        }
        let told = |(row, why): (usize, String)| {
            Error::Data(format!("{}: {why}; no label was taken in", stream.place(block.places[row])))
        };
        let ids = super::rows::ids(block.block.column(0), &id).map_err(told)?;
        let when = time.as_ref().map(|_| block.block.column(2));
        for (row, id) in ids.into_iter().enumerate() {
            let value = value(block.block.column(1), row, rules).map_err(|why| told((row, why)))?;
            // A time need not be known for each.
            let time = match when {
                Some(Column::Timestamp(times)) if times[row] != MISSING_INTEGER => {
                    Some(check_time(times[row], now).map_err(|why| told((row, why)))?)
                }
                _ => None,
            };
            all.push(NewLabel { id, value, time });
        }
    }
    Ok(all)
}

fn value(column: &Column, row: usize, rules: &LabelRules) -> Result<LabelValue, String> {
    match (column, rules) {
        (column, _) if column.is_missing(row) => Err("the row has no label".into()),
        (Column::Category(_), _) | (_, LabelRules::Classes { .. }) => {
            rules.text(&text(column, row).unwrap_or_default())
        }
        (column, LabelRules::Number) => rules.number(column.number(row)),
    }
}

/// Checks the id of a label.
///
/// # Errors
/// What is wrong with it, as an end of a sentence.
pub fn check_label_id(id: &str) -> Result<(), String> {
    check_id(id).map_err(|e| e.to_string())
}

/// Takes labels in: on disk when it returns.
///
/// # Errors
/// If they cannot be written.
pub fn take_labels(log: &Predictions, labels: &[NewLabel], now: Micros) -> Result<()> {
    let writer = log.label_writer(LogOptions::default())?;
    for some in labels.chunks(BATCH) {
        let some: Vec<Label<'_>> = some.iter().map(NewLabel::as_label).collect();
        writer.append(&some, now)?.wait()?;
    }
    Ok(writer.close()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use tabwright_store::Home;

    const NOW: Micros = 1_780_000_000_000_000;

    fn classes() -> LabelRules {
        LabelRules::of_task(&Task::Binary { labels: ["0".into(), "1".into()] })
    }

    fn read(text: &str, rules: &LabelRules, columns: &LabelColumns) -> Result<Vec<NewLabel>> {
        let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let inputs = crate::train::inputs(&[file.path().to_string_lossy().into_owned()]).unwrap();
        read_labels(&inputs, columns, rules, &ReadOptions::default(), NOW, Context::silent())
    }

    #[test]
    fn labels_are_met_in_every_spelling() {
        let text = "id,label,time\na,1,2026-01-01T10:00:00Z\nb,0.0,\nc,1.0,2026-01-02T10:00:00Z\n";
        let labels = read(text, &classes(), &LabelColumns::default()).unwrap();
        let values: Vec<_> = labels.iter().map(|l| (l.id.as_str(), l.value.clone(), l.time.is_some())).collect();
        let class = |text: &str| LabelValue::Text(text.into());
        assert_eq!(values, [("a", class("1"), true), ("b", class("0"), false), ("c", class("1"), true)]);
        let named = LabelColumns { id: Some("order".into()), target: Some("price".into()), ..LabelColumns::default() };
        let labels = read("order,price\n7,2.5\n8,3\n", &LabelRules::Number, &named).unwrap();
        assert_eq!((labels[0].id.as_str(), labels[1].value.clone()), ("7", LabelValue::Number(3.0)));
    }

    #[test]
    fn what_can_be_no_label_is_named_with_its_row() {
        let usual = LabelColumns::default();
        for (text, rules, says) in [
            ("id,label\na,1\nb,2\n", classes(), "line 3"),
            ("id,label\na,maybe\n", classes(), "it knows 0"),
            ("id,label\na,x\n", LabelRules::Number, "line 2"),
            ("id,label\na,\n", classes(), "no label"),
            ("id,label\n,1\n", classes(), "no id"),
            ("id,label,time\na,1,2126-01-01T00:00:00Z\n", classes(), "in the future"),
            ("key,label\na,1\n", classes(), "--id"),
            ("id,outcome\na,1\n", classes(), "--label"),
        ] {
            let error = read(text, &rules, &usual).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        let misspelt = LabelColumns { label: Some("lable".into()), ..usual };
        assert!(read("id,label\na,1\n", &classes(), &misspelt).unwrap_err().to_string().contains("did you mean"));
    }

    #[test]
    fn labels_that_are_taken_in_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let log = Predictions::of(&Home::at(folder.path()), "m").unwrap();
        let labels = read("id,label\na,1\nb,0\n", &classes(), &LabelColumns::default()).unwrap();
        take_labels(&log, &labels, NOW).unwrap();
        let kept = log.labels(i64::MAX).unwrap();
        assert_eq!((kept.len(), kept.get("b").map(|r| r.value.clone())), (2, Some(LabelValue::Text("0".into()))));
    }
}
