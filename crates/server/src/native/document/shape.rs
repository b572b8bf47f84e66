//! What is wrong with the shape of a document: looked for only when its rows lack columns, since whoever puts them into another
//! form is not helped by a list of columns.

use tabwright_core::suggest;
use tabwright_data::{JsonKind, JsonProblem, JsonReader};

use super::ROWS;
use crate::model::Served;
use crate::refusal::Refusal;

/// Keys of MLflow's forms.
const MLFLOW: [&str; 2] = ["dataframe_split", "dataframe_records"];

/// A key of an object, with the kinds of its value and of the first value in that, if it is a list.
type Key = (String, Option<JsonKind>, Option<JsonKind>);

/// The refusal that says what is wrong, if anything is.
pub(super) fn wrong(served: &Served, text: &str) -> Option<Box<Refusal>> {
    let mut reader = JsonReader::new(text);
    let message = match reader.kind().ok()?? {
        JsonKind::Array => of_rows(&mut reader)?,
        JsonKind::Object => of_object(served, &reader)?,
        _ => return None,
    };
    Some(Refusal::bad("bad_json", message))
}

/// The columns of the first row.
pub(super) fn first_columns(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut reader = JsonReader::new(text);
    if let Some(mut row) = first_row(&mut reader) {
        let _: Result<(), JsonProblem> = row.object(&mut String::new(), |row, key| {
            names.push(key.to_owned());
            row.skip()
        });
    }
    names
}

/// The first row of a document of any form.
fn first_row<'a>(reader: &mut JsonReader<'a>) -> Option<JsonReader<'a>> {
    match reader.kind().ok()?? {
        JsonKind::Array => first_of(reader),
        JsonKind::Object => {
            let rows = rows(reader).filter(|rows| rows.clone().kind() == Ok(Some(JsonKind::Array)));
            rows.map_or_else(|| Some(reader.clone()), |mut rows| first_of(&mut rows))
        }
        _ => None,
    }
}

/// The first value of a list.
fn first_of<'a>(reader: &mut JsonReader<'a>) -> Option<JsonReader<'a>> {
    let mut first = None;
    let _: Result<(), JsonProblem> = reader.array(|reader| {
        first.get_or_insert_with(|| reader.clone());
        reader.skip()
    });
    first
}

fn of_rows(reader: &mut JsonReader<'_>) -> Option<String> {
    let kind = first_of(reader)?.kind().ok()??;
    match kind {
        JsonKind::Object => None,
        JsonKind::Array => Some("row 0 is a list; name the columns: {\"column\": value, …}".into()),
        other => Some(format!("row 0 is {}; a row is an object: {{\"column\": value, …}}", name(other))),
    }
}

fn of_object(served: &Served, reader: &JsonReader<'_>) -> Option<String> {
    let keys = keys(reader);
    // An object with columns of the model is a row, which lacks others.
    if keys.iter().any(|(key, ..)| served.shape.position(key).is_some()) {
        return None;
    }
    if let Some((key, ..)) = keys.iter().find(|(key, ..)| MLFLOW.contains(&key.as_str())) {
        return Some(format!("`{key}` is MLflow's form: POST /invocations takes it; here rows stand in `rows`"));
    }
    if keys.iter().any(|(key, ..)| key == "inputs") {
        return Some(
            "`inputs` is a form of other protocols: POST /invocations takes MLflow's, POST /v2/models/NAME/infer tensors; here \
             rows stand in `rows`"
                .into(),
        );
    }
    if let Some((key, kind, _)) = keys.iter().find(|(key, ..)| ROWS.contains(&key.as_str())) {
        return match kind {
            Some(JsonKind::Array) => of_rows(&mut rows(reader)?),
            kind => {
                let found = kind.map_or("missing", name);
                Some(format!(
                    "`{key}` must be a list of objects, it is {found}: {{\"{key}\": [{{\"column\": value, …}}]}}"
                ))
            }
        };
    }
    let holds_rows = |first: &Option<JsonKind>| matches!(first, Some(JsonKind::Object | JsonKind::Array));
    let (key, ..) = keys.iter().find(|(key, kind, first)| {
        *kind == Some(JsonKind::Array) && (holds_rows(first) || key.eq_ignore_ascii_case("rows"))
    })?;
    let shown: String = key.chars().take(80).collect();
    Some(match suggest::did_you_mean(key, ROWS).is_empty() {
        false => format!("there is no `rows` (did you mean it by `{shown}`?)"),
        true => format!("there is no `rows`; the list of rows must have this name, not `{shown}`"),
    })
}

fn keys(reader: &JsonReader<'_>) -> Vec<Key> {
    let mut keys = Vec::new();
    let _: Result<(), JsonProblem> = reader.clone().object(&mut String::new(), |reader, key| {
        let kind = reader.kind()?;
        let first = match kind {
            Some(JsonKind::Array) => first_of(&mut reader.clone()).and_then(|mut first| first.kind().ok().flatten()),
            _ => None,
        };
        keys.push((key.to_owned(), kind, first));
        reader.skip()
    });
    keys
}

/// The list of rows of an object.
fn rows<'a>(reader: &JsonReader<'a>) -> Option<JsonReader<'a>> {
    let mut found = None;
    let _: Result<(), JsonProblem> = reader.clone().object(&mut String::new(), |reader, key| {
        if ROWS.contains(&key) && found.is_none() {
            found = Some(reader.clone());
        }
        reader.skip()
    });
    found
}

fn name(kind: JsonKind) -> &'static str {
    match kind {
        JsonKind::Array => "a list",
        other => other.name(),
    }
}
