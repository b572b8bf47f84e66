//! Nothing is fitted on the rows that score it: whatever stands in the test rows, the stored model is the same, to the byte.

use tabwright_core::{Column, Role, Table};
use tabwright_lifecycle::config::Config;

use crate::{CLASSIFIERS, churn, config, trained};

/// Numbers and categories of the given rows become garbage; ids and targets, by which rows are placed, stay.
fn garble(table: &Table, rows: &[u32], config: &Config) -> Table {
    let (schema, mut columns) = table.clone().into_parts();
    for (field, column) in schema.fields().iter().zip(&mut columns) {
        let keeps_place = config.data.roles.get(&field.name) == Some(&Role::Id) || field.name == config.data.target;
        if keeps_place {
            continue;
        }
        for &row in rows {
            match column {
                Column::Float(v) => v[row as usize] = -1e9 + f64::from(row),
                Column::Integer(v) | Column::Timestamp(v) => v[row as usize] = 1_000_000_007 * i64::from(row),
                Column::Category(c) => c.codes[row as usize] = (row * 7) % c.levels.len() as u32,
            }
        }
    }
    Table::new(schema, columns).unwrap()
}

#[test]
fn garbage_in_the_test_rows_changes_no_byte_of_any_model() {
    let table = churn(500);
    for candidate in CLASSIFIERS {
        let mut config = config(&[candidate]);
        config.data.roles.insert("customer_id".into(), Role::Id);
        let before = trained(table.clone(), &config);
        let after = trained(garble(&table, &before.split.test, &config), &config);
        assert_eq!(before.split.test, after.split.test);
        assert_eq!(before.artifact.content_id(), after.artifact.content_id(), "{candidate}");
        assert_ne!(before.found.test, after.found.test, "{candidate}: the test rows are scored");
        let scores = |t: &tabwright_lifecycle::train::Trained| t.found.leaderboard[0].cv_scores.clone();
        assert_eq!(scores(&before), scores(&after), "{candidate}");
    }
}

#[test]
fn a_row_that_an_earlier_model_was_tested_on_is_not_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("first.tw");
    let mut strays_afresh = 0;
    for seed in 0..4 {
        let mut config = config(&["logistic_regression"]);
        config.data.roles.insert("customer_id".into(), Role::Id);
        config.split.seed = seed;
        let first = trained(churn(300), &config);
        tabwright_lifecycle::train::save(&first, &path).unwrap();
        // The first rows of the grown table are those of the old one.
        let strays = |config: &Config| {
            let split = trained(churn(900), config).split;
            first.split.test.iter().filter(|row| split.test.binary_search(row).is_err()).count()
        };
        strays_afresh += strays(&config);
        config.split.like = path.display().to_string();
        assert_eq!(strays(&config), 0, "split seed {seed}");
    }
    assert!(strays_afresh > 0, "cut afresh, some rows change sides");
}

#[test]
fn garbage_in_the_validation_rows_changes_no_fold() {
    let table = churn(500);
    for candidate in CLASSIFIERS {
        let mut config = config(&[candidate]);
        config.data.roles.insert("customer_id".into(), Role::Id);
        let before = trained(table.clone(), &config);
        let after = trained(garble(&table, &before.split.validation, &config), &config);
        let line = |t: &tabwright_lifecycle::train::Trained| {
            t.found.leaderboard.iter().find(|l| l.candidate.name == candidate).unwrap().clone()
        };
        assert_eq!(line(&before).cv_scores, line(&after).cv_scores, "{candidate}");
        assert_ne!(line(&before).validation, line(&after).validation, "{candidate}");
    }
}
