//! What a tree knows its rows by: the bin of a number, and of a category the rank of its level.
//!
//! Levels are ranked once for each tree, by the mean of the targets of its rows, so that below the root a category is cut
//! as a number is. For two classes and for numbers, the best set of levels is a cut of such an order (Fisher 1958; Breiman
//! et al. 1984, theorem 4.5). Levels of few rows share one place of that order, within which they stand by their bins:
//! trees that grow to purity would else learn single rows by their level.
//!
//! # References
//! Fisher, "On grouping for maximum homogeneity", JASA 53 (1958); Breiman, Friedman, Olshen, Stone, "Classification and
//! Regression Trees" (1984); Wright, König, "Splitting on categorical predictors in random forests", PeerJ 7 (2019), where
//! levels are ordered once, before trees grow.

use crate::binning::{BinnedMatrix, Bins};
use crate::forest::response::Kind;
use crate::forest::scan::{BINS, Item, Moments};

/// Rows of a tree from which on a level has a place of its own in the order. LightGBM's `cat_smooth` is 10 too.
const MIN_LEVEL_ROWS: u32 = 10;

/// The codes of one tree.
#[derive(Debug)]
pub(super) struct Codes<'a> {
    matrix: &'a BinnedMatrix,
    categories: Vec<Category>,
    /// Where each feature is among the categories.
    places: Vec<Option<usize>>,
}

#[derive(Debug)]
struct Category {
    feature: usize,
    /// The code of each bin; that of missing values is the bin.
    ranks: [u8; BINS],
}

/// Sums over the rows of a level.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    n_rows: u32,
    moments: Moments,
}

impl<'a> Codes<'a> {
    pub(super) fn new(matrix: &'a BinnedMatrix) -> Self {
        let mut categories = Vec::new();
        let place = |(feature, bins): (usize, &crate::binning::FeatureBins)| {
            (matches!(bins.bins, Bins::Category(_)) && bins.n_codes() > 1).then(|| {
                categories.push(Category { feature, ranks: [0; BINS] });
                categories.len() - 1
            })
        };
        let places = matrix.features().iter().enumerate().map(place).collect();
        Codes { matrix, categories, places }
    }

    /// Ranks levels for the rows of a tree. With several classes, by the share of one, which each tree in turn takes.
    pub(super) fn rank(&mut self, items: &[Item], kind: Kind, tree: u64) {
        let target = |item: &Item| match kind {
            Kind::Classes(n_classes) => i64::from(item.target as u64 == tree % n_classes as u64),
            _ => i64::from(item.target),
        };
        for Category { feature, ranks } in &mut self.categories {
            let column = self.matrix.column(*feature).bytes();
            let mut levels = [Level::default(); BINS];
            for item in items {
                let level = &mut levels[column[item.row as usize] as usize];
                let weight = item.weight as i64;
                level.n_rows += 1;
                level.moments.include(Moments { weight, sum: weight * target(item) });
            }
            let n_levels = self.matrix.features()[*feature].n_values();
            rank_levels(&levels[..n_levels], ranks);
            (n_levels..BINS).for_each(|bin| ranks[bin] = bin as u8);
        }
    }

    /// The code of each bin of a category; none for a number, whose bins are codes.
    pub(super) fn ranks(&self, feature: usize) -> Option<&[u8; BINS]> {
        self.places[feature].map(|place| &self.categories[place].ranks)
    }

    /// The categories that vary, with the code of each bin.
    pub(super) fn categories(&self) -> impl Iterator<Item = (usize, &[u8; BINS])> {
        self.categories.iter().map(|category| (category.feature, &category.ranks))
    }

    /// The codes of all rows along a feature.
    pub(super) fn of_rows(&self, feature: usize) -> impl Fn(usize) -> u8 + Copy {
        let (bins, ranks) = (self.matrix.column(feature).bytes(), self.ranks(feature));
        move |row| ranks.map_or(bins[row], |ranks| ranks[bins[row] as usize])
    }
}

fn rank_levels(levels: &[Level], ranks: &mut [u8; BINS]) {
    let is_rare = |level: &Level| level.n_rows < MIN_LEVEL_ROWS;
    let total = |levels: &mut dyn Iterator<Item = &Level>| {
        levels.fold(Moments::default(), |mut total, level| {
            total.include(level.moments);
            total
        })
    };
    let rare = total(&mut levels.iter().filter(|level| is_rare(level)));
    // Where no rare level has rows, those that the sample left out stand in the middle.
    let rare = if rare.weight > 0 { rare } else { total(&mut levels.iter()) };
    let rare_mean = if rare.weight > 0 { rare.mean() } else { 0.0 };
    let key = |bin: usize| match &levels[bin] {
        level if is_rare(level) => (rare_mean, true, bin),
        level => (level.moments.mean(), false, bin),
    };
    let mut order = [(0.0, false, 0); BINS];
    let order = &mut order[..levels.len()];
    order.iter_mut().enumerate().for_each(|(bin, to)| *to = key(bin));
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    order.iter().enumerate().for_each(|(rank, &(_, _, bin))| ranks[bin] = rank as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_stand_by_their_means_and_rare_ones_together() {
        let level = |n_rows: u32, sum: i64| Level { n_rows, moments: Moments { weight: n_rows.into(), sum } };
        let levels = [level(20, 20), level(1, 1), level(10, 0), level(0, 0), level(3, 0), level(40, 8)];
        let mut ranks = [0; BINS];
        rank_levels(&levels, &mut ranks);
        // Means 1, 0.25 (rare: 1 of 4), 0, rare, rare, 0.2.
        assert_eq!(ranks[..6], [5, 2, 0, 3, 4, 1]);
        // Without rare rows, a level that was not drawn stands in the middle: means 1, 0, 0.5.
        rank_levels(&[level(20, 20), level(20, 0), level(0, 0)], &mut ranks);
        assert_eq!(ranks[..3], [2, 0, 1]);
    }
}
