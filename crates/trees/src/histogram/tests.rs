//! Tests of histograms: sums, subtraction, bounds.

use proptest::prelude::*;
use tabwright_model::{FeatureColumn, Features};

use super::*;
use crate::binning::Binner;
use crate::fixtures::rounded;
use crate::gradient::GradientPair;

/// Bins of `n_features` columns whose values come from a small mixer.
fn matrix(n_rows: usize, n_features: usize) -> BinnedMatrix {
    let column = |f: usize| {
        let levels = [1, 2, 5, 40, 1000][f % 5];
        (0..n_rows).map(|r| (tabwright_core::random::mix((r * 31 + f) as u64) % levels) as f64).collect()
    };
    let columns = (0..n_features).map(|f| FeatureColumn::Number(column(f))).collect();
    Binner { max_bin: 255, min_data_in_bin: 1, seed: 0 }.bin(&Features::new(n_rows, columns))
}

fn gradients(n_rows: usize, constant: bool) -> FixedGradients {
    let pair = |r: usize| {
        let bits = tabwright_core::random::mix(r as u64 + 17);
        GradientPair { gradient: (bits % 2001) as f64 - 1000.0, hessian: (bits >> 32) as f64 }
    };
    let pairs: Vec<GradientPair> = (0..n_rows).map(pair).collect();
    rounded(&pairs, constant.then_some(1.0))
}

fn sums(histogram: &Histogram, layout: &Layout, feature: usize) -> Vec<Sums> {
    let mut out = Vec::new();
    histogram.sums_into(layout, feature, &mut out);
    out
}

fn build(layout: &Layout, gradients: &FixedGradients, rows: NodeRows<'_>, n: usize) -> Histogram {
    let is_wide = matches!(gradients, FixedGradients::Varying { .. });
    let mut histogram = Histogram::new(layout, is_wide, n);
    histogram.add_rows(layout, gradients, rows, &vec![true; layout.places.len()]);
    histogram
}

#[test]
fn every_bin_has_the_sums_of_its_rows() {
    let n = 3_000;
    for constant in [true, false] {
        for n_features in [1, 4, 7, 13, 40] {
            let matrix = matrix(n, n_features);
            let layout = Layout::new(&matrix);
            let gradients = gradients(n, constant);
            let list: Vec<u32> = (0..n as u32).filter(|r| r % 3 != 1).collect();
            let histogram = build(&layout, &gradients, NodeRows::List(&list), n);
            assert_eq!(histogram.shift(), 0);
            for f in 0..n_features {
                let found = sums(&histogram, &layout, f);
                assert_eq!(found.is_empty(), matrix.features()[f].n_codes() < 2);
                for (bin, sums) in found.iter().enumerate() {
                    let rows: Vec<u32> =
                        list.iter().copied().filter(|&r| matrix.column(f)[r as usize] as usize == bin).collect();
                    assert_eq!(*sums, gradients.sums(&rows), "feature {f}, bin {bin}");
                }
            }
        }
    }
}

#[test]
fn large_nodes_are_cut_among_threads_without_a_trace() {
    let n = 120_000;
    let matrix = matrix(n, 9);
    let layout = Layout::new(&matrix);
    let list: Vec<u32> = (0..n as u32).collect();
    for constant in [true, false] {
        let gradients = gradients(n, constant);
        let on = |threads: usize, rows: NodeRows<'_>| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let histogram = pool.install(|| build(&layout, &gradients, rows, n));
            (0..9).map(|f| sums(&histogram, &layout, f)).collect::<Vec<_>>()
        };
        let one = on(1, NodeRows::All(n));
        assert!(one == on(2, NodeRows::All(n)));
        assert!(one == on(3, NodeRows::List(&list)));
    }
}

proptest! {
    #[test]
    fn a_node_is_the_sum_of_its_children(left in prop::collection::vec(any::<bool>(), 200), constant in any::<bool>()) {
        let n = left.len();
        let layout = Layout::new(&matrix(n, 6));
        let gradients = gradients(n, constant);
        let (a, b): (Vec<u32>, Vec<u32>) = (0..n as u32).partition(|r| left[*r as usize]);
        let node = build(&layout, &gradients, NodeRows::All(n), n);
        let (a, b) = (build(&layout, &gradients, NodeRows::List(&a), n), build(&layout, &gradients, NodeRows::List(&b), n));
        let mut merged = a.clone();
        merged.merge(&b, &layout);
        let mut rest = node.clone();
        rest.subtract(&a, &layout);
        for f in 0..6 {
            prop_assert_eq!(sums(&node, &layout, f), sums(&merged, &layout, f));
            prop_assert_eq!(sums(&rest, &layout, f), sums(&b, &layout, f));
        }
        rest.clear(&layout, n);
        prop_assert!((0..6).all(|f| sums(&rest, &layout, f).iter().all(|s| *s == Sums::default())));
    }
}
