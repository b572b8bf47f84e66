//! Rows in a JSON document: one object, an array of them, or an object with `rows` and options.

mod shape;

use tabwright_core::metric::Predictions;
use tabwright_core::{Block, Category, Column, suggest};
use tabwright_data::{JsonKind, JsonProblem, JsonReader, JsonValue, ReadRows, RowBuilder};
use tabwright_lifecycle::answer::bad_rows;

use super::options::{BESIDE_ROWS, GivenIds, Options};
use crate::id;
use crate::log::{Origin, Predicted, RowIds, Waiting};
use crate::model::Served;
use crate::options::Limits;
use crate::refusal::{Answer, Refusal};

/// Names under which a document may hold its rows.
const ROWS: [&str; 2] = ["rows", "instances"];

/// A request that was read.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) options: Options,
    pub(crate) rows: ReadRows,
    /// Rows that cannot be used, ascending.
    pub(crate) bad: Vec<u32>,
    /// Ids of rows that are values of a column, as JSON has them; nothing where a row has none.
    pub(crate) column_ids: Option<Vec<Option<String>>>,
}

impl Document {
    /// Reads a request for a model.
    pub(crate) fn read(served: &Served, bytes: &[u8], options: Options, limits: &Limits) -> Answer<Self> {
        let text = utf8(bytes)?;
        Document::of_text(served, text, options, limits).map_err(|refusal| match refusal.code {
            // Where columns are missing, they may stand in another form.
            "missing_column" => shape::wrong(served, text).unwrap_or(refusal),
            _ => refusal,
        })
    }

    fn of_text(served: &Served, text: &str, options: Options, limits: &Limits) -> Answer<Self> {
        let mut reader = JsonReader::new(text);
        let mut options = options;
        let found = match reader.kind()? {
            None => {
                return Err(Refusal::bad("empty_body", "the body is empty; send {\"rows\": [{\"column\": value, …}]}"));
            }
            Some(JsonKind::Array) => Found::Rows(reader.clone()),
            Some(JsonKind::Object) => match seen(&reader) {
                Seen::Rows => Found::Envelope,
                Seen::Row(option) => {
                    check_beside(served, option)?;
                    Found::Row(reader.clone())
                }
            },
            Some(other) => {
                let message = format!("the body is {}; send {{\"rows\": [{{\"column\": value, …}}]}}", other.name());
                return Err(Refusal::bad("bad_json", message));
            }
        };
        let mut source = Source { served, limits, keep: Source::keep(&options) };
        let builder = match found {
            Found::Rows(mut reader) => {
                let builder = source.rows(&mut reader)?;
                reader.end("something follows the document")?;
                builder
            }
            Found::Row(mut reader) => {
                let mut builder = source.begin();
                source.row(&mut builder, &mut reader)?;
                reader.end("something follows the document")?;
                builder
            }
            Found::Envelope => {
                let (mut builder, mut begun) = (None, None);
                reader.object(&mut String::new(), |reader, key| -> Answer<()> {
                    if !ROWS.contains(&key) {
                        return options.read(key, reader);
                    }
                    if builder.is_some() {
                        return Err(Refusal::bad("bad_json", format!("`{key}` stands there after rows")));
                    }
                    begun = Some(reader.clone());
                    builder = Some(source.rows(reader)?);
                    Ok(())
                })?;
                reader.end("something follows the document")?;
                let keep = Source::keep(&options);
                if keep != source.keep {
                    // Columns to keep were named after the rows.
                    source.keep = keep;
                    builder = begun.map(|mut reader| source.rows(&mut reader)).transpose()?;
                }
                builder.ok_or_else(|| Refusal::bad("bad_json", "the document has no rows"))?
            }
        };
        Document::of(served, (text, builder), options)
    }

    /// Logs what the rows were answered, where that is asked for.
    pub(crate) fn log(&self, served: &Served, predictions: &Predictions, origin: &Origin) -> Option<Waiting> {
        let log = served.log.as_ref()?;
        let ids: Option<Column> = self
            .column_ids
            .as_ref()
            .map(|ids| Column::Category(Category::from_strings(ids.iter().map(|id| id.as_deref().map(unquoted)))));
        let ids = match (&self.options.ids, &ids) {
            (Some(GivenIds::List(ids)), _) => RowIds::Each(ids),
            (_, Some(column)) => RowIds::Of(column, 0),
            _ => RowIds::Numbered(0),
        };
        let threshold = self.options.threshold.unwrap_or(served.model().threshold());
        let rows = Predicted { block: &self.rows.block, predictions, bad: &self.bad, threshold, ids };
        log.rows(served.model(), rows, origin)
    }

    fn of(served: &Served, (text, builder): (&str, RowBuilder<'_>), options: Options) -> Answer<Self> {
        options.check(served)?;
        check_columns(&builder)?;
        if let Some(name) = builder.not_kept() {
            let columns = shape::first_columns(text);
            let near = suggest::did_you_mean(name, columns.iter().map(String::as_str));
            let message = match options.keep.iter().any(|kept| kept == name) {
                true => format!("the column `{name}` is to be carried through, and no row has it{near}"),
                false => format!("the ids are to come from the column `{name}`, and no row has it{near}"),
            };
            return Err(Refusal::bad("bad_option", message).in_column(name));
        }
        let n_rows = builder.n_rows();
        if let Some(GivenIds::List(ids)) = &options.ids
            && ids.len() != n_rows
        {
            let message = format!("there are {} for {}", counted(ids.len(), "id"), counted(n_rows, "row"));
            return Err(Refusal::bad("bad_option", message));
        }
        let mut rows = builder.finish().map_err(|e| Refusal::internal(&e))?;
        let column_ids = match options.ids {
            Some(GivenIds::Column(_)) => rows.kept.pop(),
            _ => None,
        };
        if let Some(ids) = &column_ids {
            let texts = ids.iter().map(|id| id.as_deref().map(unquoted));
            check_ids(texts.enumerate().filter_map(|(row, id)| Some((row, id?))))?;
        }
        let bad = bad_rows(&rows.bad);
        Ok(Document { options, rows, bad, column_ids })
    }
}

/// Refuses ids of rows that can be none.
pub(super) fn check_ids(ids: impl Iterator<Item = (usize, String)>) -> Answer<()> {
    match ids.into_iter().find(|(_, id)| !id::is_valid(id)) {
        Some((row, _)) => {
            let message = format!(
                "the id of row {row} cannot be one: it is empty, longer than {} bytes, or has control characters",
                id::LONGEST
            );
            Err(Refusal::bad("bad_option", message))
        }
        None => Ok(()),
    }
}

/// A JSON value as plain text.
pub(super) fn unquoted(value: &str) -> String {
    let mut scratch = String::new();
    match JsonReader::new(value).value(&mut scratch) {
        Ok(JsonValue::String(text)) => text.to_owned(),
        _ => value.to_owned(),
    }
}

/// Refuses rows without columns that the model needs.
pub(crate) fn check_columns(builder: &RowBuilder<'_>) -> Answer<()> {
    if builder.n_rows() == 0 {
        return Err(Refusal::bad("no_rows", "there is no row; at least one is needed"));
    }
    let missing = builder.missing();
    let Some(first) = missing.first() else { return Ok(()) };
    let named = |name: &&str| format!("`{name}`{}", builder.hint(name));
    let names: Vec<String> = missing.iter().take(10).map(named).collect();
    let more = missing.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!(
        "no row has {}{more}; a value that is not known is null, but its column must be there",
        names.join(", ")
    );
    Err(Refusal::unusable("missing_column", message).in_column(first))
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

enum Found<'a> {
    Rows(JsonReader<'a>),
    Row(JsonReader<'a>),
    Envelope,
}

/// How rows are read.
struct Source<'s> {
    served: &'s Served,
    limits: &'s Limits,
    keep: Vec<String>,
}

impl<'s> Source<'s> {
    /// The columns to keep; that of the ids is the last.
    fn keep(options: &Options) -> Vec<String> {
        let ids = match &options.ids {
            Some(GivenIds::Column(name)) => Some(name.clone()),
            _ => None,
        };
        options.keep.iter().cloned().chain(ids).collect()
    }

    fn begin(&self) -> RowBuilder<'s> {
        RowBuilder::new(&self.served.shape, &self.keep, 1).most_columns(self.limits.columns)
    }

    fn rows(&self, reader: &mut JsonReader<'_>) -> Answer<RowBuilder<'s>> {
        let mut builder = self.begin();
        reader.array(|reader| -> Answer<()> {
            if builder.n_rows() == self.limits.rows {
                let most = counted(self.limits.rows, "row");
                let message = format!("a JSON document has at most {most}; send more as CSV, JSON Lines or Arrow");
                return Err(Refusal::too_large(message));
            }
            self.row(&mut builder, reader)
        })?;
        Ok(builder)
    }

    fn row(&self, builder: &mut RowBuilder<'_>, reader: &mut JsonReader<'_>) -> Answer<()> {
        if reader.kind()? != Some(JsonKind::Object) {
            let start = reader.at();
            reader.skip()?;
            builder.push_unusable(reader.since(start), "no object with the names of columns");
            return Ok(());
        }
        builder.push_object(reader).map_err(|problem| match builder.is_too_wide() {
            true => Refusal::too_large(problem.message),
            false => problem.into(),
        })
    }
}

/// Reads the rows of a document again for another version, without options.
pub(crate) fn reread(served: &Served, bytes: &[u8]) -> Option<Block> {
    let document = Document::read(served, bytes, Options::default(), &Limits::default()).ok()?;
    Some(document.rows.block)
}

/// The text of a body.
pub(crate) fn utf8(bytes: &[u8]) -> Answer<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("the body is not valid UTF-8 (byte {})", error.valid_up_to() + 1);
        Refusal::bad("bad_utf8", message)
    })
}

/// Ends a walk over a document before its end.
enum Stop {
    Found(Option<String>),
    Problem,
}

impl From<JsonProblem> for Stop {
    fn from(_: JsonProblem) -> Self {
        Stop::Problem
    }
}

/// What an object at the top of a document is.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// It holds rows.
    Rows,
    /// It is one, with the option that stands among its columns.
    Row(Option<&'static str>),
}

/// Whether an object holds rows, or is one. A row may have a column of any name, but no array in it.
fn seen(reader: &JsonReader<'_>) -> Seen {
    let mut reader = reader.clone();
    let mut option = None;
    let walked = reader.object(&mut String::new(), |reader, key| {
        if ROWS.contains(&key) && reader.kind()? == Some(JsonKind::Array) {
            return Err(Stop::Found(None));
        }
        option = option.or_else(|| BESIDE_ROWS.iter().find(|name| **name == key).copied());
        Ok(reader.skip()?)
    });
    match walked {
        Err(Stop::Found(_)) => Seen::Rows,
        _ => Seen::Row(option),
    }
}

/// Refuses an option among the columns of a row: passed over, it would be of no effect without a word.
fn check_beside(served: &Served, option: Option<&str>) -> Answer<()> {
    let Some(name) = option else { return Ok(()) };
    if served.shape.position(name).is_some() || served.passed_over.iter().any(|known| known == name) {
        return Ok(());
    }
    let message = format!(
        "`{name}` stands among the columns of a row, and the model has no such column; an option stands beside `rows`: \
         {{\"rows\": [{{\"column\": value, …}}], \"{name}\": …}}"
    );
    Err(Refusal::bad("bad_option", message))
}

/// The option `key` of a document with rows: the key of a canary.
pub(crate) fn key_of(bytes: &[u8]) -> Option<String> {
    let mut reader = JsonReader::new(std::str::from_utf8(bytes).ok()?);
    if reader.kind().ok()? != Some(JsonKind::Object) || seen(&reader) != Seen::Rows {
        return None;
    }
    let walked = reader.object(&mut String::new(), |reader, key| match key {
        "key" => Err(Stop::Found(match reader.value(&mut String::new())? {
            JsonValue::String(text) | JsonValue::Number(text) => Some(text.to_owned()),
            _ => None,
        })),
        _ => Ok(reader.skip()?),
    });
    match walked {
        Err(Stop::Found(value)) => value,
        _ => None,
    }
}

/// The value of a column in the first row of a document, as text: the key of a canary.
pub(crate) fn value_of(bytes: &[u8], column: &str) -> Option<String> {
    let mut reader = JsonReader::new(std::str::from_utf8(bytes).ok()?);
    let walked = match reader.kind().ok()? {
        Some(JsonKind::Array) => value_of_first(&mut reader, column),
        Some(JsonKind::Object) => reader.object(&mut String::new(), |reader, key| {
            match ROWS.contains(&key) && reader.kind()? == Some(JsonKind::Array) {
                true => value_of_first(reader, column),
                false => value_if(reader, key == column),
            }
        }),
        _ => return None,
    };
    match walked {
        Err(Stop::Found(value)) => value,
        _ => None,
    }
}

/// The value of a column in the first of the rows of an array: the others do not count.
fn value_of_first(reader: &mut JsonReader<'_>, column: &str) -> Result<(), Stop> {
    reader.array(|reader| {
        if reader.kind()? == Some(JsonKind::Object) {
            reader.object(&mut String::new(), |reader, key| value_if(reader, key == column))?;
        }
        Err(Stop::Found(None))
    })
}

/// Ends a walk with a plain value if it is the one, else passes over it.
fn value_if(reader: &mut JsonReader<'_>, is_it: bool) -> Result<(), Stop> {
    if !is_it || matches!(reader.kind()?, Some(JsonKind::Array | JsonKind::Object)) {
        return Ok(reader.skip()?);
    }
    Err(Stop::Found(match reader.value(&mut String::new())? {
        JsonValue::String(text) | JsonValue::Number(text) => Some(text.to_owned()),
        JsonValue::Boolean(value) => Some(value.to_string()),
        JsonValue::Null => None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_canary_is_found_in_every_form_of_document() {
        let find = |text: &str| value_of(text.as_bytes(), "id");
        assert_eq!(find(r#"{"rows": [{"a": [1], "id": "x"}, {"id": "y"}]}"#).as_deref(), Some("x"));
        assert_eq!(find(r#"[{"id": 7}]"#).as_deref(), Some("7"));
        assert_eq!(find(r#"{"a": 1, "id": true}"#).as_deref(), Some("true"));
        assert_eq!(find(r#"[{"a": 7}, {"id": 8}]"#), None);
        assert_eq!(find("[{"), None);
        for nested in ["[".repeat(200_000), "{\"rows\":".repeat(100_000), "{\"a\":".repeat(100_000)] {
            assert_eq!(find(&nested), None);
            assert_eq!(key_of(nested.as_bytes()), None);
        }
        assert_eq!(key_of(br#"{"rows": [{"key": "no"}], "key": "yes"}"#).as_deref(), Some("yes"));
        assert_eq!(key_of(br#"{"key": "a column"}"#), None);
    }

    #[test]
    fn rows_and_documents_with_rows_are_told_apart() {
        let is = |text: &str| seen(&JsonReader::new(text));
        assert_eq!(is(r#"{"threshold": 0.4, "rows": []}"#), Seen::Rows);
        assert_eq!(is(r#"{"instances": [1]}"#), Seen::Rows);
        assert_eq!(is(r#"{"rows": 3, "age": 4}"#), Seen::Row(None));
        assert_eq!((is(r#"{"age": 4, "key": 1}"#), is("{")), (Seen::Row(None), Seen::Row(None)));
        assert_eq!(is(r#"{"age": 4, "explain": 2, "flags": true}"#), Seen::Row(Some("explain")));
    }
}
