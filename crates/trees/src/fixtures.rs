//! What the tests of boosting and forests are made of.

use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Cancel, Task};

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
