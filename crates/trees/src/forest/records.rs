//! Rows of a tree as records: what a row adds to sums, and its bins, side by side.
//!
//! The rows of a node lie together, so that a node reads its own memory from one end to the other, however far apart its
//! rows are in the table. A record is moved at every split, which takes less than to fetch its codes from the table. The
//! records of all rows are made once for a forest; a tree copies those that it draws.

use std::ops::Range;

use crate::binning::BinnedMatrix;
use crate::forest::codes::Codes;
use crate::forest::node::Left;
use crate::forest::scan::{BINS, Item, Moments};
use crate::kernels::cuts::SUM_BITS;

/// Bytes that are moved at once: a vector.
const PART: usize = 32;
/// Where codes begin in a record: after eight bytes of sums and four of the row.
const FIRST_CODE: usize = 12;
/// Parts of the widest record; of wider ones, a split would move much more than it reads.
const MOST_PARTS: usize = 4;

/// Targets are made positive, so that a sum of them never borrows from the weights.
const TARGET_OFFSET: i64 = 1 << 26;
/// Weight up to which sums of weight times target, of 27 bits each, fit their bits.
pub(super) const MOST_WEIGHT: i64 = (1 << (SUM_BITS - 27)) - 1;

/// Sums over some rows in one word: of weights, and of weight times target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Packed(pub(super) u64);

impl Packed {
    #[inline]
    pub(super) fn new(weight: u64, sum: u64) -> Self {
        Packed(weight << SUM_BITS | sum)
    }

    fn of(item: &Item, offset: i64) -> Self {
        Packed::new(item.weight, item.weight * (i64::from(item.target) + offset) as u64)
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

    /// Each of the records, as [`Records::code`] is asked for it.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        let buffer = self.buffer;
        self.range.clone().map(move |record| record << 1 | buffer)
    }
}

/// The records of all rows of a table, with their bins and without sums.
#[derive(Debug)]
pub(super) struct Template {
    records: Vec<Part>,
    /// Parts of a record.
    width: usize,
    /// Where the code of each feature is in a record.
    places: Vec<usize>,
}

impl Template {
    /// Records of the features that vary; none if they are too many.
    pub(super) fn new(matrix: &BinnedMatrix, n_rows: usize) -> Option<Self> {
        /// Rows whose records are made column by column, while they are in the nearest cache.
        const BLOCK: usize = 256;
        let mut end = FIRST_CODE;
        let place = |varies: bool| {
            let place = end;
            end += usize::from(varies);
            place
        };
        let places: Vec<usize> = matrix.features().iter().map(|f| f.n_codes() > 1).map(place).collect();
        let width = end.div_ceil(PART);
        if width > MOST_PARTS {
            return None;
        }
        let mut records = vec![[0; PART]; n_rows * width];
        for (block, parts) in records.chunks_mut(BLOCK * width).enumerate() {
            let first = block * BLOCK;
            for (row, record) in parts.chunks_exact_mut(width).enumerate() {
                record[0][8..FIRST_CODE].copy_from_slice(&((first + row) as u32).to_le_bytes());
            }
            for feature in (0..matrix.n_features()).filter(|f| matrix.features()[*f].n_codes() > 1) {
                let (column, place) = (&matrix.column(feature).bytes()[first..], places[feature]);
                let (part, byte) = (place / PART, place % PART);
                for (bin, record) in column.iter().zip(parts.chunks_exact_mut(width)) {
                    record[part][byte] = *bin;
                }
            }
        }
        Some(Template { records, width, places })
    }
}

/// The records of a tree.
#[derive(Debug)]
pub(super) struct Records<'a> {
    template: &'a Template,
    /// The records of a node are in one of them; its children take the same places in the other.
    buffers: [Vec<Part>; 2],
    /// Parts of a record.
    width: usize,
    /// Where the code of each feature is in a record.
    places: &'a [usize],
    /// Added to targets.
    offset: i64,
}

impl<'a> Records<'a> {
    pub(super) fn new(template: &'a Template, is_number: bool) -> Self {
        let offset = if is_number { TARGET_OFFSET } else { 0 };
        let Template { width, places, .. } = template;
        Records { template, buffers: [Vec::new(), Vec::new()], width: *width, places, offset }
    }

    /// Takes the rows of a tree, of at most [`MOST_WEIGHT`].
    pub(super) fn fill(&mut self, items: &[Item], codes: &Codes<'_>) -> Span {
        let width = self.width;
        self.buffers.iter_mut().for_each(|buffer| buffer.resize(items.len() * width, [0; PART]));
        for (item, record) in items.iter().zip(self.buffers[0].chunks_exact_mut(width)) {
            record.copy_from_slice(&self.template.records[item.row as usize * width..][..width]);
            record[0][..8].copy_from_slice(&Packed::of(item, self.offset).0.to_le_bytes());
        }
        for (feature, ranks) in codes.categories() {
            let (part, byte) = (self.places[feature] / PART, self.places[feature] % PART);
            for record in self.buffers[0].chunks_exact_mut(width) {
                record[part][byte] = ranks[record[part][byte] as usize];
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
        u32::from_le_bytes(part[8..FIRST_CODE].try_into().expect("invariant: records have rows")) as usize
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

    /// The sums of some records, beside their codes of a feature.
    #[inline]
    pub(super) fn codes(&self, span: &Span, feature: usize) -> impl Iterator<Item = (u8, Packed)> + Clone {
        let (part, byte) = (self.places[feature] / PART, self.places[feature] % PART);
        let parts = self.slice(span);
        parts.chunks_exact(self.width).map(move |record| (record[part][byte], Self::packed_of(&record[0])))
    }

    /// Adds up some records by their codes of some features.
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

    /// The code of a record at a place.
    #[inline]
    pub(super) fn code(&self, place: usize, feature: usize) -> u8 {
        let at = self.places[feature];
        self.buffers[place & 1][(place >> 1) * self.width + at / PART][at % PART]
    }

    /// Moves the records that go left before all others, which come in reverse order. Returns both sides, the sums of the
    /// left one, and the least code on the right.
    pub(super) fn part(&mut self, span: &Span, feature: usize, left: Left) -> ([Span; 2], Packed, u8) {
        let parts = span.range.start * self.width..span.range.end * self.width;
        let [first, second] = &mut self.buffers;
        let (from, to) = if span.buffer == 0 { (first, second) } else { (second, first) };
        let (from, to) = (&from[parts.clone()], &mut to[parts]);
        let place = self.places[feature];
        let (n_left, sums, next) = match self.width {
            1 => part_records::<1>(from.as_chunks().0, to.as_chunks_mut().0, place, left),
            2 => part_records::<2>(from.as_chunks().0, to.as_chunks_mut().0, place, left),
            3 => part_records::<3>(from.as_chunks().0, to.as_chunks_mut().0, place, left),
            _ => part_records::<MOST_PARTS>(from.as_chunks().0, to.as_chunks_mut().0, place, left),
        };
        let middle = span.range.start + n_left;
        let side = |range| Span { range, buffer: 1 - span.buffer };
        ([side(span.range.start..middle), side(middle..span.range.end)], sums, next)
    }
}

/// Both sides grow towards each other, so that nothing need be counted before: one pass without a branch on where a record
/// goes, which half the records would guess wrong.
fn part_records<const W: usize>(
    from: &[[Part; W]],
    to: &mut [[Part; W]],
    place: usize,
    left: Left,
) -> (usize, Packed, u8) {
    let (part, byte) = (place / PART, place % PART);
    let (mut n_left, mut sums, mut next) = (0, 0, u8::MAX);
    for (i, record) in from.iter().enumerate() {
        let code = record[part % W][byte];
        // All bits, or none.
        let is_left = u64::from(left.has(code)).wrapping_neg();
        let n_right = i - n_left;
        let (front, back) = (n_left, to.len() - 1 - n_right);
        to[back ^ ((back ^ front) & is_left as usize)] = *record;
        n_left += (is_left & 1) as usize;
        sums += Records::packed_of(&record[0]).0 & is_left;
        next = next.min(code | is_left as u8);
    }
    (n_left, Packed(sums), next)
}
