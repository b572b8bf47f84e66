//! Tokens: created, read, revoked, and never with their text.

use tabwright_store::{Fault, NewToken, Scope, TokenState, token_hash};

use crate::{Place, on_both};

on_both![
    a_token_is_stored_as_a_hash_and_its_text_is_shown_once,
    names_are_free_again_when_a_token_is_revoked,
    a_token_is_revoked_by_its_id_its_name_or_its_text,
    what_is_no_token_is_said,
    one_name_that_is_asked_for_at_once_is_given_once,
];

fn new(name: &str, scope: Scope) -> NewToken {
    NewToken { name: name.into(), scope, expires: None }
}

async fn a_token_is_stored_as_a_hash_and_its_text_is_shown_once(place: &Place) {
    let store = place.open().await;
    assert!(store.tokens().await.unwrap().is_empty());
    let ends = tabwright_store::time::now() + 60_000_000;
    let asked = NewToken { name: "ci".into(), scope: Scope::Write, expires: Some(ends) };
    let (token, text) = store.create_token(&asked).await.unwrap();
    let parts: Vec<&str> = text.split('_').collect();
    assert_eq!((parts[0], parts[1], parts[2].len(), parts.len()), ("tw", token.id.as_str(), 64, 3));
    assert_eq!(
        (token.hash.as_str(), token.scope, token.expires),
        (token_hash(&text).as_str(), Scope::Write, Some(ends))
    );
    assert_eq!((token.state(ends - 1), token.state(ends)), (TokenState::Active, TokenState::Expired));
    let (other, other_text) = store.create_token(&new("app", Scope::Predict)).await.unwrap();
    assert!(other_text != text && other.id != token.id && other.expires.is_none());
    // Another process sees them, in the order of their creation.
    let another = place.open().await;
    assert_eq!(another.tokens().await.unwrap(), [token.clone(), other]);
    // The last that closes has all of it in one file.
    another.close().await;
    assert!(!format!("{store:?}{token:?}{asked:?}").contains(parts[2]));
    store.close().await;
    if let Ok(bytes) = std::fs::read(place.options().home.database()) {
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(has(&token.hash) && !has(parts[2]), "the file holds the hash alone");
    }
}

async fn names_are_free_again_when_a_token_is_revoked(place: &Place) {
    let store = place.open().await;
    let (first, _) = store.create_token(&new("ci", Scope::Read)).await.unwrap();
    let error = store.create_token(&new("ci", Scope::Admin)).await.unwrap_err();
    assert!(error.to_string().contains("tabwright token revoke ci"), "{error}");
    assert_eq!(error.fault(), Fault::Usage);
    assert_eq!(store.tokens().await.unwrap().len(), 1);
    let revoked = store.revoke_token("ci").await.unwrap();
    assert_eq!((&revoked.id, revoked.state(0)), (&first.id, TokenState::Revoked));
    assert_eq!(store.revoke_token("ci").await.unwrap(), revoked, "asking twice is as good as once");
    let (second, _) = store.create_token(&new("ci", Scope::Admin)).await.unwrap();
    assert_eq!(store.tokens().await.unwrap(), [revoked.clone(), second.clone()]);
    // The name means the one that is good; the other is named by its id.
    assert_eq!(store.revoke_token(&first.id).await.unwrap(), revoked);
    assert_eq!(store.revoke_token("ci").await.unwrap().id, second.id);
}

async fn a_token_is_revoked_by_its_id_its_name_or_its_text(place: &Place) {
    let store = place.open().await;
    let mut texts = Vec::new();
    for name in ["a", "b", "c"] {
        texts.push(store.create_token(&new(name, Scope::Predict)).await.unwrap());
    }
    store.revoke_token(&texts[0].0.id).await.unwrap();
    store.revoke_token("b").await.unwrap();
    store.revoke_token(&texts[2].1).await.unwrap();
    assert!(store.tokens().await.unwrap().iter().all(|token| token.revoked.is_some()));
}

async fn what_is_no_token_is_said(place: &Place) {
    let store = place.open().await;
    let error = store.revoke_token("ci").await.unwrap_err().to_string();
    assert_eq!(error, "there is no token `ci`; there is none that is not revoked");
    store.create_token(&new("nightly", Scope::Predict)).await.unwrap();
    let error = store.revoke_token("nigthly").await.unwrap_err().to_string();
    assert!(error.contains("there is no token `nigthly` (did you mean `nightly`?); there are nightly"), "{error}");
    let error = store.revoke_token("tw_0123456789abcdef_geheim").await.unwrap_err().to_string();
    assert!(error.contains("`0123456789abcdef`") && !error.contains("geheim"), "{error}");
    for name in ["", "a b", "a/b", &"x".repeat(101)] {
        assert!(store.create_token(&new(name, Scope::Read)).await.is_err(), "{name}");
    }
    let over = NewToken { expires: Some(5), ..new("late", Scope::Read) };
    let error = store.create_token(&over).await.unwrap_err();
    assert!(error.to_string().contains("1970-01-01T00:00:00Z") && error.fault() == Fault::Usage, "{error}");
}

async fn one_name_that_is_asked_for_at_once_is_given_once(place: &Place) {
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let store = place.open().await;
        tasks.push(tokio::spawn(async move { store.create_token(&new("ci", Scope::Read)).await }));
    }
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert!(error.to_string().contains("has the name `ci`"), "{error}"),
        }
    }
    assert_eq!((made, place.open().await.tokens().await.unwrap().len()), (1, 1));
}
