//! Which test a column gets: the one that is asked for if it fits, else by kind and number of rows, as Evidently chooses.

use serde::{Deserialize, Serialize};
use tabwright_core::suggest;

use super::values::Pair;

/// Rows of the reference above which distances are used: beyond, a p-value finds differences that do not matter.
const MANY_ROWS: u64 = 1_000;

/// Distinct numbers up to which they are compared one by one.
const FEW_VALUES: usize = 5;

/// A test of drift. The names are Evidently's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Test {
    /// Kolmogorov–Smirnov, of numbers.
    #[serde(rename = "ks")]
    KolmogorovSmirnov,
    /// Chi-square of levels or few numbers, against the shares of the reference.
    #[serde(rename = "chisquare")]
    ChiSquare,
    /// Chi-square of levels or few numbers, neither side taken as the truth.
    #[serde(rename = "homogeneity")]
    Homogeneity,
    /// The z-test of the share of one of two values.
    #[serde(rename = "z")]
    Proportion,
    /// The Wasserstein distance in standard deviations of the reference, of numbers.
    #[serde(rename = "wasserstein")]
    Wasserstein,
    /// The Jensen–Shannon distance.
    #[serde(rename = "jensenshannon")]
    JensenShannon,
    /// The population stability index.
    #[serde(rename = "psi")]
    PopulationStability,
    /// The Hellinger distance.
    #[serde(rename = "hellinger")]
    Hellinger,
}

impl Test {
    /// Every test, in the order of the documentation.
    pub const ALL: [Test; 8] = [
        Test::KolmogorovSmirnov,
        Test::ChiSquare,
        Test::Homogeneity,
        Test::Proportion,
        Test::Wasserstein,
        Test::JensenShannon,
        Test::PopulationStability,
        Test::Hellinger,
    ];

    /// The name that settings, reports and messages use.
    pub fn name(self) -> &'static str {
        match self {
            Test::KolmogorovSmirnov => "ks",
            Test::ChiSquare => "chisquare",
            Test::Homogeneity => "homogeneity",
            Test::Proportion => "z",
            Test::Wasserstein => "wasserstein",
            Test::JensenShannon => "jensenshannon",
            Test::PopulationStability => "psi",
            Test::Hellinger => "hellinger",
        }
    }

    /// Whether it says how often chance differs as much; else it is a distance.
    pub fn has_p_value(self) -> bool {
        matches!(self, Test::KolmogorovSmirnov | Test::ChiSquare | Test::Homogeneity | Test::Proportion)
    }

    /// The p-value below which, or the distance from which on, there is drift by convention: Evidently's.
    pub fn usual_threshold(self) -> f64 {
        if self.has_p_value() { 0.05 } else { 0.1 }
    }

    /// Whether it can compare such values.
    pub(super) fn fits(self, pair: &Pair<'_>) -> bool {
        match self {
            Test::KolmogorovSmirnov | Test::Wasserstein => pair.are_numbers(),
            Test::ChiSquare | Test::Homogeneity => !pair.are_numbers() || pair.distinct() <= FEW_VALUES,
            Test::Proportion => pair.distinct() <= 2,
            Test::JensenShannon | Test::PopulationStability | Test::Hellinger => true,
        }
    }

    /// The test that a column gets by its values, and the rows of the reference that have one.
    pub(super) fn by_values(pair: &Pair<'_>, n_reference: u64) -> Test {
        let few = !pair.are_numbers() || pair.distinct() <= FEW_VALUES;
        match (n_reference > MANY_ROWS, few) {
            (true, true) => Test::JensenShannon,
            (true, false) => Test::Wasserstein,
            (false, true) if pair.distinct() <= 2 => Test::Proportion,
            (false, true) => Test::ChiSquare,
            (false, false) => Test::KolmogorovSmirnov,
        }
    }
}

impl std::fmt::Display for Test {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Test {
    type Err = tabwright_core::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = Test::ALL.map(Test::name);
        let found = Test::ALL.into_iter().find(|test| test.name().eq_ignore_ascii_case(text.trim()));
        found.ok_or_else(|| tabwright_core::Error::UnknownName {
            what: "drift test",
            found: text.to_owned(),
            hint: suggest::did_you_mean(text, names),
            allowed: names.join(", "),
        })
    }
}
