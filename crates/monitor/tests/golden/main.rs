//! Golden pairs: 300 pairs of samples, and what SciPy and Evidently say of them. `make.py` beside this file made them; both draw
//! the same numbers from the same short specifications.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod draw;

use rayon::prelude::*;
use serde::Deserialize;
use tabwright_core::{Category, Column, Field, Kind, Schema, Table, View};
use tabwright_monitor::drift::{Reference, Test, drift};
use tabwright_monitor::sample::Sample;
use tabwright_monitor::test::{Binned, distance, ks};
use tabwright_monitor::{DriftOptions, DriftReport};

use draw::{Side, draw};

#[derive(Debug, Deserialize)]
struct Pair {
    reference: Side,
    current: Side,
    whole: bool,
    levels: bool,
    expected: Expected,
}

#[derive(Debug, Deserialize)]
struct Expected {
    n: [u64; 2],
    ks: [f64; 2],
    /// None where SciPy's is NaN: for one number against one.
    ks_asymptotic: Option<f64>,
    wasserstein: f64,
    /// None where it is the root of what rounding made negative.
    jensenshannon: Option<f64>,
    psi: f64,
    hellinger: f64,
    chisquare: Option<f64>,
    homogeneity: Option<f64>,
    /// Evidently's default test, its score, and whether it finds drift.
    default: (String, f64, bool),
}

/// A table of one column, as the pair says what it holds.
fn table(pair: &Pair, numbers: &[f64]) -> Table {
    let present = |x: &f64| (!x.is_nan()).then_some(*x);
    let (kind, column) = if pair.levels {
        let levels = numbers.iter().map(|x| present(x).map(|x| format!("l{x}")));
        (Kind::Categorical, Column::Category(Category::from_strings(levels)))
    } else if pair.whole {
        let whole = numbers.iter().map(|x| present(x).map_or(i64::MIN, |x| x as i64));
        (Kind::Integer, Column::Integer(whole.collect()))
    } else {
        (Kind::Float, Column::Float(numbers.to_vec()))
    };
    Table::new(Schema::new(vec![Field::feature("x", kind)]).unwrap(), vec![column]).unwrap()
}

fn compare(tables: &[Table; 2], test: Option<Test>) -> DriftReport {
    let options = DriftOptions { test, ..DriftOptions::default() };
    drift(Reference::Rows(View::all(&tables[0])), View::all(&tables[1]), &options).unwrap()
}

fn is_near(found: f64, expected: f64, allowed: f64) -> bool {
    (found - expected).abs() <= allowed * if expected.abs() > 1.0 { expected.abs() } else { 1.0 }
}

/// Distances that are roots of a sum: near 0, the root makes 10⁻⁸ of a rounding error of 10⁻¹⁶.
fn is_near_root(found: f64, expected: f64) -> bool {
    is_near(found, expected, 1e-12) || is_near(found * found, expected * expected, 1e-15)
}

fn check(pair: &Pair) -> Vec<String> {
    let numbers = [&pair.reference, &pair.current].map(|side| draw(side, pair.whole));
    let samples = numbers.clone().map(Sample::new);
    let [a, b] = [samples[0].all(), samples[1].all()];
    let expected = &pair.expected;
    let mut wrong = Vec::new();
    let mut require = |what: &str, is_right: bool, found: f64, expected: f64| {
        if !is_right {
            wrong.push(format!("{what}: {found:?}, not {expected:?}"));
        }
    };
    assert_eq!([a.len() as u64, b.len() as u64], expected.n, "the numbers are not those of the script");
    let found = ks::two_sample(a, b, ks::Method::Auto);
    require("ks", is_near(found.statistic, expected.ks[0], 1e-12), found.statistic, expected.ks[0]);
    let allowed = if a.len().max(b.len()) <= 10_000 { 1e-9 } else { 1e-6 };
    require("ks p", is_near(found.p_value, expected.ks[1], allowed), found.p_value, expected.ks[1]);
    let p = ks::two_sample(a, b, ks::Method::Asymptotic).p_value;
    let expected_p = expected.ks_asymptotic.unwrap_or(1.0);
    require("ks asymptotic p", is_near(p, expected_p, 1e-6), p, expected_p);
    let found = distance::wasserstein(a, b);
    require("wasserstein", is_near(found, expected.wasserstein, 1e-12), found, expected.wasserstein);
    let tables = numbers.map(|numbers| table(pair, &numbers));
    let measured = |test: Test| {
        let column = compare(&tables, Some(test)).columns.remove(0);
        assert_eq!(column.test, Some(test));
        (column.statistic.unwrap_or(f64::INFINITY), column.p_value)
    };
    let found = measured(Test::JensenShannon).0;
    let expected_root = expected.jensenshannon.unwrap_or(0.0);
    require("jensenshannon", is_near_root(found, expected_root), found, expected_root);
    let found = measured(Test::PopulationStability).0;
    require("psi", is_near(found, expected.psi, 1e-12), found, expected.psi);
    let found = measured(Test::Hellinger).0;
    require("hellinger", is_near_root(found, expected.hellinger), found, expected.hellinger);
    for (test, p) in [(Test::ChiSquare, expected.chisquare), (Test::Homogeneity, expected.homogeneity)] {
        if let Some(p) = p {
            let found = measured(test).1.unwrap();
            require(test.name(), is_near(found, p, 1e-9), found, p);
        }
    }
    let report = compare(&tables, None);
    let column = &report.columns[0];
    let (test, score, decision) = &expected.default;
    assert_eq!(column.test.unwrap().name(), test, "{pair:?}");
    let found = column.p_value.or(column.statistic).unwrap();
    let is_right = if column.p_value.is_some() { is_near(found, *score, 1e-9) } else { is_near_root(found, *score) };
    require("default", is_right, found, *score);
    if column.drift != *decision {
        wrong.push(format!("the decision is {}, not {decision}", column.drift));
    }
    wrong
}

fn check_all(pairs: &[Pair]) {
    let wrong: Vec<String> = pairs
        .par_iter()
        .enumerate()
        .flat_map_iter(|(i, pair)| check(pair).into_iter().map(move |w| format!("pair {i}: {w} ({pair:?})")))
        .collect();
    assert!(wrong.is_empty(), "{} differ in {} pairs:\n{}", wrong.len(), pairs.len(), wrong.join("\n"));
}

#[test]
fn pairs_have_the_statistics_p_values_and_decisions_of_scipy_and_evidently() {
    let pairs: Vec<Pair> = serde_json::from_str(include_str!("pairs.json")).unwrap();
    assert_eq!(pairs.len(), 300);
    check_all(&pairs);
}

/// The same for the pairs of a file, which `make.py --pairs` made.
#[test]
#[ignore = "takes long; `cargo xtask soak monitor` makes the file that TABWRIGHT_GOLDEN_PAIRS names"]
fn pairs_of_a_file_agree_with_scipy_and_evidently() {
    let path = std::env::var("TABWRIGHT_GOLDEN_PAIRS").expect("TABWRIGHT_GOLDEN_PAIRS names a file");
    let pairs: Vec<Pair> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(!pairs.is_empty());
    check_all(&pairs);
}

#[test]
fn bins_are_those_of_numpy_where_a_value_lies_at_an_edge() {
    // np.histogram of [0, 1, …, 63] with the edges of "sturges" over 64 + 64 numbers: eight bins of 7.875.
    let numbers = Sample::new((0..64).map(f64::from));
    let binned = Binned::new(numbers.all(), numbers.all(), false);
    assert_eq!(binned.reference, [8; 8]);
}
