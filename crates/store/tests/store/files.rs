//! What is a bucket's own: objects that others alter or delete, endpoints that do not answer, large files, two stores at one
//! prefix, and several homes with one database.

use std::io::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tabwright_store::{Cleaning, Fault, FileLocation, Home, NewVersion, Store, StoreOptions};

use crate::{Place, age, in_bucket, mover, s3, version};

in_bucket![
    what_others_did_to_an_object_is_found,
    equal_files_are_sent_once,
    a_large_file_is_sent_in_parts_and_half_of_one_is_nothing,
    a_prefix_belongs_to_one_store,
    copies_on_this_machine_are_taken_away_again,
];

async fn what_others_did_to_an_object_is_found(place: &Place) {
    let (store, bucket) = (place.open().await, place.bucket.as_ref().unwrap());
    let new = version(&store, "churn", 1);
    store.register(&new, None, &mover("ada")).await.unwrap();
    let file = place.folder.path().join("plot.svg");
    std::fs::write(&file, "<svg/>").unwrap();
    let (plot, size) = store.files().keep(&file).unwrap();
    assert_eq!((store.files().read(&plot).unwrap(), size), (b"<svg/>".to_vec(), 6));
    bucket.alter(&plot, b"<SVG/>");
    let error = store.files().read(&plot).unwrap_err();
    assert_eq!(error.to_string(), format!("{}/{plot}: its bytes are not those that were kept", bucket.address()));
    assert_eq!(error.fault(), Fault::Data);
    for name in [&plot, &new.file] {
        bucket.delete(name);
        for error in [store.files().read(name).unwrap_err(), store.files().locate(name).unwrap_err()] {
            assert_eq!(error.to_string(), format!("{}/{name}: the file is missing", bucket.address()));
        }
        assert!(!store.files().has(name).unwrap() && !store.files().claim(name).unwrap());
    }
    let error = store.register(&new, None, &mover("ada")).await.unwrap_err().to_string();
    assert!(error.contains("the file is missing"), "{error}");
    // Written again, it is there again.
    version(&store, "churn", 1);
    assert_eq!(store.files().read(&new.file).unwrap(), [1; 10]);
}

async fn equal_files_are_sent_once(place: &Place) {
    let (store, bucket) = (place.open().await, place.bucket.as_ref().unwrap());
    let path = |name: &str| place.folder.path().join(name);
    for name in ["a", "b"] {
        std::fs::write(path(name), "same").unwrap();
    }
    let (name, _) = store.files().keep(&path("a")).unwrap();
    bucket.alter(&name, b"SAME");
    assert_eq!(store.files().keep(&path("b")).unwrap(), (name.clone(), 4));
    assert_eq!(bucket.read(&name).unwrap(), b"SAME", "what is there and young is not sent again");
    age(&store, &name);
    store.files().keep(&path("b")).unwrap();
    assert_eq!(bucket.read(&name).unwrap(), b"same", "what is old would be taken away");
    let mut keys = bucket.keys();
    keys.sort();
    assert_eq!(keys, [format!("team/files/{name}"), "team/files/owner.json".to_owned()]);
}

async fn a_large_file_is_sent_in_parts_and_half_of_one_is_nothing(place: &Place) {
    let store = place.open().await;
    let bytes: Vec<u8> = (0..19_000_000_u32).flat_map(|i| [(i % 251) as u8]).collect();
    let path = place.folder.path().join("large");
    std::fs::write(&path, &bytes).unwrap();
    let (name, size) = store.files().keep(&path).unwrap();
    assert_eq!(size, 19_000_000);
    assert_eq!(store.files().size(&name).unwrap(), size);
    assert!(store.files().read(&name).unwrap() == bytes);
    for length in [10, bytes.len()] {
        let half = store.files().write("models/00/half", |out| {
            out.write_all(&bytes[..length])?;
            Err(Error::other("the disk is on fire"))
        });
        let error = half.unwrap_err().to_string();
        assert!(error.contains("it could not be written: the disk is on fire"), "{error}");
        assert!(!store.files().has("models/00/half").unwrap());
    }
}

async fn a_prefix_belongs_to_one_store(place: &Place) {
    let (store, bucket) = (place.open().await, place.bucket.as_ref().unwrap());
    let new = version(&store, "churn", 1);
    store.register(&new, None, &mover("ada")).await.unwrap();
    // The same store in another process.
    place.open().await.files().claim(&new.file).unwrap();
    let home = Home::at(place.folder.path().join("other"));
    let options = StoreOptions { files: bucket.location(), ..StoreOptions::in_home(home) };
    let other = Store::open(&options).await.unwrap();
    for error in [
        other.files().write("models/x", |out| out.write_all(b"x")).unwrap_err(),
        other.files().claim(&new.file).unwrap_err(),
        other.free(&Cleaning { older_than: Duration::ZERO, dry_run: false }, "grace").await.unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(text.contains("holds the files of another store") && text.contains("owner.json"), "{text}");
        assert!(text.contains(&place.options().home.database().display().to_string()), "{text}");
        assert_eq!(error.fault(), Fault::Usage);
    }
    assert_eq!(other.files().read(&new.file).unwrap(), [1; 10], "whoever may read may read");
    bucket.delete("owner.json");
    other.files().write("models/x", |out| out.write_all(b"x")).unwrap();
    assert!(place.open().await.files().claim(&new.file).unwrap_err().to_string().contains("of another store"));
}

async fn copies_on_this_machine_are_taken_away_again(place: &Place) {
    let store = place.open().await;
    let new = version(&store, "churn", 1);
    store.register(&new, None, &mover("ada")).await.unwrap();
    let path: PathBuf = store.files().locate(&new.file).unwrap();
    assert!(path.starts_with(place.options().home.folder()) && path.ends_with(&new.file), "{}", path.display());
    assert_eq!(std::fs::read(&path).unwrap(), [1; 10]);
    let clean = Cleaning { older_than: Duration::ZERO, dry_run: false };
    store.free(&clean, "ada").await.unwrap();
    assert!(path.is_file(), "somebody may be reading it");
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(100_000);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(store.free(&clean, "ada").await.unwrap().files, 0, "it is no file of the store");
    assert!(!path.exists() && store.files().has(&new.file).unwrap());
    assert_eq!(store.files().locate(&new.file).unwrap(), path);
}

/// Asks an endpoint, and says how long it took and what came of it.
async fn asked(endpoint: &str) -> (Duration, Vec<String>) {
    let place = Place::sqlite();
    let files = FileLocation::parse("s3://models/team", s3::variables(endpoint)).unwrap();
    let store = Store::open(&StoreOptions { files, wait: Duration::from_secs(1), ..place.options() }).await.unwrap();
    let name = format!("models/ab/{}.tw", "ab".repeat(32));
    let begun = Instant::now();
    let new =
        NewVersion { name: "churn".into(), content_id: format!("blake3:{}", "ab".repeat(32)), ..NewVersion::default() };
    let new = NewVersion { file: name.clone(), ..new };
    let errors = [
        store.files().claim(&name).unwrap_err(),
        store.files().write(&name, |out| out.write_all(b"x")).unwrap_err(),
        store.files().read(&name).unwrap_err(),
        store.register(&new, None, &mover("ada")).await.unwrap_err(),
    ];
    assert!(errors.iter().all(|e| e.fault() == Fault::Failed), "{errors:?}");
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(texts.iter().all(|t| t.starts_with("s3://models/team") && t.contains(endpoint)), "{texts:?}");
    assert!(texts.iter().all(|t| !t.contains("AKIATEST") && !t.contains("geheim")), "{texts:?}");
    // The database is free all the while.
    store.start_run(tabwright_store::NewRun::default()).await.unwrap();
    (begun.elapsed(), texts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_never_answers_is_given_up() {
    let (took, texts) = asked(&s3::endpoint(None)).await;
    assert!(texts.iter().all(|t| t.contains("did not answer within 1 s")), "{texts:?}");
    assert!(took < Duration::from_secs(12), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_not_there_is_given_up() {
    let (took, texts) = asked(&s3::closed()).await;
    assert!(texts.iter().all(|t| t.contains("cannot be reached") || t.contains("did not answer")), "{texts:?}");
    assert!(texts.iter().any(|t| t.contains("onnection refused")), "{texts:?}");
    assert!(took < Duration::from_secs(12), "{took:?}");
}

#[tokio::test]
async fn a_key_that_is_not_known_is_said_and_not_shown() {
    let (_, texts) = asked(&s3::endpoint(Some(s3::DENIED))).await;
    let writes = &texts[..2];
    assert!(writes.iter().all(|t| t.contains("denies access (InvalidAccessKeyId: ")), "{texts:?}");
    assert!(texts.iter().all(|t| t.contains("check AWS_ACCESS_KEY_ID")), "{texts:?}");
}

#[tokio::test]
async fn what_the_environment_lacks_is_said_when_it_is_needed() {
    let place = Place::sqlite();
    let files = FileLocation::parse("s3://models", []).unwrap();
    let store = Store::open(&StoreOptions { files, ..place.options() }).await.unwrap();
    store.start_run(tabwright_store::NewRun::default()).await.unwrap();
    let error = store.files().has("models/x").unwrap_err();
    assert_eq!(error.fault(), Fault::Usage);
    let error = error.to_string();
    assert!(error.contains("s3://models cannot be reached: the environment has no AWS_ACCESS_KEY_ID"), "{error}");
}

/// Several homes with one PostgreSQL database and one bucket: a team.
mod team {
    use super::*;

    /// How often one home registers while another cleans.
    const ROUNDS: u8 = 30;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    #[ignore = "needs servers; `cargo xtask test` starts them"]
    async fn no_version_of_one_home_loses_its_file_to_the_cleaning_of_another() {
        let place = Place::postgres().await.in_bucket();
        let open = async |name: &str| {
            let home = Home::at(place.folder.path().join(name));
            Store::open(&StoreOptions { home, ..place.options() }).await.unwrap()
        };
        let (ada, grace) = (open("ada").await, open("grace").await);
        let registering = tokio::spawn(async move {
            let mut gone = 0;
            for round in 0..ROUNDS {
                let new = version(&ada, "churn", round % 3);
                // It has lain there for long when it is registered: its age keeps it no more.
                age(&ada, &new.file);
                match ada.register(&new, None, &mover("ada")).await {
                    Ok(_) => assert!(ada.files().has(&new.file).unwrap(), "round {round}"),
                    Err(error) => {
                        assert!(error.to_string().contains("the file is missing"), "{error}");
                        gone += 1;
                        continue;
                    }
                }
                let latest = ada.model("churn").await.unwrap().versions.last().unwrap().version;
                if latest > 1 {
                    ada.throw_versions_away("churn", Some(latest), &mover("ada")).await.unwrap();
                }
            }
            gone
        });
        let mut freed = 0;
        while !registering.is_finished() {
            let done = grace.free(&Cleaning { older_than: Duration::ZERO, dry_run: false }, "grace").await.unwrap();
            freed += done.files;
        }
        let gone = registering.await.unwrap();
        assert!(freed > 0, "nothing was freed meanwhile; {gone} were gone before they were registered");
        for version in grace.model("churn").await.unwrap().versions {
            assert!(grace.files().has(&version.registered.file).unwrap(), "version {} has no file", version.version);
        }
    }
}
