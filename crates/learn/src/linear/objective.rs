//! What logistic regression minimises: the mean log-loss with its L2 penalty; its gradient, and its curvature as a matrix
//! or applied to a direction.
//!
//! Everything is for weights of rows that sum to 1, so `C · Σ weight · loss + ½‖w‖²` is divided by `C · Σ weight`.

use std::ops::Range;

use rayon::prelude::*;
use tabwright_core::numeric;

use super::dense::{Symmetric, add_scaled};
use super::design::{CHUNK_ROWS, Design, Gram, Tile, chunks};

/// Mean log-loss and penalty of some rows.
#[derive(Debug)]
pub(super) struct Objective<'a> {
    pub(super) design: &'a Design<'a>,
    /// The class of each row: 0 or 1 where there is one score, else the score that should be largest.
    pub(super) classes: Vec<u32>,
    /// Scores per row: 1 for two classes, else one per class.
    pub(super) n_scores: usize,
    /// The penalty of each unknown of one score.
    pub(super) penalty: Vec<f64>,
}

/// In which form the curvature is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The Hessian matrix.
    Matrix,
    /// What [`Objective::curve`] needs of each row.
    Rows,
}

/// The curvature at a point.
#[derive(Debug)]
pub(super) enum Curvature {
    /// The Hessian, unknowns of one score together.
    Matrix(Symmetric),
    /// For one score, weight · p · (1 − p); else the probability of each class: `(n_rows, n_scores)` by chunks of rows,
    /// by score within a chunk.
    Rows(Vec<f64>),
}

/// The objective around a point.
#[derive(Debug)]
pub(super) struct State {
    /// `(n_scores, n_unknowns)`.
    pub(super) point: Vec<f64>,
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    pub(super) curvature: Curvature,
}

/// Per-row results of a chunk, by score: `(n_scores, rows)`.
struct Chunk {
    /// Scores, which become weight · (probability − target).
    residuals: Vec<f64>,
    /// As in [`Curvature::Rows`].
    curvature: Vec<f64>,
    /// Weights of the rows.
    shares: Vec<f64>,
    row: Vec<f64>,
}

struct Part {
    loss: f64,
    gradient: Vec<f64>,
    grams: Vec<Gram>,
}

impl Objective<'_> {
    /// Unknowns of all scores.
    pub(super) fn n_unknowns(&self) -> usize {
        self.n_scores * self.design.n_unknowns()
    }

    /// Pairs of scores, hence blocks of the Hessian on and above its diagonal.
    fn n_blocks(&self) -> usize {
        self.n_scores * (self.n_scores + 1) / 2
    }

    /// Evaluates the objective at a point.
    pub(super) fn evaluate(&self, point: Vec<f64>, form: Form) -> State {
        let design = self.design;
        let matrix = form == Form::Matrix;
        let partial = self.n_unknowns() + if matrix { self.n_blocks() * Gram::size(design) } else { 0 };
        let stripes = design.stripes(partial);
        let mut rows_curvature = vec![0.0; if matrix { 0 } else { design.n_rows() * self.n_scores }];
        let width = stripes.first().map_or(1, Range::len) * self.n_scores;
        let parts: Vec<Part> = if matrix {
            stripes.into_par_iter().map(|rows| self.part(rows, &point, None)).collect()
        } else {
            let kept = rows_curvature.par_chunks_mut(width);
            stripes.into_par_iter().zip(kept).map(|(rows, kept)| self.part(rows, &point, Some(kept))).collect()
        };
        let mut parts = parts.into_iter();
        let mut sum = parts.next().unwrap_or_else(|| self.no_part(matrix));
        for part in parts {
            sum.loss += part.loss;
            add_scaled(&mut sum.gradient, 1.0, &part.gradient);
            sum.grams.iter_mut().zip(&part.grams).for_each(|(sum, gram)| sum.merge(gram));
        }
        let n = design.n_unknowns();
        let (mut value, mut gradient) = (sum.loss, sum.gradient);
        for (i, (g, x)) in gradient.iter_mut().zip(&point).enumerate() {
            let penalty = self.penalty[i % n];
            *g += penalty * x;
            value += 0.5 * penalty * x * x;
        }
        let curvature =
            if matrix { Curvature::Matrix(self.hessian(&sum.grams)) } else { Curvature::Rows(rows_curvature) };
        State { point, value, gradient, curvature }
    }

    fn hessian(&self, grams: &[Gram]) -> Symmetric {
        let n = self.design.n_unknowns();
        let mut hessian = Symmetric::zeros(self.n_unknowns());
        let blocks = (0..self.n_scores).flat_map(|a| (a..self.n_scores).map(move |b| (a, b)));
        for ((a, b), gram) in blocks.zip(grams) {
            gram.write(&mut hessian, a, b);
        }
        for i in 0..self.n_unknowns() {
            *hessian.at(i, i) += self.penalty[i % n];
        }
        hessian
    }

    fn no_part(&self, matrix: bool) -> Part {
        let grams = if matrix { self.n_blocks() } else { 0 };
        Part {
            loss: 0.0,
            gradient: vec![0.0; self.n_unknowns()],
            grams: (0..grams).map(|_| Gram::new(self.design)).collect(),
        }
    }

    /// Loss and gradient of a stripe; its Gram matrices, unless the curvature of the rows is kept instead.
    fn part(&self, rows: Range<usize>, point: &[f64], mut kept: Option<&mut [f64]>) -> Part {
        let (first, n) = (rows.start, self.design.n_unknowns());
        let mut part = self.no_part(kept.is_none());
        let mut chunk = Chunk { residuals: vec![], curvature: vec![], shares: vec![], row: vec![0.0; self.n_scores] };
        let mut tile = kept.is_none().then(|| Tile::new(self.design));
        for rows in chunks(rows) {
            part.loss += self.fill(&mut chunk, rows.clone(), point);
            let gradients = part.gradient.chunks_exact_mut(n);
            for (residuals, gradient) in chunk.residuals.chunks_exact(rows.len()).zip(gradients) {
                self.design.add_products(rows.clone(), residuals, gradient);
            }
            if let Some(kept) = &mut kept {
                let at = (rows.start - first) * self.n_scores;
                kept[at..at + chunk.curvature.len()].copy_from_slice(&chunk.curvature);
            }
            if let Some(tile) = &mut tile {
                self.add_grams(&mut part.grams, tile, &chunk, rows);
            }
        }
        part
    }

    /// Fills a chunk; returns its loss.
    fn fill(&self, chunk: &mut Chunk, rows: Range<usize>, point: &[f64]) -> f64 {
        let (len, n) = (rows.len(), self.design.n_unknowns());
        chunk.residuals.resize(len * self.n_scores, 0.0);
        chunk.curvature.resize(len * self.n_scores, 0.0);
        chunk.shares.clear();
        chunk.shares.extend(rows.clone().map(|i| self.design.share(i)));
        for (scores, point) in chunk.residuals.chunks_exact_mut(len).zip(point.chunks_exact(n)) {
            self.design.scores(rows.clone(), point, scores);
        }
        if self.n_scores == 1 { self.two_classes(chunk, rows) } else { self.many_classes(chunk, rows) }
    }

    fn two_classes(&self, chunk: &mut Chunk, rows: Range<usize>) -> f64 {
        let mut loss = 0.0;
        let results = chunk.residuals.iter_mut().zip(&mut chunk.curvature).zip(&chunk.shares);
        for (((residual, curvature), share), class) in results.zip(&self.classes[rows]) {
            // The score against the row's class: all is computed from its exponential, so nothing cancels.
            let against = if *class == 1 { -*residual } else { *residual };
            let small = numeric::exp(-against.abs());
            let least = if against > 0.0 { against } else { 0.0 };
            loss += share * (least + numeric::ln_1p(small));
            let inverse = 1.0 / (1.0 + small);
            let wrong = if against > 0.0 { inverse } else { small * inverse };
            *curvature = share * (small * (inverse * inverse));
            *residual = share * if *class == 1 { -wrong } else { wrong };
        }
        loss
    }

    fn many_classes(&self, chunk: &mut Chunk, rows: Range<usize>) -> f64 {
        let len = rows.len();
        let mut loss = 0.0;
        for ((i, class), share) in self.classes[rows].iter().enumerate().zip(&chunk.shares) {
            let mut top = f64::NEG_INFINITY;
            for (score, s) in chunk.row.iter_mut().zip(chunk.residuals[i..].iter().step_by(len)) {
                *score = *s;
                top = if *s > top { *s } else { top };
            }
            let own = chunk.row[*class as usize] - top;
            let mut sum = 0.0;
            for score in &mut chunk.row {
                *score = numeric::exp(*score - top);
                sum += *score;
            }
            loss += share * (numeric::ln(sum) - own);
            let places = chunk.residuals[i..].iter_mut().step_by(len).zip(chunk.curvature[i..].iter_mut().step_by(len));
            for ((score, e), (residual, curvature)) in chunk.row.iter().enumerate().zip(places) {
                let p = e / sum;
                *curvature = p;
                *residual = share * if score == *class as usize { p - 1.0 } else { p };
            }
        }
        loss
    }

    fn add_grams(&self, grams: &mut [Gram], tile: &mut Tile, chunk: &Chunk, rows: Range<usize>) {
        let len = rows.len();
        let probabilities = |score: usize, part: &Range<usize>| &chunk.curvature[score * len..][part.clone()];
        let mut weights = Vec::with_capacity(CHUNK_ROWS);
        for from in (0..len).step_by(Tile::capacity(self.design)) {
            let part = from..(from + Tile::capacity(self.design)).min(len);
            tile.load(self.design, rows.start + part.start..rows.start + part.end);
            if let [gram] = &mut *grams {
                gram.add(tile, &chunk.curvature[part]);
                continue;
            }
            let mut grams = grams.iter_mut();
            for a in 0..self.n_scores {
                for (b, gram) in (a..self.n_scores).zip(&mut grams) {
                    weights.clear();
                    let shares = &chunk.shares[part.clone()];
                    let pairs = probabilities(a, &part).iter().zip(probabilities(b, &part)).zip(shares);
                    weights.extend(pairs.map(|((p, q), share)| share * if a == b { p * (1.0 - p) } else { -p * q }));
                    gram.add(tile, &weights);
                }
            }
        }
    }

    /// The curvature of [`Form::Rows`] applied to a direction, the penalty included.
    pub(super) fn curve(&self, curvature: &[f64], direction: &[f64]) -> Vec<f64> {
        let (design, n, k) = (self.design, self.design.n_unknowns(), self.n_scores);
        let part = |rows: Range<usize>| {
            let mut sum = vec![0.0; self.n_unknowns()];
            let (mut images, mut means) = (Vec::new(), Vec::new());
            for rows in chunks(rows) {
                let len = rows.len();
                images.resize(len * k, 0.0);
                for (images, direction) in images.chunks_exact_mut(len).zip(direction.chunks_exact(n)) {
                    design.scores(rows.clone(), direction, images);
                }
                let curvature = &curvature[rows.start * k..rows.end * k];
                if k == 1 {
                    images.iter_mut().zip(curvature).for_each(|(u, h)| *u *= h);
                } else {
                    means.clear();
                    means.resize(len, 0.0);
                    for (images, p) in images.chunks_exact(len).zip(curvature.chunks_exact(len)) {
                        means.iter_mut().zip(images).zip(p).for_each(|((mean, u), p)| *mean += p * u);
                    }
                    for (images, p) in images.chunks_exact_mut(len).zip(curvature.chunks_exact(len)) {
                        for (((u, p), mean), i) in images.iter_mut().zip(p).zip(&means).zip(rows.clone()) {
                            *u = design.share(i) * (p * (*u - mean));
                        }
                    }
                }
                for (images, sum) in images.chunks_exact(len).zip(sum.chunks_exact_mut(n)) {
                    design.add_products(rows.clone(), images, sum);
                }
            }
            sum
        };
        let parts: Vec<Vec<f64>> = design.stripes(self.n_unknowns()).into_par_iter().map(part).collect();
        let mut sum = vec![0.0; self.n_unknowns()];
        parts.iter().for_each(|part| add_scaled(&mut sum, 1.0, part));
        for (i, (sum, x)) in sum.iter_mut().zip(direction).enumerate() {
            *sum += self.penalty[i % n] * x;
        }
        sum
    }

    /// The mean weight that rows have in the curvature of each score.
    pub(super) fn mean_curvature(&self, curvature: &[f64]) -> Vec<f64> {
        let k = self.n_scores;
        let mut sums = vec![0.0; k];
        for rows in chunks(0..self.design.n_rows()) {
            let curvature = &curvature[rows.start * k..rows.end * k];
            for (sum, p) in sums.iter_mut().zip(curvature.chunks_exact(rows.len())) {
                let value = |(p, i): (&f64, usize)| if k == 1 { *p } else { self.design.share(i) * (p * (1.0 - p)) };
                *sum += p.iter().zip(rows.clone()).map(value).fold(0.0, |a, b| a + b);
            }
        }
        sums
    }
}
