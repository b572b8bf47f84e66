//! What every linear model has to hold: weights, threads, one-hot groups, dependent columns, separation, odd and wide data.

use proptest::prelude::*;
use rayon::ThreadPoolBuilder;
use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Cancel, Targets};
use tabwright_model::features::ONE_HOT_NONE;
use tabwright_model::{FeatureColumn, Features};

use super::*;

/// The three models, with two and with four classes.
const MODELS: [&str; 4] = ["ols", "ridge", "binary", "multinomial"];

fn fit(model: &str, features: &Features, targets: &Targets) -> Result<Fitted> {
    let cancel = Cancel::new();
    match model {
        "ols" => linear_regression(features, targets, &LinearRegressionParams::default(), &cancel),
        "ridge" => ridge(features, targets, &RidgeParams::default(), &cancel),
        "binary" => {
            let values = targets.values.iter().map(|y| f64::from(u8::from(*y >= 2.0))).collect();
            let targets = Targets { values, weights: targets.weights.clone() };
            logistic_regression(features, &targets, 2, &LogisticRegressionParams::default(), &cancel)
        }
        _ => logistic_regression(features, targets, 4, &LogisticRegressionParams::default(), &cancel),
    }
}

fn scores(fitted: &Fitted, features: &Features) -> Vec<f64> {
    let mut out = vec![0.0; features.n_rows() * fitted.model.n_outputs()];
    fitted.model.raw_scores(features, &mut out);
    out
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let difference = |(a, b): (&f64, &f64)| (a - b).abs() / (1.0 + b.abs());
    a.iter().zip(b).map(difference).fold(0.0, |a, b| if b > a || b.is_nan() { b } else { a })
}

fn number(values: impl IntoIterator<Item = f64>) -> FeatureColumn {
    FeatureColumn::Number(values.into_iter().collect())
}

/// Numbers, two groups (with rows without a level and a level without rows), targets 0 to 3 and whole weights.
fn sample(n: usize) -> (Features, Targets) {
    let keyed = Keyed::new(11, Purpose::Example);
    let draw = |column: u64, i: usize| keyed.child(column).uniform(i as u64);
    let level = |column: u64, width: f64, i: usize| {
        let code = (draw(column, i) * (width + 0.5)) as u32;
        if f64::from(code) < width { code } else { ONE_HOT_NONE }
    };
    let class = |i: usize| {
        let signal = 0.4 * draw(0, i) + 0.3 * draw(1, i) + 0.1 * f64::from(level(2, 5.0, i) % 4);
        (signal * 4.0).floor().clamp(0.0, 3.0)
    };
    let columns = vec![
        number((0..n).map(|i| draw(1, i) * 9.0 - 3.0)),
        FeatureColumn::OneHot { codes: (0..n).map(|i| level(2, 5.0, i)).collect(), width: 6 },
        number((0..n).map(|i| 1e3 + draw(3, i))),
        FeatureColumn::OneHot { codes: (0..n).map(|i| level(4, 3.0, i)).collect(), width: 3 },
    ];
    let weights = (0..n).map(|i| (draw(5, i) * 4.0).floor()).collect();
    (Features::new(n, columns), Targets { values: (0..n).map(class).collect(), weights: Some(weights) })
}

/// One-hot groups as columns of zeros and ones.
fn expanded(features: &Features) -> Features {
    let mut columns = Vec::new();
    for column in features.columns() {
        match column {
            FeatureColumn::OneHot { codes, width } => {
                columns.extend((0..*width).map(|l| number(codes.iter().map(|c| f64::from(u8::from(*c == l))))));
            }
            other => columns.push(other.clone()),
        }
    }
    Features::new(features.n_rows(), columns)
}

#[test]
fn a_weight_counts_like_as_many_rows() {
    let (features, targets) = sample(400);
    let repeated: Vec<u32> =
        (0..400_u32).flat_map(|i| std::iter::repeat_n(i, targets.weight(i as usize) as usize)).collect();
    let mut copies = targets.take(&repeated);
    copies.weights = None;
    for model in MODELS {
        let weighted = fit(model, &features, &targets).unwrap();
        let copied = fit(model, &features.take(&repeated), &copies).unwrap();
        assert!(weighted.converged && copied.converged);
        let difference = apart(weighted.model.coefficients(), copied.model.coefficients());
        assert!(difference < 1e-8, "{model}: {difference:e}");
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let (features, targets) = sample(40_000);
    let wide = wide(150);
    for model in MODELS {
        for (features, targets) in [(&features, &targets), (&wide.0, &wide.1)] {
            let fits: Vec<Fitted> = [1, 2, 5]
                .into_iter()
                .map(|threads| {
                    let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    pool.install(|| fit(model, features, targets)).unwrap()
                })
                .collect();
            assert!(fits.iter().all(|f| *f == fits[0]), "{model}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn one_hot_groups_are_the_columns_that_they_stand_for(
        rows in prop::collection::vec((-2.0..2.0_f64, 0_u32..5, 0_u32..3, 0_u32..4, 0_u32..3), 3..80),
    ) {
        let none = |code: u32, width: u32| if code == width { ONE_HOT_NONE } else { code };
        let features = Features::new(rows.len(), vec![
            FeatureColumn::OneHot { codes: rows.iter().map(|r| none(r.1, 4)).collect(), width: 4 },
            number(rows.iter().map(|r| r.0)),
            FeatureColumn::OneHot { codes: rows.iter().map(|r| r.2).collect(), width: 3 },
        ]);
        let weights = rows.iter().map(|r| f64::from(r.4) + 0.5).collect();
        let targets = Targets { values: rows.iter().map(|r| f64::from(r.3)).collect(), weights: Some(weights) };
        for model in MODELS {
            let groups = fit(model, &features, &targets).unwrap();
            let dense = fit(model, &expanded(&features), &targets).unwrap();
            let difference = apart(groups.model.coefficients(), dense.model.coefficients());
            prop_assert!(difference < 1e-6, "{}: {:e}", model, difference);
        }
    }
}

#[test]
fn scale_and_place_of_a_column_do_not_hurt_its_fit() {
    let (features, targets) = sample(500);
    let moved = |scale: f64, shift: f64| {
        let mut features = features.clone();
        if let FeatureColumn::Number(values) = &mut features.columns_mut()[0] {
            values.iter_mut().for_each(|x| *x = *x * scale + shift);
        }
        features
    };
    let plain = fit("ols", &features, &targets).unwrap();
    for (scale, shift) in [(1e6, 0.0), (1e-6, 0.0), (1.0, 1e6)] {
        let features = moved(scale, shift);
        let fitted = fit("ols", &features, &targets).unwrap();
        let difference = apart(&scores(&fitted, &features), &scores(&plain, &moved(1.0, 0.0)));
        assert!(difference < 1e-7, "{scale} {shift}: {difference:e}");
        for model in ["binary", "multinomial", "ridge"] {
            let fitted = fit(model, &features, &targets).unwrap();
            assert!(fitted.converged && fitted.iterations < 20, "{model} {scale} {shift}: {}", fitted.iterations);
        }
    }
    // The penalty is on the column's own scale: a column too small for its weight cannot be used.
    let small = fit("ridge", &moved(1e-6, 0.0), &targets).unwrap();
    assert!(small.model.coefficients()[0].abs() * 1e-6 < 1e-8);
}

#[test]
fn equal_columns_share_their_weight() {
    let (features, targets) = sample(200);
    let mut columns = features.columns().to_vec();
    columns.push(columns[0].clone());
    columns.push(number(vec![3.5; 200]));
    columns.push(columns[1].clone());
    let doubled = Features::new(200, columns);
    for model in MODELS {
        let once = fit(model, &features, &targets).unwrap();
        let twice = fit(model, &doubled, &targets).unwrap();
        for coefficients in twice.model.coefficients().chunks_exact(19) {
            assert!(apart(&coefficients[..1], &coefficients[11..12]) < 1e-9, "{model}: {coefficients:?}");
            assert!(apart(&coefficients[1..7], &coefficients[13..]) < 1e-9, "{model}: {coefficients:?}");
            assert_eq!(coefficients[12], 0.0, "the constant column has no weight");
            assert_eq!(coefficients[6], 0.0, "a level that no row has, has no weight");
        }
        if model == "ols" {
            assert!(apart(&scores(&twice, &doubled), &scores(&once, &features)) < 1e-9);
        }
    }
}

#[test]
fn rows_of_weight_zero_do_not_count() {
    let (features, mut targets) = sample(300);
    let counted: Vec<u32> = (0..300).filter(|i| targets.weight(*i as usize) > 0.0).collect();
    let (kept, kept_targets) = (features.take(&counted), targets.take(&counted));
    for row in 0..300 {
        if targets.weight(row) == 0.0 {
            targets.values[row] = 3.0 - targets.values[row];
        }
    }
    for model in MODELS {
        let all = fit(model, &features, &targets).unwrap();
        let some = fit(model, &kept, &kept_targets).unwrap();
        assert!(apart(all.model.coefficients(), some.model.coefficients()) < 1e-9, "{model}");
    }
}

#[test]
fn separated_classes_converge_with_a_penalty_and_stop_cleanly_without() {
    let features = Features::new(40, vec![number((0..40).map(f64::from)), number((0..40).map(|i| f64::from(i % 7)))]);
    for n_classes in [2, 4] {
        let values = (0..40).map(|i| f64::from((i / 10).min(n_classes as i32 - 1))).collect();
        let targets = Targets::new(values);
        for c in [1.0, 1e6] {
            let params = LogisticRegressionParams { c, ..LogisticRegressionParams::default() };
            let fitted = logistic_regression(&features, &targets, n_classes, &params, &Cancel::new()).unwrap();
            assert!(fitted.converged, "{n_classes} {c}");
        }
        let params = LogisticRegressionParams { c: f64::INFINITY, ..LogisticRegressionParams::default() };
        let fitted = logistic_regression(&features, &targets, n_classes, &params, &Cancel::new()).unwrap();
        assert!(!fitted.converged && fitted.iterations <= 100);
        let scores = scores(&fitted, &features);
        assert!(scores.iter().all(|s| s.is_finite() && s.abs() < 1e6));
    }
}

#[test]
fn quasi_separation_is_seen_and_an_ordinary_fit_without_penalty_converges() {
    let params = LogisticRegressionParams { c: f64::INFINITY, ..LogisticRegressionParams::default() };
    let (features, targets) = sample(800);
    let targets = Targets::new(targets.values.iter().map(|y| f64::from(u8::from(*y >= 2.0))).collect());
    let noisy = Features::new(800, vec![features.columns()[2].clone(), features.columns()[3].clone()]);
    let fitted = logistic_regression(&noisy, &targets, 2, &params, &Cancel::new()).unwrap();
    assert!(fitted.converged && fitted.iterations < 10);
    // One level has rows of one class alone: its weight runs to infinity.
    let codes = (0..800).map(|i| if i % 50 == 0 { 0 } else { 1 + (i % 3) as u32 }).collect();
    let values = targets.values.iter().enumerate().map(|(i, y)| if i % 50 == 0 { 1.0 } else { *y }).collect();
    let columns = vec![features.columns()[2].clone(), FeatureColumn::OneHot { codes, width: 4 }];
    let features = Features::new(800, columns);
    let fitted = logistic_regression(&features, &Targets::new(values), 2, &params, &Cancel::new()).unwrap();
    assert!(!fitted.converged);
}

#[test]
fn one_class_alone_is_answered_with_confidence() {
    let features = Features::new(5, vec![number([1.0, 2.0, 3.0, 4.0, 5.0])]);
    let cancel = Cancel::new();
    let params = LogisticRegressionParams::default();
    for (class, score) in [(0.0, -20.723_265_836_946_41), (1.0, 20.723_265_836_946_41)] {
        let fitted = logistic_regression(&features, &Targets::new(vec![class; 5]), 2, &params, &cancel).unwrap();
        assert!((fitted.model.intercepts()[0] - score).abs() < 1e-12);
        assert_eq!(fitted.model.coefficients(), [0.0]);
    }
    let fitted = logistic_regression(&features, &Targets::new(vec![1.0; 5]), 3, &params, &cancel).unwrap();
    assert_eq!(fitted.model.intercepts()[1], 0.0);
    assert!(fitted.model.intercepts()[0] < -20.0 && fitted.model.intercepts()[2] < -20.0);
}

#[test]
fn a_class_that_does_not_occur_is_all_but_impossible() {
    let (features, mut targets) = sample(300);
    // The only rows of class 1 have no weight.
    for (y, w) in targets.values.iter().zip(targets.weights.as_mut().unwrap()) {
        *w = if *y == 1.0 { 0.0 } else { 1.0 };
    }
    let fitted = fit("multinomial", &features, &targets).unwrap();
    assert!(fitted.converged);
    for row in scores(&fitted, &features).chunks_exact_mut(4) {
        tabwright_core::numeric::softmax(row);
        assert!(row[1] > 0.0 && row[1] < 1e-9);
    }
}

/// More columns than rows: numbers, and a category whose levels are mostly seen once.
fn wide(n: usize) -> (Features, Targets) {
    let keyed = Keyed::new(5, Purpose::Example);
    let draw = |column: usize, i: usize| keyed.child(column as u64).uniform(i as u64);
    let mut columns: Vec<FeatureColumn> = (0..1_900).map(|c| number((0..n).map(|i| draw(c, i)))).collect();
    let codes = (0..n).map(|i| if i % 4 == 0 { 7 } else { i as u32 }).collect();
    columns.push(FeatureColumn::OneHot { codes, width: n as u32 });
    let class = |i: usize| ((draw(0, i) + draw(1, i)) * 2.0).floor();
    (Features::new(n, columns), Targets::new((0..n).map(class).collect()))
}

#[test]
fn more_columns_than_rows_can_be_fitted() {
    let (features, targets) = wide(150);
    assert!(features.n_weights() > GRAM_UNKNOWNS);
    for model in MODELS {
        let fitted = fit(model, &features, &targets).unwrap();
        assert!(fitted.converged, "{model}");
        let one = fit(model, &features.take(&[3]), &targets.take(&[3])).unwrap();
        assert!(one.converged, "{model}");
    }
    let fitted = fit("ols", &features, &targets).unwrap();
    assert!(apart(&scores(&fitted, &features), &targets.values) < 1e-8, "there is an exact fit");
}

#[test]
fn a_category_of_very_many_levels_can_be_fitted() {
    let n = 60_000;
    let keyed = Keyed::new(3, Purpose::Example);
    let codes: Vec<u32> = (0..n).map(|i| (keyed.uniform(i) * keyed.child(1).uniform(i) * 50_000.0) as u32).collect();
    let small: Vec<u32> = (0..n).map(|i| (keyed.child(2).uniform(i) * 7.0) as u32).collect();
    let level = |i: usize| f64::from(codes[i] % 5) * 0.5 + f64::from(small[i]) * 0.1;
    let values: Vec<f64> =
        (0..n as usize).map(|i| (level(i) + keyed.child(3).uniform(i as u64)).floor().min(3.0)).collect();
    let columns = vec![
        FeatureColumn::OneHot { codes, width: 50_000 },
        FeatureColumn::OneHot { codes: small, width: 7 },
        number((0..n).map(|i| keyed.child(4).uniform(i))),
    ];
    let (features, targets) = (Features::new(n as usize, columns), Targets::new(values));
    for model in MODELS {
        let fitted = fit(model, &features, &targets).unwrap();
        assert!(fitted.converged, "{model}: {}", fitted.iterations);
    }
}

#[test]
fn large_targets_are_fitted_like_small_ones() {
    let (features, targets) = sample(200);
    let large =
        Targets { values: targets.values.iter().map(|y| y * 1e250).collect(), weights: targets.weights.clone() };
    for model in ["ols", "ridge"] {
        let (small, large) = (fit(model, &features, &targets).unwrap(), fit(model, &features, &large).unwrap());
        let scaled: Vec<f64> = large.model.coefficients().iter().map(|c| c / 1e250).collect();
        assert!(apart(&scaled, small.model.coefficients()) < 1e-12, "{model}");
    }
}

#[test]
fn conjugate_gradients_find_the_weights_of_least_norm_that_factoring_finds() {
    let (features, targets) = sample(700);
    let mut columns = features.columns().to_vec();
    columns.extend(features.columns()[..2].to_vec());
    let features = Features::new(700, columns);
    for (alpha, fit_intercept) in [(0.0, true), (0.0, false), (1.0, true), (1.0, false)] {
        let design = Design::new(&features, targets.weights.as_deref(), fit_intercept).unwrap();
        let [direct, iterated] = squares::both_ways(&design, &targets.values, alpha);
        assert!(direct.converged && iterated.converged);
        let (direct, iterated) = (design.to_weights(&direct.unknowns), design.to_weights(&iterated.unknowns));
        let difference = apart(&direct.1, &iterated.1);
        assert!(difference < 1e-6, "{alpha} {fit_intercept}: {difference:e}");
    }
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let text = |features: &Features, targets: &Targets| fit("ols", features, targets).unwrap_err().to_string();
    let one = Features::new(2, vec![number([1.0, 2.0])]);
    let y = Targets::new(vec![0.0, 1.0]);
    let codes = Features::new(2, vec![FeatureColumn::Code { codes: vec![0, 1], n_codes: 2 }]);
    assert!(text(&codes, &y).contains("feature 0 holds category codes"));
    let missing = Features::new(2, vec![number([1.0, f64::NAN])]);
    assert!(text(&missing, &y).contains("feature 0 is NaN in row 1"));
    let huge = Features::new(2, vec![number([1e300, -1e300])]);
    assert!(text(&huge, &y).contains("beyond 1e308"));
    assert!(text(&one, &Targets::new(vec![0.0])).contains("1 targets for 2 rows"));
    assert!(text(&one, &Targets::new(vec![0.0, f64::INFINITY])).contains("target of row 1 is inf"));
    let weights = |w: [f64; 2]| Targets { values: vec![0.0, 1.0], weights: Some(w.to_vec()) };
    assert!(text(&one, &weights([1.0, -1.0])).contains("weight of row 1 is -1"));
    assert!(text(&one, &weights([0.0, 0.0])).contains("positive weight"));
    assert_eq!(fit("ols", &one, &weights([1e308, 1e308])), Err(Error::Overflow));
    assert!(text(&Features::new(0, vec![]), &Targets::new(vec![])).contains("0 rows"));
    let classes = logistic_regression(&one, &Targets::new(vec![0.0, 2.0]), 2, &Default::default(), &Cancel::new());
    assert!(matches!(classes, Err(Error::Row { row: 1, .. })));
    let params = LogisticRegressionParams { c: 0.0, ..LogisticRegressionParams::default() };
    assert_eq!(
        params.validate().unwrap_err().to_string(),
        "C = 0 is out of range; allowed: a number above 0, or infinity"
    );
    assert!(RidgeParams { alpha: -1.0, fit_intercept: true }.validate().is_err());
    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(ridge(&one, &y, &RidgeParams::default(), &cancel), Err(Error::Cancelled));
    let cancelled = logistic_regression(&one, &y, 2, &LogisticRegressionParams::default(), &cancel);
    assert_eq!(cancelled, Err(Error::Cancelled));
}

#[test]
fn next_to_nothing_can_be_fitted() {
    let y = Targets::new(vec![2.0]);
    for features in [Features::new(1, vec![]), Features::new(1, vec![number([5.0])])] {
        for model in ["ols", "ridge"] {
            let fitted = fit(model, &features, &y).unwrap();
            assert_eq!(fitted.model.intercepts(), [2.0]);
        }
    }
    let tiny = Features::new(3, vec![number([1e-200, 2e-200, 5e-200]), number([1.0, 2.0, 3.0])]);
    let fitted = fit("ridge", &tiny, &Targets::new(vec![1.0, 2.0, 3.0])).unwrap();
    assert!(fitted.model.coefficients()[0] == 0.0 && fitted.model.coefficients()[1] > 0.6);
    let none = Features::new(4, vec![]);
    let targets = Targets::new(vec![0.0, 1.0, 1.0, 1.0]);
    let fitted = logistic_regression(&none, &targets, 2, &Default::default(), &Cancel::new()).unwrap();
    assert!(fitted.converged && (fitted.model.intercepts()[0] - 3.0_f64.ln()).abs() < 1e-12);
}
