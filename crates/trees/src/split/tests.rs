//! Tests of split finding against plain search.

use proptest::prelude::*;
use tabwright_model::{FeatureColumn, Features};

use super::*;
use crate::binning::{Binner, MOST_LEVELS};
use crate::fixtures::rounded;
use crate::gradient::{GradientPair, Kind};
use crate::histogram::NodeRows;

fn params() -> SplitParams {
    SplitParams {
        reg_lambda: 0.5,
        reg_alpha: 0.0,
        gamma: 0.0,
        min_child_samples: 1,
        min_child_weight: 0.0,
        max_cat_to_onehot: 4,
        max_cat_threshold: 64,
        cat_smooth: 0.0,
        cat_l2: 0.0,
        min_data_per_group: 1,
    }
}

fn number(values: &[f64]) -> FeatureColumn {
    FeatureColumn::Number(values.to_vec())
}

fn category(codes: &[u32], n_codes: u32) -> FeatureColumn {
    FeatureColumn::Code { codes: codes.to_vec(), n_codes }
}

/// The best split of all rows by gradients, with hessians of 1.
fn find(columns: Vec<FeatureColumn>, gradients: &[f64], params: &SplitParams) -> (Option<BinSplit>, BinnedMatrix) {
    let n = gradients.len();
    let matrix =
        Binner { max_bin: 255, min_data_in_bin: 1, max_levels: MOST_LEVELS, seed: 0 }.bin(&Features::new(n, columns));
    let layout = Layout::new(&matrix);
    let pairs: Vec<GradientPair> = gradients.iter().map(|&gradient| GradientPair { gradient, hessian: 1.0 }).collect();
    let fixed = rounded(&pairs, Kind::Constant(1.0));
    let mut histogram = Histogram::new(&layout, &fixed, n);
    let active = vec![true; matrix.n_features()];
    histogram.add_rows(&layout, &fixed, &NodeRows::Range(0..n), &active);
    let total = fixed.sums(&(0..n as u32).collect::<Vec<u32>>());
    let splitter = Splitter { matrix: &matrix, layout: &layout, params, monotone: &[] };
    let rules = Rules { allowed: (&active[..]).into(), limits: Limits::NONE };
    (splitter.find(&histogram, total, fixed.units(), &rules), matrix)
}

fn rows_left(split: &BinSplit, matrix: &BinnedMatrix) -> Vec<bool> {
    let table = split.table(&matrix.features()[split.feature]);
    (0..matrix.n_rows()).map(|row| table[matrix.column(split.feature).bin(row)]).collect()
}

#[test]
fn a_clean_cut_is_found_and_its_gain_is_that_of_the_formula() {
    let (split, matrix) = find(vec![number(&[1.0, 2.0, 3.0, 4.0])], &[-1.0, -1.0, 1.0, 1.0], &params());
    let split = split.unwrap();
    assert_eq!(rows_left(&split, &matrix), [true, true, false, false]);
    assert!((split.gain - 2.0 * 4.0 / 2.5).abs() < 1e-12, "{}", split.gain);
    assert_eq!((split.left.count, split.right.count), (2, 2));
}

#[test]
fn missing_values_learn_their_side() {
    let x = number(&[1.0, 2.0, 3.0, 4.0, f64::NAN]);
    let (split, matrix) = find(vec![x.clone()], &[-1.0, -1.0, 1.0, 1.0, -1.0], &params());
    assert_eq!(rows_left(&split.unwrap(), &matrix), [true, true, false, false, true]);
    let (split, matrix) = find(vec![x.clone()], &[-1.0, -1.0, 1.0, 1.0, 1.0], &params());
    assert_eq!(rows_left(&split.unwrap(), &matrix), [true, true, false, false, false]);
    // Values against missing ones.
    let (split, matrix) = find(vec![x], &[-1.0, -1.0, -1.0, -1.0, 4.0], &params());
    assert_eq!(rows_left(&split.unwrap(), &matrix), [true, true, true, true, false]);
    // Nothing known: with the majority.
    let (split, _) = find(vec![number(&[1.0, 2.0, 3.0])], &[-1.0, -1.0, 1.0], &params());
    assert!(split.unwrap().missing_left);
}

#[test]
fn few_levels_are_split_one_against_the_rest() {
    let (split, matrix) = find(vec![category(&[2, 3, 4, 2, 3, 4], 5)], &[1.0, -2.0, 1.0, 1.0, -2.0, 1.0], &params());
    let left = rows_left(&split.unwrap(), &matrix);
    assert!(left == [false, true, false, false, true, false] || left == [true, false, true, true, false, true]);
}

#[test]
fn many_levels_are_sorted_and_missing_is_one_of_them() {
    let codes = [2, 3, 4, 5, 6, 7, 0];
    let gradients = [1.0, -1.0, 1.0, -1.0, 1.0, -1.0, -1.0];
    let (split, matrix) = find(vec![category(&codes, 8)], &gradients, &params());
    let split = split.unwrap();
    let left = rows_left(&split, &matrix);
    assert!(left.iter().zip(gradients).all(|(l, g)| *l == (left[0] == (g > 0.0))), "{left:?}");
    assert_eq!(split.missing_left, left[6]);
}

#[test]
fn limits_are_kept() {
    let x = || vec![number(&[1.0, 2.0, 3.0, 4.0])];
    let y = [-9.0, 1.0, 1.0, 1.0];
    let with = |change: fn(&mut SplitParams)| {
        let mut params = params();
        change(&mut params);
        find(x(), &y, &params).0
    };
    assert_eq!(with(|_| ()).unwrap().left.count, 1);
    assert_eq!(with(|p| p.min_child_samples = 2).unwrap().left.count, 2);
    assert_eq!(with(|p| p.min_child_weight = 1.5).unwrap().left.count, 2);
    assert_eq!(with(|p| p.min_child_samples = 3), None);
    assert_eq!(with(|p| p.gamma = 1e3), None);
    assert_eq!(with(|p| p.reg_alpha = 1e3), None);
}

#[test]
fn pure_and_constant_nodes_are_not_split() {
    assert_eq!(find(vec![number(&[1.0, 2.0, 3.0])], &[0.1, 0.1, 0.1], &params()).0, None);
    assert_eq!(find(vec![number(&[1.0; 3]), number(&[f64::NAN; 3])], &[1.0, 2.0, 3.0], &params()).0, None);
}

#[test]
fn of_equal_gains_the_first_feature_wins() {
    let x = [1.0, 2.0, 3.0, 4.0];
    let reversed = [4.0, 3.0, 2.0, 1.0];
    let (split, _) = find(vec![number(&[0.0; 4]), number(&reversed), number(&x)], &[-1.0, -1.0, 1.0, 1.0], &params());
    assert_eq!(split.unwrap().feature, 1);
}

#[test]
fn leaf_values_shrink_with_both_penalties() {
    let params = SplitParams { reg_alpha: 1.0, ..params() };
    assert_eq!(params.leaf_value(-4.0, 5.5), 0.5);
    assert_eq!(params.leaf_value(4.0, 5.5), -0.5);
    assert_eq!(params.leaf_value(0.9, 5.5), 0.0);
    assert_eq!(SplitParams { reg_lambda: 0.0, ..params }.leaf_value(-4.0, 0.0), 0.0);
}

/// The largest gain over all cuts and both sides of missing values, by brute force.
fn brute_force(x: &[f64], g: &[f64], params: &SplitParams) -> f64 {
    let score = |side: &[usize]| {
        let sum: f64 = side.iter().map(|&i| g[i]).sum();
        sum * sum / (side.len() as f64 + params.reg_lambda)
    };
    let all: Vec<usize> = (0..x.len()).collect();
    let mut best = 0.0f64;
    for &threshold in x.iter().filter(|x| !x.is_nan()) {
        for missing_left in [false, true] {
            let (left, right): (Vec<usize>, Vec<usize>) =
                all.iter().partition(|&&i| if x[i].is_nan() { missing_left } else { x[i] <= threshold });
            if !left.is_empty() && !right.is_empty() {
                best = best.max(score(&left) + score(&right) - score(&all));
            }
        }
    }
    best
}

proptest! {
    #[test]
    fn no_cut_is_better(rows in prop::collection::vec((prop_oneof![Just(f64::NAN), (0i8..9).prop_map(f64::from)], -5i8..5), 2..40)) {
        let x: Vec<f64> = rows.iter().map(|r| r.0).collect();
        let g: Vec<f64> = rows.iter().map(|r| f64::from(r.1)).collect();
        let (split, matrix) = find(vec![number(&x)], &g, &params());
        let expected = brute_force(&x, &g, &params());
        match split {
            None => prop_assert!(expected < 1e-9, "a gain of {} was missed", expected),
            Some(split) => {
                prop_assert!((split.gain - expected).abs() < 1e-9 * (1.0 + expected), "{} for {}", split.gain, expected);
                let left = rows_left(&split, &matrix).iter().filter(|l| **l).count();
                prop_assert_eq!(left as u64, split.left.count);
            }
        }
    }
}
