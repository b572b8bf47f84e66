//! Registering a version: its number, its row and its first alias, in one transaction.

use sqlx::Transaction;
use sqlx::any::Any;

use super::alias::{Mover, NewMove};
use super::{Action, NewVersion, Version};
use crate::database::{Dialect, get};
use crate::error::{Error, Result};
use crate::reference::CHAMPION;
use crate::time::Micros;
use crate::{Files, Store, name};

impl Store {
    /// Registers a version under the next number, and points aliases to it: `champion` if no other of its name is there,
    /// and `alias` where one is given. The file must be there already. A version of this name, run and content that is there
    /// already is returned as it is: asking twice is as good as once.
    ///
    /// # Errors
    /// For names that cannot be, a file that is not there, and what the database says; then nothing is registered.
    pub async fn register(&self, new: &NewVersion, alias: Option<&str>, mover: &Mover) -> Result<Version> {
        check(new)?;
        alias.map_or(Ok(()), name::check_alias)?;
        // From here to the end, nobody takes the file away.
        let _held = self.files().hold()?;
        let mut tx = self.begin_with(&new.file).await?;
        if let Some(known) = self.known_version(&mut tx, new).await? {
            self.database().commit(tx).await?;
            return self.version_by_number(&new.name, known).await;
        }
        let told = |e| self.database().error(e);
        let row = sqlx::query(
            "INSERT INTO models (name, created, description, last_version) VALUES ($1, $2, '', 1) \
             ON CONFLICT (name) DO UPDATE SET last_version = models.last_version + 1 RETURNING id, last_version",
        )
        .bind(new.name.as_str())
        .bind(self.now())
        .fetch_one(&mut *tx)
        .await
        .map_err(told)?;
        let (model, number): (i64, i64) = (get(&row, 0).map_err(told)?, get(&row, 1).map_err(told)?);
        // The row of the model is ours now: what is counted stays true until the end.
        let (created, is_first) = self.when_registered(&mut tx, model).await?;
        self.insert_version(&mut tx, model, number, created, new).await?;
        let aliases = is_first.then_some(CHAMPION).into_iter().chain(alias.filter(|a| !is_first || *a != CHAMPION));
        for alias in aliases {
            let to = NewMove { alias, to: Some(number.unsigned_abs()), action: Action::Registered, expected: None };
            self.write_move(&mut tx, model, &to, mover).await?;
        }
        self.database().commit(tx).await?;
        self.version_by_number(&new.name, number.unsigned_abs()).await
    }

    /// A transaction until whose end a file is there. On SQLite, others wait for it: they do not for a bucket to answer.
    async fn begin_with(&self, file: &str) -> Result<Transaction<'static, Any>> {
        match self.database().dialect {
            Dialect::Sqlite => {
                self.files().size(file)?;
                self.database().write().await
            }
            Dialect::Postgres => {
                let mut tx = self.database().write().await?;
                self.database().share_files(&mut tx).await?;
                self.files().size(file)?;
                Ok(tx)
            }
        }
    }

    /// When a version that is registered now was registered: not before those before it, even if the clock jumped back. And
    /// whether it is alone: all others are in the trash, or gone.
    async fn when_registered(&self, tx: &mut Transaction<'static, Any>, model: i64) -> Result<(Micros, bool)> {
        let told = |e| self.database().error(e);
        let query = sqlx::query("SELECT MAX(created), COUNT(id) - COUNT(deleted) FROM versions WHERE model = $1");
        let row = query.bind(model).fetch_one(&mut **tx).await.map_err(told)?;
        let (last, others): (Option<Micros>, i64) = (get(&row, 0).map_err(told)?, get(&row, 1).map_err(told)?);
        Ok((last.map_or(self.now(), |last| self.now().max(last)), others == 0))
    }

    async fn known_version(&self, tx: &mut Transaction<'static, Any>, new: &NewVersion) -> Result<Option<u64>> {
        if new.run_id.is_empty() {
            return Ok(None);
        }
        let told = |e| self.database().error(e);
        let query = sqlx::query(
            "SELECT v.version FROM versions v JOIN models m ON m.id = v.model \
             WHERE m.name = $1 AND v.run_id = $2 AND v.content_id = $3 AND v.deleted IS NULL ORDER BY v.version",
        );
        let query = query.bind(new.name.as_str()).bind(new.run_id.as_str()).bind(new.content_id.as_str());
        let row = query.fetch_optional(&mut **tx).await.map_err(told)?;
        row.map(|row| get::<i64>(&row, 0).map(i64::unsigned_abs)).transpose().map_err(told)
    }

    async fn insert_version(
        &self,
        tx: &mut Transaction<'static, Any>,
        model: i64,
        number: i64,
        created: i64,
        new: &NewVersion,
    ) -> Result<()> {
        let told = |e| self.database().error(e);
        let row = sqlx::query(
            "INSERT INTO versions (model, version, content_id, file, size, run_id, created, description, metrics, evidence, \
             record, info) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id",
        )
        .bind(model)
        .bind(number)
        .bind(new.content_id.as_str())
        .bind(new.file.as_str())
        .bind(new.size as i64)
        .bind(new.run_id.as_str())
        .bind(created)
        .bind(new.description.as_str())
        .bind(serde_json::json!(new.metrics).to_string())
        .bind(new.evidence.to_string())
        .bind(new.record.to_string())
        .bind(new.info.to_string())
        .fetch_one(&mut **tx)
        .await
        .map_err(told)?;
        let key: i64 = get(&row, 0).map_err(told)?;
        for (tag, value) in &new.tags {
            let insert = sqlx::query("INSERT INTO version_tags (version, name, value) VALUES ($1, $2, $3)");
            let insert = insert.bind(key).bind(tag.as_str()).bind(value.as_str());
            insert.execute(&mut **tx).await.map_err(told)?;
        }
        Ok(())
    }
}

fn check(new: &NewVersion) -> Result<()> {
    name::check("the model name", &new.name)?;
    if new.file != Files::model_name(&new.content_id)? {
        return Err(Error::Conflict(format!("the file `{}` is not that of {}", new.file, new.content_id)));
    }
    if !new.run_id.is_empty() {
        crate::id::check(&new.run_id)?;
    }
    new.tags.keys().try_for_each(|tag| name::check_key("the tag", tag))
}
