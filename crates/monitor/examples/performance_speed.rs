//! Times the quality with labels of many rows: `cargo run --release --example performance_speed -- [ROWS] [WINDOWS]`.
#![expect(clippy::print_stdout, reason = "an example for the terminal")]

use std::time::Instant;

use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Metric, Predictions, Task};
use tabwright_monitor::performance::{Answered, PerformanceOptions, performance};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse().expect("a whole number"));
    let rows: usize = arguments.next().unwrap_or(1_000_000);
    let windows: usize = arguments.next().unwrap_or(30);
    let keyed = Keyed::new(1, Purpose::Example);
    let times: Vec<i64> = (0..rows).map(|i| i as i64).collect();
    let window = Some(rows.div_ceil(windows).max(1) as i64);
    let options = PerformanceOptions { window, ..PerformanceOptions::default() };
    let labels = |n: usize| (0..n).map(|i| format!("c{i}")).collect();
    let tasks = [
        Task::Binary { labels: ["no".into(), "yes".into()] },
        Task::Multiclass { labels: labels(5) },
        Task::Regression,
    ];
    for task in tasks {
        let outputs = task.n_outputs();
        let mut values: Vec<f64> = (0..(rows * outputs) as u64).map(|i| keyed.uniform(i)).collect();
        if outputs > 1 {
            for row in values.chunks_mut(outputs) {
                let sum: f64 = row.iter().sum();
                row.iter_mut().for_each(|p| *p /= sum);
            }
        }
        let predictions = Predictions { n_outputs: outputs, values };
        let label = |row: usize| {
            let (u, p) = (keyed.child(1).uniform(row as u64), predictions.row(row));
            match &task {
                Task::Binary { .. } => f64::from(u8::from(u < p[0])),
                Task::Multiclass { .. } => ((u * p.len() as f64) as usize) as f64,
                Task::Regression => p[0] + u - 0.5,
            }
        };
        let labels: Vec<f64> = (0..rows).map(label).collect();
        let answered = Answered { task: &task, predictions: &predictions, labels: &labels, times: Some(&times) };
        let seconds: Vec<f64> = (0..3)
            .map(|_| {
                let start = Instant::now();
                let report = performance(&answered, &[], &options).expect("a report");
                assert_eq!(report.windows.len(), windows);
                start.elapsed().as_secs_f64()
            })
            .collect();
        let (metrics, threads) = (Metric::for_task(&task).len(), rayon::current_num_threads());
        println!("{}, {metrics} metrics: {seconds:.3?} s on {threads} threads", task.name());
    }
}
