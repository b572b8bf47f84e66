//! Hyperparameters of forests, with scikit-learn's names and defaults.

use tabwright_core::Task;

use crate::error::{Error, Result};

/// How many features are looked at for a split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFeatures {
    /// All of them.
    All,
    /// The square root of their number.
    Sqrt,
    /// The logarithm of their number, to base 2.
    Log2,
    /// A share of them.
    Share(f64),
    /// This many.
    Count(usize),
}

impl MaxFeatures {
    /// How many of `n` features, at least one where there is one.
    pub fn of(self, n: usize) -> usize {
        let wanted = match self {
            MaxFeatures::All => n,
            MaxFeatures::Sqrt => n.isqrt(),
            MaxFeatures::Log2 => n.checked_ilog2().unwrap_or(0) as usize,
            MaxFeatures::Share(share) => (share * n as f64).floor() as usize,
            MaxFeatures::Count(count) => count,
        };
        wanted.max(1).min(n)
    }
}

/// Hyperparameters of a forest. Classes are split by Gini impurity, numbers by squared error.
#[derive(Debug, Clone, PartialEq)]
pub struct ForestParams {
    /// Number of trees.
    pub n_estimators: usize,
    /// Deepest level of a tree; none for no limit.
    pub max_depth: Option<usize>,
    /// Fewest rows of a node that is split.
    pub min_samples_split: usize,
    /// Fewest rows of a leaf.
    pub min_samples_leaf: usize,
    /// Features looked at for a split.
    pub max_features: MaxFeatures,
    /// Most leaves of a tree, the best splits first; none for no limit.
    pub max_leaf_nodes: Option<usize>,
    /// Least decrease of impurity, times the node's share of the weight, that a split must bring.
    pub min_impurity_decrease: f64,
    /// Whether each tree sees a sample drawn with replacement.
    pub bootstrap: bool,
    /// Whether thresholds are drawn at random instead of sought.
    pub random_thresholds: bool,
    /// Most bins of a column, the one for missing values apart; 256 means 255, so that a bin fits a byte.
    pub max_bin: usize,
}

impl ForestParams {
    /// The defaults of a random forest.
    pub fn random_forest(task: &Task) -> Self {
        ForestParams {
            n_estimators: 100,
            max_depth: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            max_features: if task.is_classification() { MaxFeatures::Sqrt } else { MaxFeatures::All },
            max_leaf_nodes: None,
            min_impurity_decrease: 0.0,
            bootstrap: true,
            random_thresholds: false,
            max_bin: 255,
        }
    }

    /// The defaults of extremely randomised trees.
    ///
    /// # References
    /// Geurts, Ernst, Wehenkel, "Extremely randomized trees", Machine Learning 63 (2006).
    pub fn extra_trees(task: &Task) -> Self {
        ForestParams { bootstrap: false, random_thresholds: true, ..ForestParams::random_forest(task) }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first that is out of range.
    pub fn validate(&self) -> Result<()> {
        fn check(ok: bool, parameter: &'static str, found: impl ToString, allowed: &'static str) -> Result<()> {
            if ok { Ok(()) } else { Err(Error::Parameter { parameter, found: found.to_string(), allowed }) }
        }
        check((1..=MOST_TREES).contains(&self.n_estimators), "n_estimators", self.n_estimators, "1 to 100000")?;
        check(self.max_depth != Some(0), "max_depth", 0, "1 or more, or none")?;
        check(self.min_samples_split >= 2, "min_samples_split", self.min_samples_split, "2 or more")?;
        check(self.min_samples_leaf >= 1, "min_samples_leaf", self.min_samples_leaf, "1 or more")?;
        let leaves = self.max_leaf_nodes.unwrap_or(2);
        check(leaves >= 2, "max_leaf_nodes", leaves, "2 or more, or none")?;
        let decrease = self.min_impurity_decrease;
        check(
            decrease >= 0.0 && decrease.is_finite(),
            "min_impurity_decrease",
            decrease,
            "0 or a positive finite number",
        )?;
        check((2..=256).contains(&self.max_bin), "max_bin", self.max_bin, "2 to 256")?;
        match self.max_features {
            MaxFeatures::Share(share) => {
                check(share > 0.0 && share <= 1.0, "max_features", share, "a share above 0 and up to 1")
            }
            MaxFeatures::Count(count) => check(count >= 1, "max_features", count, "1 or more"),
            _ => Ok(()),
        }
    }
}

const MOST_TREES: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_one_feature_is_looked_at() {
        assert_eq!(MaxFeatures::Sqrt.of(14), 3);
        assert_eq!(MaxFeatures::Log2.of(14), 3);
        assert_eq!(MaxFeatures::Share(0.01).of(14), 1);
        assert_eq!(MaxFeatures::Count(99).of(14), 14);
        assert_eq!(MaxFeatures::All.of(0), 0);
    }

    #[test]
    fn a_parameter_out_of_range_is_named_with_its_range() {
        let good = ForestParams::extra_trees(&Task::Regression);
        assert_eq!(good.validate(), Ok(()));
        let message = |params: ForestParams| params.validate().unwrap_err().to_string();
        let bad = ForestParams { min_samples_split: 1, ..good.clone() };
        assert_eq!(message(bad), "min_samples_split = 1 is out of range; allowed: 2 or more");
        let bad = ForestParams { max_features: MaxFeatures::Share(1.5), ..good };
        assert_eq!(message(bad), "max_features = 1.5 is out of range; allowed: a share above 0 and up to 1");
    }
}
