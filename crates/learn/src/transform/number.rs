//! Fits the transforms of one numeric column: imputing, indicating, scaling.

use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{Column, RowSet, numeric, parallel};
use tabwright_model::pipeline::{Operator, seconds};

use super::Fragment;
use super::config::{FamilyTransforms, NumberImpute, NumberTransform, Scaler};

/// Quantiles are exact up to this many values, and from a keyed sample of this size beyond.
const QUANTILE_SAMPLE: usize = 200_000;

pub(super) fn fit(name: &str, column: &Column, rows: RowSet<'_>, transforms: &FamilyTransforms) -> Fragment {
    let mut fragment = Fragment::default();
    let slot = fragment.push(Operator::Number { input: 0 });
    let value = |i: usize| match column {
        Column::Timestamp(values) if !column.is_missing(rows.get(i)) => seconds(values[rows.get(i)]),
        _ => column.number(rows.get(i)),
    };
    finish(&mut fragment, name, slot, rows.len(), &value, &transforms.number);
    fragment
}

/// Adds imputing, indicating and scaling after a slot of numbers, and the outputs. `value` is the slot's value by
/// position among the fitting rows.
pub(super) fn finish(
    fragment: &mut Fragment,
    name: &str,
    slot: usize,
    n: usize,
    value: &(impl Fn(usize) -> f64 + Sync),
    transform: &NumberTransform,
) {
    let mut slot = slot;
    let has_missing = (0..n).any(|i| !value(i).is_finite());
    let indicated = transform.indicator && has_missing;
    let raw = slot;
    let mut fill = f64::NAN;
    if transform.impute != NumberImpute::None {
        fill = fill_value(n, value, transform);
        slot = fragment.push(Operator::Finite { slot });
        slot = fragment.push(Operator::ImputeNumber { slot, value: fill });
    }
    let filled = |i: usize| match value(i) {
        x if x.is_finite() || fill.is_nan() => x,
        _ => fill,
    };
    if let Some((offset, scale)) = scale(n, &filled, transform.scale) {
        slot = fragment.push(Operator::Scale { slot, offset, scale });
    }
    fragment.outputs.push((slot, name.to_owned()));
    if indicated {
        let finite = fragment.push(Operator::Finite { slot: raw });
        let slot = fragment.push(Operator::MissingIndicator { slot: finite });
        fragment.outputs.push((slot, format!("{name}.missing")));
    }
}

fn fill_value(n: usize, value: &(impl Fn(usize) -> f64 + Sync), transform: &NumberTransform) -> f64 {
    let finite = |i: usize| Some(value(i)).filter(|x| x.is_finite());
    match transform.impute {
        NumberImpute::Constant | NumberImpute::None => transform.fill,
        NumberImpute::Mean => mean(n, &finite),
        NumberImpute::Median => numeric::quantile(&sorted_sample(n, &finite), 0.5),
        NumberImpute::MostFrequent => most_frequent(&sorted_sample(n, &finite)),
    }
}

/// Offset and scale of a scaler; `None` where nothing is to be done. A column without spread is only shifted.
fn scale(n: usize, value: &(impl Fn(usize) -> f64 + Sync), scaler: Scaler) -> Option<(f64, f64)> {
    let finite = |i: usize| Some(value(i)).filter(|x| x.is_finite());
    let (offset, scale) = match scaler {
        Scaler::None => return None,
        Scaler::Standard => {
            let mean = mean(n, &finite);
            let squares = parallel::sum(n, |i| finite(i).map_or(0.0, |x| (x - mean) * (x - mean)));
            let count = parallel::sum(n, |i| f64::from(u8::from(finite(i).is_some())));
            (mean, (squares / count).sqrt())
        }
        Scaler::MinMax => {
            let (low, high) = (0..n).filter_map(finite).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (if x < low { x } else { low }, if x > high { x } else { high })
            });
            (low, high - low)
        }
        Scaler::Robust => {
            let sorted = sorted_sample(n, &finite);
            let at = |q| numeric::quantile(&sorted, q);
            (at(0.5), at(0.75) - at(0.25))
        }
    };
    let usable = scale.is_finite() && scale > 10.0 * f64::EPSILON * offset.abs();
    offset.is_finite().then_some((numeric::canonical(offset), if usable { scale } else { 1.0 }))
}

fn mean(n: usize, finite: &(impl Fn(usize) -> Option<f64> + Sync)) -> f64 {
    let count = parallel::sum(n, |i| f64::from(u8::from(finite(i).is_some())));
    if count == 0.0 {
        return 0.0;
    }
    numeric::canonical(parallel::sum(n, |i| finite(i).unwrap_or(0.0)) / count)
}

/// The values in ascending order: all of them, or a keyed sample.
fn sorted_sample(n: usize, finite: &impl Fn(usize) -> Option<f64>) -> Vec<f64> {
    let keyed = Keyed::new(0, Purpose::Quantile);
    let share = QUANTILE_SAMPLE as f64 / n as f64;
    let mut values: Vec<f64> =
        (0..n).filter(|&i| share >= 1.0 || keyed.uniform(i as u64) < share).filter_map(finite).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn most_frequent(sorted: &[f64]) -> f64 {
    let runs = sorted.chunk_by(|a, b| a == b);
    let longest = runs.fold(&[][..], |best, run| if run.len() > best.len() { run } else { best });
    longest.first().copied().map_or(0.0, numeric::canonical)
}
