//! A home that is locked, damaged, foreign or of a later version: said, and left as it is.

use std::time::Duration;

use tabwright_store::{Fault, NewRun, Store, StoreOptions};

use crate::{Place, on_both};

on_both![a_layout_of_a_later_version_is_refused_and_left];

pub(crate) async fn sql(place: &Place, text: &str) {
    sqlx::any::install_default_drivers();
    let url = match &place.location {
        tabwright_store::Location::Sqlite(path) => format!("sqlite://{}?mode=rwc", path.display()),
        tabwright_store::Location::Postgres(url) => url.clone(),
        _ => unreachable!(),
    };
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned())).execute(&pool).await.unwrap();
    pool.close().await;
}

async fn a_layout_of_a_later_version_is_refused_and_left(place: &Place) {
    place.open().await.close().await;
    let update = match place.location {
        tabwright_store::Location::Sqlite(_) => "UPDATE tabwright_layout SET version = 99",
        _ => "UPDATE tabwright.tabwright_layout SET version = 99",
    };
    sql(place, update).await;
    let bytes = || std::fs::read(place.options().home.database()).ok();
    let before = bytes();
    for _ in 0..2 {
        let error = Store::open(&place.options()).await.unwrap_err();
        assert!(error.to_string().contains("its layout is 99, this one knows up to 3"), "{error}");
        assert_eq!(error.fault(), Fault::Data);
        assert_eq!(bytes(), before);
    }
}

#[tokio::test]
async fn a_locked_database_is_said_after_the_wait() {
    let place = Place::sqlite();
    let store = place.open().await;
    let url = format!("sqlite://{}", place.options().home.database().display());
    let other = sqlx::AnyPool::connect(&url).await.unwrap();
    let mut held = other.acquire().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *held).await.unwrap();
    let hasty = Store::open(&StoreOptions { wait: Duration::from_millis(200), ..place.options() }).await.unwrap();
    let error = hasty.start_run(NewRun::default()).await.unwrap_err().to_string();
    assert!(error.contains("is locked: another process writes to it"), "{error}");
    // Whoever reads is not kept waiting.
    store.search(&tabwright_store::Search::default()).await.unwrap();
    sqlx::raw_sql("COMMIT").execute(&mut *held).await.unwrap();
    hasty.start_run(NewRun::default()).await.unwrap();
}

#[tokio::test]
async fn a_damaged_database_is_said_with_the_way_to_recover() {
    let place = Place::sqlite();
    place.open().await.close().await;
    let path = place.options().home.database();
    for content in [b"this is no database at all".to_vec(), vec![0xff; 8192]] {
        std::fs::write(&path, &content).unwrap();
        let error = Store::open(&place.options()).await.unwrap_err();
        assert!(error.to_string().contains("is damaged or is no database"), "{error}");
        assert!(error.to_string().contains(".recover"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_damaged_page_is_found_by_a_check() {
    let place = Place::sqlite();
    let store = place.open().await;
    for _ in 0..50 {
        let run = store.start_run(NewRun { name: "x".repeat(200), ..NewRun::default() }).await.unwrap();
        run.finish(tabwright_store::Status::Completed).await.unwrap();
    }
    store.verify().await.unwrap();
    store.close().await;
    let path = place.options().home.database();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 4096;
    bytes[at..].fill(0xab);
    std::fs::write(&path, bytes).unwrap();
    let outcome = match Store::open(&place.options()).await {
        Ok(store) => store.verify().await,
        Err(error) => Err(error),
    };
    assert!(outcome.unwrap_err().to_string().contains("is damaged"));
}

#[tokio::test]
async fn a_database_of_another_program_is_not_touched() {
    let place = Place::sqlite();
    std::fs::create_dir_all(place.options().home.folder()).unwrap();
    let path = place.options().home.database();
    std::fs::write(&path, "").unwrap();
    sql(&place, "CREATE TABLE songs (title TEXT)").await;
    let error = Store::open(&place.options()).await.unwrap_err().to_string();
    assert!(error.contains("of another program (it has the table `songs`)"), "{error}");
}

#[tokio::test]
async fn a_file_in_the_place_of_the_home_is_said() {
    let place = Place::sqlite();
    std::fs::write(place.options().home.folder(), "a file").unwrap();
    let error = Store::open(&place.options()).await.unwrap_err().to_string();
    assert!(error.contains("the home of runs and models cannot be made here"), "{error}");
}

#[tokio::test]
async fn several_openings_of_a_new_home_at_once_make_one_layout() {
    let place = Place::sqlite();
    let opened: Vec<_> = (0..8)
        .map(|_| {
            let options = place.options();
            tokio::spawn(async move { Store::open(&options).await.map(drop) })
        })
        .collect();
    for one in opened {
        one.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_two_moments_is_said_and_a_whole_one_is_opened() {
    let place = Place::sqlite();
    let path = place.options().home.database();
    let write = async |runs: usize| {
        let store = place.open().await;
        for i in 0..runs {
            let run = store
                .start_run(NewRun { name: format!("{i} {}", "x".repeat(200)), ..NewRun::default() })
                .await
                .unwrap();
            run.log_metric("loss", i as f64, 0).await.unwrap();
            run.finish(tabwright_store::Status::Completed).await.unwrap();
        }
        store.close().await;
        std::fs::read(&path).unwrap()
    };
    let (early, late) = (write(60).await, write(120).await);
    let copy = Place::sqlite();
    std::fs::create_dir_all(copy.options().home.folder()).unwrap();
    let mut torn = late.clone();
    torn[4096..early.len()].copy_from_slice(&early[4096..]);
    std::fs::write(copy.options().home.database(), &torn).unwrap();
    for _ in 0..2 {
        let error = Store::open(&copy.options()).await.unwrap_err();
        assert!(error.to_string().contains("is a copy that was made while others wrote to the home"), "{error}");
        assert!(error.to_string().contains("Copy the home again") && error.fault() == Fault::Data, "{error}");
    }
    std::fs::write(copy.options().home.database(), &late).unwrap();
    assert_eq!(copy.open().await.search(&tabwright_store::Search::default()).await.unwrap().runs.len(), 100);
}

/// Folders that stand where the home keeps something of its own, and links.
#[cfg(unix)]
#[tokio::test]
async fn a_link_in_the_place_of_a_file_is_refused() {
    use crate::{mover, version};
    let place = Place::sqlite();
    let store = place.open().await;
    let new = version(&store, "churn", 1);
    let path = store.files().address(&new.file).unwrap();
    let outside = place.folder.path().join("outside.tw");
    std::fs::rename(&path, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &path).unwrap();
    let error = store.register(&new, None, &mover("ada")).await.unwrap_err();
    assert!(error.to_string().contains("a link stands where the home keeps a file of its own"), "{error}");
    assert_eq!(error.fault(), Fault::Data);
    assert!(store.model("churn").await.is_err(), "nothing is registered");
}

#[tokio::test]
async fn a_file_in_the_place_of_a_folder_of_the_home_is_said() {
    for name in ["artifacts", "running"] {
        let place = Place::sqlite();
        std::fs::create_dir_all(place.options().home.folder()).unwrap();
        std::fs::write(place.options().home.folder().join(name), "a file").unwrap();
        let error = Store::open(&place.options()).await.unwrap_err().to_string();
        assert!(error.contains("the folder cannot be made") && error.contains(name), "{error}");
    }
}
