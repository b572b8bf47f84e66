//! Trains on a table of raw 32-bit floats and prints seconds and a score as a JSON line:
//! `raw FOLDER CANDIDATE N_TREES LEAVES_OR_DEPTH [ROWS_TO_EXPLAIN [FITS]]`.
//!
//! Fits differ in their seed; the median of their seconds and the mean of their scores are printed. Predictions are made
//! several times, as those of the peers are; the first makes the form for batches, and the median counts.
//!
//! The folder holds `shape.json` (rows, columns, task, classes, which columns are categories), and row-major `X.bin`, `y.bin`,
//! `Xt.bin` and `yt.bin`. Numbers are 32-bit floats, as the peers read them.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example for the terminal")]

use std::time::Instant;

use tabwright_core::metric::{self, Metric, Predictions};
use tabwright_core::{Cancel, Targets, Task};
use tabwright_model::features::CODE_FIRST;
use tabwright_model::{FeatureColumn, Features, Trees};
use tabwright_trees::boost::{self, BoostParams};
use tabwright_trees::forest::{self, ForestParams};

fn floats(path: &str) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap();
    bytes.chunks_exact(4).map(|c| f64::from(f32::from_le_bytes(c.try_into().unwrap()))).collect()
}

/// How many levels each category has, in both parts together.
fn levels(folder: &str, n_columns: usize, categories: &[usize]) -> Vec<Option<u32>> {
    let parts = ["", "t"].map(|part| floats(&format!("{folder}/X{part}.bin")));
    let most = |f: usize| {
        parts.iter().flat_map(|x| x.iter().skip(f).step_by(n_columns)).fold(0, |most, &code| most.max(code as u32))
    };
    (0..n_columns).map(|f| categories.contains(&f).then(|| most(f) + 1)).collect()
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

/// Calls of which the median counts.
const REPEATS: usize = 5;

fn seconds(call: impl FnOnce()) -> f64 {
    let start = Instant::now();
    call();
    start.elapsed().as_secs_f64()
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// What is trained.
struct Work<'a> {
    features: Features,
    targets: Targets,
    task: Task,
    candidate: &'a str,
    n_estimators: usize,
    /// Leaves or depth.
    size: usize,
}

impl Work<'_> {
    fn fit(&self, seed: u64) -> Trees {
        let never = Cancel::new();
        let boost = |params: BoostParams| {
            let request = boost::Request {
                features: &self.features,
                targets: &self.targets,
                task: &self.task,
                seed,
                start: boost::Start::Constant,
                early_stopping: None,
                cancel: &never,
            };
            let params = BoostParams { n_estimators: self.n_estimators, learning_rate: 0.1, ..params };
            boost::fit(&request, &params).unwrap().trees
        };
        match self.candidate {
            "leafwise" => boost(BoostParams { num_leaves: Some(self.size), ..BoostParams::leafwise() }),
            "depthwise" => boost(BoostParams { max_depth: Some(self.size), ..BoostParams::depthwise() }),
            "forest" => {
                let params =
                    ForestParams { n_estimators: self.n_estimators, ..ForestParams::random_forest(&self.task) };
                forest::fit(&self.features, &self.targets, &self.task, &params, seed, &never).unwrap()
            }
            other => panic!("unknown candidate {other}"),
        }
    }

    /// The score of raw scores.
    fn score(&self, mut values: Vec<f64>, targets: &Targets) -> f64 {
        let n_outputs = self.task.n_outputs();
        if n_outputs > 1 && self.candidate != "forest" {
            values.chunks_exact_mut(n_outputs).for_each(tabwright_core::numeric::softmax);
        }
        let metric = match self.task {
            Task::Binary { .. } => Metric::RocAuc,
            Task::Multiclass { .. } => Metric::LogLoss,
            Task::Regression => Metric::Rmse,
        };
        metric::score(metric, &self.task, targets, &Predictions { n_outputs, values }, 0.5)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, candidate, n_trees, size, optional @ ..] = &arguments[..] else {
        panic!("usage: raw FOLDER CANDIDATE N_TREES LEAVES_OR_DEPTH [ROWS_TO_EXPLAIN [FITS]]")
    };
    let number = |i: usize, default: usize| optional.get(i).map_or(default, |n| n.parse().unwrap());
    let (n_explained, n_fits) = (number(0, 0), number(1, 1));
    let shape = std::fs::read_to_string(format!("{folder}/shape.json")).unwrap();
    let n_columns: usize = field(&shape, "columns").parse().unwrap();
    let categories: Vec<usize> = field(&shape, "categories").split(',').filter_map(|c| c.trim().parse().ok()).collect();
    let levels = levels(folder, n_columns, &categories);
    let task = match field(&shape, "task") {
        "binary" => Task::Binary { labels: ["0".into(), "1".into()] },
        "regression" => Task::Regression,
        _ => Task::Multiclass {
            labels: (0..field(&shape, "classes").parse().unwrap()).map(|c: usize| c.to_string()).collect(),
        },
    };
    let (features, targets) = table(folder, "", n_columns, &levels);
    let (test, test_targets) = table(folder, "t", n_columns, &levels);
    let (n_estimators, size) = (n_trees.parse().unwrap(), size.parse().unwrap());
    let work = Work { features, targets, task, candidate, n_estimators, size };

    let (mut train, mut predict, mut scores, mut last) = (Vec::new(), Vec::new(), Vec::new(), None);
    for seed in 0..n_fits as u64 {
        let start = Instant::now();
        let trees = work.fit(42 + seed);
        train.push(start.elapsed().as_secs_f64());
        let mut values = vec![0.0; test.n_rows() * trees.n_outputs()];
        predict.extend((0..REPEATS).map(|_| seconds(|| trees.raw_scores(&test, &mut values))));
        scores.push(work.score(values, &test_targets));
        last = Some(trees);
    }
    let trees = last.expect("at least one fit");
    // A row by itself, many times over.
    let (row, mut one) = (test.take(&[7]), vec![0.0; trees.n_outputs()]);
    let one_row =
        seconds(|| (0..20_000).for_each(|_| trees.raw_scores(std::hint::black_box(&row), &mut one))) / 20_000.0;
    let mut explain = String::new();
    if n_explained > 0 {
        let rows = test.take(&(0..n_explained.min(test.n_rows()) as u32).collect::<Vec<u32>>());
        let of_rows = seconds(|| drop(std::hint::black_box(trees.explain(&rows).unwrap())));
        explain = format!("\"explain_10k_s\": {}, ", of_rows / rows.n_rows() as f64 * 1e4);
    }
    let (train, predict) = (median(train), median(predict));
    let score = scores.iter().sum::<f64>() / scores.len() as f64;
    println!(
        "{{\"train_s\": {train}, \"predict_s\": {predict}, \"one_row_s\": {one_row}, {explain}\"score\": {score}}}"
    );
}
