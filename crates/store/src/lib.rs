//! What is kept: runs with all that was logged, registered models with their versions, aliases and audit trail, and files by
//! what they hold. SQLite in the home by default, PostgreSQL for a team; files in the home, or in a bucket of S3 (with the
//! feature `s3`). The same behaviour on each.
//!
//! A store keeps what it is given and knows no rule about models: when a version may become champion is decided elsewhere.
//! What it has confirmed survives a crash. All of it is asynchronous; the runtime (Tokio) is the caller's.
//!
//! # Example
//!
//! ```
//! use tabwright_store::{Home, NewRun, Search, Status, Store, StoreOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let store = Store::open(&StoreOptions::in_home(Home::at(folder.path().join(".tabwright")))).await?;
//! let run = store.start_run(NewRun { name: "baseline".into(), ..NewRun::default() }).await?;
//! run.log_param("depth", 6).await?;
//! for (epoch, loss) in [0.7, 0.5, 0.4].into_iter().enumerate() {
//!     run.log_metric("validation.log_loss", loss, epoch as i64).await?;
//! }
//! run.finish(Status::Completed).await?;
//!
//! let search = Search { filter: "metrics.validation.log_loss < 0.45".into(), ..Search::default() };
//! let found = store.search(&search).await?;
//! assert_eq!(found.runs[0].params["depth"], "6");
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

mod database;
pub mod error;
pub mod files;
mod float;
pub mod gc;
pub mod home;
mod id;
pub mod model;
pub mod name;
pub mod predictions;
pub mod reference;
pub mod run;
pub mod time;
pub mod token;
mod trash;

use std::sync::Arc;
use std::time::Duration;

pub use database::Location;
pub use error::{Error, Fault, Result};
pub use files::{BucketLocation, FileLocation, Files};
pub use gc::{Cleaning, Freed};
pub use home::Home;
pub use model::{Action, Happened, Model, Move, Mover, NewMove, NewVersion, Version, VersionEvent};
pub use reference::{CHALLENGER, CHAMPION, Reference, Which};
pub use run::{
    ActiveRun, Batch, Measured, MetricPoint, MetricSummary, NewRun, Order, Page, Run, RunDocument, RunFile, Search,
    Status, greater_is_better,
};
pub use token::{NewToken, Scope, Token, TokenState, token_hash};
pub use trash::Deletion;

use database::Database;
use time::Micros;

/// How long a store waits for another process that writes, unless it is told otherwise.
pub const WAIT: Duration = Duration::from_secs(10);

/// What a store is opened with.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The home: files, and the marks of runs under way.
    pub home: Home,
    /// Where the database is.
    pub location: Location,
    /// Where models and files are kept.
    pub files: FileLocation,
    /// How long to wait for another process that writes.
    pub wait: Duration,
    /// Tells the time.
    pub clock: fn() -> Micros,
}

impl StoreOptions {
    /// SQLite and files in a home.
    pub fn in_home(home: Home) -> Self {
        let location = Location::Sqlite(home.database());
        StoreOptions { home, location, files: FileLocation::Home, wait: WAIT, clock: time::now }
    }
}

/// A store of runs and models. Copies share their connections.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: Database,
    files: Files,
    home: Home,
    clock: fn() -> Micros,
}

/// The files of a store. A bucket is asked for nothing yet.
async fn open_files(options: &StoreOptions, database: &Database) -> Result<Files> {
    let folder = options.home.artifacts();
    match &options.files {
        FileLocation::Home => Ok(Files::at(folder, options.wait)),
        #[cfg(feature = "s3")]
        FileLocation::Bucket(bucket) => {
            let (id, place) = (database.identity().await?, database.place().to_owned());
            let owner = files::Owner { id, place, clock: options.clock };
            let copies = options.home.folder().join("copies");
            Ok(Files::in_bucket(bucket.clone(), (folder, copies), owner, options.wait))
        }
        #[cfg(not(feature = "s3"))]
        FileLocation::Bucket(bucket) => {
            let _ = database;
            Err(Error::Invalid(format!("{}: this program was built without S3 (the feature `s3`)", bucket.shown())))
        }
    }
}

impl Store {
    /// Opens a store; home and database are made where they are not there. A home that cannot be written is read: see
    /// [`Store::check_writable`].
    ///
    /// # Errors
    /// If the home cannot be made, or the database not be opened: it is locked, damaged, of a later version, or cannot be
    /// reached.
    pub async fn open(options: &StoreOptions) -> Result<Self> {
        options.home.create()?;
        let database = Database::open(&options.location, options.wait).await?;
        let files = open_files(options, &database).await?;
        let inner = Inner { database, files, home: options.home.clone(), clock: options.clock };
        Ok(Store { inner: Arc::new(inner) })
    }

    /// Where the database is, for a person.
    pub fn place(&self) -> &str {
        self.inner.database.place()
    }

    /// Whether it can be written. One that cannot is read.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] where it cannot.
    pub fn check_writable(&self) -> Result<()> {
        self.inner.database.check_writable()
    }

    /// The files that are kept.
    pub fn files(&self) -> &Files {
        &self.inner.files
    }

    /// The home.
    pub fn home(&self) -> &Home {
        &self.inner.home
    }

    /// Closes the connections. A store that is dropped instead is closed as well, a little later.
    pub async fn close(&self) {
        self.inner.database.close().await;
    }

    /// Checks the database file, page by page. PostgreSQL checks its own.
    ///
    /// # Errors
    /// [`Error::Corrupt`] with what is wrong.
    pub async fn verify(&self) -> Result<()> {
        self.inner.database.verify().await
    }

    pub(crate) fn now(&self) -> Micros {
        (self.inner.clock)()
    }

    pub(crate) fn database(&self) -> &Database {
        &self.inner.database
    }
}
