//! Versions, aliases and their trail.

use tabwright_store::{Action, CHALLENGER, NewMove, Reference, Version};

use crate::{Place, mover, on_each, version};

on_each![
    versions_are_numbered_from_one_and_the_first_is_champion,
    equal_content_is_one_file_and_asking_twice_is_once,
    aliases_move_and_every_move_is_in_the_trail,
    a_rollback_goes_back_step_by_step,
    a_move_that_was_decided_upon_something_else_is_refused,
    a_clock_that_jumps_back_keeps_the_order,
    concurrent_registrations_are_dense,
    what_is_not_there_is_named,
];

fn set(alias: &str, to: Option<u64>) -> NewMove<'_> {
    NewMove { alias, to, action: Action::Set, expected: None }
}

async fn versions_are_numbered_from_one_and_the_first_is_champion(place: &Place) {
    let store = place.open().await;
    let mut numbers = Vec::new();
    for content in 1..4 {
        let alias = (content == 3).then_some(CHALLENGER);
        numbers.push(store.register(&version(&store, "churn", content), alias, &mover("ada")).await.unwrap().version);
    }
    assert_eq!(numbers, [1, 2, 3]);
    let model = store.model("churn").await.unwrap();
    assert_eq!(model.aliases, [("champion".to_owned(), 1), (CHALLENGER.to_owned(), 3)].into());
    assert_eq!(model.versions.iter().map(|v| v.version).collect::<Vec<_>>(), [1, 2, 3]);
    let found = |text: &str| {
        let (store, reference) = (store.clone(), Reference::parse(text).unwrap());
        async move { store.version(&reference).await.unwrap().version }
    };
    assert_eq!((found("churn").await, found("churn:2").await, found("churn@challenger").await), (1, 2, 3));
}

async fn equal_content_is_one_file_and_asking_twice_is_once(place: &Place) {
    let store = place.open().await;
    let mut new = version(&store, "churn", 1);
    new.metrics.insert("test.roc_auc".into(), 0.8);
    new.info = serde_json::json!({ "signature": { "target": "churned" } });
    new.tags.insert("stage".into(), "trial".into());
    let first = store.register(&new, None, &mover("ada")).await.unwrap();
    new.run_id = "00000000000000aa".into();
    let second = store.register(&new, None, &mover("ada")).await.unwrap();
    let again = store.register(&new, None, &mover("ada")).await.unwrap();
    assert_eq!((first.version, second.version, again.version), (1, 2, 2));
    assert_eq!(store.model("churn").await.unwrap().versions[1].registered, new);
    let same: Vec<Version> = store.versions_of_content(&new.content_id).await.unwrap();
    assert_eq!(same.iter().map(|v| v.version).collect::<Vec<_>>(), [1, 2]);
    new.content_id = format!("blake3:{}", "ee".repeat(32));
    assert!(store.register(&new, None, &mover("ada")).await.is_err(), "a file of another content");
    new.file = format!("models/ee/{}.tw", "ee".repeat(32));
    let error = store.register(&new, None, &mover("ada")).await.unwrap_err().to_string();
    assert!(error.contains("the file is missing"), "{error}");
    assert_eq!(store.model("churn").await.unwrap().versions.len(), 2);
}

async fn aliases_move_and_every_move_is_in_the_trail(place: &Place) {
    let store = place.open().await;
    for content in 1..3 {
        store.register(&version(&store, "churn", content), None, &mover("ada")).await.unwrap();
    }
    let promoted = NewMove { alias: "champion", to: Some(2), action: Action::Promoted, expected: Some(Some(1)) };
    let done = store.move_alias("churn", &promoted, &mover("grace")).await.unwrap();
    assert_eq!((done.from, done.to, done.who.as_str()), (Some(1), Some(2), "grace"));
    store.move_alias("churn", &set("shadow", Some(1)), &mover("ada")).await.unwrap();
    store.move_alias("churn", &set("shadow", None), &mover("ada")).await.unwrap();
    assert!(store.move_alias("churn", &set("shadow", None), &mover("ada")).await.is_err());
    assert!(store.move_alias("churn", &set("champion", Some(3)), &mover("ada")).await.is_err());
    assert!(store.move_alias("churn", &set("a/b", Some(1)), &mover("ada")).await.is_err());
    let moves = store.moves("churn").await.unwrap();
    let told: Vec<_> = moves.iter().map(|m| (m.alias.as_str(), m.from, m.to, m.action)).collect();
    assert_eq!(
        told,
        [
            ("champion", None, Some(1), Action::Registered),
            ("champion", Some(1), Some(2), Action::Promoted),
            ("shadow", None, Some(1), Action::Set),
            ("shadow", Some(1), None, Action::Set),
        ]
    );
    let at = |i: usize| moves[i].at;
    let then = |at| {
        let store = store.clone();
        async move { store.aliases_at("churn", at).await.unwrap() }
    };
    assert!(then(at(0) - 1).await.is_empty());
    assert_eq!(then(at(0)).await["champion"], 1);
    assert_eq!(then(at(2)).await, [("champion".to_owned(), 2), ("shadow".to_owned(), 1)].into());
    assert_eq!(then(i64::MAX).await, store.model("churn").await.unwrap().aliases);
}

async fn a_rollback_goes_back_step_by_step(place: &Place) {
    let store = place.open().await;
    for content in 1..4 {
        store.register(&version(&store, "churn", content), None, &mover("ada")).await.unwrap();
        store.move_alias("churn", &set("champion", Some(content.into())), &mover("ada")).await.unwrap();
    }
    let grace = mover("grace");
    let back = || store.roll_back("churn", "champion", &grace);
    assert_eq!(back().await.unwrap().to, Some(2));
    assert_eq!(back().await.unwrap().to, Some(1));
    store.move_alias("churn", &set("champion", Some(3)), &mover("ada")).await.unwrap();
    let done = back().await.unwrap();
    assert_eq!((done.from, done.to, done.action), (Some(3), Some(1), Action::RolledBack));
    let last = loop {
        match back().await {
            Ok(done) => assert_eq!(done.to, Some(1), "the first version was set twice"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(last.contains("nothing to go back to"), "{last}");
    assert_eq!(store.model("churn").await.unwrap().aliases["champion"], 1);
    let error = store.roll_back("churn", "champoin", &mover("ada")).await.unwrap_err().to_string();
    assert!(error.contains("did you mean `champion`?"), "{error}");
}

async fn a_move_that_was_decided_upon_something_else_is_refused(place: &Place) {
    let store = place.open().await;
    for content in 1..4 {
        store.register(&version(&store, "churn", content), None, &mover("ada")).await.unwrap();
    }
    let promote = |to| NewMove { alias: "champion", to: Some(to), action: Action::Promoted, expected: Some(Some(1)) };
    let (two, three) = (promote(2), promote(3));
    let (ada, grace) = (mover("ada"), mover("grace"));
    let both = tokio::join!(store.move_alias("churn", &two, &ada), store.move_alias("churn", &three, &grace));
    let outcomes = [both.0, both.1];
    assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1, "{outcomes:?}");
    let refused = outcomes.into_iter().find_map(Result::err).unwrap().to_string();
    assert!(refused.contains("by now, not to version 1"), "{refused}");
    assert_eq!(store.moves("churn").await.unwrap().len(), 2);
}

async fn a_clock_that_jumps_back_keeps_the_order(place: &Place) {
    let store = place.open().await;
    store.register(&version(&store, "churn", 1), None, &mover("ada")).await.unwrap();
    store.register(&version(&store, "churn", 2), None, &mover("ada")).await.unwrap();
    let slow = tabwright_store::StoreOptions { clock: || 5, ..place.options() };
    let late = tabwright_store::Store::open(&slow).await.unwrap();
    let done = late.move_alias("churn", &set("champion", Some(2)), &mover("ada")).await.unwrap();
    let moves = store.moves("churn").await.unwrap();
    assert_eq!((moves[1].at, done.at), (moves[0].at + 1, moves[0].at + 1));
    assert_eq!(store.aliases_at("churn", moves[0].at).await.unwrap()["champion"], 1);
    assert_eq!(store.aliases_at("churn", done.at).await.unwrap()["champion"], 2);
}

async fn concurrent_registrations_are_dense(place: &Place) {
    let store = place.open().await;
    let mut tasks = Vec::new();
    for content in 0..24 {
        let store = place.open().await;
        let new = version(&store, "churn", content % 5);
        tasks.push(tokio::spawn(async move { store.register(&new, None, &mover("ada")).await.unwrap().version }));
    }
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.push(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=24).collect::<Vec<u64>>());
    assert_eq!(store.moves("churn").await.unwrap().len(), 1);
}

async fn what_is_not_there_is_named(place: &Place) {
    let store = place.open().await;
    let ask = |text: &str| {
        let (store, reference) = (store.clone(), Reference::parse(text).unwrap());
        async move { store.version(&reference).await.unwrap_err().to_string() }
    };
    assert!(ask("churn").await.contains("none is registered yet"));
    store.register(&version(&store, "churn", 1), None, &mover("ada")).await.unwrap();
    assert!(ask("chrun").await.contains("there is no model `chrun` (did you mean `churn`?)"));
    assert!(ask("churn:2").await.contains("there is no version `churn:2`; there is version 1"));
    assert!(ask("churn@champoin").await.contains("(did you mean `champion`?); it has champion"));
    for name in ["a/b", "..", "a\0b", "🚀", "x.tw", &"x".repeat(10_240)] {
        let mut new = version(&store, "churn", 1);
        new.name = name.into();
        assert!(store.register(&new, None, &mover("ada")).await.is_err(), "{name}");
    }
}
