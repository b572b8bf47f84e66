//! The metrics against scikit-learn's, on the same predictions; `golden/metrics.py` makes the numbers.

use serde_json::Value;
use tabwright_core::metric::{self, Evaluation, Metric, Predictions};
use tabwright_core::{Targets, Task};

struct Case {
    name: String,
    task: Task,
    targets: Targets,
    predictions: Predictions,
    threshold: f64,
    expected: Value,
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn cases() -> Vec<Case> {
    let document: Value = serde_json::from_str(include_str!("../golden/metrics.json")).unwrap();
    assert_eq!(document["scikit-learn"].as_str().unwrap().split('.').take(2).collect::<Vec<_>>(), ["1", "9"]);
    document["cases"].as_array().unwrap().iter().map(case).collect()
}

fn case(case: &Value) -> Case {
    let n_classes = case["n_classes"].as_u64().unwrap();
    let labels: Vec<String> = (0..n_classes).map(|c| c.to_string()).collect();
    let task = match case["task"].as_str().unwrap() {
        "binary" => Task::Binary { labels: ["0".into(), "1".into()] },
        "multiclass" => Task::Multiclass { labels },
        _ => Task::Regression,
    };
    Case {
        name: case["name"].as_str().unwrap().to_owned(),
        targets: Targets {
            values: numbers(&case["targets"]),
            weights: (!case["weights"].is_null()).then(|| numbers(&case["weights"])),
        },
        predictions: Predictions { n_outputs: task.n_outputs(), values: numbers(&case["predictions"]) },
        threshold: case["threshold"].as_f64().unwrap(),
        expected: case.clone(),
        task,
    }
}

#[track_caller]
fn assert_near(found: f64, expected: f64, what: &str) {
    let scale = if expected.abs() > 1.0 { expected.abs() } else { 1.0 };
    assert!((found - expected).abs() <= 1e-9 * scale, "{what}: {found} instead of {expected}");
}

#[test]
fn every_metric_agrees_with_scikit_learn() {
    let mut compared = 0;
    for case in cases() {
        let scores = metric::scores_at(&case.task, &case.targets, &case.predictions, case.threshold);
        let expected = case.expected["scores"].as_object().unwrap();
        assert_eq!(scores.len(), expected.len(), "{}", case.name);
        for (metric, found) in scores {
            let what = format!("{} of {:?}", metric, case.name);
            match expected[metric.name()].as_f64() {
                Some(value) => assert_near(found, value, &what),
                None => assert!(found.is_nan(), "{what}: {found} should be undefined"),
            }
            let alone = metric::score(metric, &case.task, &case.targets, &case.predictions, case.threshold);
            assert_eq!(alone.to_bits(), found.to_bits(), "{what}: alone and with the others");
            compared += 1;
        }
    }
    assert!(compared > 250, "{compared}");
}

fn evaluate(case: &Case) -> Evaluation {
    metric::evaluate(&case.task, &case.targets, &case.predictions, case.threshold, true)
}

#[test]
fn the_confusion_matrix_agrees_with_scikit_learn() {
    for case in cases() {
        let found = evaluate(&case).confusion;
        let expected: Vec<Vec<f64>> = case.expected["confusion"].as_array().unwrap().iter().map(numbers).collect();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert_near(*found, *expected, &case.name);
        }
    }
}

#[test]
fn the_curves_agree_with_scikit_learn() {
    let mut compared = 0;
    for case in cases().into_iter().filter(|case| !case.expected["curves"].is_null()) {
        let expected = |key: &str| numbers(&case.expected["curves"][key]);
        let curves = evaluate(&case).curves.remove(0);
        let columns = |f: fn(&metric::PrecisionRecallPoint) -> f64| curves.precision_recall.iter().map(f).collect();
        let same = |found: Vec<f64>, key: &str| {
            let expected = expected(key);
            assert_eq!(found.len(), expected.len(), "{key} of {}", case.name);
            found.iter().zip(&expected).for_each(|(f, e)| assert_near(*f, *e, key));
        };
        same(columns(|p| p.threshold), "thresholds");
        same(columns(|p| p.precision), "precision");
        same(columns(|p| p.recall), "recall");
        same(curves.reliability.iter().map(|b| b.predicted).collect(), "predicted");
        same(curves.reliability.iter().map(|b| b.observed).collect(), "observed");
        let all: Vec<(f64, f64)> = expected("fpr").into_iter().zip(expected("tpr")).collect();
        for point in &curves.roc {
            let (x, y) = (point.false_positive_rate, point.true_positive_rate);
            assert!(all.iter().any(|(fpr, tpr)| (fpr - x).abs() < 1e-12 && (tpr - y).abs() < 1e-12), "({x}, {y})");
        }
        let area = curves.roc.windows(2).fold(0.0, |area, w| {
            area + (w[1].false_positive_rate - w[0].false_positive_rate)
                * (w[1].true_positive_rate + w[0].true_positive_rate)
                / 2.0
        });
        assert_near(area, case.expected["scores"]["roc_auc"].as_f64().unwrap(), "area under the thinned curve");
        compared += 1;
    }
    assert_eq!(compared, 2);
}

#[test]
fn every_metric_of_every_task_is_in_the_golden_file() {
    let cases = cases();
    for metric in Metric::ALL {
        let measured = cases.iter().any(|c| c.expected["scores"].get(metric.name()).is_some_and(|v| !v.is_null()));
        assert!(measured, "{metric}");
    }
}
