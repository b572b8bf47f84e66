//! Rows parted into windows and slices, labels that are late, and what is not judged.

use super::*;
use tabwright_core::metric::scores;
use tabwright_core::random::{Keyed, Purpose};

const DAY: i64 = 86_400_000_000;

fn binary() -> Task {
    Task::Binary { labels: ["no".into(), "yes".into()] }
}

/// Rows of a binary task over some days, of which the last ones have few labels.
struct Log {
    task: Task,
    predictions: Predictions,
    labels: Vec<f64>,
    times: Vec<i64>,
}

impl Log {
    fn new(rows: usize, days: usize) -> Self {
        let keyed = Keyed::new(5, Purpose::Example);
        let p: Vec<f64> = (0..rows as u64).map(|i| keyed.uniform(i)).collect();
        let day = |i: usize| i * days / rows;
        let label = |i: usize| {
            let is_late = keyed.child(1).uniform(i as u64) < day(i) as f64 / days as f64;
            if is_late { f64::NAN } else { f64::from(u8::from(keyed.child(2).uniform(i as u64) < p[i])) }
        };
        let labels = (0..rows).map(label).collect();
        let times = (0..rows).map(|i| (i as i64 * days as i64 * (DAY / 1000)) / rows as i64 * 1000).collect();
        Log { task: binary(), predictions: Predictions { n_outputs: 1, values: p }, labels, times }
    }

    fn answered(&self) -> Answered<'_> {
        Answered { task: &self.task, predictions: &self.predictions, labels: &self.labels, times: Some(&self.times) }
    }
}

fn by_day() -> PerformanceOptions {
    PerformanceOptions { window: Some(DAY), ..PerformanceOptions::default() }
}

#[test]
fn windows_and_slices_have_the_metrics_and_the_maturity_of_their_rows() {
    let log = Log::new(4_000, 4);
    let regions: Vec<Option<&str>> =
        (0..4_000).map(|i| [Some("north"), Some("south"), Some("south"), None][i % 4]).collect();
    let slices = Slice::by_level("region", &Category::from_strings(regions), 5);
    let names: Vec<&str> = slices.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["region = south", "region = north"]);
    let report = performance(&log.answered(), &slices, &by_day()).unwrap();
    assert_eq!((report.windows.len(), report.slices.len(), report.whole.rows), (4, 2, 4_000));
    let shares: Vec<f64> = report.windows.iter().map(|w| w.performance.maturity.unwrap()).collect();
    assert!(shares[0] == 1.0 && shares.windows(2).all(|w| w[0] > w[1] + 0.1), "{shares:?}");
    assert_eq!(report.windows[2].from, 2 * DAY);
    let rows: Vec<u32> = (2_000..3_000u32).filter(|&r| !log.labels[r as usize].is_nan()).collect();
    let third = &report.windows[2].performance;
    assert_eq!((third.rows, third.labelled), (1_000, rows.len() as u64));
    let targets = Targets::new(rows.iter().map(|&r| log.labels[r as usize]).collect());
    for (found, (metric, value)) in third.metrics.iter().zip(scores(&log.task, &targets, &log.predictions.take(&rows)))
    {
        assert_eq!((found.metric, found.value), (metric, Some(value)));
        assert!(found.low.unwrap() < value && value < found.high.unwrap(), "{found:?}");
    }
    assert_eq!((report.slices[0].performance.rows, report.slices[1].performance.rows), (2_000, 1_000));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["windows"][3]["rows"], &json["slices"][0]["slice"]), (&1_000.into(), &"region = south".into()));
    assert_eq!(json["whole"]["metrics"][0]["metric"], "roc_auc");
}

#[test]
fn few_labels_and_one_class_have_reasons_and_no_numbers() {
    let mut log = Log::new(400, 4);
    log.labels.fill(f64::NAN);
    let report = performance(&log.answered(), &[], &by_day()).unwrap();
    let reasons = |p: &Performance| p.metrics.iter().map(|m| m.reason.clone().unwrap_or_default()).collect::<Vec<_>>();
    assert!(reasons(&report.whole).iter().all(|r| r == "no row has a label yet"), "{report:?}");
    assert_eq!(report.whole.maturity, Some(0.0));
    log.labels[..29].fill(1.0);
    log.labels[100..140].fill(1.0);
    let report = performance(&log.answered(), &[], &by_day()).unwrap();
    assert!(reasons(&report.windows[0].performance).iter().all(|r| r == "29 rows have a label, 30 are needed"));
    let second = &report.windows[1].performance;
    assert_eq!((second.metrics[0].value, second.metrics[0].low), (None, None));
    assert_eq!(second.metrics[0].reason.as_deref(), Some("all labels are of one class"));
    assert!(second.metrics.iter().any(|m| m.metric == Metric::Recall && m.value.is_some()));
    let none = Answered { labels: &[], times: Some(&[]), predictions: &Predictions::default(), ..log.answered() };
    let report = performance(&none, &[], &by_day()).unwrap();
    assert_eq!((report.whole.rows, report.whole.maturity, report.windows.len()), (0, None, 0));
}

#[test]
fn labels_that_are_none_and_answers_that_are_no_numbers_are_counted_and_left() {
    let mut log = Log::new(400, 1);
    log.labels.fill(0.0);
    log.labels[..200].fill(1.0);
    log.labels[3..6].copy_from_slice(&[2.0, 0.5, f64::INFINITY]);
    log.predictions.values[7] = f64::NAN;
    let report = performance(&log.answered(), &[], &PerformanceOptions::default()).unwrap();
    assert_eq!((report.whole.labelled, report.whole.unusable), (400, 4));
    assert!(report.whole.metrics.iter().all(|m| m.value.is_some()), "{report:?}");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let log = Log::new(20_002, 1);
    let refused = |answered: &Answered<'_>, options: &PerformanceOptions| {
        performance(answered, &[], options).unwrap_err().to_string()
    };
    let options = |window| PerformanceOptions { window: Some(window), ..PerformanceOptions::default() };
    assert!(refused(&log.answered(), &options(0)).contains("window = 0"));
    assert!(refused(&log.answered(), &options(1)).contains("at most 10000 windows"));
    assert!(refused(&Answered { times: None, ..log.answered() }, &by_day()).contains("without times"));
    assert!(refused(&Answered { labels: &[0.0], ..log.answered() }, &by_day()).contains("labels = 1"));
    let of = |metric| PerformanceOptions { metrics: Some(vec![metric]), ..PerformanceOptions::default() };
    assert!(refused(&log.answered(), &of(Metric::Rmse)).contains("not defined for a binary task"));
    let level = PerformanceOptions { level: 1.0, ..PerformanceOptions::default() };
    assert!(refused(&log.answered(), &level).contains("between 0 and 1"));
    // Clocks that jump make windows far away, and no more of them.
    let mut jumped = Log::new(400, 1);
    jumped.times[0] = i64::MIN;
    jumped.times[1] = i64::MAX;
    assert_eq!(performance(&jumped.answered(), &[], &by_day()).unwrap().windows.len(), 3);
}

#[test]
fn a_report_is_the_same_on_any_number_of_threads() {
    let log = Log::new(30_000, 3);
    let report = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        serde_json::to_string(&pool.install(|| performance(&log.answered(), &[], &by_day()).unwrap())).unwrap()
    };
    let first = report(1);
    assert!([2, 5].into_iter().all(|threads| report(threads) == first));
}
