//! Runs in the trash: thrown away and brought back, each with the runs within it.

use sqlx::Transaction;
use sqlx::any::{Any, AnyRow};

use super::{Run, Status};
use crate::Store;
use crate::database::get;
use crate::error::{Error, Result};

/// A run and all within it, at any depth; the run is the first parameter.
macro_rules! within {
    ($sql:literal) => {
        concat!(
            "WITH RECURSIVE within (id) AS (SELECT id FROM runs WHERE id = $1 UNION \
             SELECT r.id FROM runs r JOIN within w ON r.parent = w.id) ",
            $sql
        )
    };
}

type Tx = Transaction<'static, Any>;

impl Store {
    /// Throws runs away, each with those within it: they are found no more, and freed later. What is in the trash already stays
    /// there. All of them, or none.
    ///
    /// # Errors
    /// As [`Store::run`]; [`Error::Conflict`] for a run that is under way, or that made a version which is not thrown away.
    pub async fn throw_runs_away(&self, runs: &[String], who: &str) -> Result<Vec<Run>> {
        let keys = self.keys_of(runs).await?;
        let mut tx = self.database().write().await?;
        for key in &keys {
            self.check_not_in_use(&mut tx, *key).await?;
            let sql = within!(
                "UPDATE runs SET deleted = $2, deleted_by = $3 WHERE deleted IS NULL AND id IN (SELECT id FROM within)"
            );
            let update = sqlx::query(sql).bind(*key).bind(self.now()).bind(who.replace('\0', ""));
            update.execute(&mut *tx).await.map_err(|e| self.database().error(e))?;
        }
        self.database().commit(tx).await?;
        self.load(&keys).await
    }

    /// Brings runs back from the trash, each with those that were thrown away with it. All of them, or none.
    ///
    /// # Errors
    /// As [`Store::run`]; [`Error::Conflict`] for a run that is not in the trash, or within one that is.
    pub async fn restore_runs(&self, runs: &[String]) -> Result<Vec<Run>> {
        let keys = self.keys_of(runs).await?;
        let told = |e| self.database().error(e);
        let mut tx = self.database().write().await?;
        for key in &keys {
            let select = sqlx::query(
                "SELECT r.run_id, r.deleted, p.run_id, p.deleted FROM runs r LEFT JOIN runs p ON p.id = r.parent WHERE r.id = $1",
            );
            let row = select.bind(*key).fetch_optional(&mut *tx).await.map_err(told)?;
            let Some((run_id, deleted, parent)) = row.map(|row| read_deleted(&row)).transpose().map_err(told)? else {
                return Err(Error::Conflict("a run was freed in the meantime; nothing is brought back".into()));
            };
            let Some(deleted) = deleted else {
                return Err(Error::Conflict(format!("the run {run_id} is not in the trash")));
            };
            if let Some(parent) = parent {
                return Err(Error::Conflict(format!(
                    "the run {run_id} is within {parent}, which is in the trash; bring that back: tabwright runs restore {parent}"
                )));
            }
            let sql = within!(
                "UPDATE runs SET deleted = NULL, deleted_by = NULL WHERE deleted = $2 AND id IN (SELECT id FROM within)"
            );
            sqlx::query(sql).bind(*key).bind(deleted).execute(&mut *tx).await.map_err(told)?;
        }
        self.database().commit(tx).await?;
        self.load(&keys).await
    }

    /// The keys of runs that are named, each once.
    async fn keys_of(&self, runs: &[String]) -> Result<Vec<i64>> {
        self.mark_dead_runs().await?;
        let mut keys = Vec::with_capacity(runs.len());
        for run in runs {
            let key = self.run_key(run).await?;
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    async fn check_not_in_use(&self, tx: &mut Tx, key: i64) -> Result<()> {
        let told = |e| self.database().error(e);
        let sql = within!(
            "SELECT run_id FROM runs WHERE status = $2 AND deleted IS NULL AND id IN (SELECT id FROM within) LIMIT 1"
        );
        let running = sqlx::query(sql).bind(key).bind(Status::Running.name()).fetch_optional(&mut **tx).await;
        if let Some(row) = running.map_err(told)? {
            let run_id: String = get(&row, 0).map_err(told)?;
            return Err(Error::Conflict(format!(
                "the run {run_id} is under way; stop it first, or wait for its end, and throw it away then"
            )));
        }
        let sql = within!(
            "SELECT m.name, v.version, r.run_id FROM versions v JOIN models m ON m.id = v.model \
             JOIN runs r ON r.run_id = v.run_id WHERE v.deleted IS NULL AND r.id IN (SELECT id FROM within) \
             ORDER BY m.name, v.version LIMIT 1"
        );
        let made = sqlx::query(sql).bind(key).fetch_optional(&mut **tx).await.map_err(told)?;
        let Some(row) = made else { return Ok(()) };
        let (model, version, run_id): (String, i64, String) =
            (get(&row, 0).map_err(told)?, get(&row, 1).map_err(told)?, get(&row, 2).map_err(told)?);
        Err(Error::Conflict(format!(
            "the run {run_id} made {model}:{version}, which could not be reproduced without it; \
             throw that away first: tabwright models rm {model}:{version}"
        )))
    }
}

/// The id of a run, when it was thrown away, and its parent if that was thrown away.
fn read_deleted(row: &AnyRow) -> Result<(String, Option<i64>, Option<String>), sqlx::Error> {
    let parent: Option<String> = get(row, 2)?;
    let parent_deleted: Option<i64> = get(row, 3)?;
    Ok((get(row, 0)?, get(row, 1)?, parent.filter(|_| parent_deleted.is_some())))
}
