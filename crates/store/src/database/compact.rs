//! Giving space back that deleted rows leave in the file of SQLite. PostgreSQL does so by itself.

use super::{Database, Dialect, get};
use crate::error::{Error, Result};

/// Free space below this many bytes is left for later rows.
const LEAST_BYTES: i64 = 1 << 20;
/// The file is written anew when at least this part of it is free: a quarter, so that every byte that is written frees a third.
const LEAST_PART: i64 = 4;

impl Database {
    /// Writes the file anew where enough of it is free. Returns by how much it became smaller; none where it was left as it is,
    /// since too little is free or others are at work.
    pub(crate) async fn compact(&self) -> Result<Option<u64>> {
        if self.dialect == Dialect::Postgres {
            return Ok(None);
        }
        let (free, pages, page) = self.pages().await?;
        if free * page < LEAST_BYTES || free * LEAST_PART < pages {
            return Ok(None);
        }
        match sqlx::raw_sql("VACUUM").execute(self.pool()).await.map_err(|e| self.error(e)) {
            Ok(_) => {}
            Err(Error::Locked { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        // The log goes into the file, which is cut; others that read meanwhile only put that off.
        let checkpoint = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(self.pool()).await;
        checkpoint.map_err(|e| self.error(e))?;
        let (_, after, _) = self.pages().await?;
        Ok(u64::try_from((pages - after) * page).ok())
    }

    /// Bytes of the file of SQLite that hold nothing.
    pub(crate) async fn reusable(&self) -> Result<u64> {
        if self.dialect == Dialect::Postgres {
            return Ok(0);
        }
        let (free, _, page) = self.pages().await?;
        Ok((free * page).unsigned_abs())
    }

    /// Free pages, all pages, and the bytes of each.
    async fn pages(&self) -> Result<(i64, i64, i64)> {
        let mut found = [0; 3];
        for (value, sql) in found.iter_mut().zip(["PRAGMA freelist_count", "PRAGMA page_count", "PRAGMA page_size"]) {
            let row = sqlx::query(sql).fetch_one(self.pool()).await.map_err(|e| self.error(e))?;
            *value = get(&row, 0).map_err(|e| self.error(e))?;
        }
        Ok((found[0], found[1], found[2]))
    }
}
