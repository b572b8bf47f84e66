//! Homes of every released layout become homes of the newest, with all that is in them.

use tabwright_store::{Action, Cleaning, Happened, Location, NewToken, Scope, Search, Status};

use crate::home::sql;
use crate::{Place, mover, on_both};

on_both![a_home_of_layout_1_is_brought_up_to_date, a_home_of_layout_2_is_brought_up_to_date];

const LAYOUT_1: &str = include_str!("../fixtures/layout-1.sql");
/// What layout 2 added to the home of layout 1.
const LAYOUT_2: &str = include_str!("../fixtures/layout-2.sql");

/// A layout in the words of a database, as the version that made it wrote it.
fn in_dialect(text: &str, location: &Location) -> String {
    let (id, collated, real, clustered) = match location {
        Location::Sqlite(_) => ("INTEGER PRIMARY KEY AUTOINCREMENT", "TEXT", "REAL", " WITHOUT ROWID"),
        _ => ("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "TEXT COLLATE \"C\"", "DOUBLE PRECISION", ""),
    };
    let text = text.replace("{id}", id).replace("{text}", collated).replace("{real}", real);
    let text = text.replace("{clustered}", clustered);
    match location {
        Location::Sqlite(_) => text,
        _ => format!("CREATE SCHEMA tabwright; SET search_path TO tabwright; {text}"),
    }
}

#[test]
fn a_released_layout_is_never_changed() {
    assert!(LAYOUT_1.starts_with(include_str!("../../src/database/1.sql")));
    assert!(LAYOUT_2.starts_with(include_str!("../../src/database/2.sql")));
}

async fn a_home_of_layout_2_is_brought_up_to_date(place: &Place) {
    std::fs::create_dir_all(place.options().home.folder()).unwrap();
    sql(place, &in_dialect(&format!("{LAYOUT_1}\n{LAYOUT_2}"), &place.location)).await;
    for _ in 0..2 {
        let store = place.open().await;
        let events = store.version_events("churn").await.unwrap();
        let told: Vec<_> = events.iter().map(|e| (e.what, e.at, e.who.as_str(), e.why.as_str())).collect();
        let expected =
            [(Happened::ThrownAway, 5_000_000, "ada", "no better"), (Happened::Restored, 6_000_000, "ada", "")];
        assert_eq!(told, expected);
        let thrown = store.search(&Search { deleted: true, ..Search::default() }).await.unwrap().runs;
        assert_eq!(thrown[0].deleted.as_ref().unwrap().who, "grace");
        assert_eq!(store.model("churn").await.unwrap().aliases["champion"], 2);
        assert!(store.tokens().await.unwrap().is_empty());
        store.verify().await.unwrap();
        store.close().await;
    }
    let store = place.open().await;
    let new = NewToken { name: "ci".into(), scope: Scope::Predict, expires: None };
    let (token, _) = store.create_token(&new).await.unwrap();
    assert_eq!(store.tokens().await.unwrap(), [token]);
}

async fn a_home_of_layout_1_is_brought_up_to_date(place: &Place) {
    std::fs::create_dir_all(place.options().home.folder()).unwrap();
    sql(place, &in_dialect(LAYOUT_1, &place.location)).await;
    // Twice: what has been brought up to date is opened as it is.
    for _ in 0..2 {
        let store = place.open().await;
        let run = store.run("00000000000000aa").await.unwrap();
        assert_eq!((run.status, run.seconds(), run.note.as_str()), (Status::Completed, Some(2.5), "a note"));
        assert_eq!((run.run.project.as_str(), run.run.experiment.as_str()), ("telecom", "first"));
        assert_eq!(run.run.info, serde_json::json!({ "seed": 42 }));
        assert_eq!((run.params["depth"].as_str(), run.params["type"].as_str()), ("6", "gbdt_leafwise"));
        assert_eq!((run.tags["owner"].as_str(), run.files[0].file.as_str()), ("ada", "files/ab/abcd"));
        let summary = run.metrics["fold.roc_auc"];
        assert_eq!((summary.points, summary.last, summary.mean), (3, 0.75, 0.625));
        let history = store.history("00000000000000aa", "fold.roc_auc").await.unwrap();
        assert!(history[1].value.is_nan() && history[2].value == 0.75);
        let search =
            |filter: &str, deleted| Search { filter: filter.into(), nested: true, deleted, ..Search::default() };
        let found = store.search(&search("params.depth > 5 and tags.owner = 'ada'", false)).await.unwrap();
        assert_eq!(found.runs.len(), 1);
        assert_eq!(store.search(&search("", false)).await.unwrap().runs.len(), 2);
        let thrown = store.search(&search("", true)).await.unwrap().runs;
        assert_eq!((thrown.len(), thrown[0].deleted.as_ref().unwrap().at), (1, 5_000_000));
        let model = store.model("churn").await.unwrap();
        assert_eq!((model.description.as_str(), model.aliases["champion"]), ("who leaves", 2));
        let first = &model.versions[0].registered;
        assert_eq!((first.metrics["test.roc_auc"], first.tags["stage"].as_str(), first.size), (0.7, "trial", 10));
        let moves = store.moves("churn").await.unwrap();
        assert_eq!((moves[1].action, moves[1].who.as_str()), (Action::Promoted, "grace"));
        assert_eq!(store.aliases_at("churn", 4_200_000).await.unwrap()["champion"], 1);
        store.verify().await.unwrap();
        store.close().await;
    }
    // What the new layout brought works on what is old.
    let store = place.open().await;
    store.throw_versions_away("churn", Some(1), &mover("ada")).await.unwrap();
    let freed = store.free(&Cleaning { older_than: std::time::Duration::ZERO, dry_run: false }, "ada").await.unwrap();
    assert_eq!((freed.runs.as_slice(), freed.versions.len()), (&["00000000000000ac".to_owned()][..], 1));
    assert_eq!(store.version_events("churn").await.unwrap()[1].what, Happened::Freed);
}
