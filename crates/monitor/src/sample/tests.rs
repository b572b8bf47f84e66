//! Samples: their order, and what a walk through two of them finds.

use super::*;
use tabwright_core::random::{Keyed, Purpose};

fn numbers(seed: u64, n: usize, of: impl Fn(f64) -> f64) -> Vec<f64> {
    let keyed = Keyed::new(seed, Purpose::Example);
    (0..n as u64).map(|i| of(keyed.uniform(i))).collect()
}

#[test]
fn a_sample_has_the_order_of_its_numbers() {
    for n in [0, 1, 2, 511, 512, 5_000, 32_768, 200_000] {
        for of in [
            |u: f64| u - 0.5,
            |u: f64| (u * 7.0).floor(),
            |u: f64| 1e300 * (u - 0.5),
            |u: f64| 1e-310 * u,
            |u: f64| 1.7e15 + (u * 1e6).floor(),
        ] {
            let values = numbers(n as u64, n, of);
            let mut expected = values.clone();
            expected.sort_by(f64::total_cmp);
            let sorted = Sample::new(values);
            assert!(sorted.all().iter().eq(expected), "{n}");
        }
    }
}

#[test]
fn missing_and_infinite_numbers_are_kept_apart() {
    let sample = Sample::new([f64::INFINITY, -0.0, f64::NAN, 0.0, f64::NEG_INFINITY, -f64::NAN, -3.0, f64::MAX]);
    assert_eq!(sample.missing(), 2);
    assert_eq!(sample.all().len(), 6);
    assert_eq!(sample.finite().iter().collect::<Vec<_>>(), [-3.0, 0.0, 0.0, f64::MAX]);
    assert_eq!(sample.finite().distinct_up_to(10), 3);
    assert_eq!(sample.all().below(0.0), 2);
}

#[test]
fn a_sample_begins_anew_on_the_memory_of_another() {
    let mut sample = Sample::new(numbers(1, 5_000, |u| u));
    sample.fill_from(&Column::Integer(vec![3, i64::MIN, 1, 2]), RowSet::List(&[0, 1, 2]));
    assert_eq!((sample.all().iter().collect::<Vec<_>>(), sample.missing()), (vec![1.0, 3.0], 1));
}

/// Shares at or below each number, counted anew at every place.
fn counted(a: &[f64], b: &[f64]) -> (f64, f64, usize) {
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    let share = |v: &[f64], x: f64| v.iter().filter(|y| **y <= x).count() as f64 / v.len() as f64;
    let apart: Vec<f64> = all.iter().map(|&x| (share(a, x) - share(b, x)).abs()).collect();
    let area = all.windows(2).zip(&apart).map(|(w, d)| (w[1] - w[0]) * d).sum();
    (apart.iter().copied().fold(0.0, |m, d| if d > m { d } else { m }), area, all.len())
}

#[test]
fn a_walk_finds_what_counting_at_every_place_finds() {
    for (n, m) in [(1, 1), (1, 7), (30, 40), (500, 333), (1500, 1500)] {
        for of in [|u: f64| u, |u: f64| (u * 4.0).floor(), |_| 2.0] {
            let (a, b) = (numbers(1, n, of), numbers(2, m, |u| of(u) + if u > 0.7 { 1.0 } else { 0.0 }));
            let walk = Walk::new(Sample::new(a.clone()).all(), Sample::new(b.clone()).all());
            let (largest, area, distinct) = counted(&a, &b);
            assert!((walk.difference as f64 / (n * m) as f64 - largest).abs() < 1e-12, "{n} {m}");
            assert!((walk.area - area).abs() < 1e-12 && walk.distinct == distinct, "{n} {m}: {walk:?} {area}");
        }
    }
}

#[test]
fn the_deviation_of_far_away_numbers_is_exact() {
    let sample = Sample::new((0..10_000).map(|i| 1e9 + f64::from(i % 2)));
    assert_eq!(sample.all().standard_deviation(), 0.5);
    assert!(Sample::new([]).all().standard_deviation().is_nan());
}
