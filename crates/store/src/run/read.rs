//! Reading runs: with all that was logged, and the history of a metric.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;
use tabwright_core::suggest;

use super::{MetricSummary, NewRun, Run, RunFile, Status};
use crate::database::{get, number};
use crate::error::{Error, Result};
use crate::time::Micros;
use crate::{Deletion, Store, id};

/// Runs that are read at a time.
const RUNS_AT_ONCE: usize = 1_000;
/// Runs that a message about several names.
const NAMED: usize = 5;

/// A value in the history of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricPoint {
    /// Where in the course of the run.
    pub step: i64,
    /// When, in microseconds since 1970, UTC.
    pub at: Micros,
    /// The value.
    pub value: f64,
}

impl Store {
    /// The run of an id, or of the beginning of one.
    ///
    /// # Errors
    /// [`Error::Unknown`], or [`Error::Ambiguous`] if several runs begin so.
    pub async fn run(&self, prefix: &str) -> Result<Run> {
        self.mark_dead_runs().await?;
        let key = self.run_key(prefix).await?;
        let mut runs = self.load(&[key]).await?;
        runs.pop().ok_or_else(|| unknown(prefix))
    }

    pub(crate) async fn run_key(&self, prefix: &str) -> Result<i64> {
        id::check_prefix(prefix)?;
        let told = |e| self.database().error(e);
        // Digits and small letters alone: nothing of a pattern, and `g` is above them all.
        let query =
            sqlx::query("SELECT id, run_id FROM runs WHERE run_id >= $1 AND run_id < $2 ORDER BY run_id LIMIT $3");
        let query = query.bind(prefix).bind(format!("{prefix}g")).bind(NAMED as i64 + 1);
        let rows = query.fetch_all(self.database().pool()).await.map_err(told)?;
        let found: Vec<(i64, String)> =
            rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect::<Result<_, _>>().map_err(told)?;
        match found.as_slice() {
            [] => Err(unknown(prefix)),
            [(key, _)] => Ok(*key),
            [(key, whole), ..] if whole == prefix => Ok(*key),
            several => {
                let found = suggest::shorten(several.iter().map(|(_, id)| id.as_str()).take(NAMED));
                Err(Error::Ambiguous { prefix: prefix.to_owned(), found })
            }
        }
    }

    /// The history of a metric of a run, in the order of its steps, and of writing within a step.
    ///
    /// # Errors
    /// As [`Store::run`]; [`Error::Unknown`] for a metric that the run has not.
    pub async fn history(&self, run: &str, metric: &str) -> Result<Vec<MetricPoint>> {
        let key = self.run_key(run).await?;
        let told = |e| self.database().error(e);
        let query = sqlx::query(
            "SELECT p.step, p.at, p.value FROM metrics m JOIN metric_points p ON p.metric = m.id \
             WHERE m.run = $1 AND m.name = $2 ORDER BY p.step, p.number",
        );
        let rows = query.bind(key).bind(metric).fetch_all(self.database().pool()).await.map_err(told)?;
        if rows.is_empty() {
            let run = self.load(&[key]).await?.pop();
            let names: Vec<&String> = run.iter().flat_map(|r| r.metrics.keys()).collect();
            let hint = suggest::did_you_mean(metric, names.iter().map(|n| n.as_str()));
            return Err(Error::Unknown { what: "metric of this run", name: metric.to_owned(), hint });
        }
        let read = |row: &AnyRow| Ok(MetricPoint { step: get(row, 0)?, at: get(row, 1)?, value: number(row, 2)? });
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(told)
    }

    /// Reads runs with all that was logged, in the order of their keys here.
    pub(super) async fn load(&self, keys: &[i64]) -> Result<Vec<Run>> {
        let mut runs = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(RUNS_AT_ONCE) {
            // Keys are numbers of our own: they may stand in the SQL.
            let list = chunk.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
            runs.extend(self.load_some(chunk, &list).await?);
        }
        Ok(runs)
    }

    async fn load_some(&self, keys: &[i64], list: &str) -> Result<Vec<Run>> {
        let told = |e| self.database().error(e);
        let rows = self
            .select(format!(
                "SELECT r.id, r.run_id, e.project, e.name, p.run_id, r.kind, r.name, r.status, r.started, r.ended, \
                 r.primary_metric, r.note, r.info, r.deleted, r.deleted_by FROM runs r JOIN experiments e ON e.id = r.experiment \
                 LEFT JOIN runs p ON p.id = r.parent WHERE r.id IN ({list})"
            ))
            .await?;
        let mut runs: BTreeMap<i64, Run> = BTreeMap::new();
        for row in &rows {
            let run = read_run(row).map_err(told)??;
            runs.insert(run.key, run);
        }
        for row in &self.select(format!("SELECT run, name, value FROM params WHERE run IN ({list})")).await? {
            let (run, name, value) = read_pair(row).map_err(told)?;
            runs.entry(run).and_modify(|r| r.params.extend([(name, value)]));
        }
        for row in &self.select(format!("SELECT run, name, value FROM tags WHERE run IN ({list})")).await? {
            let (run, name, value) = read_pair(row).map_err(told)?;
            runs.entry(run).and_modify(|r| r.tags.extend([(name, value)]));
        }
        let sql =
            format!("SELECT run, name, points, defined, last, low, high, total FROM metrics WHERE run IN ({list})");
        for row in &self.select(sql).await? {
            let (run, name, summary) = read_summary(row).map_err(told)?;
            runs.entry(run).and_modify(|r| r.metrics.extend([(name, summary)]));
        }
        let sql = format!("SELECT run, path, file, size FROM run_files WHERE run IN ({list}) ORDER BY path");
        for row in &self.select(sql).await? {
            let (run, file) = read_file(row).map_err(told)?;
            runs.entry(run).and_modify(|r| r.files.push(file));
        }
        Ok(keys.iter().filter_map(|key| runs.remove(key)).collect())
    }

    async fn select(&self, sql: String) -> Result<Vec<AnyRow>> {
        let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        query.fetch_all(self.database().pool()).await.map_err(|e| self.database().error(e))
    }
}

fn unknown(prefix: &str) -> Error {
    let hint = "; `tabwright runs list` shows those that there are".to_owned();
    Error::Unknown { what: "run", name: prefix.to_owned(), hint }
}

fn read_run(row: &AnyRow) -> Result<Result<Run>, sqlx::Error> {
    let info: String = get(row, 12)?;
    let status: String = get(row, 7)?;
    let run = NewRun {
        project: get(row, 2)?,
        experiment: get(row, 3)?,
        parent: get(row, 4)?,
        kind: get(row, 5)?,
        name: get(row, 6)?,
        primary_metric: get(row, 10)?,
        info: serde_json::from_str(&info).unwrap_or_default(),
    };
    let (key, run_id, started, ended, note) = (get(row, 0)?, get(row, 1)?, get(row, 8)?, get(row, 9)?, get(row, 11)?);
    let deleted = Deletion::read(get(row, 13)?, get(row, 14)?);
    Ok(Status::parse(&status).map(|status| Run {
        key,
        run_id,
        run,
        status,
        started,
        ended,
        note,
        params: BTreeMap::new(),
        tags: BTreeMap::new(),
        metrics: BTreeMap::new(),
        files: Vec::new(),
        deleted,
    }))
}

fn read_pair(row: &AnyRow) -> Result<(i64, String, String), sqlx::Error> {
    Ok((get(row, 0)?, get(row, 1)?, get(row, 2)?))
}

fn read_summary(row: &AnyRow) -> Result<(i64, String, MetricSummary), sqlx::Error> {
    let (points, defined): (i64, i64) = (get(row, 2)?, get(row, 3)?);
    let mean = if defined > 0 { number(row, 7)? / defined as f64 } else { f64::NAN };
    let summary = MetricSummary {
        points: points.unsigned_abs(),
        last: number(row, 4)?,
        low: number(row, 5)?,
        high: number(row, 6)?,
        mean,
    };
    Ok((get(row, 0)?, get(row, 1)?, summary))
}

fn read_file(row: &AnyRow) -> Result<(i64, RunFile), sqlx::Error> {
    let size: i64 = get(row, 3)?;
    Ok((get(row, 0)?, RunFile { path: get(row, 1)?, file: get(row, 2)?, size: size.unsigned_abs() }))
}
