//! Nodes of few rows of two classes, as the bits of a word.
//!
//! Where rows weigh no more than 64 together, a row takes as many lanes as it weighs, and a node is the word of its lanes.
//! One comparison of bytes then says which lanes a cut sends left, and sums are counts of bits; a split moves nothing.
//! What is found is what [`crate::forest::look`] finds in the same rows.

use crate::binning::{Bins, FeatureBins};
use crate::forest::MIN_LEVEL_ROWS;
use crate::forest::node::{Found, Node, NodeSplit, Test, set_of};
use crate::forest::response::Kind;
use crate::forest::scan::{BinRow, Moments};
use crate::kernels::{ByteLanes, LaneTask, N_LANES, with_lanes};

/// Weight of the heaviest node that has a lane for each row.
pub(super) const MOST_WEIGHT: usize = N_LANES;

/// The lanes of one node, from which those of the nodes below are taken.
#[derive(Debug)]
pub(super) struct Lanes {
    /// Where the row of each lane comes from.
    sources: [u32; N_LANES],
    n_lanes: usize,
    /// The first lane of each row.
    first: u64,
    /// Lanes of the class 1.
    ones: u64,
    /// The bin of each lane, by feature.
    codes: Vec<[u8; N_LANES]>,
    /// For which filling the codes of each feature stand.
    filled: Vec<u64>,
    n_fills: u64,
    min_samples_leaf: u32,
}

impl Lanes {
    pub(super) fn new(n_features: usize, min_samples_leaf: usize) -> Self {
        Lanes {
            sources: [0; N_LANES],
            n_lanes: 0,
            first: 0,
            ones: 0,
            codes: vec![[0; N_LANES]; n_features],
            filled: vec![0; n_features],
            n_fills: 0,
            min_samples_leaf: min_samples_leaf as u32,
        }
    }

    /// Takes the rows of a node: where they come from and what they add to sums. Returns its lanes.
    pub(super) fn fill(&mut self, rows: impl Iterator<Item = (usize, Moments)>) -> u64 {
        (self.first, self.ones) = (0, 0);
        self.n_fills += 1;
        let mut n = 0;
        for (source, Moments { weight, sum }) in rows {
            let end = n + weight as usize;
            self.first |= 1 << n;
            self.ones |= if sum > 0 { u64::MAX >> (N_LANES - weight as usize) << n } else { 0 };
            self.sources[n..end].fill(source as u32);
            n = end;
        }
        self.n_lanes = n;
        u64::MAX >> (N_LANES - n)
    }

    /// Fetches the bins of a feature from where the rows come from.
    pub(super) fn fetch(&mut self, feature: usize, bin: impl Fn(usize) -> u8) {
        if self.filled[feature] != self.n_fills {
            self.filled[feature] = self.n_fills;
            let codes = self.codes[feature].iter_mut().zip(&self.sources[..self.n_lanes]);
            codes.for_each(|(code, source)| *code = bin(*source as usize));
        }
    }

    /// The node of some lanes.
    pub(super) fn node(&self, lanes: u64) -> Node {
        Node::new(self.moments(lanes), self.n_rows(lanes), Kind::Share)
    }

    pub(super) fn n_rows(&self, lanes: u64) -> usize {
        (lanes & self.first).count_ones() as usize
    }

    /// Sums over some lanes.
    pub(super) fn moments(&self, lanes: u64) -> Moments {
        Moments { weight: lanes.count_ones().into(), sum: (lanes & self.ones).count_ones().into() }
    }

    /// The rows of some lanes along a feature that was fetched.
    pub(super) fn rows(&self, lanes: u64, feature: usize) -> impl Iterator<Item = BinRow> + Clone {
        let codes = &self.codes[feature];
        let row = move |lane: usize| {
            // Up to the first lane of the next row, all are of this one.
            let later = self.first & (u64::MAX << lane << 1);
            let of_row = (u64::MAX << lane) & (later & later.wrapping_neg()).wrapping_sub(1);
            BinRow { bin: codes[lane], moments: self.moments(lanes & of_row), class: 0 }
        };
        bits(lanes & self.first).map(row)
    }

    /// Looks for the best split of a feature that was fetched; none if all lanes have the same bin, and no split if none
    /// is allowed or its score is not above `least`.
    pub(super) fn look(&self, lanes: u64, feature: usize, bins: &FeatureBins, least: f64) -> Option<Option<Found>> {
        let codes = &self.codes[feature];
        let LaneFound { cut, missing_left, missing } = with_lanes(codes, Seek { of: self, codes, lanes, bins })?;
        let Some(cut) = cut else { return Some(None) };
        let score = cut.score();
        if score <= least {
            return Some(None);
        }
        let bins_of = |lanes: u64| bits(lanes & self.first & !missing).map(|lane| codes[lane]);
        let test = match bins.bins {
            Bins::Number(_) => {
                let last = bins_of(cut.left).max().expect("invariant: values are on the left");
                Test::UpTo { last, next: bins_of(lanes & !cut.left).min(), drawn: None }
            }
            Bins::Category(_) => Test::In(set_of(bins_of(cut.left))),
        };
        let split = NodeSplit { feature, test, missing_left, has_missing: missing != 0, gain: 0.0 };
        let is_perfect = self.node(lanes).has_one_class_each(self.moments(cut.left), Kind::Share);
        Some(Some(Found { score, is_perfect, split }))
    }

    /// The lanes that go left by their bins of a feature that was fetched.
    pub(super) fn left(&self, lanes: u64, feature: usize, goes_left: impl Fn(u8) -> bool) -> u64 {
        let codes = &self.codes[feature];
        bits(lanes).fold(0, |left, lane| left | u64::from(goes_left(codes[lane])) << lane)
    }
}

/// The places of the bits of a word.
#[inline(always)]
fn bits(mut word: u64) -> impl Iterator<Item = usize> + Clone {
    std::iter::from_fn(move || {
        let place = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            place & (N_LANES - 1)
        })
    })
}

/// A cut and its score as a fraction of whole numbers, which compares exactly.
#[derive(Debug, Clone, Copy)]
struct LaneCut {
    /// D².
    numerator: i64,
    /// wₗ wᵣ; 0 where a side has no rows or too few.
    denominator: i64,
    left: u64,
}

impl LaneCut {
    /// Worse than any.
    const NONE: LaneCut = LaneCut { numerator: -1, denominator: 1, left: 0 };

    /// Whether this one has the larger score, or an equal one if `first` says so.
    #[inline(always)]
    fn beats(&self, other: &LaneCut, first: bool) -> bool {
        let (own, others) = (self.numerator * other.denominator, other.numerator * self.denominator);
        (own > others) | ((own == others) & first)
    }

    fn score(&self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

/// What is found in a feature that varies.
struct LaneFound {
    /// None if no cut is allowed.
    cut: Option<LaneCut>,
    missing_left: bool,
    /// Lanes without a value.
    missing: u64,
}

/// The best cut of some lanes along a feature; none if all have the same bin.
struct Seek<'a> {
    of: &'a Lanes,
    codes: &'a [u8; N_LANES],
    lanes: u64,
    bins: &'a FeatureBins,
}

impl LaneTask for Seek<'_> {
    type Output = Option<LaneFound>;

    #[inline(always)]
    fn run(self, lanes: impl ByteLanes) -> Option<LaneFound> {
        let first = self.codes[self.lanes.trailing_zeros() as usize & (N_LANES - 1)];
        if lanes.equal(first) & self.lanes == self.lanes {
            return None;
        }
        let missing = if self.bins.has_missing { self.lanes & lanes.equal(self.bins.n_values() as u8) } else { 0 };
        let (cut, missing_left) = match (&self.bins.bins, self.of.min_samples_leaf) {
            (Bins::Number(_), 0..=1) => self.number::<false>(lanes, missing),
            (Bins::Number(_), _) => self.number::<true>(lanes, missing),
            (Bins::Category(_), _) => self.category(lanes, missing),
        };
        Some(LaneFound { cut: (cut.numerator >= 0).then_some(cut), missing_left, missing })
    }
}

impl Seek<'_> {
    /// Calls something with every bin that has rows, some of them several times, and maybe with others.
    #[inline(always)]
    fn each_value(&self, missing: u64, visit: impl FnMut(u8)) {
        let rows = self.lanes & self.of.first & !missing;
        let n_values = self.bins.n_values();
        if n_values <= rows.count_ones() as usize {
            (0..n_values).map(|code| code as u8).for_each(visit);
        } else {
            bits(rows).map(|lane| self.codes[lane]).for_each(visit);
        }
    }

    /// The best threshold, the first of equal ones, and whether missing values go left.
    #[inline(always)]
    fn number<const HAS_LEAST: bool>(&self, lanes: impl ByteLanes, missing: u64) -> (LaneCut, bool) {
        let best_with = |also: u64| {
            let mut best = LaneCut::NONE;
            self.each_value(missing, |code| {
                let cut = self.cut::<HAS_LEAST>(lanes.at_most(code) & self.lanes | also);
                // Of two cuts, the one that leaves fewer lanes on the left has the smaller word.
                best = if cut.beats(&best, cut.left < best.left) { cut } else { best };
            });
            best
        };
        let right = best_with(0);
        if missing == 0 {
            return (right, false);
        }
        let left = best_with(missing);
        if left.beats(&right, false) { (left, true) } else { (right, false) }
    }

    /// The best set of levels, and whether missing values go left: cuts of their order by the mean of their targets, the
    /// levels of few rows at one place of it, and each of those levels alone; the first of equal ones.
    #[inline(always)]
    fn category(&self, lanes: impl ByteLanes, missing: u64) -> (LaneCut, bool) {
        // Levels that have a place of their own, and one for all others: mean, whether it is that one, level, lanes.
        let mut places = [(0.0, false, 0u8, 0u64); N_LANES / MIN_LEVEL_ROWS + 1];
        let (mut n_places, mut rare, mut done) = (0, 0, missing);
        let (mut alone, mut level_alone) = (LaneCut::NONE, 0);
        self.each_value(missing, |code| {
            let level = lanes.equal(code) & self.lanes;
            if level & !done == 0 {
                return;
            }
            done |= level;
            if self.of.n_rows(level) >= MIN_LEVEL_ROWS {
                places[n_places] = (self.of.moments(level).mean(), false, code, level);
                n_places += 1;
                return;
            }
            rare |= level;
            let cut = self.cut::<true>(level);
            if cut.beats(&alone, code < level_alone) {
                (alone, level_alone) = (cut, code);
            }
        });
        if rare != 0 {
            places[n_places] = (self.of.moments(rare).mean(), true, 0, rare);
            n_places += 1;
        }
        let places = &mut places[..n_places];
        places.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let (mut best, mut is_left) = (LaneCut::NONE, false);
        for missing_left in [false, true] {
            if missing_left && missing == 0 {
                break;
            }
            let mut left = if missing_left { missing } else { 0 };
            for place in &*places {
                left |= place.3;
                let cut = self.cut::<true>(left);
                if cut.beats(&best, false) {
                    (best, is_left) = (cut, missing_left);
                }
            }
        }
        if alone.beats(&best, false) { (alone, false) } else { (best, is_left) }
    }

    /// A cut, given what goes left; one that is not allowed if `HAS_LEAST` and a side has fewer rows than the least of a
    /// leaf.
    #[inline(always)]
    fn cut<const HAS_LEAST: bool>(&self, left: u64) -> LaneCut {
        let count = |lanes: u64| i64::from(lanes.count_ones());
        let (weight, sum) = (count(self.lanes), count(self.lanes & self.of.ones));
        let (left_weight, left_sum) = (count(left), count(left & self.of.ones));
        let difference = left_sum * weight - sum * left_weight;
        let (numerator, denominator) = (difference * difference, left_weight * (weight - left_weight));
        if HAS_LEAST {
            let least = self.of.min_samples_leaf;
            let n_rows = |lanes: u64| (lanes & self.of.first).count_ones();
            if n_rows(left) < least || n_rows(self.lanes & !left) < least {
                return LaneCut { numerator: -1, denominator: 0, left };
            }
        }
        LaneCut { numerator, denominator, left }
    }
}
