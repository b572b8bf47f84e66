//! Versions in the trash: thrown away, brought back and freed, each with its line in the trail. A number is never used again.

use sqlx::any::{Any, AnyRow};
use sqlx::{AssertSqlSafe, Transaction};

use super::read::{VERSIONS, read_version};
use super::{Mover, Version};
use crate::database::get;
use crate::error::{Error, Result};
use crate::time::{self, Micros};
use crate::{Deletion, Store};

/// What happened to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened {
    /// It was thrown away.
    ThrownAway,
    /// It was brought back from the trash.
    Restored,
    /// It is gone for good.
    Freed,
}

impl Happened {
    const ALL: [Happened; 3] = [Happened::ThrownAway, Happened::Restored, Happened::Freed];

    /// The text form.
    pub fn name(self) -> &'static str {
        match self {
            Happened::ThrownAway => "thrown_away",
            Happened::Restored => "restored",
            Happened::Freed => "freed",
        }
    }
}

/// A line of the trail about a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionEvent {
    /// The number of the version.
    pub version: u64,
    /// What happened to it.
    pub what: Happened,
    /// When; never before the line before it, even if the clock jumped back.
    pub at: Micros,
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
}

type Tx = Transaction<'static, Any>;

impl Store {
    /// Throws a version of a model away, or all of them. Returns the numbers of those that were not in the trash before.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the model or the version; [`Error::Conflict`] if an alias points to one of them: then all stay.
    pub async fn throw_versions_away(&self, model: &str, version: Option<u64>, mover: &Mover) -> Result<Vec<u64>> {
        let told = |e| self.database().error(e);
        let mut tx = self.database().write().await?;
        let key = self.lock_model(&mut tx, model).await?;
        let meant = self.states(&mut tx, (model, key), version).await?;
        let query = sqlx::query("SELECT alias, version FROM aliases WHERE model = $1 ORDER BY alias").bind(key);
        for row in &query.fetch_all(&mut *tx).await.map_err(told)? {
            let (alias, number): (String, i64) = (get(row, 0).map_err(told)?, get(row, 1).map_err(told)?);
            if meant.iter().any(|(v, _)| *v == number.unsigned_abs()) {
                return Err(Error::Conflict(format!(
                    "{model}@{alias} points to {model}:{number}, which is kept for that; point it to another version, or take \
                     it away: tabwright models alias {model}:{number} {alias} --remove"
                )));
            }
        }
        let live: Vec<u64> =
            meant.into_iter().filter(|(_, deleted)| deleted.is_none()).map(|(version, _)| version).collect();
        self.set_deleted(&mut tx, key, &live, Happened::ThrownAway, mover).await?;
        self.database().commit(tx).await?;
        Ok(live)
    }

    /// Brings a version back from the trash, or all that are in it. Returns their numbers.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the model or the version; [`Error::Conflict`] where nothing of it is in the trash.
    pub async fn restore_versions(&self, model: &str, version: Option<u64>, mover: &Mover) -> Result<Vec<u64>> {
        let mut tx = self.database().write().await?;
        let key = self.lock_model(&mut tx, model).await?;
        let meant = self.states(&mut tx, (model, key), version).await?;
        let back: Vec<u64> = meant.into_iter().filter(|(_, deleted)| deleted.is_some()).map(|(v, _)| v).collect();
        if back.is_empty() {
            let what = version.map_or(format!("no version of `{model}` is"), |v| format!("{model}:{v} is not"));
            return Err(Error::Conflict(format!("{what} in the trash")));
        }
        self.set_deleted(&mut tx, key, &back, Happened::Restored, mover).await?;
        self.database().commit(tx).await?;
        Ok(back)
    }

    /// Versions in the trash, of a model or of all, by model and number.
    ///
    /// # Errors
    /// From the database.
    pub async fn deleted_versions(&self, model: Option<&str>) -> Result<Vec<Version>> {
        let told = |e| self.database().error(e);
        let one = if model.is_some() { " AND m.name = $1" } else { "" };
        let sql = format!("{VERSIONS} WHERE v.deleted IS NOT NULL{one} ORDER BY m.name, v.version");
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = match model {
            Some(model) => query.bind(model.to_owned()),
            None => query,
        };
        let rows = query.fetch_all(self.database().pool()).await.map_err(told)?;
        rows.iter().map(read_version).collect::<Result<_, _>>().map_err(told)
    }

    /// All that happened to the versions of a model, the first first.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the model.
    pub async fn version_events(&self, model: &str) -> Result<Vec<VersionEvent>> {
        let told = |e| self.database().error(e);
        let key = self.model_key(model).await?;
        let query = sqlx::query("SELECT version, event, at, who, why FROM version_events WHERE model = $1 ORDER BY id")
            .bind(key);
        let rows = query.fetch_all(self.database().pool()).await.map_err(told)?;
        let read = |row: &AnyRow| {
            let (version, event): (i64, String) = (get(row, 0)?, get(row, 1)?);
            // What a later version of Tabwright writes here is passed over.
            let Some(what) = Happened::ALL.into_iter().find(|h| h.name() == event) else { return Ok(None) };
            let (at, who, why) = (get(row, 2)?, get(row, 3)?, get(row, 4)?);
            Ok(Some(VersionEvent { version: version.unsigned_abs(), what, at, who, why }))
        };
        let events: Vec<Option<VersionEvent>> =
            rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(told)?;
        Ok(events.into_iter().flatten().collect())
    }

    /// Why a version that was there once is not there now, for a message.
    pub(super) async fn absence(&self, model: &str, version: u64) -> Result<Option<String>> {
        let told = |e| self.database().error(e);
        let query = sqlx::query(
            "SELECT v.deleted, v.deleted_by, m.last_version FROM models m \
             LEFT JOIN versions v ON v.model = m.id AND v.version = $2 WHERE m.name = $1",
        );
        let row = query.bind(model).bind(version as i64).fetch_optional(self.database().pool()).await.map_err(told)?;
        let read = |row: &AnyRow| Ok((Deletion::read(get(row, 0)?, get(row, 1)?), get::<i64>(row, 2)?));
        Ok(match row.as_ref().map(read).transpose().map_err(told)? {
            Some((Some(deletion), _)) => Some(format!(
                "; it was thrown away on {} by {}: tabwright models restore {model}:{version} brings it back",
                time::to_seconds(deletion.at),
                deletion.who
            )),
            Some((None, last)) if version <= last.unsigned_abs() => {
                Some("; it was thrown away and freed, and its number is not used again".to_owned())
            }
            _ => None,
        })
    }

    /// The versions that are meant, and when each was thrown away.
    async fn states(
        &self,
        tx: &mut Tx,
        (model, key): (&str, i64),
        version: Option<u64>,
    ) -> Result<Vec<(u64, Option<Micros>)>> {
        let told = |e| self.database().error(e);
        let query = sqlx::query("SELECT version, deleted FROM versions WHERE model = $1 ORDER BY version").bind(key);
        let rows = query.fetch_all(&mut **tx).await.map_err(told)?;
        let read = |row: &AnyRow| Ok((get::<i64>(row, 0)?.unsigned_abs(), get(row, 1)?));
        let mut states: Vec<(u64, Option<Micros>)> =
            rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(told)?;
        states.retain(|(number, _)| version.is_none_or(|v| v == *number));
        match (version, states.is_empty()) {
            (Some(version), true) => {
                let hint = self.absence(model, version).await?;
                let hint = hint.unwrap_or_else(|| format!("; `tabwright models show {model}` lists them"));
                Err(Error::Unknown { what: "version", name: format!("{model}:{version}"), hint })
            }
            _ => Ok(states),
        }
    }

    async fn set_deleted(
        &self,
        tx: &mut Tx,
        model: i64,
        versions: &[u64],
        what: Happened,
        mover: &Mover,
    ) -> Result<()> {
        let told = |e| self.database().error(e);
        for version in versions {
            let at = self.write_event(tx, model, *version, what, mover).await?;
            let deletion = (what == Happened::ThrownAway).then_some((at, mover.who.replace('\0', "")));
            let sql = match deletion {
                Some(_) => "UPDATE versions SET deleted = $3, deleted_by = $4 WHERE model = $1 AND version = $2",
                None => "UPDATE versions SET deleted = NULL, deleted_by = NULL WHERE model = $1 AND version = $2",
            };
            let mut update = sqlx::query(sql).bind(model).bind(*version as i64);
            if let Some((at, who)) = deletion {
                update = update.bind(at).bind(who);
            }
            update.execute(&mut **tx).await.map_err(told)?;
        }
        Ok(())
    }

    /// Writes a line of the trail. Returns its time.
    pub(crate) async fn write_event(
        &self,
        tx: &mut Tx,
        model: i64,
        version: u64,
        what: Happened,
        mover: &Mover,
    ) -> Result<Micros> {
        let told = |e| self.database().error(e);
        let last = sqlx::query("SELECT MAX(at) FROM version_events WHERE model = $1").bind(model);
        let last: Option<Micros> = get(&last.fetch_one(&mut **tx).await.map_err(told)?, 0).map_err(told)?;
        let at = last.map_or(self.now(), |last| self.now().max(last + 1));
        let insert = sqlx::query(
            "INSERT INTO version_events (model, version, event, at, who, why) VALUES ($1, $2, $3, $4, $5, $6)",
        );
        let insert = insert.bind(model).bind(version as i64).bind(what.name()).bind(at);
        let insert = insert.bind(mover.who.replace('\0', "")).bind(mover.why.replace('\0', ""));
        insert.execute(&mut **tx).await.map_err(told)?;
        Ok(at)
    }
}
