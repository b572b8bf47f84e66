//! Models in motion: another version takes over, a canary gets its share, a shadow is compared.

use serde_json::json;

use super::*;
use crate::model::{Canary, Shadow};

fn with(change: impl FnOnce(&mut Entry)) -> Bench {
    let fixture = fixture();
    let churn = entry("churn", &[("1", &fixture.churn), ("2", &fixture.other)], &[("champion", "1")]);
    let mut churn = Arc::unwrap_or_clone(churn);
    change(&mut churn);
    let models = [("churn".to_owned(), Arc::new(churn))].into();
    Bench::serving(Catalog { models, default: None }, Changing::default(), Tokens::default())
}

fn canary(entry: &mut Entry, share: f64, key: Option<&str>) {
    let served = Arc::clone(&entry.versions["2"]);
    entry.canary = Some(Canary { served, share, key: key.map(str::to_owned), is_set: false });
}

#[tokio::test]
async fn a_canary_gets_its_share_and_a_key_always_the_same_version() {
    let bench = with(|entry| canary(entry, 0.25, Some("customer_id")));
    let mut of_key = Vec::new();
    for row in rows(ROWS) {
        let first = bench.predict(&row).await.is(200);
        let again = bench.predict(&json!({"rows": [row]})).await.is(200);
        assert_eq!(first.json()["model_version"], again.json()["model_version"], "a key stays with its version");
        assert_eq!(first.headers["x-model-version"], first.json()["model_version"].as_str().unwrap());
        of_key.push(first.json()["model_version"] == "2");
    }
    let share = of_key.iter().filter(|is_canary| **is_canary).count() as f64 / ROWS as f64;
    assert!((share - 0.25).abs() < 0.08, "{share}");
    // More of the keys, and those who were with the canary stay there.
    let change =
        Request::put("/v1/models/churn/canary").header("host", "localhost").body(Body::from("{\"share\": 0.5}"));
    assert_eq!(bench.send(change.unwrap()).await.is(200).json()["canary"]["share"], 0.5);
    for (row, was) in rows(ROWS).iter().zip(of_key) {
        let now = bench.predict(row).await.is(200).json()["model_version"] == "2";
        assert!(now || !was);
    }
    // A version that is named is that version, whatever the canary.
    for path in ["/v1/models/churn/versions/1/predict", "/v1/models/churn/aliases/champion/predict"] {
        let back = bench.post(path, "application/json", rows(1)[0].to_string()).await.is(200);
        assert_eq!(back.json()["model_version"], "1");
    }
    for body in ["{\"share\": 2}", "{}", "[]", "{\"share\": \"a\"}", ""] {
        let change = Request::put("/v1/models/churn/canary").header("host", "localhost").body(Body::from(body));
        bench.send(change.unwrap()).await.is(400);
    }
    // Who looks for aliases meanwhile brings no share back; who reads the settings anew does.
    let (now, mut loaded) = (bench.app.catalog(), crate::model::Catalog::default());
    let mut before = Entry::clone(&now.models["churn"]);
    before.canary.as_mut().unwrap().share = 0.25;
    before.canary.as_mut().unwrap().is_set = false;
    loaded.models.insert("churn".into(), Arc::new(before));
    loaded.keep_shares(&now);
    let kept = loaded.models["churn"].canary.clone().unwrap();
    assert!(kept.share == 0.5 && kept.is_set);
    let none = with(|_| {});
    let change =
        Request::put("/v1/models/churn/canary").header("host", "localhost").body(Body::from("{\"share\": 0.5}"));
    none.send(change.unwrap()).await.is(409).says("no_canary", "--canary");
}

#[tokio::test]
async fn keys_of_callers_and_chance_decide_where_no_column_does() {
    let bench = with(|entry| canary(entry, 0.5, None));
    let row = rows(1)[0].to_string();
    let mut versions = std::collections::BTreeSet::new();
    for key in 0..40 {
        let header = [("content-type", "application/json"), ("x-routing-key", &*key.to_string())];
        let by_header = bench.post_with("/v1/models/churn/predict", &header, row.clone()).await.is(200).json();
        let path = format!("/v1/models/churn/predict?key={key}");
        let by_query = bench.post(&path, "application/json", row.clone()).await.is(200).json();
        assert_eq!(by_header["model_version"], by_query["model_version"]);
        versions.insert(by_query["model_version"].as_str().unwrap().to_owned());
    }
    assert_eq!(versions.len(), 2);
    let mut by_chance = std::collections::BTreeSet::new();
    for _ in 0..60 {
        by_chance.insert(
            bench.post("/v1/models/churn/predict", "application/json", row.clone()).await.json()["model_version"]
                .to_string(),
        );
    }
    assert_eq!(by_chance.len(), 2);
}

#[tokio::test]
async fn a_shadow_is_compared_and_never_answers() {
    let bench = with(|entry| {
        let served = Arc::clone(&entry.versions["2"]);
        entry.shadow = Some(Shadow { served, comparison: Arc::default() });
    });
    let alone = with(|_| {});
    let body = json!({"rows": rows(100)});
    let back = bench.predict(&body).await.is(200).json();
    assert_eq!(back["probabilities"], alone.predict(&body).await.json()["probabilities"]);
    let own = alone.post("/v1/models/churn/versions/2/predict", "application/json", body.to_string()).await.json();
    // The two read other columns, so rows of a file are not compared.
    bench.post("/v1/models/churn/predict", "text/csv", table()).await.is(200);
    let compared = loop {
        let about = bench.get("/v1/models/churn").await.is(200).json();
        if about["shadow"]["compared"]["rows"] == 100 {
            break about["shadow"]["compared"].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    assert_eq!(compared["skipped"], 1);
    let pairs = back["probabilities"].as_array().unwrap().iter().zip(own["probabilities"].as_array().unwrap());
    let largest = pairs.map(|(a, b)| (a[1].as_f64().unwrap() - b[1].as_f64().unwrap()).abs()).fold(0.0, f64::max);
    assert_eq!(compared["largest_difference"].as_f64().unwrap(), largest);
    assert!(compared["agreement"].as_f64().unwrap() > 0.5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_takes_over_under_load_is_never_mixed_with_another() {
    let fixture = fixture();
    let versions = [entry("churn", &[("1", &fixture.churn)], &[]), entry("churn", &[("2", &fixture.other)], &[])];
    let catalog =
        |entry: &Arc<Entry>| Catalog { models: [("churn".to_owned(), Arc::clone(entry))].into(), default: None };
    let bench = Arc::new(Bench::serving(catalog(&versions[0]), Changing::default(), Tokens::default()));
    let body = json!({"rows": rows(5)});
    let expected = [bench.predict(&body).await.json()["probabilities"].clone(), {
        bench.app.set_catalog(catalog(&versions[1]));
        bench.predict(&body).await.json()["probabilities"].clone()
    }];
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (bench, body, expected) = (Arc::clone(&bench), body.clone(), expected.clone());
            tokio::spawn(async move {
                for _ in 0..250 {
                    let back = bench.predict(&body).await.is(200);
                    let version = back.json()["model_version"].as_str().unwrap().parse::<usize>().unwrap();
                    assert_eq!(back.json()["probabilities"], expected[version - 1]);
                    assert_eq!(back.headers["x-model-version"], version.to_string());
                }
            })
        })
        .collect();
    let mut moves = 0;
    while !callers.iter().all(tokio::task::JoinHandle::is_finished) {
        bench.app.set_catalog(catalog(&versions[moves % 2]));
        moves += 1;
        tokio::task::yield_now().await;
    }
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(moves > 10, "{moves}");
}
