//! Times a drift report of many rows: `cargo run --release --example drift_speed -- [ROWS] [COLUMNS]`.
#![expect(clippy::print_stdout, reason = "an example for the terminal")]

use std::time::Instant;

use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Category, Column, Field, Kind, Levels, Schema, Table, View};
use tabwright_monitor::drift::{Reference, Test, drift};
use tabwright_monitor::{DriftOptions, DriftReport};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse().expect("a whole number"));
    let rows = arguments.next().unwrap_or(1_000_000);
    let columns = arguments.next().unwrap_or(50);
    let [reference, current] = [1, 2].map(|seed| table(seed, rows, columns));
    for test in [None, Some(Test::KolmogorovSmirnov), Some(Test::JensenShannon)] {
        let options = DriftOptions { test, ..DriftOptions::default() };
        let times: Vec<f64> = (0..3)
            .map(|_| {
                let start = Instant::now();
                let report: DriftReport =
                    drift(Reference::Rows(View::all(&reference)), View::all(&current), &options).expect("a report");
                assert_eq!(report.columns.len(), columns);
                start.elapsed().as_secs_f64()
            })
            .collect();
        let name = test.map_or("by default", Test::name);
        println!("{name}: {times:.3?} s on {} threads", rayon::current_num_threads());
    }
}

/// Four of five columns are numbers, half of them with 15 digits, half with few; the others are categories.
fn table(seed: u64, rows: usize, columns: usize) -> Table {
    let make = |c: usize| {
        let keyed = Keyed::new(seed, Purpose::Example).child(c as u64);
        let u = |i: u64| keyed.uniform(i);
        let rows = rows as u64;
        let (kind, column) = match c % 5 {
            0 => {
                let levels = ["north", "east", "south", "west"].into_iter().collect::<Levels>();
                let codes = (0..rows).map(|i| (u(i) * 4.0) as u32).collect();
                (Kind::Categorical, Column::Category(Category { codes, levels: levels.into() }))
            }
            1 => (Kind::Integer, Column::Integer((0..rows).map(|i| (u(i) * 1e5) as i64).collect())),
            2 => (Kind::Float, Column::Float((0..rows).map(|i| (u(i) * 1e4).floor() / 100.0).collect())),
            _ => (Kind::Float, Column::Float((0..rows).map(|i| (u(i) + u(i + rows) - 1.0) * 3.0).collect())),
        };
        (Field::feature(format!("c{c}"), kind), column)
    };
    let (fields, columns) = (0..columns).map(make).unzip();
    Table::new(Schema::new(fields).expect("names that differ"), columns).expect("columns of one length")
}
