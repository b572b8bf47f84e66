//! What the tests of several modules are made of.

use std::ops::Range;

use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Cancel, Task};

use crate::gradient::{self, FixedGradients, GradientPair};

pub(crate) static NEVER: Cancel = Cancel::new();

/// A task of two labels.
pub(crate) fn binary() -> Task {
    Task::Binary { labels: ["no".into(), "yes".into()] }
}

/// A task of several labels.
pub(crate) fn classes(n: usize) -> Task {
    Task::Multiclass { labels: (0..n).map(|i| i.to_string()).collect() }
}

/// Numbers in `[0, 1)` by row.
pub(crate) fn uniform(seed: u64) -> impl Fn(usize) -> f64 {
    let keyed = Keyed::new(seed, Purpose::Example);
    move |i| keyed.uniform(i as u64)
}

/// Gradients of one output in fixed point.
pub(crate) fn rounded(pairs: &[GradientPair], constant_hessian: Option<f64>) -> FixedGradients {
    let derivatives = |rows: Range<usize>, out: &mut [GradientPair]| out.copy_from_slice(&pairs[rows]);
    let mut fixed = [FixedGradients::new(pairs.len(), constant_hessian.is_some())];
    let largest = gradient::largest(pairs.len(), 1, &derivatives);
    gradient::round(&mut fixed, &largest, constant_hessian, &derivatives);
    let [fixed] = fixed;
    fixed
}
