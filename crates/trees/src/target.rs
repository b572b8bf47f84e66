//! Targets and weights that were checked: what every grower starts from.

use std::borrow::Cow;

use tabwright_core::{Targets, Task};
use tabwright_model::Features;

use crate::error::{Error, Result};
use crate::gradient::MOST_ROWS;

/// Largest size of a number that can be learned: its square times any number of rows is still finite.
const LARGEST_TARGET: f64 = 1e100;

/// Rows that can be learned from: targets are allowed ones, every weight is positive.
#[derive(Debug, Clone)]
pub(crate) struct Checked<'a> {
    pub(crate) features: Cow<'a, Features>,
    pub(crate) values: Cow<'a, [f64]>,
    /// None where all weights are 1.
    pub(crate) weights: Option<Cow<'a, [f64]>>,
}

impl<'a> Checked<'a> {
    /// Checks rows; those of weight 0 are left out.
    pub(crate) fn new(features: &'a Features, targets: &'a Targets, task: &Task) -> Result<Self> {
        let n_rows = features.n_rows();
        let length = |what, found| {
            if found == n_rows { Ok(()) } else { Err(Error::Length { what, found, expected: n_rows }) }
        };
        length("the target", targets.values.len())?;
        let weights = targets.weights.as_deref();
        length("the weight", weights.map_or(n_rows, <[f64]>::len))?;
        if n_rows > MOST_ROWS {
            return Err(Error::TooManyRows { rows: n_rows, allowed: MOST_ROWS });
        }
        check_values(&targets.values, task)?;
        let bad = |w: &f64| !(*w >= 0.0 && w.is_finite());
        if let Some((row, &found)) = weights.unwrap_or(&[]).iter().enumerate().find(|(_, w)| bad(w)) {
            return Err(Error::Weight { row, found });
        }
        let weights = weights.filter(|w| w.iter().any(|x| *x != 1.0));
        let kept: Option<Vec<u32>> =
            weights.filter(|w| w.contains(&0.0)).map(|w| (0..n_rows as u32).filter(|&r| w[r as usize] > 0.0).collect());
        let checked = match kept {
            None => Checked {
                features: Cow::Borrowed(features),
                values: Cow::Borrowed(&targets.values),
                weights: weights.map(Cow::Borrowed),
            },
            Some(rows) => {
                let kept = targets.take(&rows);
                let weights = kept.weights.filter(|w| w.iter().any(|x| *x != 1.0));
                Checked {
                    features: Cow::Owned(features.take(&rows)),
                    values: Cow::Owned(kept.values),
                    weights: weights.map(Cow::Owned),
                }
            }
        };
        if checked.values.is_empty() { Err(Error::NoRows { rows: n_rows }) } else { Ok(checked) }
    }

    /// Checks rows of which none has the weight 0, and keeps them.
    pub(crate) fn owned(features: &'a Features, targets: Targets, task: &Task) -> Result<Self> {
        let checked = Checked::new(features, &targets, task)?;
        if checked.n_rows() != features.n_rows() {
            return Err(Error::NoRows { rows: checked.n_rows() });
        }
        let is_weighted = checked.weights.is_some();
        let weights = targets.weights.filter(|_| is_weighted).map(Cow::Owned);
        Ok(Checked { features: Cow::Borrowed(features), values: Cow::Owned(targets.values), weights })
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.values.len()
    }
}

fn check_values(values: &[f64], task: &Task) -> Result<()> {
    let n_classes = task.n_classes();
    let good = |y: f64| match task {
        Task::Regression => y.abs() <= LARGEST_TARGET,
        _ => y >= 0.0 && y < n_classes as f64 && y.fract() == 0.0,
    };
    match values.iter().enumerate().find(|(_, y)| !good(**y)) {
        None => Ok(()),
        Some((row, &found)) => {
            let allowed = match task {
                Task::Regression => format!("numbers up to {LARGEST_TARGET:e} in size"),
                _ => format!("the classes 0 to {}", n_classes.saturating_sub(1)),
            };
            Err(Error::Target { row, found, allowed })
        }
    }
}

#[cfg(test)]
mod tests {
    use tabwright_model::FeatureColumn;

    use super::*;

    fn check(values: Vec<f64>, weights: Option<Vec<f64>>, task: &Task) -> Result<(Vec<f64>, Option<Vec<f64>>)> {
        let features = Features::new(3, vec![FeatureColumn::Number(vec![1.0, 2.0, 3.0])]);
        let targets = Targets { values, weights };
        let checked = Checked::new(&features, &targets, task)?;
        assert_eq!(checked.features.n_rows(), checked.n_rows());
        Ok((checked.values.to_vec(), checked.weights.map(Cow::into_owned)))
    }

    #[test]
    fn rows_without_weight_are_absent_and_weights_of_one_are_none() {
        let y = vec![1.0, 2.0, 3.0];
        let found = check(y.clone(), Some(vec![2.0, 0.0, 1.0]), &Task::Regression);
        assert_eq!(found, Ok((vec![1.0, 3.0], Some(vec![2.0, 1.0]))));
        assert_eq!(check(y.clone(), Some(vec![1.0; 3]), &Task::Regression), Ok((y.clone(), None)));
        assert_eq!(check(y, Some(vec![1.0, 0.0, 1.0]), &Task::Regression), Ok((vec![1.0, 3.0], None)));
    }

    #[test]
    fn what_cannot_be_learned_is_refused() {
        let binary = Task::Binary { labels: ["n".into(), "y".into()] };
        let error = |y: [f64; 3], w: Option<[f64; 3]>, task: &Task| {
            check(y.to_vec(), w.map(|w| w.to_vec()), task).unwrap_err().to_string()
        };
        let nan = error([0.0, f64::NAN, 1.0], None, &Task::Regression);
        assert_eq!(nan, "row 1 has the target NaN; allowed: numbers up to 1e100 in size");
        assert!(error([0.0, 1.0, f64::INFINITY], None, &Task::Regression).starts_with("row 2 has the target inf"));
        assert_eq!(error([0.0, 1.0, 2.0], None, &binary), "row 2 has the target 2; allowed: the classes 0 to 1");
        assert!(error([0.5, 1.0, 1.0], None, &binary).starts_with("row 0"));
        assert!(error([0.0; 3], Some([1.0, -1.0, 1.0]), &binary).starts_with("row 1 has the weight -1"));
        assert!(error([0.0; 3], Some([1.0, 1.0, f64::NAN]), &binary).starts_with("row 2 has the weight NaN"));
        assert!(error([0.0; 3], Some([0.0; 3]), &binary).contains("at least one row with a positive weight"));
        let short = check(vec![0.0; 2], None, &binary).unwrap_err().to_string();
        assert_eq!(short, "the target has 2 rows, the features have 3");
    }
}
