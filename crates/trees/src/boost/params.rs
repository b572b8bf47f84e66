//! Hyperparameters of boosting, with the names and defaults of XGBoost and LightGBM.

use tabwright_model::pipeline::SlotType;

use crate::binning::{Binner, MOST_LEVELS};
use crate::error::{Error, Result};
use crate::grow::Growth;

/// What is minimised.
#[derive(Debug, Clone, PartialEq)]
pub enum Loss {
    /// What follows from the task: log-loss for classes, the squared error for numbers.
    OfTask,
    /// The absolute error.
    Absolute,
    /// Half the squared error up to this distance, beyond it as many times the distance; none for the distance from the median
    /// within which nine of ten targets lie.
    Huber(Option<f64>),
    /// The pinball loss of some quantiles, an output each.
    Quantiles(Vec<f64>),
    /// The likelihood of counts; the score is the logarithm of their mean.
    Poisson,
}

/// Hyperparameters of boosting.
#[derive(Debug, Clone, PartialEq)]
pub struct BoostParams {
    /// In which order trees grow.
    pub growth: Growth,
    /// What is minimised.
    pub loss: Loss,
    /// Number of rounds.
    pub n_estimators: usize,
    /// What each leaf's value is multiplied by.
    pub learning_rate: f64,
    /// What the learning rate is multiplied by from round to round.
    pub learning_rate_decay: f64,
    /// Deepest level of a tree; none for no limit.
    pub max_depth: Option<usize>,
    /// Most leaves of a tree; none for no limit.
    pub num_leaves: Option<usize>,
    /// Fewest rows of a leaf.
    pub min_child_samples: usize,
    /// Least sum of hessians of a leaf.
    pub min_child_weight: f64,
    /// L2 penalty of leaf values.
    pub reg_lambda: f64,
    /// L1 penalty of leaf values.
    pub reg_alpha: f64,
    /// Least gain of a split.
    pub gamma: f64,
    /// Share of the rows that each round sees.
    pub subsample: f64,
    /// Share of the columns that each tree sees.
    pub colsample_bytree: f64,
    /// Share of the tree's columns that each level sees.
    pub colsample_bylevel: f64,
    /// Share of the level's columns that each node sees.
    pub colsample_bynode: f64,
    /// The direction of each feature: 1 if predictions must not fall with it, -1 if they must not rise, 0 for either. Empty
    /// for none.
    pub monotone_constraints: Vec<i8>,
    /// Sets of features that may stand on one path. A feature in no set stands by itself; without sets all go together.
    pub interaction_constraints: Vec<Vec<u32>>,
    /// Most bins of a column, the one for missing values apart; 256 means 255, so that a bin fits a byte.
    pub max_bin: usize,
    /// Fewest rows of a numeric column's bin.
    pub min_data_in_bin: usize,
    /// Columns of up to this many levels are split one level against the rest.
    pub max_cat_to_onehot: usize,
    /// Most levels on the smaller side of a split of sorted levels; any number for large categories.
    pub max_cat_threshold: usize,
    /// Added to the hessians by which levels are sorted; levels of fewer rows are not split on. Large categories need none.
    pub cat_smooth: f64,
    /// L2 penalty added to splits of sorted levels.
    pub cat_l2: f64,
    /// Fewest rows by which a split of sorted levels moves on.
    pub min_data_per_group: usize,
}

impl BoostParams {
    /// XGBoost's defaults, and LightGBM's for categories. Of its own: one level against the rest for up to 64 levels, what
    /// its trees would do with one column per level.
    pub fn depthwise() -> Self {
        BoostParams {
            growth: Growth::Depthwise,
            loss: Loss::OfTask,
            n_estimators: 100,
            learning_rate: 0.3,
            learning_rate_decay: 1.0,
            max_depth: Some(6),
            num_leaves: None,
            min_child_samples: 0,
            min_child_weight: 1.0,
            reg_lambda: 1.0,
            reg_alpha: 0.0,
            gamma: 0.0,
            subsample: 1.0,
            colsample_bytree: 1.0,
            colsample_bylevel: 1.0,
            colsample_bynode: 1.0,
            monotone_constraints: Vec::new(),
            interaction_constraints: Vec::new(),
            max_bin: 256,
            min_data_in_bin: 1,
            max_cat_to_onehot: 64,
            max_cat_threshold: 64,
            cat_smooth: 10.0,
            cat_l2: 10.0,
            min_data_per_group: 100,
        }
    }

    /// LightGBM's defaults.
    pub fn leafwise() -> Self {
        BoostParams {
            growth: Growth::Leafwise,
            learning_rate: 0.1,
            max_depth: None,
            num_leaves: Some(31),
            min_child_samples: 20,
            min_child_weight: 1e-3,
            reg_lambda: 0.0,
            max_bin: 255,
            min_data_in_bin: 3,
            max_cat_to_onehot: 4,
            max_cat_threshold: 32,
            ..BoostParams::depthwise()
        }
    }

    /// What finds the bins of the rows that are learned from.
    pub fn binner(&self, seed: u64) -> Binner {
        Binner { max_bin: self.max_bin, min_data_in_bin: self.min_data_in_bin, max_levels: MOST_LEVELS, seed }
    }

    /// Checks the constraints against the features.
    ///
    /// # Errors
    /// [`Error::Constraint`] for a direction of a category, or features that are not there.
    pub fn check_constraints(&self, features: &[SlotType]) -> Result<()> {
        let n = features.len();
        let fail = |why: String| Err(Error::Constraint { why });
        if !self.monotone_constraints.is_empty() && self.monotone_constraints.len() != n {
            return fail(format!("{} directions for {n} features", self.monotone_constraints.len()));
        }
        for (f, (direction, feature)) in self.monotone_constraints.iter().zip(features).enumerate() {
            if *direction != 0 && *feature != SlotType::Number {
                return fail(format!("feature {f} is a category: only a number has a direction"));
            }
        }
        match self.interaction_constraints.iter().flatten().find(|f| **f as usize >= n) {
            Some(f) => fail(format!("an interaction names feature {f}, there are {n}")),
            None => Ok(()),
        }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first that is out of range.
    pub fn validate(&self) -> Result<()> {
        fn check(ok: bool, parameter: &'static str, found: impl ToString, allowed: &'static str) -> Result<()> {
            if ok { Ok(()) } else { Err(Error::Parameter { parameter, found: found.to_string(), allowed }) }
        }
        const COUNT: &str = "1 or more";
        const NOT_NEGATIVE: &str = "0 or a positive finite number";
        const SHARE: &str = "above 0 and up to 1";
        let not_negative = |x: f64| x >= 0.0 && x.is_finite();
        let share = |x: f64| x > 0.0 && x <= 1.0;
        check((1..=MOST_ROUNDS).contains(&self.n_estimators), "n_estimators", self.n_estimators, "1 to 1000000")?;
        let rate = self.learning_rate;
        check(rate > 0.0 && rate.is_finite(), "learning_rate", rate, "a positive finite number")?;
        check(self.max_depth != Some(0), "max_depth", 0, "1 or more, or none")?;
        let leaves = self.num_leaves.unwrap_or(2);
        check((2..=MOST_LEAVES).contains(&leaves), "num_leaves", leaves, "2 to 131072, or none")?;
        check(not_negative(self.min_child_weight), "min_child_weight", self.min_child_weight, NOT_NEGATIVE)?;
        check(not_negative(self.reg_lambda), "reg_lambda", self.reg_lambda, NOT_NEGATIVE)?;
        check(not_negative(self.reg_alpha), "reg_alpha", self.reg_alpha, NOT_NEGATIVE)?;
        check(not_negative(self.gamma), "gamma", self.gamma, NOT_NEGATIVE)?;
        check(share(self.subsample), "subsample", self.subsample, SHARE)?;
        check(share(self.colsample_bytree), "colsample_bytree", self.colsample_bytree, SHARE)?;
        check(share(self.colsample_bylevel), "colsample_bylevel", self.colsample_bylevel, SHARE)?;
        check(share(self.colsample_bynode), "colsample_bynode", self.colsample_bynode, SHARE)?;
        check(share(self.learning_rate_decay), "learning_rate_decay", self.learning_rate_decay, SHARE)?;
        match &self.loss {
            Loss::Huber(Some(delta)) => {
                check(*delta > 0.0 && delta.is_finite(), "huber_delta", delta, "a positive finite number")?;
            }
            Loss::Quantiles(levels) => {
                let inside = !levels.is_empty() && levels.iter().all(|q| *q > 0.0 && *q < 1.0);
                check(inside, "quantile_level", format!("{levels:?}"), "above 0 and below 1")?;
            }
            _ => {}
        }
        let direction = self.monotone_constraints.iter().find(|d| !(-1..=1).contains(*d));
        check(direction.is_none(), "monotone_constraints", direction.unwrap_or(&0), "-1, 0 or 1 for each feature")?;
        check((2..=256).contains(&self.max_bin), "max_bin", self.max_bin, "2 to 256")?;
        check(self.min_data_in_bin > 0, "min_data_in_bin", self.min_data_in_bin, COUNT)?;
        check(self.max_cat_threshold > 0, "max_cat_threshold", self.max_cat_threshold, COUNT)?;
        check(not_negative(self.cat_smooth), "cat_smooth", self.cat_smooth, NOT_NEGATIVE)?;
        check(not_negative(self.cat_l2), "cat_l2", self.cat_l2, NOT_NEGATIVE)?;
        check(self.min_data_per_group > 0, "min_data_per_group", self.min_data_per_group, COUNT)
    }
}

/// Beyond it the node numbers of an ensemble could run out.
const MOST_ROUNDS: usize = 1_000_000;
/// LightGBM's limit.
const MOST_LEAVES: usize = 131_072;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_allowed() {
        assert_eq!(BoostParams::depthwise().validate(), Ok(()));
        assert_eq!(BoostParams::leafwise().validate(), Ok(()));
    }

    #[test]
    fn a_parameter_out_of_range_is_named_with_its_range() {
        let bad = |change: fn(&mut BoostParams)| {
            let mut params = BoostParams::depthwise();
            change(&mut params);
            params.validate().unwrap_err().to_string()
        };
        assert_eq!(bad(|p| p.subsample = 1.5), "subsample = 1.5 is out of range; allowed: above 0 and up to 1");
        assert_eq!(bad(|p| p.max_bin = 1), "max_bin = 1 is out of range; allowed: 2 to 256");
        assert!(bad(|p| p.learning_rate = f64::NAN).starts_with("learning_rate = NaN"));
        assert!(bad(|p| p.reg_lambda = -1.0).starts_with("reg_lambda = -1"));
        assert!(bad(|p| p.num_leaves = Some(1)).starts_with("num_leaves = 1"));
        assert!(bad(|p| p.max_depth = Some(0)).starts_with("max_depth = 0"));
        assert!(bad(|p| p.n_estimators = 0).starts_with("n_estimators = 0"));
    }
}
