//! Tests of forests.

use tabwright_model::FeatureColumn;
use tabwright_model::features::CODE_FIRST;

use super::*;
use crate::fixtures::{NEVER, binary, classes, uniform};

/// Of `pinned_bytes_in_debug_and_release`: they change only with the results, which the changelog then says.
const PINNED: [u64; 6] = [
    0x513adfe55ef75824,
    0xda3193ec64c7aea6,
    0x959ecc52f46da6fa,
    0x63201c849332bd5a,
    0x8681bc1747cb21e5,
    0x40eba4b9572b75db,
];

/// Two numbers, one of them with missing values, and a category.
fn features(n: usize, seed: u64) -> Features {
    let (a, b, c) = (uniform(seed), uniform(seed + 1000), uniform(seed + 2000));
    let columns = vec![
        FeatureColumn::Number((0..n).map(&a).collect()),
        FeatureColumn::Number((0..n).map(|i| if b(i) < 0.2 { f64::NAN } else { b(i) }).collect()),
        FeatureColumn::Code { codes: (0..n).map(|i| (c(i) * 12.0) as u32).collect(), n_codes: 12 },
    ];
    Features::new(n, columns)
}

fn targets(task: &Task, features: &Features, seed: u64) -> Targets {
    let [FeatureColumn::Number(a), FeatureColumn::Number(b), FeatureColumn::Code { codes, .. }] = features.columns()
    else {
        panic!("features have other columns")
    };
    let noise = uniform(seed + 3000);
    let of = |i: usize| {
        let missing = if b[i].is_nan() { 1.0 } else { 0.0 };
        let signal = a[i] * 3.0 + missing + [0.0, 1.0, 2.0][codes[i] as usize % 3];
        match task {
            Task::Regression => signal + noise(i),
            Task::Binary { .. } => f64::from(u8::from(signal + noise(i) > 3.0)),
            Task::Multiclass { labels } => (signal / 7.0 * labels.len() as f64 + noise(i) * 0.5).floor(),
        }
    };
    Targets::new((0..a.len()).map(of).collect())
}

fn kinds(task: &Task) -> [ForestParams; 2] {
    let few = |params: ForestParams| ForestParams { n_estimators: 30, ..params };
    [few(ForestParams::random_forest(task)), few(ForestParams::extra_trees(task))]
}

fn grow(features: &Features, targets: &Targets, task: &Task, params: &ForestParams) -> Trees {
    fit(features, targets, task, params, 11, &NEVER).unwrap()
}

fn scores(trees: &Trees, features: &Features) -> Vec<f64> {
    let mut out = vec![0.0; features.n_rows() * trees.n_outputs()];
    trees.raw_scores(features, &mut out);
    out
}

/// Mean squared error, of probabilities where classes are learned.
fn error(task: &Task, scores: &[f64], targets: &Targets) -> f64 {
    let k = scores.len() / targets.len();
    let of = |i: usize| {
        let row = &scores[i * k..][..k];
        let wanted =
            |j: usize| if k == 1 { targets.values[i] } else { f64::from(u8::from(targets.values[i] as usize == j)) };
        (0..k).map(|j| (row[j] - wanted(j)) * (row[j] - wanted(j))).sum::<f64>()
    };
    assert!(task.n_outputs() == k);
    (0..targets.len()).map(of).sum::<f64>() / targets.len() as f64
}

#[test]
fn forests_learn_every_task() {
    for task in [Task::Regression, binary(), classes(4)] {
        let (train, test) = (features(2_000, 1), features(1_000, 2));
        let (y, y_test) = (targets(&task, &train, 1), targets(&task, &test, 2));
        let stumps = ForestParams { max_depth: Some(1), ..ForestParams::random_forest(&task) };
        let floor = error(&task, &scores(&grow(&train, &y, &task, &stumps), &test), &y_test);
        for params in kinds(&task) {
            let trees = grow(&train, &y, &task, &params);
            let found = error(&task, &scores(&trees, &test), &y_test);
            assert!(found < 0.6 * floor, "{task:?}: {found} of {floor}");
        }
    }
}

#[test]
fn probabilities_are_shares() {
    let task = classes(4);
    let train = features(500, 3);
    let y = targets(&task, &train, 3);
    for params in kinds(&task) {
        for row in scores(&grow(&train, &y, &task, &params), &features(200, 4)).chunks(4) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12 && row.iter().all(|p| (0.0..=1.0).contains(p)));
        }
    }
}

#[test]
fn without_bootstrap_trees_to_purity_know_their_rows() {
    for task in [Task::Regression, binary(), classes(4)] {
        let train = features(400, 5);
        let y = targets(&task, &train, 5);
        for params in kinds(&task) {
            let params = ForestParams { bootstrap: false, ..params };
            let found = error(&task, &scores(&grow(&train, &y, &task, &params), &train), &y);
            assert!(found < 1e-20, "{task:?}: {found}");
        }
    }
}

#[test]
fn any_number_of_threads_grows_the_same_bytes() {
    let train = features(700, 6);
    for task in [Task::Regression, binary(), classes(4)] {
        let y = targets(&task, &train, 6);
        for params in kinds(&task) {
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| grow(&train, &y, &task, &params))
            };
            let one = on(1);
            assert!([2, 3, 8].into_iter().all(|threads| on(threads) == one), "{task:?}");
        }
    }
}

#[test]
fn pinned_bytes_in_debug_and_release() {
    let train = features(500, 14);
    let found: Vec<u64> = [Task::Regression, binary(), classes(3)]
        .iter()
        .flat_map(|task| {
            let y = targets(task, &train, 14);
            kinds(task).map(|params| {
                let scores = scores(&grow(&train, &y, task, &params), &train);
                let bytes: Vec<u8> = scores.iter().flat_map(|s| s.to_bits().to_le_bytes()).collect();
                tabwright_core::random::hash_bytes(0, &bytes)
            })
        })
        .collect();
    assert_eq!(found, PINNED);
}

#[test]
fn more_trees_begin_with_the_same_ones() {
    let task = binary();
    let train = features(300, 7);
    let y = targets(&task, &train, 7);
    let [params, _] = kinds(&task);
    let few = grow(&train, &y, &task, &params);
    let many = grow(&train, &y, &task, &ForestParams { n_estimators: 70, ..params });
    assert_eq!(many.first_trees(30), few);
}

#[test]
fn limits_are_kept() {
    let task = Task::Regression;
    let train = features(600, 8);
    let y = targets(&task, &train, 8);
    let one = |params: ForestParams| grow(&train, &y, &task, &ForestParams { n_estimators: 1, ..params }).tree(0);
    for params in kinds(&task) {
        let params = ForestParams { bootstrap: false, ..params };
        let full = one(params.clone());
        assert_eq!(one(ForestParams { max_leaf_nodes: Some(9), ..params.clone() }).n_leaves(), 9);
        assert!(one(ForestParams { max_depth: Some(3), ..params.clone() }).n_leaves() <= 8);
        assert!(one(ForestParams { min_samples_split: 50, ..params.clone() }).n_leaves() < full.n_leaves() / 4);
        let decrease = one(ForestParams { min_impurity_decrease: 1e-3, ..params.clone() });
        assert!(decrease.n_leaves() < full.n_leaves() / 2 && decrease.splits.iter().all(|s| s.gain >= 1e-3));
        let least = one(ForestParams { min_samples_leaf: 20, ..params });
        let mut counts = std::collections::BTreeMap::new();
        let mut trees = Trees::new(types_of(&train), 1, Aggregation::Mean, vec![0.0]);
        trees.push(&least, 0);
        scores(&trees, &train).iter().for_each(|s| *counts.entry(s.to_bits()).or_insert(0) += 1);
        assert!(counts.values().all(|&n| n >= 20), "{counts:?}");
    }
}

#[test]
fn the_gains_of_a_tree_add_up_to_the_impurity_it_removes() {
    let train = features(250, 9);
    for task in [Task::Regression, binary(), classes(4)] {
        let y = targets(&task, &train, 9);
        for params in kinds(&task) {
            let params = ForestParams { n_estimators: 1, bootstrap: false, ..params };
            let tree = grow(&train, &y, &task, &params).tree(0);
            let removed: f64 = tree.splits.iter().map(|s| f64::from(s.gain)).sum();
            let n = y.len() as f64;
            let impurity = match &task {
                Task::Regression => {
                    let mean = y.values.iter().sum::<f64>() / n;
                    y.values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n
                }
                _ => {
                    let share = |k: usize| y.values.iter().filter(|v| **v as usize == k).count() as f64 / n;
                    1.0 - (0..task.n_classes()).map(|k| share(k) * share(k)).sum::<f64>()
                }
            };
            assert!((removed - impurity).abs() < 1e-4 * impurity, "{task:?}: {removed} of {impurity}");
        }
    }
}

#[test]
fn a_weight_is_a_number_of_rows() {
    let n = 300;
    let train = features(n, 10);
    for task in [Task::Regression, binary(), classes(4)] {
        let y = targets(&task, &train, 10);
        let weights: Vec<f64> = (0..n).map(|i| [0.0, 1.0, 3.0][i % 3]).collect();
        let repeated: Vec<u32> = (0..n as u32).flat_map(|i| vec![i; weights[i as usize] as usize]).collect();
        // Levels are counted by rows, so numbers only.
        let numbers = |f: &Features| Features::new(f.n_rows(), f.columns()[..2].to_vec());
        let [params, _] = kinds(&task);
        let params = ForestParams { n_estimators: 1, bootstrap: false, max_features: MaxFeatures::All, ..params };
        let weighted = Targets { weights: Some(weights), ..y.clone() };
        let a = grow(&numbers(&train), &weighted, &task, &params);
        let b = grow(&numbers(&train.take(&repeated)), &y.take(&repeated), &task, &params);
        assert_eq!(a.n_leaves(), b.n_leaves(), "{task:?}");
        for (a, b) in scores(&a, &numbers(&train)).iter().zip(scores(&b, &numbers(&train))) {
            assert!((a - b).abs() < 1e-6, "{task:?}: {a} {b}");
        }
    }
}

/// Rows that weigh too much for packed sums take the road of any rows. Powers of two change no bit of what is found.
#[test]
fn light_rows_grow_the_trees_of_any_rows() {
    const HEAVY: f64 = (1u64 << 20) as f64;
    let repeated = |f: &Features, times: usize| Features::new(f.n_rows(), vec![f.columns(); times].concat());
    // Records of one part, of two, and too wide for any.
    for (n, times) in [(1_500, 1), (700, 12), (300, 50)] {
        let few = features(n, 15);
        let train = repeated(&few, times);
        for task in [Task::Regression, binary()] {
            let y = targets(&task, &few, 15);
            let weights: Vec<f64> = (0..n).map(|i| [1.0, 1.0, 2.0, 5.0][i % 4]).collect();
            let weighted =
                |scale: f64| Targets { weights: Some(weights.iter().map(|w| w * scale).collect()), ..y.clone() };
            for params in kinds(&task) {
                for (least, max_features) in [(1, MaxFeatures::Sqrt), (1, MaxFeatures::All), (3, MaxFeatures::Count(2))]
                {
                    let params =
                        ForestParams { n_estimators: 6, min_samples_leaf: least, max_features, ..params.clone() };
                    let (light, heavy) = (weighted(1.0), weighted(HEAVY));
                    let [light, heavy] = [light, heavy].map(|y| grow(&train, &y, &task, &params));
                    assert!(light == heavy, "{task:?} {n} {params:?}");
                }
            }
        }
    }
}

#[test]
fn vectors_change_no_tree() {
    let train = features(900, 16);
    for task in [Task::Regression, binary(), classes(3)] {
        let y = targets(&task, &train, 16);
        for params in kinds(&task) {
            let params = ForestParams { n_estimators: 5, ..params };
            let (wide, plain) = tabwright_model::kernels::both(|| grow(&train, &y, &task, &params));
            assert!(wide == plain, "{task:?}");
        }
    }
}

#[test]
fn leaves_answer_with_the_mean_of_the_targets_as_they_came() {
    let x = Features::new(3, vec![FeatureColumn::Number(vec![1.0, 2.0, 3.0])]);
    let y = Targets::new(vec![1e15 + 1.0, 0.1, -7e-9]);
    let params = ForestParams { n_estimators: 3, ..ForestParams::extra_trees(&Task::Regression) };
    let params = ForestParams { max_features: MaxFeatures::All, ..params };
    let found = scores(&grow(&x, &y, &Task::Regression, &params), &x);
    assert_eq!(found[0], 1e15 + 1.0);
}

#[test]
fn a_category_is_cut_as_the_ranks_of_its_levels_are() {
    let (n, few) = (1_200, features(1_200, 17));
    let [numbers @ .., FeatureColumn::Code { codes, .. }] = few.columns() else { panic!("the last is a category") };
    for task in [Task::Regression, binary()] {
        let y = targets(&task, &few, 17);
        // Without a sample, the means of the tree are those of all rows.
        let mean = |level: u32| {
            let rows = || (0..n).filter(|i| codes[*i] == level);
            rows().map(|i| y.values[i]).sum::<f64>() / rows().count() as f64
        };
        let mut levels: Vec<u32> = (CODE_FIRST..12).collect();
        levels.sort_by(|a, b| mean(*a).total_cmp(&mean(*b)));
        let rank = |level: u32| levels.iter().position(|l| *l == level).map_or(f64::NAN, |rank| rank as f64);
        let ranks = FeatureColumn::Number(codes.iter().map(|level| rank(*level)).collect());
        let ranked = Features::new(n, [numbers, &[ranks]].concat());
        let [params, _] = kinds(&task);
        let params = ForestParams { n_estimators: 5, bootstrap: false, max_features: MaxFeatures::Count(2), ..params };
        let (a, b) = (grow(&few, &y, &task, &params), grow(&ranked, &y, &task, &params));
        assert!(scores(&a, &few) == scores(&b, &ranked), "{task:?}");
    }
}

#[test]
fn rare_levels_are_not_learned_by_heart() {
    // A ticket number per two rows says nothing about rows that were not seen; noise otherwise.
    let n = 400;
    let noise = uniform(12);
    let train = Features::new(
        n,
        vec![
            FeatureColumn::Code { codes: (0..n as u32).map(|i| 2 + i / 2).collect(), n_codes: 2 + n as u32 / 2 },
            FeatureColumn::Number((0..n).map(&noise).collect()),
        ],
    );
    let y = Targets::new((0..n).map(|i| f64::from(u8::from(noise(i) + noise(i + n) > 1.0))).collect());
    let task = binary();
    let [params, _] = kinds(&task);
    let trees = grow(&train, &y, &task, &ForestParams { max_features: MaxFeatures::All, ..params });
    let gains = trees.importances().gains;
    assert!(gains[0] < gains[1], "{gains:?}");
}

#[test]
fn no_feature_and_one_row_are_no_error() {
    let y = Targets::new(vec![1.0, 0.0, 1.0]);
    let [params, _] = kinds(&binary());
    let params = ForestParams { bootstrap: false, ..params };
    let found = scores(&grow(&Features::new(3, vec![]), &y, &binary(), &params), &Features::new(3, vec![]));
    assert!(found.iter().all(|p| (p - 2.0 / 3.0).abs() < 1e-12));
    let one = Features::new(1, vec![FeatureColumn::Number(vec![f64::NAN])]);
    assert_eq!(scores(&grow(&one, &Targets::new(vec![5.0]), &Task::Regression, &params), &one), [5.0]);
}

#[test]
fn a_wish_to_stop_is_heard() {
    let cancel = Cancel::new();
    cancel.cancel();
    let task = Task::Regression;
    let train = features(50, 13);
    let y = targets(&task, &train, 13);
    let found = fit(&train, &y, &task, &ForestParams::random_forest(&task), 1, &cancel);
    assert_eq!(found.unwrap_err(), Error::Cancelled);
}

#[test]
fn rows_out_of_the_bag_score_as_new_rows_do() {
    for task in [Task::Regression, binary(), classes(3)] {
        let (train, test) = (features(1_200, 1), features(2_000, 2));
        let (y, y_test) = (targets(&task, &train, 1), targets(&task, &test, 2));
        let params = ForestParams { n_estimators: 60, ..ForestParams::random_forest(&task) };
        let trees = grow(&train, &y, &task, &params);
        let found = out_of_bag(&trees, &train, &y, &task, &params, 11).unwrap();
        let (fitted, new) = (error(&task, &scores(&trees, &train), &y), error(&task, &scores(&trees, &test), &y_test));
        let out = error(&task, &found, &y);
        assert!((out / new - 1.0).abs() < 0.25 && fitted < 0.5 * out, "{task:?}: {fitted} {out} {new}");
        // A row without weight was in no bag: all trees answer.
        let weights = (0..1_200).map(|i| if i == 5 { 0.0 } else { 1.0 }).collect();
        let weighted = Targets { weights: Some(weights), ..y.clone() };
        let trees = grow(&train, &weighted, &task, &params);
        let found = out_of_bag(&trees, &train, &weighted, &task, &params, 11).unwrap();
        let k = task.n_outputs();
        let all = scores(&trees, &train);
        assert!((0..k).all(|j| (found[5 * k + j] - all[5 * k + j]).abs() < 1e-12));
    }
    let (train, task) = (features(50, 1), Task::Regression);
    let y = targets(&task, &train, 1);
    let one = ForestParams { n_estimators: 1, ..ForestParams::random_forest(&task) };
    let found = out_of_bag(&grow(&train, &y, &task, &one), &train, &y, &task, &one, 11).unwrap();
    assert!(found.iter().filter(|s| s.is_nan()).count() > 20, "most rows are in a bag");
    let extra = ForestParams::extra_trees(&task);
    let error = out_of_bag(&Trees::new(vec![], 1, Aggregation::Mean, vec![0.0]), &train, &y, &task, &extra, 11);
    assert!(error.unwrap_err().to_string().contains("bootstrap = false is out of range"));
}
