//! Freeing the disk: what has been in the trash for long enough, and files that nothing refers to.
//!
//! What an alias, a run under way or a version that is not thrown away needs is never taken. Rows go first, then the files that
//! no row refers to any more, so that a crash in between leaves files that the next cleaning takes. Files are taken away while no
//! other process of the home adds any, and no other home of a PostgreSQL database registers any; one that has just been written
//! or claimed, and is not yet referred to, is kept by its age.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use crate::database::get;
use crate::error::Result;
use crate::files::Kept;
use crate::model::{Happened, Mover};
use crate::run::Status;
use crate::time::Micros;
use crate::{Store, Version};

/// How long a file that nothing refers to is kept, in microseconds: whoever wrote it may be about to register it. An hour is
/// far above the seconds that this takes.
pub(crate) const GRACE: Micros = 3_600_000_000;
/// Runs that are deleted in one transaction: others can write in between.
const RUNS_AT_ONCE: usize = 100;

/// What is to be freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleaning {
    /// How long something must have been in the trash.
    pub older_than: Duration,
    /// Whether it is only found out what would be freed.
    pub dry_run: bool,
}

/// What was freed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Freed {
    /// Ids of runs.
    pub runs: Vec<String>,
    /// Values of metrics of these runs.
    pub values: u64,
    /// Versions: the name of the model and the number.
    pub versions: Vec<(String, u64)>,
    /// Files.
    pub files: u64,
    /// Bytes of these files.
    pub file_bytes: u64,
    /// Files that nothing refers to and that are too young: somebody may be about to register them.
    pub young_files: u64,
    /// Bytes that the database file became smaller; none where it was left as it is.
    pub database_bytes: Option<u64>,
    /// Bytes within the database file that later runs will use.
    pub reusable_bytes: u64,
}

/// What is to go, by its keys.
#[derive(Debug, Default)]
struct Plan {
    /// Key and id.
    runs: Vec<(i64, String)>,
    versions: Vec<Version>,
}

impl Store {
    /// Frees what has been in the trash for long enough and files that nothing refers to, or says what would be freed.
    ///
    /// # Errors
    /// From the database and the files. What was freed until then is freed.
    pub async fn free(&self, asked: &Cleaning, who: &str) -> Result<Freed> {
        self.mark_dead_runs().await?;
        let age = Micros::try_from(asked.older_than.as_micros()).unwrap_or(Micros::MAX);
        let until = self.now().saturating_sub(age);
        let mut plan = self.plan(until).await?;
        let mut freed = Freed::default();
        if asked.dry_run {
            freed.values = self.values_of(&plan.runs).await?;
        } else {
            freed.values = self.delete(&mut plan, until, who).await?;
        }
        self.free_files(&plan, asked.dry_run, &mut freed).await?;
        if !asked.dry_run {
            let running = self.column("SELECT run_id FROM runs WHERE status = 'running'").await?.into_iter().collect();
            self.home().sweep_marks(&running, SystemTime::now() - Duration::from_micros(GRACE.unsigned_abs()));
        }
        freed.runs = plan.runs.into_iter().map(|(_, run_id)| run_id).collect();
        freed.versions = plan.versions.into_iter().map(|v| (v.registered.name, v.version)).collect();
        if !asked.dry_run {
            freed.database_bytes = self.database().compact().await?;
        }
        freed.reusable_bytes = self.database().reusable().await?;
        Ok(freed)
    }

    /// What was thrown away until a time and is needed by nothing that stays.
    async fn plan(&self, until: Micros) -> Result<Plan> {
        let versions: Vec<Version> = self.deleted_versions(None).await?;
        let (versions, stay): (Vec<_>, Vec<_>) =
            versions.into_iter().partition(|v| v.deleted.as_ref().is_some_and(|d| d.at <= until));
        let mut needed: HashSet<String> = stay.into_iter().map(|v| v.registered.run_id).collect();
        needed.extend(self.column("SELECT run_id FROM versions WHERE deleted IS NULL").await?);
        let parents = format!(
            "SELECT c.parent FROM runs c JOIN runs p ON p.id = c.parent WHERE p.deleted IS NOT NULL \
             AND (c.deleted IS NULL OR c.deleted > {until} OR c.status = '{}')",
            Status::Running
        );
        let mut with_others: HashSet<i64> = self.column(&parents).await?.into_iter().collect();
        let thrown = format!(
            "SELECT id, run_id, parent FROM runs WHERE deleted <= {until} AND status <> '{}' ORDER BY id DESC",
            Status::Running
        );
        let told = |e| self.database().error(e);
        let mut runs = Vec::new();
        // Runs within others have the larger keys: what they keep is known before their parents are reached.
        for row in &self.rows(&thrown).await? {
            let (key, run_id): (i64, String) = (get(row, 0).map_err(told)?, get(row, 1).map_err(told)?);
            if needed.contains(&run_id) || with_others.contains(&key) {
                with_others.extend(get::<Option<i64>>(row, 2).map_err(told)?);
            } else {
                runs.push((key, run_id));
            }
        }
        Ok(Plan { runs, versions })
    }

    /// Deletes what is planned, but for what was brought back in the meantime. Returns the number of values of metrics.
    async fn delete(&self, plan: &mut Plan, until: Micros, who: &str) -> Result<u64> {
        let told = |e| self.database().error(e);
        let mover = Mover { who: who.to_owned(), ..Mover::default() };
        let mut gone = Vec::new();
        for version in std::mem::take(&mut plan.versions) {
            let mut tx = self.database().write().await?;
            let key = self.lock_model(&mut tx, &version.registered.name).await?;
            let delete = sqlx::query(
                "DELETE FROM versions WHERE id = $1 AND deleted <= $2 AND NOT EXISTS (SELECT 1 FROM aliases a \
                 WHERE a.model = versions.model AND a.version = versions.version)",
            );
            let done = delete.bind(version.key).bind(until).execute(&mut *tx).await.map_err(told)?;
            let is_gone = done.rows_affected() == 1;
            if is_gone {
                self.write_event(&mut tx, key, version.version, Happened::Freed, &mover).await?;
            }
            self.database().commit(tx).await?;
            gone.extend(is_gone.then_some(version));
        }
        plan.versions = gone;
        let (mut values, mut gone) = (0, HashSet::new());
        for chunk in plan.runs.chunks(RUNS_AT_ONCE) {
            let list = list(chunk);
            let mut tx = self.database().write().await?;
            let delete = format!(
                "DELETE FROM runs WHERE id IN ({list}) AND deleted <= $1 \
                 AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.run_id = runs.run_id) \
                 AND NOT EXISTS (SELECT 1 FROM runs c WHERE c.parent = runs.id \
                 AND (c.deleted IS NULL OR c.deleted > $1 OR c.id NOT IN ({list}))) RETURNING id"
            );
            let points = format!("SELECT run, points FROM metrics WHERE run IN ({list})");
            let points =
                sqlx::query(AssertSqlSafe(points)).persistent(false).fetch_all(&mut *tx).await.map_err(told)?;
            let delete = sqlx::query(AssertSqlSafe(delete)).persistent(false).bind(until);
            for row in &delete.fetch_all(&mut *tx).await.map_err(told)? {
                gone.insert(get::<i64>(row, 0).map_err(told)?);
            }
            self.database().commit(tx).await?;
            for row in &points {
                let (run, points): (i64, i64) = (get(row, 0).map_err(told)?, get(row, 1).map_err(told)?);
                values += if gone.contains(&run) { points.unsigned_abs() } else { 0 };
            }
        }
        plan.runs.retain(|(key, _)| gone.contains(key));
        Ok(values)
    }

    async fn values_of(&self, runs: &[(i64, String)]) -> Result<u64> {
        let mut values = 0;
        for chunk in runs.chunks(RUNS_AT_ONCE) {
            let sql = format!("SELECT points FROM metrics WHERE run IN ({})", list(chunk));
            values += self.column::<i64>(&sql).await?.into_iter().map(i64::unsigned_abs).sum::<u64>();
        }
        Ok(values)
    }

    /// Takes files away that nothing refers to. In a dry run, what is planned refers to nothing.
    async fn free_files(&self, plan: &Plan, dry_run: bool, freed: &mut Freed) -> Result<()> {
        // What is written after this is not looked at.
        let kept = self.files().list()?;
        // Nobody adds files from here on, so none comes to be referred to that was not before.
        let _held = self.files().hold_alone().await?;
        let _locked = self.database().lock_files().await?;
        let (runs, versions): (HashSet<i64>, HashSet<i64>) = match dry_run {
            true => (plan.runs.iter().map(|(key, _)| *key).collect(), plan.versions.iter().map(|v| v.key).collect()),
            false => Default::default(),
        };
        let mut referred = HashSet::new();
        for (sql, but) in [("SELECT id, file FROM versions", versions), ("SELECT run, file FROM run_files", runs)] {
            for row in &self.rows(sql).await? {
                let read = || Ok((get::<i64>(row, 0)?, get::<String>(row, 1)?));
                let (key, file) = read().map_err(|e| self.database().error(e))?;
                if !but.contains(&key) {
                    referred.insert(file);
                }
            }
        }
        let written_until = self.now().saturating_sub(GRACE);
        let mut unused: Vec<Kept> = kept.into_iter().filter(|kept| !referred.contains(&kept.name)).collect();
        unused.sort_by(|a, b| a.name.cmp(&b.name));
        let (mut old, young): (Vec<Kept>, Vec<Kept>) =
            unused.into_iter().partition(|kept| kept.modified <= written_until);
        freed.young_files = young.len() as u64;
        if !dry_run {
            old = self.files().remove(old, written_until)?;
        }
        freed.files = old.len() as u64;
        freed.file_bytes = old.iter().map(|kept| kept.size).sum();
        Ok(())
    }

    async fn rows(&self, sql: &str) -> Result<Vec<AnyRow>> {
        // Numbers of our own alone stand in these queries.
        let query = sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false);
        query.fetch_all(self.database().pool()).await.map_err(|e| self.database().error(e))
    }

    async fn column<T>(&self, sql: &str) -> Result<Vec<T>>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any>,
    {
        let rows = self.rows(sql).await?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(|e| self.database().error(e))
    }
}

fn list(runs: &[(i64, String)]) -> String {
    runs.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>().join(", ")
}
