//! Tests of the summaries.

use super::*;
use crate::random::mix;
use crate::rows::BLOCK_ROWS;
use crate::{Block, Category, RowSet};

fn field(kind: Kind) -> Field {
    Field::feature("a", kind)
}

fn summary(kind: Kind, column: Column) -> ColumnSummary {
    let n = column.len();
    let block = Block::new(vec![column], n).unwrap();
    summarize(&field(kind), Rows::all(&block), 0)
}

fn floats(n: usize) -> Vec<f64> {
    (0..n).map(|i| (mix(i as u64) % 1_000_003) as f64 / 97.0 - 2_000.0).collect()
}

#[test]
fn figures_of_numbers_are_those_of_a_calculator() {
    let values = vec![3.0, -0.0, f64::NAN, 1.0, f64::INFINITY, 8.0, 0.0, f64::NAN];
    let s = summary(Kind::Float, Column::Float(values));
    let n = s.numbers.unwrap();
    assert_eq!((s.count, s.missing, s.distinct, s.distinct_exact), (8, 2, 5, true));
    assert_eq!((n.min, n.max, n.zeros, n.infinite, n.sampled), (0.0, 8.0, 2, 1, false));
    assert!((n.mean.unwrap() - 2.4).abs() < 1e-12 && (n.std.unwrap() - 9.04f64.sqrt()).abs() < 1e-12);
    // Sorted: 0 0 1 3 8.
    let at = |share: f64| n.quantiles.iter().find(|q| q.at == share).unwrap().value;
    assert_eq!((at(0.25), at(0.5), at(0.75)), (0.0, 1.0, 3.0));
    assert!((at(0.95) - 7.0).abs() < 1e-12);
    assert_eq!(n.histogram.counts.iter().sum::<u64>(), 5);
    assert!(s.categories.is_none() && s.text.is_none());
}

#[test]
fn whole_numbers_of_a_small_range_have_a_bin_each() {
    let s = summary(Kind::Integer, Column::Integer(vec![3, 5, 5, i64::MIN, 7, 3, 3]));
    let n = s.numbers.unwrap();
    assert_eq!((s.missing, s.distinct), (1, 3));
    assert_eq!(n.histogram.counts, [3, 0, 2, 0, 1]);
    assert_eq!(n.histogram.edges, [2.5, 3.5, 4.5, 5.5, 6.5, 7.5]);
    assert_eq!(sparkline(&n.histogram), "█▁▆▁▄");
}

#[test]
fn a_histogram_counts_every_value_once() {
    for values in [floats(10_000), vec![4.5; 7], vec![-1e308, 1e308], vec![1.0, 1.0 + f64::EPSILON]] {
        let n = values.len();
        let h = summary(Kind::Float, Column::Float(values.clone())).numbers.unwrap().histogram;
        assert_eq!(h.counts.iter().sum::<u64>(), n as u64);
        assert!(h.edges.is_sorted() && h.edges.len() == h.counts.len() + 1 && h.edges.iter().all(|e| e.is_finite()));
        assert!(h.counts.len() <= 30);
        for (i, &count) in h.counts.iter().enumerate() {
            let last = i + 1 == h.counts.len();
            let inside = |v: &&f64| **v >= h.edges[i] && (**v < h.edges[i + 1] || last);
            assert_eq!(values.iter().filter(inside).count() as u64, count, "{h:?}");
        }
    }
}

#[test]
fn numbers_beyond_f64_leave_the_mean_out_and_the_summary_whole() {
    let s = summary(Kind::Float, Column::Float(vec![1.7e308, 1.7e308, -1.7e308]));
    let json = serde_json::to_string(&s).unwrap();
    assert_eq!(serde_json::from_str::<ColumnSummary>(&json).unwrap(), s, "{json}");
    assert_eq!(s.numbers.unwrap().std, None);
    let none = summary(Kind::Float, Column::Float(vec![f64::NAN, f64::INFINITY]));
    assert_eq!((none.missing, none.distinct, none.numbers), (1, 1, None));
    let empty = summary(Kind::Timestamp, Column::Timestamp(vec![]));
    assert_eq!((empty.count, empty.distinct, empty.numbers), (0, 0, None));
}

#[test]
fn the_most_frequent_levels_come_first_and_unused_ones_not_at_all() {
    let strings = ["b", "a", "c", "a", "b", "d"].map(Some).into_iter().chain([None]);
    let column = Column::Category(Category::from_strings(strings));
    let block = Block::new(vec![column], 7).unwrap();
    let s = summarize(&field(Kind::Categorical), Rows::new(&block, RowSet::List(&[0, 1, 2, 3, 4, 6])), 0);
    let top: Vec<(&str, u64)> =
        s.categories.as_ref().unwrap().top.iter().map(|t| (t.value.as_str(), t.count)).collect();
    assert_eq!(top, [("a", 2), ("b", 2), ("c", 1)]);
    assert_eq!((s.count, s.missing, s.distinct), (6, 1, 3));
}

#[test]
fn no_row_can_be_read_from_the_summary_of_names_and_texts() {
    let ids = (0..100).map(|i| Some(if i < 3 { "twice".into() } else { format!("id{i}") }));
    let s = summary(Kind::Categorical, Column::Category(Category::from_strings(ids)));
    let categories = s.categories.unwrap();
    assert_eq!((categories.levels, categories.top.len(), s.distinct), (98, 1, 98));
    let texts = ["one two three", "ein Wort", "ein Wort"].map(Some);
    let s = summary(Kind::Text, Column::Category(Category::from_strings(texts)));
    assert!(s.categories.unwrap().top.is_empty());
    let text = s.text.unwrap();
    assert!((text.mean_words - 7.0 / 3.0).abs() < 1e-12 && text.longest == 13);
}

#[test]
fn merged_parts_are_the_whole_to_the_last_bit() {
    let n = 450_000;
    let rows = |range: std::ops::Range<usize>, values: &[f64]| {
        Block::new(vec![Column::Float(values[range.clone()].to_vec())], range.len()).unwrap()
    };
    let values = floats(n);
    let all = rows(0..n, &values);
    let whole = summarize(&field(Kind::Float), Rows::all(&all), 0);
    for part in [8 * BLOCK_ROWS, 23 * BLOCK_ROWS] {
        let mut merged: Option<Summarizer> = None;
        for start in (0..n).step_by(part) {
            let block = rows(start..(start + part).min(n), &values);
            let mut next = Summarizer::new(&field(Kind::Float), start as u64);
            next.update(Rows::all(&block), 0);
            match &mut merged {
                None => merged = Some(next),
                Some(m) => m.merge(next),
            }
        }
        assert_eq!(merged.unwrap().finish(), whole);
    }
    let mut streamed = Summarizer::new(&field(Kind::Float), 0);
    for start in (0..n).step_by(BLOCK_ROWS) {
        streamed.update(Rows::all(&all).slice(start..(start + BLOCK_ROWS).min(n)), 0);
    }
    assert_eq!(streamed.finish(), whole);
}

#[test]
fn beyond_the_bound_quantiles_and_distinct_values_are_near() {
    let n = 1_000_000;
    let column = Column::Float((0..n).map(|i| (mix(i as u64) % 10_000_000) as f64).collect());
    let truth = {
        let Column::Float(v) = &column else { unreachable!() };
        let mut v = v.clone();
        v.sort_unstable_by(f64::total_cmp);
        let quantiles: Vec<f64> = QUANTILES.iter().map(|q| v[(q * n as f64) as usize]).collect();
        v.dedup();
        (quantiles, v.len() as f64)
    };
    let s = summary(Kind::Float, column);
    let numbers = s.numbers.unwrap();
    assert!(numbers.sampled && !s.distinct_exact);
    assert!((s.distinct as f64 / truth.1 - 1.0).abs() < 0.01, "{} of {}", s.distinct, truth.1);
    for (found, expected) in numbers.quantiles.iter().zip(truth.0) {
        assert!((found.value - expected).abs() < 0.005 * 1e7, "{found:?} {expected}");
    }
    let few = summary(Kind::Integer, Column::Integer((0..n).map(|i| (mix(i as u64) % 5_000) as i64).collect()));
    assert_eq!((few.distinct, few.distinct_exact), (5_000, true));
}

#[test]
fn levels_of_several_dictionaries_are_counted_by_their_strings() {
    let block = |strings: &[&str]| {
        let column = Column::Category(Category::from_strings(strings.iter().map(|s| Some(*s))));
        Block::new(vec![column], strings.len()).unwrap()
    };
    let (a, b) = (block(&["x", "y", "x"]), block(&["z", "y"]));
    let mut s = Summarizer::new(&field(Kind::Categorical), 0);
    s.update(Rows::all(&a), 0);
    s.update(Rows::all(&b), 0);
    assert_eq!(s.finish(), summary(Kind::Categorical, block(&["x", "y", "x", "z", "y"]).into_columns().remove(0)));
}

#[test]
fn every_column_of_a_view_is_summarised_alike_on_any_number_of_threads() {
    let schema = crate::Schema::new(vec![field(Kind::Float), Field::feature("b", Kind::Categorical)]).unwrap();
    let words = Category::from_strings((0..50_000).map(|i| Some(format!("w{}", mix(i) % 300))));
    let table = crate::Table::new(schema, vec![Column::Float(floats(50_000)), Column::Category(words)]).unwrap();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| summarize_view(View::all(&table)))
    };
    let one = on(1);
    assert_eq!(one, on(3));
    assert_eq!(one[1].categories.as_ref().unwrap().top.len(), 20);
    assert_eq!(one[1].name, "b");
}
