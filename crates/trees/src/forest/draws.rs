//! What a tree of a forest draws: its rows, and at every node features and thresholds.

use tabwright_core::random::{Keyed, Purpose};

/// Numbers of one purpose for one node after the other.
#[derive(Debug)]
pub(super) struct Draws {
    tree: Keyed,
    node: Keyed,
    counter: u64,
}

impl Draws {
    pub(super) fn new(seed: u64, purpose: Purpose, tree: u64) -> Self {
        let tree = Keyed::new(seed, purpose).child(tree);
        Draws { tree, node: tree, counter: 0 }
    }

    /// Goes to a node: how many numbers another one took makes no difference.
    pub(super) fn start(&mut self, node: u64) {
        self.node = self.tree.child(node);
        self.counter = 0;
    }

    #[inline]
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.counter += 1;
        self.node.below(self.counter, n as u64) as usize
    }

    pub(super) fn uniform(&mut self) -> f64 {
        self.counter += 1;
        self.node.uniform(self.counter)
    }
}

/// How often each row is drawn for a tree.
pub(super) fn bootstrap(seed: u64, tree: u64, n_rows: usize, times: &mut Vec<u32>) {
    let keyed = Keyed::new(seed, Purpose::Bootstrap).child(tree);
    times.clear();
    times.resize(n_rows, 0);
    (0..n_rows as u64).for_each(|draw| times[keyed.below(draw, n_rows as u64) as usize] += 1);
}
