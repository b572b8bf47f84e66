//! Tests of boosting on categories of more levels than a byte tells apart.

use tabwright_core::random::mix;
use tabwright_model::features::{CODE_FIRST, CODE_MISSING};

use super::*;

/// A number, and a category of some levels, of which a tenth of the rows has none.
fn table(n: usize, levels: usize, seed: u64) -> Features {
    let (a, b, missing) = (uniform(seed), uniform(seed + 1), uniform(seed + 2));
    let level = |i: usize| CODE_FIRST + (b(i) * levels as f64) as u32;
    let codes = (0..n).map(|i| if missing(i) < 0.1 { CODE_MISSING } else { level(i) }).collect();
    let category = FeatureColumn::Code { codes, n_codes: CODE_FIRST + levels as u32 };
    Features::new(n, vec![FeatureColumn::Number((0..n).map(a).collect()), category])
}

fn codes(features: &Features) -> &[u32] {
    let FeatureColumn::Code { codes, .. } = &features.columns()[1] else { panic!("the second column is a category") };
    codes
}

/// Targets that depend on the number, and on half of the levels.
fn effects(task: &Task, features: &Features, seed: u64) -> Targets {
    let noise = uniform(seed);
    let FeatureColumn::Number(a) = &features.columns()[0] else { panic!("the first column is a number") };
    let of = |(i, &code): (usize, &u32)| {
        let effect = if is_high(code) { 1.0 } else { -1.0 };
        let score = effect + 2.0 * a[i] - 1.0;
        match task {
            Task::Regression => score + 4.0 * noise(i) - 2.0,
            Task::Binary { .. } => f64::from(u8::from(noise(i) < numeric::sigmoid(score))),
            Task::Multiclass { labels } => (score + 2.0 + noise(i)).floor().clamp(0.0, labels.len() as f64 - 1.0),
        }
    };
    Targets::new(codes(features).iter().enumerate().map(of).collect())
}

fn is_high(code: u32) -> bool {
    mix(code.into()).is_multiple_of(2)
}

#[test]
fn one_split_tells_a_thousand_levels_apart() {
    let train = table(80_000, 1_000, 1);
    let y = effects(&Task::Regression, &train, 9);
    for params in [BoostParams::leafwise(), BoostParams::depthwise()] {
        let params = BoostParams { n_estimators: 1, num_leaves: Some(2), ..params };
        let trees = fit(&request(&train, &y, &Task::Regression), &params).unwrap().trees;
        assert_eq!(trees.split_counts(), [0, 1]);
        let found = scores(&trees, &train);
        let middle = parallel::sum(found.len(), |i| found[i]) / found.len() as f64;
        assert!(codes(&train).iter().zip(&found).all(|(code, score)| is_high(*code) == (*score > middle)));
    }
}

#[test]
fn any_number_of_threads_and_any_order_of_rows_grow_the_same_bytes() {
    let n = 40_000;
    let train = table(n, 3_000, 2);
    for task in [Task::Regression, binary(), classes(3)] {
        let y = effects(&task, &train, 3);
        // Few leaves and many: rows have tags, or are listed.
        for num_leaves in [Some(31), Some(90)] {
            let params = BoostParams { n_estimators: 2, num_leaves, ..BoostParams::leafwise() };
            let on = |threads: usize, sorted_rows: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let (request, objective) = (request(&train, &y, &task), objective(&task));
                let boost = || {
                    let matrix = params.binner(request.seed).bin(&train);
                    let rows = (Checked::new(&train, &y, &task).unwrap(), Binned { matrix, types: types_of(&train) });
                    booster::boost(&request, &params, objective.as_ref(), rows, None, sorted_rows)
                };
                pool.install(boost).unwrap().trees
            };
            let one = on(1, usize::MAX);
            assert!(one.split_counts()[1] > 0);
            assert!([2, 3, 8].into_iter().all(|threads| on(threads, 1) == one), "{task:?}");
        }
    }
}

#[test]
fn rows_fall_at_prediction_as_they_fell_in_training() {
    let train = table(20_000, 500, 4);
    let y = effects(&Task::Regression, &train, 5);
    for num_leaves in [31, 90] {
        // With one round of full steps and no penalty, every leaf answers the mean of its rows.
        let num_leaves = Some(num_leaves);
        let params = BoostParams { n_estimators: 1, learning_rate: 1.0, num_leaves, ..BoostParams::leafwise() };
        let trees = fit(&request(&train, &y, &Task::Regression), &params).unwrap().trees;
        assert!(trees.split_counts()[1] > 1);
        let mut sums = std::collections::BTreeMap::<u64, (f64, f64)>::new();
        for (s, y) in scores(&trees, &train).iter().zip(&y.values) {
            let entry = sums.entry(s.to_bits()).or_default();
            *entry = (entry.0 + y, entry.1 + 1.0);
        }
        assert!(sums.into_iter().all(|(bits, (sum, n))| (f64::from_bits(bits) - sum / n).abs() < 1e-6));
    }
}

#[test]
fn levels_that_say_nothing_are_left_alone() {
    let loss = |levels: usize| {
        let (train, test) = (table(20_000, levels, 6), table(20_000, levels, 7));
        let without = |features: &Features| Features::new(20_000, vec![features.columns()[0].clone()]);
        let y = |features: &Features, seed: u64| {
            let FeatureColumn::Number(a) = &features.columns()[0] else { panic!("the first column is a number") };
            let noise = uniform(seed);
            Targets::new(a.iter().enumerate().map(|(i, a)| f64::from(u8::from(noise(i) < *a))).collect())
        };
        let (y, y_test) = (y(&train, 18), y(&test, 19));
        let fitted = fit(&request(&train, &y, &binary()), &BoostParams::leafwise()).unwrap().trees;
        let alone = fit(&request(&without(&train), &y, &binary()), &BoostParams::leafwise()).unwrap().trees;
        let loss = mean_loss(&binary(), &scores(&fitted, &test), &y_test);
        loss / mean_loss(&binary(), &scores(&alone, &without(&test)), &y_test)
    };
    for levels in [400, 20_000, 100_000] {
        assert!(loss(levels) < 1.02, "{levels} levels: {}", loss(levels));
    }
}
