//! One suite over both databases: what holds on SQLite holds on PostgreSQL. And what is SQLite's own: several processes,
//! a process that is killed, damaged files.
//!
//! The tests on PostgreSQL need a server, whose URL stands in `TABWRIGHT_TEST_POSTGRES`; `cargo xtask test` starts one.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod home;
mod housekeeping;
mod migrations;
mod processes;
mod registry;
mod runs;
mod searches;
mod trash;

use std::sync::atomic::{AtomicU32, Ordering};

use tabwright_store::{Files, Home, Location, Mover, NewVersion, Store, StoreOptions};

/// A database of its own for a test, with its home.
struct Place {
    folder: tempfile::TempDir,
    location: Location,
}

impl Place {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("home").join("tabwright.db"));
        Place { folder, location }
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
        Place { folder: tempfile::tempdir().unwrap(), location: Location::Postgres(format!("{base}/{name}")) }
    }

    fn options(&self) -> StoreOptions {
        let home = Home::at(self.folder.path().join("home"));
        StoreOptions { location: self.location.clone(), ..StoreOptions::in_home(home) }
    }

    async fn open(&self) -> Store {
        Store::open(&self.options()).await.unwrap()
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

/// A version whose file is kept.
fn version(store: &Store, name: &str, content: u8) -> NewVersion {
    let content_id = format!("blake3:{}", format!("{content:02x}").repeat(32));
    let file = Files::model_name(&content_id).unwrap();
    let size = store.files().write(&file, |out| out.write_all(&[content; 10])).unwrap();
    NewVersion { name: name.into(), content_id, file, size, ..NewVersion::default() }
}

/// Makes a kept file look as if it had been written long ago.
fn age(store: &Store, name: &str) {
    let file = std::fs::File::options().write(true).open(store.files().path(name).unwrap()).unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(100_000);
    file.set_modified(long_ago).unwrap();
}

fn mover(who: &str) -> Mover {
    Mover { who: who.into(), why: "a test".into(), ..Mover::default() }
}
