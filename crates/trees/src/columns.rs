//! Which features a node may ask: a sample of them by tree, level and node, and those that may stand on one path.

use std::borrow::Cow;

use tabwright_core::random::{Keyed, Purpose};

/// Which features the nodes of a tree may ask.
#[derive(Debug, Clone)]
pub struct Columns<'a> {
    /// The features of the tree.
    pub active: Vec<bool>,
    /// Share of the tree's features that the nodes of a level may ask.
    pub by_level: f64,
    /// Share of the level's features that a node may ask.
    pub by_node: f64,
    /// Sets of features that may stand on one path. One that is in no set stands by itself; without sets all go together.
    pub together: &'a [Vec<u32>],
    /// Of the draws of the tree.
    pub keyed: Keyed,
}

impl<'a> Columns<'a> {
    /// All features, in all nodes.
    pub fn all(n_features: usize) -> Self {
        let keyed = Keyed::new(0, Purpose::Columns);
        Columns { active: vec![true; n_features], by_level: 1.0, by_node: 1.0, together: &[], keyed }
    }

    /// A share of the features for a tree.
    pub fn of_tree(n_features: usize, share: f64, keyed: Keyed) -> Self {
        let mut columns = Columns { keyed, ..Columns::all(n_features) };
        columns.active = draw(&columns.active, share, keyed);
        columns
    }

    /// The features that a node may ask, whose ancestors asked those of `path`.
    ///
    /// # Determinism
    /// Depends on the seed, the tree, the depth and the number of the node.
    pub fn of_node(&self, depth: usize, node: usize, path: &[u32]) -> Cow<'_, [bool]> {
        let mut allowed = Cow::Borrowed(&self.active[..]);
        if self.by_level < 1.0 {
            allowed = draw(&allowed, self.by_level, self.keyed.child(1).child(depth as u64)).into();
        }
        if self.by_node < 1.0 {
            allowed = draw(&allowed, self.by_node, self.keyed.child(2).child(node as u64)).into();
        }
        if !self.together.is_empty() && !path.is_empty() {
            let mut reachable = vec![false; self.active.len()];
            let alone = |f: u32| !self.together.iter().any(|set| set.contains(&f));
            path.iter().filter(|f| alone(**f)).for_each(|f| reachable[*f as usize] = true);
            for set in self.together.iter().filter(|set| path.iter().all(|f| set.contains(f))) {
                set.iter().for_each(|f| reachable[*f as usize] = true);
            }
            allowed.to_mut().iter_mut().zip(reachable).for_each(|(allowed, reachable)| *allowed &= reachable);
        }
        allowed
    }
}

/// A share of the features that are allowed, at least one.
fn draw(allowed: &[bool], share: f64, keyed: Keyed) -> Vec<bool> {
    let mut order: Vec<usize> = (0..allowed.len()).filter(|&f| allowed[f]).collect();
    let wanted = ((share * order.len() as f64).floor() as usize).max(1);
    if wanted >= order.len() {
        return allowed.to_vec();
    }
    order.sort_by_key(|&f| (keyed.bits(f as u64), f));
    let mut drawn = vec![false; allowed.len()];
    order[..wanted].iter().for_each(|&f| drawn[f] = true);
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(columns: &Columns<'_>, path: &[u32]) -> Vec<usize> {
        let found = columns.of_node(path.len(), 7, path);
        (0..found.len()).filter(|&f| found[f]).collect()
    }

    #[test]
    fn paths_stay_within_a_set() {
        let together = [vec![0, 1], vec![1, 2], vec![4]];
        let columns = Columns { together: &together, ..Columns::all(6) };
        assert_eq!(allowed(&columns, &[]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(allowed(&columns, &[0]), [0, 1]);
        assert_eq!(allowed(&columns, &[1]), [0, 1, 2]);
        assert_eq!(allowed(&columns, &[1, 2]), [1, 2]);
        assert_eq!(allowed(&columns, &[3]), [3], "in no set");
    }

    #[test]
    fn draws_are_shares_of_shares() {
        let keyed = Keyed::new(5, Purpose::Columns);
        let tree = Columns::of_tree(40, 0.5, keyed);
        assert_eq!(allowed(&tree, &[]).len(), 20);
        let columns = Columns { by_level: 0.5, by_node: 0.5, ..tree.clone() };
        let node = |depth, node| columns.of_node(depth, node, &[]).into_owned();
        assert_eq!(node(1, 4).iter().filter(|a| **a).count(), 5);
        assert!(node(1, 4).iter().zip(&tree.active).all(|(node, tree)| *tree || !*node));
        assert_ne!(node(1, 4), node(1, 5));
        let level = Columns { by_node: 1.0, ..columns.clone() };
        assert_eq!(level.of_node(1, 4, &[]), level.of_node(1, 5, &[]));
        assert_ne!(level.of_node(1, 4, &[]), level.of_node(2, 4, &[]));
    }
}
