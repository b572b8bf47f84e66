//! One suite over both databases and both places of files: what holds on SQLite holds on PostgreSQL, and what holds of a folder
//! holds of a bucket. And what is SQLite's own: several processes, a process that is killed, damaged files.
//!
//! The tests on PostgreSQL need a server, whose URL stands in `TABWRIGHT_TEST_POSTGRES`, those on a bucket one in
//! `TABWRIGHT_TEST_S3`; `cargo xtask test` starts them.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

#[cfg(feature = "s3")]
mod files;
mod home;
mod housekeeping;
mod migrations;
mod predictions;
mod processes;
mod registry;
mod runs;
mod s3;
mod searches;
mod tokens;
mod trash;

use std::sync::atomic::{AtomicU32, Ordering};

use tabwright_store::{FileLocation, Files, Home, Location, Mover, NewVersion, Store, StoreOptions};

/// A database of its own for a test, with its home, and a bucket where files are to be in one.
struct Place {
    folder: tempfile::TempDir,
    location: Location,
    bucket: Option<s3::Bucket>,
}

impl Place {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("home").join("tabwright.db"));
        Place { folder, location, bucket: None }
    }

    fn in_bucket(self) -> Self {
        Place { bucket: Some(s3::Bucket::make()), ..self }
    }

    async fn postgres() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("TABWRIGHT_TEST_POSTGRES").expect("TABWRIGHT_TEST_POSTGRES names a server");
        let name = format!("tabwright_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&server).await.unwrap();
        let sql = format!("CREATE DATABASE {name}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
        pool.close().await;
        let (base, _) = server.rsplit_once('/').unwrap();
        let location = Location::Postgres(format!("{base}/{name}"));
        Place { folder: tempfile::tempdir().unwrap(), location, bucket: None }
    }

    fn options(&self) -> StoreOptions {
        let home = Home::at(self.folder.path().join("home"));
        let files = self.bucket.as_ref().map_or(FileLocation::Home, s3::Bucket::location);
        StoreOptions { location: self.location.clone(), files, ..StoreOptions::in_home(home) }
    }

    async fn open(&self) -> Store {
        Store::open(&self.options()).await.unwrap()
    }
}

impl s3::Bucket {
    /// The bucket that an address is in, if it is in one.
    fn of(address: &str) -> Option<Self> {
        let name = address.strip_prefix("s3://")?.split('/').next()?.to_owned();
        Some(s3::Bucket { host: s3::host(), name })
    }

    fn location(&self) -> FileLocation {
        FileLocation::parse(&self.address(), self.variables()).unwrap()
    }
}

/// Makes a test of an asynchronous function for each database.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&crate::Place::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs a server; `cargo xtask test` starts one"]
            async fn $name() {
                super::$name(&crate::Place::postgres().await).await;
            })*
        }
    };
}
use on_both;

/// Makes a test of an asynchronous function for files in a bucket.
macro_rules! in_bucket {
    ($($name:ident),* $(,)?) => {
        mod bucket {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs a server; `cargo xtask test` starts one"]
            async fn $name() {
                super::$name(&crate::Place::sqlite().in_bucket()).await;
            })*
        }
    };
}
use in_bucket;

/// Makes a test of an asynchronous function for each database, and for files in a bucket.
macro_rules! on_each {
    ($($name:ident),* $(,)?) => {
        crate::on_both![$($name),*];
        crate::in_bucket![$($name),*];
    };
}
use on_each;

/// A version whose file is kept.
fn version(store: &Store, name: &str, content: u8) -> NewVersion {
    let content_id = format!("blake3:{}", format!("{content:02x}").repeat(32));
    let file = Files::model_name(&content_id).unwrap();
    let size = store.files().write(&file, |out| out.write_all(&[content; 10])).unwrap();
    NewVersion { name: name.into(), content_id, file, size, ..NewVersion::default() }
}

/// Makes a kept file look as if it had been written long ago.
fn age(store: &Store, name: &str) {
    let address = store.files().address(name).unwrap();
    if let Some(bucket) = s3::Bucket::of(&address.to_string_lossy()) {
        return bucket.age(name);
    }
    let file = std::fs::File::options().write(true).open(address).unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(100_000);
    file.set_modified(long_ago).unwrap();
}

fn mover(who: &str) -> Mover {
    Mover { who: who.into(), why: "a test".into(), ..Mover::default() }
}
