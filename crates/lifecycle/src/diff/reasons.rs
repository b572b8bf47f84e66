//! Why two models answer differently: what each feature adds to the answer of one and of the other.
//!
//! Both are brought to one unit. Of two classes that is the probability: what features add to a raw score is scaled so that it
//! adds up to the probability less that of the average row.

use std::collections::BTreeMap;

use tabwright_core::{RowSet, Rows, Task, numeric};
use tabwright_model::model::{Link, Model};

use super::answered::Reason;
use crate::answers::Answers;

/// Rows that are explained, at most: the mean of more hardly differs.
const EXPLAINED: usize = 2_000;
/// How a model's average answer is named among the reasons.
const AVERAGE: &str = "(average answer)";
/// A raw score as near to the base as this is scaled by the slope of the link.
const NEAR: f64 = 1e-9;

/// What each feature adds to the answers of both models, in one unit.
pub(super) struct Contributions {
    /// What they are counted in.
    pub(super) unit: String,
    rows: Vec<u32>,
    names: Vec<String>,
    /// Of each model, row-major `(n_rows, n_names)`.
    values: [Vec<f64>; 2],
}

/// Rows at equal distances, as many as are explained at most; ascending.
pub(super) fn spread(rows: &[u32]) -> Vec<u32> {
    if rows.len() <= EXPLAINED {
        return rows.to_vec();
    }
    (0..EXPLAINED).map(|i| rows[i * (rows.len() - 1) / (EXPLAINED - 1)]).collect()
}

/// Explains some rows (ascending). `toward` gives the labels that a row's decision changes to and from, as codes. The error says
/// why there are no reasons.
pub(super) fn contributions(
    models: [&Model; 2],
    answers: &[Answers; 2],
    rows: &[u32],
    toward: &dyn Fn(u32) -> (usize, usize),
) -> Result<Contributions, String> {
    let links = models.map(Model::link);
    let unit = match models[0].task() {
        Task::Binary { .. } => "points of the probability of the positive label",
        _ if links[0] != links[1] => {
            return Err("reasons are not comparable: one model adds up scores, the other probabilities".into());
        }
        Task::Multiclass { .. } => "points of the raw score of the new label, less that of the old",
        Task::Regression if links[0] == Link::Exponential => "units of the logarithm of the answer",
        Task::Regression => "units of the answer",
    };
    let found = [0, 1].map(|i| explained(models[i], &answers[i], rows, toward));
    let [a, b] = found;
    let (a, b) = (a?, b?);
    let mut names: Vec<String> = a.keys().chain(b.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    let values = [a, b].map(|by_name| {
        let value = |(row, name): (usize, &String)| by_name.get(name).map_or(0.0, |values| values[row]);
        (0..rows.len()).flat_map(|row| names.iter().map(move |name| (row, name))).map(value).collect()
    });
    Ok(Contributions { unit: unit.to_owned(), rows: rows.to_vec(), names, values })
}

/// What each feature of a model adds, a value per row; the average answer is one of them.
fn explained(
    model: &Model,
    answers: &Answers,
    rows: &[u32],
    toward: &dyn Fn(u32) -> (usize, usize),
) -> Result<BTreeMap<String, Vec<f64>>, String> {
    let told = |e: tabwright_model::Error| e.to_string();
    let scorer = model.bind(answers.table.schema()).map_err(told)?;
    let all: Vec<u32> = (0..answers.table.n_rows() as u32).collect();
    let others = spread(&all);
    let block = answers.table.block();
    let found = scorer.explain(Rows::new(block, RowSet::List(rows)), Rows::new(block, RowSet::List(&others)));
    let found = found.map_err(told)?;
    let outputs = model.pipeline().outputs();
    let n_outputs = found.base.len();
    let mut by_name: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (i, &row) in rows.iter().enumerate() {
        let of =
            |output: usize| &found.contributions[(i * n_outputs + output) * found.n_features..][..found.n_features];
        let (base, scale, minus) = match model.task() {
            Task::Regression => (found.base[0], 1.0, None),
            Task::Binary { .. } => {
                let (base, scale) = to_probability(model.link(), found.base[0], of(0).iter().sum());
                (base, scale, None)
            }
            Task::Multiclass { .. } => {
                let (to, from) = toward(row);
                (found.base[to] - found.base[from], 1.0, Some((to, from)))
            }
        };
        for (feature, output) in outputs.iter().enumerate() {
            let value = match minus {
                Some((to, from)) => of(to)[feature] - of(from)[feature],
                None => scale * of(0)[feature],
            };
            by_name.entry(output.name.clone()).or_insert_with(|| vec![0.0; rows.len()])[i] += value;
        }
        by_name.entry(AVERAGE.to_owned()).or_insert_with(|| vec![0.0; rows.len()])[i] = base;
    }
    Ok(by_name)
}

/// The probability of the average row, and what turns parts of the raw score into parts of the probability.
fn to_probability(link: Link, base: f64, sum: f64) -> (f64, f64) {
    if link == Link::Identity {
        return (base, 1.0);
    }
    let (from, to) = (numeric::sigmoid(base), numeric::sigmoid(base + sum));
    (from, if sum.abs() < NEAR { from * (1.0 - from) } else { (to - from) / sum })
}

impl Contributions {
    /// What differs on average over some of the rows, the strongest first, at most so many, and then the average answer.
    pub(super) fn reasons(&self, rows: &[u32], most: usize) -> Vec<Reason> {
        let own: Vec<usize> = rows.iter().filter_map(|row| self.rows.binary_search(row).ok()).collect();
        if own.is_empty() {
            return Vec::new();
        }
        let mean = |side: usize, name: usize| {
            own.iter().map(|row| self.values[side][row * self.names.len() + name]).sum::<f64>() / own.len() as f64
        };
        let all = self.names.iter().enumerate().map(|(i, name)| {
            let (a, b) = (mean(0, i), mean(1, i));
            Reason { feature: name.clone(), a, b, difference: b - a }
        });
        let (average, mut features): (Vec<Reason>, Vec<Reason>) = all.partition(|r| r.feature == AVERAGE);
        features.retain(|r| r.difference != 0.0);
        features.sort_by(|x, y| y.difference.abs().total_cmp(&x.difference.abs()).then(x.feature.cmp(&y.feature)));
        features.truncate(most);
        features.into_iter().chain(average).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_raw_score_add_up_to_the_probability() {
        let (base, scale) = to_probability(Link::Logistic, -1.0, 3.0);
        assert!((base + scale * 3.0 - numeric::sigmoid(2.0)).abs() < 1e-12);
        let (base, scale) = to_probability(Link::Logistic, -1.0, 0.0);
        assert!((scale - base * (1.0 - base)).abs() < 1e-12);
        assert_eq!(to_probability(Link::Identity, 0.3, 0.2), (0.3, 1.0));
    }

    #[test]
    fn rows_are_taken_from_everywhere() {
        let all: Vec<u32> = (0..10_000).collect();
        let some = spread(&all);
        assert_eq!((some.len(), some[0], some[EXPLAINED - 1]), (EXPLAINED, 0, 9_999));
        assert!(some.windows(2).all(|w| w[0] < w[1]));
        assert_eq!(spread(&[3, 5]), [3, 5]);
    }
}
