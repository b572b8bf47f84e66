//! Tests of the grower.

use tabwright_core::random::mix;
use tabwright_model::{FeatureColumn, Features};

use super::*;
use crate::binning::{BinnedMatrix, Binner, MOST_LEVELS};
use crate::fixtures::rounded;
use crate::gradient::{FixedGradients, FixedPair, GradientPair, Kind};
use crate::histogram::{Layout, NodeRows};
use crate::split::SplitParams;

const N: usize = 4_000;

const KINDS: [Kind; 3] = [Kind::Constant(1.0), Kind::Bounded, Kind::Varying];

/// Numbers, some missing, and three categories, one of them large; gradients that depend on them.
fn table(kind: Kind) -> (BinnedMatrix, FixedGradients) {
    let noise = |r: usize, f: u64| (mix(r as u64 * 8 + f) >> 11) as f64 / (1u64 << 53) as f64;
    let numbers = |f: u64, missing: f64| {
        let value = |r: usize| if noise(r, f + 4) < missing { f64::NAN } else { noise(r, f) };
        FeatureColumn::Number((0..N).map(value).collect())
    };
    let codes = |f: u64, n: u64| {
        let codes = (0..N).map(|r| (mix(r as u64 * 8 + f) % n) as u32).collect();
        FeatureColumn::Code { codes, n_codes: n as u32 }
    };
    let columns = vec![numbers(0, 0.0), numbers(1, 0.2), codes(2, 40), codes(3, 5), codes(8, 300)];
    let features = Features::new(N, columns);
    let pair = |r: usize| {
        let wave = (noise(r, 0) * 20.0).floor() % 3.0 - 1.0;
        let level = (mix(r as u64 * 8 + 2) % 40 % 7) as f64 / 7.0;
        let of_many = if (mix(r as u64 * 8 + 8) % 300).is_multiple_of(2) { 0.8 } else { -0.8 };
        GradientPair { gradient: wave + level + of_many + noise(r, 6) - 0.5, hessian: 0.1 + noise(r, 7) }
    };
    let pairs: Vec<GradientPair> = (0..N).map(pair).collect();
    let matrix = Binner { max_bin: 63, min_data_in_bin: 1, max_levels: MOST_LEVELS, seed: 0 }.bin(&features);
    (matrix, rounded(&pairs, kind))
}

fn params() -> SplitParams {
    SplitParams {
        reg_lambda: 1.0,
        reg_alpha: 0.0,
        gamma: 0.0,
        min_child_samples: 5,
        min_child_weight: 0.0,
        max_cat_to_onehot: 4,
        max_cat_threshold: 32,
        cat_smooth: 3.0,
        cat_l2: 10.0,
        min_data_per_group: 20,
    }
}

fn limits(growth: Growth, max_depth: usize, max_leaves: usize) -> GrowLimits {
    GrowLimits { growth, max_depth, max_leaves }
}

fn grow(matrix: &BinnedMatrix, gradients: &FixedGradients, limits: GrowLimits) -> (GrownTree, Vec<Vec<u32>>) {
    let layout = Layout::new(matrix);
    let (params, columns) = (params(), Columns::all(matrix.n_features()));
    let splitter = Splitter { matrix, layout: &layout, params: &params, monotone: &[] };
    let rows = (0..N as u32).collect();
    let counted = Counted { layout: &layout, gradients, active: &columns.active, n_tree_rows: N };
    let mut source = ListedRows::new(matrix, counted, rows, Remains::default());
    let tree = Grower { splitter, columns: &columns, limits }.grow(&mut source);
    let leaves: Vec<Vec<u32>> = tree.leaf_nodes.iter().map(|&node| source.rows_of(node).to_vec()).collect();
    if limits.max_leaves <= 256 {
        let mut tagged = TaggedRows::new(matrix, counted, TaggedRemains::default());
        assert_eq!(Grower { splitter, columns: &columns, limits }.grow(&mut tagged), tree);
        let of_leaf: Vec<u8> = tree.leaf_nodes.iter().map(|&node| tagged.tag_of(node)).collect();
        let tags = tagged.into_remains().tags;
        for (rows, tag) in leaves.iter().zip(of_leaf) {
            let tagged = (0..N as u32).filter(|r| tags[*r as usize] == tag);
            assert!(tagged.eq(rows.iter().copied()));
        }
    }
    (tree, leaves)
}

fn depth(tree: &GrownTree, child: GrownChild) -> usize {
    match child {
        GrownChild::Leaf(_) => 0,
        GrownChild::Split(i) => 1 + depth(tree, tree.splits[i].left).max(depth(tree, tree.splits[i].right)),
    }
}

#[test]
fn leaves_part_the_rows_and_keep_their_sums() {
    for kind in KINDS {
        let (matrix, gradients) = table(kind);
        for growth in [Growth::Depthwise, Growth::Leafwise] {
            let (tree, leaves) = grow(&matrix, &gradients, limits(growth, 8, 40));
            assert!(tree.splits.len() > 10 && tree.splits.iter().any(|made| made.split.feature == 4));
            let mut all: Vec<u32> = leaves.concat();
            all.sort_unstable();
            assert!(all.iter().copied().eq(0..N as u32));
            let leaf_of = crate::translate::leaf_of_row(&tree, &matrix);
            for (leaf, rows) in leaves.iter().enumerate() {
                assert_eq!(gradients.sums(rows), tree.leaf_sums[leaf]);
                assert!(rows.iter().all(|&r| leaf_of(r as usize) == leaf));
                assert!(rows.len() >= 5);
            }
        }
    }
}

#[test]
fn both_policies_keep_their_limits() {
    let (matrix, gradients) = table(Kind::Constant(1.0));
    for growth in [Growth::Depthwise, Growth::Leafwise] {
        let (tree, _) = grow(&matrix, &gradients, limits(growth, 3, usize::MAX));
        assert_eq!(depth(&tree, GrownChild::Split(0)), 3);
        let (tree, _) = grow(&matrix, &gradients, limits(growth, usize::MAX, 11));
        assert_eq!(tree.leaf_nodes.len(), 11);
        let (tree, _) = grow(&matrix, &gradients, limits(growth, usize::MAX, 1));
        assert!(tree.splits.is_empty());
    }
}

#[test]
fn without_limits_both_policies_grow_the_same_leaves() {
    let (matrix, gradients) = table(Kind::Varying);
    let sorted = |growth| {
        let (_, mut leaves) = grow(&matrix, &gradients, limits(growth, 6, usize::MAX));
        leaves.sort();
        leaves
    };
    assert_eq!(sorted(Growth::Depthwise), sorted(Growth::Leafwise));
}

#[test]
fn leafwise_growth_takes_the_largest_gain_first() {
    let (matrix, gradients) = table(Kind::Constant(1.0));
    let (tree, _) = grow(&matrix, &gradients, limits(Growth::Leafwise, usize::MAX, 20));
    // A split that was open when another was made gains no more than that one.
    for (i, made) in tree.splits.iter().enumerate() {
        for later in &tree.splits[i + 1..] {
            let opened_by_then = tree.splits[..i].iter().any(|p| {
                [p.left, p.right].iter().any(|c| matches!(c, GrownChild::Split(k) if tree.splits[*k] == *later))
            });
            assert!(!opened_by_then || later.split.gain <= made.split.gain);
        }
    }
}

/// Rows on several machines: each holds some of them and answers for those; their whole numbers are added up.
struct Shards<'a> {
    parts: Vec<ListedRows<'a>>,
    layout: &'a Layout,
}

impl Shards<'_> {
    fn merge(&self, answers: Vec<Vec<Histogram>>) -> Vec<Histogram> {
        let add = |mut merged: Vec<Histogram>, found: Vec<Histogram>| {
            merged.iter_mut().zip(&found).for_each(|(a, b)| a.merge(b, self.layout));
            merged
        };
        answers.into_iter().reduce(add).unwrap()
    }
}

impl Histograms for Shards<'_> {
    fn root(&mut self) -> Histogram {
        let answers = self.parts.iter_mut().map(|part| vec![part.root()]).collect();
        self.merge(answers).remove(0)
    }

    fn split(&mut self, splits: &[NodeSplit], counted: &[NodeId]) -> Vec<Histogram> {
        let answers = self.parts.iter_mut().map(|part| part.split(splits, counted)).collect();
        self.merge(answers)
    }

    fn sums(&mut self, nodes: &[NodeId]) -> Vec<Sums> {
        let mut merged = vec![Sums::default(); nodes.len()];
        for part in &mut self.parts {
            merged.iter_mut().zip(part.sums(nodes)).for_each(|(a, b)| *a = *a + b);
        }
        merged
    }

    fn units(&self) -> Units {
        self.parts[0].units()
    }

    fn recycle(&mut self, _: Histogram) {}
}

#[test]
fn rows_on_several_machines_grow_the_same_tree() {
    for kind in KINDS {
        let (matrix, gradients) = table(kind);
        let layout = Layout::new(&matrix);
        let (params, columns) = (params(), Columns::all(matrix.n_features()));
        let splitter = Splitter { matrix: &matrix, layout: &layout, params: &params, monotone: &[] };
        for growth in [Growth::Depthwise, Growth::Leafwise] {
            let limits = limits(growth, 7, 31);
            let (one, _) = grow(&matrix, &gradients, limits);
            // Every third row elsewhere, and a machine without a row.
            let rows = |keep: fn(u32) -> bool| (0..N as u32).filter(|r| keep(*r)).collect::<Vec<u32>>();
            let counted = Counted { layout: &layout, gradients: &gradients, active: &columns.active, n_tree_rows: N };
            let shards = [rows(|r| r % 3 == 0), rows(|r| r % 3 != 0), vec![]];
            let parts = shards.into_iter().map(|rows| ListedRows::new(&matrix, counted, rows, Remains::default()));
            let mut source = Shards { parts: parts.collect(), layout: &layout };
            assert_eq!(Grower { splitter, columns: &columns, limits }.grow(&mut source), one);
        }
    }
}

#[test]
fn heavy_rows_do_not_hide_light_ones() {
    // Weights 1,000,000 : 1: the heavy half says nothing, the light half has a clean step.
    let n = 2_000;
    let x = FeatureColumn::Number((0..n).map(|r| (r / 2 % 100) as f64).collect());
    let matrix =
        Binner { max_bin: 255, min_data_in_bin: 1, max_levels: MOST_LEVELS, seed: 0 }.bin(&Features::new(n, vec![x]));
    let pair = |r: usize| {
        let (heavy, step) = (r.is_multiple_of(2), if r / 2 % 100 < 30 { 1.0 } else { -1.0 });
        if heavy { GradientPair { gradient: 0.0, hessian: 1e6 } } else { GradientPair { gradient: step, hessian: 1.0 } }
    };
    let pairs: Vec<GradientPair> = (0..n).map(pair).collect();
    let gradients = rounded(&pairs, Kind::Varying);
    let FixedGradients::Varying { pairs, .. } = &gradients else { panic!("hessians vary") };
    assert!(pairs[0] == FixedPair { gradient: 0, hessian: pairs[0].hessian } && pairs[1].hessian > 500);
    let layout = Layout::new(&matrix);
    let (params, active) = (params(), vec![true]);
    let rules = Rules { allowed: (&active[..]).into(), limits: Limits::NONE };
    let splitter = Splitter { matrix: &matrix, layout: &layout, params: &params, monotone: &[] };
    let mut histogram = Histogram::new(&layout, &gradients, n);
    histogram.add_rows(&layout, &gradients, &NodeRows::Range(0..n), &active);
    let total = gradients.sums(&(0..n as u32).collect::<Vec<u32>>());
    let split = splitter.find(&histogram, total, gradients.units(), &rules).unwrap();
    assert_eq!(split.test, crate::split::BinTest::UpTo(29));
}
