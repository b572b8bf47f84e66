//! An ensemble compiled for predicting, once: features become small whole numbers, and trees tell them apart.
//!
//! Batches are *replayed* where trees are small: every split moves its rows, many at a time. Rows alone, and large trees, are
//! *walked*: many trees, or many rows, side by side. Ensembles that have neither form keep their own.

use crate::trees::coding::Codings;
use crate::trees::ensemble::Trees;
use crate::trees::replay::Replay;
use crate::trees::walk::Walk;

/// An ensemble for predicting.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    pub(super) codings: Codings,
    pub(super) replay: Option<Replay>,
    pub(super) walk: Walk,
}

impl Compiled {
    /// Compiles an ensemble, if it has such a form.
    pub(super) fn of(trees: &Trees) -> Option<Self> {
        let codings = Codings::of(trees)?;
        let walk = Walk::of(trees, &codings)?;
        let replay = Replay::of(trees, &codings);
        Some(Compiled { codings, replay, walk })
    }
}
