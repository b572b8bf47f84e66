//! What the summary of a column tells of its distribution: numbers between known quantiles and edges, or counts by bin and level.

use tabwright_core::{ColumnSummary, Kind};

use crate::sample::Sorted;
use crate::test::Binned;

use super::levels::Counts;

/// Distinct numbers up to which they are compared in the bins of the summary: between a few values there is nothing to
/// interpolate.
const FEW_VALUES: u64 = 20;

/// Numbers that stand for a distribution at most.
const MOST_NUMBERS: u64 = 10_000;

/// Levels of a category, those that the summary does not name together as one.
pub(super) fn levels(summary: &ColumnSummary) -> Counts {
    let top = summary.categories.as_ref().map_or(&[][..], |c| &c.top);
    let named: u64 = top.iter().map(|level| level.count).sum();
    let others = (summary.count - summary.missing).saturating_sub(named);
    Counts::known(top.iter().map(|level| (level.value.as_str(), level.count)), summary.missing, others)
}

/// Counts of both sides in the bins of a summary of few distinct numbers, with a bin on each side for what lies beyond; nothing
/// for a summary of many.
pub(super) fn in_bins(summary: &ColumnSummary, current: Sorted<'_>) -> Option<Binned> {
    let numbers = summary.numbers.as_ref()?;
    if summary.distinct > FEW_VALUES {
        return None;
    }
    let edges = &numbers.histogram.edges;
    let last = edges.len() - 1;
    // The last bin holds its upper edge.
    let below = |i: usize| current.below(if i == last { edges[i].next_up() } else { edges[i] });
    let mut counts = vec![below(0) as u64];
    counts.extend((0..last).map(|i| (below(i + 1) - below(i)) as u64));
    counts.push((current.len() - below(last)) as u64);
    let mut reference = vec![0];
    reference.extend(&numbers.histogram.counts);
    reference.push(0);
    Some(Binned { reference, current: counts })
}

/// Numbers that are spread as a summary says, as many as there were, at most 10,000.
pub(super) fn numbers(summary: &ColumnSummary) -> Vec<f64> {
    let Some(numbers) = &summary.numbers else { return Vec::new() };
    let total = numbers.histogram.counts.iter().sum::<u64>() as f64;
    // Shares of the values below a number: from quantiles, and from edges of bins.
    let mut known: Vec<(f64, f64)> = numbers.quantiles.iter().map(|q| (q.at, q.value)).collect();
    let mut below = 0.0;
    for (edge, &count) in numbers.histogram.edges[1..].iter().zip(&numbers.histogram.counts) {
        below += count as f64;
        known.push((below / total, *edge));
    }
    known.retain(|(at, value)| (0.0..1.0).contains(at) && *value > numbers.min && *value < numbers.max);
    known.extend([(0.0, numbers.min), (1.0, numbers.max)]);
    known.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut highest = numbers.min;
    for (_, value) in &mut known {
        highest = if *value > highest { *value } else { highest };
        *value = highest;
    }
    let n = (summary.count - summary.missing).saturating_sub(numbers.infinite).min(MOST_NUMBERS);
    let mut next = 1;
    let number = |i: u64| {
        let at = (i as f64 + 0.5) / n as f64;
        while next + 1 < known.len() && known[next].0 < at {
            next += 1;
        }
        let [(from, low), (to, high)] = [known[next - 1], known[next]];
        let part = if to > from { ((at - from) / (to - from)).clamp(0.0, 1.0) } else { 1.0 };
        let value = low * (1.0 - part) + high * part;
        if summary.kind == Kind::Float { value } else { value.round_ties_even() }
    };
    (0..n).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, Walk};
    use tabwright_core::random::{Keyed, Purpose};
    use tabwright_core::summary::summarize;
    use tabwright_core::{Block, Column, Field, Rows};

    fn summary(kind: Kind, column: Column) -> ColumnSummary {
        let n = column.len();
        let block = Block::new(vec![column], n).unwrap();
        summarize(&Field::feature("x", kind), Rows::all(&block), 0)
    }

    #[test]
    fn numbers_of_a_summary_are_spread_as_those_that_it_was_made_of() {
        let keyed = Keyed::new(1, Purpose::Example);
        let skewed: Vec<f64> = (0..5_000).map(|i| keyed.uniform(i) * keyed.uniform(i) * 30.0).collect();
        let whole: Vec<i64> = skewed.iter().map(|x| *x as i64).collect();
        for (kind, column) in [(Kind::Float, Column::Float(skewed)), (Kind::Integer, Column::Integer(whole))] {
            let mut sample = Sample::default();
            sample.fill_from(&column, tabwright_core::RowSet::Range(0, 5_000));
            let again = Sample::new(numbers(&summary(kind, column)));
            let walk = Walk::new(sample.all(), again.all());
            assert!(walk.n == [5_000; 2] && walk.difference as f64 / 25e6 < 0.05, "{kind}: {walk:?}");
        }
    }

    #[test]
    fn few_numbers_are_counted_in_the_bins_of_the_summary() {
        let summary = summary(Kind::Integer, Column::Integer(vec![1, 2, 2, 4]));
        let current = Sample::new([0.0, 2.0, 2.0, 3.0, 9.0, 9.0]);
        let counts = in_bins(&summary, current.all()).unwrap();
        assert_eq!((counts.reference, counts.current), (vec![0, 1, 2, 0, 1, 0], vec![1, 0, 2, 1, 0, 2]));
        let constant = self::summary(Kind::Float, Column::Float(vec![2.5; 3]));
        let counts = in_bins(&constant, current.all()).unwrap();
        assert_eq!((counts.reference, counts.current), (vec![0, 3, 0], vec![3, 0, 3]));
    }
}
