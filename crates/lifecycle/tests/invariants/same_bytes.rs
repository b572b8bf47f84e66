//! The same data, plan and seed give the same content id: on any number of threads, with the widest vectors and without, in
//! debug and in release.

use tabwright_lifecycle::example::{Example, generate};
use tabwright_model::kernels;

use crate::{CLASSIFIERS, churn, config, trained};

/// Content ids of the sample, to be changed only together with a line under "Numeric results" in CHANGELOG.md. They hold in
/// debug and release builds and on every x86-64 machine, which is what this constant is for.
const PINNED: [(&str, &str); 5] = [
    ("logistic_regression", "blake3:7ff4a732d1822911c41e8e4563693ee2c5e1a991571526bee9e0c684177e1695"),
    ("random_forest", "blake3:58a74ce20f3ce154b70134cc96c93c9bc20f3f6a82a4b912fc091d2e8348649e"),
    ("extra_trees", "blake3:0a1c51b9417514cdb83493b556217fa8d18acd62eccf7217779ccce7fc5c8531"),
    ("gbdt_depthwise", "blake3:3eabc5e4d3e4cb9ff8385d45c91d4fa3bffad7046f052546f14b066101055b8f"),
    ("gbdt_leafwise", "blake3:1d14b99e4bb7aa1765b0d2ac778e540e840016435a3bb80ea637c6532d0836c4"),
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
        let (one, plain) = kernels::both(|| id(1));
        assert_eq!(one, plain, "{candidate} without wide vectors");
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
