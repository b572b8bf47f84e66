//! Rounding is safe: where a few rows weigh as much as a million others, where counts span decades, and where one class is
//! rare, boosting over rounded gradients is as good on new rows as a plain booster whose sums are 64-bit floats.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![allow(clippy::print_stdout, reason = "the comparisons of a soak are to be read")]

use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Cancel, Targets, Task, numeric};
use tabwright_model::{FeatureColumn, Features};
use tabwright_trees::binning::{BinnedMatrix, Binner};
use tabwright_trees::boost::{self, BoostParams, Loss, Request, Start};
use tabwright_trees::objective::{BinaryLogLoss, Labels, Objective, Poisson, SquaredError};

/// From this many rows on, losses of classes sum coarse gradients.
const FEW_ROWS: usize = 20_000;
/// As many rows as one node may have in practice: the more rows, the fewer bits of each are summed.
const MANY_ROWS: usize = 10_000_000;
const N_TEST: usize = 20_000;
const N_FEATURES: usize = 4;
const ROUNDS: usize = 30;
const DEPTH: usize = 4;
const RATE: f64 = 0.2;
const LAMBDA: f64 = 1.0;
const LEAST_WEIGHT: f64 = 1e-3;

/// A problem, and by what predictions of new rows are judged.
struct Problem {
    n_train: usize,
    task: Task,
    loss: Loss,
    objective: Box<dyn Objective>,
    features: Features,
    targets: Targets,
    /// The loss of a test row with a raw score: its features are those of the row, its label is noisy or the truth.
    judged: Box<dyn Fn(usize, f64) -> f64>,
    test: Features,
}

fn uniform(seed: u64) -> impl Fn(usize, usize) -> f64 + Copy {
    move |row, what| Keyed::new(seed, Purpose::Example).uniform((row * 16 + what) as u64)
}

fn features(u: impl Fn(usize, usize) -> f64, rows: std::ops::Range<usize>) -> Features {
    // Few enough values that all rows have the same bins.
    let column = |f: usize| FeatureColumn::Number(rows.clone().map(|r| (u(r, f) * 200.0).floor()).collect());
    Features::new(rows.len(), (0..N_FEATURES).map(column).collect())
}

/// A smooth function with a step.
fn signal(x: &impl Fn(usize) -> f64) -> f64 {
    numeric::sin(5.0 * x(1)) + 2.0 * x(0) * x(2) + if x(3) > 0.7 { 1.0 } else { 0.0 }
}

/// Weights from 1 to a million, which follow a feature.
fn heavy_weights(n_train: usize, seed: u64) -> Problem {
    let u = uniform(seed);
    let truth = move |r: usize| signal(&|f| u(r, f));
    let labels = (0..n_train).map(|r| truth(r) + 2.0 * (u(r, 8) + u(r, 9) + u(r, 10) - 1.5)).collect();
    let weights = (0..n_train).map(|r| numeric::pow(10.0, 6.0 * u(r, 0))).collect();
    Problem {
        n_train,
        task: Task::Regression,
        loss: Loss::OfTask,
        objective: Box::new(SquaredError),
        features: features(u, 0..n_train),
        targets: Targets { values: labels, weights: Some(weights) },
        judged: Box::new(move |r, score| (score - truth(n_train + r)) * (score - truth(n_train + r))),
        test: features(u, n_train..n_train + N_TEST),
    }
}

/// Counts whose rates go from a hundredth to hundreds.
fn counts(n_train: usize, seed: u64) -> Problem {
    let u = uniform(seed);
    let rate = move |r: usize| numeric::exp(10.0 * u(r, 0) - 5.0 + signal(&|f| u(r, f)) / 2.0);
    // By inversion, and far from zero by its normal form.
    let count = move |r: usize| {
        let rate = rate(r);
        if rate > 30.0 {
            let normal = (0..12).map(|i| u(r + 1_000_000, i)).sum::<f64>() - 6.0;
            return (rate + rate.sqrt() * normal).round().max(0.0);
        }
        let (mut k, mut term, mut below) = (0.0, numeric::exp(-rate), numeric::exp(-rate));
        while below < u(r, 8) && k < 200.0 {
            k += 1.0;
            term *= rate / k;
            below += term;
        }
        k
    };
    Problem {
        n_train,
        task: Task::Regression,
        loss: Loss::Poisson,
        objective: Box::new(Poisson),
        features: features(u, 0..n_train),
        targets: Targets::new((0..n_train).map(count).collect()),
        judged: Box::new(move |r, score| {
            let cost = |score: f64| numeric::exp(score) - rate(n_train + r) * score;
            cost(score) - cost(numeric::ln(rate(n_train + r)))
        }),
        test: features(u, n_train..n_train + N_TEST),
    }
}

/// One row in a hundred is of the rarer class.
fn rare_class(n_train: usize, seed: u64) -> Problem {
    let u = uniform(seed);
    let odds = move |r: usize| 1.5 * signal(&|f| u(r, f)) - 6.5;
    let label = move |r: usize| f64::from(u8::from(u(r, 8) < numeric::sigmoid(odds(r))));
    Problem {
        n_train,
        task: Task::Binary { labels: ["no".into(), "yes".into()] },
        loss: Loss::OfTask,
        objective: Box::new(BinaryLogLoss),
        features: features(u, 0..n_train),
        targets: Targets::new((0..n_train).map(label).collect()),
        judged: Box::new(move |r, score| {
            // The expected log-loss, without what no model could avoid.
            let cost = |p: f64| -numeric::ln(p);
            let (p, truth) = (numeric::sigmoid(score), numeric::sigmoid(odds(n_train + r)));
            truth * (cost(p) - cost(truth)) + (1.0 - truth) * (cost(1.0 - p) - cost(1.0 - truth))
        }),
        test: features(u, n_train..n_train + N_TEST),
    }
}

impl Problem {
    fn judge(&self, scores: &[f64]) -> f64 {
        scores.iter().enumerate().map(|(row, score)| (self.judged)(row, *score)).sum::<f64>() / scores.len() as f64
    }

    /// How good the engine is.
    fn rounded(&self) -> f64 {
        let params = BoostParams {
            loss: self.loss.clone(),
            n_estimators: ROUNDS,
            learning_rate: RATE,
            max_depth: Some(DEPTH),
            reg_lambda: LAMBDA,
            min_child_weight: LEAST_WEIGHT,
            ..BoostParams::depthwise()
        };
        let cancel = Cancel::new();
        let request = Request {
            features: &self.features,
            targets: &self.targets,
            task: &self.task,
            seed: 5,
            start: Start::Constant,
            early_stopping: None,
            cancel: &cancel,
        };
        let trees = boost::fit(&request, &params).unwrap().trees;
        let mut scores = vec![0.0; N_TEST];
        trees.raw_scores(&self.test, &mut scores);
        self.judge(&scores)
    }

    /// How good a plain booster is.
    fn plain(&self) -> f64 {
        // Training and test rows in the same bins.
        let numbers = |features: &Features, f: usize| match &features.columns()[f] {
            FeatureColumn::Number(values) => values.clone(),
            _ => unreachable!("all features are numbers"),
        };
        let all = |f| FeatureColumn::Number([numbers(&self.features, f), numbers(&self.test, f)].concat());
        let all = Features::new(self.n_train + N_TEST, (0..N_FEATURES).map(all).collect());
        let matrix = Binner { max_bin: 255, min_data_in_bin: 1, max_levels: 1, seed: 0 }.bin(&all);
        let labels = Labels { values: &self.targets.values, weights: self.targets.weights.as_deref() };
        let base = self.objective.base_scores(labels)[0];
        let n_train = self.n_train;
        let mut scores = vec![base; n_train + N_TEST];
        let (mut gradients, mut hessians) = (vec![0.0; n_train], vec![0.0; n_train]);
        for _ in 0..ROUNDS {
            let known = &self.targets.values;
            self.objective.derivatives(&scores[..n_train], known, &mut gradients, &mut hessians);
            for row in 0..n_train {
                let weight = self.targets.weights.as_ref().map_or(1.0, |w| w[row]);
                gradients[row] *= weight;
                hessians[row] *= weight;
            }
            let rows: Vec<usize> = (0..n_train + N_TEST).collect();
            grow(&matrix, &gradients, &hessians, rows, DEPTH, &mut scores);
        }
        self.judge(&scores[n_train..])
    }
}

/// Grows a tree over rows, of which the first count, those with derivatives, and adds its values to the scores of all.
fn grow(matrix: &BinnedMatrix, g: &[f64], h: &[f64], rows: Vec<usize>, depth: usize, scores: &mut [f64]) {
    let n_train = g.len();
    let sum = |values: &[f64]| rows.iter().filter(|r| **r < n_train).map(|r| values[*r]).sum::<f64>();
    let (all_g, all_h) = (sum(g), sum(h));
    let mut best = (0.0, None);
    if depth > 0 {
        for feature in 0..N_FEATURES {
            let column = matrix.column(feature).bytes();
            let mut bins = [(0.0, 0.0); 256];
            for &row in rows.iter().filter(|r| **r < n_train) {
                let bin = &mut bins[column[row] as usize];
                *bin = (bin.0 + g[row], bin.1 + h[row]);
            }
            let (mut left_g, mut left_h) = (0.0, 0.0);
            for (bin, sums) in bins.iter().enumerate() {
                (left_g, left_h) = (left_g + sums.0, left_h + sums.1);
                let (right_g, right_h) = (all_g - left_g, all_h - left_h);
                if left_h < LEAST_WEIGHT || right_h < LEAST_WEIGHT {
                    continue;
                }
                let score = |g: f64, h: f64| g * g / (h + LAMBDA);
                let gain = score(left_g, left_h) + score(right_g, right_h) - score(all_g, all_h);
                if gain > best.0 {
                    best = (gain, Some((feature, bin)));
                }
            }
        }
    }
    match best.1 {
        None => rows.into_iter().for_each(|row| scores[row] -= RATE * all_g / (all_h + LAMBDA)),
        Some((feature, bin)) => {
            let column = matrix.column(feature).bytes();
            let (left, right): (Vec<usize>, Vec<usize>) = rows.into_iter().partition(|r| column[*r] as usize <= bin);
            grow(matrix, g, h, left, depth - 1, scores);
            grow(matrix, g, h, right, depth - 1, scores);
        }
    }
}

/// Both losses, mean over some seeds.
fn compare(problem: impl Fn(usize, u64) -> Problem) -> (f64, f64) {
    let seeds = [1, 2, 3];
    let mean = |f: &dyn Fn(Problem) -> f64| {
        seeds.map(|seed| f(problem(FEW_ROWS, seed))).iter().sum::<f64>() / seeds.len() as f64
    };
    (mean(&|p| p.rounded()), mean(&|p| p.plain()))
}

/// Both losses on many rows, for `cargo xtask soak rounding`.
fn compare_many(problem: impl Fn(usize, u64) -> Problem) -> (f64, f64) {
    let problem = problem(MANY_ROWS, 1);
    let (rounded, plain) = (problem.rounded(), problem.plain());
    println!("rounded {rounded:.9}, plain {plain:.9}, ratio {:.6}", rounded / plain);
    (rounded, plain)
}

#[test]
fn weights_of_a_million_to_one() {
    let (rounded, plain) = compare(heavy_weights);
    assert!(rounded < 1.0001 * plain, "rounded {rounded}, plain {plain}");
}

#[test]
fn counts_over_decades() {
    let (rounded, plain) = compare(counts);
    assert!(rounded < 1.0001 * plain, "rounded {rounded}, plain {plain}");
}

#[test]
fn a_class_of_one_row_in_a_hundred() {
    let (rounded, plain) = compare(rare_class);
    assert!(rounded < 1.02 * plain, "rounded {rounded}, plain {plain}");
}

#[test]
#[ignore = "takes minutes and gigabytes: `cargo xtask soak rounding` runs it"]
fn ten_million_rows_of_weights_of_a_million_to_one() {
    let (rounded, plain) = compare_many(heavy_weights);
    assert!(rounded < 1.001 * plain, "rounded {rounded}, plain {plain}");
}

#[test]
#[ignore = "takes minutes and gigabytes: `cargo xtask soak rounding` runs it"]
fn ten_million_counts_over_decades() {
    let (rounded, plain) = compare_many(counts);
    assert!(rounded < 1.001 * plain, "rounded {rounded}, plain {plain}");
}

#[test]
#[ignore = "takes minutes and gigabytes: `cargo xtask soak rounding` runs it"]
fn ten_million_rows_with_a_class_of_one_in_a_hundred() {
    let (rounded, plain) = compare_many(rare_class);
    assert!(rounded < 1.001 * plain, "rounded {rounded}, plain {plain}");
}
