//! Small dense linear algebra for the linear solvers: a register-blocked product, the Cholesky factorisation with
//! pivoting, and systems that may be rank-deficient.
//!
//! Plain loops whose order of additions is written out, so that every processor and every number of threads gives the
//! same bits. Meant for up to about two thousand unknowns; nothing here knows of rows or features.

use rayon::prelude::*;

/// Columns that stand side by side in a [`Strip`].
pub(super) const LANES: usize = 4;
/// Four neighbouring columns of one row.
pub(super) type Strip = [f64; LANES];

/// Rows of the factor that are finished before the rest is updated with all of them: what fits the second-level cache.
const PANEL: usize = 64;
/// Order from which the update of the rest is worth handing to other threads.
const PARALLEL_ORDER: usize = 256;
/// A pivot below this many units of rounding (times the order) of the unit diagonal is taken for zero.
const RANK_ROUNDING: f64 = 8.0;
/// A null vector whose share of weights is below this (squared) moves intercepts alone.
const PURE_INTERCEPT: f64 = 1e-16;
/// A vector of which orthogonalisation leaves less than this (squared) depends on those before it.
const DEPENDENT: f64 = 1e-20;

/// The 4 × 4 products of two strips, summed over the rows in order.
#[inline]
pub(super) fn outer_block(a: &[Strip], b: &[Strip]) -> [Strip; LANES] {
    let mut sums = [[0.0; LANES]; LANES];
    for (a, b) in a.iter().zip(b) {
        for (sums, x) in sums.iter_mut().zip(a) {
            for (sum, y) in sums.iter_mut().zip(b) {
                *sum += x * y;
            }
        }
    }
    sums
}

/// A dot product with eight running sums, combined in a fixed order.
#[inline]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, x), y) in sums.iter_mut().zip(a).zip(b) {
            *sum += x * y;
        }
    }
    let rest = a_rest.iter().zip(b_rest).fold(0.0, |sum, (x, y)| sum + x * y);
    combine(sums) + rest
}

/// Adds eight running sums in a fixed order.
#[inline]
pub(super) fn combine(s: [f64; 8]) -> f64 {
    ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

/// `y += factor · x`.
#[inline]
pub(super) fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += factor * x;
    }
}

/// The next multiple of [`LANES`].
pub(super) fn padded(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

/// A symmetric matrix of which the upper triangle is kept, row by row; rows are padded with zeros.
#[derive(Debug, Clone)]
pub(super) struct Symmetric {
    n: usize,
    stride: usize,
    values: Vec<f64>,
}

impl Symmetric {
    pub(super) fn zeros(n: usize) -> Self {
        let stride = padded(n);
        Symmetric { n, stride, values: vec![0.0; stride * stride] }
    }

    /// The order.
    pub(super) fn n(&self) -> usize {
        self.n
    }

    /// An entry, from either side of the diagonal.
    pub(super) fn get(&self, i: usize, j: usize) -> f64 {
        self.values[i.min(j) * self.stride + i.max(j)]
    }

    /// An entry on or above the diagonal, to be changed.
    pub(super) fn at(&mut self, i: usize, j: usize) -> &mut f64 {
        debug_assert!(i <= j);
        &mut self.values[i * self.stride + j]
    }
}

/// `PᵀAP = UᵀU`, as far as the rank goes.
#[derive(Debug)]
struct Factor {
    upper: Symmetric,
    /// Which unknown stands at each place.
    order: Vec<usize>,
    rank: usize,
}

impl Factor {
    /// Factors a positive semi-definite matrix with unit diagonal; the first `leading` unknowns are eliminated first.
    ///
    /// # References
    /// C. Lucas, "LAPACK-style codes for level 2 and 3 pivoted Cholesky factorizations", LAPACK Working Note 161, 2004.
    fn new(mut a: Symmetric, leading: usize) -> Self {
        let (n, stride) = (a.n, a.stride);
        let tolerance = RANK_ROUNDING * f64::EPSILON * n as f64;
        let mut order: Vec<usize> = (0..n).collect();
        let mut eliminated = vec![0.0; stride];
        for start in (0..n).step_by(PANEL) {
            let end = (start + PANEL).min(n);
            eliminated.fill(0.0);
            for j in start..end {
                let rest = |i: usize| a.values[i * stride + i] - eliminated[i];
                let larger = |best: usize, i: usize| if rest(i) > rest(best) { i } else { best };
                let pivot = if j < leading { j } else { (j + 1..n).fold(j, larger) };
                let value = rest(pivot);
                // The negated form stops at NaN, too.
                if value.is_nan() || value <= tolerance {
                    return Factor { upper: a, order, rank: j };
                }
                swap(&mut a, j, pivot);
                eliminated.swap(j, pivot);
                order.swap(j, pivot);
                finish_row(&mut a, start, j, value.sqrt());
                for (sum, u) in eliminated[j + 1..].iter_mut().zip(&a.values[j * stride + j + 1..(j + 1) * stride]) {
                    *sum += u * u;
                }
            }
            if end < n {
                update_rest(&mut a, start, end);
            }
        }
        Factor { upper: a, order, rank: n }
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.upper.values[i * self.upper.stride..][..self.upper.stride]
    }

    /// Solves for the first `rank` unknowns of the order; the others are 0.
    fn solve(&self, rhs: &[f64]) -> Vec<f64> {
        let mut y: Vec<f64> = self.order[..self.rank].iter().map(|&i| rhs[i]).collect();
        for j in 0..self.rank {
            let row = self.row(j);
            y[j] /= row[j];
            let value = y[j];
            add_scaled(&mut y[j + 1..], -value, &row[j + 1..self.rank]);
        }
        self.back_substitute(&mut y);
        let mut x = vec![0.0; rhs.len()];
        for (&i, value) in self.order.iter().zip(&y) {
            x[i] = *value;
        }
        x
    }

    fn back_substitute(&self, y: &mut [f64]) {
        for j in (0..self.rank).rev() {
            let row = self.row(j);
            y[j] = (y[j] - dot(&row[j + 1..self.rank], &y[j + 1..])) / row[j];
        }
    }

    /// Vectors that span the null space.
    fn null_space(&self) -> Vec<Vec<f64>> {
        let null = |free: usize| {
            let mut y: Vec<f64> = (0..self.rank).map(|j| -self.row(j)[free]).collect();
            self.back_substitute(&mut y);
            let mut x = vec![0.0; self.order.len()];
            for (&i, value) in self.order.iter().zip(&y) {
                x[i] = *value;
            }
            x[self.order[free]] = 1.0;
            x
        };
        (self.rank..self.order.len()).into_par_iter().map(null).collect()
    }

    /// Vectors that span the row space, from the given row on.
    fn row_space(&self, first: usize) -> Vec<Vec<f64>> {
        let unordered = |j: usize| {
            let mut x = vec![0.0; self.order.len()];
            for (at, &i) in self.order.iter().enumerate().skip(j) {
                x[i] = self.row(j)[at];
            }
            x
        };
        (first..self.rank).map(unordered).collect()
    }
}

/// Exchanges two unknowns, i ≤ j.
fn swap(a: &mut Symmetric, i: usize, j: usize) {
    if i == j {
        return;
    }
    let (stride, v) = (a.stride, &mut a.values);
    for t in 0..i {
        v.swap(t * stride + i, t * stride + j);
    }
    v.swap(i * stride + i, j * stride + j);
    for t in i + 1..j {
        v.swap(i * stride + t, t * stride + j);
    }
    for t in j + 1..a.n {
        v.swap(i * stride + t, j * stride + t);
    }
}

/// Turns row `j` into a row of the factor, given those of its panel above it.
fn finish_row(a: &mut Symmetric, start: usize, j: usize, root: f64) {
    let stride = a.stride;
    let (above, below) = a.values.split_at_mut(j * stride);
    let row = &mut below[..stride];
    for above in above[start * stride..].chunks_exact(stride) {
        add_scaled(&mut row[j + 1..], -above[j], &above[j + 1..]);
    }
    row[j] = root;
    let inverse = 1.0 / root;
    row[j + 1..].iter_mut().for_each(|u| *u *= inverse);
}

/// Subtracts what a finished panel explains from the rest of the matrix.
fn update_rest(a: &mut Symmetric, start: usize, end: usize) {
    let stride = a.stride;
    let (done, rest) = a.values.split_at_mut(end * stride);
    let panel = &done[start * stride..];
    let depth = end - start;
    let mut strips: Vec<Strip> = Vec::with_capacity((stride - end) / LANES * depth);
    for column in (end..stride).step_by(LANES) {
        strips.extend(panel.chunks_exact(stride).map(|row| {
            let row = &row[column..column + LANES];
            [row[0], row[1], row[2], row[3]]
        }));
    }
    let update = |(i, rows): (usize, &mut [f64])| {
        let left = &strips[i * depth..(i + 1) * depth];
        for (j, right) in strips.chunks_exact(depth).enumerate().skip(i) {
            let column = end + j * LANES;
            for (row, sums) in rows.chunks_exact_mut(stride).zip(outer_block(left, right)) {
                for (value, sum) in row[column..column + LANES].iter_mut().zip(sums) {
                    *value -= sum;
                }
            }
        }
    };
    if stride - end >= PARALLEL_ORDER {
        rest.par_chunks_mut(LANES * stride).enumerate().for_each(update);
    } else {
        rest.chunks_mut(LANES * stride).enumerate().for_each(update);
    }
}

/// Vectors, orthonormal under the weights of the norm, that bring a solution to its minimum norm.
#[derive(Debug)]
enum Basis {
    /// The matrix has full rank.
    None,
    /// What is taken away.
    Null(Vec<Vec<f64>>),
    /// What alone is kept; the leading unknown then follows from its row of the matrix.
    Row(Vec<Vec<f64>>),
}

/// A positive semi-definite system, factored, whose solution has the least norm where it is not unique.
#[derive(Debug)]
pub(super) struct System {
    n: usize,
    /// The unknowns that occur at all.
    active: Vec<usize>,
    /// Square roots of the diagonal: the factor is that of the matrix with unit diagonal.
    scale: Vec<f64>,
    /// The weight of each unknown in the norm, squared; 0 for intercepts.
    norm: Vec<f64>,
    factor: Factor,
    basis: Basis,
    /// Row of the leading unknown, where there is one.
    border: Vec<f64>,
}

impl System {
    /// Factors a matrix. `norm` holds the weight of each unknown in the norm that is kept small: 0 for an intercept.
    /// With `leading`, the first unknown is an intercept that is eliminated first. Unknowns with a zero on the
    /// diagonal, or that `used` leaves out, are solved as 0.
    pub(super) fn new(a: &Symmetric, norm: &[f64], leading: bool, used: impl Fn(usize) -> bool) -> Self {
        let active: Vec<usize> = (0..a.n()).filter(|&i| used(i) && a.get(i, i) > 0.0).collect();
        let scale: Vec<f64> = active.iter().map(|&i| a.get(i, i).sqrt()).collect();
        let mut unit = Symmetric::zeros(active.len());
        for (p, &i) in active.iter().enumerate() {
            *unit.at(p, p) = 1.0;
            for (q, &j) in active.iter().enumerate().skip(p + 1) {
                *unit.at(p, q) = a.get(i, j) / (scale[p] * scale[q]);
            }
        }
        let leading = leading && active.first() == Some(&0);
        let factor = Factor::new(unit, usize::from(leading));
        let norm: Vec<f64> = active.iter().map(|&i| norm[i] * norm[i]).collect();
        let border = if leading { active.iter().map(|&j| a.get(0, j)).collect() } else { Vec::new() };
        let mut system = System { n: a.n(), active, scale, norm, factor, basis: Basis::None, border };
        system.basis = system.find_basis(leading);
        system
    }

    /// Whether the solution is unique.
    pub(super) fn has_full_rank(&self) -> bool {
        self.factor.rank == self.active.len()
    }

    fn find_basis(&self, leading: bool) -> Basis {
        let (rank, n) = (self.factor.rank, self.active.len());
        let intercepts = self.norm.iter().filter(|w| **w == 0.0).count();
        if rank == n {
            Basis::None
        } else if n - rank > rank && intercepts == usize::from(leading) {
            let mut rows = self.factor.row_space(usize::from(leading));
            for row in &mut rows {
                for ((x, t), w) in row.iter_mut().zip(&self.scale).zip(&self.norm) {
                    *x = if *w > 0.0 { *x * t / w } else { 0.0 };
                }
            }
            Basis::Row(orthonormal(rows, &self.norm))
        } else {
            let moves_weights = |x: &Vec<f64>| {
                let weights = x.iter().zip(&self.norm).filter(|(_, w)| **w > 0.0).fold(0.0, |s, (x, _)| s + x * x);
                weights > PURE_INTERCEPT * dot(x, x)
            };
            let mut null = self.factor.null_space();
            null.retain(moves_weights);
            for x in &mut null {
                x.iter_mut().zip(&self.scale).for_each(|(x, t)| *x /= t);
            }
            Basis::Null(orthonormal(null, &self.norm))
        }
    }

    /// Solves the system.
    pub(super) fn solve(&self, rhs: &[f64]) -> Vec<f64> {
        let scaled: Vec<f64> = self.active.iter().zip(&self.scale).map(|(&i, t)| rhs[i] / t).collect();
        let mut x = self.factor.solve(&scaled);
        x.iter_mut().zip(&self.scale).for_each(|(x, t)| *x /= t);
        match &self.basis {
            Basis::None => {}
            Basis::Null(basis) => {
                for q in basis {
                    let share = inner(q, &x, &self.norm);
                    add_scaled(&mut x, -share, q);
                }
            }
            Basis::Row(basis) => {
                let mut kept = vec![0.0; x.len()];
                for q in basis {
                    let share = inner(q, &x, &self.norm);
                    add_scaled(&mut kept, share, q);
                }
                x = kept;
                if let Some((first, rest)) = self.border.split_first() {
                    x[0] = (rhs[0] - dot(rest, &x[1..])) / first;
                }
            }
        }
        let mut full = vec![0.0; self.n];
        for (&i, value) in self.active.iter().zip(&x) {
            full[i] = *value;
        }
        full
    }
}

fn inner(a: &[f64], b: &[f64], weights: &[f64]) -> f64 {
    a.iter().zip(b).zip(weights).fold(0.0, |sum, ((a, b), w)| sum + a * b * w)
}

/// Gram and Schmidt's method, each vector against the others twice; dependent vectors are dropped.
fn orthonormal(vectors: Vec<Vec<f64>>, weights: &[f64]) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(vectors.len());
    for mut vector in vectors {
        let before = inner(&vector, &vector, weights);
        for _ in 0..2 {
            for q in &basis {
                let share = inner(q, &vector, weights);
                add_scaled(&mut vector, -share, q);
            }
        }
        let left = inner(&vector, &vector, weights);
        if left > DEPENDENT * before && left.is_finite() {
            let inverse = 1.0 / left.sqrt();
            vector.iter_mut().for_each(|x| *x *= inverse);
            basis.push(vector);
        }
    }
    basis
}

#[cfg(test)]
mod tests {
    use tabwright_core::random::{Keyed, Purpose};

    use super::*;

    /// `FᵀF` for random factors of a given rank, columns scaled unlike, and a right side in its range.
    fn system(n: usize, rank: usize) -> (Symmetric, Vec<f64>) {
        let keyed = Keyed::new(n as u64, Purpose::Example);
        let scale = |j: usize| if j.is_multiple_of(3) { 100.0 } else { 1.0 };
        let entry = |i: usize, j: usize| scale(j) * (keyed.uniform((i * n + j) as u64) - 0.5);
        let columns: Vec<Vec<f64>> = (0..n).map(|j| (0..rank).map(|i| entry(i, j)).collect()).collect();
        let mut a = Symmetric::zeros(n);
        for i in 0..n {
            for j in i..n {
                *a.at(i, j) = dot(&columns[i], &columns[j]);
            }
        }
        let target: Vec<f64> = (0..rank).map(|i| keyed.child(1).uniform(i as u64)).collect();
        (a, columns.iter().map(|column| dot(column, &target)).collect())
    }

    fn residual(a: &Symmetric, x: &[f64], rhs: &[f64]) -> f64 {
        let row = |i: usize| (0..a.n()).map(|j| a.get(i, j) * x[j]).sum::<f64>();
        (0..a.n()).map(|i| (row(i) - rhs[i]).abs() / a.get(i, i).sqrt()).fold(0.0, f64::max)
    }

    #[test]
    fn systems_of_every_rank_are_solved_with_least_norm() {
        for (n, rank) in [(1, 1), (5, 5), (70, 70), (9, 7), (150, 100), (150, 20), (400, 350)] {
            let (a, rhs) = system(n, rank);
            let norm: Vec<f64> = (0..n).map(|i| 1.0 + (i % 4) as f64).collect();
            let solver = System::new(&a, &norm, false, |_| true);
            assert_eq!(solver.factor.rank, rank);
            let x = solver.solve(&rhs);
            assert!(residual(&a, &x, &rhs) < 1e-8, "{n} {rank}: {:e}", residual(&a, &x, &rhs));
            // Least norm: nothing of the solution lies in the null space.
            let size = inner(&x, &x, &solver.norm).sqrt();
            for mut null in solver.factor.null_space() {
                null.iter_mut().zip(&solver.scale).for_each(|(x, t)| *x /= t);
                let share = inner(&null, &x, &solver.norm) / inner(&null, &null, &solver.norm).sqrt();
                assert!(share.abs() < 1e-8 * size, "{n} {rank}: {share:e} of {size:e}");
            }
        }
    }

    #[test]
    fn unused_and_absent_unknowns_are_zero() {
        let (mut a, mut rhs) = system(6, 6);
        for j in 0..6 {
            *a.at(j.min(2), j.max(2)) = 0.0;
        }
        rhs[2] = 0.0;
        let x = System::new(&a, &[1.0; 6], false, |i| i != 4).solve(&rhs);
        assert_eq!((x[2], x[4]), (0.0, 0.0));
        let reached: f64 = (0..6).map(|j| a.get(0, j) * x[j]).sum();
        assert!((reached - rhs[0]).abs() < 1e-10 * rhs[0].abs());
    }
}
