//! Bands of metrics of the order that scores put rows in.

use rayon::prelude::*;

use super::super::ranking::Ranking;
use super::scale::Scale;
use super::{Bands, Result, Undefined};

impl Bands<'_> {
    /// # References
    /// DeLong, DeLong and Clarke-Pearson, 1988, equations 4 to 6; for several classes the terms of a row are added over them.
    pub(super) fn roc_auc(&self, weighted: bool) -> Result<Option<[f64; 2]>> {
        if self.scoring.task.n_outputs() > 1 {
            return self.roc_auc_of_classes(weighted);
        }
        let ranking = self.scoring.ranking();
        let (positive, negative) = ranking.totals();
        if positive == 0.0 || negative == 0.0 {
            return Err(Undefined::OneClass);
        }
        let area = ranking.roc_auc();
        let mut squares = [0.0; 2];
        for step in ranking.steps() {
            let [of_positive, of_negative] = placements(step.before, step.here, positive, negative);
            squares[0] += step.positive * (of_positive - area) * (of_positive - area);
            squares[1] += step.negative * (of_negative - area) * (of_negative - area);
        }
        let parts = [squares[0] / (positive * (positive - 1.0)), squares[1] / (negative * (negative - 1.0))];
        let variance = parts[0] + parts[1];
        // How many rows tell a variance of two parts (Welch, 1947); where no row contradicts, as many as the rarer class has.
        let freedom = parts[0] * parts[0] / (positive - 1.0) + parts[1] * parts[1] / (negative - 1.0);
        let n = if variance > 0.0 { variance * variance / freedom + 1.0 } else { positive.min(negative) };
        Ok(self.level.band(Scale::LogOdds, area, variance, n))
    }

    fn roc_auc_of_classes(&self, weighted: bool) -> Result<Option<[f64; 2]>> {
        let (targets, tally, total) = (self.scoring.targets, self.scoring.tally(), self.total);
        if tally.occurring() < 2 {
            return Err(Undefined::OneClass);
        }
        let (terms, areas) = self.class_terms.get_or_init(|| self.class_terms());
        // What is found here need not be computed again for the value.
        let areas = self.scoring.class_aucs.get_or_init(|| areas.clone());
        let value = self.scoring.roc_auc(weighted);
        let term = |row: usize| {
            let own = (areas[targets.values[row] as usize] - value) / total;
            if weighted { terms[row][1] + own } else { terms[row][0] }
        };
        let squares = crate::parallel::sum(terms.len(), |row| match targets.weight(row) {
            0.0 => 0.0,
            weight => weight * term(row) * term(row),
        });
        let rarest =
            tally.actual.iter().copied().filter(|a| *a > 0.0).fold(f64::INFINITY, |a, b| if b < a { b } else { a });
        Ok(self.level.band(Scale::LogOdds, value, squares * rarest / (rarest - 1.0), rarest))
    }

    /// What each row adds to the plain mean of the areas of the classes that occur, and to the weighted one; and these areas.
    fn class_terms(&self) -> (Vec<[f64; 2]>, Vec<f64>) {
        let (targets, predictions) = (self.scoring.targets, self.scoring.predictions);
        let tally = self.scoring.tally();
        let plain = 1.0 / tally.occurring() as f64;
        let (mut terms, mut places) = (vec![[0.0; 2]; targets.len()], vec![0u32; targets.len()]);
        let area_of = |class: usize| {
            let ranking = Ranking::placed(targets, predictions, (class, class), |row, at| places[row] = at as u32);
            let (positive, negative) = ranking.totals();
            let area = ranking.roc_auc();
            if positive == 0.0 {
                return area;
            }
            let at_points: Vec<[f64; 2]> = ranking
                .steps()
                .map(|step| {
                    let [of_positive, of_negative] = placements(step.before, step.here, positive, negative);
                    [(of_positive - area) / positive, (of_negative - area) / negative]
                })
                .collect();
            let weighted = positive / self.total;
            terms.par_iter_mut().zip(&places).zip(&targets.values).for_each(|((term, place), label)| {
                let added = at_points[*place as usize][usize::from(*label as usize != class)];
                term[0] += plain * added;
                term[1] += weighted * added;
            });
            area
        };
        let areas = (0..predictions.n_outputs).map(area_of).collect();
        (terms, areas)
    }

    /// The terms of a row: what its own precision adds, and how it moves the precision at every lower score.
    pub(super) fn average_precision(&self) -> Result<Option<[f64; 2]>> {
        let ranking = self.scoring.ranking();
        let (positive, negative) = ranking.totals();
        if positive == 0.0 {
            return Err(Undefined::NoPositive);
        }
        let value = ranking.average_precision();
        // From the lowest score up: sums over the row's score and all lower ones.
        let (mut by_positive, mut by_negative, mut squares) = (0.0, 0.0, 0.0);
        for step in ranking.steps().rev() {
            let (true_positive, false_positive) = step.here;
            let all = true_positive + false_positive;
            by_positive += step.positive / positive * false_positive / (all * all);
            by_negative += step.positive / positive * true_positive / (all * all);
            let term = (true_positive / all - value) / positive + by_positive;
            squares += step.positive * term * term + step.negative * by_negative * by_negative;
        }
        // With positive rows alone the value is 1 whatever the scores are.
        let n = if negative > 0.0 { positive.min(negative) } else { positive };
        Ok(self.level.band(Scale::LogOdds, value, squares * n / (n - 1.0), n))
    }
}

/// How much of the negative class lies below the score of a positive row, and of the positive class above that of a negative one;
/// ties count half. `before` and `here` are the counts of both classes above the score and down to it.
fn placements(before: (f64, f64), here: (f64, f64), positive: f64, negative: f64) -> [f64; 2] {
    [1.0 - 0.5 * (before.1 + here.1) / negative, 0.5 * (before.0 + here.0) / positive]
}
