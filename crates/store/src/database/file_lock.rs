//! The lock of those who refer to kept files and of those who take them away, between homes that share a PostgreSQL database.
//! Processes of one home, and so all that share SQLite, have the lock of the home.

use sqlx::Transaction;
use sqlx::any::Any;

use super::{Database, Dialect};
use crate::error::Result;

/// Any number that no other program uses.
const FILES_LOCK: i64 = 0x7461_6279;

impl Database {
    /// Until the end of a transaction, no other home takes files away.
    pub(crate) async fn share_files(&self, tx: &mut Transaction<'static, Any>) -> Result<()> {
        self.lock(tx, "SELECT pg_advisory_xact_lock_shared($1)").await
    }

    /// While the answer is held, no other home registers files.
    pub(crate) async fn lock_files(&self) -> Result<Option<Transaction<'static, Any>>> {
        if self.dialect == Dialect::Sqlite {
            return Ok(None);
        }
        let mut tx = self.write().await?;
        self.lock(&mut tx, "SELECT pg_advisory_xact_lock($1)").await?;
        Ok(Some(tx))
    }

    async fn lock(&self, tx: &mut Transaction<'static, Any>, sql: &'static str) -> Result<()> {
        let told = |e| self.error(e);
        let limit = sqlx::query("SELECT set_config('lock_timeout', $1, true)").bind(self.wait.as_millis().to_string());
        limit.execute(&mut **tx).await.map_err(told)?;
        sqlx::query(sql).bind(FILES_LOCK).execute(&mut **tx).await.map_err(told)?;
        Ok(())
    }
}
