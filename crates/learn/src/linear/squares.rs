//! Least squares, plain and with an L2 penalty: from the Gram matrix where that is small, else by conjugate gradients.
//!
//! Where the solution is not unique, it is the one whose weights have the least norm, the intercept left aside.

use rayon::prelude::*;
use tabwright_core::{Cancel, parallel};

use super::dense::{System, add_scaled, dot};
use super::design::{Design, chunks};
use super::{Error, GRAM_UNKNOWNS, Result, Solution};

/// Corrections of a direct solution from its residuals; each gains as many digits as the factor has.
const REFINEMENTS: usize = 3;
/// Where conjugate gradients stop: the size of the gradient against that at the start.
const GRADIENT_TOLERANCE: f64 = 1e-10;
/// A gradient of this size against that at the start counts as converged where rounding allows no less.
const ROUNDED_TOLERANCE: f64 = 1e-8;
/// Iterations of conjugate gradients.
const MAX_ITERATIONS: usize = 5_000;
/// Iterations without a smaller gradient after which rounding has the upper hand.
const PATIENCE: usize = 100;
/// Numbers whose scales differ by more than this factor from 1 count as scaled to it in the norm that conjugate
/// gradients keep small: they would not converge otherwise.
const MILD_SCALE: f64 = 1e3;

/// A least-squares problem: weighted squares, their weights summing to 1, and the penalty on that scale.
struct Problem<'a> {
    design: &'a Design<'a>,
    targets: &'a [f64],
    mean: f64,
    /// 1 / the largest distance of a target from their mean: squares of what is solved for cannot overflow.
    inverse: f64,
    /// The penalty of each unknown.
    penalty: Vec<f64>,
}

/// Minimises `Σ weight · (target − score)² + alpha · ‖weights‖²`.
pub(super) fn fit(design: &Design<'_>, targets: &[f64], alpha: f64, cancel: &Cancel) -> Result<Solution> {
    let problem = Problem::new(design, targets, alpha);
    let solution = if design.n_unknowns() <= GRAM_UNKNOWNS {
        problem.solve_directly(cancel)?
    } else {
        problem.conjugate_gradients(alpha > 0.0, cancel)?
    };
    Ok(problem.restore(solution))
}

/// Solves a problem by factoring and by conjugate gradients.
#[cfg(test)]
pub(super) fn both_ways(design: &Design<'_>, targets: &[f64], alpha: f64) -> [Solution; 2] {
    let (problem, never) = (Problem::new(design, targets, alpha), Cancel::new());
    let solutions = [problem.solve_directly(&never), problem.conjugate_gradients(alpha > 0.0, &never)];
    solutions.map(|solution| problem.restore(solution.unwrap()))
}

impl<'a> Problem<'a> {
    fn new(design: &'a Design<'a>, targets: &'a [f64], alpha: f64) -> Self {
        let strength = alpha / design.total_weight();
        let penalty = design.norm().iter().map(|norm| strength * norm * norm).collect();
        let mut problem = Problem { design, targets, mean: 0.0, inverse: 1.0, penalty };
        if design.fit_intercept() {
            problem.mean = problem.mean_residual();
            // The second pass mends what the first one rounded.
            problem.mean += problem.mean_residual();
        }
        let largest = (0..targets.len()).map(|i| problem.target(i).abs()).fold(0.0, |a, b| if b > a { b } else { a });
        problem.inverse = if (1.0 / largest).is_finite() { 1.0 / largest } else { 1.0 };
        problem
    }

    /// Brings a solution back to the targets' place and scale.
    fn restore(&self, mut solution: Solution) -> Solution {
        solution.unknowns.iter_mut().for_each(|x| *x /= self.inverse);
        solution.unknowns[0] += self.mean;
        solution
    }
}

impl Problem<'_> {
    fn target(&self, row: usize) -> f64 {
        (self.targets[row] - self.mean) * self.inverse
    }

    fn mean_residual(&self) -> f64 {
        parallel::sum(self.targets.len(), |i| self.design.share(i) * self.target(i))
    }

    fn solve_directly(&self, cancel: &Cancel) -> Result<Solution> {
        let design = self.design;
        let norm = design.norm();
        let mut gram = design.gram();
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        for (i, penalty) in self.penalty.iter().enumerate() {
            *gram.at(i, i) += penalty;
        }
        let system = System::new(&gram, &norm, design.fit_intercept(), |i| i > 0 || design.fit_intercept());
        let mut unknowns = vec![0.0; design.n_unknowns()];
        let mut last = f64::INFINITY;
        for _ in 0..=REFINEMENTS {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let step = system.solve(&self.descent(&unknowns));
            let size = dot(&step, &step);
            if size.is_nan() || size >= 0.25 * last {
                break;
            }
            add_scaled(&mut unknowns, 1.0, &step);
            last = size;
        }
        Ok(Solution { unknowns, iterations: 1, converged: true })
    }

    /// Half the negative gradient.
    fn descent(&self, unknowns: &[f64]) -> Vec<f64> {
        let design = self.design;
        let mut sum = self.products(|rows, residuals| {
            design.scores(rows.clone(), unknowns, residuals);
            for (residual, i) in residuals.iter_mut().zip(rows) {
                *residual = design.share(i) * (self.target(i) - *residual);
            }
        });
        for ((sum, penalty), unknown) in sum.iter_mut().zip(&self.penalty).zip(unknowns) {
            *sum -= penalty * unknown;
        }
        sum
    }

    /// The products of the columns with what `fill` writes for chunks of rows.
    fn products(&self, fill: impl Fn(std::ops::Range<usize>, &mut [f64]) + Sync) -> Vec<f64> {
        let design = self.design;
        let part = |rows| {
            let mut sum = vec![0.0; design.n_unknowns()];
            let mut residuals = Vec::new();
            for rows in chunks(rows) {
                residuals.clear();
                residuals.resize(rows.len(), 0.0);
                fill(rows.clone(), &mut residuals);
                design.add_products(rows, &residuals, &mut sum);
            }
            sum
        };
        let parts: Vec<Vec<f64>> = design.stripes(design.n_unknowns()).into_par_iter().map(part).collect();
        let mut sum = vec![0.0; design.n_unknowns()];
        parts.iter().for_each(|part| add_scaled(&mut sum, 1.0, part));
        sum
    }

    /// Conjugate gradients on the normal equations without forming them, centred instead of with an intercept.
    ///
    /// # References
    /// Å. Björck, "Numerical Methods for Least Squares Problems", SIAM 1996, algorithm 7.4.3 (PCGLS).
    fn conjugate_gradients(&self, unique: bool, cancel: &Cancel) -> Result<Solution> {
        let n = self.design.n_unknowns();
        let metric = self.metric(unique);
        let mut residuals: Vec<f64> = (0..self.targets.len()).map(|i| self.target(i)).collect();
        let mut images = vec![0.0; residuals.len()];
        let mut unknowns = vec![0.0; n];
        let mut descent = self.centred_products(&residuals, &unknowns);
        let mut direction: Vec<f64> = descent.iter().zip(&metric).map(|(s, m)| s * m).collect();
        let start = dot(&descent, &direction);
        let (mut size, mut best, mut best_at, mut iterations) = (start, start, 0, 0);
        while size > GRADIENT_TOLERANCE * GRADIENT_TOLERANCE * start && iterations < MAX_ITERATIONS {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            iterations += 1;
            let curvature = self.image(&direction, &mut images);
            if curvature.is_nan() || curvature <= 0.0 {
                break;
            }
            let step = size / curvature;
            add_scaled(&mut unknowns, step, &direction);
            residuals.par_iter_mut().zip(&images).for_each(|(r, q)| *r -= step * q);
            descent = self.centred_products(&residuals, &unknowns);
            let preconditioned: Vec<f64> = descent.iter().zip(&metric).map(|(s, m)| s * m).collect();
            let next = dot(&descent, &preconditioned);
            let keep = next / size;
            for (p, z) in direction.iter_mut().zip(&preconditioned) {
                *p = z + keep * *p;
            }
            size = next;
            if size < best {
                (best, best_at) = (size, iterations);
            } else if iterations - best_at > PATIENCE || size.is_nan() {
                break;
            }
        }
        let converged = size <= ROUNDED_TOLERANCE * ROUNDED_TOLERANCE * start;
        if self.design.fit_intercept() {
            unknowns[0] = -dot(&self.design.means()[1..], &unknowns[1..]);
        }
        Ok(Solution { unknowns, iterations, converged })
    }

    /// What gradients are multiplied with. Where the solution is unique, the inverse diagonal; else the metric of the
    /// norm that is kept small, which starting from zero then gives.
    fn metric(&self, unique: bool) -> Vec<f64> {
        let norm = self.design.norm();
        let means = self.design.means();
        let n_levels = self.design.groups().iter().map(|g| g.unknowns().len()).sum::<usize>();
        let first_level = norm.len() - n_levels;
        let entry = |i: usize| match (i, unique) {
            (0, _) => 0.0,
            (_, true) => {
                let square =
                    if i < first_level { f64::from(u8::from(norm[i] > 0.0)) } else { means[i] * (1.0 - means[i]) };
                if square + self.penalty[i] > 0.0 { 1.0 / (square + self.penalty[i]) } else { 0.0 }
            }
            (_, false) if norm[i] == 0.0 => 0.0,
            (_, false) => 1.0 / (norm[i] * norm[i]).clamp(1.0 / (MILD_SCALE * MILD_SCALE), MILD_SCALE * MILD_SCALE),
        };
        (0..norm.len()).map(entry).collect()
    }

    /// Fills the images of a direction under the centred matrix; returns its curvature.
    fn image(&self, direction: &[f64], images: &mut [f64]) -> f64 {
        let design = self.design;
        let mut shifted = direction.to_vec();
        shifted[0] = if design.fit_intercept() { -dot(&design.means()[1..], &direction[1..]) } else { 0.0 };
        let stripes = design.stripes(1);
        let width = stripes.first().map_or(1, |s| s.len());
        let part = |(rows, images): (std::ops::Range<usize>, &mut [f64])| {
            let first = rows.start;
            let mut sum = 0.0;
            for rows in chunks(rows) {
                let images = &mut images[rows.start - first..rows.end - first];
                design.scores(rows.clone(), &shifted, images);
                sum += rows.zip(images.iter()).fold(0.0, |sum, (i, q)| sum + design.share(i) * (q * q));
            }
            sum
        };
        let parts: Vec<f64> = stripes.into_par_iter().zip(images.par_chunks_mut(width)).map(part).collect();
        let curvature = parts.iter().fold(0.0, |a, b| a + b);
        let penalised = direction.iter().zip(&self.penalty).fold(0.0, |sum, (p, l)| sum + l * (p * p));
        curvature + penalised
    }

    /// Half the negative gradient of the centred problem.
    fn centred_products(&self, residuals: &[f64], unknowns: &[f64]) -> Vec<f64> {
        let design = self.design;
        let mut sum = self.products(|rows, out| {
            for (out, i) in out.iter_mut().zip(rows) {
                *out = design.share(i) * residuals[i];
            }
        });
        if design.fit_intercept() {
            let mean = sum[0];
            add_scaled(&mut sum, -mean, &design.means());
        }
        sum[0] = 0.0;
        for ((sum, penalty), unknown) in sum.iter_mut().zip(&self.penalty).zip(unknowns) {
            *sum -= penalty * unknown;
        }
        sum
    }
}
