//! Cleaning and copying while other processes are at work.

use std::path::Path;
use std::time::Duration;

use tabwright_store::{Cleaning, Home, NewVersion, Store, StoreOptions};

use crate::processes::{Task, killed, start};
use crate::{Place, age, mover, on_each, version};

on_each![cleaning_takes_no_file_that_is_being_registered];

/// How often each process registers, and how often each cleans.
const ROUNDS: usize = 40;

/// Registers, throws away, lets the file grow old, and registers the same content again: a process of the test below.
pub(crate) async fn register(store: &Store, number: u8) {
    for round in 0..ROUNDS {
        let content = number * 16 + (round % 4) as u8;
        let content_id = format!("blake3:{}", format!("{content:02x}").repeat(32));
        let file = tabwright_store::Files::model_name(&content_id).unwrap();
        let new = match store.files().claim(&file).unwrap() {
            true => NewVersion { name: "shared".into(), content_id, file, size: 10, ..NewVersion::default() },
            false => version(store, "shared", content),
        };
        let registered = store.register(&new, None, &mover("child")).await.unwrap();
        assert!(store.files().has(&new.file).unwrap(), "version {} has no file", registered.version);
        // The first is the champion, and stays.
        if registered.version > 1 {
            store.throw_versions_away("shared", Some(registered.version), &mover("child")).await.unwrap();
        }
        age(store, &new.file);
    }
}

/// Cleans again and again: a process of the test below.
pub(crate) async fn clean(store: &Store) {
    for _ in 0..ROUNDS {
        store.free(&Cleaning { older_than: Duration::ZERO, dry_run: false }, "child").await.unwrap();
    }
}

async fn cleaning_takes_no_file_that_is_being_registered(place: &Place) {
    let store = place.open().await;
    let mut children: Vec<_> = (0..3).map(|i| start(place, Task::Register(i))).collect();
    children.extend((0..2).map(|_| start(place, Task::Clean)));
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    let events = store.version_events("shared").await.unwrap();
    let freed = events.iter().filter(|e| e.what == tabwright_store::Happened::Freed).count();
    assert!(freed > 0, "something was freed while others registered");
    let model = store.model("shared").await.unwrap();
    for version in &model.versions {
        assert!(store.files().has(&version.registered.file).unwrap());
    }
    let next = store.register(&version(&store, "shared", 255), None, &mover("ada")).await.unwrap();
    assert_eq!(next.version, (3 * ROUNDS + 1) as u64, "no number is used twice, whatever was freed");
    store.verify().await.unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            // A file that is gone by now is none that the home needs.
            false => drop(std::fs::copy(&path, target)),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_that_is_copied_while_in_use_is_whole_or_says_so() {
    let place = Place::sqlite();
    place.open().await.close().await;
    let writer = start(&place, Task::Endless);
    let (mut opened, mut refused) = (0, 0);
    for round in 0..25 {
        std::thread::sleep(Duration::from_millis(30));
        let folder = place.folder.path().join(format!("copy-{round}"));
        copy(place.options().home.folder(), &folder);
        match Store::open(&StoreOptions::in_home(Home::at(&folder))).await {
            Ok(copied) => {
                copied.verify().await.unwrap();
                if let Ok(model) = copied.model("shared").await {
                    let numbers: Vec<u64> = model.versions.iter().map(|v| v.version).collect();
                    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
                }
                // The copy goes its own way.
                copied.register(&version(&copied, "own", 1), None, &mover("ada")).await.unwrap();
                opened += 1;
            }
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains("while others wrote to the home") || error.contains("is damaged"), "{error}");
                refused += 1;
            }
        }
    }
    killed(writer);
    assert!(opened > 0, "{refused} copies were refused");
    assert!(place.open().await.model("own").await.is_err(), "the home knows nothing of its copies");
}
