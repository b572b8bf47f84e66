//! Fits the transforms of one categorical column: levels, imputing, one-hot, ordinal or native codes.

use tabwright_core::{Column, RowSet};
use tabwright_model::FrozenLevels;
use tabwright_model::features::{CODE_FIRST, CODE_MISSING, CODE_UNSEEN, ONE_HOT_NONE};
use tabwright_model::pipeline::Operator;

use super::config::{CategoryEncoder, CategoryImpute, CategoryTransform, FamilyTransforms};
use super::{Fragment, number};

pub(super) fn fit(name: &str, column: &Column, rows: RowSet<'_>, transforms: &FamilyTransforms) -> Fragment {
    let transform = &transforms.category;
    let levels = fit_levels(column, rows, transform);
    let mut codes = Vec::with_capacity(rows.len());
    levels.encode(column, rows, &mut codes);
    let mut counts = vec![0u64; levels.n_codes() as usize];
    codes.iter().for_each(|&c| counts[c as usize] += 1);
    let has_missing = counts[CODE_MISSING as usize] > 0;
    let imputed = imputed_code(&levels, &counts, transform);

    let mut fragment = Fragment::default();
    let raw = fragment.push(Operator::Encode { input: 0, levels });
    let mut slot = raw;
    if let Some(code) = imputed {
        slot = fragment.push(Operator::ImputeCode { slot, code });
        counts[code as usize] += std::mem::take(&mut counts[CODE_MISSING as usize]);
        codes.iter_mut().filter(|c| **c == CODE_MISSING).for_each(|c| *c = code);
    }
    match transform.encode {
        CategoryEncoder::Native => fragment.outputs.push((slot, name.to_owned())),
        CategoryEncoder::OneHot => {
            let (columns, width) = one_hot_columns(&counts, transform);
            let slot = fragment.push(Operator::OneHot { slot, columns, width });
            fragment.outputs.push((slot, name.to_owned()));
        }
        CategoryEncoder::Ordinal => {
            let rank = |code: u32| if code < CODE_FIRST { f64::NAN } else { f64::from(code - CODE_FIRST) };
            let values = (0..counts.len() as u32).map(rank).collect();
            let slot = fragment.push(Operator::Ordinal { slot, values });
            number::finish(&mut fragment, name, slot, codes.len(), &|i| rank(codes[i]), &transforms.number);
        }
    }
    if transform.indicator && has_missing {
        let slot = fragment.push(Operator::MissingIndicator { slot: raw });
        fragment.outputs.push((slot, format!("{name}.missing")));
    }
    fragment
}

/// The levels of the fitting rows, and the fill level where values are missing and it is to be one.
fn fit_levels(column: &Column, rows: RowSet<'_>, transform: &CategoryTransform) -> FrozenLevels {
    let levels = FrozenLevels::fit(column, rows);
    let fills = transform.impute == CategoryImpute::Constant && rows.iter().any(|r| column.is_missing(r));
    if !fills || levels.code(&transform.fill) != CODE_UNSEEN {
        return levels;
    }
    let fill = levels.spelling().canonical(&transform.fill);
    let mut strings: Vec<&str> = levels.levels().iter().collect();
    strings.push(&fill);
    strings.sort_unstable();
    FrozenLevels::new(levels.spelling(), strings)
}

/// The code that takes the place of the missing one.
fn imputed_code(levels: &FrozenLevels, counts: &[u64], transform: &CategoryTransform) -> Option<u32> {
    match transform.impute {
        CategoryImpute::None => None,
        CategoryImpute::Constant => Some(levels.code(&transform.fill)).filter(|c| *c != CODE_UNSEEN),
        CategoryImpute::MostFrequent => {
            let codes = CODE_FIRST..levels.n_codes();
            codes.reduce(|best, c| if counts[c as usize] > counts[best as usize] { c } else { best })
        }
    }
}

/// A column per level, in the order of the codes; rare ones share the last. A missing value that nothing was put in
/// the place of is all zero, as is a level that was not seen.
fn one_hot_columns(counts: &[u64], transform: &CategoryTransform) -> (Vec<u32>, u32) {
    let first = CODE_FIRST as usize;
    let mut frequent: Vec<usize> = (first..counts.len()).filter(|&c| counts[c] >= transform.min_count).collect();
    if transform.max_levels > 0 && frequent.len() > transform.max_levels as usize {
        frequent.sort_by_key(|&c| (std::cmp::Reverse(counts[c]), c));
        frequent.truncate((transform.max_levels as usize - 1).max(1));
        frequent.sort_unstable();
    }
    let mut columns = vec![ONE_HOT_NONE; counts.len()];
    for (column, &code) in frequent.iter().enumerate() {
        columns[code] = column as u32;
    }
    let mut width = frequent.len() as u32;
    let rare: Vec<usize> = (first..counts.len()).filter(|&c| columns[c] == ONE_HOT_NONE).collect();
    if !rare.is_empty() {
        rare.iter().for_each(|&c| columns[c] = width);
        width += 1;
    }
    (columns, width)
}
