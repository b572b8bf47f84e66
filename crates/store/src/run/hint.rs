//! Names in a filter or an order that no run has: no error, but most often a slip.

use sqlx::AssertSqlSafe;
use tabwright_core::filter::{self, Field, Filter};
use tabwright_core::suggest;

use super::query::{Meant, SortField, meant};
use super::search::Search;
use crate::Store;
use crate::database::get;
use crate::error::Result;

/// What can be named freely, and the table that has the names.
const NAMED: [(&str, &str); 3] = [("metric", "metrics"), ("parameter", "params"), ("tag", "tags")];

impl Store {
    /// A sentence for each metric, parameter and tag of a search that no run has, with the nearest that there is. What is only
    /// asked to be missing (`is null`) is none.
    ///
    /// # Errors
    /// As [`Store::search`].
    pub async fn unknown_names(&self, search: &Search) -> Result<Vec<String>> {
        let mut asked: Vec<(usize, String)> = Vec::new();
        if !search.filter.trim().is_empty() {
            let parsed = filter::parse(&search.filter)?;
            let mut fields = Vec::new();
            collect(&parsed, &mut fields);
            for field in fields {
                match meant(&search.filter, field)? {
                    Meant::Attribute(..) => {}
                    Meant::Metric(name) => asked.push((0, name)),
                    Meant::Param(name) => asked.push((1, name)),
                    Meant::Tag(name) => asked.push((2, name)),
                }
            }
        }
        asked.extend(search.sort.iter().filter_map(|order| match &order.by {
            SortField::Attribute(_) => None,
            SortField::Metric(name) => Some((0, name.clone())),
            SortField::Param(name) => Some((1, name.clone())),
            SortField::Tag(name) => Some((2, name.clone())),
        }));
        asked.sort();
        asked.dedup();
        let mut sentences = Vec::new();
        for (kind, name) in asked {
            let (what, table) = NAMED[kind];
            let told = |e| self.database().error(e);
            let one = sqlx::query(AssertSqlSafe(format!("SELECT name FROM {table} WHERE name = $1 LIMIT 1")));
            let one = one.bind(name.replace('\0', "")).fetch_optional(self.database().pool()).await.map_err(told)?;
            if one.is_some() {
                continue;
            }
            let all = sqlx::query(AssertSqlSafe(format!("SELECT DISTINCT name FROM {table} ORDER BY name")));
            let rows = all.fetch_all(self.database().pool()).await.map_err(told)?;
            let names: Vec<String> = rows.iter().map(|row| get(row, 0)).collect::<Result<_, _>>().map_err(told)?;
            let hint = suggest::did_you_mean(&name, names.iter().map(String::as_str));
            sentences.push(format!("no run has a {what} {}{hint}", crate::name::shown(&name)));
        }
        Ok(sentences)
    }
}

fn collect<'a>(filter: &'a Filter, fields: &mut Vec<&'a Field>) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| collect(part, fields)),
        Filter::Not(inner) => collect(inner, fields),
        Filter::Compare(field, ..) | Filter::In(field, _) | Filter::Like(field, _) => fields.push(field),
        Filter::IsNull(_) => {}
    }
}
