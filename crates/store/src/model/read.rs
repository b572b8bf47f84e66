//! Reading the registry: all models, one model, one version, and which version an alias meant at a time.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;
use tabwright_core::suggest;

use super::{Model, NewVersion, Version};
use crate::database::get;
use crate::error::{Error, Result};
use crate::reference::{CHAMPION, Reference, Which};
use crate::time::Micros;
use crate::{Deletion, Store};

pub(super) const VERSIONS: &str = "SELECT v.id, v.version, v.content_id, v.file, v.size, v.run_id, v.created, v.description, v.metrics, \
                        v.evidence, v.record, v.info, v.deleted, m.name, v.deleted_by FROM versions v JOIN models m ON m.id = v.model";

impl Store {
    /// Every model with its versions, by name.
    ///
    /// # Errors
    /// From the database.
    pub async fn models(&self) -> Result<Vec<Model>> {
        let told = |e| self.database().error(e);
        let query = sqlx::query("SELECT id, name, created, description FROM models ORDER BY name");
        let rows = query.fetch_all(self.database().pool()).await.map_err(told)?;
        let mut models = Vec::with_capacity(rows.len());
        for row in &rows {
            models.push(self.fill(row).await?);
        }
        Ok(models)
    }

    /// The model of a name.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub async fn model(&self, name: &str) -> Result<Model> {
        let told = |e| self.database().error(e);
        let query = sqlx::query("SELECT id, name, created, description FROM models WHERE name = $1").bind(name);
        match query.fetch_optional(self.database().pool()).await.map_err(told)? {
            Some(row) => self.fill(&row).await,
            None => Err(self.unknown_model(name).await?),
        }
    }

    /// Whether there is a model of this name.
    ///
    /// # Errors
    /// From the database.
    pub async fn has_model(&self, name: &str) -> Result<bool> {
        let query = sqlx::query("SELECT id FROM models WHERE name = $1").bind(name);
        let found = query.fetch_optional(self.database().pool()).await;
        Ok(found.map_err(|e| self.database().error(e))?.is_some())
    }

    async fn fill(&self, row: &AnyRow) -> Result<Model> {
        let told = |e| self.database().error(e);
        let read = || Ok((get(row, 0)?, get(row, 1)?, get(row, 2)?, get(row, 3)?));
        let (key, name, created, description) = read().map_err(told)?;
        let sql = format!("{VERSIONS} WHERE v.model = $1 AND v.deleted IS NULL ORDER BY v.version");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(key).fetch_all(self.database().pool()).await.map_err(told)?;
        let mut versions: Vec<Version> = rows.iter().map(read_version).collect::<Result<_, _>>().map_err(told)?;
        let tags = "SELECT t.version, t.name, t.value FROM version_tags t JOIN versions v ON v.id = t.version \
                    WHERE v.model = $1";
        for row in &sqlx::query(tags).bind(key).fetch_all(self.database().pool()).await.map_err(told)? {
            let (version, tag, value): (i64, String, String) =
                (get(row, 0).map_err(told)?, get(row, 1).map_err(told)?, get(row, 2).map_err(told)?);
            if let Some(version) = versions.iter_mut().find(|v| v.key == version) {
                version.registered.tags.insert(tag, value);
            }
        }
        let aliases = sqlx::query("SELECT alias, version FROM aliases WHERE model = $1").bind(key);
        let rows = aliases.fetch_all(self.database().pool()).await.map_err(told)?;
        let read = |row: &AnyRow| Ok((get(row, 0)?, get::<i64>(row, 1)?.unsigned_abs()));
        let aliases = rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(told)?;
        Ok(Model { key, name, created, description, aliases, versions })
    }

    /// The version that a reference means.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the model, the version or the alias, with what there is.
    pub async fn version(&self, reference: &Reference) -> Result<Version> {
        let model = self.model(&reference.name).await?;
        let number = match &reference.which {
            Which::Version(number) => *number,
            Which::Alias(alias) => *model.aliases.get(alias).ok_or_else(|| no_alias(&model, alias))?,
        };
        let known = model.versions.iter().map(|v| v.version).collect::<Vec<_>>();
        if let Some(found) = model.versions.into_iter().find(|v| v.version == number) {
            return Ok(found);
        }
        let named = format!("{}:{number}", model.name);
        let hint = match (self.absence(&model.name, number).await?, known.first(), known.last()) {
            (Some(why), ..) => why,
            (_, Some(first), Some(last)) if known.len() > 1 => format!("; there are versions {first} to {last}"),
            (_, Some(only), _) => format!("; there is version {only}"),
            _ => "; it has none".to_owned(),
        };
        Err(Error::Unknown { what: "version", name: named, hint })
    }

    pub(super) async fn version_by_number(&self, name: &str, version: u64) -> Result<Version> {
        self.version(&Reference { name: name.to_owned(), which: Which::Version(version) }).await
    }

    /// Versions of a content, of any model, the first registered first.
    ///
    /// # Errors
    /// From the database.
    pub async fn versions_of_content(&self, content_id: &str) -> Result<Vec<Version>> {
        let told = |e| self.database().error(e);
        let sql = format!("{VERSIONS} WHERE v.content_id = $1 AND v.deleted IS NULL ORDER BY v.id");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(content_id.to_owned());
        let rows = query.fetch_all(self.database().pool()).await.map_err(told)?;
        rows.iter().map(read_version).collect::<Result<_, _>>().map_err(told)
    }

    /// Which version each alias of a model pointed to at a moment.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the model.
    pub async fn aliases_at(&self, model: &str, at: Micros) -> Result<BTreeMap<String, u64>> {
        let mut aliases = BTreeMap::new();
        for one in self.moves(model).await?.into_iter().filter(|m| m.at <= at) {
            match one.to {
                Some(to) => drop(aliases.insert(one.alias, to)),
                None => drop(aliases.remove(&one.alias)),
            }
        }
        Ok(aliases)
    }

    pub(super) async fn model_key(&self, name: &str) -> Result<i64> {
        let query = sqlx::query("SELECT id FROM models WHERE name = $1").bind(name);
        match query.fetch_optional(self.database().pool()).await.map_err(|e| self.database().error(e))? {
            Some(row) => get(&row, 0).map_err(|e| self.database().error(e)),
            None => Err(self.unknown_model(name).await?),
        }
    }

    /// The error for a name that no model has.
    pub(super) async fn unknown_model(&self, name: &str) -> Result<Error> {
        let told = |e| self.database().error(e);
        let rows = sqlx::query("SELECT name FROM models ORDER BY name").fetch_all(self.database().pool()).await;
        let rows = rows.map_err(told)?;
        let names: Vec<String> = rows.iter().map(|row| get(row, 0)).collect::<Result<_, _>>().map_err(told)?;
        let hint = match names.is_empty() {
            true => "; none is registered yet (`tabwright train --name NAME` registers one)".to_owned(),
            false => {
                let known = suggest::shorten(names.iter().map(String::as_str));
                format!("{}; there are {known}", suggest::did_you_mean(name, names.iter().map(String::as_str)))
            }
        };
        Ok(Error::Unknown { what: "model", name: name.to_owned(), hint })
    }
}

fn no_alias(model: &Model, alias: &str) -> Error {
    let known: Vec<&str> = model.aliases.keys().map(String::as_str).collect();
    let hint = match (known.is_empty(), alias) {
        (true, CHAMPION) => format!("; promote a version first: tabwright models promote {}:VERSION", model.name),
        (true, _) => "; it has none".to_owned(),
        _ => {
            let near = suggest::did_you_mean(alias, known.iter().copied());
            format!("{near}; it has {}", suggest::shorten(known.iter().copied()))
        }
    };
    Error::Unknown { what: "alias", name: format!("{}@{alias}", model.name), hint }
}

pub(super) fn read_version(row: &AnyRow) -> Result<Version, sqlx::Error> {
    let json = |column| Ok::<_, sqlx::Error>(serde_json::from_str(&get::<String>(row, column)?).unwrap_or_default());
    let metrics: String = get(row, 8)?;
    let registered = NewVersion {
        name: get(row, 13)?,
        content_id: get(row, 2)?,
        file: get(row, 3)?,
        size: get::<i64>(row, 4)?.unsigned_abs(),
        run_id: get(row, 5)?,
        description: get(row, 7)?,
        metrics: serde_json::from_str(&metrics).unwrap_or_default(),
        evidence: json(9)?,
        record: json(10)?,
        info: json(11)?,
        tags: BTreeMap::new(),
    };
    Ok(Version {
        key: get(row, 0)?,
        version: get::<i64>(row, 1)?.unsigned_abs(),
        created: get(row, 6)?,
        deleted: Deletion::read(get(row, 12)?, get(row, 14)?),
        registered,
    })
}
