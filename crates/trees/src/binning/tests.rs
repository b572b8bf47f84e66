//! Tests of bins: edges, codes, rare levels.

use proptest::prelude::*;
use tabwright_model::features::{CODE_MISSING, CODE_UNSEEN, ONE_HOT_NONE};

use super::*;

fn number(values: Vec<f64>, max_bin: usize) -> (NumberBins, Vec<u8>, bool) {
    let matrix = Binner { max_bin, min_data_in_bin: 1, max_levels: MOST_LEVELS, seed: 1 }
        .bin(&Features::new(values.len(), vec![FeatureColumn::Number(values)]));
    let Bins::Number(bins) = matrix.features()[0].bins.clone() else { panic!("a number was binned as a category") };
    (bins, matrix.column(0).bytes().to_vec(), matrix.features()[0].has_missing)
}

#[test]
fn few_distinct_values_have_a_bin_each() {
    let (bins, codes, has_missing) = number(vec![3.0, -0.0, 0.0, f64::NAN, 3.0, 7.0], 255);
    assert_eq!((bins.len(), has_missing), (3, true));
    assert_eq!(codes, [1, 0, 0, 3, 1, 2]);
    assert_eq!(bins.threshold(0, 1), 1.5);
    assert_eq!(bins.threshold(0, 2), 3.5);
    assert_eq!(bins.threshold(2, 3), f64::MAX);
}

#[test]
fn thresholds_between_extreme_and_neighbouring_values_are_finite_and_part_them() {
    let next = f64::from_bits(1.0f64.to_bits() + 1);
    let (bins, codes, _) = number(vec![f64::NEG_INFINITY, f64::MIN, 1.0, next, f64::MAX, f64::INFINITY], 255);
    assert_eq!(codes, [0, 0, 1, 2, 3, 3]);
    assert_eq!(bins.threshold(1, 2), 1.0);
    assert!((0..3).all(|b| bins.threshold(b, b + 1).is_finite()));
}

#[test]
fn many_values_are_cut_into_equal_shares_and_heavy_ones_stand_alone() {
    let mut values: Vec<f64> = (0..1000).map(f64::from).collect();
    values.extend(vec![500.0; 1000]);
    let (bins, codes, _) = number(values.clone(), 11);
    assert!(bins.len() <= 11);
    let heavy = codes[500];
    let with_heavy = values.iter().zip(&codes).filter(|(_, c)| **c == heavy).map(|(x, _)| *x);
    assert!(with_heavy.clone().all(|x| x == 500.0), "{:?}", with_heavy.collect::<Vec<_>>());
    let counts: Vec<usize> = (0..bins.len()).map(|b| codes.iter().filter(|c| **c as usize == b).count()).collect();
    assert!(counts.iter().all(|&c| c == 1001 || (50..150).contains(&c)), "{counts:?}");
}

#[test]
fn large_tables_are_cut_by_a_sample_and_every_row_falls_as_binned() {
    let values: Vec<f64> = (0..300_000u64).map(|i| ((i * 7_919) % 300_007) as f64).collect();
    let (bins, codes, _) = number(values.clone(), 255);
    assert_eq!(bins.len(), 255);
    for (x, c) in values.iter().zip(&codes) {
        let c = *c as usize;
        assert!(bins.lower(c) <= *x && *x <= bins.upper(c));
        assert!(c == 0 || bins.threshold(c - 1, c) < *x);
    }
}

#[test]
fn columns_without_values_have_no_bin() {
    let (bins, codes, has_missing) = number(vec![f64::NAN; 3], 255);
    assert!(bins.is_empty() && has_missing);
    assert_eq!(codes, [0, 0, 0]);
}

fn category(column: FeatureColumn, max_levels: usize) -> (CategoryBins, BinnedMatrix, bool) {
    let binner = Binner { max_bin: 255, min_data_in_bin: 1, max_levels, seed: 1 };
    let matrix = binner.bin(&Features::new(column.len(), vec![column]));
    let Bins::Category(bins) = matrix.features()[0].bins.clone() else { panic!("a category was binned as a number") };
    let has_missing = matrix.features()[0].has_missing;
    (bins, matrix, has_missing)
}

#[test]
fn levels_have_a_bin_each_and_what_has_no_level_is_missing() {
    let codes = vec![4, CODE_MISSING, 2, CODE_UNSEEN, 4];
    let (bins, binned, has_missing) = category(FeatureColumn::Code { codes, n_codes: 6 }, MOST_LEVELS);
    assert_eq!((bins.len(), has_missing), (2, true));
    assert_eq!(binned.column(0).bytes(), [1, 2, 0, 2, 1]);
    // Code 3 and 5 have no row: they go where missing values go.
    assert_eq!(bins.codes(|bin| bin == 1, false), [1 << 4]);
    assert_eq!(bins.codes(|bin| bin == 1, true), [1 << 4 | 1 << 3 | 1 << 5]);
    let (_, binned, _) = category(FeatureColumn::OneHot { codes: vec![0, ONE_HOT_NONE, 1], width: 2 }, MOST_LEVELS);
    assert_eq!(binned.column(0).bytes(), [0, 2, 1]);
}

#[test]
fn beyond_as_many_as_asked_for_the_rarest_share_a_bin() {
    let codes: Vec<u32> = (2..1002).chain(2..200).collect();
    let (bins, binned, has_missing) = category(FeatureColumn::Code { codes, n_codes: 1002 }, BYTE_LEVELS);
    let binned = binned.column(0).bytes();
    assert_eq!((bins.len(), has_missing), (BYTE_LEVELS, false));
    assert_eq!(binned[999], 253);
    // The 198 levels with two rows have bins of their own; the others are taken in the order of their codes.
    assert_eq!(binned[..253], (0..253).collect::<Vec<u8>>());
    let rest = bins.codes(|bin| bin == 253, false);
    assert_eq!(rest.iter().map(|w| w.count_ones()).sum::<u32>(), 1000 - 253);
}

#[test]
fn large_categories_have_a_bin_for_each_level_the_most_frequent_first() {
    let codes: Vec<u32> = (2..1002).chain(500..502).chain([501, CODE_MISSING]).collect();
    let (bins, binned, has_missing) = category(FeatureColumn::Code { codes, n_codes: 1002 }, MOST_LEVELS);
    assert_eq!((bins.len(), has_missing), (1000, true));
    assert_eq!([0, 497, 498, 499, 500, 999, 1003].map(|row| binned.column(0).bin(row)), [2, 499, 1, 0, 500, 999, 1000]);
    assert_eq!(bins.codes(|bin| bin == 0, false)[501 / 64], 1 << (501 % 64));
    let codes: Vec<u32> = (2..100_002).collect();
    let (bins, binned, has_missing) = category(FeatureColumn::Code { codes, n_codes: 100_002 }, MOST_LEVELS);
    assert_eq!((bins.len(), has_missing), (MOST_LEVELS, false));
    assert_eq!(binned.column(0).bin(99_999), MOST_LEVELS - 1);
}

#[test]
fn bins_have_as_many_rows_as_asked_for() {
    let find = |n: u32, max_bin| NumberBins::find((0..n).map(f64::from).collect(), max_bin, 3);
    // Few values: 0 to 2, 3 to 5, and 6 alone, which is the last.
    let bins = find(7, 255);
    assert_eq!((bins.len(), bins.threshold(0, 1), bins.threshold(1, 2)), (3, 2.5, 5.5));
    // Many: a third as many bins as values, though more would be allowed.
    assert_eq!(find(300, 255).len(), 100);
    assert_eq!(NumberBins::find(vec![1.0, 2.0], 1, 3).len(), 1);
    assert!(NumberBins::find(Vec::new(), 255, 3).is_empty());
}

proptest! {
    #[test]
    fn rows_fall_as_their_thresholds_say(
        values in prop::collection::vec(prop_oneof![Just(f64::NAN), -1e3..1e3, (-5i8..5).prop_map(f64::from)], 1..400),
        max_bin in 2usize..20,
    ) {
        let (bins, codes, _) = number(values.clone(), max_bin);
        prop_assert!(bins.len() <= max_bin);
        for (x, &code) in values.iter().zip(&codes) {
            if x.is_nan() {
                prop_assert_eq!(code as usize, bins.len());
                continue;
            }
            for left in 0..bins.len().saturating_sub(1) {
                for right in left + 1..bins.len() {
                    let threshold = bins.threshold(left, right);
                    if code as usize <= left { prop_assert!(*x <= threshold); }
                    if code as usize >= right { prop_assert!(*x > threshold); }
                }
            }
        }
    }
}
