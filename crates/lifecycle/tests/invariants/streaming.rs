//! A training whose rows stream finds the model that one in memory finds.

use std::fmt::Write;
use std::path::Path;

use tabwright_core::{Code, Context};
use tabwright_data::{ReadOptions, read_table, resolve_inputs, write_table};
use tabwright_learn::candidate::Registry;
use tabwright_learn::param::Value;
use tabwright_lifecycle::config::{Config, Holdout, RowsFrom};
use tabwright_lifecycle::train::{Surroundings, Trained, train};

/// Rows with every kind of column: numbers, gaps, categories, booleans, timestamps, weights, identifiers, text.
fn write(path: &Path, rows: usize) {
    let mut text =
        String::from("id,amount,age,gaps,city,plan,active,since,weight,note,same,empty,score,bought,group,spend\n");
    let mut state = 1u64;
    let mut draw = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    for row in 0..rows {
        let (amount, age, city) = (draw(100_000) as f64 / 100.0, 18 + draw(70), draw(300));
        let (plan, active) = (["basic", "plus", "pro", ""][draw(4) as usize], ["true", "False"][draw(2) as usize]);
        let gaps = if draw(5) == 0 { String::new() } else { format!("{:.3}", draw(10_000) as f64 / 7.0) };
        let score = amount / 200.0 + f64::from(age > 40) + f64::from(plan == "pro") * 2.0 + draw(300) as f64 / 100.0;
        let bought = if score > 5.0 { "yes" } else { "no" };
        let target = if row % 97 == 96 { "" } else { bought };
        let (day, month, weight) = (1 + draw(28), 1 + draw(12), draw(4));
        writeln!(
            text,
            "u{row},{amount},{age},{gaps},city {city},{plan},{active},2023-{month:02}-{day:02},{weight},some words and number {row},1,,{:.2},{target},{},{score:.3}",
            draw(1_000) as f64 / 10.0,
            draw(200),
        )
        .unwrap();
    }
    std::fs::write(path, text).unwrap();
}

fn config(path: &Path, from: RowsFrom) -> Config {
    let mut config = Config::default();
    config.data.source = vec![path.display().to_string()];
    config.data.target = "bought".into();
    config.data.roles.insert("weight".into(), tabwright_core::Role::Weight);
    config.data.drop = vec!["group".into(), "spend".into()];
    config.selection.folds = 0;
    config.train.candidates = vec!["gbdt_leafwise".into()];
    config.train.rows_from = from;
    config
}

/// Adds a candidate `few` of a type.
fn few(config: &mut Config, of_type: &str, params: &[(&str, Value)]) {
    let of_type = [("type", Value::Text(of_type.to_owned()))];
    let params = of_type.iter().chain(params).map(|(name, value)| ((*name).to_owned(), value.clone()));
    config.candidates.insert("few".into(), params.collect());
}

fn run(config: &Config) -> Trained {
    train(config, &Registry::default(), &Surroundings::default(), Context::silent()).unwrap()
}

/// The same training with rows that stream and with rows that are held.
fn assert_same(path: &Path, change: impl Fn(&mut Config)) {
    let of = |from, threads| {
        let mut config = config(path, from);
        change(&mut config);
        config.train.threads = threads;
        run(&config)
    };
    let held = of(RowsFrom::Memory, 2);
    for threads in [1, 2, 3] {
        let streamed = of(RowsFrom::Stream, threads);
        assert_eq!(streamed.artifact.content_id(), held.artifact.content_id(), "{threads} threads");
        assert_eq!(streamed.split, held.split);
        assert_eq!((&streamed.found.train, &streamed.found.test), (&held.found.train, &held.found.test));
        assert_eq!(streamed.found.best().validation, held.found.best().validation);
        assert_eq!(streamed.found.left_out, held.found.left_out);
        let inputs =
            |t: &Trained| t.artifact.evidence.summaries.iter().map(|s| (s.name.clone(), s.missing)).collect::<Vec<_>>();
        assert_eq!(inputs(&streamed), inputs(&held));
        assert_eq!(streamed.artifact.evidence.plan["reading"]["streamed"], true);
    }
}

#[test]
fn streamed_rows_and_a_table_in_memory_make_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    write(&path, 30_000);
    assert_same(&path, |_| {});
    // Depth-wise, a number as target, groups that stay together, and an indicator where a number is missing.
    assert_same(&path, |config| {
        config.train.candidates = vec!["gbdt_depthwise".into()];
        config.data.target = "spend".into();
        config.data.drop = vec!["bought".into()];
        config.split.group = "group".into();
        config.features.trees.number.indicator = true;
    });
    // Times that order the rows; several candidates, and one that samples rows.
    assert_same(&path, |config| {
        config.split.time = "since".into();
        config.train.candidates = vec!["gbdt_leafwise".into(), "few".into(), "baseline".into()];
        few(config, "gbdt_depthwise", &[("n_estimators", Value::Integer(20)), ("subsample", Value::Float(0.5))]);
    });
    assert_same(&path, |config| config.split.holdout = Holdout::None);
}

#[test]
fn every_format_streams() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    write(&path, 20_000);
    let inputs = resolve_inputs(&[path.display().to_string()]).unwrap();
    let table = read_table(&inputs, &ReadOptions::default(), Context::silent()).unwrap().table;
    for name in ["rows.jsonl", "rows.parquet", "rows.arrow", "rows.csv.zst"] {
        let path = folder.path().join(name);
        write_table(&table, &path.display().to_string(), None).unwrap();
        assert_same(&path, |_| {});
    }
}

#[test]
fn edges_of_many_rows_come_from_the_same_sample() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    write(&path, 260_000);
    let of = |from| {
        let mut config = config(&path, from);
        config.split.holdout = Holdout::None;
        few(&mut config, "gbdt_leafwise", &[("n_estimators", Value::Integer(5))]);
        config.train.candidates = vec!["few".into()];
        run(&config)
    };
    let (held, streamed) = (of(RowsFrom::Memory), of(RowsFrom::Stream));
    assert_eq!(streamed.artifact.content_id(), held.artifact.content_id());
}

#[test]
fn a_memory_limit_is_kept_with_fewer_rows_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    write(&path, 40_000);
    for (candidate, folds) in [("gbdt_leafwise", 0), ("logistic_regression", 2)] {
        let mut config = config(&path, RowsFrom::Auto);
        config.train.candidates = vec![candidate.into()];
        config.selection.folds = folds;
        config.train.memory_limit = "108MB".into();
        let trained = run(&config);
        let warning = trained.warnings.iter().find(|w| w.code == Code::MemoryLimit).expect("the limit is told");
        assert!(
            warning.message.contains("of 40000 rows are used") && warning.message.contains("108 MB"),
            "{warning:?}"
        );
        assert!(trained.artifact.evidence.findings.contains(warning));
        assert!((1_000..39_000).contains(&trained.rows), "{}", trained.rows);
        let plan = &trained.artifact.evidence.plan["reading"];
        assert!(plan["share"].as_f64().unwrap() < 1.0 && plan["limit"] == 108_000_000);
        assert_eq!(run(&config).artifact.content_id(), trained.artifact.content_id(), "the plan repeats");
    }
}

#[test]
fn many_classes_leave_room_for_fewer_rows() {
    let folder = tempfile::tempdir().unwrap();
    let rows_used = |n_classes: usize| {
        let path = folder.path().join(format!("{n_classes}.csv"));
        let row = |i: usize| format!("{},{},{},class {}\n", i * 7 % 101, i * 11 % 103, i * 13 % 107, i * 7 % n_classes);
        std::fs::write(&path, format!("a,b,c,target\n{}", (0..20_000).map(row).collect::<String>())).unwrap();
        let mut config = Config::default();
        config.data.source = vec![path.to_string_lossy().into_owned()];
        config.data.target = "target".into();
        config.split.holdout = Holdout::None;
        config.selection.folds = 0;
        few(&mut config, "gbdt_leafwise", &[("n_estimators", Value::Integer(1))]);
        config.train.candidates = vec!["few".into()];
        config.train.rows_from = RowsFrom::Stream;
        config.train.memory_limit = "106MB".into();
        run(&config).rows
    };
    assert_eq!(rows_used(2), 20_000);
    let rows = rows_used(20);
    assert!((5_000..15_000).contains(&rows), "{rows}");
}

#[test]
fn equal_rows_are_drawn_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    // Sixteen distinct rows: a draw by what a row holds would take each kind whole or not at all.
    let row = |i: usize| format!("{},{},{},{}\n", i & 1, i >> 1 & 1, i >> 2 & 1, if i & 8 > 0 { "yes" } else { "no" });
    let rows: String = (0..64_000).map(|i| row(i * 7 % 16)).collect();
    std::fs::write(&path, format!("a,b,c,target\n{rows}")).unwrap();
    let mut config = Config::default();
    config.data.source = vec![path.to_string_lossy().into_owned()];
    config.data.target = "target".into();
    config.split.holdout = Holdout::None;
    config.selection.folds = 0;
    config.train.candidates = vec!["gbdt_leafwise".into()];
    config.train.memory_limit = "106MB".into();
    let trained = run(&config);
    let share = trained.artifact.evidence.plan["reading"]["share"].as_f64().unwrap();
    assert!(share < 0.9, "{share}");
    let expected = 64_000.0 * share;
    assert!((trained.rows as f64 - expected).abs() < 0.05 * expected, "{} of about {expected}", trained.rows);
}

#[test]
fn what_cannot_stream_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    write(&path, 500);
    let error = |change: &dyn Fn(&mut Config)| {
        let mut config = config(&path, RowsFrom::Stream);
        change(&mut config);
        train(&config, &Registry::default(), &Surroundings::default(), Context::silent()).unwrap_err().to_string()
    };
    assert!(error(&|c| c.selection.folds = 3).contains("3 folds are cross-validated (--folds 0 does without)"));
    assert!(error(&|c| c.train.candidates = vec!["ridge".into()]).contains("`ridge` reads all values of its rows"));
    assert!(error(&|c| c.train.candidates.clear()).contains("every type of candidate is trained"));
    let scaled = error(&|c| c.features.trees.number.impute = tabwright_learn::transform::NumberImpute::Median);
    assert!(scaled.contains("`amount` follows from all of its values"), "{scaled}");
    let limited = error(&|c| c.train.memory_limit = "20MB".into());
    assert!(limited.contains("--memory-limit 20 MB is too little: 500 rows take about"), "{limited}");
    assert!(error(&|c| c.train.memory_limit = "4 apples".into()).contains("`4 apples` is not a size"));
}
