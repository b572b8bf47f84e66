//! How often drift is found, with and without a shift: our side of `cargo xtask bench monitor`.
//!
//! Reads from stdin a JSON list of `{"reference": SIDE, "windows": [SIDE, …]}`, all windows of one size, and prints a list of
//! `{"default": [bool, …], "auto": […], "ks": […]}`: whether each window drifts. A side is what the golden test draws numbers from.
#![expect(clippy::print_stdout, reason = "a program of the comparisons speaks to its caller")]

#[path = "../tests/golden/draw.rs"]
mod draw;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tabwright_core::{Column, Field, Kind, Schema, Table, View};
use tabwright_monitor::DriftOptions;
use tabwright_monitor::drift::{ColumnDrift, Reference, Test, Threshold, drift};

use draw::{Side, draw};

#[derive(Debug, Deserialize)]
struct Cell {
    reference: Side,
    windows: Vec<Side>,
}

#[derive(Debug, Default, Serialize)]
struct Decisions {
    default: Vec<bool>,
    auto: Vec<bool>,
    ks: Vec<bool>,
}

fn main() {
    let cells: Vec<Cell> = serde_json::from_reader(std::io::stdin().lock()).expect("a list of references and windows");
    let decisions: Vec<Decisions> = cells.par_iter().map(decide).collect();
    println!("{}", serde_json::to_string(&decisions).expect("a list of decisions"));
}

fn decide(cell: &Cell) -> Decisions {
    let reference = table(&cell.reference);
    let judge = |window: &Table, test, threshold| -> ColumnDrift {
        let options = DriftOptions { test, threshold, ..DriftOptions::default() };
        drift(Reference::Rows(View::all(&reference)), View::all(window), &options).expect("a report").columns.remove(0)
    };
    let mut decisions = Decisions::default();
    // The threshold depends on the reference and the size of the window alone, and is calibrated once.
    let mut calibrated = Threshold::Auto;
    for window in cell.windows.iter().map(table) {
        let auto = judge(&window, None, calibrated);
        calibrated = auto.threshold.map_or(Threshold::Auto, Threshold::Fixed);
        decisions.auto.push(auto.drift);
        decisions.default.push(judge(&window, None, Threshold::Usual).drift);
        decisions.ks.push(judge(&window, Some(Test::KolmogorovSmirnov), Threshold::Usual).drift);
    }
    decisions
}

fn table(side: &Side) -> Table {
    let schema = Schema::new(vec![Field::feature("x", Kind::Float)]).expect("one name");
    Table::new(schema, vec![Column::Float(draw(side, false))]).expect("one column")
}
