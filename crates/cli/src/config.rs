//! From defaults, `tabwright.toml`, the environment and flags to one [`Config`]. Later ones win; a key that does not
//! exist is an error that names the nearest.

pub(crate) mod document;
pub(crate) mod keys;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tabwright_core::suggest;
use tabwright_lifecycle::config::Config;
use toml::{Table, Value};

use crate::error::Failure;
use keys::{KEYS, Key, KeyType};

/// The name of the configuration file.
pub(crate) const FILE: &str = "tabwright.toml";

/// What the command line gives.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// `--config`.
    pub(crate) file: Option<PathBuf>,
    /// Flags, as key and texts.
    pub(crate) flags: Vec<(&'static Key, Vec<String>)>,
    /// `--set KEY=VALUE`.
    pub(crate) set: Vec<String>,
}

/// Puts the configuration together.
///
/// # Errors
/// For an unreadable file, an unknown key, or a value of another type.
pub(crate) fn resolve(given: &Given) -> Result<Config, Failure> {
    let mut table = Table::new();
    if let Some(path) = find_file(given.file.as_deref())? {
        let mut from_file = read_file(&path)?;
        write_out(&mut from_file);
        check_keys(&from_file, "", &path.display().to_string())?;
        make_relative(&mut from_file, path.parent().unwrap_or(Path::new(".")));
        merge(&mut table, from_file);
    }
    check_variables()?;
    for key in KEYS {
        let name = keys::variable(key);
        if let Ok(text) = std::env::var(&name) {
            let value = parse(key, &[text]).map_err(|e| Failure::usage(format!("{name}: {e}")))?;
            insert(&mut table, key.name, value);
        }
    }
    for (key, texts) in &given.flags {
        let flag = key.flag.unwrap_or(key.name);
        let value = parse(key, texts).map_err(|e| Failure::usage(format!("--{flag}: {e}")))?;
        insert(&mut table, key.name, value);
    }
    for text in &given.set {
        let (name, value) = parse_set(text)?;
        let mut one = Table::new();
        insert(&mut one, &name, value);
        write_out(&mut one);
        check_keys(&one, "", "--set")?;
        merge(&mut table, one);
    }
    // A deserialiser's own words name the type and what was found, not always the key; the keys of the table were
    // checked above, so what is left are hyperparameters and columns.
    Config::deserialize(Value::Table(table))
        .map_err(|e| Failure::usage(format!("the configuration: {}", e.message().trim())))
}

/// Writes out what may be said in short: `log = "async"` is the mode of the log.
fn write_out(table: &mut Table) {
    if let Some(mode @ Value::String(_)) = table.get("log") {
        let section = Table::from_iter([("mode".to_owned(), mode.clone())]);
        table.insert("log".into(), Value::Table(section));
    }
}

/// The file that is named, else the nearest `tabwright.toml` from here upwards.
///
/// # Errors
/// If a file is named that is not there.
pub(crate) fn find_file(named: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    if let Some(path) = named {
        return match path.is_file() {
            true => Ok(Some(path.to_owned())),
            false => Err(Failure::usage(format!("there is no configuration file {}", path.display()))),
        };
    }
    let Ok(here) = std::env::current_dir() else { return Ok(None) };
    Ok(here.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file()))
}

fn read_file(path: &Path) -> Result<Table, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|e| Failure::usage(format!("{} cannot be read: {e}", path.display())))?;
    // The parser's message holds line, column and the line itself.
    text.parse::<Table>().map_err(|e| Failure::usage(format!("{}: {}", path.display(), e.to_string().trim_end())))
}

/// Paths in a file are meant from its folder.
fn make_relative(table: &mut Table, folder: &Path) {
    const PATHS: [(&str, &str); 5] =
        [("data", "source"), ("split", "files"), ("split", "like"), ("serve", "tls_certificate"), ("serve", "tls_key")];
    for (section, name) in PATHS {
        let paths = match table.get_mut(section).and_then(|s| s.get_mut(name)) {
            Some(Value::Array(paths)) => paths.as_mut_slice(),
            Some(path) => std::slice::from_mut(path),
            None => continue,
        };
        for path in paths {
            if let Value::String(text) = path
                && !matches!(text.as_str(), "" | "-")
            {
                *text = folder.join(&*text).to_string_lossy().into_owned();
            }
        }
    }
}

/// Sections whose keys the user names: checked when they are read.
const OPEN: [&str; 5] = ["candidates", "features.columns", "data.types", "data.roles", "alerts.rules"];

/// Variables of the environment that are no keys.
const OTHER_VARIABLES: [&str; 5] = [
    "TABWRIGHT_HOME",
    "TABWRIGHT_BENCH_PYTHON",
    "TABWRIGHT_TEST_CLIENTS",
    "TABWRIGHT_TEST_POSTGRES",
    "TABWRIGHT_TEST_S3",
];

/// A variable that begins like a key's must be one: a misspelt one would be of no effect without a word.
fn check_variables() -> Result<(), Failure> {
    let known: Vec<String> = KEYS.iter().map(keys::variable).collect();
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|n| n.starts_with("TABWRIGHT_")) else { continue };
        if !OTHER_VARIABLES.contains(&name) && !known.iter().any(|k| k == name) {
            let hint = suggest::did_you_mean(name, known.iter().map(String::as_str));
            return Err(Failure::usage(format!("the environment: there is no key `{name}`{hint}")));
        }
    }
    Ok(())
}

/// The transforms of single columns take the keys of numbers and of categories.
fn check_columns(columns: &Table, place: &str) -> Result<(), Failure> {
    let sections = ["features.linear.number.", "features.linear.category."];
    for (column, transform) in columns {
        let path = format!("features.columns.{column}");
        let Value::Table(transform) = transform else {
            return Err(Failure::usage(format!("{place}: `{path}` is a section, not a value")));
        };
        for (name, value) in transform {
            let Some(key) = sections.iter().find_map(|section| keys::find(&format!("{section}{name}"))) else {
                let known = KEYS.iter().filter_map(|k| sections.iter().find_map(|s| k.name.strip_prefix(s)));
                let hint = suggest::did_you_mean(name, known);
                return Err(Failure::usage(format!("{place}: there is no key `{path}.{name}`{hint}")));
            };
            // A fill is a number or a level.
            if name != "fill" {
                check_type(key, value).map_err(|e| Failure::usage(format!("{place}: `{path}.{name}`: {e}")))?;
            }
        }
    }
    Ok(())
}

/// Every key must be in the table, and of its type.
fn check_keys(table: &Table, prefix: &str, place: &str) -> Result<(), Failure> {
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if OPEN.contains(&path.as_str()) {
            match value {
                Value::Table(columns) if path == "features.columns" => {
                    check_columns(columns, place)?;
                    continue;
                }
                Value::Table(pairs) => {
                    if let Some(key) = keys::find(&path) {
                        check_pairs(key, pairs).map_err(|e| Failure::usage(format!("{place}: `{path}`: {e}")))?;
                    }
                    continue;
                }
                _ => return Err(Failure::usage(format!("{place}: `{path}` is a section, not a value"))),
            }
        }
        if let Some(key) = keys::find(&path) {
            check_type(key, value).map_err(|e| Failure::usage(format!("{place}: `{path}`: {e}")))?;
            continue;
        }
        let is_section = KEYS.iter().any(|k| k.name.starts_with(&format!("{path}.")));
        match value {
            Value::Table(inner) if is_section => check_keys(inner, &path, place)?,
            _ if is_section => return Err(Failure::usage(format!("{place}: `{path}` is a section, not a value"))),
            _ => return Err(unknown(&path, place)),
        }
    }
    Ok(())
}

fn unknown(path: &str, place: &str) -> Failure {
    let sections = KEYS.iter().filter_map(|k| k.name.split('.').next());
    let full = suggest::did_you_mean(path, sections.chain(KEYS.iter().map(|k| k.name)));
    let last = |name: &'static str| name.rsplit('.').next().unwrap_or(name);
    let wanted = path.rsplit('.').next().unwrap_or(path);
    let same_last: Vec<&str> = KEYS.iter().map(|k| k.name).filter(|n| last(n) == wanted).take(1).collect();
    let hint = match (full.is_empty(), same_last.first()) {
        (false, _) => full,
        (true, Some(name)) => format!(" (did you mean `{name}`?)"),
        (true, None) => "; `tabwright docs configuration` lists every key".to_owned(),
    };
    Failure::usage(format!("{place}: there is no key `{path}`{hint}"))
}

fn check_type(key: &Key, value: &Value) -> Result<(), String> {
    let found = || format!("got {}", value.type_str());
    match (key.key_type, value) {
        (KeyType::Text | KeyType::Choice(_), Value::String(text)) => check_choice(key, text),
        (KeyType::Text | KeyType::Choice(_), _) => Err(format!("a text in quotes is needed, {}", found())),
        (KeyType::Count, Value::Integer(i)) if *i >= 0 => Ok(()),
        (KeyType::Count, _) => Err(format!("a whole number from 0 on is needed, got {value}")),
        (KeyType::Port, Value::Integer(i)) if u16::try_from(*i).is_ok() => Ok(()),
        (KeyType::Port, _) => Err(no_port(value)),
        (KeyType::Number, Value::Integer(_) | Value::Float(_)) => Ok(()),
        (KeyType::Number, _) => Err(format!("a number is needed, {}", found())),
        (KeyType::Switch, Value::Boolean(_)) => Ok(()),
        (KeyType::Switch, _) => Err(format!("true or false is needed, {}", found())),
        (KeyType::List, Value::Array(items)) if items.iter().all(Value::is_str) => Ok(()),
        (KeyType::List, _) => Err(format!("a list of texts such as [\"a\", \"b\"] is needed, {}", found())),
        (KeyType::Numbers, Value::Table(pairs)) => {
            match pairs.iter().find(|(_, value)| !matches!(value, Value::Integer(_) | Value::Float(_))) {
                Some((name, value)) => Err(format!("{name}: a number is needed, got {}", value.type_str())),
                None => Ok(()),
            }
        }
        (KeyType::Numbers, _) => Err(format!("a table such as {{ name = 0.8 }} is needed, {}", found())),
        (KeyType::Pairs, Value::Table(pairs)) => match pairs.iter().find(|(_, value)| !value.is_str()) {
            Some((name, value)) => Err(format!("{name}: a text in quotes is needed, got {}", value.type_str())),
            None => Ok(()),
        },
        (KeyType::Pairs, _) => Err(format!("a table such as {{ name = \"value\" }} is needed, {}", found())),
    }
}

fn no_port(found: impl std::fmt::Display) -> String {
    format!("a port is a number from 0 to {}, not {found}", u16::MAX)
}

/// Kinds and roles are words that are known.
fn check_pairs(key: &Key, pairs: &Table) -> Result<(), String> {
    for (name, value) in pairs {
        let text = value.as_str().unwrap_or_default();
        let checked = match key.name {
            "data.types" => text.parse::<tabwright_core::Kind>().map(drop),
            "data.roles" => text.parse::<tabwright_core::Role>().map(drop),
            _ => Ok(()),
        };
        checked.map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(())
}

fn check_choice(key: &Key, text: &str) -> Result<(), String> {
    match key.key_type {
        KeyType::Choice(words) if !words.contains(&text) => {
            let hint = suggest::did_you_mean(text, words.iter().copied());
            let words: Vec<&str> = words.iter().copied().filter(|w| !w.is_empty()).collect();
            Err(format!("`{text}` is none of {}{hint}", words.join(", ")))
        }
        _ => Ok(()),
    }
}

/// Reads the text form of a value, from a flag or the environment.
fn parse(key: &Key, texts: &[String]) -> Result<Value, String> {
    let last = texts.last().map_or("", String::as_str);
    match key.key_type {
        KeyType::Text | KeyType::Choice(_) => check_choice(key, last).map(|()| Value::String(last.to_owned())),
        KeyType::Count => {
            let number = last.parse::<u64>().ok().and_then(|n| i64::try_from(n).ok());
            number.map(Value::Integer).ok_or_else(|| format!("`{last}` is not a whole number from 0 on"))
        }
        KeyType::Port => last.parse::<u16>().map(|port| Value::Integer(port.into())).map_err(|_| no_port(last)),
        KeyType::Number => last.parse().map(Value::Float).map_err(|_| format!("`{last}` is not a number")),
        KeyType::Switch => last.parse().map(Value::Boolean).map_err(|_| format!("`{last}` is not true or false")),
        KeyType::List => {
            let items = texts.iter().flat_map(|t| t.split(',')).map(str::trim).filter(|t| !t.is_empty());
            Ok(Value::Array(items.map(|t| Value::String(t.to_owned())).collect()))
        }
        KeyType::Pairs => {
            let mut table = Table::new();
            for pair in texts.iter().flat_map(|t| t.split(',')).filter(|t| !t.trim().is_empty()) {
                let (name, value) = pair.rsplit_once('=').ok_or_else(|| format!("`{pair}` is not {}", key.value))?;
                table.insert(name.trim().to_owned(), Value::String(value.trim().to_owned()));
            }
            check_pairs(key, &table)?;
            Ok(Value::Table(table))
        }
        KeyType::Numbers => {
            let mut table = Table::new();
            for pair in texts.iter().flat_map(|t| t.split(',')).filter(|t| !t.trim().is_empty()) {
                let number = pair.rsplit_once('=').and_then(|(name, value)| Some((name, value.trim().parse().ok()?)));
                let (name, value) = number.ok_or_else(|| format!("`{pair}` is not NAME=NUMBER"))?;
                table.insert(name.trim().to_owned(), Value::Float(value));
            }
            Ok(Value::Table(table))
        }
    }
}

/// `KEY=VALUE`, the value as TOML or, where that is none, as text.
fn parse_set(text: &str) -> Result<(String, Value), Failure> {
    let (name, value) = text.split_once('=').ok_or_else(|| Failure::usage(format!("--set {text}: not KEY=VALUE")))?;
    let name = name.trim();
    if let Some(key) = keys::find(name)
        && let Ok(value) = parse(key, &[value.trim().to_owned()])
        && !value_is_toml_list(key, text)
    {
        return Ok((name.to_owned(), value));
    }
    let as_toml = format!("x = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("x"));
    Ok((name.to_owned(), as_toml.unwrap_or_else(|| Value::String(value.trim().to_owned()))))
}

fn value_is_toml_list(key: &Key, text: &str) -> bool {
    let value = text.split_once('=').map_or("", |(_, v)| v.trim());
    matches!(key.key_type, KeyType::List | KeyType::Pairs | KeyType::Numbers) && value.starts_with(['[', '{'])
        || matches!(key.key_type, KeyType::Text | KeyType::Choice(_)) && value.starts_with('"')
}

fn insert(table: &mut Table, name: &str, value: Value) {
    let mut here = table;
    let mut parts = name.split('.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            here.insert(part.to_owned(), value);
            return;
        }
        let next = here.entry(part.to_owned()).or_insert_with(|| Value::Table(Table::new()));
        if !next.is_table() {
            *next = Value::Table(Table::new());
        }
        here = next.as_table_mut().expect("invariant: it was made a table just now");
    }
}

/// Puts `over` on top of `under`, table by table.
fn merge(under: &mut Table, over: Table) {
    for (name, value) in over {
        match (under.get_mut(&name), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                under.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
