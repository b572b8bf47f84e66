//! The same data, plan and seed give the same content id: on any number of threads, in debug and in release.

use tabwright_lifecycle::example::{Example, generate};

use crate::{CLASSIFIERS, churn, config, trained};

/// Content ids of the sample, to be changed only together with a line under "Numeric results" in CHANGELOG.md. They hold in
/// debug and release builds and on every x86-64 machine, which is what this constant is for.
const PINNED: [(&str, &str); 5] = [
    ("logistic_regression", "blake3:7ff4a732d1822911c41e8e4563693ee2c5e1a991571526bee9e0c684177e1695"),
    ("random_forest", "blake3:32cbd8d8638f548dbfe4c9532126b3ac9d6ca46f9e8d599dc970ba3cfb7d362a"),
    ("extra_trees", "blake3:65a2714ccf7b264f00ebc0f8c3756cc4010fc78d2e13829d39b4c5d46cd6d144"),
    ("gbdt_depthwise", "blake3:f1ea3ff0169e5426fe9f4dd7669c901c7831383dabc4f9e6466bd6a63f3dee90"),
    ("gbdt_leafwise", "blake3:0380fe4414483d538e17a516ea9b8dc61f4d07ee19fb3d06aa275703161e9c0a"),
];

#[test]
fn content_ids_are_pinned_and_hold_on_any_number_of_threads() {
    let table = churn(600);
    let mut found = Vec::new();
    for candidate in CLASSIFIERS {
        let id = |threads| {
            let mut config = config(&[candidate]);
            config.train.threads = threads;
            trained(table.clone(), &config).artifact.content_id().to_owned()
        };
        let one = id(1);
        for threads in [2, 3, 8] {
            assert_eq!(id(threads), one, "{candidate} on {threads} threads");
        }
        found.push((candidate, one));
    }
    let found: Vec<(&str, &str)> = found.iter().map(|(c, id)| (*c, id.as_str())).collect();
    assert_eq!(found, PINNED);
}

#[test]
fn regressions_hold_on_any_number_of_threads() {
    let table = generate(Example::Houses, 500, 42);
    for candidate in ["linear_regression", "ridge", "random_forest", "extra_trees", "gbdt_depthwise", "gbdt_leafwise"] {
        let id = |threads| {
            let mut config = config(&[candidate]);
            config.data.target = "price".into();
            config.train.threads = threads;
            trained(table.clone(), &config).artifact.content_id().to_owned()
        };
        let one = id(1);
        assert!([2, 5].into_iter().all(|threads| id(threads) == one), "{candidate}");
    }
}

#[test]
fn another_seed_is_another_forest_and_the_same_split() {
    let table = churn(400);
    let run = |seed| {
        let mut config = config(&["random_forest"]);
        config.train.seed = seed;
        trained(table.clone(), &config)
    };
    let (a, b) = (run(1), run(2));
    assert_eq!(a.split.test, b.split.test);
    assert_ne!(a.artifact.content_id(), b.artifact.content_id());
}
