//! What is done to columns before a model sees them: the configuration, with the defaults of each family of models.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Models that want their features in the same form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Numbers without gaps, on one scale; categories one-hot.
    Linear,
    /// Raw numbers, missing values, categories.
    Trees,
}

/// What is put in the place of missing numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberImpute {
    /// The middle value.
    #[default]
    Median,
    /// The average.
    Mean,
    /// The value that occurs most often; the least of several.
    MostFrequent,
    /// `fill`.
    Constant,
    /// Nothing: missing values stay (trees learn from them).
    None,
}

/// What numbers are brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaler {
    /// Mean 0 and standard deviation 1.
    #[default]
    Standard,
    /// From 0 to 1.
    MinMax,
    /// Median 0 and interquartile range 1.
    Robust,
    /// As they are.
    None,
}

/// What is put in the place of missing categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CategoryImpute {
    /// The level `fill`.
    #[default]
    Constant,
    /// The level that occurs most often; the first of several in byte order.
    MostFrequent,
    /// Nothing.
    None,
}

/// What categories become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CategoryEncoder {
    /// A 0/1 column per level; a level that was not seen is all zero.
    #[default]
    OneHot,
    /// The level's rank in byte order, treated as a number from then on.
    Ordinal,
    /// Codes that trees split on as categories.
    Native,
}

/// What is done to a numeric column.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NumberTransform {
    /// What is put in the place of missing values.
    pub impute: NumberImpute,
    /// The number for `impute = "constant"`.
    pub fill: f64,
    /// Whether a 0/1 column says where the value was missing.
    pub indicator: bool,
    /// What the numbers are brought to.
    pub scale: Scaler,
}

/// What is done to a categorical column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CategoryTransform {
    /// What is put in the place of missing values.
    pub impute: CategoryImpute,
    /// The level for `impute = "constant"`.
    pub fill: String,
    /// Whether a 0/1 column says where the value was missing.
    pub indicator: bool,
    /// What the levels become.
    pub encode: CategoryEncoder,
    /// One-hot: levels with fewer rows share one column (1: none does).
    pub min_count: u64,
    /// One-hot: at most this many columns, the most frequent levels; the rest share the last (0: no limit).
    pub max_levels: u32,
}

impl Default for CategoryTransform {
    fn default() -> Self {
        CategoryTransform {
            impute: CategoryImpute::Constant,
            fill: "missing".into(),
            indicator: false,
            encode: CategoryEncoder::OneHot,
            min_count: 1,
            max_levels: 0,
        }
    }
}

/// What is done to the columns of one family of models.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FamilyTransforms {
    /// Integers and floats (timestamps too, for trees).
    pub number: NumberTransform,
    /// Booleans and categories.
    pub category: CategoryTransform,
}

impl FamilyTransforms {
    /// The defaults of a family.
    pub fn of(family: Family) -> Self {
        match family {
            Family::Linear => FamilyTransforms::default(),
            Family::Trees => FamilyTransforms {
                number: NumberTransform { impute: NumberImpute::None, scale: Scaler::None, ..Default::default() },
                category: CategoryTransform {
                    impute: CategoryImpute::None,
                    encode: CategoryEncoder::Native,
                    ..Default::default()
                },
            },
        }
    }
}

/// What is done to one column in every family; what is not given follows the family.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnTransform {
    /// `median`, `mean`, `most_frequent`, `constant` or `none`.
    pub impute: Option<NumberImpute>,
    /// The number or level for `impute = "constant"`.
    pub fill: Option<Fill>,
    /// Whether a 0/1 column says where the value was missing.
    pub indicator: Option<bool>,
    /// `standard`, `min_max`, `robust` or `none`.
    pub scale: Option<Scaler>,
    /// `one_hot`, `ordinal` or `native`.
    pub encode: Option<CategoryEncoder>,
    /// As in [`CategoryTransform::min_count`].
    pub min_count: Option<u64>,
    /// As in [`CategoryTransform::max_levels`].
    pub max_levels: Option<u32>,
}

/// A fill value: a number or a level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fill {
    /// For numeric columns.
    Number(f64),
    /// For categorical columns.
    Level(String),
}

/// What is done to all columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransformConfig {
    /// For linear models.
    pub linear: FamilyTransforms,
    /// For trees.
    pub trees: FamilyTransforms,
    /// For single columns, in both.
    pub columns: BTreeMap<String, ColumnTransform>,
}

impl Default for TransformConfig {
    fn default() -> Self {
        TransformConfig {
            linear: FamilyTransforms::of(Family::Linear),
            trees: FamilyTransforms::of(Family::Trees),
            columns: BTreeMap::new(),
        }
    }
}

impl TransformConfig {
    /// What is done to a column for a family.
    pub(super) fn for_column(&self, name: &str, family: Family) -> FamilyTransforms {
        let mut all = match family {
            Family::Linear => self.linear.clone(),
            Family::Trees => self.trees.clone(),
        };
        if let Some(own) = self.columns.get(name) {
            own.apply(&mut all);
        }
        // A linear model can read neither gaps nor codes.
        if family == Family::Linear {
            if all.number.impute == NumberImpute::None {
                all.number.impute = NumberImpute::Median;
            }
            if all.category.encode == CategoryEncoder::Native {
                all.category.encode = CategoryEncoder::OneHot;
            }
        }
        all
    }
}

impl ColumnTransform {
    fn apply(&self, all: &mut FamilyTransforms) {
        if let Some(impute) = self.impute {
            all.number.impute = impute;
            all.category.impute = match impute {
                NumberImpute::MostFrequent => CategoryImpute::MostFrequent,
                NumberImpute::None => CategoryImpute::None,
                _ => CategoryImpute::Constant,
            };
        }
        match &self.fill {
            Some(Fill::Number(value)) => {
                all.number.fill = *value;
                all.category.fill = tabwright_model::levels::shortest(*value);
            }
            Some(Fill::Level(level)) => all.category.fill.clone_from(level),
            None => {}
        }
        if let Some(indicator) = self.indicator {
            all.number.indicator = indicator;
            all.category.indicator = indicator;
        }
        all.number.scale = self.scale.unwrap_or(all.number.scale);
        all.category.encode = self.encode.unwrap_or(all.category.encode);
        all.category.min_count = self.min_count.unwrap_or(all.category.min_count);
        all.category.max_levels = self.max_levels.unwrap_or(all.category.max_levels);
    }
}
