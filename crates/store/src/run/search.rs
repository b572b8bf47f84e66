//! Finding runs: by a filter, in an order, a page at a time.

use tabwright_core::filter;

use super::query::{Order, Query, leading};
use super::{Run, Status};
use crate::Store;
use crate::database::get;
use crate::error::{Error, Result};

/// The largest page.
const LARGEST_PAGE: usize = 10_000;

/// Which runs are asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// A condition, such as `metrics.roc_auc > 0.9 and tags.owner like 'a%'`; empty: all.
    pub filter: String,
    /// Orders, the first above the next; none: the latest first.
    pub sort: Vec<Order>,
    /// Whether runs within runs are meant too.
    pub nested: bool,
    /// The runs within this one alone.
    pub parent: Option<String>,
    /// Whether those that were thrown away are meant, and no others.
    pub deleted: bool,
    /// Runs at most.
    pub limit: usize,
    /// Runs that are passed over.
    pub offset: usize,
}

impl Default for Search {
    /// The latest 100 runs that are not within others.
    fn default() -> Self {
        Search {
            filter: String::new(),
            sort: Vec::new(),
            nested: false,
            parent: None,
            deleted: false,
            limit: 100,
            offset: 0,
        }
    }
}

/// A page of runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The runs, in their order.
    pub runs: Vec<Run>,
    /// Whether there are more.
    pub more: bool,
}

impl Store {
    /// Finds runs.
    ///
    /// # Errors
    /// [`Error::Filter`] with the place for a filter that cannot be read; from the database.
    pub async fn search(&self, search: &Search) -> Result<Page> {
        self.mark_dead_runs().await?;
        if search.limit == 0 || search.limit > LARGEST_PAGE {
            return Err(Error::Conflict(format!("a page has from 1 to {LARGEST_PAGE} runs, not {}", search.limit)));
        }
        let filter = match search.filter.trim().is_empty() {
            true => None,
            false => Some(filter::parse(&search.filter)?),
        };
        let leading = filter.as_ref().and_then(|filter| leading(&search.filter, filter, &search.sort));
        let mut query = Query::new(self.database().dialect, leading);
        let mut conditions = vec![format!("r.deleted IS {}NULL", if search.deleted { "NOT " } else { "" })];
        if let Some(filter) = &filter {
            conditions.push(query.filter(&search.filter, filter)?);
        }
        match &search.parent {
            Some(parent) => {
                let parent = query.bind(self.run_key(parent).await?)?;
                conditions.push(format!("r.parent = {parent}"));
            }
            None if !search.nested => conditions.push("r.parent IS NULL".to_owned()),
            None => {}
        }
        let (joins, order) = query.order(&search.sort)?;
        let limit = query.bind(search.limit as i64 + 1)?;
        let offset = query.bind(i64::try_from(search.offset).unwrap_or(i64::MAX))?;
        query.sql = format!(
            "SELECT r.id FROM runs r JOIN experiments e ON e.id = r.experiment{joins} WHERE {} ORDER BY {order} \
             LIMIT {limit} OFFSET {offset}",
            conditions.join(" AND ")
        );
        let told = |e| self.database().error(e);
        let query = sqlx::query_with(sqlx::AssertSqlSafe(query.sql), query.arguments);
        let rows = query.fetch_all(self.database().pool()).await.map_err(told)?;
        let mut keys: Vec<i64> = rows.iter().map(|row| get(row, 0)).collect::<Result<_, _>>().map_err(told)?;
        let more = keys.len() > search.limit;
        keys.truncate(search.limit);
        Ok(Page { runs: self.load(&keys).await?, more })
    }

    /// Marks runs of this home whose process has died. Where the home cannot be written, they stay as they are.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub(crate) async fn mark_dead_runs(&self) -> Result<()> {
        let told = |e| self.database().error(e);
        if self.check_writable().is_err() {
            return Ok(());
        }
        let query = sqlx::query(
            "SELECT r.run_id, p.status FROM runs r LEFT JOIN runs p ON p.id = r.parent WHERE r.status = 'running'",
        );
        let rows = query.fetch_all(self.database().pool()).await.map_err(told)?;
        let running: Vec<(String, Option<String>)> =
            rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect::<Result<_, _>>().map_err(told)?;
        // A server may confirm a run within another after the process, and with it the other run, was found dead.
        let has_died = |(run_id, parent): &&(String, Option<String>)| {
            parent.as_deref() == Some(Status::Killed.name()) || self.home().has_died(run_id)
        };
        for (run_id, _) in running.iter().filter(has_died) {
            // A run and those within it die together.
            let update = "UPDATE runs SET status = $1 WHERE status = 'running' AND (run_id = $2 OR parent IN \
                          (SELECT id FROM runs WHERE run_id = $2))";
            let Ok(mut tx) = self.database().write().await else { return Ok(()) };
            let done = sqlx::query(update).bind(Status::Killed.name()).bind(run_id.as_str()).execute(&mut *tx).await;
            if done.is_ok() && self.database().commit(tx).await.is_ok() {
                self.home().unmark(run_id);
            }
        }
        Ok(())
    }
}
