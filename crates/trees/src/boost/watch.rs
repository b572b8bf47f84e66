//! Early stopping: how held-out rows fare from round to round.

use tabwright_core::metric::{self, DEFAULT_THRESHOLD, Metric, Predictions};
use tabwright_core::{Targets, Task, parallel};
use tabwright_model::model::Link;
use tabwright_model::trees::Trees;

use crate::boost::{self, BoostParams};
use crate::objective::Objective;
use crate::target::Checked;

/// Held-out rows, and how the score on them went.
pub(super) struct Watch<'a> {
    rows: &'a Checked<'a>,
    objective: &'a dyn Objective,
    metric: Option<Metric>,
    task: &'a Task,
    link: Link,
    scores: Vec<f64>,
    least: f64,
    rounds: usize,
    /// The round with the best score so far, from 1.
    pub(super) best_round: usize,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        rows: &'a Checked<'a>,
        objective: &'a dyn Objective,
        metric: Option<Metric>,
        task: &'a Task,
        params: &BoostParams,
        trees: &Trees,
    ) -> Self {
        let mut scores = vec![0.0; rows.n_rows() * objective.n_outputs()];
        trees.raw_scores(&rows.features, &mut scores);
        let link = boost::link(task, &params.loss);
        Watch { rows, objective, metric, task, link, scores, least: f64::INFINITY, rounds: 0, best_round: 1 }
    }

    /// Adds the trees of a round, and notes whether the score became better.
    pub(super) fn follow(&mut self, trees: &Trees, n_outputs: usize) {
        for tree in trees.n_trees() - n_outputs..trees.n_trees() {
            trees.add_tree_scores(tree, &self.rows.features, &mut self.scores);
        }
        self.rounds += 1;
        let loss = match self.metric {
            None => self.loss(n_outputs),
            Some(metric) => self.score(metric, n_outputs),
        };
        if loss < self.least {
            self.least = loss;
            self.best_round = self.rounds;
        }
    }

    fn loss(&self, n_outputs: usize) -> f64 {
        let weight = |i: usize| self.rows.weights.as_ref().map_or(1.0, |w| w[i]);
        parallel::sum(self.rows.n_rows(), |i| {
            weight(i) * self.objective.loss(&self.scores[i * n_outputs..][..n_outputs], self.rows.values[i])
        })
    }

    /// A metric, the less the better.
    fn score(&self, metric: Metric, n_outputs: usize) -> f64 {
        let mut values = self.scores.clone();
        self.link.apply(&mut values, n_outputs);
        let weights = self.rows.weights.as_ref().map(|w| w.to_vec());
        let targets = Targets { values: self.rows.values.to_vec(), weights };
        let predictions = Predictions { n_outputs, values };
        let value = metric::score(metric, self.task, &targets, &predictions, DEFAULT_THRESHOLD);
        if metric.greater_is_better() { -value } else { value }
    }
}
