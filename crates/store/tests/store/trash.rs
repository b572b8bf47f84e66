//! What is thrown away comes back until it is freed, and nothing that is in use is freed.

use std::time::Duration;

use tabwright_store::{
    Batch, Cleaning, Freed, Happened, Measured, NewRun, NewVersion, Reference, Search, Status, Store,
};

use crate::{Place, age, mover, on_each, version};

on_each![
    runs_go_to_the_trash_and_come_back_with_those_within,
    a_run_in_use_is_not_thrown_away,
    versions_go_to_the_trash_and_come_back_and_all_is_on_record,
    what_an_alias_means_is_not_thrown_away,
    a_number_is_never_used_again,
    cleaning_frees_what_is_old_and_a_dry_run_says_the_same,
    cleaning_keeps_what_is_needed,
    a_file_that_is_about_to_be_registered_is_kept,
];

const AT_ONCE: Cleaning = Cleaning { older_than: Duration::ZERO, dry_run: false };

async fn free(store: &Store) -> Freed {
    store.free(&AT_ONCE, "ada").await.unwrap()
}

/// A run that has ended, with some values and a file.
async fn ended(store: &Store, parent: Option<&str>) -> String {
    let new = NewRun { parent: parent.map(str::to_owned), ..NewRun::default() };
    let run = store.start_run(new).await.unwrap();
    let one = |step| Measured { name: "loss".into(), step, at: step, value: 0.5 };
    run.log(&Batch { metrics: (0..10).map(one).collect(), ..Batch::default() }).await.unwrap();
    run.log_param("depth", 6).await.unwrap();
    let id = run.id().to_owned();
    run.finish(Status::Completed).await.unwrap();
    id
}

async fn found(store: &Store, deleted: bool) -> Vec<String> {
    let search = Search { nested: true, deleted, ..Search::default() };
    store.search(&search).await.unwrap().runs.into_iter().map(|r| r.run_id).collect()
}

/// Registers a version that a run made.
async fn made_by(store: &Store, name: &str, content: u8, run: &str) -> NewVersion {
    let new = NewVersion { run_id: run.into(), ..version(store, name, content) };
    store.register(&new, None, &mover("ada")).await.unwrap();
    new
}

async fn runs_go_to_the_trash_and_come_back_with_those_within(place: &Place) {
    let store = place.open().await;
    let outer = ended(&store, None).await;
    let inner = ended(&store, Some(&outer)).await;
    let innermost = ended(&store, Some(&inner)).await;
    let other = ended(&store, None).await;
    let thrown = store.throw_runs_away(&[outer[..8].to_owned(), outer.clone()], "grace").await.unwrap();
    assert_eq!(thrown.len(), 1, "named twice is named once");
    assert_eq!(thrown[0].deleted.as_ref().unwrap().who, "grace");
    assert_eq!(found(&store, false).await, std::slice::from_ref(&other));
    assert_eq!(found(&store, true).await, [innermost.clone(), inner.clone(), outer.clone()]);
    let error = store.restore_runs(std::slice::from_ref(&inner)).await.unwrap_err().to_string();
    assert!(error.contains(&format!("is within {outer}, which is in the trash")), "{error}");
    let error = store.restore_runs(std::slice::from_ref(&other)).await.unwrap_err().to_string();
    assert!(error.contains("is not in the trash"), "{error}");
    store.restore_runs(std::slice::from_ref(&outer)).await.unwrap();
    assert_eq!(found(&store, false).await.len(), 4);
    assert_eq!(store.run(&innermost).await.unwrap().metrics["loss"].points, 10);
    let both = [other, "ffff".to_owned()];
    assert!(store.throw_runs_away(&both, "grace").await.is_err());
    assert_eq!(found(&store, false).await.len(), 4, "all of them, or none");
}

async fn a_run_in_use_is_not_thrown_away(place: &Place) {
    let store = place.open().await;
    let outer = ended(&store, None).await;
    let new = NewRun { parent: Some(outer.clone()), ..NewRun::default() };
    let under_way = store.start_run(new).await.unwrap();
    let error = store.throw_runs_away(std::slice::from_ref(&outer), "ada").await.unwrap_err().to_string();
    assert!(error.contains(&format!("{} is under way", under_way.id())), "{error}");
    under_way.finish(Status::Completed).await.unwrap();
    made_by(&store, "churn", 1, &outer).await;
    let error = store.throw_runs_away(std::slice::from_ref(&outer), "ada").await.unwrap_err().to_string();
    assert!(error.contains("made churn:1") && error.contains("tabwright models rm churn:1"), "{error}");
    assert!(found(&store, true).await.is_empty());
}

async fn versions_go_to_the_trash_and_come_back_and_all_is_on_record(place: &Place) {
    let store = place.open().await;
    for content in 1..4 {
        store.register(&version(&store, "churn", content), None, &mover("ada")).await.unwrap();
    }
    assert_eq!(store.throw_versions_away("churn", Some(2), &mover("grace")).await.unwrap(), [2]);
    assert_eq!(store.throw_versions_away("churn", Some(2), &mover("grace")).await.unwrap(), [0; 0]);
    let numbers = |versions: &[tabwright_store::Version]| versions.iter().map(|v| v.version).collect::<Vec<_>>();
    assert_eq!(numbers(&store.model("churn").await.unwrap().versions), [1, 3]);
    let trash = store.deleted_versions(Some("churn")).await.unwrap();
    assert_eq!((numbers(&trash), trash[0].deleted.as_ref().unwrap().who.as_str()), (vec![2], "grace"));
    assert_eq!(store.deleted_versions(None).await.unwrap(), trash);
    assert!(store.deleted_versions(Some("other")).await.unwrap().is_empty());
    let two = Reference::parse("churn:2").unwrap();
    let error = store.version(&two).await.unwrap_err().to_string();
    assert!(error.contains("by grace: tabwright models restore churn:2 brings it back"), "{error}");
    let to_two = tabwright_store::NewMove {
        alias: "champion",
        to: Some(2),
        action: tabwright_store::Action::Promoted,
        expected: None,
    };
    let error = store.move_alias("churn", &to_two, &mover("ada")).await.unwrap_err().to_string();
    assert!(error.contains("version 2 was thrown away"), "{error}");
    assert_eq!(store.restore_versions("churn", Some(2), &mover("ada")).await.unwrap(), [2]);
    assert_eq!(store.version(&two).await.unwrap().version, 2);
    let error = store.restore_versions("churn", None, &mover("ada")).await.unwrap_err().to_string();
    assert!(error.contains("no version of `churn` is in the trash"), "{error}");
    assert!(store.throw_versions_away("churn", Some(9), &mover("ada")).await.is_err());
    // Even a clock that jumped back keeps the order.
    let slow = tabwright_store::StoreOptions { clock: || 5, ..place.options() };
    let late = Store::open(&slow).await.unwrap();
    late.throw_versions_away("churn", Some(3), &mover("late")).await.unwrap();
    let events = store.version_events("churn").await.unwrap();
    let told: Vec<_> = events.iter().map(|e| (e.version, e.what, e.who.as_str(), e.why.as_str())).collect();
    assert_eq!(
        told,
        [
            (2, Happened::ThrownAway, "grace", "a test"),
            (2, Happened::Restored, "ada", "a test"),
            (3, Happened::ThrownAway, "late", "a test"),
        ]
    );
    assert!(events.windows(2).all(|w| w[0].at < w[1].at));
}

async fn what_an_alias_means_is_not_thrown_away(place: &Place) {
    let store = place.open().await;
    for content in 1..3 {
        store.register(&version(&store, "churn", content), None, &mover("ada")).await.unwrap();
    }
    for asked in [Some(1), None] {
        let error = store.throw_versions_away("churn", asked, &mover("ada")).await.unwrap_err().to_string();
        assert!(error.contains("churn@champion points to churn:1"), "{error}");
        assert!(error.contains("tabwright models alias churn:1 champion --remove"), "{error}");
    }
    assert_eq!(store.model("churn").await.unwrap().versions.len(), 2, "all of them, or none");
}

async fn a_number_is_never_used_again(place: &Place) {
    let store = place.open().await;
    for content in 1..3 {
        store.register(&version(&store, "churn", content), None, &mover("ada")).await.unwrap();
    }
    let remove = tabwright_store::NewMove {
        alias: "champion",
        to: None,
        action: tabwright_store::Action::Removed,
        expected: None,
    };
    store.move_alias("churn", &remove, &mover("ada")).await.unwrap();
    assert_eq!(store.throw_versions_away("churn", None, &mover("ada")).await.unwrap(), [1, 2]);
    assert_eq!(free(&store).await.versions, [("churn".to_owned(), 1), ("churn".to_owned(), 2)]);
    let error = store.restore_versions("churn", Some(2), &mover("ada")).await.unwrap_err().to_string();
    assert!(error.contains("it was thrown away and freed, and its number is not used again"), "{error}");
    let third = store.register(&version(&store, "churn", 2), None, &mover("ada")).await.unwrap();
    assert_eq!(third.version, 3);
    let model = store.model("churn").await.unwrap();
    assert_eq!(model.aliases, [("champion".to_owned(), 3)].into(), "the only one of its name is the champion");
    let freed: Vec<_> = store.version_events("churn").await.unwrap();
    assert_eq!(freed.iter().filter(|e| e.what == Happened::Freed).map(|e| e.version).collect::<Vec<_>>(), [1, 2]);
}

async fn cleaning_frees_what_is_old_and_a_dry_run_says_the_same(place: &Place) {
    let store = place.open().await;
    let (outer, kept) = (ended(&store, None).await, ended(&store, None).await);
    let inner = ended(&store, Some(&outer)).await;
    let mut files = Vec::new();
    for content in 1..4 {
        let new = version(&store, "churn", content);
        store.register(&new, None, &mover("ada")).await.unwrap();
        age(&store, &new.file);
        files.push(new.file);
    }
    store.files().write("models/00/.tabwright-half.part", |out| out.write_all(&[0; 90])).unwrap();
    age(&store, "models/00/.tabwright-half.part");
    store.throw_runs_away(std::slice::from_ref(&outer), "ada").await.unwrap();
    store.throw_versions_away("churn", Some(3), &mover("ada")).await.unwrap();
    let month = Cleaning { older_than: Duration::from_secs(30 * 86_400), dry_run: false };
    let young = store.free(&month, "ada").await.unwrap();
    assert_eq!((young.runs.len(), young.versions.len(), young.files, young.file_bytes), (0, 0, 1, 90));
    let said = store.free(&Cleaning { dry_run: true, ..AT_ONCE }, "ada").await.unwrap();
    assert_eq!((said.runs.clone(), said.values), (vec![inner.clone(), outer.clone()], 20));
    assert_eq!((said.versions.as_slice(), said.files, said.file_bytes), (&[("churn".to_owned(), 3)][..], 1, 10));
    assert_eq!(found(&store, true).await.len(), 2, "a dry run frees nothing");
    assert!(store.files().has(&files[2]).unwrap());
    let done = free(&store).await;
    let but_space = |mut freed: Freed| {
        (freed.database_bytes, freed.reusable_bytes) = (None, 0);
        freed
    };
    assert_eq!(but_space(done), but_space(said));
    assert_eq!((found(&store, true).await.len(), found(&store, false).await), (0, vec![kept.clone()]));
    let left: Vec<bool> = files.iter().map(|f| store.files().has(f).unwrap()).collect();
    assert_eq!(left, [true, true, false]);
    assert!(store.run(&inner).await.is_err());
    assert_eq!(store.history(&kept, "loss").await.unwrap().len(), 10);
    let again = free(&store).await;
    assert_eq!((again.runs.len(), again.versions.len(), again.files), (0, 0, 0));
    store.verify().await.unwrap();
}

async fn cleaning_keeps_what_is_needed(place: &Place) {
    let store = place.open().await;
    let (maker, outer) = (ended(&store, None).await, ended(&store, None).await);
    let first = made_by(&store, "churn", 1, &maker).await;
    store.register(&version(&store, "churn", 2), None, &mover("ada")).await.unwrap();
    // The same content under another name: its file is needed as long as one of them is there.
    let third = version(&store, "other", 2);
    store.register(&third, None, &mover("ada")).await.unwrap();
    age(&store, &first.file);
    age(&store, &third.file);
    store.throw_versions_away("churn", Some(2), &mover("ada")).await.unwrap();
    store.throw_runs_away(std::slice::from_ref(&outer), "ada").await.unwrap();
    // A run that began within one that was thrown away keeps it.
    let late = store.start_run(NewRun { parent: Some(outer.clone()), ..NewRun::default() }).await.unwrap();
    let file = place.folder.path().join("plot.svg");
    std::fs::write(&file, "<svg/>").unwrap();
    late.log_file("plot.svg", &file).await.unwrap();
    let plot = store.run(late.id()).await.unwrap().files[0].file.clone();
    age(&store, &plot);
    let done = free(&store).await;
    assert_eq!((done.runs.len(), done.versions.len(), done.files), (0, 1, 0));
    for kept in [&first.file, &third.file, &plot] {
        assert!(store.files().has(kept).unwrap(), "{kept}");
    }
    assert!(store.run(&maker).await.is_ok() && store.run(&outer).await.is_ok());
    let id = late.id().to_owned();
    late.finish(Status::Completed).await.unwrap();
    store.throw_runs_away(&[id], "ada").await.unwrap();
    let done = free(&store).await;
    assert_eq!((done.runs.len(), done.files), (2, 1), "nothing keeps them any more");
}

async fn a_file_that_is_about_to_be_registered_is_kept(place: &Place) {
    let store = place.open().await;
    let new = version(&store, "churn", 1);
    let done = free(&store).await;
    assert_eq!((done.files, done.young_files), (0, 1), "it has just been written");
    age(&store, &new.file);
    // An object does not become younger without being written again.
    if !store.files().claim(&new.file).unwrap() {
        assert!(place.bucket.is_some());
        version(&store, "churn", 1);
    }
    assert_eq!(free(&store).await.files, 0, "somebody has claimed it");
    store.register(&new, None, &mover("ada")).await.unwrap();
    age(&store, &new.file);
    assert_eq!(free(&store).await.files, 0, "a version refers to it");
    let orphan = version(&store, "churn", 2);
    age(&store, &orphan.file);
    assert_eq!(free(&store).await.files, 1);
    assert!(!store.files().claim(&orphan.file).unwrap());
    let error = store.register(&orphan, None, &mover("ada")).await.unwrap_err().to_string();
    assert!(error.contains("the file is missing"), "{error}");
}

#[tokio::test]
async fn the_file_of_sqlite_shrinks_where_that_pays() {
    let place = Place::sqlite();
    let store = place.open().await;
    let run = store.start_run(NewRun::default()).await.unwrap();
    let one = |step| Measured { name: "loss".into(), step, at: step, value: 0.1 * step as f64 };
    run.log(&Batch { metrics: (0..100_000).map(one).collect(), ..Batch::default() }).await.unwrap();
    let id = run.id().to_owned();
    run.finish(Status::Completed).await.unwrap();
    let kept = ended(&store, None).await;
    store.throw_runs_away(&[id], "ada").await.unwrap();
    store.close().await;
    let path = place.options().home.database();
    let before = path.metadata().unwrap().len();
    let store = place.open().await;
    let done = free(&store).await;
    let given_back = done.database_bytes.unwrap();
    assert!(given_back > 2_000_000 && done.reusable_bytes == 0, "{done:?}");
    assert_eq!(path.metadata().unwrap().len(), before - given_back);
    assert_eq!(free(&store).await.database_bytes, None, "nothing is left to give back");
    assert_eq!(store.history(&kept, "loss").await.unwrap().len(), 10);
    store.verify().await.unwrap();
}
