//! Newton steps for problems too large for a Hessian: conjugate gradients, preconditioned with what is cheap to know.

use rayon::prelude::*;
use tabwright_core::Cancel;

use super::dense::{Symmetric, System, add_scaled, dot};
use super::objective::Objective;
use super::{Error, Result};

/// Unknowns of a score up to which each score has a factored preconditioner of its own.
const FACTORED_UNKNOWNS: usize = 512;
/// Most iterations for one step.
const MAX_ITERATIONS: usize = 1_000;
/// The first steps are solved to this share of the gradient.
const LOOSEST: f64 = 0.1;
/// No score's rows are taken to weigh less than this in the preconditioner.
const LEAST_CURVATURE: f64 = 1e-8;

/// Finds Newton steps; keeps the Gram matrix that its preconditioners are made of.
#[derive(Debug)]
pub(super) struct StepFinder {
    gram: Option<Symmetric>,
    /// Size of the first gradient.
    start: Option<f64>,
}

/// An approximation of the Hessian that is easy to invert.
enum Preconditioner {
    Diagonal(Vec<f64>),
    /// A system per score, and the diagonals.
    Factored(Vec<System>, Vec<f64>),
}

impl StepFinder {
    /// Prepares for an objective.
    pub(super) fn new(objective: &Objective<'_>) -> Self {
        let small = objective.design.n_unknowns() <= FACTORED_UNKNOWNS;
        StepFinder { gram: small.then(|| objective.design.gram()), start: None }
    }

    /// Makes do with diagonal preconditioners.
    #[cfg(test)]
    pub(super) fn forget_gram(&mut self) {
        self.gram = None;
    }

    /// The diagonal of the preconditioner, and a step against the gradient.
    ///
    /// # References
    /// J. Nocedal and S. Wright, "Numerical Optimization", 2nd ed. 2006, algorithm 7.1.
    pub(super) fn step(
        &mut self,
        objective: &Objective<'_>,
        gradient: &[f64],
        curvature: &[f64],
        cancel: &Cancel,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let preconditioner = self.preconditioner(objective, curvature);
        let mut residual: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut z = preconditioner.solve(objective, &residual);
        let mut direction = z.clone();
        let mut size = dot(&residual, &z);
        let first = size;
        let start = *self.start.get_or_insert(first);
        // Steps become exact as the gradient vanishes, hence faster than linear convergence.
        let relative = if start > 0.0 { (first / start).sqrt().sqrt() } else { 0.0 };
        let looseness = if relative < LOOSEST { relative } else { LOOSEST };
        let mut step = vec![0.0; gradient.len()];
        for _ in 0..MAX_ITERATIONS {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let image = objective.curve(curvature, &direction);
            let bend = dot(&direction, &image);
            if bend.is_nan() || bend <= 0.0 {
                break;
            }
            let length = size / bend;
            add_scaled(&mut step, length, &direction);
            add_scaled(&mut residual, -length, &image);
            z = preconditioner.solve(objective, &residual);
            let next = dot(&residual, &z);
            if next.is_nan() || next <= looseness * looseness * first {
                break;
            }
            let keep = next / size;
            direction.iter_mut().zip(&z).for_each(|(p, z)| *p = z + keep * *p);
            size = next;
        }
        let diagonal = match preconditioner {
            Preconditioner::Diagonal(diagonal) | Preconditioner::Factored(_, diagonal) => diagonal,
        };
        Ok((diagonal, step))
    }

    fn preconditioner(&self, objective: &Objective<'_>, curvature: &[f64]) -> Preconditioner {
        let design = objective.design;
        let mut squares = design.means();
        let norm = design.norm();
        let n_levels: usize = design.groups().iter().map(|g| g.unknowns().len()).sum();
        for i in 1..squares.len() - n_levels {
            squares[i] = f64::from(u8::from(norm[i] > 0.0));
        }
        let floor = |h: f64| if h > LEAST_CURVATURE { h } else { LEAST_CURVATURE };
        let mean: Vec<f64> = objective.mean_curvature(curvature).into_iter().map(floor).collect();
        let used = |i: usize| i > 0 || design.fit_intercept();
        let entry = |h: f64, i: usize| if used(i) { h * squares[i] + objective.penalty[i] } else { 0.0 };
        let diagonal = mean.iter().flat_map(|h| (0..squares.len()).map(|i| entry(*h, i))).collect();
        let Some(gram) = &self.gram else { return Preconditioner::Diagonal(diagonal) };
        let system = |h: &f64| {
            let mut matrix = gram.clone();
            for i in 0..matrix.n() {
                for j in i..matrix.n() {
                    *matrix.at(i, j) *= h;
                }
                *matrix.at(i, i) += objective.penalty[i];
            }
            System::new(&matrix, &norm, design.fit_intercept(), used)
        };
        Preconditioner::Factored(mean.par_iter().map(system).collect(), diagonal)
    }
}

impl Preconditioner {
    fn solve(&self, objective: &Objective<'_>, rhs: &[f64]) -> Vec<f64> {
        match self {
            Preconditioner::Diagonal(diagonal) => {
                rhs.iter().zip(diagonal).map(|(x, d)| if *d > 0.0 { x / d } else { 0.0 }).collect()
            }
            Preconditioner::Factored(systems, _) => {
                let parts = rhs.chunks_exact(objective.design.n_unknowns());
                parts.zip(systems).flat_map(|(rhs, system)| system.solve(rhs)).collect()
            }
        }
    }
}
