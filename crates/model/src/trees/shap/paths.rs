//! Shapley values by the fitting rows of a tree: a walk over all its nodes with a block of rows.
//!
//! On the way down it keeps the product of the path for every row, at every point of integration; on the way up it sums the
//! leaves. What a split multiplies them by depends on a row in three ways only, so it is worked out once a block.

use std::collections::BTreeMap;

use tabwright_core::numeric;

use crate::trees::ensemble::{CATEGORY, LEAF, MISSING_LEFT, Node, RANK, Trees};

/// Rows of a block: the products of a few levels stay in the first-level cache.
pub(super) const BLOCK_ROWS: usize = 128;

/// What a row does at a split: it takes a side, or has left the path at an earlier split of the same feature.
const LEFT: u8 = 0;
const RIGHT: u8 = 1;
const LOST: u8 = 2;
/// A number at every point, by what the row does. The last is not used: four need no check of bounds.
type ByState<const POINTS: usize> = [[f64; POINTS]; 4];

/// A walk over all paths of a tree with a block of rows.
pub(super) struct Walk<'a> {
    pub(super) trees: &'a Trees,
    pub(super) node_rows: &'a [f64],
    pub(super) rules: &'a Rules,
    /// The used features of the rows, row-major.
    pub(super) values: Vec<f64>,
    /// The split above that asked a feature last, by rank of the feature.
    asked: Vec<Option<Asked>>,
    levels: Vec<Level>,
    n_rows: usize,
    /// The output of a leaf's first value.
    first_output: usize,
}

/// A split of the path.
#[derive(Clone, Copy)]
struct Asked {
    depth: usize,
    side: u8,
    /// Share of the fitting rows that keep to all splits of the feature on the path.
    share: f64,
}

/// What is known of the rows at a depth of the tree.
#[derive(Default)]
struct Level {
    /// What each row does at the node.
    states: Vec<u8>,
    /// The product of the path, for each row and point.
    products: Vec<f64>,
    /// Sums over the leaves below of value times product, for each value of a leaf, row and point.
    sums: Vec<f64>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(trees: &'a Trees, node_rows: &'a [f64], rules: &'a Rules) -> Self {
        let asked = vec![None; trees.used.len()];
        Walk { trees, node_rows, rules, values: Vec::new(), asked, levels: Vec::new(), n_rows: 0, first_output: 0 }
    }

    /// Adds what a tree contributes, whose paths ask at most so many features, to `out`, row-major
    /// `(n_rows, n_outputs, n_features)`.
    pub(super) fn add_tree(&mut self, tree: usize, most_features: usize, out: &mut [f64]) {
        match n_points(most_features) {
            2 => self.add::<2>(tree, out),
            4 => self.add::<4>(tree, out),
            6 => self.add::<6>(tree, out),
            8 => self.add::<8>(tree, out),
            12 => self.add::<12>(tree, out),
            16 => self.add::<16>(tree, out),
            32 => self.add::<32>(tree, out),
            _ => self.add::<MOST_POINTS>(tree, out),
        }
    }

    fn add<const POINTS: usize>(&mut self, tree: usize, out: &mut [f64]) {
        let trees = self.trees;
        let root = trees.roots[tree] as usize;
        if trees.nodes[root].feature & LEAF != 0 {
            return;
        }
        self.n_rows = out.len() / (trees.n_outputs * trees.n_features());
        self.first_output = if trees.width == 1 { trees.outputs[tree] as usize } else { 0 };
        let n_products = self.n_rows * POINTS;
        let products = &mut self.level(0).products;
        products.clear();
        products.resize(n_products, 1.0);
        self.visit(&self.rules.of::<POINTS>(), root, 0, out);
    }

    /// Adds what the paths below a split contribute; leaves the sums over their leaves in its level.
    fn visit<const POINTS: usize>(&mut self, rule: &Rule<POINTS>, at: usize, depth: usize, out: &mut [f64]) {
        let (trees, n_sums) = (self.trees, self.n_rows * POINTS);
        let node = &trees.nodes[at];
        let rank = (node.feature & RANK) as usize;
        let before = self.asked[rank];
        self.decide(node, before, depth);
        let children = [at + 1, at + node.right as usize];
        let is_leaf = children.map(|child| trees.nodes[child].feature & LEAF != 0);
        let old_share = before.map_or(1.0, |asked| asked.share);
        let shares = children.map(|child| old_share * self.node_rows[child] / self.node_rows[at]);
        let steps = rule.steps(old_share, shares);
        let mut has_sums = is_leaf[0] | is_leaf[1];
        if has_sums {
            self.visit_leaves(&steps, rank, children.map(|child| &trees.nodes[child]), depth, out);
        }
        for side in (0..2).filter(|&side| !is_leaf[side]) {
            self.level(depth + 1).products.resize(n_sums, 0.0);
            let (own, below) = self.levels.split_at_mut(depth + 1);
            descend(&own[depth].states, &own[depth].products, &steps[side].ratios, &mut below[0].products);
            self.asked[rank] = Some(Asked { depth, side: side as u8, share: shares[side] });
            self.visit(rule, children[side], depth + 1, out);
            for value in 0..trees.width {
                let place = self.place(rank, value);
                let found = &self.levels[depth + 1].sums[value * n_sums..][..n_sums];
                contribute(&self.levels[depth].states, found, &steps[side].slopes, place.of(out));
            }
            let (own, below) = self.levels.split_at_mut(depth + 1);
            let (sums, found) = (&mut own[depth].sums, &mut below[0].sums);
            if has_sums {
                sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += *found);
            } else {
                std::mem::swap(sums, found);
                has_sums = true;
            }
        }
        self.asked[rank] = before;
    }

    /// The children of a split that are leaves. Not part of [`Walk::visit`], whose calls lie upon each other on the stack.
    #[inline(never)]
    fn visit_leaves<const POINTS: usize>(
        &mut self,
        steps: &[Box<Step<POINTS>>; 2],
        rank: usize,
        children: [&Node; 2],
        depth: usize,
        out: &mut [f64],
    ) {
        let (trees, n_sums) = (self.trees, self.n_rows * POINTS);
        self.levels[depth].sums.resize(n_sums * trees.width, 0.0);
        for value in 0..trees.width {
            let mut leaves = [[[0.0; POINTS]; 4]; 2];
            for (step, leaf) in steps.iter().zip(children).filter(|(_, child)| child.feature & LEAF != 0) {
                step.add_leaf(trees.value_of(leaf, value), &mut leaves);
            }
            let place = self.place(rank, value);
            let Level { states, products, sums } = &mut self.levels[depth];
            take_leaves(states, products, &leaves, &mut sums[value * n_sums..][..n_sums], place.of(out));
        }
    }

    fn level(&mut self, depth: usize) -> &mut Level {
        if depth == self.levels.len() {
            self.levels.push(Level::default());
        }
        &mut self.levels[depth]
    }

    /// Finds out what each row does at a split.
    fn decide(&mut self, node: &Node, before: Option<Asked>, depth: usize) {
        let (trees, rank) = (self.trees, (node.feature & RANK) as usize);
        let values = self.values[rank..].iter().step_by(trees.used.len()).take(self.n_rows);
        let (above, own) = self.levels.split_at_mut(depth);
        let states = &mut own[0].states;
        states.clear();
        if node.feature & CATEGORY == 0 {
            let (threshold, missing_left) = (f64::from_bits(node.payload), node.feature & MISSING_LEFT != 0);
            states.extend(values.map(|&x| u8::from(!((x <= threshold) | (x.is_nan() & missing_left)))));
        } else {
            states.extend(values.map(|&x| u8::from(!trees.goes_left(node, x))));
        }
        if let Some(asked) = before {
            let were = &above[asked.depth].states;
            states
                .iter_mut()
                .zip(were)
                .for_each(|(state, was)| *state = if *was == asked.side { *state } else { LOST });
        }
    }

    /// Where a feature's contributions to one of a tree's outputs stand.
    fn place(&self, rank: usize, value: usize) -> Place {
        let n_features = self.trees.n_features();
        let first = (self.first_output + value) * n_features + self.trees.used[rank] as usize;
        Place { first, step: self.trees.n_outputs * n_features }
    }
}

struct Place {
    first: usize,
    step: usize,
}

impl Place {
    fn of(self, out: &mut [f64]) -> impl Iterator<Item = &mut f64> {
        out[self.first..].iter_mut().step_by(self.step)
    }
}

/// By what a row does at a split, and for one of its sides.
struct Step<const POINTS: usize> {
    /// What the product of the path is multiplied by.
    ratios: ByState<POINTS>,
    /// What the sums of the leaves below are multiplied by, to be the integrand of the contribution.
    slopes: ByState<POINTS>,
}

impl<const POINTS: usize> Step<POINTS> {
    /// Adds a leaf on this side to what the product of the path is multiplied by, for the sum of the leaves and for the integrand.
    fn add_leaf(&self, value: f64, [sums, integrand]: &mut [ByState<POINTS>; 2]) {
        for state in 0..3 {
            for i in 0..POINTS {
                let leaf = value * self.ratios[state][i];
                sums[state][i] += leaf;
                integrand[state][i] += leaf * self.slopes[state][i];
            }
        }
    }
}

/// Points and weights of an integral over [0, 1].
struct Rule<const POINTS: usize> {
    points: [f64; POINTS],
    weights: [f64; POINTS],
}

impl<const POINTS: usize> Rule<POINTS> {
    /// What becomes of a path on either side; kept off the stack, which holds those of all levels.
    #[inline(never)]
    fn steps(&self, old_share: f64, shares: [f64; 2]) -> [Box<Step<POINTS>>; 2] {
        [LEFT, RIGHT].map(|side| Box::new(self.step(side, old_share, shares[side as usize])))
    }

    /// What becomes of a path that goes on to a side, whose feature had a share of the fitting rows and now has a smaller one.
    fn step(&self, side: u8, old_share: f64, share: f64) -> Step<POINTS> {
        let mut step = Step { ratios: [[0.0; POINTS]; 4], slopes: [[0.0; POINTS]; 4] };
        for state in [LEFT, RIGHT, LOST] {
            let (was, is) = (f64::from(state != LOST), f64::from(state == side));
            for (i, (t, weight)) in self.points.iter().zip(self.weights).enumerate() {
                let (old, new) = (t * was + (1.0 - t) * old_share, t * is + (1.0 - t) * share);
                step.ratios[state as usize][i] = new / old;
                // The split above that asked the same feature adds these leaves too, as if they were not parted again.
                step.slopes[state as usize][i] = weight * ((is - share) / new - (was - old_share) / old);
            }
        }
        step
    }
}

/// The kernels: a row at a time, all points at once.
#[inline]
fn descend<const POINTS: usize>(states: &[u8], products: &[f64], ratios: &ByState<POINTS>, below: &mut [f64]) {
    let (products, below) = (products.as_chunks::<POINTS>().0, below.as_chunks_mut::<POINTS>().0);
    for ((state, product), below) in states.iter().zip(products).zip(below) {
        let ratio = &ratios[(state & 3) as usize];
        *below = std::array::from_fn(|i| product[i] * ratio[i]);
    }
}

#[inline]
fn take_leaves<'a, const POINTS: usize>(
    states: &[u8],
    products: &[f64],
    [sums, integrand]: &[ByState<POINTS>; 2],
    to: &mut [f64],
    contributions: impl Iterator<Item = &'a mut f64>,
) {
    let (products, to) = (products.as_chunks::<POINTS>().0, to.as_chunks_mut::<POINTS>().0);
    for (((state, product), to), contribution) in states.iter().zip(products).zip(to).zip(contributions) {
        let state = (state & 3) as usize;
        *to = std::array::from_fn(|i| product[i] * sums[state][i]);
        *contribution += dot(product, &integrand[state]);
    }
}

#[inline]
fn contribute<'a, const POINTS: usize>(
    states: &[u8],
    found: &[f64],
    slopes: &ByState<POINTS>,
    contributions: impl Iterator<Item = &'a mut f64>,
) {
    for ((state, found), contribution) in states.iter().zip(found.as_chunks::<POINTS>().0).zip(contributions) {
        *contribution += dot(found, &slopes[(state & 3) as usize]);
    }
}

/// In two sums, of even and of odd points.
#[inline]
fn dot<const POINTS: usize>(a: &[f64; POINTS], b: &[f64; POINTS]) -> f64 {
    let mut sums = [0.0; 2];
    for i in 0..POINTS / 2 {
        sums[0] += a[2 * i] * b[2 * i];
        sums[1] += a[2 * i + 1] * b[2 * i + 1];
    }
    sums[0] + sums[1]
}

/// Points of integration, at most: exact for paths of twice as many features, and to the last digits beyond.
const MOST_POINTS: usize = 64;

/// How many points integrate the products of paths that ask so many features; an even number.
fn n_points(most_features: usize) -> usize {
    match most_features.div_ceil(2) {
        0..=2 => 2,
        3..=4 => 4,
        5..=6 => 6,
        7..=8 => 8,
        9..=12 => 12,
        13..=16 => 16,
        17..=32 => 32,
        _ => MOST_POINTS,
    }
}

/// The rules of integration that an ensemble needs, by number of points.
pub(super) struct Rules(BTreeMap<usize, Vec<[f64; 2]>>);

impl Rules {
    /// For trees whose paths ask so many features, at most.
    pub(super) fn new(most_features: &[usize]) -> Self {
        let mut rules = BTreeMap::new();
        for n in most_features.iter().map(|most| n_points(*most)) {
            rules.entry(n).or_insert_with(|| gauss_legendre(n));
        }
        Rules(rules)
    }

    fn of<const POINTS: usize>(&self) -> Rule<POINTS> {
        let rule = &self.0[&POINTS];
        Rule { points: std::array::from_fn(|i| rule[i][0]), weights: std::array::from_fn(|i| rule[i][1]) }
    }
}

/// Points and weights that integrate polynomials of degree up to 2n − 1 over [0, 1] exactly.
///
/// # References
/// Roots of the Legendre polynomial by Newton's method; Press et al., "Numerical Recipes", section 4.6.
fn gauss_legendre(n_points: usize) -> Vec<[f64; 2]> {
    let n = n_points as f64;
    let of = |i: usize| {
        let mut x = numeric::cos(std::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5));
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut before, mut value) = (0.0, 1.0);
            for j in 0..n_points {
                let j = j as f64;
                (before, value) = (value, ((2.0 * j + 1.0) * x * value - j * before) / (j + 1.0));
            }
            slope = n * (x * value - before) / (x * x - 1.0);
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        [0.5 - 0.5 * x, 1.0 / ((1.0 - x * x) * slope * slope)]
    };
    (0..n_points).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_integrate_polynomials() {
        let rule = gauss_legendre(8);
        for power in 0..16 {
            let found: f64 = rule.iter().map(|[t, w]| w * t.powi(power)).sum();
            assert!((found - 1.0 / f64::from(power + 1)).abs() < 1e-14, "{power}: {found}");
        }
    }
}
