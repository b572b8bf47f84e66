//! Trains the candidates on prepared tables and prints test scores and seconds: `compare FOLDER TABLE…`.
//!
//! A table is two files, `TABLE_train.txt` and `TABLE_test.txt`. Their first line names the task (`binary`, `regression`
//! or `multiclass K`), the second the type of each column (`n` for numbers, `c` and the number of codes for categories);
//! then a row a line, the target last. What is compared with stands in `bench/`.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example for the terminal")]

use std::time::Instant;

use tabwright_core::metric::{self, Metric, Predictions};
use tabwright_core::{Cancel, Targets, Task, numeric};
use tabwright_model::{FeatureColumn, Features, Trees};
use tabwright_trees::boost::{self, BoostParams};
use tabwright_trees::forest::{self, ForestParams};

struct Table {
    task: Task,
    features: Features,
    targets: Targets,
}

fn read(path: &str) -> Table {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let task = match lines.next().unwrap().split_once(' ').unwrap_or((text.lines().next().unwrap(), "")) {
        ("binary", _) => Task::Binary { labels: ["0".into(), "1".into()] },
        ("multiclass", k) => {
            Task::Multiclass { labels: (0..k.parse::<usize>().unwrap()).map(|i| i.to_string()).collect() }
        }
        _ => Task::Regression,
    };
    let types: Vec<&str> = lines.next().unwrap().split(',').collect();
    let mut columns = vec![Vec::new(); types.len() + 1];
    for line in lines {
        for (column, cell) in columns.iter_mut().zip(line.split(',')) {
            column.push(cell.parse::<f64>().unwrap_or(f64::NAN));
        }
    }
    let values = columns.pop().unwrap();
    let columns = types.iter().zip(columns).map(|(t, values)| match t.strip_prefix('c') {
        None => FeatureColumn::Number(values),
        Some(n) => {
            FeatureColumn::Code { codes: values.iter().map(|v| *v as u32).collect(), n_codes: n.parse().unwrap() }
        }
    });
    let columns = columns.collect();
    Table { task, features: Features::new(values.len(), columns), targets: Targets::new(values) }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = std::env::var("ONLY").unwrap_or_default();
    for name in &arguments[1..] {
        let train = read(&format!("{}/{name}_train.txt", arguments[0]));
        let test = read(&format!("{}/{name}_test.txt", arguments[0]));
        let task = &train.task;
        let never = Cancel::new();
        let seed = std::env::var("SEED").map_or(42, |s| s.parse().unwrap());
        let boost = |params: BoostParams| {
            let request = boost::Request {
                features: &train.features,
                targets: &train.targets,
                task,
                seed,
                start: boost::Start::Constant,
                early_stopping: None,
                cancel: &never,
            };
            boost::fit(&request, &params).unwrap().trees
        };
        let forest =
            |params: ForestParams| forest::fit(&train.features, &train.targets, task, &params, seed, &never).unwrap();
        let report = |candidate: &str, fit: &dyn Fn() -> Trees, is_forest: bool| {
            if !only.is_empty() && !only.split(',').any(|o| o == candidate) {
                return;
            }
            let start = Instant::now();
            let trees = fit();
            let seconds = start.elapsed().as_secs_f64();
            let start = Instant::now();
            let scored = score(&trees, &test, is_forest);
            let predict = start.elapsed().as_secs_f64();
            println!(
                "{{\"data\": \"{name}\", \"candidate\": \"{candidate}\", \"fit_s\": {seconds:.4}, \"predict_s\": {predict:.4}, \"leaves\": {}, {scored}}}",
                trees.n_leaves()
            );
        };
        report("gbdt_depthwise", &|| boost(BoostParams::depthwise()), false);
        report("gbdt_leafwise", &|| boost(BoostParams::leafwise()), false);
        report("random_forest", &|| forest(ForestParams::random_forest(task)), true);
        report("extra_trees", &|| forest(ForestParams::extra_trees(task)), true);
    }
}

fn score(trees: &Trees, test: &Table, is_forest: bool) -> String {
    let n_outputs = trees.n_outputs();
    let mut values = vec![0.0; test.targets.len() * n_outputs];
    trees.raw_scores(&test.features, &mut values);
    match &test.task {
        _ if is_forest => {}
        Task::Binary { .. } => values.iter_mut().for_each(|s| *s = numeric::sigmoid(*s)),
        Task::Multiclass { .. } => values.chunks_exact_mut(n_outputs).for_each(numeric::softmax),
        Task::Regression => {}
    }
    let predictions = Predictions { n_outputs, values };
    let metrics: &[Metric] = match test.task {
        Task::Binary { .. } => &[Metric::RocAuc, Metric::LogLoss],
        Task::Multiclass { .. } => &[Metric::LogLoss, Metric::Accuracy],
        Task::Regression => &[Metric::Rmse],
    };
    let scored = metrics.iter().map(|&m| {
        let value = metric::score(m, &test.task, &test.targets, &predictions, 0.5);
        format!("\"{}\": {value:.5}", m.name())
    });
    scored.collect::<Vec<_>>().join(", ")
}
