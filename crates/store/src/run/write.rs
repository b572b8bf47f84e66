//! Writing runs: a row, and batches of what is logged, each in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::any::{Any, AnyRow};
use sqlx::{AssertSqlSafe, Transaction};

use super::{Batch, Measured, NewRun, RunDocument, Status};
use crate::database::{Values, get};
use crate::error::{Error, Result};
use crate::time::Micros;
use crate::{Store, id, name};

/// Rows of one INSERT. Both databases take at least 32,766 parameters a statement.
const ROWS_AT_ONCE: usize = 1_000;
/// The longest value of a parameter or tag, in bytes.
const LONGEST_VALUE: usize = 10_000;
/// The longest note, in bytes.
const LONGEST_NOTE: usize = 1_000_000;

type Tx = Transaction<'static, Any>;

impl Store {
    /// Writes whole runs, parents before their children, in one transaction. A run that is there already becomes what its
    /// document says: importing twice is as good as once.
    ///
    /// # Errors
    /// For names and values that cannot be, a parent that is not there, and what the database says; then nothing is written.
    pub async fn record(&self, documents: &[RunDocument]) -> Result<()> {
        for document in documents {
            id::check(&document.run_id)?;
            document.run.check()?;
            check_batch(&document.logged)?;
        }
        let mut tx = self.database().write().await?;
        for document in documents {
            self.write_document(&mut tx, document).await?;
        }
        self.database().commit(tx).await
    }

    async fn write_document(&self, tx: &mut Tx, document: &RunDocument) -> Result<()> {
        let row = Row {
            run_id: &document.run_id,
            run: &document.run,
            status: document.status,
            started: document.started,
            // The clock may have jumped back while it ran.
            ended: document.ended.map(|ended| ended.max(document.started)),
        };
        let key = self.write_row(tx, row).await?;
        for sql in [
            "DELETE FROM metric_points WHERE metric IN (SELECT id FROM metrics WHERE run = $1)",
            "DELETE FROM metrics WHERE run = $1",
            "DELETE FROM params WHERE run = $1",
        ] {
            let done = sqlx::query(sql).bind(key).execute(&mut **tx).await;
            done.map_err(|e| self.database().error(e))?;
        }
        self.write_batch(tx, key, &document.logged).await
    }

    /// Inserts a run, or brings the one of this id up to date. Returns its key.
    pub(super) async fn write_row(&self, tx: &mut Tx, row: Row<'_>) -> Result<i64> {
        let told = |e| self.database().error(e);
        let run = row.run;
        let experiment = sqlx::query(
            "INSERT INTO experiments (project, name, created) VALUES ($1, $2, $3) \
             ON CONFLICT (project, name) DO UPDATE SET created = experiments.created RETURNING id",
        )
        .bind(run.project.as_str())
        .bind(run.experiment.as_str())
        .bind(row.started)
        .fetch_one(&mut **tx)
        .await
        .map_err(told)?;
        let experiment: i64 = get(&experiment, 0).map_err(told)?;
        let parent = match &run.parent {
            None => None,
            Some(parent) => Some(self.key_of(tx, parent).await?),
        };
        let inserted = sqlx::query(
            "INSERT INTO runs (run_id, experiment, parent, kind, name, status, started, ended, primary_metric, note, info) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', $10) \
             ON CONFLICT (run_id) DO UPDATE SET experiment = excluded.experiment, parent = excluded.parent, \
             kind = excluded.kind, name = excluded.name, status = excluded.status, started = excluded.started, \
             ended = excluded.ended, primary_metric = excluded.primary_metric, info = excluded.info RETURNING id",
        )
        .bind(row.run_id)
        .bind(experiment)
        .bind(parent)
        .bind(run.kind.as_str())
        .bind(run.name.as_str())
        .bind(row.status.name())
        .bind(row.started)
        .bind(row.ended)
        .bind(run.primary_metric.as_str())
        .bind(run.info.to_string())
        .fetch_one(&mut **tx)
        .await
        .map_err(told)?;
        get(&inserted, 0).map_err(told)
    }

    /// The key of a run that is there.
    pub(super) async fn key_of(&self, tx: &mut Tx, run_id: &str) -> Result<i64> {
        let told = |e| self.database().error(e);
        let found = sqlx::query("SELECT id FROM runs WHERE run_id = $1").bind(run_id).fetch_optional(&mut **tx).await;
        match found.map_err(told)? {
            Some(row) => get(&row, 0).map_err(told),
            None => Err(Error::Unknown { what: "run", name: run_id.to_owned(), hint: String::new() }),
        }
    }

    /// Logs to a run: all of a batch, or nothing.
    ///
    /// # Errors
    /// For names and values that cannot be, a parameter that has another value already, and what the database says.
    pub async fn log(&self, run_id: &str, batch: &Batch) -> Result<()> {
        check_batch(batch)?;
        let mut tx = self.database().write().await?;
        let key = self.key_of(&mut tx, run_id).await?;
        self.write_batch(&mut tx, key, batch).await?;
        self.database().commit(tx).await
    }

    pub(super) async fn write_batch(&self, tx: &mut Tx, run: i64, batch: &Batch) -> Result<()> {
        let told = |e| self.database().error(e);
        self.write_params(tx, run, &batch.params).await?;
        for (name, value) in &batch.tags {
            let sql = "INSERT INTO tags (name, run, value) VALUES ($1, $2, $3) \
                       ON CONFLICT (name, run) DO UPDATE SET value = excluded.value";
            let done = sqlx::query(sql).bind(name.as_str()).bind(run).bind(value.as_str()).execute(&mut **tx).await;
            done.map_err(told)?;
        }
        if let Some(note) = &batch.note {
            let done = sqlx::query("UPDATE runs SET note = $1 WHERE id = $2").bind(note.as_str()).bind(run);
            done.execute(&mut **tx).await.map_err(told)?;
        }
        for file in &batch.files {
            let sql = "INSERT INTO run_files (run, path, file, size) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (run, path) DO UPDATE SET file = excluded.file, size = excluded.size";
            let insert = sqlx::query(sql).bind(run).bind(file.path.as_str()).bind(file.file.as_str());
            insert.bind(file.size as i64).execute(&mut **tx).await.map_err(told)?;
        }
        self.write_metrics(tx, run, &batch.metrics).await
    }

    async fn write_params(&self, tx: &mut Tx, run: i64, params: &BTreeMap<String, String>) -> Result<()> {
        if params.is_empty() {
            return Ok(());
        }
        let told = |e| self.database().error(e);
        let params: Vec<(&String, &String)> = params.iter().collect();
        for chunk in params.chunks(ROWS_AT_ONCE) {
            let mut values = Values::new(self.database().dialect);
            for (name, value) in chunk {
                values.begin();
                values.add((*name).clone())?;
                values.add(run)?;
                values.add((*value).clone())?;
                values.add_number(value.parse().ok().filter(|n: &f64| n.is_finite()).unwrap_or(f64::NAN))?;
                values.end();
            }
            // Returns no row where another value stands; the same value is written once more.
            let sql = format!(
                "INSERT INTO params (name, run, value, number) VALUES {} \
                 ON CONFLICT (name, run) DO UPDATE SET value = excluded.value WHERE params.value = excluded.value \
                 RETURNING name",
                values.sql
            );
            let insert = sqlx::query_with(AssertSqlSafe(sql), values.arguments);
            let rows = insert.fetch_all(&mut **tx).await.map_err(told)?;
            let written: BTreeSet<String> = rows.iter().map(|r| get(r, 0)).collect::<Result<_, _>>().map_err(told)?;
            if let Some((name, value)) = chunk.iter().find(|(name, _)| !written.contains(*name)) {
                let old =
                    sqlx::query("SELECT value FROM params WHERE name = $1 AND run = $2").bind(name.as_str()).bind(run);
                let old: String = get(&old.fetch_one(&mut **tx).await.map_err(told)?, 0).map_err(told)?;
                return Err(Error::Conflict(format!(
                    "the parameter {} of this run is {} already and cannot become {}; log it under another name",
                    name::shown(name),
                    name::shown(&old),
                    name::shown(value)
                )));
            }
        }
        Ok(())
    }

    async fn write_metrics(&self, tx: &mut Tx, run: i64, measured: &[Measured]) -> Result<()> {
        if measured.is_empty() {
            return Ok(());
        }
        let mut series: BTreeMap<&str, Vec<&Measured>> = BTreeMap::new();
        for one in measured {
            series.entry(&one.name).or_default().push(one);
        }
        let series: Vec<(&str, Vec<&Measured>)> = series.into_iter().collect();
        for chunk in series.chunks(ROWS_AT_ONCE) {
            let keys = self.write_summaries(tx, run, chunk).await?;
            let mut rows = Vec::new();
            for (name, points) in chunk {
                let Some((key, count)) = keys.get(*name) else { continue };
                let first = count - points.len() as i64;
                rows.extend(points.iter().enumerate().map(|(i, point)| (*key, first + i as i64, *point)));
            }
            self.write_points(tx, &rows).await?;
        }
        Ok(())
    }

    /// Adds the values to what is known of each metric. Returns its key, and its number of values after that.
    async fn write_summaries(
        &self,
        tx: &mut Tx,
        run: i64,
        series: &[(&str, Vec<&Measured>)],
    ) -> Result<BTreeMap<String, (i64, i64)>> {
        let told = |e| self.database().error(e);
        let mut values = Values::new(self.database().dialect);
        for (name, points) in series {
            let defined: Vec<f64> = points.iter().map(|p| p.value).filter(|v| !v.is_nan()).collect();
            let last = points.iter().enumerate().max_by_key(|(i, p)| (p.step, *i)).map(|(_, p)| *p);
            let extreme = |pick: fn(f64, f64) -> f64| defined.iter().copied().reduce(pick).unwrap_or(f64::NAN);
            values.begin();
            values.add(run)?;
            values.add((*name).to_owned())?;
            values.add(points.len() as i64)?;
            values.add(defined.len() as i64)?;
            values.add_number(last.map_or(f64::NAN, |p| p.value))?;
            values.add(last.map_or(0, |p| p.step))?;
            values.add_number(extreme(f64::min))?;
            values.add_number(extreme(f64::max))?;
            values.add_number(if defined.is_empty() { f64::NAN } else { defined.iter().sum() })?;
            values.end();
        }
        let sql = format!(
            "INSERT INTO metrics (run, name, points, defined, last, last_step, low, high, total) VALUES {} \
             ON CONFLICT (run, name) DO UPDATE SET points = metrics.points + excluded.points, \
             defined = metrics.defined + excluded.defined, \
             last = CASE WHEN excluded.last_step >= metrics.last_step THEN excluded.last ELSE metrics.last END, \
             last_step = CASE WHEN excluded.last_step >= metrics.last_step THEN excluded.last_step ELSE metrics.last_step END, \
             low = CASE WHEN metrics.low IS NULL OR excluded.low < metrics.low THEN excluded.low ELSE metrics.low END, \
             high = CASE WHEN metrics.high IS NULL OR excluded.high > metrics.high THEN excluded.high ELSE metrics.high END, \
             total = CASE WHEN metrics.defined = 0 THEN excluded.total WHEN excluded.defined = 0 THEN metrics.total \
             ELSE metrics.total + excluded.total END \
             RETURNING name, id, points",
            values.sql
        );
        let insert = sqlx::query_with(AssertSqlSafe(sql), values.arguments);
        let rows: Vec<AnyRow> = insert.fetch_all(&mut **tx).await.map_err(told)?;
        let read = |row: &AnyRow| Ok((get(row, 0)?, (get(row, 1)?, get(row, 2)?)));
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(told)
    }

    async fn write_points(&self, tx: &mut Tx, rows: &[(i64, i64, &Measured)]) -> Result<()> {
        for chunk in rows.chunks(ROWS_AT_ONCE) {
            let mut values = Values::new(self.database().dialect);
            for (metric, number, point) in chunk {
                values.begin();
                for whole in [*metric, *number, point.step, point.at] {
                    values.add(whole)?;
                }
                values.add_number(point.value)?;
                values.end();
            }
            let sql = format!("INSERT INTO metric_points (metric, number, step, at, value) VALUES {}", values.sql);
            let insert = sqlx::query_with(AssertSqlSafe(sql), values.arguments);
            insert.execute(&mut **tx).await.map_err(|e| self.database().error(e))?;
        }
        Ok(())
    }

    /// Says how a run ended.
    pub(super) async fn write_end(&self, run_id: &str, status: Status, ended: Option<Micros>) -> Result<()> {
        let mut tx = self.database().write().await?;
        // The clock may have jumped back while it ran.
        let update = sqlx::query(
            "UPDATE runs SET status = $1, ended = CASE WHEN $2 < started THEN started ELSE $2 END WHERE run_id = $3",
        );
        let done = update.bind(status.name()).bind(ended).bind(run_id).execute(&mut *tx).await;
        done.map_err(|e| self.database().error(e))?;
        self.database().commit(tx).await
    }
}

/// What stands in the row of a run.
pub(super) struct Row<'a> {
    pub(super) run_id: &'a str,
    pub(super) run: &'a NewRun,
    pub(super) status: Status,
    pub(super) started: Micros,
    pub(super) ended: Option<Micros>,
}

pub(super) fn check_batch(batch: &Batch) -> Result<()> {
    for (what, pairs) in [("the parameter", &batch.params), ("the tag", &batch.tags)] {
        for (key, value) in pairs {
            name::check_key(what, key)?;
            check_text(what, key, value, LONGEST_VALUE)?;
        }
    }
    if let Some(note) = &batch.note {
        check_text("the note", "", note, LONGEST_NOTE)?;
    }
    batch.metrics.iter().try_for_each(|m| name::check_key("the metric", &m.name))?;
    batch.files.iter().try_for_each(|f| {
        name::check_path(&f.path)?;
        name::check_path(&f.file)
    })
}

/// PostgreSQL stores no text with a NUL in it.
fn check_text(what: &'static str, key: &str, text: &str, longest: usize) -> Result<()> {
    if text.len() > longest {
        return Err(Error::Invalid(format!("{what} `{key}` has {} bytes; {longest} are allowed", text.len())));
    }
    match text.contains('\0') {
        true => Err(Error::Invalid(format!("{what} `{key}` holds a NUL; leave it out"))),
        false => Ok(()),
    }
}
