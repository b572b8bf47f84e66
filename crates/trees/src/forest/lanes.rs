//! Nodes of few rows of two classes, as the bits of a word.
//!
//! Where rows weigh no more than 64 together, a row takes as many lanes as it weighs, and a node is the word of its lanes.
//! One comparison of bytes then says which lanes a cut sends left, and sums are counts of bits; a split moves nothing.
//! What is found is what [`crate::forest::look`] finds in the same rows.

use crate::binning::FeatureBins;
use crate::forest::cells::judge;
use crate::forest::node::{Found, Left, Node, NodeSplit};
use crate::forest::records::Packed;
use crate::forest::response::Kind;
use crate::forest::scan::{CodeRow, Moments};
use crate::kernels::cuts::{Judge, WIDTH, best_cut};
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
    /// The code of each lane, by feature.
    codes: Vec<[u8; N_LANES]>,
    /// For which filling the codes of each feature stand.
    filled: Vec<u64>,
    n_fills: u64,
    min_samples_leaf: usize,
    /// What is on the left of the cuts of a feature, and the last code there.
    lefts: [u64; N_LANES],
    lasts: [u8; N_LANES],
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
            min_samples_leaf,
            lefts: [0; N_LANES],
            lasts: [0; N_LANES],
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

    /// Fetches the codes of a feature from where the rows come from.
    pub(super) fn fetch(&mut self, feature: usize, code_of: impl Fn(usize) -> u8) {
        if self.filled[feature] != self.n_fills {
            self.filled[feature] = self.n_fills;
            let codes = self.codes[feature].iter_mut().zip(&self.sources[..self.n_lanes]);
            codes.for_each(|(code, source)| *code = code_of(*source as usize));
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
    pub(super) fn rows(&self, lanes: u64, feature: usize) -> impl Iterator<Item = CodeRow> + Clone {
        let codes = &self.codes[feature];
        let row = move |lane: usize| {
            // Up to the first lane of the next row, all are of this one.
            let later = self.first & (u64::MAX << lane << 1);
            let of_row = (u64::MAX << lane) & (later & later.wrapping_neg()).wrapping_sub(1);
            CodeRow { code: codes[lane], moments: self.moments(lanes & of_row), class: 0 }
        };
        bits(lanes & self.first).map(row)
    }

    /// Looks for the best split of a feature that was fetched; none if all lanes have the same code, and no split if none
    /// is allowed.
    pub(super) fn look(
        &mut self,
        node: &Node,
        lanes: u64,
        feature: usize,
        bins: &FeatureBins,
    ) -> Option<Option<Found>> {
        let codes = &self.codes[feature];
        let of = |code: u8| lanes & with_lanes(codes, Equal(code));
        if of(codes[lanes.trailing_zeros() as usize & (N_LANES - 1)]) == lanes {
            return None;
        }
        let missing = if bins.has_missing { of(bins.n_values() as u8) } else { 0 };
        let values = lanes & self.first & !missing;
        let judge = judge(node, 0);
        let right = self.best(&judge, (lanes, values, 0), feature, bins);
        let left = if missing == 0 { None } else { self.best(&judge, (lanes, values, missing), feature, bins) };
        let (cut, missing_left) = match (right, left) {
            (Some(right), Some(left)) if left.0 > right.0 => (left, true),
            (None, Some(left)) => (left, true),
            (Some(right), _) => (right, false),
            (None, None) => return Some(None),
        };
        let (score, last, left) = cut;
        let has_missing = missing != 0;
        let split = NodeSplit { feature, last, drawn: None, missing_left, has_missing, gain: 0.0 };
        let is_perfect = node.has_one_class_each(left, Kind::Share);
        Some(Some(Found { score, is_perfect, split }))
    }

    /// The best cut of some lanes, given the first lane of each row with a value and those that go left whatever their code:
    /// its score, its last code, and what is on its left.
    fn best(
        &mut self,
        judge: &Judge,
        (lanes, values, also): (u64, u64, u64),
        feature: usize,
        bins: &FeatureBins,
    ) -> Option<(f64, u8, Moments)> {
        let (codes, n_values) = (&self.codes[feature], bins.n_values());
        let (lefts, lasts, ones) = (&mut self.lefts, &mut self.lasts, self.ones);
        let n = with_lanes(codes, List { lanes, values, also, ones, codes, n_values, lefts, lasts });
        if self.min_samples_leaf > 1 {
            self.forbid(lanes, feature, also, n);
        }
        // Whole vectors: a cut that leaves nothing on the left has no score.
        let end = n.next_multiple_of(WIDTH);
        self.lefts[n..end].fill(0);
        let (place, score) = best_cut(&self.lefts[..end], judge);
        (score >= 0.0).then(|| (score, self.lasts[place], Packed(self.lefts[place]).moments(0)))
    }

    /// Takes away the listed cuts that leave too few rows on a side.
    fn forbid(&mut self, lanes: u64, feature: usize, also: u64, n: usize) {
        for place in 0..n {
            let last = self.lasts[place];
            let left = lanes & with_lanes(&self.codes[feature], Left { last, also: last }) | also;
            let n_rows = self.n_rows(left).min(self.n_rows(lanes & !left));
            if n_rows < self.min_samples_leaf {
                self.lefts[place] = 0;
            }
        }
    }

    /// The lanes that go left by their codes of a feature that was fetched, and the least code on the right.
    pub(super) fn part(&self, lanes: u64, feature: usize, left: Left) -> (u64, u8) {
        let codes = &self.codes[feature];
        let left = lanes & with_lanes(codes, left);
        let right = bits(lanes & !left & self.first).map(|lane| codes[lane]);
        (left, right.fold(u8::MAX, u8::min))
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

/// The lanes of a code.
struct Equal(u8);

impl LaneTask for Equal {
    type Output = u64;

    #[inline(always)]
    fn run(self, lanes: impl ByteLanes) -> u64 {
        lanes.equal(self.0)
    }
}

impl LaneTask for Left {
    type Output = u64;

    #[inline(always)]
    fn run(self, lanes: impl ByteLanes) -> u64 {
        lanes.at_most(self.last) | lanes.equal(self.also)
    }
}

/// Lists the cuts of some lanes along a feature: what is on their left, and the last code there. The same cut may be listed
/// twice, and one that is not allowed has nothing on its left.
struct List<'a> {
    lanes: u64,
    /// The first lane of each row of them that has a value.
    values: u64,
    /// Lanes that go left with every code.
    also: u64,
    ones: u64,
    codes: &'a [u8; N_LANES],
    n_values: usize,
    lefts: &'a mut [u64; N_LANES],
    lasts: &'a mut [u8; N_LANES],
}

impl LaneTask for List<'_> {
    /// How many there are.
    type Output = usize;

    #[inline(always)]
    fn run(self, lanes: impl ByteLanes) -> usize {
        let mut n = 0;
        let mut list = |last: u8| {
            let left = lanes.at_most(last) & self.lanes | self.also;
            self.lefts[n & (N_LANES - 1)] =
                Packed::new(left.count_ones().into(), (left & self.ones).count_ones().into()).0;
            self.lasts[n & (N_LANES - 1)] = last;
            n += 1;
        };
        if self.n_values <= self.values.count_ones() as usize {
            (0..self.n_values).for_each(|code| list(code as u8));
        } else {
            bits(self.values).for_each(|lane| list(self.codes[lane]));
        }
        n
    }
}
