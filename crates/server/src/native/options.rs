//! What a caller may ask for beside the predictions: in the query of any request, or in a JSON document beside its rows.

use axum::extract::Query;
use axum::http::Uri;
use tabwright_core::{Task, suggest};
use tabwright_data::{JsonKind, JsonReader, JsonValue};

use crate::id;
use crate::model::Served;
use crate::refusal::{Answer, Refusal};

/// Reasons of a row when no number is given.
const REASONS: usize = 5;

/// The names of all options.
const NAMES: [&str; 8] = ["explain", "flags", "ids", "interval", "keep", "key", "set", "threshold"];

/// Those that nobody takes for a column; `key`, `set` and `interval` are columns of many tables.
pub(super) const BESIDE_ROWS: [&str; 5] = ["explain", "flags", "ids", "keep", "threshold"];

/// Columns that are carried through, at most: each is looked for among all columns of a row.
const MOST_KEPT: usize = 1_000;

/// What a caller asks for beside the predictions.
#[derive(Debug, Default, Clone)]
pub(crate) struct Options {
    pub(crate) ids: Option<GivenIds>,
    /// Reasons of each row.
    pub(crate) explain: Option<usize>,
    pub(crate) flags: bool,
    pub(crate) keep: Vec<String>,
    /// Decides whether a canary answers.
    pub(crate) key: Option<String>,
    pub(crate) threshold: Option<f64>,
}

/// Ids of predictions that the caller gives.
#[derive(Debug, Clone)]
pub(crate) enum GivenIds {
    /// One for each row.
    List(Vec<String>),
    /// The values of a column.
    Column(String),
}

impl Options {
    /// Reads the query of a request.
    pub(crate) fn of_query(query: Option<&str>) -> Answer<Self> {
        let mut options = Options::default();
        let Some(query) = query.filter(|q| !q.is_empty()) else { return Ok(options) };
        let uri = Uri::try_from(format!("/?{query}")).map_err(|_| bad("the query cannot be read"))?;
        let Query(pairs) =
            Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| bad("the query cannot be read"))?;
        for (name, text) in pairs {
            let list = || text.split(',').map(str::to_owned).filter(|s| !s.is_empty()).collect();
            match name.as_str() {
                "ids" => options.ids = Some(GivenIds::Column(text)),
                "keep" => options.keep = checked(list())?,
                "key" => options.key = Some(text),
                "threshold" => options.threshold = Some(number("threshold", &text)?),
                "explain" => options.explain = reasons(&text)?,
                "flags" => options.flags = yes("flags", &text)?,
                "interval" | "set" => not_carried(&name, !matches!(text.as_str(), "false" | "0"))?,
                _ => return Err(unknown(&name)),
            }
        }
        Ok(options)
    }

    /// Reads one option of a JSON document.
    pub(crate) fn read(&mut self, name: &str, reader: &mut JsonReader<'_>) -> Answer<()> {
        let mut scratch = String::new();
        let kind = reader.kind()?;
        match (name, kind) {
            (_, Some(JsonKind::Null)) if NAMES.contains(&name) => drop(reader.value(&mut scratch)?),
            ("ids", Some(JsonKind::Array)) => self.ids = Some(GivenIds::List(texts(name, reader)?)),
            ("keep", Some(JsonKind::Array)) => self.keep = checked(texts(name, reader)?)?,
            ("interval" | "set", Some(JsonKind::Array | JsonKind::Object)) => not_carried(name, true)?,
            (_, Some(JsonKind::Array | JsonKind::Object)) if NAMES.contains(&name) => {
                return Err(bad(&format!("the option `{name}` cannot be an array or an object")));
            }
            ("ids", _) => self.ids = Some(GivenIds::Column(text(name, reader)?)),
            ("keep", _) => self.keep = vec![text(name, reader)?],
            ("key", _) => self.key = Some(text(name, reader)?),
            ("threshold", _) => self.threshold = Some(number(name, &text(name, reader)?)?),
            ("explain", _) => self.explain = reasons(&text(name, reader)?)?,
            ("flags", _) => self.flags = yes(name, &text(name, reader)?)?,
            ("interval" | "set", _) => not_carried(name, text(name, reader)? != "false")?,
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    /// Refuses what the model cannot give.
    pub(crate) fn check(&self, served: &Served) -> Answer<()> {
        if let Some(threshold) = self.threshold {
            if !matches!(served.model().task(), Task::Binary { .. }) {
                let task = served.model().task().name();
                let message = format!("a threshold is for models of two classes; this one is a {task} model");
                return Err(Refusal::bad("not_carried", message));
            }
            if !(0.0..=1.0).contains(&threshold) {
                return Err(bad("a threshold lies between 0 and 1"));
            }
        }
        if let Some(GivenIds::List(ids)) = &self.ids
            && let Some(at) = ids.iter().position(|text| !id::is_valid(text))
        {
            let message = format!(
                "id {at} cannot be one: it is empty, longer than {} bytes, or has control characters",
                id::LONGEST
            );
            return Err(bad(&message));
        }
        Ok(())
    }

    /// Refuses what only a JSON document can hold.
    pub(crate) fn check_for_rows(&self) -> Answer<()> {
        let name = match self {
            Options { explain: Some(_), .. } => "explain",
            Options { flags: true, .. } => "flags",
            _ => return Ok(()),
        };
        Err(bad(&format!("`{name}` is answered in JSON only: send the header `Accept: application/json`")))
    }
}

fn bad(message: &str) -> Box<Refusal> {
    Refusal::bad("bad_option", message)
}

fn unknown(name: &str) -> Box<Refusal> {
    let near = suggest::did_you_mean(name, NAMES);
    let shown: String = name.chars().take(80).collect();
    let message = format!("there is no option `{shown}`{near}; rows stand in `rows`, options are {}", NAMES.join(", "));
    Refusal::bad("unknown_option", message)
}

/// Columns to carry through: not too many, and each once.
fn checked(keep: Vec<String>) -> Answer<Vec<String>> {
    if keep.len() > MOST_KEPT {
        return Err(bad(&format!("{} columns are to be kept; at most {MOST_KEPT} can be", keep.len())));
    }
    let mut names: Vec<&str> = keep.iter().map(String::as_str).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twin) => {
            let shown: String = twin[0].chars().take(80).collect();
            Err(bad(&format!("the column `{shown}` is to be kept twice; name it once")))
        }
        None => Ok(keep),
    }
}

fn not_carried(name: &str, is_asked: bool) -> Answer<()> {
    if !is_asked {
        return Ok(());
    }
    let what = if name == "set" { "sets of classes" } else { "intervals" };
    let message = format!("`{name}` is asked for, and the model carries no {what}: it was trained without them");
    Err(Refusal::bad("not_carried", message))
}

fn number(name: &str, text: &str) -> Answer<f64> {
    text.parse().map_err(|_| bad(&format!("the option `{name}` must be a number")))
}

fn yes(name: &str, text: &str) -> Answer<bool> {
    match text {
        "true" | "1" | "" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(bad(&format!("the option `{name}` must be true or false"))),
    }
}

fn reasons(text: &str) -> Answer<Option<usize>> {
    match text {
        "true" | "" => Ok(Some(REASONS)),
        "false" | "0" => Ok(None),
        number => match number.parse::<u16>() {
            Ok(most) => Ok(Some(most.into())),
            Err(_) => Err(bad("the option `explain` must be true, or how many reasons each row is to have")),
        },
    }
}

fn text(name: &str, reader: &mut JsonReader<'_>) -> Answer<String> {
    let mut scratch = String::new();
    Ok(match reader.value(&mut scratch)? {
        JsonValue::String(text) | JsonValue::Number(text) => text.to_owned(),
        JsonValue::Boolean(value) => value.to_string(),
        JsonValue::Null => return Err(bad(&format!("the option `{name}` is null"))),
    })
}

fn texts(name: &str, reader: &mut JsonReader<'_>) -> Answer<Vec<String>> {
    let mut all = Vec::new();
    reader.array(|reader| {
        match reader.kind()? {
            Some(JsonKind::String | JsonKind::Number) => all.push(text(name, reader)?),
            _ => return Err(bad(&format!("the option `{name}` must be a list of texts or numbers"))),
        }
        Ok(())
    })?;
    Ok(all)
}

impl From<tabwright_data::JsonProblem> for Box<Refusal> {
    fn from(problem: tabwright_data::JsonProblem) -> Self {
        let message = format!("the body is not valid JSON: {} (byte {})", problem.message, problem.at + 1);
        Refusal::bad("bad_json", message)
    }
}
