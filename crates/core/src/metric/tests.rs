//! Tests of the metrics beside the golden ones.

use super::*;

fn binary() -> Task {
    Task::Binary { labels: ["no".into(), "yes".into()] }
}

fn multiclass(n: usize) -> Task {
    Task::Multiclass { labels: (0..n).map(|i| format!("c{i}")).collect() }
}

#[test]
fn names_and_aliases_are_read_in_any_case() {
    for metric in Metric::ALL {
        assert_eq!(metric.name().parse::<Metric>().unwrap(), *metric);
        for alias in metric.aliases() {
            assert_eq!(alias.to_uppercase().parse::<Metric>().unwrap(), *metric, "{alias}");
        }
        assert_eq!(serde_json::to_string(metric).unwrap(), format!("\"{}\"", metric.name()));
    }
    assert_eq!("neg_root_mean_squared_error".parse::<Metric>().unwrap(), Metric::Rmse);
    assert_eq!("matthews_corrcoef".parse::<Metric>().unwrap(), Metric::Mcc);
    let error = "rocauk".parse::<Metric>().unwrap_err().to_string();
    assert!(error.contains("did you mean `roc_auc`?") || error.contains("did you mean `rocauc`?"), "{error}");
}

#[test]
fn no_name_means_two_metrics() {
    let mut names: Vec<&str> =
        Metric::ALL.iter().flat_map(|m| std::iter::once(m.name()).chain(m.aliases().iter().copied())).collect();
    let n = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), n);
}

#[test]
fn a_metric_of_another_task_is_refused_with_those_of_this_one() {
    let error = Metric::parse_for("f1_score", &multiclass(3)).unwrap_err().to_string();
    assert!(error.contains("`f1` is not defined for a multiclass task") && error.contains("f1_macro"), "{error}");
    assert_eq!(Metric::parse_for("f1_score", &binary()).unwrap(), Metric::F1);
    assert!(Metric::parse_for("rmse", &binary()).is_err());
}

#[test]
fn undefined_values_are_worse_than_all_others() {
    assert!(Metric::RocAuc.is_better(0.6, 0.5) && !Metric::RocAuc.is_better(0.5, 0.6));
    assert!(Metric::Rmse.is_better(0.5, 0.6) && !Metric::Rmse.is_better(0.6, 0.5));
    assert!(Metric::Rmse.is_better(9.0, f64::NAN) && !Metric::Rmse.is_better(f64::NAN, 9.0));
    assert!(!Metric::Rmse.is_better(f64::NAN, f64::NAN));
}

#[test]
fn no_rows_no_weight_and_no_number_are_undefined_and_written_as_null() {
    let task = binary();
    let none = scores(&task, &Targets::default(), &Predictions { n_outputs: 1, values: vec![] });
    let weightless = Targets { values: vec![0.0, 1.0], weights: Some(vec![0.0, 0.0]) };
    let p = Predictions { n_outputs: 1, values: vec![0.1, 0.9] };
    let not_a_number = Predictions { n_outputs: 1, values: vec![0.1, f64::NAN] };
    let lost = scores(&task, &Targets::new(vec![0.0, 1.0]), &not_a_number);
    for (metric, value) in none.into_iter().chain(scores(&task, &weightless, &p)).chain(lost) {
        assert!(value.is_nan(), "{metric}: {value}");
    }
    let one_class = evaluate(&task, &Targets::new(vec![1.0, 1.0]), &p, 0.5, true);
    let json = serde_json::to_value(&one_class).unwrap();
    assert!(json["scores"]["roc_auc"].is_null() && json["scores"]["accuracy"] == 0.5, "{json}");
}

#[test]
fn a_weight_of_two_is_two_rows_and_a_weight_of_zero_is_none() {
    let task = multiclass(3);
    let row = |i: usize| [0.2 + 0.05 * (i % 7) as f64, 0.3, 0.5 - 0.05 * (i % 7) as f64];
    let labels = [0.0, 1.0, 2.0, 0.0, 1.0, 0.0, 2.0, 2.0, 1.0];
    let weights: Vec<f64> = (0..9).map(|i| f64::from(i % 3)).collect();
    let weighted = Targets { values: labels.to_vec(), weights: Some(weights.clone()) };
    let p = Predictions { n_outputs: 3, values: (0..9).flat_map(row).collect() };
    let times = |i: usize| std::iter::repeat_n(i, weights[i] as usize);
    let copied = Targets::new((0..9).flat_map(times).map(|i| labels[i]).collect());
    let copied_p = Predictions { n_outputs: 3, values: (0..9).flat_map(times).flat_map(row).collect() };
    for ((metric, a), (_, b)) in scores(&task, &weighted, &p).into_iter().zip(scores(&task, &copied, &copied_p)) {
        assert!((a - b).abs() < 1e-12, "{metric}: {a} {b}");
    }
    let numbers = Targets { values: labels.to_vec(), weights: Some(weights.clone()) };
    let p = Predictions { n_outputs: 1, values: (0..9).map(|i| (i * i % 5) as f64).collect() };
    let copied_p = Predictions { n_outputs: 1, values: (0..9).flat_map(times).map(|i| p.values[i]).collect() };
    let task = Task::Regression;
    for ((metric, a), (_, b)) in scores(&task, &numbers, &p).into_iter().zip(scores(&task, &copied, &copied_p)) {
        assert!((a - b).abs() < 1e-12 * (1.0 + b.abs()), "{metric}: {a} {b}");
    }
}

#[test]
fn a_multiclass_label_is_the_first_of_the_most_probable() {
    let p = Predictions { n_outputs: 3, values: vec![0.2, 0.4, 0.4, 0.5, 0.0, 0.5] };
    assert_eq!((p.label(0, 0.5), p.label(1, 0.5), p.n_rows()), (1, 0, 2));
    let p = Predictions { n_outputs: 1, values: vec![0.5, 0.499] };
    assert_eq!((p.label(0, 0.5), p.label(1, 0.5)), (1, 0));
}

#[test]
fn curves_of_many_rows_are_thinned_and_keep_their_ends() {
    let n = 5_000;
    let targets = Targets::new((0..n).map(|i| f64::from(u8::from(i * 7919 % n > n / 3))).collect());
    let p = Predictions { n_outputs: 1, values: (0..n).map(|i| i as f64 / n as f64).collect() };
    let evaluation = evaluate(&binary(), &targets, &p, 0.5, true);
    let curves = &evaluation.curves[0];
    assert!(curves.roc.len() <= 1_000 && curves.precision_recall.len() == 1_000);
    let (first, last) = (curves.roc[0], curves.roc[curves.roc.len() - 1]);
    assert_eq!((first.false_positive_rate, first.true_positive_rate), (0.0, 0.0));
    assert_eq!((last.false_positive_rate, last.true_positive_rate), (1.0, 1.0));
    assert!(evaluate(&binary(), &targets, &p, 0.5, false).curves.is_empty());
}

#[test]
fn scores_have_the_same_bits_on_any_number_of_threads() {
    let n = 40_000;
    let hash = |i: usize| crate::random::mix(i as u64) >> 11;
    let targets = Targets {
        values: (0..n).map(|i| (hash(i) % 3) as f64).collect(),
        weights: Some((0..n).map(|i| hash(i + n) as f64 / 1e15).collect()),
    };
    let raw: Vec<f64> = (0..3 * n).map(|i| hash(i + 7) as f64 / (1u64 << 53) as f64 / 3.0).collect();
    let p = Predictions { n_outputs: 3, values: raw };
    let bits = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| scores(&multiclass(3), &targets, &p)).into_iter().map(|(_, v)| v.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(bits(1), bits(4));
}
