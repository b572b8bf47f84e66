//! Bands against known variances, and how often they cover what they promise.

use super::super::scores_at;
use super::*;
use crate::random::{Keyed, Purpose};

/// The example of the scripts that made the numbers below.
fn sixty() -> (Targets, Predictions) {
    let score = |i: usize| ((i * 37 % 61) as f64 / 61.0 * 20.0).floor() / 20.0;
    let label = |i: usize| f64::from(u8::from((i * 53 % 59) as f64 / 59.0 < 0.25 + 0.5 * score(i)));
    (Targets::new((0..60).map(label).collect()), Predictions { n_outputs: 1, values: (0..60).map(score).collect() })
}

fn binary() -> Task {
    Task::Binary { labels: ["no".into(), "yes".into()] }
}

fn classes(k: usize) -> Task {
    Task::Multiclass { labels: (0..k).map(|i| format!("c{i}")).collect() }
}

fn of(metric: Metric, task: &Task, targets: &Targets, predictions: &Predictions) -> Result<Estimate> {
    estimates(&[metric], task, targets, predictions, 0.5, 0.95).remove(0)
}

/// The half-width of a band in deviations, on the scale that it was made on.
fn width(estimate: Estimate, scale: impl Fn(f64) -> f64) -> f64 {
    let [low, high] = estimate.band.unwrap();
    0.5 * (scale(high) - scale(low))
}

#[test]
fn variances_are_those_of_delong_and_of_derivatives_by_the_weights() {
    let (targets, predictions) = sixty();
    let odds = |x: f64| crate::numeric::ln(x / (1.0 - x));
    let artanh = |x: f64| 0.5 * crate::numeric::ln((1.0 + x) / (1.0 - x));
    // NumPy: the placements of DeLong as an outer comparison. scikit-learn 1.9.1: values at weights 1 ± 10⁻⁶, row by row.
    let t = |n: f64| {
        let z: f64 = 1.959_963_984_540_054;
        let freedom = n - 1.0;
        z + (z * z * z + z) / 4.0 / freedom + ((5.0 * z * z + 16.0) * z * z + 3.0) * z / 96.0 / (freedom * freedom)
    };
    let auc = of(Metric::RocAuc, &binary(), &targets, &predictions).unwrap();
    assert!((auc.value - 0.68).abs() < 1e-12);
    let parts: [f64; 2] = [0.002_506_002_554_278_416, 0.002_468_965_517_241_379_6];
    let (variance, welch) = (parts[0] + parts[1], parts.map(|p| p * p / 29.0));
    let welch = variance * variance / (welch[0] + welch[1]) + 1.0;
    let deviation = variance.sqrt() / (0.68 * 0.32);
    assert!((width(auc, odds) - t(welch) * deviation).abs() < 1e-9, "{auc:?}");
    let precision = of(Metric::AveragePrecision, &binary(), &targets, &predictions).unwrap();
    let value = 0.677_507_181_642_001_7;
    assert!((precision.value - value).abs() < 1e-12);
    let deviation = (0.007_032_275_590_605_562f64 * 30.0 / 29.0).sqrt() / (value * (1.0 - value));
    assert!((width(precision, odds) - t(30.0) * deviation).abs() < 1e-6, "{precision:?}");
    let mcc = of(Metric::Mcc, &binary(), &targets, &predictions).unwrap();
    let deviation = (0.014_814_814_762_211_654f64 * 60.0 / 59.0).sqrt() / (1.0 - 1.0 / 9.0);
    assert!((mcc.value - 1.0 / 3.0).abs() < 1e-12);
    assert!((width(mcc, artanh) - t(60.0) * deviation).abs() < 1e-6, "{mcc:?}");
}

#[test]
fn what_says_nothing_has_a_reason_and_no_value() {
    let yes = |n: usize| Targets::new(vec![1.0; n]);
    let p = |values: &[f64]| Predictions { n_outputs: 1, values: values.to_vec() };
    let task = binary();
    let auc = of(Metric::RocAuc, &task, &yes(2), &p(&[0.2, 0.8]));
    assert_eq!(auc, Err(Undefined::OneClass));
    assert_eq!(of(Metric::Mcc, &task, &yes(2), &p(&[0.2, 0.8])), Err(Undefined::OneClass));
    let both = Targets::new(vec![0.0, 1.0]);
    assert_eq!(of(Metric::Mcc, &task, &both, &p(&[0.2, 0.3])), Err(Undefined::OnePrediction));
    assert_eq!(of(Metric::Precision, &task, &both, &p(&[0.2, 0.3])), Err(Undefined::NonePredicted));
    let none = Targets::new(vec![0.0, 0.0]);
    for metric in [Metric::Recall, Metric::AveragePrecision] {
        assert_eq!(of(metric, &task, &none, &p(&[0.2, 0.8])), Err(Undefined::NoPositive), "{metric}");
    }
    assert_eq!(of(Metric::Accuracy, &task, &Targets::default(), &p(&[])), Err(Undefined::NoRow));
    assert_eq!(of(Metric::Accuracy, &task, &both, &p(&[0.5, f64::NAN])), Err(Undefined::NotANumber));
    assert_eq!(of(Metric::Rmse, &task, &both, &p(&[0.5, 0.1])), Err(Undefined::OtherTask));
    assert_eq!(of(Metric::R2, &Task::Regression, &yes(3), &p(&[1.0, 2.0, 3.0])), Err(Undefined::ConstantTarget));
}

#[test]
fn perfect_and_useless_answers_have_bands_too() {
    let targets = Targets::new([0.0, 1.0].repeat(20));
    let perfect = Predictions { n_outputs: 1, values: [0.1, 0.9].repeat(20) };
    for metric in Metric::for_task(&binary()).iter().filter(|m| m.greater_is_better()) {
        let found = of(*metric, &binary(), &targets, &perfect).unwrap();
        let [low, high] = found.band.unwrap();
        assert!(found.value == 1.0 && high == 1.0 && (0.5..0.95).contains(&low), "{metric}: {found:?}");
    }
    let constant = Predictions { n_outputs: 1, values: vec![0.5; 40] };
    let found = of(Metric::RocAuc, &binary(), &targets, &constant).unwrap();
    assert!(found.band.unwrap().iter().all(|end| (end - 0.5).abs() < 1e-12), "{found:?}");
    let exact = Predictions { n_outputs: 1, values: targets.values.clone() };
    let found = of(Metric::Rmse, &Task::Regression, &targets, &exact).unwrap();
    assert_eq!((found.value, found.band), (0.0, None));
}

/// Draws rows of a task: probabilities that are true on the whole, or numbers with errors that grow with them.
fn draw(task: &Task, keyed: Keyed, n: usize) -> (Targets, Predictions) {
    let outputs = task.n_outputs();
    let (mut labels, mut values) = (Vec::new(), Vec::new());
    for i in 0..n as u64 {
        let u = |k: u64| keyed.child(k).uniform(i);
        let bell = |k: u64| (0..4).map(|j| u(k + j)).sum::<f64>() - 2.0;
        match task {
            Task::Regression => {
                let x = 20.0 + 5.0 * bell(0);
                values.push(x);
                labels.push(x + (1.0 + 0.1 * x) * bell(8));
            }
            Task::Binary { .. } => {
                let p = crate::numeric::sigmoid(2.0 * bell(0) - 1.0);
                values.push(crate::numeric::sigmoid(2.0 * bell(0) - 0.8 + 0.5 * bell(8)));
                labels.push(f64::from(u8::from(u(20) < p)));
            }
            Task::Multiclass { .. } => {
                let mut scores: Vec<f64> =
                    (0..outputs as u64).map(|c| 2.0 * bell(30 + 4 * c) - 0.4 * c as f64).collect();
                crate::numeric::softmax(&mut scores);
                let (mut rest, mut label) = (u(20), 0);
                while label + 1 < outputs && rest >= scores[label] {
                    rest -= scores[label];
                    label += 1;
                }
                values.extend(scores);
                labels.push(label as f64);
            }
        }
    }
    (Targets::new(labels), Predictions { n_outputs: outputs, values })
}

/// Bands of 95% hold what 600,000 rows have in 92% to 97.5% of 1,000 draws of few rows. (Of 60 rows some 17 are
/// positive, for which the area under the curve has the widest.)
#[test]
fn bands_cover_what_they_promise() {
    const DRAWS: u64 = 1_000;
    let mut wrong = Vec::new();
    for (task, n) in
        [(binary(), 60), (binary(), 400), (classes(4), 400), (Task::Regression, 60), (Task::Regression, 400)]
    {
        let keyed = Keyed::new(7, Purpose::Example).child(n as u64);
        let (targets, predictions) = draw(&task, keyed.child(1_000_000), 600_000);
        let truth = scores_at(&task, &targets, &predictions, 0.5);
        let metrics = Metric::for_task(&task);
        let covers = |i: u64| -> Vec<Option<bool>> {
            let (targets, predictions) = draw(&task, keyed.child(i), n);
            let found = estimates(metrics, &task, &targets, &predictions, 0.5, 0.95);
            let holds = |(e, (_, t)): (Result<Estimate>, &(Metric, f64))| {
                let [low, high] = e.ok()?.band?;
                Some(low <= *t && *t <= high)
            };
            found.into_iter().zip(&truth).map(holds).collect()
        };
        let draws: Vec<Vec<Option<bool>>> = (0..DRAWS).map(covers).collect();
        for (m, metric) in metrics.iter().enumerate() {
            let made: Vec<bool> = draws.iter().filter_map(|d| d[m]).collect();
            let share = made.iter().filter(|c| **c).count() as f64 / made.len() as f64;
            if !(0.92..=0.975).contains(&share) || made.len() < 950 {
                wrong.push(format!("{} of {n} rows, {metric}: {share:.3} of {}", task.name(), made.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn weights_are_equal_rows_and_threads_change_no_bit() {
    for task in [binary(), classes(3), Task::Regression] {
        let (targets, predictions) = draw(&task, Keyed::new(3, Purpose::Example), 300);
        let weights: Vec<f64> = (0..300).map(|i| f64::from(i % 3)).collect();
        let rows: Vec<u32> = (0..300u32).flat_map(|i| std::iter::repeat_n(i, (i % 3) as usize)).collect();
        let weighted = Targets { values: targets.values.clone(), weights: Some(weights) };
        let metrics = Metric::for_task(&task);
        let a = estimates(metrics, &task, &weighted, &predictions, 0.5, 0.9);
        let b = estimates(metrics, &task, &targets.take(&rows), &predictions.take(&rows), 0.5, 0.9);
        for ((a, b), metric) in a.into_iter().zip(b).zip(metrics) {
            let (a, b) = (a.unwrap(), b.unwrap());
            let ([a0, a1], [b0, b1]) = (a.band.unwrap(), b.band.unwrap());
            let is_near = |x: f64, y: f64| (x - y).abs() < 1e-9 * (1.0 + y.abs());
            assert!(is_near(a.value, b.value) && is_near(a0, b0) && is_near(a1, b1), "{metric}: {a:?} {b:?}");
        }
        let (targets, predictions) = draw(&task, Keyed::new(4, Purpose::Example), 30_000);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| estimates(metrics, &task, &targets, &predictions, 0.5, 0.95))
        };
        assert_eq!(on(1), on(3));
    }
}
