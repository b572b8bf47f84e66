//! From a filter and an order to SQL with numbered parameters. No text of the user's becomes part of the SQL.

use sqlx::Arguments;
use sqlx::any::AnyArguments;
use tabwright_core::filter::{self, Comparison, Field, Filter, FilterError, Literal};
use tabwright_core::suggest;

use super::Status;
use crate::database::Dialect;
use crate::error::{Error, Result};
use crate::time;

/// What a run says of itself, and the column or expression that holds it.
const ATTRIBUTES: [(&str, &str, Holds); 9] = [
    ("run_id", "r.run_id", Holds::Text),
    ("name", "r.name", Holds::Text),
    ("kind", "r.kind", Holds::Text),
    ("status", "r.status", Holds::Status),
    ("project", "e.project", Holds::Text),
    ("experiment", "e.name", Holds::Text),
    ("started", "r.started", Holds::Time),
    ("ended", "r.ended", Holds::Time),
    ("seconds", "(r.ended - r.started) / 1000000.0", Holds::Number),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Text,
    Status,
    Time,
    Number,
}

fn attribute(name: &str) -> Option<(&'static str, Holds)> {
    ATTRIBUTES.iter().find(|(known, ..)| *known == name).map(|(_, column, holds)| (*column, *holds))
}

/// A field of a run that is meant.
pub(super) enum Meant {
    Attribute(&'static str, Holds),
    Metric(String),
    Param(String),
    Tag(String),
}

pub(super) fn meant(text: &str, field: &Field) -> Result<Meant, FilterError> {
    if field.parts.len() == 1 {
        if let Some((column, holds)) = attribute(field.first()) {
            return Ok(Meant::Attribute(column, holds));
        }
        if matches!(field.first(), "metrics" | "params" | "tags") {
            let message = format!("`{0}` needs a name: {0}.NAME", field.first());
            return Err(FilterError::new(text, field.at, message));
        }
        return Err(unknown(text, field));
    }
    match field.first() {
        "metrics" => Ok(Meant::Metric(field.rest())),
        "params" => Ok(Meant::Param(field.rest())),
        "tags" => Ok(Meant::Tag(field.rest())),
        _ => Err(unknown(text, field)),
    }
}

fn unknown(text: &str, field: &Field) -> FilterError {
    let name = field.name();
    let kinds = ["metrics", "params", "tags"];
    let of_kind = kinds
        .into_iter()
        .find(|kind| field.parts.len() > 1 && !suggest::did_you_mean(field.first(), [*kind]).is_empty());
    let attributes = ATTRIBUTES.iter().map(|(name, ..)| *name);
    let hint = match of_kind {
        Some(kind) => format!(" (did you mean `{kind}.{}`?)", field.rest()),
        None => suggest::did_you_mean(&name, attributes.clone()),
    };
    let known = suggest::shorten(attributes);
    let named = format!("a metric is named metrics.{name}, a parameter params.{name}, a tag tags.{name}");
    FilterError::new(text, field.at, format!("there is no field `{name}`{hint}; {named}; a run itself has {known}"))
}

/// SQL that grows, with its parameters.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) arguments: AnyArguments,
    dialect: Dialect,
    count: usize,
    /// The metric that leads: see [`leading`].
    leading: Option<String>,
}

/// The metric that leads a search, if one does: runs are ordered by it first, and the filter compares it, so that no run without
/// it is meant. Its index then hands the runs out in their order, and a page is full after few of them; otherwise all that meet
/// a condition are gathered before they are ordered.
pub(super) fn leading(text: &str, filter: &Filter, orders: &[Order]) -> Option<String> {
    let Some(SortField::Metric(name)) = orders.first().map(|order| &order.by) else { return None };
    parts(filter).iter().any(|part| compares(text, part, name)).then(|| name.clone())
}

/// What must hold together.
fn parts(filter: &Filter) -> &[Filter] {
    match filter {
        Filter::And(parts) => parts,
        one => std::slice::from_ref(one),
    }
}

fn compares(text: &str, filter: &Filter, metric: &str) -> bool {
    match filter {
        Filter::Compare(field, ..) => matches!(meant(text, field), Ok(Meant::Metric(name)) if name == metric),
        _ => false,
    }
}

impl Query {
    /// A query that a metric leads, or none.
    pub(super) fn new(dialect: Dialect, leading: Option<String>) -> Self {
        Query { sql: String::new(), arguments: AnyArguments::default(), dialect, count: 0, leading }
    }

    /// Binds a value and returns the name of its parameter.
    pub(super) fn bind<T>(&mut self, value: T) -> Result<String>
    where
        T: for<'q> sqlx::Encode<'q, sqlx::Any> + sqlx::Type<sqlx::Any>,
    {
        self.arguments.add(value).map_err(|e| Error::Invalid(format!("a value cannot be bound: {e}")))?;
        self.count += 1;
        Ok(format!("${}", self.count))
    }

    /// The condition of a whole filter. What it asks of the leading metric is asked where the runs are ordered by it.
    pub(super) fn filter(&mut self, text: &str, filter: &Filter) -> Result<String> {
        let Some(leading) = self.leading.clone() else { return self.condition(text, filter) };
        let mut conditions = Vec::new();
        for part in parts(filter) {
            conditions.push(match part {
                Filter::Compare(field, comparison, literal) if compares(text, part, &leading) => {
                    let literal = self.literal(text, field, Some(Holds::Number), literal)?;
                    format!("o0.last {} {literal}", operator(*comparison))
                }
                other => self.condition(text, other)?,
            });
        }
        Ok(conditions.join(" AND "))
    }

    /// The condition of a filter over runs `r` and their experiments `e`.
    pub(super) fn condition(&mut self, text: &str, filter: &Filter) -> Result<String> {
        let joined = |query: &mut Self, parts: &[Filter], word: &str| -> Result<String> {
            let parts = parts.iter().map(|part| query.condition(text, part)).collect::<Result<Vec<_>>>()?;
            Ok(format!("({})", parts.join(word)))
        };
        match filter {
            Filter::And(parts) => joined(self, parts, " AND "),
            Filter::Or(parts) => joined(self, parts, " OR "),
            Filter::Not(inner) => Ok(format!("NOT {}", self.condition(text, inner)?)),
            Filter::Compare(field, comparison, literal) => {
                let operator = operator(*comparison);
                self.about(text, field, &|query, value| {
                    let literal = query.literal(text, field, value.holds, literal)?;
                    Ok(format!("{} {operator} {literal}", value.of(&literal)))
                })
            }
            Filter::In(field, literals) => self.about(text, field, &|query, value| {
                let mut parts = Vec::new();
                for literal in literals {
                    let literal = query.literal(text, field, value.holds, literal)?;
                    parts.push(format!("{} = {literal}", value.of(&literal)));
                }
                Ok(format!("({})", parts.join(" OR ")))
            }),
            Filter::Like(field, pattern) => self.about(text, field, &|query, value| match value.holds {
                Some(Holds::Text | Holds::Status) | None => query.like(&value.text, pattern),
                Some(Holds::Number | Holds::Time) => {
                    let message = format!("`like` compares texts; `{}` is none", field.name());
                    Err(FilterError::new(text, field.at, message).into())
                }
            }),
            Filter::IsNull(field) => {
                let has = self.about(text, field, &|_, value| Ok(format!("{} IS NOT NULL", value.text)))?;
                Ok(format!("NOT {has}"))
            }
        }
    }

    /// A condition about the value of a field, which is false for runs that have none.
    fn about(
        &mut self,
        text: &str,
        field: &Field,
        condition: &dyn Fn(&mut Self, &Value) -> Result<String>,
    ) -> Result<String> {
        let (table, name, value) = match meant(text, field)? {
            Meant::Attribute(column, holds) => {
                let value = Value { text: column.into(), number: column.into(), holds: Some(holds) };
                return Ok(format!("({column} IS NOT NULL AND {})", condition(self, &value)?));
            }
            Meant::Metric(name) => {
                ("metrics", name, Value { text: "last".into(), number: "last".into(), holds: Some(Holds::Number) })
            }
            Meant::Param(name) => {
                ("params", name, Value { text: "value".into(), number: "number".into(), holds: None })
            }
            Meant::Tag(name) => {
                ("tags", name, Value { text: "value".into(), number: String::new(), holds: Some(Holds::Text) })
            }
        };
        let name = self.bind(name)?;
        let condition = condition(self, &value)?;
        // A sign before it keeps SQLite from going through the list where the leading metric's index is to be gone through.
        let id = if self.leading.is_some() { "+r.id" } else { "r.id" };
        Ok(format!("{id} IN (SELECT run FROM {table} WHERE name = {name} AND {condition})"))
    }

    /// Binds a literal as what the field holds.
    fn literal(&mut self, text: &str, field: &Field, holds: Option<Holds>, literal: &Literal) -> Result<Bound> {
        let error = |message: String| Error::from(FilterError::new(text, field.at, message));
        let name = field.name();
        match (holds, literal) {
            (Some(Holds::Number) | None, Literal::Number(value)) => {
                Ok(Bound { parameter: self.bind(*value)?, is_number: true })
            }
            (Some(Holds::Number), Literal::Text(value)) => Err(error(format!(
                "`{name}` is a number and cannot be compared with the text '{value}'; leave the quotes out"
            ))),
            (Some(Holds::Time), Literal::Text(value)) => {
                let at = time::parse(value).map_err(|e| error(e.to_string()))?;
                Ok(Bound { parameter: self.bind(at)?, is_number: true })
            }
            (Some(Holds::Time), Literal::Number(_)) => {
                Err(error(format!("`{name}` is a time; write it in quotes, such as '2026-11-27'")))
            }
            (Some(Holds::Status), Literal::Text(value)) if Status::ALL.iter().all(|s| s.name() != value) => {
                let names = Status::ALL.map(Status::name);
                let hint = tabwright_core::suggest::did_you_mean(value, names);
                Err(error(format!("there is no status '{value}'{hint}; known are {}", names.join(", "))))
            }
            (Some(Holds::Text | Holds::Status), Literal::Number(value)) => {
                Err(error(format!("`{name}` is a text and cannot be compared with a number; write '{value}'")))
            }
            (_, Literal::Text(value)) => Ok(Bound { parameter: self.bind(value.replace('\0', ""))?, is_number: false }),
        }
    }

    fn like(&mut self, column: &str, pattern: &str) -> Result<String> {
        match self.dialect {
            // SQLite's LIKE ignores case; its GLOB does not, and has other signs.
            Dialect::Sqlite => {
                let glob: String = pattern
                    .chars()
                    .map(|c| match c {
                        '%' => "*".to_owned(),
                        '_' => "?".to_owned(),
                        '*' | '?' | '[' => format!("[{c}]"),
                        c => c.to_string(),
                    })
                    .collect();
                Ok(format!("{column} GLOB {}", self.bind(glob)?))
            }
            Dialect::Postgres => Ok(format!("{column} LIKE {} ESCAPE ''", self.bind(pattern.replace('\0', ""))?)),
        }
    }
}

/// A comparison as both databases write it.
fn operator(comparison: Comparison) -> &'static str {
    if comparison == Comparison::NotEqual { "<>" } else { comparison.symbol() }
}

/// A parameter, and what it is compared as.
struct Bound {
    parameter: String,
    is_number: bool,
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.parameter)
    }
}

/// Where the value of a field stands, as text and as number.
struct Value {
    text: String,
    number: String,
    holds: Option<Holds>,
}

impl Value {
    fn of(&self, literal: &Bound) -> &str {
        if literal.is_number { &self.number } else { &self.text }
    }
}

/// What runs are ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortField {
    /// Something that a run says of itself.
    Attribute(String),
    /// The last value of a metric.
    Metric(String),
    /// A parameter: as a number where it is one, and as text.
    Param(String),
    /// A tag.
    Tag(String),
}

/// An order of runs. Those without a value come last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: SortField,
    /// Largest first.
    pub descending: bool,
}

impl Order {
    /// Reads an order, such as `metrics.roc_auc desc`. Without `asc` or `desc`, metrics have the best first, by their
    /// direction, times the latest, all else the smallest.
    ///
    /// # Errors
    /// [`Error::Filter`] with the place.
    pub fn parse(text: &str) -> Result<Self> {
        let trimmed = text.trim_end();
        let (name, direction) = match trimmed.rsplit_once(char::is_whitespace) {
            Some((name, word)) if word.eq_ignore_ascii_case("desc") => (name, Some(true)),
            Some((name, word)) if word.eq_ignore_ascii_case("asc") => (name, Some(false)),
            _ => (trimmed, None),
        };
        // The parser of filters reads names, so that quotes mean the same in both.
        let field = match filter::parse(&format!("{name} is null")) {
            Ok(Filter::IsNull(field)) => field,
            _ => {
                let message = "an order is a field, and asc or desc, such as metrics.roc_auc desc";
                return Err(FilterError::new(text, 0, message).in_a("order").into());
            }
        };
        let (by, usual) = match meant(name, &field).map_err(|e| e.in_a("order"))? {
            Meant::Attribute(_, holds) => (SortField::Attribute(field.name()), holds == Holds::Time),
            Meant::Metric(name) => {
                let descending = super::greater_is_better(&name).unwrap_or(true);
                (SortField::Metric(name), descending)
            }
            Meant::Param(name) => (SortField::Param(name), false),
            Meant::Tag(name) => (SortField::Tag(name), false),
        };
        Ok(Order { by, descending: direction.unwrap_or(usual) })
    }
}

impl Query {
    /// The joins and the ORDER BY of orders, in their turn; runs that are equal in all follow each other as they began.
    pub(super) fn order(&mut self, orders: &[Order]) -> Result<(String, String)> {
        let (mut joins, mut by) = (String::new(), Vec::new());
        for (i, order) in orders.iter().enumerate() {
            let leads = i == 0 && self.leading.is_some();
            let kind = if leads { "JOIN" } else { "LEFT JOIN" };
            let mut join = |query: &mut Self, table: &str, name: &str| -> Result<()> {
                let name = query.bind(name.to_owned())?;
                joins.push_str(&format!(" {kind} {table} o{i} ON o{i}.run = r.id AND o{i}.name = {name}"));
                Ok(())
            };
            let values = match &order.by {
                SortField::Attribute(name) => {
                    let (column, _) = attribute(name).ok_or_else(|| Error::Invalid(format!("no field `{name}`")))?;
                    vec![column.to_owned()]
                }
                SortField::Metric(name) => {
                    join(self, "metrics", name)?;
                    vec![format!("o{i}.last")]
                }
                SortField::Param(name) => {
                    join(self, "params", name)?;
                    vec![format!("o{i}.number"), format!("o{i}.value")]
                }
                SortField::Tag(name) => {
                    join(self, "tags", name)?;
                    vec![format!("o{i}.value")]
                }
            };
            let direction = if order.descending { "DESC" } else { "ASC" };
            for value in values {
                if leads {
                    by.push(format!("{value} {direction}"));
                    continue;
                }
                by.push(format!("CASE WHEN {value} IS NULL THEN 1 ELSE 0 END, {value} {direction}"));
            }
        }
        by.push("r.started DESC, r.id DESC".to_owned());
        Ok((joins, by.join(", ")))
    }
}
