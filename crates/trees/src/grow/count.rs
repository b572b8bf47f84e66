//! Counting the rows of nodes on several threads.

use rayon::prelude::*;

use crate::gradient::FixedGradients;
use crate::histogram::{Histogram, Layout, NodeRows};

/// Additions below which another thread costs more than it brings.
const PARALLEL_ADDS: usize = 1 << 16;

/// What a tree's histograms are made of.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// Where features have their cells.
    pub layout: &'a Layout,
    /// What is summed.
    pub gradients: &'a FixedGradients,
    /// Features that may be asked; the others may be left out.
    pub active: &'a [bool],
    /// Rows of the whole tree, here and elsewhere: they decide how sums are packed.
    pub n_tree_rows: usize,
}

/// Makes histograms, and keeps those that are not needed any more to be used again.
#[derive(Debug)]
pub(super) struct Counter<'a> {
    counted: Counted<'a>,
    free: Vec<Histogram>,
}

impl<'a> Counter<'a> {
    pub(super) fn new(counted: Counted<'a>, free: Vec<Histogram>) -> Self {
        Counter { counted, free }
    }

    pub(super) fn counted(&self) -> &Counted<'a> {
        &self.counted
    }

    pub(super) fn gradients(&self) -> &'a FixedGradients {
        self.counted.gradients
    }

    pub(super) fn recycle(&mut self, histogram: Histogram) {
        self.free.push(histogram);
    }

    pub(super) fn into_free(self) -> Vec<Histogram> {
        self.free
    }

    /// The histograms of `n_nodes` nodes, whose rows come in parts, each with the position of its node, in order.
    pub(super) fn count(&mut self, n_nodes: usize, parts: &[(usize, NodeRows<'_>)]) -> Vec<Histogram> {
        let Counted { layout, gradients, active, n_tree_rows } = self.counted;
        let tasks = self.cut(n_nodes, parts);
        let histograms: Vec<Option<Histogram>> = tasks.iter().map(|_| self.free.pop()).collect();
        let count = |(rows, free): (&[NodeRows<'_>], Option<Histogram>)| {
            let mut histogram = match free {
                Some(mut histogram) => {
                    histogram.clear(layout);
                    histogram
                }
                None => Histogram::new(layout, gradients, n_tree_rows),
            };
            rows.iter().for_each(|rows| histogram.add_rows(layout, gradients, rows, active));
            histogram
        };
        let tasks_and_histograms = tasks.par_iter().map(|task| &task.1[..]).zip(histograms);
        let counted: Vec<Histogram> = match tasks.len() {
            1 => tasks_and_histograms.map(count).collect(),
            _ => tasks_and_histograms.with_max_len(1).map(count).collect(),
        };
        let mut whole: Vec<Histogram> = Vec::with_capacity(n_nodes);
        for (part, (node, _)) in counted.into_iter().zip(&tasks) {
            match whole.get_mut(*node) {
                None => whole.push(part),
                Some(histogram) => {
                    histogram.merge(&part, layout);
                    self.free.push(part);
                }
            }
        }
        whole
    }

    /// Cuts and joins the parts of every node so that there is about as much for every thread.
    fn cut<'r>(&self, n_nodes: usize, parts: &[(usize, NodeRows<'r>)]) -> Vec<(usize, Vec<NodeRows<'r>>)> {
        let layout = self.counted.layout;
        let n_rows: usize = parts.iter().map(|(_, rows)| rows.len()).sum();
        let n_threads = if layout.is_wide() { 1 } else { rayon::current_num_threads() };
        let most = n_rows.div_ceil(n_threads).max(PARALLEL_ADDS / layout.n_lanes().max(1)).max(1);
        let mut tasks: Vec<(usize, Vec<NodeRows<'r>>)> = Vec::with_capacity(n_nodes + n_threads);
        for node in 0..n_nodes {
            tasks.push((node, Vec::new()));
            let mut room = most;
            for (_, rows) in parts.iter().filter(|(of, _)| *of == node) {
                let mut start = 0;
                while start < rows.len() {
                    if room == 0 {
                        tasks.push((node, Vec::new()));
                        room = most;
                    }
                    let end = rows.len().min(start + room);
                    tasks.last_mut().expect("invariant: the node has a task").1.push(rows.slice(start..end));
                    room -= end - start;
                    start = end;
                }
            }
        }
        tasks
    }
}
