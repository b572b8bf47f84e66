//! What the tests of several modules are made of.

use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Cancel, Task};

use crate::gradient::{self, FixedGradients, GradientPair, Kind, Scale};

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
pub(crate) fn rounded(pairs: &[GradientPair], kind: Kind) -> FixedGradients {
    let gradients: Vec<f64> = pairs.iter().map(|p| p.gradient).collect();
    let hessians: Vec<f64> = pairs.iter().map(|p| p.hessian).collect();
    let ids: Vec<u32> = (0..pairs.len() as u32).collect();
    let largest = GradientPair { gradient: gradient::largest(&gradients), hessian: gradient::largest(&hessians) };
    let (scale, mut fixed) = (Scale::of(largest), FixedGradients::new(pairs.len(), kind));
    fixed.set_scale(scale);
    for mut block in fixed.blocks_mut(pairs.len()) {
        block.round(&gradients, &hessians, scale, &ids, 77);
    }
    fixed
}
