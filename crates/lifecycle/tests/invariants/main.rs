//! The invariants that span crates: nothing leaks, one road, same bytes anywhere.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod formats;
mod leakage;
mod live;
mod one_road;
mod same_bytes;
mod streaming;
mod year;

use tabwright_core::{Context, Table};
use tabwright_learn::candidate::Registry;
use tabwright_lifecycle::config::Config;
use tabwright_lifecycle::example::{Example, generate};
use tabwright_lifecycle::train::{Surroundings, Trained, train_table};

/// A configuration for the churn sample with the given candidates.
fn config(candidates: &[&str]) -> Config {
    let mut config = Config::default();
    config.data.target = "churned".into();
    config.selection.folds = 2;
    config.train.candidates = candidates.iter().map(|c| (*c).to_owned()).collect();
    config
}

fn trained(table: Table, config: &Config) -> Trained {
    train_table(table, config, &Registry::default(), &Surroundings::default(), Context::silent()).unwrap()
}

fn churn(rows: usize) -> Table {
    generate(Example::Churn, rows, 42)
}

/// Every type of candidate that learns two classes.
const CLASSIFIERS: [&str; 5] =
    ["logistic_regression", "random_forest", "extra_trees", "gbdt_depthwise", "gbdt_leafwise"];
