//! Rows of a tree as records: what a row adds to sums, and its bins, side by side.
//!
//! The rows of a node lie together, so that a node reads its own memory from one end to the other, however far apart its
//! rows are in the table. A record is moved at every split, which takes less than to fetch its bins from the table.

use std::ops::Range;

use crate::binning::BinnedMatrix;
use crate::forest::scan::{BINS, Item, Moments};

/// Bytes that are moved at once: a vector.
const PART: usize = 32;
/// Where bins begin in a record: after eight bytes of sums and four of the row.
const FIRST_BIN: usize = 12;
/// Parts of the widest record; of wider ones, a split would move much more than it reads.
const MOST_PARTS: usize = 4;

/// Bits of a sum of weight times target; those above it are a sum of weights.
const SUM_BITS: u32 = 45;
/// Targets are made positive, so that a sum of them never borrows from the weights.
const TARGET_OFFSET: i64 = 1 << 26;
/// Weight up to which sums of weight times target, of 27 bits each, fit their bits.
pub(super) const MOST_WEIGHT: i64 = (1 << (SUM_BITS - 27)) - 1;

/// Sums over some rows in one word: of weights, and of weight times target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Packed(pub(super) u64);

impl Packed {
    fn of(item: &Item, offset: i64) -> Self {
        Packed((item.weight << SUM_BITS) | (item.weight * (i64::from(item.target) + offset) as u64))
    }

    #[inline]
    pub(super) fn weight(self) -> u64 {
        self.0 >> SUM_BITS
    }

    #[inline]
    pub(super) fn sum(self) -> u64 {
        self.0 & ((1 << SUM_BITS) - 1)
    }

    /// The sums of targets to which so much was added.
    #[inline]
    pub(super) fn moments(self, offset: i64) -> Moments {
        let weight = self.weight() as i64;
        Moments { weight, sum: self.sum() as i64 - offset * weight }
    }
}

type Part = [u8; PART];

/// Where some records are that lie together.
#[derive(Debug, Clone)]
pub(super) struct Span {
    range: Range<usize>,
    /// In which buffer.
    buffer: usize,
}

impl Span {
    pub(super) fn len(&self) -> usize {
        self.range.len()
    }

    /// Each of the records, as [`Records::bin`] is asked for it.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        let buffer = self.buffer;
        self.range.clone().map(move |record| record << 1 | buffer)
    }
}

/// The records of a tree.
#[derive(Debug)]
pub(super) struct Records {
    /// The records of a node are in one of them; its children take the same places in the other.
    buffers: [Vec<Part>; 2],
    /// Parts of a record.
    width: usize,
    /// Where the bin of each feature is in a record.
    places: Vec<usize>,
    /// Added to targets.
    offset: i64,
}

impl Records {
    /// Records of the features that vary; none if they are too many.
    pub(super) fn new(matrix: &BinnedMatrix, is_number: bool) -> Option<Self> {
        let mut end = FIRST_BIN;
        let place = |varies: bool| {
            let place = end;
            end += usize::from(varies);
            place
        };
        let places = matrix.features().iter().map(|f| f.n_codes() > 1).map(place).collect();
        let width = end.div_ceil(PART);
        let offset = if is_number { TARGET_OFFSET } else { 0 };
        (width <= MOST_PARTS).then(|| Records { buffers: [Vec::new(), Vec::new()], width, places, offset })
    }

    /// Takes the rows of a node, of at most [`MOST_WEIGHT`].
    pub(super) fn fill(&mut self, items: &[Item], matrix: &BinnedMatrix) -> Span {
        /// Rows whose records are made column by column, while they are in the nearest cache.
        const BLOCK: usize = 256;
        let n_parts = items.len() * self.width;
        self.buffers.iter_mut().for_each(|buffer| buffer.resize(n_parts, [0; PART]));
        let columns = |f: &usize| matrix.features()[*f].n_codes() > 1;
        let columns: Vec<usize> = (0..matrix.n_features()).filter(columns).collect();
        for (items, parts) in items.chunks(BLOCK).zip(self.buffers[0].chunks_mut(BLOCK * self.width)) {
            for (item, record) in items.iter().zip(parts.chunks_exact_mut(self.width)) {
                record[0][..8].copy_from_slice(&Packed::of(item, self.offset).0.to_le_bytes());
                record[0][8..FIRST_BIN].copy_from_slice(&item.row.to_le_bytes());
            }
            for &feature in &columns {
                let (column, place) = (matrix.column(feature).bytes(), self.places[feature]);
                let (part, byte) = (place / PART, place % PART);
                for (item, record) in items.iter().zip(parts.chunks_exact_mut(self.width)) {
                    record[part][byte] = column[item.row as usize];
                }
            }
        }
        Span { range: 0..items.len(), buffer: 0 }
    }

    /// The sums of a record.
    #[inline]
    fn packed_of(part: &Part) -> Packed {
        Packed(u64::from_le_bytes(*part.first_chunk().expect("invariant: records have sums")))
    }

    #[inline]
    fn row_of(part: &Part) -> usize {
        u32::from_le_bytes(part[8..FIRST_BIN].try_into().expect("invariant: records have rows")) as usize
    }

    /// Sums as they were before targets were made positive.
    #[inline]
    pub(super) fn moments(&self, packed: Packed) -> Moments {
        packed.moments(self.offset)
    }

    /// What was added to every target.
    pub(super) fn offset(&self) -> i64 {
        self.offset
    }

    fn slice(&self, span: &Span) -> &[Part] {
        &self.buffers[span.buffer][span.range.start * self.width..span.range.end * self.width]
    }

    fn first_parts(&self, span: &Span) -> impl Iterator<Item = &Part> {
        self.slice(span).iter().step_by(self.width)
    }

    /// The sums of some records.
    pub(super) fn sums(&self, span: &Span) -> impl Iterator<Item = Packed> {
        self.first_parts(span).map(Self::packed_of)
    }

    /// The sums of all of some records.
    pub(super) fn total(&self, span: &Span) -> Packed {
        Packed(self.sums(span).map(|sums| sums.0).sum())
    }

    /// The rows of some records and their weights.
    pub(super) fn rows(&self, span: &Span) -> impl Iterator<Item = (usize, u64)> {
        self.first_parts(span).map(|part| (Self::row_of(part), Self::packed_of(part).weight()))
    }

    /// The sums of some records, beside their bins of a feature.
    #[inline]
    pub(super) fn bins(&self, span: &Span, feature: usize) -> impl Iterator<Item = (u8, Packed)> + Clone {
        let (part, byte) = (self.places[feature] / PART, self.places[feature] % PART);
        let parts = self.slice(span);
        parts.chunks_exact(self.width).map(move |record| (record[part][byte], Self::packed_of(&record[0])))
    }

    /// Adds up some records by their bins of some features.
    pub(super) fn add_up<const N: usize>(&self, features: [usize; N], span: &Span, sums: &mut [[u64; BINS]]) {
        let sums: &mut [[u64; BINS]; N] = sums.first_chunk_mut().expect("invariant: every feature has cells");
        let places = features.map(|feature| self.places[feature]);
        let parts = self.slice(span);
        if self.width == 1 {
            let bytes = places.map(|place| place & (PART - 1));
            for record in parts {
                let packed = Self::packed_of(record).0;
                (0..N).for_each(|i| sums[i][record[bytes[i]] as usize] += packed);
            }
        } else {
            for record in parts.chunks_exact(self.width) {
                let packed = Self::packed_of(&record[0]).0;
                (0..N).for_each(|i| sums[i][record[places[i] / PART][places[i] % PART] as usize] += packed);
            }
        }
    }

    /// The bin of a record at a place.
    #[inline]
    pub(super) fn bin(&self, place: usize, feature: usize) -> u8 {
        let at = self.places[feature];
        self.buffers[place & 1][(place >> 1) * self.width + at / PART][at % PART]
    }

    /// Moves the records that go left before all others; both sides keep their order. Returns both sides, and the sums of
    /// the left one.
    pub(super) fn part(&mut self, span: &Span, feature: usize, goes_left: impl Fn(u8) -> bool) -> ([Span; 2], Packed) {
        let (part, byte, width) = (self.places[feature] / PART, self.places[feature] % PART, self.width);
        let parts = span.range.start * width..span.range.end * width;
        let [first, second] = &mut self.buffers;
        let (from, to) = if span.buffer == 0 { (first, second) } else { (second, first) };
        let (from, to) = (&from[parts.clone()], &mut to[parts]);
        let (mut n_left, mut left_sums) = (0, 0);
        let mut count = |record: &[Part]| {
            let is_left = goes_left(record[part][byte]);
            n_left += usize::from(is_left);
            left_sums += Self::packed_of(&record[0]).0 & u64::from(is_left).wrapping_neg();
        };
        match width {
            1 => from.chunks_exact(1).for_each(count),
            _ => from.chunks_exact(width).for_each(&mut count),
        }
        let (mut left, mut right) = (0, n_left * width);
        if width == 1 {
            for record in from {
                let is_left = goes_left(record[byte]);
                let place = if is_left { left } else { right };
                to[place] = *record;
                left += usize::from(is_left);
                right += usize::from(!is_left);
            }
        } else {
            for record in from.chunks_exact(width) {
                let is_left = goes_left(record[part][byte]);
                let place = if is_left { left } else { right };
                to[place..place + width].copy_from_slice(record);
                left += if is_left { width } else { 0 };
                right += if is_left { 0 } else { width };
            }
        }
        let middle = span.range.start + n_left;
        let side = |range| Span { range, buffer: 1 - span.buffer };
        ([side(span.range.start..middle), side(middle..span.range.end)], Packed(left_sums))
    }
}
