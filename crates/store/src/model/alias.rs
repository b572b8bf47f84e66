//! Moving aliases. Every move is one transaction with its line in the trail; nothing else changes an alias.

use sqlx::Transaction;
use sqlx::any::{Any, AnyRow};

use super::{Action, Move};
use crate::database::get;
use crate::error::{Error, Result};
use crate::time::Micros;
use crate::{Store, name};

/// Who moves an alias, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mover {
    /// Who.
    pub who: String,
    /// Why; may be empty.
    pub why: String,
    /// What the gate said; null where it was not asked.
    pub verdict: serde_json::Value,
}

/// A move that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewMove<'a> {
    /// The alias.
    pub alias: &'a str,
    /// The version to point to; `None` takes the alias away.
    pub to: Option<u64>,
    /// What moves it.
    pub action: Action,
    /// Where the alias pointed when the move was decided upon: if it points elsewhere by now, nothing is moved.
    pub expected: Option<Option<u64>>,
}

type Tx = Transaction<'static, Any>;

impl Store {
    /// Moves an alias of a model.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the model, the version or an alias that is to be taken away; [`Error::Conflict`] if the alias
    /// has moved since the move was decided upon.
    pub async fn move_alias(&self, model: &str, new: &NewMove<'_>, mover: &Mover) -> Result<Move> {
        name::check_alias(new.alias)?;
        let mut tx = self.database().write().await?;
        let key = self.lock_model(&mut tx, model).await?;
        let done = self.write_move(&mut tx, key, new, mover).await?;
        self.database().commit(tx).await?;
        Ok(done)
    }

    /// Points an alias to where it pointed before. Asked again, it goes one step further back.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the model or the alias, [`Error::Conflict`] where there is nothing to go back to.
    pub async fn roll_back(&self, model: &str, alias: &str, mover: &Mover) -> Result<Move> {
        name::check_alias(alias)?;
        let mut tx = self.database().write().await?;
        let key = self.lock_model(&mut tx, model).await?;
        let moves = self.moves_of(&mut tx, key).await?;
        let own: Vec<&Move> = moves.iter().filter(|m| m.alias == alias).collect();
        if own.is_empty() {
            let known = moves.iter().map(|m| m.alias.as_str());
            let hint = tabwright_core::suggest::did_you_mean(alias, known);
            return Err(Error::Unknown { what: "alias of this model", name: alias.to_owned(), hint });
        }
        // What each rollback took back is passed over, so that a second one goes on.
        let mut past: Vec<Option<u64>> = vec![None];
        for one in own {
            match one.action {
                Action::RolledBack => drop(past.pop()),
                _ => past.push(one.to),
            }
        }
        past.pop();
        let Some(Some(to)) = past.last().copied() else {
            return Err(Error::Conflict(format!(
                "`{model}@{alias}` pointed to no version before; there is nothing to go back to"
            )));
        };
        let new = NewMove { alias, to: Some(to), action: Action::RolledBack, expected: None };
        let done = self.write_move(&mut tx, key, &new, mover).await?;
        self.database().commit(tx).await?;
        Ok(done)
    }

    /// Every move of a model's aliases, the first first.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the model.
    pub async fn moves(&self, model: &str) -> Result<Vec<Move>> {
        let key = self.model_key(model).await?;
        let rows = sqlx::query(MOVES).bind(key).fetch_all(self.database().pool()).await;
        let rows = rows.map_err(|e| self.database().error(e))?;
        rows.iter().map(read_move).collect::<Result<_, sqlx::Error>>().map_err(|e| self.database().error(e))
    }

    async fn moves_of(&self, tx: &mut Tx, key: i64) -> Result<Vec<Move>> {
        let told = |e| self.database().error(e);
        let rows = sqlx::query(MOVES).bind(key).fetch_all(&mut **tx).await.map_err(told)?;
        rows.iter().map(read_move).collect::<Result<_, sqlx::Error>>().map_err(told)
    }

    /// Keeps all others from changing a model until the transaction ends. Returns its key.
    pub(crate) async fn lock_model(&self, tx: &mut Tx, model: &str) -> Result<i64> {
        let told = |e| self.database().error(e);
        let update = sqlx::query("UPDATE models SET last_version = last_version WHERE name = $1 RETURNING id");
        match update.bind(model).fetch_optional(&mut **tx).await.map_err(told)? {
            Some(row) => get(&row, 0).map_err(told),
            None => Err(self.unknown_model(model).await?),
        }
    }

    /// Moves an alias and writes the line of the trail.
    pub(super) async fn write_move(&self, tx: &mut Tx, model: i64, new: &NewMove<'_>, mover: &Mover) -> Result<Move> {
        let told = |e| self.database().error(e);
        let query =
            sqlx::query("SELECT version FROM aliases WHERE model = $1 AND alias = $2").bind(model).bind(new.alias);
        let from = query.fetch_optional(&mut **tx).await.map_err(told)?;
        let from: Option<i64> = from.map(|row| get(&row, 0)).transpose().map_err(told)?;
        let from = from.map(i64::unsigned_abs);
        if let Some(expected) = new.expected.filter(|expected| *expected != from) {
            let shown = |v: Option<u64>| v.map_or("no version".to_owned(), |v| format!("version {v}"));
            return Err(Error::Conflict(format!(
                "`{}` points to {} by now, not to {}: somebody moved it in the meantime; look again and repeat",
                new.alias,
                shown(from),
                shown(expected)
            )));
        }
        match new.to {
            Some(to) => {
                self.require_version(tx, model, to).await?;
                let sql = "INSERT INTO aliases (model, alias, version) VALUES ($1, $2, $3) \
                           ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version";
                let insert = sqlx::query(sql).bind(model).bind(new.alias).bind(to as i64);
                insert.execute(&mut **tx).await.map_err(told)?;
            }
            None if from.is_none() => {
                return Err(Error::Unknown {
                    what: "alias of this model",
                    name: new.alias.to_owned(),
                    hint: String::new(),
                });
            }
            None => {
                let delete =
                    sqlx::query("DELETE FROM aliases WHERE model = $1 AND alias = $2").bind(model).bind(new.alias);
                delete.execute(&mut **tx).await.map_err(told)?;
            }
        }
        let last = sqlx::query("SELECT MAX(at) FROM alias_moves WHERE model = $1").bind(model);
        let last: Option<Micros> = get(&last.fetch_one(&mut **tx).await.map_err(told)?, 0).map_err(told)?;
        // A clock that jumped back must not bring the trail out of order.
        let at = last.map_or(self.now(), |last| self.now().max(last + 1));
        let done = Move {
            alias: new.alias.to_owned(),
            from,
            to: new.to,
            action: new.action,
            at,
            who: mover.who.clone(),
            why: mover.why.clone(),
            verdict: mover.verdict.clone(),
        };
        let insert = sqlx::query(
            "INSERT INTO alias_moves (model, alias, from_version, to_version, action, at, who, why, verdict) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(model)
        .bind(new.alias)
        .bind(from.map(|v| v as i64))
        .bind(new.to.map(|v| v as i64))
        .bind(new.action.name())
        .bind(at)
        .bind(mover.who.replace('\0', ""))
        .bind(mover.why.replace('\0', ""))
        .bind(mover.verdict.to_string());
        insert.execute(&mut **tx).await.map_err(told)?;
        Ok(done)
    }

    async fn require_version(&self, tx: &mut Tx, model: i64, version: u64) -> Result<()> {
        let told = |e| self.database().error(e);
        let query = sqlx::query("SELECT deleted FROM versions WHERE model = $1 AND version = $2");
        let row = query.bind(model).bind(version as i64).fetch_optional(&mut **tx).await.map_err(told)?;
        match row.map(|row| get::<Option<i64>>(&row, 0)).transpose().map_err(told)? {
            Some(None) => Ok(()),
            Some(Some(_)) => Err(Error::Conflict(format!(
                "version {version} was thrown away; no alias can point to it before `tabwright models restore` brings it back"
            ))),
            None => {
                Err(Error::Unknown { what: "version of this model", name: version.to_string(), hint: String::new() })
            }
        }
    }
}

const MOVES: &str = "SELECT alias, from_version, to_version, action, at, who, why, verdict FROM alias_moves \
                     WHERE model = $1 ORDER BY id";

fn read_move(row: &AnyRow) -> Result<Move, sqlx::Error> {
    let version = |column| Ok::<_, sqlx::Error>(get::<Option<i64>>(row, column)?.map(i64::unsigned_abs));
    let (action, verdict): (String, String) = (get(row, 3)?, get(row, 7)?);
    Ok(Move {
        alias: get(row, 0)?,
        from: version(1)?,
        to: version(2)?,
        action: Action::parse(&action),
        at: get(row, 4)?,
        who: get(row, 5)?,
        why: get(row, 6)?,
        verdict: serde_json::from_str(&verdict).unwrap_or_default(),
    })
}
