//! Where the values of each slot lie while a pipeline runs. Found once, since it depends on the program alone.

use super::Output;

/// Where the values of a slot lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// They are a feature, the first that asks for the slot.
    Feature(usize),
    /// They serve other slots only, and lie beside the features.
    Beside(usize),
}

/// Where everything lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// For each slot.
    pub(super) homes: Vec<Home>,
    /// How many slots are no feature.
    pub(super) n_beside: usize,
    /// Features that have the slot of an earlier one: which one, and which they are.
    pub(super) copies: Vec<(usize, usize)>,
}

impl Plan {
    /// Finds a place for so many slots.
    pub(super) fn new(n_slots: usize, outputs: &[Output]) -> Self {
        let mut features: Vec<Option<usize>> = vec![None; n_slots];
        let mut copies = Vec::new();
        for (index, output) in outputs.iter().enumerate() {
            match features[output.slot] {
                Some(first) => copies.push((first, index)),
                None => features[output.slot] = Some(index),
            }
        }
        let mut n_beside = 0;
        let home = |feature: Option<usize>| match feature {
            Some(index) => Home::Feature(index),
            None => {
                n_beside += 1;
                Home::Beside(n_beside - 1)
            }
        };
        let homes = features.into_iter().map(home).collect();
        Plan { homes, n_beside, copies }
    }
}
