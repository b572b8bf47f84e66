//! Tests of boosting.

mod large;

use proptest::prelude::*;
use tabwright_core::metric::{self, Metric, Predictions};
use tabwright_core::{numeric, parallel};
use tabwright_model::FeatureColumn;

use super::*;
use crate::fixtures::{NEVER, binary, classes, uniform};

/// Of `pinned_bytes_in_debug_and_release`: they change only with the results, which the changelog then says.
const PINNED: [u64; 6] = [
    0xa753cb446a8db57e,
    0x72eaab8e186c3676,
    0x20e19825ed226420,
    0xece825b575b1d755,
    0x3c125d9a1c4f792d,
    0x2d82693177851aa2,
];

/// A number, a number with missing values, a category and a constant.
fn features(n: usize, seed: u64) -> Features {
    let (a, b, c) = (uniform(seed), uniform(seed + 1000), uniform(seed + 2000));
    let columns = vec![
        FeatureColumn::Number((0..n).map(&a).collect()),
        FeatureColumn::Number((0..n).map(|i| if b(i) < 0.2 { f64::NAN } else { b(i) }).collect()),
        FeatureColumn::Code { codes: (0..n).map(|i| (c(i) * 12.0) as u32).collect(), n_codes: 12 },
        FeatureColumn::Number(vec![3.0; n]),
    ];
    Features::new(n, columns)
}

/// What is to be found in [`features`].
fn signal(features: &Features) -> Vec<f64> {
    let [FeatureColumn::Number(a), FeatureColumn::Number(b), FeatureColumn::Code { codes, .. }, _] = features.columns()
    else {
        panic!("features have other columns")
    };
    let value = |i: usize| {
        let missing = if b[i].is_nan() { 1.0 } else { 0.0 };
        let level = [0.5, -1.0, 1.5][codes[i] as usize % 3];
        2.0 * (if a[i] > 0.6 { 1.0 } else { -1.0 }) + missing + level
    };
    (0..a.len()).map(value).collect()
}

fn targets(task: &Task, features: &Features, seed: u64) -> Targets {
    let noise = uniform(seed + 3000);
    let of = |(i, s): (usize, f64)| match task {
        Task::Regression => s + noise(i) - 0.5,
        Task::Binary { .. } => f64::from(u8::from(noise(i) < numeric::sigmoid(s))),
        Task::Multiclass { labels } => ((s + 3.0 + noise(i)).floor()).clamp(0.0, labels.len() as f64 - 1.0),
    };
    Targets::new(signal(features).into_iter().enumerate().map(of).collect())
}

fn request<'a>(features: &'a Features, targets: &'a Targets, task: &'a Task) -> Request<'a> {
    Request { features, targets, task, seed: 7, start: Start::Constant, early_stopping: None, cancel: &NEVER }
}

fn scores(trees: &Trees, features: &Features) -> Vec<f64> {
    let mut out = vec![0.0; features.n_rows() * trees.n_outputs()];
    trees.raw_scores(features, &mut out);
    out
}

fn objective(task: &Task) -> Box<dyn Objective> {
    match task {
        Task::Regression => Box::new(SquaredError),
        Task::Binary { .. } => Box::new(BinaryLogLoss),
        Task::Multiclass { labels } => {
            Box::new(Softmax { n_classes: labels.len(), hessian_factor: 2.0, from_shares: true })
        }
    }
}

fn mean_loss(task: &Task, scores: &[f64], targets: &Targets) -> f64 {
    let (objective, k) = (objective(task), scores.len() / targets.len());
    let loss = |i: usize| objective.loss(&scores[i * k..][..k], targets.values[i]);
    parallel::sum(targets.len(), loss) / targets.len() as f64
}

fn small(growth: Growth) -> BoostParams {
    let defaults = match growth {
        Growth::Depthwise => BoostParams::depthwise(),
        Growth::Leafwise => BoostParams::leafwise(),
    };
    BoostParams { n_estimators: 20, ..defaults }
}

#[test]
fn both_growths_learn_every_task() {
    for task in [Task::Regression, binary(), classes(5)] {
        let (train, test) = (features(3_000, 1), features(2_000, 2));
        let (y, y_test) = (targets(&task, &train, 1), targets(&task, &test, 2));
        let base = objective(&task).base_scores(crate::objective::Labels { values: &y.values, weights: None });
        let constant: Vec<f64> = (0..y_test.len()).flat_map(|_| base.clone()).collect();
        let floor = mean_loss(&task, &constant, &y_test);
        for growth in [Growth::Depthwise, Growth::Leafwise] {
            let fitted = fit(&request(&train, &y, &task), &small(growth)).unwrap();
            assert_eq!(fitted.best_round, 20);
            assert_eq!(fitted.trees.n_trees(), 20 * task.n_outputs());
            let loss = mean_loss(&task, &scores(&fitted.trees, &test), &y_test);
            assert!(loss < 0.75 * floor, "{task:?} {growth:?}: {loss} of {floor}");
            assert_eq!(fitted.trees.split_counts()[3], 0, "a constant is never split on");
        }
    }
}

#[test]
fn any_number_of_threads_grows_the_same_bytes() {
    // Enough rows for histograms to be cut among threads.
    let n = 90_000;
    let train = features(n, 3);
    for task in [Task::Regression, binary(), classes(3)] {
        let y = targets(&task, &train, 3);
        for growth in [Growth::Depthwise, Growth::Leafwise] {
            let params = BoostParams { n_estimators: 2, subsample: 0.99, colsample_bytree: 0.75, ..small(growth) };
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| fit(&request(&train, &y, &task), &params)).unwrap().trees
            };
            let one = on(1);
            assert!([2, 3, 8].into_iter().all(|threads| on(threads) == one), "{task:?} {growth:?}");
        }
    }
}

/// One number that stands for all bits of the scores.
fn fingerprint(trees: &Trees, features: &Features) -> u64 {
    let bytes: Vec<u8> = scores(trees, features).iter().flat_map(|s| s.to_bits().to_le_bytes()).collect();
    tabwright_core::random::hash_bytes(0, &bytes)
}

#[test]
fn pinned_bytes_in_debug_and_release() {
    let train = features(1_000, 14);
    let found: Vec<u64> = [Task::Regression, binary(), classes(3)]
        .iter()
        .flat_map(|task| {
            let y = targets(task, &train, 14);
            [Growth::Depthwise, Growth::Leafwise].map(|growth| {
                let params = BoostParams { subsample: 0.9, ..small(growth) };
                fingerprint(&fit(&request(&train, &y, task), &params).unwrap().trees, &train)
            })
        })
        .collect();
    assert_eq!(found, PINNED);
}

#[test]
fn the_first_leaf_values_are_newton_steps() {
    let x = Features::new(4, vec![FeatureColumn::Number(vec![0.0, 0.0, 1.0, 1.0])]);
    let y = Targets::new(vec![1.0, 3.0, 5.0, 9.0]);
    let params = BoostParams { n_estimators: 1, ..BoostParams::depthwise() };
    let fitted = fit(&request(&x, &y, &Task::Regression), &params).unwrap();
    // The mean is 4.5; the left side lacks −5 over 2 rows, λ = 1, η = 0.3.
    let found = scores(&fitted.trees, &x);
    assert!((found[0] - (4.5 - 0.3 * 5.0 / 3.0)).abs() < 1e-8, "{found:?}");
    assert!((found[2] - (4.5 + 0.3 * 5.0 / 3.0)).abs() < 1e-8, "{found:?}");
}

#[test]
fn a_weight_is_a_number_of_rows() {
    let n = 600;
    let train = features(n, 4);
    for task in [Task::Regression, binary(), classes(3)] {
        let y = targets(&task, &train, 4);
        let times: Vec<usize> = (0..n).map(|i| (i * 7) % 4).collect();
        let weighted = Targets { weights: Some(times.iter().map(|&t| t as f64).collect()), ..y.clone() };
        let repeated: Vec<u32> = (0..n as u32).flat_map(|i| vec![i; times[i as usize]]).collect();
        let (train_again, y_again) = (train.take(&repeated), y.take(&repeated));
        // Limits that count rows, and bins and levels by rows, cannot be the same.
        let params = BoostParams { n_estimators: 5, max_bin: 255, max_cat_to_onehot: 64, ..BoostParams::depthwise() };
        let numbers = |f: &Features| {
            let level = |x: &f64| (x * 50.0).floor();
            let columns = f.columns().iter().map(|c| match c {
                FeatureColumn::Number(v) => FeatureColumn::Number(v.iter().map(level).collect()),
                other => other.clone(),
            });
            Features::new(f.n_rows(), columns.collect())
        };
        let (train, train_again) = (numbers(&train), numbers(&train_again));
        let a = fit(&request(&train, &weighted, &task), &params).unwrap().trees;
        let b = fit(&request(&train_again, &y_again, &task), &params).unwrap().trees;
        for (a, b) in scores(&a, &train).iter().zip(scores(&b, &train)) {
            assert!((a - b).abs() < 1e-5 * (1.0 + a.abs()), "{task:?}: {a} {b}");
        }
    }
}

#[test]
fn early_stopping_keeps_the_rounds_with_the_least_loss() {
    let task = binary();
    let (train, test) = (features(400, 5), features(400, 6));
    let (y, y_test) = (targets(&task, &train, 5), targets(&task, &test, 6));
    let params = BoostParams { n_estimators: 200, ..BoostParams::depthwise() };
    let stopping = EarlyStopping { rounds: 10, metric: None, features: &test, targets: &y_test };
    let stopped = fit(&Request { early_stopping: Some(stopping), ..request(&train, &y, &task) }, &params).unwrap();
    assert!((2..100).contains(&stopped.best_round), "{}", stopped.best_round);
    assert_eq!(stopped.trees.n_trees(), stopped.best_round);
    let all = fit(&request(&train, &y, &task), &params).unwrap().trees;
    assert_eq!(all.first_trees(stopped.best_round), stopped.trees);
    let loss = |n: usize| mean_loss(&task, &scores(&all.first_trees(n), &test), &y_test);
    let best = loss(stopped.best_round);
    assert!((1..=stopped.best_round + 10).all(|n| loss(n) >= best - 1e-12));
}

#[test]
fn early_stopping_follows_the_metric_that_is_asked_for() {
    let task = binary();
    let (train, test) = (features(400, 5), features(400, 6));
    let (y, y_test) = (targets(&task, &train, 5), targets(&task, &test, 6));
    let params = BoostParams { n_estimators: 60, ..BoostParams::depthwise() };
    let stopping = EarlyStopping { rounds: 10, metric: Some(Metric::RocAuc), features: &test, targets: &y_test };
    let stopped = fit(&Request { early_stopping: Some(stopping), ..request(&train, &y, &task) }, &params).unwrap();
    let all = fit(&request(&train, &y, &task), &params).unwrap().trees;
    let auc = |n: usize| {
        let predictions = Predictions { n_outputs: 1, values: scores(&all.first_trees(n), &test) };
        metric::score(Metric::RocAuc, &task, &y_test, &predictions, 0.5)
    };
    assert_eq!(stopped.trees.n_trees(), stopped.best_round);
    assert!((1..=stopped.best_round + 10).all(|n| auc(n) <= auc(stopped.best_round)));
}

/// The share of targets below the scores, and the mean of a loss, on new rows.
fn fitted_loss(loss: Loss, growth: Growth, of: fn(f64, f64) -> f64) -> (f64, f64) {
    let (train, test) = (features(4_000, 1), features(2_000, 2));
    let (mut y, y_test) = (targets(&Task::Regression, &train, 1), targets(&Task::Regression, &test, 2));
    // A few wild targets, which not every loss follows.
    (0..40).for_each(|i| y.values[i * 100] += 500.0);
    let params = BoostParams { loss, n_estimators: 60, ..small(growth) };
    let found = scores(&fit(&request(&train, &y, &Task::Regression), &params).unwrap().trees, &test);
    let below = found.iter().zip(&y_test.values).filter(|(s, y)| s >= y).count() as f64 / 2_000.0;
    (below, found.iter().zip(&y_test.values).map(|(s, y)| of(*s, *y)).sum::<f64>() / 2_000.0)
}

#[test]
fn losses_for_outliers_do_not_follow_them() {
    for growth in [Growth::Depthwise, Growth::Leafwise] {
        let squared = fitted_loss(Loss::OfTask, growth, |s, y| (s - y).abs()).1;
        let absolute = fitted_loss(Loss::Absolute, growth, |s, y| (s - y).abs()).1;
        let huber = fitted_loss(Loss::Huber(None), growth, |s, y| (s - y).abs()).1;
        assert!(absolute < 0.8 && huber < 0.5, "{growth:?}: {absolute} {huber}");
        assert!(squared > 5.0 * absolute, "{growth:?}: {squared} {absolute}");
    }
}

#[test]
fn a_quantile_has_its_share_of_rows_below() {
    for level in [0.1, 0.5, 0.9] {
        let (below, _) = fitted_loss(Loss::Quantiles(vec![level]), Growth::Leafwise, |_, _| 0.0);
        assert!((below - level).abs() < 0.05, "{level}: {below}");
    }
    // Several at once are those of each alone.
    let train = features(800, 3);
    let y = targets(&Task::Regression, &train, 3);
    let with = |levels: Vec<f64>| {
        let params = BoostParams { loss: Loss::Quantiles(levels), ..small(Growth::Depthwise) };
        scores(&fit(&request(&train, &y, &Task::Regression), &params).unwrap().trees, &train)
    };
    let (both, low, high) = (with(vec![0.2, 0.8]), with(vec![0.2]), with(vec![0.8]));
    assert!(both.chunks(2).zip(low.iter().zip(&high)).all(|(both, (low, high))| both == [*low, *high]));
}

#[test]
fn counts_are_learned_on_their_own_scale() {
    let (train, test) = (features(4_000, 1), features(2_000, 2));
    let rate = |f: &Features| signal(f).into_iter().map(|s| 20.0 * numeric::exp(s)).collect::<Vec<f64>>();
    let noise = uniform(9);
    let y = Targets::new(rate(&train).iter().enumerate().map(|(i, r)| (r * (0.7 + 0.6 * noise(i))).round()).collect());
    let params = BoostParams { loss: Loss::Poisson, n_estimators: 100, ..small(Growth::Leafwise) };
    let found = scores(&fit(&request(&train, &y, &Task::Regression), &params).unwrap().trees, &test);
    let worst = found.iter().zip(rate(&test)).map(|(s, r)| (s - numeric::ln(r)).abs()).sum::<f64>() / 2_000.0;
    assert!(worst < 0.4, "{worst}");
    let negative = Targets::new(vec![-1.0; 4_000]);
    let error = fit(&request(&train, &negative, &Task::Regression), &params).unwrap_err().to_string();
    assert_eq!(error, "row 0 has the target -1; allowed: numbers from 0 on");
}

#[test]
fn more_rounds_go_on_where_earlier_ones_ended() {
    let train = features(600, 3);
    for task in [Task::Regression, binary(), classes(3)] {
        let y = targets(&task, &train, 3);
        let params = BoostParams { learning_rate_decay: 0.97, colsample_bytree: 0.7, ..small(Growth::Leafwise) };
        let with = |n_estimators: usize, start: Start<'_>| {
            let params = BoostParams { n_estimators, ..params.clone() };
            fit(&Request { start, ..request(&train, &y, &task) }, &params).unwrap().trees
        };
        let (first, all) = (with(8, Start::Constant), with(20, Start::Constant));
        assert_eq!(with(12, Start::Trees(&first)), all);
        // The same from scores, but for what the trees start from.
        let from = scores(&first, &train);
        let rest = with(12, Start::Scores(&from));
        let sum: Vec<f64> = from.iter().zip(scores(&rest, &train)).map(|(a, b)| a + b).collect();
        let k = task.n_outputs();
        assert_eq!(rest.n_trees(), 12 * k);
        assert!(mean_loss(&task, &sum, &y) < mean_loss(&task, &from, &y));
        let wrong = fit(&Request { start: Start::Scores(&from[1..]), ..request(&train, &y, &task) }, &params);
        assert!(wrong.unwrap_err().to_string().contains("one per row and output"));
    }
}

#[test]
fn rows_outside_of_the_sample_say_nothing() {
    let n = 500;
    let train = features(n, 3);
    let y = targets(&Task::Regression, &train, 3);
    let keyed = tabwright_core::random::Keyed::new(7, tabwright_core::random::Purpose::Subsample).child(0);
    let other = |row: usize| if keyed.uniform(row as u64) < 0.6 { y.values[row] } else { -y.values[row] };
    let changed = Targets::new((0..n).map(other).collect());
    assert_ne!(changed.values, y.values);
    let zeros = vec![0.0; n];
    for loss in [Loss::OfTask, Loss::Absolute, Loss::Quantiles(vec![0.3])] {
        let params = BoostParams { loss, subsample: 0.6, n_estimators: 1, ..BoostParams::leafwise() };
        let with = |y: &Targets| {
            let start = Start::Scores(&zeros);
            fit(&Request { start, ..request(&train, y, &Task::Regression) }, &params).unwrap().trees
        };
        assert_eq!(with(&y), with(&changed));
    }
}

/// Every split of trees with the features of its ancestors.
fn paths(trees: &Trees) -> Vec<Vec<u32>> {
    use tabwright_model::trees::Child;
    let mut all = Vec::new();
    for tree in (0..trees.n_trees()).map(|t| trees.tree(t)) {
        let mut waiting = vec![(tree.root(), Vec::new())];
        while let Some((child, path)) = waiting.pop() {
            if let Child::Split(i) = child {
                let split = &tree.splits[i as usize];
                let path: Vec<u32> = path.into_iter().chain([split.feature]).collect();
                all.push(path.clone());
                waiting.extend([(split.left, path.clone()), (split.right, path)]);
            }
        }
    }
    all
}

#[test]
fn features_meet_on_a_path_only_within_a_set() {
    let train = features(2_000, 3);
    let y = targets(&Task::Regression, &train, 3);
    for growth in [Growth::Depthwise, Growth::Leafwise] {
        let params = BoostParams { interaction_constraints: vec![vec![0, 1], vec![1, 2]], ..small(growth) };
        let trees = fit(&request(&train, &y, &Task::Regression), &params).unwrap().trees;
        let found = paths(&trees);
        assert!(found.iter().any(|p| p.contains(&0) && p.contains(&1)));
        assert!(found.iter().all(|p| !(p.contains(&0) && p.contains(&2))));
    }
    let params = BoostParams { interaction_constraints: vec![vec![9]], ..small(Growth::Leafwise) };
    let error = fit(&request(&train, &y, &Task::Regression), &params).unwrap_err().to_string();
    assert_eq!(error, "constraint: an interaction names feature 9, there are 4");
    let params = BoostParams { monotone_constraints: vec![0, 0, 1, 0], ..small(Growth::Leafwise) };
    let error = fit(&request(&train, &y, &Task::Regression), &params).unwrap_err().to_string();
    assert_eq!(error, "constraint: feature 2 is a category: only a number has a direction");
}

#[test]
fn sampling_by_level_and_node_leaves_no_feature_out() {
    let train = features(1_500, 7);
    let y = targets(&binary(), &train, 7);
    for (by_level, by_node) in [(0.5, 1.0), (1.0, 0.5), (0.7, 0.7)] {
        let params = BoostParams { colsample_bylevel: by_level, colsample_bynode: by_node, ..small(Growth::Depthwise) };
        let task = binary();
        let with = |seed: u64| fit(&Request { seed, ..request(&train, &y, &task) }, &params).unwrap().trees;
        assert_eq!(with(1), with(1));
        assert_ne!(with(1), with(2));
        assert!(with(1).split_counts()[..3].iter().all(|&n| n > 0));
    }
}

#[test]
fn sampling_depends_on_the_seed_alone() {
    let task = binary();
    let train = features(1_500, 7);
    let y = targets(&task, &train, 7);
    let params = BoostParams { subsample: 0.5, colsample_bytree: 0.5, ..small(Growth::Leafwise) };
    let with = |seed: u64| fit(&Request { seed, ..request(&train, &y, &task) }, &params).unwrap().trees;
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
    // Two of four columns a tree: all that vary have their turn.
    assert!(with(1).split_counts()[..3].iter().all(|&n| n > 0));
}

#[test]
fn a_wish_to_stop_is_heard_between_rounds() {
    let (task, cancel) = (Task::Regression, Cancel::new());
    let train = features(50, 8);
    let y = targets(&task, &train, 8);
    cancel.cancel();
    let request = Request { cancel: &cancel, ..request(&train, &y, &task) };
    assert_eq!(fit(&request, &small(Growth::Leafwise)).unwrap_err(), crate::Error::Cancelled);
}

#[test]
fn nothing_to_split_on_is_no_error() {
    let n = 10;
    let task = binary();
    let y = Targets::new((0..n).map(|i| f64::from(i % 2)).collect());
    for columns in [vec![], vec![FeatureColumn::Number(vec![f64::NAN; 10]), FeatureColumn::Number(vec![1.0; 10])]] {
        let train = Features::new(10, columns);
        let fitted = fit(&request(&train, &y, &task), &small(Growth::Leafwise)).unwrap();
        assert_eq!(fitted.trees.n_leaves(), 20);
        assert!(scores(&fitted.trees, &train).iter().all(|s| s.abs() < 1e-9));
    }
}

#[test]
fn extreme_targets_stay_finite() {
    let train = features(200, 9);
    for scale in [1e-140, 1e90] {
        let y = Targets::new(signal(&train).into_iter().map(|s| s * scale).collect());
        let trees = fit(&request(&train, &y, &Task::Regression), &small(Growth::Depthwise)).unwrap().trees;
        let found = scores(&trees, &train);
        assert!(found.iter().zip(&y.values).all(|(s, y)| (s - y).abs() < 2.0 * scale), "{scale}");
    }
}

#[test]
fn sorted_rows_grow_the_same_trees() {
    let n = 900;
    let (train, weights) = (features(n, 5), (0..n).map(|i| 1.0 + (i % 3) as f64).collect::<Vec<f64>>());
    for task in [binary(), classes(3), Task::Regression] {
        let values: Vec<f64> = (0..n)
            .map(|i| if task.is_classification() { (i * 7 % task.n_classes()) as f64 } else { i as f64 })
            .collect();
        for weights in [None, Some(weights.clone())] {
            let targets = Targets { values: values.clone(), weights };
            for params in [BoostParams::depthwise(), BoostParams::leafwise()] {
                let params = BoostParams { n_estimators: 14, ..params };
                let request = request(&train, &targets, &task);
                let fitting = Checked::new(&train, &targets, &task).unwrap();
                let objective = objective(&task);
                let binner = params.binner(request.seed);
                let trees = |sorted_rows| {
                    let rows = (fitting.clone(), Binned { matrix: binner.bin(&train), types: types_of(&train) });
                    booster::boost(&request, &params, objective.as_ref(), rows, None, sorted_rows).unwrap().trees
                };
                assert_eq!(trees(1), trees(usize::MAX), "{}", task.name());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn permuted_columns_grow_the_permuted_model(seed in 0u64..1000) {
        let train = features(300, seed);
        let y = targets(&Task::Regression, &train, seed);
        let order = [2, 0, 3, 1];
        let permuted = Features::new(300, order.iter().map(|&i| train.columns()[i].clone()).collect());
        let params = small(Growth::Leafwise);
        let a = fit(&request(&train, &y, &Task::Regression), &params).unwrap().trees;
        let b = fit(&request(&permuted, &y, &Task::Regression), &params).unwrap().trees;
        for (a, b) in scores(&a, &train).iter().zip(scores(&b, &permuted)) {
            prop_assert!((a - b).abs() < 1e-6 * (1.0 + a.abs()));
        }
    }

    #[test]
    fn predictions_keep_the_directions_asked_for(seed in 0u64..1000, up in any::<bool>(), leafwise in any::<bool>()) {
        let n = 400;
        let (a, b, noise) = (uniform(seed), uniform(seed + 1), uniform(seed + 2));
        let column = |f: &dyn Fn(usize) -> f64| FeatureColumn::Number((0..n).map(f).collect());
        let train = Features::new(n, vec![column(&a), column(&b)]);
        let y = Targets::new((0..n).map(|i| numeric::sin(9.0 * a(i)) + 2.0 * a(i) * b(i) + noise(i)).collect());
        let direction = if up { 1 } else { -1 };
        let growth = if leafwise { Growth::Leafwise } else { Growth::Depthwise };
        let params = BoostParams { monotone_constraints: vec![direction, 0], reg_alpha: 0.1, ..small(growth) };
        let trees = fit(&request(&train, &y, &Task::Regression), &params).unwrap().trees;
        prop_assert!(trees.split_counts()[1] > 0);
        let grid: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0).collect();
        for at in [0.1, 0.5, 0.9] {
            let along = Features::new(100, vec![FeatureColumn::Number(grid.clone()), FeatureColumn::Number(vec![at; 100])]);
            let found = scores(&trees, &along);
            prop_assert!(found.windows(2).all(|w| f64::from(direction) * (w[1] - w[0]) >= -1e-12));
        }
    }

    #[test]
    fn rows_fall_at_prediction_as_they_fell_in_training(seed in 0u64..1000) {
        // With one round of full steps and no penalty, every leaf answers the mean of its rows.
        let train = features(300, seed);
        let y = targets(&Task::Regression, &train, seed);
        let params = BoostParams { n_estimators: 1, learning_rate: 1.0, reg_lambda: 0.0, ..BoostParams::depthwise() };
        let trees = fit(&request(&train, &y, &Task::Regression), &params).unwrap().trees;
        let found = scores(&trees, &train);
        let mut sums = std::collections::BTreeMap::<u64, (f64, f64)>::new();
        for (s, y) in found.iter().zip(&y.values) {
            let entry = sums.entry(s.to_bits()).or_default();
            *entry = (entry.0 + y, entry.1 + 1.0);
        }
        for (bits, (sum, n)) in sums {
            prop_assert!((f64::from_bits(bits) - sum / n).abs() < 1e-6);
        }
    }
}

#[test]
fn rows_that_are_bins_already_grow_the_same_trees() {
    let n = 900;
    let train = features(n, 11);
    for task in [binary(), classes(3), Task::Regression] {
        let y = targets(&task, &train, 12);
        let params = BoostParams { n_estimators: 12, max_bin: 63, ..BoostParams::leafwise() };
        let request = request(&train, &y, &task);
        let binner = params.binner(request.seed);
        let binned = Binned { matrix: binner.bin(&train), types: types_of(&train) };
        let of_bins = BinnedRequest { task: &task, seed: request.seed, cancel: &NEVER };
        let trees = fit_binned(binned, y.clone(), &of_bins, &params).unwrap().trees;
        assert_eq!(trees, fit(&request, &params).unwrap().trees, "{}", task.name());
    }
}
