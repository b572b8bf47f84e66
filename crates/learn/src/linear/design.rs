//! The design matrix of a linear fit, as it lies in the features: columns of numbers, standardised on the fly, and
//! one-hot groups, one index per row, never expanded. Products with it, and its Gram matrices.
//!
//! Unknowns are numbered: the intercept, the numbers, the levels of the groups. Standardising is for conditioning
//! alone; [`Design::norm`] says what an unknown weighs on the features' own scale, so that penalties keep their meaning.

use std::ops::Range;

use rayon::prelude::*;
use tabwright_core::rows::BLOCK_ROWS;
use tabwright_model::{FeatureColumn, Features};

use super::dense::{LANES, Strip, Symmetric, combine, outer_block, padded};
use super::{Error, Result};

/// Rows of which a few columns stay in the first-level cache.
pub(super) const CHUNK_ROWS: usize = 1_024;
/// Most stripes that a pass is cut into, hence most threads that work on one fit.
const STRIPES: usize = 32;
/// Most numbers that the partial results of one pass may take: 128 MB.
const PARTIAL_NUMBERS: usize = 1 << 24;
/// Numbers in a tile of standardised rows, for the second-level cache.
const TILE_NUMBERS: usize = 1 << 14;
/// A spread below this many units of rounding of the mean is that of a constant.
const CONSTANT_ROUNDING: f64 = 8.0;
/// A smaller spread is that of a constant, too: the square of its inverse, by which penalties grow, must be a number.
const LEAST_DEVIATION: f64 = 1e-100;

/// A column of numbers.
#[derive(Debug)]
struct Number<'a> {
    values: &'a [f64],
    mean: f64,
    /// 1 / standard deviation, or 0 for a constant.
    inverse: f64,
}

/// A one-hot group.
#[derive(Debug)]
pub(super) struct Group<'a> {
    codes: &'a [u32],
    width: usize,
    /// The unknown of its first level.
    first: usize,
    /// Total weight of its levels.
    levels: Vec<f64>,
    /// Whether every row that counts has a level.
    covers: bool,
}

impl Group<'_> {
    /// The unknowns of its levels.
    pub(super) fn unknowns(&self) -> Range<usize> {
        self.first..self.first + self.width
    }

    /// Total weight of each level.
    pub(super) fn levels(&self) -> &[f64] {
        &self.levels
    }

    /// Whether every row that counts has a level.
    pub(super) fn covers(&self) -> bool {
        self.covers
    }
}

/// The design matrix of some rows.
#[derive(Debug)]
pub(super) struct Design<'a> {
    n_rows: usize,
    weights: Option<&'a [f64]>,
    total_weight: f64,
    fit_intercept: bool,
    numbers: Vec<Number<'a>>,
    groups: Vec<Group<'a>>,
    /// Where each unknown but the intercept stands among the weights of the model.
    external: Vec<usize>,
}

impl<'a> Design<'a> {
    /// Looks at the features of rows with the given weights (all 1 if `None`), of which at least one is positive.
    ///
    /// # Errors
    /// [`Error::CodeColumn`], [`Error::NotFinite`] and [`Error::TooLarge`].
    pub(super) fn new(features: &'a Features, weights: Option<&'a [f64]>, fit_intercept: bool) -> Result<Self> {
        let n_rows = features.n_rows();
        let total_weight = weights.map_or(n_rows as f64, |w| blocked_sum(n_rows, |i| w[i]));
        if !total_weight.is_finite() {
            return Err(Error::Overflow);
        }
        let mut starts = Vec::with_capacity(features.columns().len());
        let (mut at, mut n_numbers) = (0, 0);
        for (feature, column) in features.columns().iter().enumerate() {
            starts.push(at);
            at += column.width();
            match column {
                FeatureColumn::Number(_) => n_numbers += 1,
                FeatureColumn::OneHot { .. } => {}
                FeatureColumn::Code { .. } => return Err(Error::CodeColumn { feature }),
            }
        }
        let number = |(feature, column): (usize, &'a FeatureColumn)| match column {
            FeatureColumn::Number(values) => Some(standardise(feature, values, weights, total_weight, fit_intercept)),
            _ => None,
        };
        let numbers: Vec<Number<'a>> =
            features.columns().par_iter().enumerate().filter_map(number).collect::<Result<_>>()?;
        let mut external = Vec::with_capacity(at);
        let is_number = |column: &FeatureColumn| matches!(column, FeatureColumn::Number(_));
        external.extend(features.columns().iter().zip(&starts).filter(|(c, _)| is_number(c)).map(|(_, &start)| start));
        let mut groups = Vec::new();
        for (column, &start) in features.columns().iter().zip(&starts) {
            if let FeatureColumn::OneHot { codes, width } = column {
                groups.push((codes.as_slice(), *width as usize, 1 + external.len()));
                external.extend(start..start + *width as usize);
            }
        }
        debug_assert_eq!(numbers.len(), n_numbers);
        let groups = groups.into_par_iter().map(|(codes, width, first)| group(codes, width, first, weights)).collect();
        Ok(Design { n_rows, weights, total_weight, fit_intercept, numbers, groups, external })
    }

    /// How many rows there are.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// How many unknowns there are, the intercept included.
    pub(super) fn n_unknowns(&self) -> usize {
        1 + self.external.len()
    }

    /// Entries of a row that are not 0.
    pub(super) fn row_cost(&self) -> usize {
        1 + self.numbers.len() + self.groups.len()
    }

    /// The sum of the weights.
    pub(super) fn total_weight(&self) -> f64 {
        self.total_weight
    }

    /// The weight of a row, by which the weights of all rows sum to 1.
    pub(super) fn share(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row]) / self.total_weight
    }

    /// Whether the first unknown is one.
    pub(super) fn fit_intercept(&self) -> bool {
        self.fit_intercept
    }

    /// The one-hot groups.
    pub(super) fn groups(&self) -> &[Group<'a>] {
        &self.groups
    }

    /// The weight of each unknown on the features' own scale for a value of 1; 0 for the intercept.
    pub(super) fn norm(&self) -> Vec<f64> {
        let mut norm = vec![1.0; self.n_unknowns()];
        norm[0] = 0.0;
        for (norm, number) in norm[1..].iter_mut().zip(&self.numbers) {
            *norm = number.inverse;
        }
        norm
    }

    /// The means of the columns: 0 for numbers, the shares of levels.
    pub(super) fn means(&self) -> Vec<f64> {
        let mut means = vec![0.0; self.n_unknowns()];
        means[0] = 1.0;
        for group in &self.groups {
            for (mean, level) in means[group.unknowns()].iter_mut().zip(&group.levels) {
                *mean = level / self.total_weight;
            }
        }
        means
    }

    /// The intercept and the weights, in the order of the features and on their scale, that unknowns stand for.
    pub(super) fn to_weights(&self, unknowns: &[f64]) -> (f64, Vec<f64>) {
        let mut weights = vec![0.0; self.external.len()];
        for (&at, value) in self.external.iter().zip(&unknowns[1..]) {
            weights[at] = *value;
        }
        let mut intercept = unknowns[0];
        for ((number, &at), value) in self.numbers.iter().zip(&self.external).zip(&unknowns[1..]) {
            weights[at] = value * number.inverse;
            intercept -= weights[at] * number.mean;
        }
        (intercept, weights)
    }

    /// Fills `out` with the scores of some rows.
    pub(super) fn scores(&self, rows: Range<usize>, unknowns: &[f64], out: &mut [f64]) {
        out.fill(unknowns[0]);
        for (number, value) in self.numbers.iter().zip(&unknowns[1..]) {
            let (slope, mean) = (value * number.inverse, number.mean);
            for (out, x) in out.iter_mut().zip(&number.values[rows.clone()]) {
                *out += slope * (x - mean);
            }
        }
        for group in &self.groups {
            let levels = &unknowns[group.unknowns()];
            for (out, &code) in out.iter_mut().zip(&group.codes[rows.clone()]) {
                *out += levels.get(code as usize).copied().unwrap_or(0.0);
            }
        }
    }

    /// Adds the products of the columns with `residuals` to `out`, for some rows.
    pub(super) fn add_products(&self, rows: Range<usize>, residuals: &[f64], out: &mut [f64]) {
        out[0] += residuals.iter().fold(0.0, |a, b| a + b);
        for (number, out) in self.numbers.iter().zip(&mut out[1..]) {
            *out += dot_centred(&number.values[rows.clone()], number.mean, residuals) * number.inverse;
        }
        for group in &self.groups {
            let levels = &mut out[group.unknowns()];
            for (residual, &code) in residuals.iter().zip(&group.codes[rows.clone()]) {
                if let Some(level) = levels.get_mut(code as usize) {
                    *level += residual;
                }
            }
        }
    }

    /// The Gram matrix under the weights of the rows, which sum to 1.
    pub(super) fn gram(&self) -> Symmetric {
        let part = |rows: Range<usize>| {
            let (mut gram, mut tile, mut weights) = (Gram::new(self), Tile::new(self), Vec::new());
            let end = rows.end;
            for from in rows.step_by(Tile::capacity(self)) {
                let rows = from..(from + Tile::capacity(self)).min(end);
                weights.clear();
                weights.extend(rows.clone().map(|i| self.share(i)));
                tile.load(self, rows);
                gram.add(&mut tile, &weights);
            }
            gram
        };
        let parts: Vec<Gram> = self.stripes(Gram::size(self)).into_par_iter().map(part).collect();
        let mut parts = parts.into_iter();
        let mut sum = parts.next().unwrap_or_else(|| Gram::new(self));
        parts.for_each(|part| sum.merge(&part));
        let mut matrix = Symmetric::zeros(self.n_unknowns());
        sum.write(&mut matrix, 0, 0);
        matrix
    }

    /// Cuts the rows into stripes of whole blocks for a pass whose partial results have `partial` numbers.
    ///
    /// # Determinism
    /// The cuts depend on the sizes alone.
    pub(super) fn stripes(&self, partial: usize) -> Vec<Range<usize>> {
        let blocks = self.n_rows.div_ceil(BLOCK_ROWS);
        let most = (PARTIAL_NUMBERS / partial.max(1)).clamp(1, STRIPES);
        // Adding up partial results should cost less than making them.
        let worthwhile = (4 * partial).div_ceil(BLOCK_ROWS * self.row_cost());
        let rows = blocks.div_ceil(most).max(worthwhile).max(1) * BLOCK_ROWS;
        (0..self.n_rows).step_by(rows).map(|start| start..(start + rows).min(self.n_rows)).collect()
    }
}

/// Cuts rows into chunks.
pub(super) fn chunks(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = rows.end;
    rows.step_by(CHUNK_ROWS).map(move |start| start..(start + CHUNK_ROWS).min(end))
}

/// A sum with eight running sums per block, blocks added in order, on this thread.
fn blocked_sum(n: usize, value: impl Fn(usize) -> f64) -> f64 {
    let mut total = 0.0;
    for start in (0..n).step_by(BLOCK_ROWS) {
        let end = (start + BLOCK_ROWS).min(n);
        let mut sums = [0.0; 8];
        let even = start + (end - start) / 8 * 8;
        for i in (start..even).step_by(8) {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum += value(i + lane);
            }
        }
        total += combine(sums) + (even..end).fold(0.0, |sum, i| sum + value(i));
    }
    total
}

fn dot_centred(values: &[f64], mean: f64, residuals: &[f64]) -> f64 {
    let (x, x_rest) = values.as_chunks::<8>();
    let (r, r_rest) = residuals.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (x, r) in x.iter().zip(r) {
        for ((sum, x), r) in sums.iter_mut().zip(x).zip(r) {
            *sum += (x - mean) * r;
        }
    }
    let rest = x_rest.iter().zip(r_rest).fold(0.0, |sum, (x, r)| sum + (x - mean) * r);
    combine(sums) + rest
}

fn standardise<'a>(
    feature: usize,
    values: &'a [f64],
    weights: Option<&[f64]>,
    total_weight: f64,
    centred: bool,
) -> Result<Number<'a>> {
    if let Some(row) = values.iter().position(|x| !x.is_finite()) {
        return Err(Error::NotFinite { feature, row, found: values[row] });
    }
    let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
    let n = values.len();
    let rough = if centred { blocked_sum(n, |i| weight(i) * values[i]) / total_weight } else { 0.0 };
    // The second pass mends what the first one rounded.
    let shift = if centred { blocked_sum(n, |i| weight(i) * (values[i] - rough)) / total_weight } else { 0.0 };
    let mean = rough + shift;
    let square = |i: usize| weight(i) * ((values[i] - mean) * (values[i] - mean));
    let deviation = (blocked_sum(n, square) / total_weight).sqrt();
    if !deviation.is_finite() {
        return Err(Error::TooLarge { feature });
    }
    let constant = deviation <= CONSTANT_ROUNDING * f64::EPSILON * mean.abs() || deviation < LEAST_DEVIATION;
    Ok(Number { values, mean, inverse: if constant { 0.0 } else { 1.0 / deviation } })
}

fn group<'a>(codes: &'a [u32], width: usize, first: usize, weights: Option<&[f64]>) -> Group<'a> {
    let mut levels = vec![0.0; width];
    let mut covers = true;
    for (i, &code) in codes.iter().enumerate() {
        let weight = weights.map_or(1.0, |w| w[i]);
        match levels.get_mut(code as usize) {
            Some(level) => *level += weight,
            None => covers &= weight == 0.0,
        }
    }
    Group { codes, width, first, levels, covers }
}

/// Some rows, standardised and turned into strips of four columns, and the places of their levels.
#[derive(Debug)]
pub(super) struct Tile {
    rows: usize,
    strips: Vec<Strip>,
    /// `(rows, groups)`; a row without a level points behind the last one.
    slots: Vec<u32>,
    weighted: Vec<Strip>,
}

impl Tile {
    /// A tile for the rows of a design.
    pub(super) fn new(design: &Design<'_>) -> Self {
        let width = padded(1 + design.numbers.len()) / LANES;
        let rows = Self::capacity(design);
        Tile {
            rows: 0,
            strips: vec![[0.0; LANES]; width * rows],
            slots: vec![0; design.groups.len() * rows],
            weighted: vec![[0.0; LANES]; width * rows],
        }
    }

    /// How many rows fit a tile.
    pub(super) fn capacity(design: &Design<'_>) -> usize {
        (TILE_NUMBERS / padded(1 + design.numbers.len())).clamp(8, 256)
    }

    /// Loads rows.
    pub(super) fn load(&mut self, design: &Design<'_>, rows: Range<usize>) {
        self.rows = rows.len();
        let strips = padded(1 + design.numbers.len()) / LANES;
        self.strips[..strips * self.rows].fill([0.0; LANES]);
        self.strips[..self.rows].iter_mut().for_each(|strip| strip[0] = 1.0);
        for (number, column) in design.numbers.iter().zip(1..) {
            let strip = &mut self.strips[column / LANES * self.rows..][..self.rows];
            for (strip, x) in strip.iter_mut().zip(&number.values[rows.clone()]) {
                strip[column % LANES] = (x - number.mean) * number.inverse;
            }
        }
        let (n_groups, offset) = (design.groups.len(), 1 + design.numbers.len());
        let none = (design.n_unknowns() - offset) as u32;
        for (at, group) in design.groups.iter().enumerate() {
            let first = (group.first - offset) as u32;
            let slots = self.slots[at..].iter_mut().step_by(n_groups);
            for (slot, &code) in slots.zip(&group.codes[rows.clone()]) {
                *slot = if (code as usize) < group.width { first + code } else { none };
            }
        }
    }
}

/// The Gram matrix of a design under weights per row, while it is summed.
#[derive(Debug)]
pub(super) struct Gram {
    /// Intercept and numbers, padded.
    width: usize,
    n_numbers: usize,
    n_slots: usize,
    n_groups: usize,
    numbers: Vec<f64>,
    /// `(slots + 1, width)`: numbers summed by level; the last row is for rows without one.
    cross: Vec<f64>,
    /// `(slots + 1, slots + 1)`, above the diagonal; kept where there are two groups.
    pairs: Vec<f64>,
}

impl Gram {
    /// A Gram matrix of zeros.
    pub(super) fn new(design: &Design<'_>) -> Self {
        let n_numbers = design.numbers.len();
        let (width, n_slots) = (padded(1 + n_numbers), design.n_unknowns() - 1 - n_numbers);
        let n_groups = design.groups.len();
        let pairs = if n_groups > 1 { (n_slots + 1) * (n_slots + 1) } else { 0 };
        Gram {
            width,
            n_numbers,
            n_slots,
            n_groups,
            numbers: vec![0.0; width * width],
            cross: vec![0.0; if n_groups > 0 { (n_slots + 1) * width } else { 0 }],
            pairs: vec![0.0; pairs],
        }
    }

    /// Adds the rows of a tile under weights.
    pub(super) fn add(&mut self, tile: &mut Tile, weights: &[f64]) {
        let rows = tile.rows;
        let strips = self.width / LANES;
        for (strip, weighted) in tile.strips.chunks_exact(rows).zip(tile.weighted.chunks_exact_mut(rows)).take(strips) {
            for ((weighted, x), h) in weighted.iter_mut().zip(strip).zip(weights) {
                *weighted = x.map(|x| h * x);
            }
        }
        for i in 0..strips {
            let left = &tile.weighted[i * rows..(i + 1) * rows];
            for j in i..strips {
                let block = outer_block(left, &tile.strips[j * rows..(j + 1) * rows]);
                for (row, sums) in block.iter().enumerate() {
                    let at = (i * LANES + row) * self.width + j * LANES;
                    for (value, sum) in self.numbers[at..at + LANES].iter_mut().zip(sums) {
                        *value += sum;
                    }
                }
            }
        }
        if self.n_groups > 0 {
            self.add_cross(tile);
        }
        if self.n_groups > 1 {
            self.add_pairs(tile, weights);
        }
    }

    fn add_cross(&mut self, tile: &Tile) {
        for (i, strip) in tile.weighted.chunks_exact(tile.rows).take(self.width / LANES).enumerate() {
            for (x, slots) in strip.iter().zip(tile.slots.chunks_exact(self.n_groups)) {
                for &slot in slots {
                    let at = slot as usize * self.width + i * LANES;
                    for (sum, x) in self.cross[at..at + LANES].iter_mut().zip(x) {
                        *sum += x;
                    }
                }
            }
        }
    }

    fn add_pairs(&mut self, tile: &Tile, weights: &[f64]) {
        let stride = self.n_slots + 1;
        for (h, slots) in weights.iter().zip(tile.slots.chunks_exact(self.n_groups)) {
            for (i, &a) in slots.iter().enumerate() {
                let row = &mut self.pairs[a as usize * stride..][..stride];
                for &b in &slots[i + 1..] {
                    row[b as usize] += h;
                }
            }
        }
    }

    /// Adds another part.
    pub(super) fn merge(&mut self, other: &Gram) {
        for (mine, theirs) in
            [(&mut self.numbers, &other.numbers), (&mut self.cross, &other.cross), (&mut self.pairs, &other.pairs)]
        {
            mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        }
    }

    /// Numbers that are kept.
    pub(super) fn size(design: &Design<'_>) -> usize {
        let n_numbers = design.numbers.len();
        let (width, slots) = (padded(1 + n_numbers), design.n_unknowns() - n_numbers);
        width * width + slots * width + if design.groups.len() > 1 { slots * slots } else { 0 }
    }

    /// An entry for two unknowns, i ≤ j.
    fn get(&self, i: usize, j: usize) -> f64 {
        let offset = 1 + self.n_numbers;
        if j < offset {
            self.numbers[i * self.width + j]
        } else if i < offset {
            self.cross[(j - offset) * self.width + i]
        } else if i == j {
            // A level's square is the level itself.
            self.cross[(j - offset) * self.width]
        } else if self.pairs.is_empty() {
            0.0
        } else {
            self.pairs[(i - offset) * (self.n_slots + 1) + (j - offset)]
        }
    }

    /// Writes the matrix into a larger one, at a row and a column of blocks.
    pub(super) fn write(&self, into: &mut Symmetric, row: usize, column: usize) {
        let n = 1 + self.n_numbers + self.n_slots;
        for i in 0..n {
            for j in i..n {
                let value = self.get(i, j);
                *into.at(row * n + i, column * n + j) = value;
                if row != column {
                    *into.at(row * n + j, column * n + i) = value;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tabwright_model::features::ONE_HOT_NONE;

    use super::*;

    proptest! {
        #[test]
        fn gram_matrix_scores_and_products_are_those_of_the_expanded_matrix(
            rows in prop::collection::vec((-5.0..5.0_f64, 0_u32..4, 10.0..11.0_f64, 0_u32..3, 0.0..2.0_f64), 2..300),
            unknowns in prop::collection::vec(-2.0..2.0_f64, 8),
        ) {
            let none = |code: u32, width: u32| if code == width { ONE_HOT_NONE } else { code };
            let weights: Vec<f64> = rows.iter().map(|r| r.4 + 1e-3).collect();
            let features = Features::new(rows.len(), vec![
                FeatureColumn::OneHot { codes: rows.iter().map(|r| none(r.1, 3)).collect(), width: 3 },
                FeatureColumn::Number(rows.iter().map(|r| r.0).collect()),
                FeatureColumn::OneHot { codes: rows.iter().map(|r| none(r.3, 2)).collect(), width: 2 },
                FeatureColumn::Number(rows.iter().map(|r| r.2).collect()),
            ]);
            let design = Design::new(&features, Some(&weights), true).unwrap();
            prop_assert_eq!(&design.external, &[3, 6, 0, 1, 2, 4, 5]);
            let expanded: Vec<Vec<f64>> = rows.iter().map(|r| {
                let z = |number: usize, x: f64| (x - design.numbers[number].mean) * design.numbers[number].inverse;
                let one = |on: bool| f64::from(u8::from(on));
                let levels = [one(r.1 == 0), one(r.1 == 1), one(r.1 == 2), one(r.3 == 0), one(r.3 == 1)];
                [&[1.0, z(0, r.0), z(1, r.2)], levels.as_slice()].concat()
            }).collect();
            let n = rows.len();
            let mut gram = Gram::new(&design);
            let mut tile = Tile::new(&design);
            let (mut scores, mut products) = (vec![0.0; n], vec![0.0; 8]);
            for start in (0..n).step_by(100) {
                let part = start..(start + 100).min(n);
                tile.load(&design, part.clone());
                gram.add(&mut tile, &weights[part.clone()]);
                design.scores(part.clone(), &unknowns, &mut scores[part.clone()]);
                design.add_products(part.clone(), &weights[part], &mut products);
            }
            let mut dense = Symmetric::zeros(8);
            gram.write(&mut dense, 0, 0);
            for i in 0..8 {
                for j in i..8 {
                    let wanted: f64 = expanded.iter().zip(&weights).map(|(x, w)| w * x[i] * x[j]).sum();
                    prop_assert!((dense.get(i, j) - wanted).abs() <= 1e-10 * n as f64, "{i} {j}");
                }
                let wanted: f64 = expanded.iter().zip(&weights).map(|(x, w)| w * x[i]).sum();
                prop_assert!((products[i] - wanted).abs() <= 1e-10 * n as f64);
            }
            for (x, score) in expanded.iter().zip(&scores) {
                let wanted: f64 = x.iter().zip(&unknowns).map(|(x, u)| x * u).sum();
                prop_assert!((score - wanted).abs() <= 1e-11);
            }
        }
    }
}
