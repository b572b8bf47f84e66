//! The database behind a store: SQLite in a file, or PostgreSQL. One set of queries, with numbered parameters, runs on both;
//! what differs stands here and in [`migrate`].
//!
//! Numbers that are "not a number" are stored as NULL: SQLite knows no other form, and PostgreSQL would sort them above all
//! others.

mod access;
mod compact;
mod file_lock;
mod identity;
mod migrate;

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use sqlx::any::{Any, AnyArguments, AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::{AnyPool, Arguments, AssertSqlSafe, ConnectOptions, Connection, Encode, Row, Transaction, Type};

use access::Access;
pub(crate) use migrate::WITH_TOKENS;

use crate::error::{Error, Result};

/// Which database is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// A file.
    Sqlite(PathBuf),
    /// A server, as `postgres://user:password@host/name`.
    Postgres(String),
}

impl Location {
    /// The database that a text names: a URL of a server.
    ///
    /// # Errors
    /// [`Error::Invalid`] for any other scheme. The text is not repeated: it may hold a password.
    pub fn parse(text: &str) -> Result<Self> {
        match text.split_once("://").map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => Ok(Location::Postgres(text.to_owned())),
            Some(other) => Err(Error::Invalid(format!(
                "a database of the kind `{other}` is not known; write postgres://user@host/name, or leave it out for SQLite"
            ))),
            None => Err(Error::Invalid(
                "the database is no URL; write postgres://user@host/name, or leave it out for SQLite in the home"
                    .into(),
            )),
        }
    }

    /// The place for a person, without user and password.
    pub fn shown(&self) -> String {
        match self {
            Location::Sqlite(path) => path.display().to_string(),
            Location::Postgres(url) => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let rest = rest.split(['?', '#']).next().unwrap_or_default();
                format!("postgres://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
            }
        }
    }
}

impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Location").field(&self.shown()).finish()
    }
}

/// Connections that are open at once, at most.
const CONNECTIONS: u32 = 4;

/// Keeps two processes from making the schema of one PostgreSQL database at once; any number that no other program uses.
const SCHEMA_LOCK: i64 = 0x7461_6278;

/// A database, open and of the newest layout.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pool: AnyPool,
    pub(crate) dialect: Dialect,
    place: String,
    wait: Duration,
    access: Access,
}

impl Database {
    /// Opens a database, makes it if it is not there, and brings its layout up to date. `wait` is how long to wait for
    /// another process that writes. One that cannot be written is read.
    pub(crate) async fn open(location: &Location, wait: Duration) -> Result<Self> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let (dialect, access, url) = match location {
            Location::Sqlite(path) => {
                let access = Access::to(path)?;
                (Dialect::Sqlite, access, sqlite_url(path, access)?)
            }
            Location::Postgres(url) => (Dialect::Postgres, Access::Write, url.clone()),
        };
        let place = location.shown();
        let told = |e: sqlx::Error| opening(&place, wait, access, e);
        let options = url.parse::<AnyConnectOptions>().map_err(told)?.disable_statement_logging();
        let (first_setup, setup) = setup(dialect, access, wait);
        // The pool would try a connection that cannot be set up again and again until the wait is over, and not say why.
        let mut first = options.connect().await.map_err(told)?;
        let done = sqlx::raw_sql(AssertSqlSafe(first_setup + &setup)).execute(&mut first).await;
        done.map_err(told)?;
        first.close().await.map_err(told)?;
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(wait + Duration::from_secs(1))
            .test_before_acquire(dialect == Dialect::Postgres)
            .after_connect(move |connection, _| {
                let setup = setup.clone();
                Box::pin(async move { sqlx::raw_sql(AssertSqlSafe(setup)).execute(connection).await.map(drop) })
            })
            .connect_with(options)
            .await
            .map_err(told)?;
        let database = Database { pool, dialect, place, wait, access };
        migrate::run(&database).await?;
        if let Location::Sqlite(path) = location {
            database.check_copy(path).await?;
        }
        Ok(database)
    }

    /// The place for a person.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Connections to read with.
    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Whether it can be written.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] where it cannot.
    pub(crate) fn check_writable(&self) -> Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read | Access::ReadStill => Err(Error::ReadOnly { place: self.place.clone() }),
        }
    }

    /// The version of the layout: the newest, unless the database can only be read.
    pub(crate) async fn layout(&self) -> Result<i64> {
        migrate::found(self).await
    }

    /// A transaction that writes. On SQLite it is the only one from its beginning, so that it never has to give up halfway.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Any>> {
        self.check_writable()?;
        let begun = match self.dialect {
            Dialect::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Dialect::Postgres => self.pool.begin().await,
        };
        begun.map_err(|e| self.error(e))
    }

    /// Makes a transaction's changes durable.
    pub(crate) async fn commit(&self, transaction: Transaction<'static, Any>) -> Result<()> {
        transaction.commit().await.map_err(|e| self.error(e))
    }

    /// What an error of the database means.
    pub(crate) fn error(&self, error: sqlx::Error) -> Error {
        explained(&self.place, self.wait, &error)
            .unwrap_or_else(|| Error::Database { place: self.place.clone(), why: told(&error) })
    }

    /// Checks the file of SQLite, page by page.
    pub(crate) async fn verify(&self) -> Result<()> {
        if self.dialect == Dialect::Postgres {
            return Ok(());
        }
        let rows = sqlx::query("PRAGMA integrity_check").fetch_all(&self.pool).await.map_err(|e| self.error(e))?;
        let found: Vec<String> =
            rows.iter().map(|row| get(row, 0)).collect::<Result<_, _>>().map_err(|e| self.error(e))?;
        match found.as_slice() {
            [only] if only == "ok" => Ok(()),
            _ => Err(Error::Corrupt {
                place: self.place.clone(),
                why: found.into_iter().take(3).collect::<Vec<_>>().join("; "),
            }),
        }
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// What a database is told when the first connection is made, and then on each.
fn setup(dialect: Dialect, access: Access, wait: Duration) -> (String, String) {
    let wait = wait.as_millis();
    match (dialect, access) {
        // Of several processes that make the schema at once, each but the first would fail.
        (Dialect::Postgres, _) => (
            format!("SELECT pg_advisory_xact_lock({SCHEMA_LOCK}); CREATE SCHEMA IF NOT EXISTS tabwright;"),
            "SET search_path TO tabwright".to_owned(),
        ),
        (Dialect::Sqlite, Access::Write) => (
            String::new(),
            format!(
                "PRAGMA busy_timeout = {wait}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"
            ),
        ),
        (Dialect::Sqlite, Access::Read | Access::ReadStill) => (String::new(), format!("PRAGMA busy_timeout = {wait}")),
    }
}

/// An error while a database is opened.
fn opening(place: &str, wait: Duration, access: Access, error: sqlx::Error) -> Error {
    if access != Access::Write && primary_code(&error) == Some(CANNOT_OPEN) {
        let why =
            "it, or the log beside it, cannot be read; ask whoever owns the folder for leave to read it".to_owned();
        return Error::Open { place: place.to_owned(), why };
    }
    explained(place, wait, &error).unwrap_or_else(|| Error::Open { place: place.to_owned(), why: told(&error) })
}

/// What the database said, without the words that the driver puts around it.
fn told(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// SQLite: the file, or one beside it, cannot be opened.
const CANNOT_OPEN: u32 = 14;

/// The primary code of an error of SQLite.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    // PostgreSQL's codes have five characters, some of them letters.
    let code: u32 = error.as_database_error()?.code().filter(|c| c.len() < 5)?.parse().ok()?;
    Some(code & 0xff)
}

/// Errors of SQLite that mean something to a user, by their primary code.
fn explained(place: &str, wait: Duration, error: &sqlx::Error) -> Option<Error> {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const READ_ONLY: u32 = 8;
    const IO: u32 = 10;
    const CORRUPT: u32 = 11;
    const FULL: u32 = 13;
    const NO_DATABASE: u32 = 26;
    let place = place.to_owned();
    let locked = || Error::Locked { place: place.clone(), seconds: wait.as_secs().max(1) };
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return Some(locked());
    }
    let code = primary_code(error);
    let error = error.as_database_error()?;
    // PostgreSQL says so when a lock was waited for in vain.
    if error.code().is_some_and(|code| code == "55P03") {
        return Some(locked());
    }
    match code? {
        BUSY | LOCKED => Some(locked()),
        CORRUPT | NO_DATABASE => Some(Error::Corrupt { place, why: error.message().to_owned() }),
        READ_ONLY => Some(Error::ReadOnly { place }),
        FULL => {
            let why =
                "the disk is full; make room (`tabwright gc` frees what is in the trash), and try again".to_owned();
            Some(Error::Database { place, why })
        }
        IO => {
            let why = format!("{}; check whether the disk is full, or failing", error.message());
            Some(Error::Database { place, why })
        }
        CANNOT_OPEN => {
            let why = "its folder is not there, or it or the folder cannot be written".to_owned();
            Some(Error::Open { place, why })
        }
        _ => None,
    }
}

fn sqlite_url(path: &Path, access: Access) -> Result<String> {
    let text = path.to_str().ok_or_else(|| {
        Error::Invalid(format!("the path {} is not UTF-8; put the home elsewhere (TABWRIGHT_HOME)", path.display()))
    })?;
    let mut url = String::from("sqlite://");
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => url.push(byte as char),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(url + access.query())
}

/// A column of a row, which the queries here are known to have.
pub(crate) fn get<'r, T>(row: &'r AnyRow, column: usize) -> Result<T, sqlx::Error>
where
    T: sqlx::Decode<'r, Any> + sqlx::Type<Any>,
{
    row.try_get(column)
}

/// A number as it was before it was stored.
pub(crate) fn number(row: &AnyRow, column: usize) -> Result<f64, sqlx::Error> {
    Ok(row.try_get::<Option<f64>, _>(column)?.unwrap_or(f64::NAN))
}

/// The VALUES of several rows, such as `($1, $2), ($3, NULL)`, with their parameters.
pub(crate) struct Values {
    pub(crate) sql: String,
    pub(crate) arguments: AnyArguments,
    in_row: usize,
    dialect: Dialect,
}

impl Values {
    /// No row yet.
    pub(crate) fn new(dialect: Dialect) -> Self {
        Values { sql: String::new(), arguments: AnyArguments::default(), in_row: 0, dialect }
    }

    /// Begins the next row.
    pub(crate) fn begin(&mut self) {
        self.sql.push_str(if self.sql.is_empty() { "(" } else { ", (" });
        self.in_row = 0;
    }

    fn comma(&mut self) {
        self.sql.push_str(if self.in_row == 0 { "" } else { ", " });
        self.in_row += 1;
    }

    /// Adds a value to the row.
    pub(crate) fn add<T>(&mut self, value: T) -> Result<()>
    where
        T: for<'q> Encode<'q, Any> + Type<Any>,
    {
        self.comma();
        self.arguments.add(value).map_err(|e| Error::Invalid(format!("a value cannot be stored: {e}")))?;
        match self.dialect {
            // To SQLite, `$1` is a name that it looks up among all before it: the square of the parameters.
            Dialect::Sqlite => self.sql.push('?'),
            Dialect::Postgres => self.sql.push_str(&format!("${}", self.arguments.len())),
        }
        Ok(())
    }

    /// Adds a number to the row. NaN stands in the SQL as NULL: the driver gives a parameter that is NULL another type than
    /// one that is a number, and PostgreSQL remembers the types of a statement.
    pub(crate) fn add_number(&mut self, value: f64) -> Result<()> {
        if value.is_nan() {
            self.comma();
            self.sql.push_str("NULL");
            return Ok(());
        }
        self.add(value)
    }

    /// Ends the row.
    pub(crate) fn end(&mut self) {
        self.sql.push(')');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_shows_no_user_and_no_password() {
        let location = Location::parse("postgres://ada:pass@word@db.example:5432/team?sslmode=require").unwrap();
        assert_eq!(location.shown(), "postgres://db.example:5432/team");
        assert!(!format!("{location:?}").contains("pass"));
        let error = Location::parse("mysql://root:secret@host/x").unwrap_err().to_string();
        assert!(error.contains("mysql") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn odd_paths_survive_the_way_through_a_url() {
        assert_eq!(
            sqlite_url(Path::new("/a b/ü?#%.db"), Access::Write).unwrap(),
            "sqlite:///a%20b/%C3%BC%3F%23%25.db?mode=rwc"
        );
    }

    #[test]
    fn rows_have_the_parameters_of_their_database() {
        for (dialect, sql) in [(Dialect::Postgres, "($1, $2), ($3, NULL)"), (Dialect::Sqlite, "(?, ?), (?, NULL)")] {
            let mut values = Values::new(dialect);
            for number in [1.0, f64::NAN] {
                values.begin();
                values.add(5_i64).unwrap();
                values.add_number(number).unwrap();
                values.end();
            }
            assert_eq!(values.sql, sql);
        }
    }
}
