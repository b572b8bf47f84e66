//! Trains on a binary table of raw 32-bit floats and prints seconds and ROC AUC: `raw FOLDER [CANDIDATE…]`.
//!
//! The folder holds `shape` (rows, columns, test rows), `X.bin`, `y.bin`, `Xt.bin` and `yt.bin`, row-major.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example for the terminal")]

use std::time::Instant;

use tabwright_core::metric::{self, Metric, Predictions};
use tabwright_core::{Cancel, Targets, Task};
use tabwright_model::{FeatureColumn, Features};
use tabwright_trees::boost::{self, BoostParams};
use tabwright_trees::forest::{self, ForestParams};

fn floats(path: &str) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap();
    bytes.chunks_exact(4).map(|c| f64::from(f32::from_le_bytes(c.try_into().unwrap()))).collect()
}

fn table(folder: &str, x: &str, y: &str, n_columns: usize) -> (Features, Targets) {
    let (x, y) = (floats(&format!("{folder}/{x}.bin")), floats(&format!("{folder}/{y}.bin")));
    let column = |f: usize| FeatureColumn::Number(x.iter().skip(f).step_by(n_columns).copied().collect());
    (Features::new(y.len(), (0..n_columns).map(column).collect()), Targets::new(y))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = &arguments[0];
    let shape = std::fs::read_to_string(format!("{folder}/shape")).unwrap();
    let n_columns: usize = shape.split_whitespace().nth(1).unwrap().parse().unwrap();
    let (features, targets) = table(folder, "X", "y", n_columns);
    let (test, test_targets) = table(folder, "Xt", "yt", n_columns);
    let (task, never) = (Task::Binary { labels: ["0".into(), "1".into()] }, Cancel::new());
    let names = if arguments.len() > 1 { &arguments[1..] } else { &["gbdt_leafwise".to_owned()] };
    for name in names {
        let start = Instant::now();
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
            boost::fit(&request, &params).unwrap().trees
        };
        let trees = match name.as_str() {
            "gbdt_leafwise" => boost(BoostParams::leafwise()),
            "gbdt_depthwise" => boost(BoostParams { learning_rate: 0.1, ..BoostParams::depthwise() }),
            "random_forest" => {
                forest::fit(&features, &targets, &task, &ForestParams::random_forest(&task), 42, &never).unwrap()
            }
            other => panic!("unknown candidate {other}"),
        };
        let train = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let mut values = vec![0.0; test.n_rows()];
        trees.raw_scores(&test, &mut values);
        let predict = start.elapsed().as_secs_f64();
        let predictions = Predictions { n_outputs: 1, values };
        let auc = metric::score(Metric::RocAuc, &task, &test_targets, &predictions, 0.5);
        println!("{{\"name\": \"{name}\", \"train_s\": {train:.3}, \"pred_s\": {predict:.4}, \"auc\": {auc:.5}}}");
    }
}
