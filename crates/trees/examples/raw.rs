//! Trains on a table of raw 32-bit floats and prints seconds and a score: `raw FOLDER CANDIDATE N_TREES LEAVES_OR_DEPTH`.
//!
//! The folder holds `shape.json` (rows, columns, task, classes, which columns are categories), and row-major `X.bin`, `y.bin`,
//! `Xt.bin` and `yt.bin`. Numbers are 32-bit floats, as the peers read them.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example for the terminal")]

use std::time::Instant;

use tabwright_core::metric::{self, Metric, Predictions};
use tabwright_core::{Cancel, Targets, Task};
use tabwright_model::features::CODE_FIRST;
use tabwright_model::{FeatureColumn, Features};
use tabwright_trees::boost::{self, BoostParams};
use tabwright_trees::forest::{self, ForestParams};

fn floats(path: &str) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap();
    bytes.chunks_exact(4).map(|c| f64::from(f32::from_le_bytes(c.try_into().unwrap()))).collect()
}

/// Features and targets; `levels` are the numbers of levels of categories, by column.
fn table(folder: &str, part: &str, n_columns: usize, levels: &[Option<u32>]) -> (Features, Targets) {
    let (x, y) = (floats(&format!("{folder}/X{part}.bin")), floats(&format!("{folder}/y{part}.bin")));
    let column = |f: usize| {
        let values = x.iter().skip(f).step_by(n_columns).copied();
        match levels[f] {
            None => FeatureColumn::Number(values.collect()),
            Some(n) => {
                FeatureColumn::Code { codes: values.map(|v| CODE_FIRST + v as u32).collect(), n_codes: CODE_FIRST + n }
            }
        }
    };
    (Features::new(y.len(), (0..n_columns).map(column).collect()), Targets::new(y))
}

/// A number of `shape.json`; the file is flat enough for that.
fn field<'a>(shape: &'a str, name: &str) -> &'a str {
    let rest = &shape[shape.find(&format!("\"{name}\":")).unwrap() + name.len() + 3..];
    let end = if rest.trim_start().starts_with('[') { rest.find(']').unwrap() } else { rest.find([',', '}']).unwrap() };
    rest[..end].trim_matches([' ', '"', '['])
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, candidate, n_trees, size] = &arguments[..] else {
        panic!("usage: raw FOLDER CANDIDATE N_TREES LEAVES_OR_DEPTH")
    };
    let shape = std::fs::read_to_string(format!("{folder}/shape.json")).unwrap();
    let n_columns: usize = field(&shape, "columns").parse().unwrap();
    let categories: Vec<usize> = field(&shape, "categories").split(',').filter_map(|c| c.trim().parse().ok()).collect();
    let levels: Vec<Option<u32>> = (0..n_columns).map(|f| categories.contains(&f).then_some(5000)).collect();
    let task = match field(&shape, "task") {
        "binary" => Task::Binary { labels: ["0".into(), "1".into()] },
        _ => Task::Multiclass {
            labels: (0..field(&shape, "classes").parse().unwrap()).map(|c: usize| c.to_string()).collect(),
        },
    };
    let (features, targets) = table(folder, "", n_columns, &levels);
    let (test, test_targets) = table(folder, "t", n_columns, &levels);
    let never = Cancel::new();
    let (n_estimators, size): (usize, usize) = (n_trees.parse().unwrap(), size.parse().unwrap());
    let boost = |params: BoostParams| {
        let request = boost::Request {
            features: &features,
            targets: &targets,
            task: &task,
            seed: 42,
            start: boost::Start::Constant,
            early_stopping: None,
            cancel: &never,
        };
        boost::fit(&request, &BoostParams { n_estimators, learning_rate: 0.1, ..params }).unwrap().trees
    };
    let start = Instant::now();
    let trees = match candidate.as_str() {
        "leafwise" => boost(BoostParams { num_leaves: Some(size), ..BoostParams::leafwise() }),
        "depthwise" => boost(BoostParams { max_depth: Some(size), ..BoostParams::depthwise() }),
        "forest" => {
            let params = ForestParams { n_estimators, ..ForestParams::random_forest(&task) };
            forest::fit(&features, &targets, &task, &params, 42, &never).unwrap()
        }
        other => panic!("unknown candidate {other}"),
    };
    let train = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let mut values = vec![0.0; test.n_rows() * trees.n_outputs()];
    trees.raw_scores(&test, &mut values);
    let predict = start.elapsed().as_secs_f64();
    // A row by itself, many times over.
    let row = test.take(&[7]);
    let mut one = vec![0.0; trees.n_outputs()];
    let start = Instant::now();
    for _ in 0..20_000 {
        trees.raw_scores(std::hint::black_box(&row), &mut one);
    }
    let one_row = start.elapsed().as_secs_f64() / 20_000.0;
    // A row goes down every path: forests grown to purity take hours.
    let n_explained = if trees.n_leaves() < 100_000 { test.n_rows().min(2_000) } else { 1 };
    let start = Instant::now();
    let explained = trees.explain(&test.take(&(0..n_explained as u32).collect::<Vec<u32>>()));
    let explain = if explained.is_ok() { start.elapsed().as_secs_f64() / n_explained as f64 * 1e4 } else { f64::NAN };
    if task.n_outputs() > 1 {
        values.chunks_exact_mut(task.n_outputs()).for_each(|row| match candidate.as_str() {
            "forest" => {}
            _ => tabwright_core::numeric::softmax(row),
        });
    }
    let predictions = Predictions { n_outputs: trees.n_outputs(), values };
    let metric = if task.n_outputs() > 1 { Metric::LogLoss } else { Metric::RocAuc };
    let score = metric::score(metric, &task, &test_targets, &predictions, 0.5);
    println!(
        "{{\"train_s\": {train}, \"predict_s\": {predict}, \"one_row_s\": {one_row}, \"explain_10k_s\": {explain}, \"score\": {score}}}"
    );
}
