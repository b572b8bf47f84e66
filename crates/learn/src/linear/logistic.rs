//! Logistic regression by Newton's method: which classes there are, the iteration, and the model that comes out.

use tabwright_core::{Cancel, Targets, numeric};

use super::dense::{System, dot};
use super::design::Design;
use super::newton_cg::StepFinder;
use super::objective::{Curvature, Form, Objective, State};
use super::{Error, Fitted, LEAST_SHARE, LogisticRegressionParams, Result, Solution, fitted};

/// Most unknowns of all scores for which the Hessian is factored.
const HESSIAN_UNKNOWNS: usize = 1_000;
/// Most work per row (scores × entries that are not 0) for which the Hessian is summed: beyond, applying it to the dozens
/// of directions that conjugate gradients need is less.
const HESSIAN_ROW_COST: usize = 800;
/// The part of the decrease that the slope promises with which a step is content (Armijo's rule).
const SUFFICIENT_DECREASE: f64 = 1e-4;
/// Halvings of a step before it is given up.
const HALVINGS: usize = 40;
/// An increase below this share of the value is rounding.
const VALUE_ROUNDING: f64 = 1e-14;
/// The gradient at which a fit counts as converged where rounding allows no less.
const ROUNDED_TOLERANCE: f64 = 1e-7;
/// Without a penalty, a vanishing gradient means nothing while steps are longer than this, relative to the weights: they
/// run to infinity.
const SETTLED_STEP: f64 = 1e-3;
/// Steps with a vanishing gradient that may still be too long before the fit is stopped.
const UNSETTLED_STEPS: usize = 2;

/// Fits logistic regression; the rows were checked.
pub(super) fn fit(
    design: &Design<'_>,
    targets: &Targets,
    n_classes: usize,
    params: &LogisticRegressionParams,
    cancel: &Cancel,
) -> Result<Fitted> {
    let mut shares = vec![0.0; n_classes];
    for (row, class) in targets.values.iter().enumerate() {
        shares[*class as usize] += design.share(row);
    }
    let occurring: Vec<usize> = (0..n_classes).filter(|&class| shares[class] > 0.0).collect();
    let n_weights = design.n_unknowns() - 1;
    let absent = numeric::ln(LEAST_SHARE);
    if let [only] = occurring[..] {
        let intercepts = match (n_classes, only) {
            (2, 0) => vec![absent],
            (2, _) => vec![-absent],
            _ => (0..n_classes).map(|class| if class == only { 0.0 } else { absent }).collect(),
        };
        let coefficients = vec![0.0; intercepts.len() * n_weights];
        return fitted(intercepts, coefficients, 0, true);
    }
    let binary = n_classes == 2;
    let objective = objective(design, targets, &occurring, binary, params.c);
    let mut start = vec![0.0; objective.n_unknowns()];
    if design.fit_intercept() {
        let logs: Vec<f64> = occurring.iter().map(|&class| numeric::ln(shares[class])).collect();
        if binary {
            start[0] = logs[1] - logs[0];
        } else {
            start.iter_mut().step_by(design.n_unknowns()).zip(logs).for_each(|(start, log)| *start = log);
        }
    }
    let solver = Solver::new(&objective);
    let mut solution = newton(&objective, start, solver, params, cancel)?;
    if binary {
        let (intercept, weights) = design.to_weights(&solution.unknowns);
        return fitted(vec![intercept], weights, solution.iterations, solution.converged);
    }
    balance_scores(&objective, &mut solution.unknowns);
    let (mut intercepts, mut coefficients) = (vec![absent; n_classes], vec![0.0; n_classes * n_weights]);
    for (unknowns, class) in solution.unknowns.chunks_exact(design.n_unknowns()).zip(occurring) {
        let (intercept, weights) = design.to_weights(unknowns);
        intercepts[class] = intercept;
        coefficients[class * n_weights..(class + 1) * n_weights].copy_from_slice(&weights);
    }
    fitted(intercepts, coefficients, solution.iterations, solution.converged)
}

fn objective<'a>(
    design: &'a Design<'a>,
    targets: &Targets,
    occurring: &[usize],
    binary: bool,
    c: f64,
) -> Objective<'a> {
    let strength = 1.0 / (c * design.total_weight());
    // A row of weight 0 may have a class that does not occur; its residual is 0 whatever it is compared with.
    let place = |class: f64| occurring.binary_search(&(class as usize)).unwrap_or(0) as u32;
    Objective {
        design,
        classes: targets.values.iter().map(|y| place(*y)).collect(),
        n_scores: if binary { 1 } else { occurring.len() },
        penalty: design.norm().iter().map(|norm| strength * norm * norm).collect(),
    }
}

/// How steps are found.
enum Solver {
    /// From the factored Hessian, with its rank at the start.
    Direct { norm: Vec<f64>, full_rank: Option<bool> },
    /// By conjugate gradients.
    Iterative(StepFinder),
}

impl Solver {
    fn new(objective: &Objective<'_>) -> Self {
        let work = if objective.n_scores == 1 { 0 } else { objective.n_scores * objective.design.row_cost() };
        if objective.n_unknowns() <= HESSIAN_UNKNOWNS && work <= HESSIAN_ROW_COST {
            Solver::direct(objective)
        } else {
            Solver::Iterative(StepFinder::new(objective))
        }
    }

    fn direct(objective: &Objective<'_>) -> Self {
        Solver::Direct { norm: objective.design.norm().repeat(objective.n_scores), full_rank: None }
    }

    fn form(&self) -> Form {
        match self {
            Solver::Direct { .. } => Form::Matrix,
            Solver::Iterative(_) => Form::Rows,
        }
    }

    /// The gradient's size for unknowns of unit curvature, and a step; nothing if the curvature has lost rank.
    fn step(&mut self, objective: &Objective<'_>, state: &State, cancel: &Cancel) -> Result<Option<(f64, Vec<f64>)>> {
        let n = objective.design.n_unknowns();
        let used = |i: usize| !i.is_multiple_of(n) || objective.design.fit_intercept();
        let (diagonal, step) = match (self, &state.curvature) {
            (Solver::Direct { norm, full_rank }, Curvature::Matrix(hessian)) => {
                let leading = objective.n_scores == 1 && objective.design.fit_intercept();
                let system = System::new(hessian, norm, leading, used);
                if *full_rank.get_or_insert(system.has_full_rank()) && !system.has_full_rank() {
                    return Ok(None);
                }
                let diagonal = (0..hessian.n()).map(|i| if used(i) { hessian.get(i, i) } else { 0.0 }).collect();
                let descent: Vec<f64> = state.gradient.iter().map(|g| -g).collect();
                (diagonal, system.solve(&descent))
            }
            (Solver::Iterative(finder), Curvature::Rows(rows)) => {
                finder.step(objective, &state.gradient, rows, cancel)?
            }
            _ => return Ok(None),
        };
        let diagonal: Vec<f64> = diagonal;
        let unit = state.gradient.iter().zip(&diagonal).filter(|(_, h)| **h > 0.0).map(|(g, h)| g.abs() / h.sqrt());
        Ok(Some((unit.fold(0.0, larger), step)))
    }
}

/// The larger of two, the first where one is no number.
fn larger(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().map(|x| x.abs()).fold(0.0, larger)
}

/// Newton's method with halving of steps.
fn newton(
    objective: &Objective<'_>,
    start: Vec<f64>,
    mut solver: Solver,
    params: &LogisticRegressionParams,
    cancel: &Cancel,
) -> Result<Solution> {
    let penalised = params.c.is_finite();
    let mut state = objective.evaluate(start, solver.form());
    let (mut iterations, mut unsettled) = (0, 0);
    let converged = loop {
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let Some((steepness, step)) = solver.step(objective, &state, cancel)? else { break false };
        let settled = penalised || largest(&step) <= SETTLED_STEP * (1.0 + largest(&state.point));
        if steepness <= params.tol {
            if settled {
                break true;
            }
            unsettled += 1;
        }
        if unsettled > UNSETTLED_STEPS || iterations == params.max_iter {
            break false;
        }
        iterations += 1;
        match descend(objective, &state, &step, solver.form()) {
            Some(next) => state = next,
            None => break settled && steepness <= ROUNDED_TOLERANCE,
        }
    };
    Ok(Solution { unknowns: state.point, iterations, converged })
}

/// Goes along a step as far as the objective decreases enough.
fn descend(objective: &Objective<'_>, state: &State, step: &[f64], form: Form) -> Option<State> {
    let slope = dot(&state.gradient, step);
    if slope.is_nan() || slope >= 0.0 {
        return None;
    }
    let slack = VALUE_ROUNDING * state.value.abs();
    let mut length = 1.0;
    for _ in 0..HALVINGS {
        let mut point: Vec<f64> = state.point.iter().zip(step).map(|(x, d)| x + length * d).collect();
        if form == Form::Rows {
            balance_scores(objective, &mut point);
            balance_levels(objective, &mut point);
        }
        let next = objective.evaluate(point, form);
        if next.value <= state.value + SUFFICIENT_DECREASE * length * slope + slack {
            return Some(next);
        }
        length *= 0.5;
    }
    None
}

/// Lets the scores of each row sum to 0: the probabilities stay, the penalty does not grow.
fn balance_scores(objective: &Objective<'_>, unknowns: &mut [f64]) {
    let (n, k) = (objective.design.n_unknowns(), objective.n_scores);
    if k == 1 {
        return;
    }
    for i in 0..n {
        let mean = unknowns[i..].iter().step_by(n).fold(0.0, |a, b| a + b) / k as f64;
        unknowns[i..].iter_mut().step_by(n).for_each(|x| *x -= mean);
    }
}

/// Lets the weights of each group whose levels cover all rows sum to 0, and the intercept take what they shared: the scores
/// stay, the penalty does not grow. Conjugate gradients are slow to see it.
fn balance_levels(objective: &Objective<'_>, unknowns: &mut [f64]) {
    let design = objective.design;
    if !design.fit_intercept() {
        return;
    }
    for unknowns in unknowns.chunks_exact_mut(design.n_unknowns()) {
        for group in design.groups().iter().filter(|group| group.covers()) {
            let occurs = |level: &(&mut f64, &f64)| *level.1 > 0.0;
            let count = group.levels().iter().filter(|weight| **weight > 0.0).count();
            let levels = &mut unknowns[group.unknowns()];
            let sum = levels.iter_mut().zip(group.levels()).filter(occurs).fold(0.0, |sum, (x, _)| sum + *x);
            let mean = sum / count.max(1) as f64;
            levels.iter_mut().zip(group.levels()).filter(occurs).for_each(|(x, _)| *x -= mean);
            unknowns[0] += mean;
        }
    }
}

#[cfg(test)]
mod tests {
    use tabwright_core::random::{Keyed, Purpose};
    use tabwright_model::{FeatureColumn, Features};

    use super::*;

    fn sample(n: usize, n_classes: usize) -> (Features, Targets) {
        let keyed = Keyed::new(7, Purpose::Example);
        let draw = |column: u64, i: usize| keyed.child(column).uniform(i as u64);
        let level = |column: u64, i: usize, width: f64| (draw(column, i) * width * 1.1) as u32;
        let class = |i: usize| (draw(0, i) * 0.5 + draw(2, i) * 0.3 + draw(4, i) * 0.2) * n_classes as f64;
        let columns = vec![
            FeatureColumn::OneHot { codes: (0..n).map(|i| level(1, i, 6.0)).collect(), width: 6 },
            FeatureColumn::Number((0..n).map(|i| draw(2, i) * 100.0).collect()),
            FeatureColumn::OneHot { codes: (0..n).map(|i| level(3, i, 3.0)).collect(), width: 4 },
            FeatureColumn::Number((0..n).map(|i| draw(4, i) + draw(2, i)).collect()),
        ];
        let values = (0..n).map(|i| class(i).floor()).collect();
        let weights = Some((0..n).map(|i| (draw(5, i) * 4.0).floor()).collect());
        (Features::new(n, columns), Targets { values, weights })
    }

    #[test]
    fn gradient_and_curvature_agree_with_finite_differences() {
        for n_classes in [2, 4] {
            let (features, targets) = sample(300, n_classes);
            let design = Design::new(&features, targets.weights.as_deref(), true).unwrap();
            let classes: Vec<usize> = (0..n_classes).collect();
            let objective = objective(&design, &targets, &classes, n_classes == 2, 0.01);
            let n = objective.n_unknowns();
            let keyed = Keyed::new(1, Purpose::Example);
            let point: Vec<f64> = (0..n).map(|i| keyed.uniform(i as u64) - 0.5).collect();
            let here = objective.evaluate(point.clone(), Form::Matrix);
            let rows = objective.evaluate(point.clone(), Form::Rows);
            assert_eq!((here.value, &here.gradient), (rows.value, &rows.gradient));
            let (Curvature::Matrix(hessian), Curvature::Rows(rows)) = (&here.curvature, &rows.curvature) else {
                panic!("wanted forms")
            };
            for i in 0..n {
                let h = 1e-5;
                let moved = |by: f64| {
                    let mut point = point.clone();
                    point[i] += by;
                    objective.evaluate(point, Form::Rows)
                };
                let (left, right) = (moved(-h), moved(h));
                let slope = (right.value - left.value) / (2.0 * h);
                assert!((slope - here.gradient[i]).abs() < 1e-9, "{i}: {slope} {}", here.gradient[i]);
                let unit: Vec<f64> = (0..n).map(|j| f64::from(u8::from(i == j))).collect();
                let curved = objective.curve(rows, &unit);
                for (j, curved) in curved.iter().enumerate() {
                    let bend = (right.gradient[j] - left.gradient[j]) / (2.0 * h);
                    assert!((bend - hessian.get(i, j)).abs() < 1e-8, "{i} {j}");
                    assert!((curved - hessian.get(i, j)).abs() < 1e-14, "{i} {j}");
                }
            }
        }
    }

    #[test]
    fn conjugate_gradients_find_what_the_factored_hessian_finds() {
        for n_classes in [2, 5] {
            for c in [0.1, 100.0] {
                let (features, targets) = sample(900, n_classes);
                let design = Design::new(&features, targets.weights.as_deref(), true).unwrap();
                let classes: Vec<usize> = (0..n_classes).collect();
                let objective = objective(&design, &targets, &classes, n_classes == 2, c);
                let params = LogisticRegressionParams { c, ..LogisticRegressionParams::default() };
                let solve = |solver| {
                    let start = vec![0.0; objective.n_unknowns()];
                    let mut solution = newton(&objective, start, solver, &params, &Cancel::new()).unwrap();
                    assert!(solution.converged);
                    balance_scores(&objective, &mut solution.unknowns);
                    solution.unknowns
                };
                let direct = solve(Solver::direct(&objective));
                let mut diagonal = StepFinder::new(&objective);
                diagonal.forget_gram();
                for other in [StepFinder::new(&objective), diagonal] {
                    let other = solve(Solver::Iterative(other));
                    let apart = direct.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, larger);
                    assert!(apart < 1e-7 * (1.0 + largest(&direct)), "{n_classes} {c}: {apart:e}");
                }
            }
        }
    }
}
