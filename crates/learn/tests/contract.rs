//! What every candidate must keep, whatever it learns: one suite over all types and tasks.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::collections::BTreeMap;

use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{
    Cancel, Category, Column, Field, Kind, RowSet, Rows, Schema, Table, Targets, Task, block::MISSING_INTEGER,
};
use tabwright_learn::candidate::{Candidate, CandidateConfig, Registry};
use tabwright_learn::fit::{FittedCandidate, Material, fit};
use tabwright_learn::param::{Allowed, Bound, Value};
use tabwright_learn::transform::{Inputs, TransformConfig};
use tabwright_model::artifact::{Artifact, content_id};
use tabwright_model::evidence::{Evidence, Record};
use tabwright_model::model::Signature;

/// A table of every kind with missing values, a constant and an empty column, and its targets.
struct Case {
    table: Table,
    signature: Signature,
    targets: Targets,
    keys: Vec<u64>,
    inputs: Inputs,
}

fn tasks() -> [Task; 3] {
    let labels = ["a", "b", "c"].map(str::to_owned);
    [
        Task::Binary { labels: ["no".into(), "yes".into()] },
        Task::Multiclass { labels: labels.to_vec() },
        Task::Regression,
    ]
}

fn case(task: &Task, rows: usize) -> Case {
    let keyed = Keyed::new(7, Purpose::Example);
    let u = |row: usize, what: u64| keyed.child(what).uniform(row as u64);
    let all = || 0..rows;
    let number = |row: usize| if u(row, 1) < 0.1 { f64::NAN } else { 10.0 * u(row, 2) };
    let whole = |row: usize| if u(row, 3) < 0.1 { MISSING_INTEGER } else { (8.0 * u(row, 4)) as i64 };
    let level = |row: usize| (u(row, 5) > 0.1).then(|| ["red", "green", "blue", "grey"][(4.0 * u(row, 6)) as usize]);
    let fields = [
        ("x", Kind::Float),
        ("n", Kind::Integer),
        ("c", Kind::Categorical),
        ("b", Kind::Boolean),
        ("t", Kind::Timestamp),
        ("same", Kind::Integer),
        ("void", Kind::Float),
    ];
    let columns = vec![
        Column::Float(all().map(number).collect()),
        Column::Integer(all().map(whole).collect()),
        Column::Category(Category::from_strings(all().map(level))),
        Column::Category(Category::from_strings(all().map(|r| Some(if u(r, 7) < 0.5 { "true" } else { "false" })))),
        Column::Timestamp(all().map(|r| (u(r, 8) * 1e15) as i64).collect()),
        Column::Integer(vec![3; rows]),
        Column::Float(vec![f64::NAN; rows]),
    ];
    let signal = |row: usize| {
        let x = if number(row).is_nan() { 4.0 } else { number(row) };
        x + if level(row) == Some("red") { 5.0 } else { 0.0 } + 2.0 * u(row, 9)
    };
    let target = |row: usize| match task {
        Task::Regression => signal(row),
        Task::Binary { .. } => f64::from(u8::from(signal(row) > 7.0)),
        Task::Multiclass { .. } => (signal(row) / 6.0).floor().clamp(0.0, 2.0),
    };
    let schema = Schema::new(fields.map(|(n, k)| Field::feature(n, k)).to_vec()).unwrap();
    let (target_name, zone) = ("y".to_owned(), "UTC".to_owned());
    Case {
        table: Table::new(schema, columns).unwrap(),
        signature: Signature { task: task.clone(), target: target_name, zone, na: vec![] },
        targets: Targets::new(all().map(target).collect()),
        keys: all().map(|r| keyed.bits(r as u64)).collect(),
        inputs: Inputs { columns: (0..7).collect(), forced: vec![] },
    }
}

impl Case {
    fn fit(&self, candidate: &Candidate, rows: &[u32]) -> FittedCandidate {
        let transforms = TransformConfig::default();
        let material = Material {
            table: &self.table,
            signature: &self.signature,
            targets: &self.targets,
            keys: &self.keys,
            inputs: &self.inputs,
            transforms: &transforms,
            seed: 42,
            side_by_side: true,
        };
        fit(&material, candidate, rows, None, &Cancel::new()).unwrap_or_else(|e| panic!("{}: {e}", candidate.name))
    }

    fn predict(&self, fitted: &FittedCandidate, rows: RowSet<'_>) -> Vec<f64> {
        let scorer = fitted.model.bind(self.table.schema()).unwrap();
        scorer.predict(Rows::new(self.table.block(), rows)).values
    }
}

fn candidates(task: &Task, params: &[(&str, Value)]) -> Vec<Candidate> {
    let registry = Registry::default();
    let names = registry.types().iter().filter(|t| t.tasks.contains(task));
    let configs = names.map(|t| {
        let known = |name: &str| t.params.iter().any(|s| s.name == name);
        let params: BTreeMap<String, Value> =
            params.iter().filter(|(n, _)| known(n)).map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        CandidateConfig { name: t.name.clone(), candidate_type: None, params }
    });
    configs.map(|c| Candidate::resolve(&c, task, &registry).unwrap()).collect()
}

fn all_rows(n: usize) -> Vec<u32> {
    (0..n as u32).collect()
}

#[test]
fn every_candidate_learns_more_than_the_baseline() {
    for task in tasks() {
        let case = case(&task, 400);
        let (fitting, scoring): (Vec<u32>, Vec<u32>) = all_rows(400).into_iter().partition(|r| r % 4 != 0);
        let loss = |candidate: &Candidate| {
            let fitted = case.fit(candidate, &fitting);
            let values = case.predict(&fitted, RowSet::List(&scoring));
            let metric = tabwright_core::Metric::default_for(&task);
            let predictions = tabwright_core::Predictions { n_outputs: task.n_outputs(), values };
            let score = tabwright_core::metric::score(metric, &task, &case.targets.take(&scoring), &predictions, 0.5);
            if metric.greater_is_better() { -score } else { score }
        };
        let losses: Vec<(String, f64)> = candidates(&task, &[]).iter().map(|c| (c.name.clone(), loss(c))).collect();
        let floor = losses.iter().find(|(n, _)| n == "baseline").unwrap().1;
        for (name, loss) in losses.iter().filter(|(n, _)| n != "baseline") {
            assert!(*loss < floor - 0.1 * floor.abs(), "{} {name}: {loss} against {floor}", task.name());
        }
    }
}

#[test]
fn a_fit_is_the_same_again_and_on_any_number_of_threads() {
    for task in tasks() {
        let case = case(&task, 300);
        for candidate in candidates(&task, &[("n_estimators", Value::Integer(10))]) {
            let id = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| content_id(&case.fit(&candidate, &all_rows(300)).model))
            };
            let one = id(1);
            assert!([1, 2, 3, 8].into_iter().all(|t| id(t) == one), "{} {}", task.name(), candidate.name);
        }
    }
}

#[test]
fn probabilities_are_probabilities_and_numbers_are_finite() {
    for task in tasks() {
        let case = case(&task, 200);
        for candidate in candidates(&task, &[("n_estimators", Value::Integer(10))]) {
            let fitted = case.fit(&candidate, &all_rows(150));
            let values = case.predict(&fitted, RowSet::Range(0, 200));
            assert!(values.iter().all(|v| v.is_finite()), "{}", candidate.name);
            if task.is_classification() {
                assert!(values.iter().all(|v| (0.0..=1.0).contains(v)), "{}", candidate.name);
            }
            if task.n_outputs() > 1 {
                let sums = values.chunks(task.n_outputs()).map(|row| row.iter().sum::<f64>());
                assert!(sums.into_iter().all(|s| (s - 1.0).abs() < 1e-9), "{}", candidate.name);
            }
        }
    }
}

#[test]
fn stored_and_loaded_models_predict_the_same_bits() {
    for task in tasks() {
        let case = case(&task, 200);
        for candidate in candidates(&task, &[("n_estimators", Value::Integer(10))]) {
            let fitted = case.fit(&candidate, &all_rows(200));
            let bytes = Artifact::new(fitted.model.clone(), Evidence::default(), Record::default()).to_bytes().unwrap();
            let loaded = Artifact::from_bytes(&bytes).unwrap();
            let again = FittedCandidate { model: loaded.model().clone(), ..fitted.clone() };
            let rows = RowSet::Range(0, 200);
            assert_eq!(case.predict(&fitted, rows), case.predict(&again, rows), "{}", candidate.name);
        }
    }
}

#[test]
fn weights_are_repetitions_for_models_without_draws() {
    let leaves_count_rows = [("min_child_samples", Value::Integer(0))];
    for task in tasks() {
        let mut case = case(&task, 240);
        let repeated: Vec<u32> = (0..240).flat_map(|r| std::iter::repeat_n(r, 1 + r as usize % 3)).collect();
        for candidate in candidates(&task, &leaves_count_rows) {
            // Draws, and quantiles of rows, differ by design: forests and medians do not take part.
            if ["random_forest", "extra_trees"].contains(&candidate.name.as_str()) {
                continue;
            }
            case.inputs.columns = vec![1, 2, 3];
            case.targets.weights = None;
            let by_rows = case.predict(&case.fit(&candidate, &repeated), RowSet::Range(0, 240));
            case.targets.weights = Some((0..240).map(|r| f64::from(1 + r % 3)).collect());
            let by_weight = case.predict(&case.fit(&candidate, &all_rows(240)), RowSet::Range(0, 240));
            // Means and scales of features count rows, not weights, which only a penalty can feel.
            let tolerance =
                if candidate.name.contains("regression") || candidate.name == "ridge" { 0.05 } else { 1e-6 };
            for (a, b) in by_rows.iter().zip(&by_weight) {
                assert!((a - b).abs() <= tolerance * (1.0 + a.abs()), "{} {}: {a} {b}", task.name(), candidate.name);
            }
        }
    }
}

#[test]
fn balanced_classes_weigh_the_same() {
    let task = &tasks()[0];
    let case = case(task, 300);
    let plain = candidates(task, &[]);
    let balanced = candidates(task, &[("class_weight", Value::Text("balanced".into()))]);
    let share = case.targets.values.iter().sum::<f64>() / 300.0;
    for (plain, balanced) in plain.iter().zip(&balanced) {
        let mean = |c: &Candidate| {
            let p = case.predict(&case.fit(c, &all_rows(300)), RowSet::Range(0, 300));
            p.iter().sum::<f64>() / 300.0
        };
        if plain.name == "baseline" {
            assert!((mean(plain) - share).abs() < 1e-9 && (mean(balanced) - 0.5).abs() < 1e-9);
        } else if plain.name == "logistic_regression" {
            assert!((mean(balanced) - share).abs() > (mean(plain) - share).abs(), "weights move the predictions");
        }
    }
}

#[test]
fn one_class_among_the_fitting_rows_is_answered_with_it() {
    for task in &tasks()[..2] {
        let case = case(task, 200);
        let rows: Vec<u32> = all_rows(200).into_iter().filter(|r| case.targets.values[*r as usize] == 1.0).collect();
        for candidate in candidates(task, &[]) {
            let values = case.predict(&case.fit(&candidate, &rows), RowSet::Range(0, 5));
            let of_class = if task.n_outputs() == 1 { values[0] } else { values[1] };
            assert!(of_class > 0.999, "{}: {values:?}", candidate.name);
        }
    }
}

#[test]
fn classes_that_the_fitting_rows_lack_are_improbable_and_harm_nothing() {
    let task = &tasks()[1];
    let case = case(task, 300);
    let rows: Vec<u32> = all_rows(300).into_iter().filter(|r| case.targets.values[*r as usize] != 2.0).collect();
    for candidate in candidates(task, &[("n_estimators", Value::Integer(20))]) {
        let values = case.predict(&case.fit(&candidate, &rows), RowSet::Range(0, 300));
        assert!(values.chunks(3).all(|row| row[2] < 0.1 && row.iter().all(|p| p.is_finite())), "{}", candidate.name);
    }
}

#[test]
fn hyperparameters_out_of_range_are_refused_by_every_candidate() {
    let registry = Registry::default();
    for candidate in registry.types() {
        let task = tasks().into_iter().find(|t| candidate.tasks.contains(t)).unwrap();
        for spec in &candidate.params {
            let bad = match spec.allowed {
                Allowed::Bool => Value::Integer(1),
                Allowed::Integer(from, _) => Value::Integer(from - 1),
                Allowed::Float(Bound::Closed(from) | Bound::Open(from), _) => Value::Float(from - 0.5),
                Allowed::Choice(_) | Allowed::MaxFeatures | Allowed::Metric => Value::Text("nonsense".into()),
                Allowed::Directions => Value::Map(BTreeMap::from([("x".into(), 0.5)])),
                Allowed::Sets => Value::Sets(vec![vec![]]),
                Allowed::ClassWeight => Value::Text("unbalanced".into()),
            };
            for value in [bad, Value::Float(f64::NAN), Value::Map(BTreeMap::new())] {
                let params = BTreeMap::from([(spec.name.to_owned(), value)]);
                let config = CandidateConfig { name: candidate.name.clone(), candidate_type: None, params };
                let error = Candidate::resolve(&config, &task, &registry).unwrap_err().to_string();
                assert!(error.contains(spec.name) && error.contains("allowed"), "{error}");
            }
        }
    }
}

#[test]
fn early_stopping_settles_on_a_number_of_rounds() {
    for task in tasks() {
        let case = case(&task, 400);
        let params = [("early_stopping_rounds", Value::Integer(5)), ("n_estimators", Value::Integer(400))];
        for candidate in candidates(&task, &params).into_iter().filter(|c| c.name.starts_with("gbdt")) {
            let rounds = case.fit(&candidate, &all_rows(400)).rounds.unwrap();
            assert!((1..400).contains(&rounds), "{} {}: {rounds}", task.name(), candidate.name);
        }
    }
}
