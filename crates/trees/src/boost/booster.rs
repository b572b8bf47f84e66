//! The rounds of boosting: scores, gradients, a tree per output.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;
use tabwright_core::numeric;
use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::rows::BLOCK_ROWS;
use tabwright_model::pipeline::SlotType;
use tabwright_model::trees::{Aggregation, Trees};

use crate::binning::BinnedMatrix;
use crate::boost::watch::Watch;
use crate::boost::{Binned, BoostParams, Fitted, Request, Start};
use crate::columns::Columns;
use crate::error::{Error, Result};
use crate::gradient::{self, FixedBlock, FixedGradients, GradientPair, Kind, Scale, Sums};
use crate::grow::{Counted, FEW_LEAVES, GrowLimits, Grower, GrownTree, ListedRows, Remains, TaggedRemains, TaggedRows};
use crate::histogram::Layout;
use crate::objective::{Labels, Objective, weighted_quantile};
use crate::split::{SplitParams, Splitter};
use crate::target::Checked;
use crate::translate::{leaf_of_row, translate};

/// Rows from which on sums of fewer bits pay; smaller tables have the time for all of them.
const BOUNDED_ROWS: usize = 1 << 14;
/// Rows from which on they are sorted by the leaves of a tree: smaller tables are in the cache in any order.
pub(super) const SORTED_ROWS: usize = 1 << 16;
/// After these rounds: rows that one tree brings together, later trees do too, so that those of a node lie together in memory.
const SORTED_AFTER: [usize; 2] = [0, 9];

/// The rows and trees of boosting.
pub(super) struct Booster<'a> {
    params: &'a BoostParams,
    objective: &'a dyn Objective,
    matrix: BinnedMatrix,
    layout: Layout,
    values: Cow<'a, [f64]>,
    weights: Option<Cow<'a, [f64]>>,
    /// The number that each row has wherever it lies.
    ids: Vec<u32>,
    splitting: SplitParams,
    limits: GrowLimits,
    seed: u64,
    trees: Trees,
    /// Raw scores of the rows, row-major `(n_rows, n_outputs)`, without the trees of the last round.
    scores: Vec<f64>,
    outputs: Vec<Output>,
    memory: Memory,
}

/// What belongs to one output.
struct Output {
    gradients: FixedGradients,
    scale: Scale,
    /// The leaf of each row in the last tree.
    leaf_of: LeafOf,
    /// The values of the leaves of the last tree; none before the first.
    leaf_values: Vec<f64>,
}

/// The leaf of each row.
enum LeafOf {
    /// Tags of few leaves, which are places among their values.
    Tags(Vec<u8>),
    /// Numbers of leaves. A leaf has rows all over the table, and several threads follow the leaves.
    Numbers(Vec<AtomicU32>),
}

impl LeafOf {
    fn new(n_rows: usize, params: &BoostParams) -> Self {
        let deepest =
            params.max_depth.map_or(usize::MAX, |depth| 1usize.checked_shl(depth as u32).unwrap_or(usize::MAX));
        // A sample leaves rows out, which tags do not.
        if params.subsample >= 1.0 && deepest.min(params.num_leaves.unwrap_or(usize::MAX)) <= FEW_LEAVES {
            LeafOf::Tags(vec![0; n_rows])
        } else {
            LeafOf::Numbers((0..n_rows).map(|_| AtomicU32::new(0)).collect())
        }
    }

    fn blocks(&self) -> Vec<LeafBlock<'_>> {
        match self {
            LeafOf::Tags(tags) => tags.chunks(BLOCK_ROWS).map(LeafBlock::Tags).collect(),
            LeafOf::Numbers(numbers) => numbers.chunks(BLOCK_ROWS).map(LeafBlock::Numbers).collect(),
        }
    }

    fn take(&self, rows: &[u32]) -> LeafOf {
        match self {
            LeafOf::Tags(tags) => LeafOf::Tags(rows.par_iter().map(|&row| tags[row as usize]).collect()),
            LeafOf::Numbers(numbers) => {
                let number = |&row: &u32| AtomicU32::new(numbers[row as usize].load(Ordering::Relaxed));
                LeafOf::Numbers(rows.par_iter().map(number).collect())
            }
        }
    }
}

/// The leaf of each row of a block.
enum LeafBlock<'a> {
    Tags(&'a [u8]),
    Numbers(&'a [AtomicU32]),
}

/// Memory that trees hand on.
#[derive(Default)]
struct Memory {
    listed: Remains,
    tagged: TaggedRemains,
    /// The tags of the last tree's leaves.
    tags: Vec<u8>,
    /// The leaves of the last tree, from left to right.
    leaf_order: Vec<usize>,
}

/// Boosts until the last round, or until held-out rows say that it is enough. From `sorted_rows` rows on, rows are sorted:
/// sums are whole numbers, so it makes no difference to the trees.
pub(super) fn boost(
    request: &Request<'_>,
    params: &BoostParams,
    objective: &dyn Objective,
    (fitting, binned): (Checked<'_>, Binned),
    held_out: Option<&Checked<'_>>,
    sorted_rows: usize,
) -> Result<Fitted> {
    let n_rows = fitting.n_rows();
    let mut booster = Booster::new(request, params, objective, (fitting, binned))?;
    let n_before = booster.trees.n_trees();
    let mut watch = match (held_out, &request.early_stopping) {
        (Some(rows), Some(stopping)) => {
            Some(Watch::new(rows, objective, stopping.metric, request.task, params, &booster.trees))
        }
        _ => None,
    };
    let patience = request.early_stopping.map_or(0, |s| s.rounds);
    let mut best_round = params.n_estimators;
    for round in 0..params.n_estimators {
        if request.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        // Draws and learning rates go on where earlier trees ended.
        booster.next_round(n_before / objective.n_outputs() + round);
        if let Some(watch) = &mut watch {
            watch.follow(&booster.trees, objective.n_outputs());
            best_round = watch.best_round;
            if round + 1 >= best_round + patience {
                break;
            }
        }
        // A sample is drawn by the numbers of the rows, which therefore stay.
        if SORTED_AFTER.contains(&round) && params.subsample >= 1.0 && n_rows >= sorted_rows {
            booster.sort_rows();
        }
    }
    let mut trees = booster.trees;
    let n_kept = n_before + best_round * objective.n_outputs();
    if trees.n_trees() > n_kept {
        trees = trees.first_trees(n_kept);
    }
    Ok(Fitted { trees, best_round })
}

/// The scores and the trees that the first round starts from.
fn start(
    request: &Request<'_>,
    objective: &dyn Objective,
    fitting: &Checked<'_>,
    types: Vec<SlotType>,
) -> Result<(Vec<f64>, Trees)> {
    let (n_rows, n_outputs) = (fitting.n_rows(), objective.n_outputs());
    let repeat = |base: &[f64]| (0..n_rows).flat_map(|_| base.iter().copied()).collect::<Vec<f64>>();
    match request.start {
        Start::Constant => {
            let base: Vec<f64> = objective.base_scores(labels(fitting)).into_iter().map(numeric::canonical).collect();
            Ok((repeat(&base), Trees::new(types, 1, Aggregation::Sum, base)))
        }
        Start::Scores(scores) => {
            let n_all = request.features.n_rows() * n_outputs;
            if scores.len() != n_all || scores.iter().any(|s| !s.is_finite()) {
                let why =
                    format!("there must be {n_all} finite scores, one per row and output; found {}", scores.len());
                return Err(Error::Start { why });
            }
            // Rows of weight 0 were left out of the fitting rows.
            let weights = request.targets.weights.as_deref();
            let is_kept = |row: usize| n_rows == request.features.n_rows() || weights.is_none_or(|w| w[row] > 0.0);
            let rows = scores.chunks_exact(n_outputs).enumerate().filter(|(row, _)| is_kept(*row));
            let scores = rows.flat_map(|(_, scores)| scores).copied().collect();
            Ok((scores, Trees::new(types, 1, Aggregation::Sum, vec![0.0; n_outputs])))
        }
        Start::Trees(trees) => {
            if trees.n_outputs() != n_outputs || trees.aggregation() != Aggregation::Sum {
                let found = trees.n_outputs();
                let why =
                    format!("boosted trees of {n_outputs} outputs are needed, these have {found}, or are a forest");
                return Err(Error::Start { why });
            }
            trees.check_features(&types).map_err(|why| Error::Start { why })?;
            let mut scores = vec![0.0; n_rows * n_outputs];
            trees.raw_scores(&fitting.features, &mut scores);
            Ok((scores, trees.clone()))
        }
    }
}

fn split_params(params: &BoostParams) -> SplitParams {
    SplitParams {
        reg_lambda: params.reg_lambda,
        reg_alpha: params.reg_alpha,
        gamma: params.gamma,
        min_child_samples: params.min_child_samples as u64,
        min_child_weight: params.min_child_weight,
        max_cat_to_onehot: params.max_cat_to_onehot,
        max_cat_threshold: params.max_cat_threshold,
        cat_smooth: params.cat_smooth,
        cat_l2: params.cat_l2,
        min_data_per_group: params.min_data_per_group as u64,
    }
}

fn limits(params: &BoostParams) -> GrowLimits {
    GrowLimits {
        growth: params.growth,
        max_depth: params.max_depth.unwrap_or(usize::MAX),
        max_leaves: params.num_leaves.unwrap_or(usize::MAX),
    }
}

fn labels<'a>(rows: &'a Checked<'_>) -> Labels<'a> {
    Labels { values: &rows.values, weights: rows.weights.as_deref() }
}

impl<'a> Booster<'a> {
    /// Lays out the bins, and starts from the objective's base scores.
    fn new(
        request: &Request<'_>,
        params: &'a BoostParams,
        objective: &'a dyn Objective,
        (fitting, Binned { matrix, types }): (Checked<'a>, Binned),
    ) -> Result<Self> {
        let layout = Layout::new(&matrix);
        let n_rows = fitting.n_rows();
        let (scores, trees) = start(request, objective, &fitting, types)?;
        let kind = match objective.kind() {
            // A weight may be anything, and so may what it is multiplied with.
            _ if fitting.weights.is_some() => Kind::Varying,
            Kind::Bounded if n_rows < BOUNDED_ROWS => Kind::Varying,
            kind => kind,
        };
        let output = |_| Output {
            gradients: FixedGradients::new(n_rows, kind),
            scale: Scale { gradient: 1.0, hessian: 1.0 },
            leaf_of: LeafOf::new(n_rows, params),
            leaf_values: Vec::new(),
        };
        Ok(Booster {
            params,
            objective,
            matrix,
            layout,
            values: fitting.values,
            weights: fitting.weights,
            ids: (0..n_rows as u32).collect(),
            splitting: split_params(params),
            limits: limits(params),
            seed: request.seed,
            scores,
            outputs: (0..objective.n_outputs()).map(output).collect(),
            trees,
            memory: Memory::default(),
        })
    }

    fn n_rows(&self) -> usize {
        self.values.len()
    }

    /// Grows the trees of a round.
    fn next_round(&mut self, round: usize) {
        self.round_gradients(round);
        for output in 0..self.outputs.len() {
            self.add_tree(round, output);
        }
    }

    /// Brings rows, with all that belongs to them, into the order that the last tree brought them into.
    fn sort_rows(&mut self) {
        // The bins are laid out anew at the end, so that nothing is held twice beside them.
        self.layout = Layout::default();
        let (order, n_outputs) = (self.order(), self.outputs.len());
        let pick = |values: &[f64]| self::pick(values, &order, 1).into();
        self.matrix.sort(&order);
        self.values = pick(&self.values);
        self.weights = self.weights.as_ref().map(|weights| pick(weights));
        self.ids = order.par_iter().map(|&row| self.ids[row as usize]).collect();
        self.scores = self::pick(&self.scores, &order, n_outputs);
        self.outputs.iter_mut().for_each(|output| output.leaf_of = output.leaf_of.take(&order));
        drop(order);
        self.layout = Layout::new(&self.matrix);
    }

    /// The rows by the leaves of the last tree, from left to right.
    fn order(&mut self) -> Vec<u32> {
        match self.outputs.last().map(|output| &output.leaf_of) {
            Some(LeafOf::Tags(tags)) => {
                let mut counts = vec![0; self.memory.tags.len()];
                tags.iter().for_each(|&tag| counts[tag as usize] += 1);
                let mut places = vec![0; counts.len()];
                let mut start = 0;
                for tag in self.memory.leaf_order.iter().map(|&leaf| self.memory.tags[leaf] as usize) {
                    places[tag] = start;
                    start += counts[tag];
                }
                let mut order = vec![0; tags.len()];
                for (row, &tag) in tags.iter().enumerate() {
                    order[places[tag as usize]] = row as u32;
                    places[tag as usize] += 1;
                }
                order
            }
            _ => self.memory.listed.take_rows(),
        }
    }

    /// Adds the last trees to the scores, and rounds gradients and hessians of every row and output, times the row's weight.
    ///
    /// Gradients shrink while a model learns: their scale, which keeps all bits in use, is that of the round before, and
    /// where it is another now they are rounded again.
    fn round_gradients(&mut self, round: usize) {
        let found = self.pass_over_rows(round, true);
        if self.outputs.iter().zip(&found).any(|(output, found)| output.scale != *found) {
            self.outputs.iter_mut().zip(found).for_each(|(output, found)| output.scale = found);
            self.pass_over_rows(round, false);
        }
    }

    /// Rounds all gradients with the scale that each output has, and returns the scales that they should have.
    fn pass_over_rows(&mut self, round: usize, add_trees: bool) -> Vec<Scale> {
        let n_outputs = self.outputs.len();
        let key = Keyed::new(self.seed, Purpose::Rounding).child(round as u64);
        let mut blocks: Vec<(&mut [f64], Vec<OutputBlock<'_>>)> = self
            .scores
            .chunks_mut(BLOCK_ROWS * n_outputs)
            .map(|scores| (scores, Vec::with_capacity(n_outputs)))
            .collect();
        for (k, output) in self.outputs.iter_mut().enumerate() {
            output.gradients.set_scale(output.scale);
            let leaves = output.leaf_of.blocks().into_iter();
            let fixed = output.gradients.blocks_mut(BLOCK_ROWS).into_iter();
            for ((block, leaves), fixed) in blocks.iter_mut().zip(leaves).zip(fixed) {
                let values = if add_trees { &output.leaf_values[..] } else { &[] };
                block.1.push(OutputBlock {
                    leaves,
                    values,
                    fixed,
                    scale: output.scale,
                    key: key.bits(k as u64) as u32,
                });
            }
        }
        let (objective, values, weights, ids) = (self.objective, &self.values, &self.weights, &self.ids);
        let largest =
            blocks.into_par_iter().enumerate().map_init(Buffers::default, |buffers, (i, (scores, outputs))| {
                let rows = i * BLOCK_ROWS..i * BLOCK_ROWS + scores.len() / n_outputs;
                let weights = weights.as_ref().map(|w| &w[rows.clone()]);
                buffers.round(objective, scores, &values[rows.clone()], weights, &ids[rows], outputs)
            });
        let none = || vec![GradientPair::default(); n_outputs];
        let largest = largest.reduce(none, |mut a, b| {
            for (a, b) in a.iter_mut().zip(b) {
                a.gradient = if b.gradient > a.gradient { b.gradient } else { a.gradient };
                a.hessian = if b.hessian > a.hessian { b.hessian } else { a.hessian };
            }
            a
        });
        largest.into_iter().map(Scale::of).collect()
    }

    /// Grows the tree of an output and adds it to the ensemble.
    fn add_tree(&mut self, round: usize, output: usize) {
        let columns = self.columns((round * self.outputs.len() + output) as u64);
        let leaf_of = std::mem::replace(&mut self.outputs[output].leaf_of, LeafOf::Tags(Vec::new()));
        let (grown, leaf_of) = match leaf_of {
            LeafOf::Tags(tags) => self.grow_tagged(output, &columns, tags),
            LeafOf::Numbers(numbers) => self.grow_listed(round, output, &columns, numbers),
        };
        let values = self.leaf_values(round, output, &grown, &leaf_of);
        self.trees.push(&translate(&grown, &self.matrix, values.clone()), output);
        self.outputs[output].leaf_values = match &leaf_of {
            LeafOf::Numbers(_) => values,
            LeafOf::Tags(_) => {
                let mut by_tag = vec![0.0; values.len()];
                self.memory.tags.iter().zip(values).for_each(|(&tag, value)| by_tag[tag as usize] = value);
                by_tag
            }
        };
        self.outputs[output].leaf_of = leaf_of;
    }

    /// The values of the leaves, times the learning rate.
    fn leaf_values(&self, round: usize, output: usize, grown: &GrownTree, leaf_of: &LeafOf) -> Vec<f64> {
        let rate = self.params.learning_rate * numeric::pow(self.params.learning_rate_decay, round as f64);
        let units = self.outputs[output].gradients.units();
        let value = |sums: &Sums| {
            let (gradient, hessian) = (sums.gradient as f64 * units.gradient, sums.hessian as f64 * units.hessian);
            self.splitting.leaf_value(gradient, hessian)
        };
        let values = match self.objective.leaf_quantile(output) {
            None => grown.leaf_sums.iter().map(value).collect(),
            Some(share) => self.leaf_quantiles((round, output), share, grown, leaf_of),
        };
        let within = values.into_iter().zip(&grown.leaf_limits).map(|(value, limits)| limits.clamp(value));
        within.map(|value| numeric::canonical(rate * value)).collect()
    }

    /// A quantile of what the rows of each leaf lack that the round sees.
    fn leaf_quantiles(
        &self,
        (round, output): (usize, usize),
        share: f64,
        grown: &GrownTree,
        leaf_of: &LeafOf,
    ) -> Vec<f64> {
        let n_outputs = self.outputs.len();
        let mut rows: Vec<Vec<(f64, f64)>> = vec![Vec::new(); grown.leaf_nodes.len()];
        let keyed = self.subsample_keys(round as u64);
        for row in (0..self.n_rows()).filter(|&row| self.is_sampled(keyed, row as u32)) {
            let place = match leaf_of {
                LeafOf::Tags(tags) => tags[row] as usize,
                LeafOf::Numbers(numbers) => numbers[row].load(Ordering::Relaxed) as usize,
            };
            let lacking = self.values[row] - self.scores[row * n_outputs + output];
            rows[place].push((lacking, self.weights.as_ref().map_or(1.0, |w| w[row])));
        }
        let quantile = |rows: &mut Vec<(f64, f64)>| match rows.is_empty() {
            true => 0.0,
            false => weighted_quantile(rows, share),
        };
        let by_place: Vec<f64> = rows.par_iter_mut().map(quantile).collect();
        match leaf_of {
            LeafOf::Tags(_) => self.memory.tags.iter().map(|&tag| by_place[tag as usize]).collect(),
            LeafOf::Numbers(_) => by_place,
        }
    }

    fn grower<'s>(&'s self, columns: &'s Columns<'s>) -> Grower<'s> {
        let monotone = &self.params.monotone_constraints;
        let splitter = Splitter { matrix: &self.matrix, layout: &self.layout, params: &self.splitting, monotone };
        Grower { splitter, columns, limits: self.limits }
    }

    fn grow_tagged(&mut self, output: usize, columns: &Columns<'_>, tags: Vec<u8>) -> (GrownTree, LeafOf) {
        let mut remains = std::mem::take(&mut self.memory.tagged);
        remains.tags = tags;
        let (layout, gradients) = (&self.layout, &self.outputs[output].gradients);
        let counted = Counted { layout, gradients, active: &columns.active, n_tree_rows: self.n_rows() };
        let mut source = TaggedRows::new(&self.matrix, counted, remains);
        let grown = self.grower(columns).grow(&mut source);
        self.memory.tags = grown.leaf_nodes.iter().map(|&leaf| source.tag_of(leaf)).collect();
        self.memory.leaf_order = grown.leaves_in_order();
        let mut remains = source.into_remains();
        let tags = std::mem::take(&mut remains.tags);
        self.memory.tagged = remains;
        (grown, LeafOf::Tags(tags))
    }

    fn grow_listed(
        &mut self,
        round: usize,
        output: usize,
        columns: &Columns<'_>,
        numbers: Vec<AtomicU32>,
    ) -> (GrownTree, LeafOf) {
        let mut remains = std::mem::take(&mut self.memory.listed);
        let rows = self.sample_rows(round as u64, remains.take_rows());
        let n_tree_rows = rows.len();
        let (layout, gradients) = (&self.layout, &self.outputs[output].gradients);
        let counted = Counted { layout, gradients, active: &columns.active, n_tree_rows };
        let mut source = ListedRows::new(&self.matrix, counted, rows, remains);
        let grown = self.grower(columns).grow(&mut source);
        if n_tree_rows < self.n_rows() {
            self.follow_all_rows(&grown, &numbers);
        } else {
            let leaves = grown.leaf_nodes.par_iter().enumerate();
            let parts =
                leaves.flat_map(|(leaf, &node)| source.rows_of(node).par_chunks(BLOCK_ROWS).map(move |c| (c, leaf)));
            parts.for_each(|(rows, leaf)| {
                rows.iter().for_each(|&row| numbers[row as usize].store(leaf as u32, Ordering::Relaxed));
            });
        }
        self.memory.listed = source.into_remains();
        (grown, LeafOf::Numbers(numbers))
    }

    /// Rows outside of the sample have no place in the tree: all rows walk it.
    fn follow_all_rows(&self, grown: &GrownTree, leaves: &[AtomicU32]) {
        let leaf_of = leaf_of_row(grown, &self.matrix);
        let rows = leaves.par_iter().enumerate().with_min_len(BLOCK_ROWS);
        rows.for_each(|(row, leaf)| leaf.store(leaf_of(row) as u32, Ordering::Relaxed));
    }

    /// The rows of a round, ascending.
    fn sample_rows(&self, round: u64, mut rows: Vec<u32>) -> Vec<u32> {
        let n_rows = self.n_rows() as u32;
        rows.clear();
        if self.params.subsample >= 1.0 {
            rows.extend(0..n_rows);
            return rows;
        }
        let keyed = self.subsample_keys(round);
        rows.extend((0..n_rows).filter(|&row| self.is_sampled(keyed, row)));
        rows
    }

    fn subsample_keys(&self, round: u64) -> Keyed {
        Keyed::new(self.seed, Purpose::Subsample).child(round)
    }

    /// Whether a round sees a row. Rows keep their places where there is a sample.
    fn is_sampled(&self, keyed: Keyed, row: u32) -> bool {
        self.params.subsample >= 1.0 || keyed.uniform(u64::from(row)) < self.params.subsample
    }

    /// The features that the nodes of a tree may ask.
    fn columns(&self, tree: u64) -> Columns<'a> {
        let keyed = Keyed::new(self.seed, Purpose::Columns).child(tree);
        let params = self.params;
        Columns {
            by_level: params.colsample_bylevel,
            by_node: params.colsample_bynode,
            together: &params.interaction_constraints,
            ..Columns::of_tree(self.matrix.n_features(), params.colsample_bytree, keyed)
        }
    }
}

/// The values of some rows, `width` each, in their order.
fn pick(values: &[f64], rows: &[u32], width: usize) -> Vec<f64> {
    match width {
        1 => rows.par_iter().map(|&row| values[row as usize]).collect(),
        _ => rows.iter().flat_map(|&row| &values[row as usize * width..][..width]).copied().collect(),
    }
}

/// One output of a block of rows.
struct OutputBlock<'a> {
    leaves: LeafBlock<'a>,
    /// The values of the leaves; none if they are not to be added.
    values: &'a [f64],
    fixed: FixedBlock<'a>,
    scale: Scale,
    key: u32,
}

impl OutputBlock<'_> {
    /// Adds the values of the leaves to the scores.
    fn add_to<'s>(&self, scores: impl Iterator<Item = &'s mut f64>) {
        match self.leaves {
            LeafBlock::Tags(tags) => {
                let mut values = [0.0; 256];
                values[..self.values.len()].copy_from_slice(self.values);
                scores.zip(tags).for_each(|(score, &tag)| *score += values[tag as usize]);
            }
            LeafBlock::Numbers(numbers) => {
                let value = |leaf: &AtomicU32| self.values[leaf.load(Ordering::Relaxed) as usize];
                scores.zip(numbers).for_each(|(score, leaf)| *score += value(leaf));
            }
        }
    }
}

/// Derivatives of a block of rows.
#[derive(Default)]
struct Buffers {
    gradients: Vec<f64>,
    hessians: Vec<f64>,
    /// The derivatives of one of several outputs.
    own: (Vec<f64>, Vec<f64>),
}

impl Buffers {
    /// Adds trees to the scores of a block, and rounds its derivatives. Returns the largest, by output.
    fn round(
        &mut self,
        objective: &dyn Objective,
        scores: &mut [f64],
        labels: &[f64],
        weights: Option<&[f64]>,
        ids: &[u32],
        outputs: Vec<OutputBlock<'_>>,
    ) -> Vec<GradientPair> {
        let n_outputs = outputs.len();
        for (k, output) in outputs.iter().enumerate().filter(|(_, output)| !output.values.is_empty()) {
            match n_outputs {
                // Steps are no obstacle to the compiler where there are none.
                1 => output.add_to(scores.iter_mut()),
                _ => output.add_to(scores[k..].iter_mut().step_by(n_outputs)),
            }
        }
        self.gradients.resize(scores.len(), 0.0);
        self.hessians.resize(scores.len(), 0.0);
        objective.derivatives(scores, labels, &mut self.gradients, &mut self.hessians);
        if let Some(weights) = weights {
            for derivatives in [&mut self.gradients, &mut self.hessians] {
                let rows = derivatives.chunks_exact_mut(n_outputs).zip(weights);
                rows.for_each(|(row, weight)| row.iter_mut().for_each(|d| *d *= weight));
            }
        }
        let mut largest = Vec::with_capacity(n_outputs);
        for (k, mut output) in outputs.into_iter().enumerate() {
            let (gradients, hessians) = if n_outputs == 1 {
                (&self.gradients, &self.hessians)
            } else {
                self.own.0.clear();
                self.own.0.extend(self.gradients[k..].iter().step_by(n_outputs));
                self.own.1.clear();
                self.own.1.extend(self.hessians[k..].iter().step_by(n_outputs));
                (&self.own.0, &self.own.1)
            };
            output.fixed.round(gradients, hessians, output.scale, ids, output.key);
            largest.push(GradientPair { gradient: gradient::largest(gradients), hessian: gradient::largest(hessians) });
        }
        largest
    }
}
