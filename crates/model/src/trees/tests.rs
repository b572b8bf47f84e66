//! Tests of trees that are stored, loaded and scored.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::artifact::{Tensor, Tensors};
use crate::features::{CODE_FIRST, CODE_MISSING, CODE_UNSEEN, FeatureColumn, Features, ONE_HOT_NONE};

const TYPES: [SlotType; 3] = [SlotType::Number, SlotType::Code(70), SlotType::OneHot(5)];

/// x₀ ≤ 0.5, then codes {2, 66} of feature 1 on the left, indices {0, 3} of feature 2 on the right.
fn example(missing_left: bool) -> Tree {
    let mut tree = Tree { leaf_values: vec![1.0, 2.0, 4.0, 8.0], ..Tree::default() };
    let codes = tree.push_categories(&[1 << 2, 1 << 2]);
    let indices = tree.push_categories(&[0b1001]);
    let split = |feature, decision, left, right| Split { feature, decision, missing_left, left, right, gain: 1.5 };
    tree.splits = vec![
        split(0, Decision::Number { threshold: 0.5 }, Child::Split(1), Child::Split(2)),
        split(1, codes, Child::Leaf(0), Child::Leaf(1)),
        split(2, indices, Child::Leaf(2), Child::Leaf(3)),
    ];
    tree
}

fn ensemble() -> Trees {
    let mut trees = Trees::new(TYPES.to_vec(), 1, Aggregation::Sum, vec![0.25, 0.5]);
    trees.push(&example(false), 0);
    trees.push(&Tree::constant(vec![-3.0]), 1);
    trees.push(&example(true), 1);
    trees
}

fn row(number: f64, code: u32, index: u32) -> Features {
    let columns = vec![
        FeatureColumn::Number(vec![number]),
        FeatureColumn::Code { codes: vec![code], n_codes: 70 },
        FeatureColumn::OneHot { codes: vec![index], width: 5 },
    ];
    Features::new(1, columns)
}

fn score(trees: &Trees, features: &Features) -> Vec<f64> {
    let mut out = vec![f64::NAN; features.n_rows() * trees.n_outputs()];
    trees.raw_scores(features, &mut out);
    out
}

#[test]
fn decisions_follow_thresholds_sets_and_the_flag_for_missing_values() {
    let trees = ensemble();
    let cases = [
        // (number, code, index) and the answers of the tree whose missing values go right, and left.
        ((0.5, 2, 1), (1.0, 1.0)),
        ((0.5, 66, 1), (1.0, 1.0)),
        ((-1.0, 3, 1), (2.0, 2.0)),
        ((f64::from_bits(0.5f64.to_bits() + 1), 2, 0), (4.0, 4.0)),
        ((f64::INFINITY, 2, 1), (8.0, 8.0)),
        ((0.0, CODE_MISSING, 1), (2.0, 1.0)),
        ((0.0, CODE_UNSEEN, 1), (2.0, 1.0)),
        ((1.0, 2, ONE_HOT_NONE), (8.0, 4.0)),
        // A missing number goes right to the one-hot group, or left to the codes.
        ((f64::NAN, 3, 3), (4.0, 2.0)),
        // Bits that the set does not have count as missing.
        ((0.0, CODE_FIRST + 200, 1), (2.0, 1.0)),
    ];
    for ((number, code, index), (right, left)) in cases {
        let found = score(&trees, &row(number, code, index));
        assert_eq!(found, [0.25 + right, 0.5 - 3.0 + left], "{number} {code} {index}");
    }
}

#[test]
fn a_mean_divides_the_sum() {
    let mut trees = Trees::new(vec![], 3, Aggregation::Mean, vec![0.0; 3]);
    for values in [vec![1.0, 0.0, 0.0], vec![0.0, 0.5, 0.5], vec![0.0, 1.0, 0.0]] {
        trees.push(&Tree::constant(values), 0);
    }
    assert_eq!(score(&trees, &Features::new(1, vec![])), [1.0 / 3.0, 0.5, 0.5 / 3.0]);
    assert_eq!((trees.n_trees(), trees.n_leaves(), trees.n_features()), (3, 3, 0));
}

#[test]
fn importances_count_splits_and_add_gains() {
    let trees = ensemble();
    assert_eq!(trees.split_counts(), [2, 2, 2]);
    assert_eq!(trees.importances().gains, [3.0, 3.0, 3.0]);
    assert_eq!(trees.n_leaves(), 9);
}

#[test]
fn trees_come_back_out_as_they_went_in() {
    let trees = ensemble();
    let mut again = Trees::new(TYPES.to_vec(), 1, Aggregation::Sum, vec![0.25, 0.5]);
    for i in 0..trees.n_trees() {
        again.push(&trees.tree(i), trees.outputs[i] as usize);
    }
    assert_eq!(again, trees);
    assert_eq!(trees.first_trees(1).n_trees(), 1);
    assert_eq!(trees.first_trees(9), trees);
}

#[test]
fn features_of_another_type_are_refused() {
    let trees = ensemble();
    assert_eq!(trees.check_features(&TYPES), Ok(()));
    let other = [SlotType::Number, SlotType::Code(71), SlotType::OneHot(5)];
    let message = trees.check_features(&other).unwrap_err();
    assert_eq!(message, "feature 1 is one of 71 category codes, the trees need one of 70 category codes");
    assert!(trees.check_features(&TYPES[..2]).unwrap_err().contains("read 3 features"));
}

#[test]
fn a_stored_ensemble_loads_as_it_was() {
    let trees = ensemble();
    let mut tensors = Tensors::default();
    let numbers = trees.store("predictor", &mut tensors);
    let loaded = Trees::load("predictor", &numbers, &mut tensors).unwrap();
    assert_eq!(loaded, trees);
    assert!(tensors.is_empty());
}

/// Stores the example, changes one array of bytes and returns what loading says.
fn load_changed(name: &str, change: impl FnOnce(&Tensor) -> Tensor) -> String {
    let mut tensors = Tensors::default();
    let numbers = ensemble().store("p", &mut tensors);
    let name = format!("p.{name}");
    let tensor = tensors.take(&name).unwrap();
    tensors.insert(name, change(&tensor));
    Trees::load("p", &numbers, &mut tensors).unwrap_err().to_string()
}

#[test]
fn hostile_arrays_are_refused() {
    let f64s = |t: &Tensor, i: usize, x: f64| {
        let mut v = t.to_f64().unwrap();
        v[i] = x;
        Tensor::f64(v).shaped(t.shape().to_vec())
    };
    let u32s = |t: &Tensor, i: usize, x: u32| {
        let mut v = t.to_u32().unwrap();
        v[i] = x;
        Tensor::u32(v).shaped(t.shape().to_vec())
    };
    let u8s = |values: &[u8]| Tensor::u8(values);
    assert!(load_changed("thresholds", |t| f64s(t, 0, f64::NAN)).contains("not finite"));
    assert!(load_changed("leaf_values", |t| f64s(t, 8, f64::INFINITY)).contains("not finite"));
    assert!(load_changed("base_scores", |_| Tensor::f64([0.0; 0])).contains("outputs"));
    assert!(load_changed("features", |t| u32s(t, 2, 3)).contains("beyond 3"));
    assert!(load_changed("features", |t| u32s(t, 0, 1)).contains("for what it is not"));
    assert!(load_changed("outputs", |t| u32s(t, 1, 2)).contains("beyond 2"));
    assert!(load_changed("outputs", |_| Tensor::u32([0, 0])).contains("beyond the last tree"));
    assert!(load_changed("outputs", |_| Tensor::u32([0; 4])).contains("cut off"));
    assert!(load_changed("types", |t| u32s(t, 0, 7)).contains("unknown type"));
    assert!(load_changed("types", |_| Tensor::u32([0])).contains("unknown type"));
    assert!(load_changed("gains", |_| Tensor::u32([0])).contains("gains"));
    assert!(load_changed("category_ends", |t| u32s(t, 0, 99)).contains("not in order"));
    assert!(load_changed("category_ends", |t| u32s(t, 3, 99)).contains("all of their words"));
    assert!(load_changed("nodes", |_| u8s(&[0; 15])).contains("are needed"));
    let nodes = |i: usize, flags: u8| {
        load_changed("nodes", |t| {
            let mut v = t.to_u8().unwrap();
            v[i] = flags;
            u8s(&v)
        })
    };
    assert!(nodes(2, 9).contains("unknown flags"));
    assert!(nodes(0, 2).contains("are needed"));
    // Leaves and splits change places: the counts fit, the shape does not.
    let swapped = load_changed("nodes", |t| {
        let mut v = t.to_u8().unwrap();
        let last = v.len() - 1;
        v.swap(0, last);
        u8s(&v)
    });
    assert!(swapped.starts_with("the model is invalid: trees:"), "{swapped}");
    let mut tensors = Tensors::default();
    ensemble().store("p", &mut tensors);
    let error = Trees::load("p", &json!({ "aggregation": "sum", "width": 3 }), &mut tensors).unwrap_err();
    assert!(error.to_string().contains("3 values for 2 outputs"));
}

prop_compose! {
    fn any_cell()(number in prop_oneof![Just(f64::NAN), -2.0..2.0], code in 0u32..70, index in prop_oneof![Just(ONE_HOT_NONE), 0u32..5])
        -> (f64, u32, u32) { (number, code, index) }
}

proptest! {
    #[test]
    fn a_row_alone_has_the_bits_of_the_batch(cells in prop::collection::vec(any_cell(), 1..1500)) {
        let columns = vec![
            FeatureColumn::Number(cells.iter().map(|c| c.0).collect()),
            FeatureColumn::Code { codes: cells.iter().map(|c| c.1).collect(), n_codes: 70 },
            FeatureColumn::OneHot { codes: cells.iter().map(|c| c.2).collect(), width: 5 },
        ];
        let features = Features::new(cells.len(), columns);
        let trees = ensemble();
        let batch = score(&trees, &features);
        for i in (0..cells.len()).step_by(61).chain([cells.len() - 1]) {
            let alone = score(&trees, &features.take(&[i as u32]));
            prop_assert_eq!(alone[0].to_bits(), batch[2 * i].to_bits());
            prop_assert_eq!(alone[1].to_bits(), batch[2 * i + 1].to_bits());
        }
    }

    #[test]
    fn garbled_nodes_never_panic(flags in prop::collection::vec(0u8..8, 15), outputs in 1usize..5) {
        let mut tensors = Tensors::default();
        let numbers = ensemble().store("p", &mut tensors);
        tensors.insert("p.nodes", Tensor::u8(flags));
        tensors.insert("p.outputs", Tensor::u32(vec![0; outputs]));
        if let Ok(trees) = Trees::load("p", &numbers, &mut tensors) {
            score(&trees, &row(0.0, 2, 1));
        }
    }
}

/// A tree that splits at random, down to `depth`.
fn random_tree(seed: u64, depth: u32) -> Tree {
    let draw = |node: u64, what: u64| tabwright_core::random::mix(seed << 32 | node << 4 | what);
    let mut tree = Tree::default();
    let n_splits = (1u64 << depth) - 1;
    for node in 0..n_splits {
        let decision = match draw(node, 0) % 3 {
            0 => Decision::Number { threshold: (draw(node, 1) % 9) as f64 / 2.0 - 2.0 },
            1 => tree.push_categories(&[draw(node, 1), draw(node, 2) & 63]),
            _ => tree.push_categories(&[draw(node, 1) & 31]),
        };
        let feature = match decision {
            Decision::Number { .. } => 0,
            Decision::Category { n_words: 2, .. } => 1,
            Decision::Category { .. } => 2,
        };
        let child = |number: u64| match number < n_splits {
            true => Child::Split(number as u32),
            false => Child::Leaf((number - n_splits) as u32),
        };
        let (left, right) = (child(2 * node + 1), child(2 * node + 2));
        let missing_left = draw(node, 3).is_multiple_of(2);
        tree.splits.push(Split { feature, decision, missing_left, left, right, gain: 1.0 });
    }
    tree.leaf_values = (0..=n_splits).map(|leaf| draw(leaf, 5) as f64 / 1e18 - 9.0).collect();
    tree
}

/// The scores of rows by the ensemble's own nodes: what every compiled form must equal.
fn score_uncompiled(trees: &Trees, features: &Features) -> Vec<f64> {
    let mut out = vec![0.0; features.n_rows() * trees.n_outputs()];
    for tree in 0..trees.n_trees() {
        trees.add_tree_scores(tree, features, &mut out);
    }
    trees.finish(&mut out);
    out
}

proptest! {
    #[test]
    fn a_batch_has_the_bits_of_each_row_alone(
        seed in 0u64..1000,
        depth in 0u32..11,
        n_trees in 1usize..40,
        n_stumps in prop::sample::select(vec![0, 0, 300]),
    ) {
        let mut trees = Trees::new(TYPES.to_vec(), 1, Aggregation::Sum, vec![0.25, 0.5]);
        (0..n_trees).for_each(|t| trees.push(&random_tree(seed * 100 + t as u64, depth), t % 2));
        // More thresholds than a byte can count.
        let mut stump = example(seed % 2 == 0);
        for i in 0..n_stumps {
            stump.splits[0].decision = Decision::Number { threshold: f64::from(i) / 64.0 - 2.0 };
            trees.push(&stump, i as usize % 2);
        }
        let draw = |row: usize, what: u64| tabwright_core::random::mix(seed << 32 | (row as u64) << 4 | what);
        // At thresholds, just above and below, beyond, and missing.
        let number = |row: usize| {
            let at = (draw(row, 6) % 11) as f64 / 2.0 - 2.5;
            [at, at.next_up(), at.next_down(), f64::NAN, f64::INFINITY, -0.0][draw(row, 7) as usize % 6]
        };
        let code = |row: usize| [CODE_MISSING, CODE_UNSEEN, CODE_FIRST + draw(row, 8) as u32 % 68][draw(row, 9) as usize % 3];
        let index = |row: usize| if draw(row, 10).is_multiple_of(4) { ONE_HOT_NONE } else { draw(row, 11) as u32 % 5 };
        let n_rows = 300;
        let batch = Features::new(n_rows, vec![
            FeatureColumn::Number((0..n_rows).map(number).collect()),
            FeatureColumn::Code { codes: (0..n_rows).map(code).collect(), n_codes: 70 },
            FeatureColumn::OneHot { codes: (0..n_rows).map(index).collect(), width: 5 },
        ]);
        let compiled = trees.compiled().unwrap();
        prop_assert_eq!(compiled.replay.is_some(), depth <= 8);
        let (together, plain) = crate::kernels::both(|| score(&trees, &batch));
        prop_assert_eq!(&together, &plain);
        prop_assert_eq!(&together, &score_uncompiled(&trees, &batch));
        let mut walked = vec![f64::NAN; together.len()];
        compiled.walk.sums(&trees, &compiled.codings, &batch, 0, &mut walked);
        trees.finish(&mut walked);
        prop_assert_eq!(&together, &walked);
        for i in (0..n_rows).step_by(7) {
            let alone = score(&trees, &row(number(i), code(i), index(i)));
            let bits = |scores: &[f64]| scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&alone), bits(&together[2 * i..2 * i + 2]), "row {}", i);
        }
    }
}

#[test]
fn large_trees_have_no_form_for_batches_and_many_thresholds_do() {
    let mut trees = Trees::new(TYPES.to_vec(), 1, Aggregation::Sum, vec![0.0]);
    trees.push(&random_tree(1, 8), 0);
    let has_replay = |trees: &Trees| trees.compiled().unwrap().replay.is_some();
    assert!(has_replay(&trees));
    trees.push(&random_tree(2, 9), 0);
    assert!(!has_replay(&trees));
}

proptest! {
    #[test]
    fn categories_beyond_a_byte_and_leaves_of_several_values_are_compiled(seed in 0u64..1000, n_trees in 1usize..6) {
        let n_codes = 700;
        let draw = |i: u64, what: u64| tabwright_core::random::mix(seed << 32 | i << 4 | what);
        for width in [1, 3] {
            let mut trees = Trees::new(vec![SlotType::Code(n_codes)], width, Aggregation::Mean, vec![0.0; 3]);
            for t in 0..n_trees as u64 {
                let mut tree = Tree::default();
                for i in 0..6 {
                    // Sets that do not reach the last codes, too.
                    let words: Vec<u64> = (0..1 + draw(t * 8 + i, 1) % 11).map(|w| draw(t * 8 + i, 2 + w)).collect();
                    let (decision, missing_left) = (tree.push_categories(&words), draw(i, 0).is_multiple_of(2));
                    let right = if i < 5 { Child::Split(i as u32 + 1) } else { Child::Leaf(6) };
                    let left = Child::Leaf(i as u32);
                    tree.splits.push(Split { feature: 0, decision, missing_left, left, right, gain: 1.0 });
                }
                tree.leaf_values = (0..7 * width as u64).map(|i| draw(i, 15) as f64).collect();
                trees.push(&tree, if width == 1 { t as usize % 3 } else { 0 });
            }
            let codes = (0..n_codes).collect::<Vec<u32>>();
            let features = Features::new(codes.len(), vec![FeatureColumn::Code { codes, n_codes }]);
            let together = score(&trees, &features);
            prop_assert_eq!(&together, &score_uncompiled(&trees, &features));
            for code in [0, 1, 2, 63, 64, 300, 699] {
                let alone = score(&trees, &features.take(&[code]));
                prop_assert_eq!(&alone[..], &together[3 * code as usize..][..3]);
            }
        }
    }
}
