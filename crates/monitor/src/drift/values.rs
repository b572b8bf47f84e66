//! The values of a column on both sides, made comparable, and what a test says of them.

use crate::sample::{Sorted, Walk};
use crate::test::{Binned, by_value, chi_square, distance, in_bins, ks, proportion};

use super::choice::Test;

/// The values of a column on both sides.
#[derive(Debug, Clone)]
pub(super) enum Pair<'a> {
    /// Finite numbers.
    Numbers(Numbers<'a>),
    /// How often each level occurs.
    Levels(Binned),
}

/// Finite numbers of both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers<'a> {
    pub(super) reference: Sorted<'a>,
    pub(super) current: Sorted<'a>,
    /// Whether all are whole.
    pub(super) whole: bool,
    pub(super) walk: Walk,
}

/// What a test says: its statistic, and a p-value if it has one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    pub(super) statistic: f64,
    pub(super) p_value: Option<f64>,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(reference: Sorted<'a>, current: Sorted<'a>, whole: bool) -> Self {
        Numbers { reference, current, whole, walk: Walk::new(reference, current) }
    }
}

impl Pair<'_> {
    pub(super) fn are_numbers(&self) -> bool {
        matches!(self, Pair::Numbers(_))
    }

    /// How many distinct values both sides have together.
    pub(super) fn distinct(&self) -> usize {
        match self {
            Pair::Numbers(numbers) => numbers.walk.distinct,
            Pair::Levels(counts) => counts.reference.iter().zip(&counts.current).filter(|(r, c)| **r + **c > 0).count(),
        }
    }

    /// The counts that a test of counts compares; none for tests of numbers.
    pub(super) fn counts(&self, test: Test) -> Option<Binned> {
        let numbers = match self {
            Pair::Levels(counts) => return Some(counts.clone()),
            Pair::Numbers(numbers) => numbers,
        };
        let (a, b, whole) = (numbers.reference, numbers.current, numbers.whole);
        match test {
            Test::KolmogorovSmirnov | Test::Wasserstein => None,
            Test::ChiSquare | Test::Homogeneity | Test::Proportion => Some(by_value(a, b)),
            Test::JensenShannon | Test::PopulationStability => Some(Binned::new(a, b, whole)),
            Test::Hellinger => Some(in_bins(a, b, numbers.walk.distinct, whole)),
        }
    }

    /// Runs a test that [fits](Test::fits).
    pub(super) fn measure(&self, test: Test) -> Measured {
        match (self.counts(test), self) {
            (Some(counts), _) => of_counts(test, &counts),
            (None, Pair::Numbers(numbers)) => of_numbers(test, numbers),
            (None, Pair::Levels(_)) => Measured { statistic: 0.0, p_value: None },
        }
    }
}

/// A test of numbers.
pub(super) fn of_numbers(test: Test, numbers: &Numbers<'_>) -> Measured {
    if test == Test::KolmogorovSmirnov {
        let found = ks::of_walk(&numbers.walk, ks::Method::Auto);
        return Measured { statistic: found.statistic, p_value: Some(found.p_value) };
    }
    Measured { statistic: distance::in_deviations(numbers.walk.area, numbers.reference), p_value: None }
}

/// A test of counts.
pub(super) fn of_counts(test: Test, counts: &Binned) -> Measured {
    let tested = |found: crate::test::Outcome| Measured { statistic: found.statistic, p_value: Some(found.p_value) };
    let measured = |statistic| Measured { statistic, p_value: None };
    match test {
        Test::ChiSquare => tested(chi_square::against_reference(&counts.reference, &counts.current)),
        Test::Homogeneity => tested(chi_square::homogeneity(&counts.reference, &counts.current)),
        Test::Proportion => {
            let hits = [&counts.reference, &counts.current].map(|side| side.last().copied().unwrap_or(0));
            tested(proportion::z_test(hits, counts.totals()))
        }
        Test::JensenShannon => measured(distance::jensen_shannon(counts)),
        Test::PopulationStability => measured(distance::population_stability(counts)),
        _ => measured(distance::hellinger(counts)),
    }
}
