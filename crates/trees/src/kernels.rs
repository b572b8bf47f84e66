//! The loops in which training spends its time, and the only `unsafe` code of the crate: instructions that the compiler
//! does not use by itself. Each has a twin without them that gives the same bits.

pub(crate) mod cuts;

#[cfg(target_arch = "x86_64")]
pub(crate) use tabwright_model::kernels::has_avx2;
pub(crate) use tabwright_model::widest;

/// How many rows ahead an element is asked for: long enough for the memory, short enough for the cache.
pub(crate) const AHEAD: usize = 24;

/// Asks for an element that is needed soon; one beyond the end is no harm. Without such an instruction, nothing happens.
#[inline(always)]
pub(crate) fn prefetch<T>(data: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let place = data.as_ptr().wrapping_add(index).cast::<i8>();
        #[expect(unsafe_code, reason = "there is no safe way to ask")]
        // SAFETY: a prefetch reads nothing and cannot fault, whatever the address.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(place);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (data, index);
}

/// Keeps the rows whose code goes left at the front of `rows` and writes the others to `right`, which has room for all; both
/// in their order. Returns how many went left.
///
/// # Panics
/// If `right` is shorter than `rows`, or a row is beyond the column.
pub(crate) fn partition<C: Copy>(
    rows: &mut [u32],
    right: &mut [u32],
    column: &[C],
    goes_left: impl Fn(C) -> bool,
) -> usize {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        // Rows far apart are misses of the cache, which are worth asking for.
        let is_sparse = rows.len() < column.len() / 16;
        #[expect(unsafe_code, reason = "the compiler cannot know the processor")]
        // SAFETY: the processor has the instructions, as was just asked.
        return unsafe {
            match is_sparse {
                true => partition_avx2::<true, C>(rows, right, column, goes_left),
                false => partition_avx2::<false, C>(rows, right, column, goes_left),
            }
        };
    }
    partition_from(0, (0, 0), rows, right, column, goes_left)
}

/// Goes on from a row, with so many on the left and on the right before it.
#[inline(always)]
fn partition_from<C: Copy>(
    start: usize,
    (mut n_left, mut n_right): (usize, usize),
    rows: &mut [u32],
    right: &mut [u32],
    column: &[C],
    goes_left: impl Fn(C) -> bool,
) -> usize {
    for i in start..rows.len() {
        let row = rows[i];
        let is_left = goes_left(column[row as usize]);
        rows[n_left] = row;
        right[n_right] = row;
        n_left += usize::from(is_left);
        n_right += usize::from(!is_left);
    }
    n_left
}

/// Eight rows at a time: those of either side are moved together within a register.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn partition_avx2<const IS_SPARSE: bool, C: Copy>(
    rows: &mut [u32],
    right: &mut [u32],
    column: &[C],
    goes_left: impl Fn(C) -> bool,
) -> usize {
    let (mut n_left, mut n_right) = (0, 0);
    let whole = rows.len() / 8 * 8;
    for start in (0..whole).step_by(8) {
        let eight: [u32; 8] = rows[start..start + 8].try_into().expect("invariant: eight rows");
        if IS_SPARSE && start + 40 <= whole {
            rows[start + 32..start + 40].iter().for_each(|&row| prefetch(column, row as usize));
        }
        let mut left = 0;
        for (i, &row) in eight.iter().enumerate() {
            left |= usize::from(goes_left(column[row as usize])) << i;
        }
        // What is written over was read before: neither side is longer than the rows so far.
        let n = left.count_ones() as usize;
        *rows[n_left..].first_chunk_mut().expect("invariant: room for eight") = compress(eight, left);
        *right[n_right..].first_chunk_mut().expect("invariant: room for eight") = compress(eight, left ^ 0xff);
        n_left += n;
        n_right += 8 - n;
    }
    partition_from(whole, (n_left, n_right), rows, right, column, goes_left)
}

/// The numbers whose bits are set first, in their order.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
fn compress(numbers: [u32; 8], bits: usize) -> [u32; 8] {
    use std::arch::x86_64::{__m256i, _mm256_loadu_si256, _mm256_permutevar8x32_epi32, _mm256_storeu_si256};
    let mut out = [0; 8];
    let load = |from: &[u32; 8]| -> __m256i {
        #[expect(unsafe_code, reason = "vectors are loaded through pointers")]
        // SAFETY: eight numbers are as long as a vector.
        unsafe {
            _mm256_loadu_si256(from.as_ptr().cast())
        }
    };
    let moved = _mm256_permutevar8x32_epi32(load(&numbers), load(&POSITIONS[bits]));
    #[expect(unsafe_code, reason = "vectors are stored through pointers")]
    // SAFETY: eight numbers are as long as a vector.
    unsafe {
        _mm256_storeu_si256(out.as_mut_ptr().cast(), moved);
    }
    out
}

/// The positions of the set bits of each byte.
#[cfg(target_arch = "x86_64")]
static POSITIONS: [[u32; 8]; 256] = {
    let mut all = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut found) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                all[byte][found] = bit as u32;
                found += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    all
};

/// Which rows of a node that is split are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    /// None of them.
    None,
    /// Those that go left.
    Left,
    /// Those that go right.
    Right,
}

/// Gives the rows tagged `from` whose code does not go left the tag `to`, and lists the rows of one side, counted from
/// `first_row`.
pub(crate) fn retag(
    tags: &mut [u8],
    column: &[u8],
    goes_left: &[bool; 256],
    (from, to): (u8, u8),
    listed: Listed,
    first_row: u32,
    list: &mut Vec<u32>,
) {
    assert_eq!(tags.len(), column.len(), "invariant: every row has a tag and a bin");
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        #[expect(unsafe_code, reason = "the compiler cannot know the processor")]
        // SAFETY: the processor has the instructions, as was just asked.
        return unsafe { retag_avx2(tags, column, goes_left, (from, to), listed, first_row, list) };
    }
    retag_plain(tags, column, goes_left, (from, to), listed, first_row, list);
}

fn retag_plain(
    tags: &mut [u8],
    column: &[u8],
    goes_left: &[bool; 256],
    (from, to): (u8, u8),
    listed: Listed,
    first_row: u32,
    list: &mut Vec<u32>,
) {
    for (i, (tag, code)) in tags.iter_mut().zip(column).enumerate() {
        if *tag == from {
            let is_left = goes_left[*code as usize];
            if !is_left {
                *tag = to;
            }
            if listed == if is_left { Listed::Left } else { Listed::Right } {
                list.push(first_row + i as u32);
            }
        }
    }
}

/// Thirty-two rows at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn retag_avx2(
    tags: &mut [u8],
    column: &[u8],
    goes_left: &[bool; 256],
    (from, to): (u8, u8),
    listed: Listed,
    first_row: u32,
    list: &mut Vec<u32>,
) {
    use std::arch::x86_64::*;
    const WIDTH: usize = 32;
    /// Rows whose list is made in place before it is appended.
    const BLOCK: usize = 1024;
    #[expect(unsafe_code, reason = "vectors are loaded through pointers")]
    // SAFETY: 32 bytes are as long as a vector.
    let load = |bytes: &[u8; WIDTH]| unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
    // A bit per code: the bytes of codes below 128, and of the others.
    let mut set = [0u8; WIDTH];
    goes_left.iter().enumerate().for_each(|(code, is_left)| set[code / 8] |= u8::from(*is_left) << (code % 8));
    let both = |half: usize| load(&std::array::from_fn(|i| set[16 * half + i % 16]));
    let (lower, upper) = (both(0), both(1));
    let powers = load(&std::array::from_fn(|i| 1 << (i % 8)));
    let (from_all, to_all) = (_mm256_set1_epi8(from as i8), _mm256_set1_epi8(to as i8));
    let (low_four, low_three) = (_mm256_set1_epi8(15), _mm256_set1_epi8(7));
    let mut found = [0u32; BLOCK + 8];
    let mut n_found = 0;
    let (tag_blocks, _) = tags.as_chunks_mut::<WIDTH>();
    let (code_blocks, _) = column.as_chunks::<WIDTH>();
    let n_whole = tag_blocks.len() * WIDTH;
    for (block, (tags, codes)) in tag_blocks.iter_mut().zip(code_blocks).enumerate() {
        let old = load(tags);
        let is_meant = _mm256_cmpeq_epi8(old, from_all);
        if _mm256_testz_si256(is_meant, is_meant) == 1 {
            continue;
        }
        let codes = load(codes);
        let place = _mm256_and_si256(_mm256_srli_epi16::<3>(codes), low_four);
        // The highest bit of a code says which half is meant.
        let bits = _mm256_blendv_epi8(_mm256_shuffle_epi8(lower, place), _mm256_shuffle_epi8(upper, place), codes);
        let power = _mm256_shuffle_epi8(powers, _mm256_and_si256(codes, low_three));
        let is_left = _mm256_cmpeq_epi8(_mm256_and_si256(bits, power), power);
        let goes_right = _mm256_andnot_si256(is_left, is_meant);
        let new = _mm256_blendv_epi8(old, to_all, goes_right);
        #[expect(unsafe_code, reason = "vectors are stored through pointers")]
        // SAFETY: 32 bytes are as long as a vector.
        unsafe {
            _mm256_storeu_si256(tags.as_mut_ptr().cast(), new);
        }
        let side = match listed {
            Listed::None => continue,
            Listed::Left => _mm256_and_si256(is_left, is_meant),
            Listed::Right => goes_right,
        };
        let mut bits = _mm256_movemask_epi8(side) as u32;
        let row = first_row + (block * WIDTH) as u32;
        if n_found + WIDTH > BLOCK {
            list.extend_from_slice(&found[..n_found]);
            n_found = 0;
        }
        if bits.count_ones() < 8 {
            while bits != 0 {
                found[n_found] = row + bits.trailing_zeros();
                n_found += 1;
                bits &= bits - 1;
            }
        } else {
            for byte in 0..4 {
                let eight = (bits >> (8 * byte) & 0xff) as usize;
                let place: &mut [u32; 8] = found[n_found..].first_chunk_mut().expect("invariant: room for eight");
                *place = POSITIONS[eight].map(|position| row + 8 * byte + position);
                n_found += eight.count_ones() as usize;
            }
        }
    }
    list.extend_from_slice(&found[..n_found]);
    let rest = first_row + n_whole as u32;
    retag_plain(&mut tags[n_whole..], &column[n_whole..], goes_left, (from, to), listed, rest, list);
}

/// Bytes that are compared at once, and bits of the word that says which are meant.
pub(crate) const N_LANES: usize = 64;

/// Bytes to be compared with others, one after the other.
pub(crate) trait ByteLanes: Copy {
    /// The lanes whose byte is at most this one.
    fn at_most(self, byte: u8) -> u64;
    /// The lanes whose byte is this one.
    fn equal(self, byte: u8) -> u64;
}

/// What is done with lanes. Its `run` must be inlined, so that it is compiled for the processor.
pub(crate) trait LaneTask {
    type Output;
    fn run(self, lanes: impl ByteLanes) -> Self::Output;
}

/// Does something with lanes, by the widest vectors.
#[inline]
pub(crate) fn with_lanes<T: LaneTask>(bytes: &[u8; N_LANES], task: T) -> T::Output {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        #[expect(unsafe_code, reason = "the compiler cannot know the processor")]
        // SAFETY: the processor has the instructions, as was just asked.
        return unsafe { with_lanes_avx2(bytes, task) };
    }
    task.run(PlainLanes(bytes))
}

#[derive(Clone, Copy)]
struct PlainLanes<'a>(&'a [u8; N_LANES]);

impl ByteLanes for PlainLanes<'_> {
    fn at_most(self, byte: u8) -> u64 {
        self.0.iter().rev().fold(0, |lanes, b| lanes << 1 | u64::from(*b <= byte))
    }

    fn equal(self, byte: u8) -> u64 {
        self.0.iter().rev().fold(0, |lanes, b| lanes << 1 | u64::from(*b == byte))
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn with_lanes_avx2<T: LaneTask>(bytes: &[u8; N_LANES], task: T) -> T::Output {
    task.run(VectorLanes::new(bytes))
}

/// Lanes in two registers. Made only where the processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct VectorLanes([std::arch::x86_64::__m256i; 2]);

#[cfg(target_arch = "x86_64")]
impl VectorLanes {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(bytes: &[u8; N_LANES]) -> Self {
        use std::arch::x86_64::_mm256_loadu_si256;
        let halves = bytes.as_chunks::<32>().0;
        #[expect(unsafe_code, reason = "vectors are loaded through pointers")]
        // SAFETY: 32 bytes are as long as a vector.
        let load = |half: &[u8; 32]| unsafe { _mm256_loadu_si256(half.as_ptr().cast()) };
        VectorLanes([load(&halves[0]), load(&halves[1])])
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn at_most_avx2(self, byte: u8) -> u64 {
        use std::arch::x86_64::{_mm256_cmpeq_epi8, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_set1_epi8};
        let all = _mm256_set1_epi8(byte as i8);
        let [low, high] = self.0.map(|half| _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(half, all), half)));
        u64::from(low as u32) | u64::from(high as u32) << 32
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal_avx2(self, byte: u8) -> u64 {
        use std::arch::x86_64::{_mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_set1_epi8};
        let all = _mm256_set1_epi8(byte as i8);
        let [low, high] = self.0.map(|half| _mm256_movemask_epi8(_mm256_cmpeq_epi8(half, all)));
        u64::from(low as u32) | u64::from(high as u32) << 32
    }
}

#[cfg(target_arch = "x86_64")]
impl ByteLanes for VectorLanes {
    #[inline(always)]
    fn at_most(self, byte: u8) -> u64 {
        #[expect(unsafe_code, reason = "the compiler cannot know the processor")]
        // SAFETY: the processor has AVX2, or there were no such lanes.
        unsafe {
            self.at_most_avx2(byte)
        }
    }

    #[inline(always)]
    fn equal(self, byte: u8) -> u64 {
        #[expect(unsafe_code, reason = "the compiler cannot know the processor")]
        // SAFETY: the processor has AVX2, or there were no such lanes.
        unsafe {
            self.equal_avx2(byte)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tabwright_model::kernels::both;

    use super::*;

    proptest! {
        #[test]
        fn rows_are_parted_alike_with_vectors_and_without(
            column in prop::collection::vec(0u16..256, 1..900),
            keep in 1usize..40,
            seed in any::<u64>(),
        ) {
            let goes_left: [bool; 256] = std::array::from_fn(|c| tabwright_core::random::mix(seed ^ c as u64).is_multiple_of(3));
            let rows: Vec<u32> = (0..column.len() as u32).filter(|r| (*r as usize).is_multiple_of(keep)).collect();
            let (wide, plain) = both(|| {
                let (mut rows, mut right) = (rows.clone(), vec![0; rows.len()]);
                let n_left = partition(&mut rows, &mut right, &column, |code| goes_left[usize::from(code)]);
                right.truncate(rows.len() - n_left);
                rows.truncate(n_left);
                (rows, right)
            });
            prop_assert_eq!(&wide, &plain);
            let expected: (Vec<u32>, Vec<u32>) =
                rows.iter().partition(|r| goes_left[column[**r as usize] as usize]);
            prop_assert_eq!(wide, expected);
        }

        #[test]
        fn rows_are_tagged_alike_with_vectors_and_without(
            rows in prop::collection::vec((0u8..3, any::<u8>()), 0..3000),
            listed in prop::sample::select(vec![Listed::None, Listed::Left, Listed::Right]),
            seed in any::<u64>(),
        ) {
            let goes_left: [bool; 256] = std::array::from_fn(|c| tabwright_core::random::mix(seed ^ c as u64).is_multiple_of(2));
            let (tags, column): (Vec<u8>, Vec<u8>) = rows.into_iter().unzip();
            let (wide, plain) = both(|| {
                let (mut tags, mut list) = (tags.clone(), vec![7]);
                retag(&mut tags, &column, &goes_left, (1, 9), listed, 1000, &mut list);
                (tags, list)
            });
            prop_assert_eq!(&wide, &plain);
            let meant = |r: &usize| tags[*r] == 1;
            let left = |r: &usize| goes_left[column[*r] as usize];
            let moved = (0..tags.len()).map(|r| if meant(&r) && !left(&r) { 9 } else { tags[r] });
            prop_assert!(moved.eq(wide.0.iter().copied()));
            let in_list = |r: &usize| meant(r) && match listed {
                Listed::None => false,
                Listed::Left => left(r),
                Listed::Right => !left(r),
            };
            let list = (0..tags.len()).filter(in_list).map(|r| r as u32 + 1000);
            prop_assert!(wide.1.iter().copied().eq(std::iter::once(7).chain(list)));
        }

        #[test]
        fn lanes_are_compared_alike_with_vectors_and_without(bytes in prop::collection::vec(any::<u8>(), 64), byte in any::<u8>()) {
            struct Compare(u8);
            impl LaneTask for Compare {
                type Output = (u64, u64);
                #[inline(always)]
                fn run(self, lanes: impl ByteLanes) -> (u64, u64) {
                    (lanes.at_most(self.0), lanes.equal(self.0))
                }
            }
            let bytes: [u8; N_LANES] = bytes.try_into().unwrap();
            for byte in [byte, bytes[0], bytes[63], 0, 255] {
                let (wide, plain) = both(|| with_lanes(&bytes, Compare(byte)));
                prop_assert_eq!(wide, plain);
                let of = |is_meant: &dyn Fn(u8) -> bool| (0..64).filter(|i| is_meant(bytes[*i])).map(|i| 1u64 << i).sum::<u64>();
                prop_assert_eq!(wide, (of(&|b| b <= byte), of(&|b| b == byte)));
            }
        }
    }
}
