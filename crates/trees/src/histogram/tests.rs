//! Tests of histograms: sums, subtraction, bounds.

use proptest::prelude::*;
use tabwright_model::{FeatureColumn, Features};

use super::*;
use crate::binning::{Binner, MOST_LEVELS};
use crate::fixtures::rounded;
use crate::gradient::{GradientPair, Kind};

/// Bins of `n_features` columns whose values come from a small mixer.
fn matrix(n_rows: usize, n_features: usize) -> BinnedMatrix {
    matrix_with(n_rows, n_features, &[])
}

/// The same, and categories of many levels.
fn matrix_with(n_rows: usize, n_features: usize, levels: &[usize]) -> BinnedMatrix {
    let column = |f: usize| {
        let levels = [1, 2, 5, 40, 1000][f % 5];
        (0..n_rows).map(|r| (tabwright_core::random::mix((r * 31 + f) as u64) % levels) as f64).collect()
    };
    let mut columns: Vec<FeatureColumn> = (0..n_features).map(|f| FeatureColumn::Number(column(f))).collect();
    for &n in levels {
        let code = |r: usize| (tabwright_core::random::mix((r * 17 + n) as u64) % n as u64) as u32;
        columns.push(FeatureColumn::Code { codes: (0..n_rows).map(code).collect(), n_codes: n as u32 });
    }
    Binner { max_bin: 255, min_data_in_bin: 1, max_levels: MOST_LEVELS, seed: 0 }.bin(&Features::new(n_rows, columns))
}

const KINDS: [Kind; 3] = [Kind::Constant(1.0), Kind::Bounded, Kind::Varying];

fn gradients(n_rows: usize, kind: Kind) -> FixedGradients {
    let pair = |r: usize| {
        let bits = tabwright_core::random::mix(r as u64 + 17);
        GradientPair { gradient: (bits % 2001) as f64 - 1000.0, hessian: (bits >> 32) as f64 }
    };
    let pairs: Vec<GradientPair> = (0..n_rows).map(pair).collect();
    rounded(&pairs, kind)
}

/// The sums of every bin, with or without rows.
fn sums(histogram: &Histogram, layout: &Layout, feature: usize) -> Vec<Sums> {
    let mut found = Vec::new();
    histogram.sums_into(layout, feature, &mut found);
    let mut all = vec![Sums::default(); layout.places[feature].n_codes];
    found.iter().for_each(|bin| all[bin.bin as usize] = bin.sums);
    assert!(found.is_sorted_by_key(|bin| bin.bin) && found.iter().all(|bin| bin.sums.count > 0));
    all
}

fn build(layout: &Layout, gradients: &FixedGradients, rows: NodeRows<'_>, n: usize) -> Histogram {
    let mut histogram = Histogram::new(layout, gradients, n);
    histogram.add_rows(layout, gradients, &rows, &vec![true; layout.places.len()]);
    histogram
}

/// The sums that a histogram should have, added one by one.
fn expected(gradients: &FixedGradients, rows: &[u32]) -> Sums {
    let FixedGradients::Bounded { coarse, .. } = gradients else { return gradients.sums(rows) };
    let add = |sums: Sums, row: &u32| {
        let pair = coarse[*row as usize];
        sums + Sums { gradient: pair.gradient(), hessian: pair.hessian(), count: 1 }
    };
    rows.iter().fold(Sums::default(), add)
}

#[test]
fn every_bin_has_the_sums_of_its_rows() {
    // More rows than a tight cell holds.
    let n = 9_000;
    for kind in KINDS {
        for (n_features, levels) in [(1, [300, 6_000].as_slice()), (4, &[]), (7, &[20_000]), (13, &[]), (40, &[])] {
            let matrix = matrix_with(n, n_features, levels);
            let layout = Layout::new(&matrix);
            let gradients = gradients(n, kind);
            let list: Vec<u32> = (0..n as u32).filter(|r| r % 3 != 1).collect();
            let histogram = build(&layout, &gradients, NodeRows::List(&list), n);
            for f in 0..matrix.n_features() {
                let found = sums(&histogram, &layout, f);
                assert_eq!(found.is_empty(), matrix.features()[f].n_codes() < 2);
                let mut rows = vec![Vec::new(); matrix.features()[f].n_codes()];
                list.iter().for_each(|&r| rows[matrix.column(f).bin(r as usize)].push(r));
                for (bin, (sums, rows)) in found.iter().zip(rows).enumerate() {
                    assert_eq!(*sums, expected(&gradients, &rows), "{kind:?}, feature {f}, bin {bin}");
                }
            }
        }
    }
}

#[test]
fn features_with_few_bins_share_a_lane() {
    let n = 9_000;
    let layout = Layout::new(&matrix(n, 20));
    // Of 20 features, four each have 1, 2, 5, 40 and 255 bins: 40 · 5 go together, and 2 · 2 · 2 · 2.
    assert_eq!(layout.n_lanes(), 4 + 4 + 1);
    // Few rows are not worth more than 2 · 2: sums would come apart more often than they are made.
    assert_eq!(Layout::new(&matrix(100, 20)).n_lanes(), 14);
}

#[test]
fn slabs_are_shared_among_threads_without_a_trace() {
    let n = 6_000;
    // Twelve slabs: more than four for each of two threads.
    let matrix = matrix_with(n, 420, &[300, 5_000]);
    let layout = Layout::new(&matrix);
    for kind in KINDS {
        let gradients = gradients(n, kind);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                assert_eq!(layout.is_wide(), threads < 3, "{threads} threads, {} slabs", layout.slabs.len());
                build(&layout, &gradients, NodeRows::Range(0..n), n)
            })
        };
        assert!(on(1) == on(2) && on(2) == on(8));
    }
}

proptest! {
    #[test]
    fn a_node_is_the_sum_of_its_children(left in prop::collection::vec(any::<bool>(), 900), kind in 0usize..3) {
        let n = left.len();
        // More levels than rows, and fewer.
        let matrix = matrix_with(n, 4, &[100_000, 300]);
        let layout = Layout::new(&matrix);
        let gradients = gradients(n, KINDS[kind]);
        let (a, b): (Vec<u32>, Vec<u32>) = (0..n as u32).partition(|r| left[*r as usize]);
        let node = build(&layout, &gradients, NodeRows::Range(0..n), n);
        let (a, b) = (build(&layout, &gradients, NodeRows::List(&a), n), build(&layout, &gradients, NodeRows::List(&b), n));
        let mut merged = a.clone();
        merged.merge(&b, &layout);
        let mut rest = node.clone();
        rest.subtract(&a, &layout);
        for f in 0..6 {
            prop_assert_eq!(sums(&node, &layout, f), sums(&merged, &layout, f));
            prop_assert_eq!(sums(&rest, &layout, f), sums(&b, &layout, f));
        }
        prop_assert!(rest.met == b.met && node.met == merged.met, "levels without rows are forgotten");
        prop_assert!(rest.squares == b.squares && node.squares == merged.squares);
        rest.clear(&layout);
        prop_assert!((0..6).all(|f| sums(&rest, &layout, f).iter().all(|s| *s == Sums::default())));
    }
}
