//! The layout of the database and how it came about: ordered steps, each applied once, all in one transaction.
//!
//! A step that has been released is never changed; a new layout is a new step.

use sqlx::AssertSqlSafe;

use super::{Database, Dialect, get};
use crate::error::{Error, Result};

/// The steps, in order. The version of a layout is the number of steps that it took.
const STEPS: [&str; 3] = [include_str!("1.sql"), include_str!("2.sql"), include_str!("3.sql")];

/// The layout that has tokens.
pub(crate) const WITH_TOKENS: i64 = 3;

/// The first layout that is read as it is where it cannot be brought up to date: what came later is a table that nothing
/// before it needs.
const READABLE: i64 = 2;

/// Keeps two processes from migrating one PostgreSQL database at once; any number that no other program uses.
const ADVISORY_LOCK: i64 = 0x7461_6277;

/// Brings the layout up to date.
///
/// # Errors
/// [`Error::TooNew`] for a layout of a later version, which is left as it is; [`Error::Open`] for a database of another program.
pub(super) async fn run(database: &Database) -> Result<()> {
    let known = STEPS.len() as i64;
    let found = found(database).await?;
    if check(database, found)? == known {
        return Ok(());
    }
    if database.check_writable().is_err() {
        if found >= READABLE {
            return Ok(());
        }
        return Err(Error::Open {
            place: database.place().to_owned(),
            why: "it is one of an earlier version of Tabwright, and can only be read here, so that it cannot be brought up to date; \
                  let somebody who may write there run a command of this version"
                .into(),
        });
    }
    let mut transaction = database.write().await?;
    if database.dialect == Dialect::Postgres {
        let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(ADVISORY_LOCK);
        lock.execute(&mut *transaction).await.map_err(|e| database.error(e))?;
    }
    // Another process may have been faster.
    let found = check(database, version(database, &mut transaction).await?)?;
    for (number, step) in STEPS.iter().enumerate().skip(found as usize) {
        let sql = in_dialect(step, database.dialect);
        let update = match number {
            0 => "CREATE TABLE tabwright_layout (version BIGINT NOT NULL); INSERT INTO tabwright_layout VALUES (1)"
                .into(),
            _ => format!("UPDATE tabwright_layout SET version = {}", number + 1),
        };
        for text in [sql, update] {
            sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *transaction).await.map_err(|e| database.error(e))?;
        }
    }
    database.commit(transaction).await
}

/// The version of the layout that is there.
///
/// # Errors
/// As [`run`].
pub(super) async fn found(database: &Database) -> Result<i64> {
    let mut connection = database.pool().acquire().await.map_err(|e| database.error(e))?;
    version(database, &mut connection).await
}

fn check(database: &Database, found: i64) -> Result<i64> {
    let known = STEPS.len() as i64;
    match found > known {
        true => Err(Error::TooNew { place: database.place().to_owned(), found, known }),
        false => Ok(found),
    }
}

/// The version of the layout that is there; 0 for an empty database.
async fn version(database: &Database, connection: &mut sqlx::AnyConnection) -> Result<i64> {
    let tables = match database.dialect {
        Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
        Dialect::Postgres => {
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'tabwright'"
        }
    };
    let told = |e| database.error(e);
    let tables = sqlx::query(tables).fetch_all(&mut *connection).await.map_err(told)?;
    let names: Vec<String> = tables.iter().map(|row| get(row, 0)).collect::<Result<_, _>>().map_err(told)?;
    if names.iter().any(|name| name == "tabwright_layout") {
        let row = sqlx::query("SELECT version FROM tabwright_layout").fetch_one(connection).await.map_err(told)?;
        return get(&row, 0).map_err(told);
    }
    match names.first() {
        None => Ok(0),
        Some(other) => Err(Error::Open {
            place: database.place().to_owned(),
            why: format!("it is a database of another program (it has the table `{other}`); name another place"),
        }),
    }
}

/// A step in the words of a database.
fn in_dialect(step: &str, dialect: Dialect) -> String {
    // SQLite compares texts by their bytes; PostgreSQL does so with the collation "C" alone.
    let (id, text, real, clustered) = match dialect {
        Dialect::Sqlite => ("INTEGER PRIMARY KEY AUTOINCREMENT", "TEXT", "REAL", " WITHOUT ROWID"),
        Dialect::Postgres => {
            ("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "TEXT COLLATE \"C\"", "DOUBLE PRECISION", "")
        }
    };
    step.replace("{id}", id).replace("{text}", text).replace("{real}", real).replace("{clustered}", clustered)
}
