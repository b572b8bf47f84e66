//! The loops in which predicting spends its time, and the only `unsafe` code of the crate: instructions that the compiler
//! does not use by itself. Each has a twin without them that gives the same bits.

use std::sync::{Mutex, PoisonError};

/// Compiles a function twice, once for processors with AVX2, and calls the one that fits. Vectors are wider there, the
/// arithmetic is the same: no fused multiplications, no other order of additions.
#[macro_export]
macro_rules! widest {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$doc])*
        $vis fn $name($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain($($arg: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $type),*) $(-> $result)? {
                    plain($($arg),*)
                }
                if $crate::kernels::has_avx2() {
                    #[allow(unsafe_code, reason = "the compiler cannot know the processor")]
                    // SAFETY: the processor has the instructions, as was just asked.
                    return unsafe { avx2($($arg),*) };
                }
            }
            plain($($arg),*)
        }
    };
}

/// Whether the processor has AVX2, and counts bits.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn has_avx2() -> bool {
    #[cfg(debug_assertions)]
    if plain::RUNS.load(std::sync::atomic::Ordering::Relaxed) > 0 {
        return false;
    }
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("popcnt")
}

/// Runs something twice, the second time without what only some processors have, on all threads: for tests that the two
/// are equal. One such pair at a time, so that the first run is never without. Without debug assertions the second run is
/// as the first.
pub fn both<T>(run: impl Fn() -> T) -> (T, T) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let wide = run();
    #[cfg(debug_assertions)]
    let _plain = plain::Run::start();
    (wide, run())
}

#[cfg(debug_assertions)]
mod plain {
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// How many runs do without what only some processors have.
    pub(super) static RUNS: AtomicUsize = AtomicUsize::new(0);

    /// One of them.
    pub(super) struct Run;

    impl Run {
        pub(super) fn start() -> Self {
            RUNS.fetch_add(1, Ordering::Relaxed);
            Run
        }
    }

    impl Drop for Run {
        fn drop(&mut self) {
            RUNS.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Rows whose leaves are found together: as many bytes as half of the vector registers hold.
pub(crate) const BLOCK_ROWS: usize = 256;

/// A number for each row of a block.
pub(crate) type Block<T> = [T; BLOCK_ROWS];

/// The code of a missing value: above all others.
pub(crate) const MISSING_CODE: i8 = i8::MAX;

/// Rows of one leaf that move to another: those whose code is above `least`, which is below that of a missing value by two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move<'a> {
    pub(crate) codes: &'a Block<i8>,
    pub(crate) from: u8,
    pub(crate) to: u8,
    pub(crate) least: i8,
    /// Whether missing values stay, and there are some.
    pub(crate) missing_stay: bool,
}

/// Moves rows among leaves, one move after the other.
#[inline]
pub(crate) fn move_rows<'a>(leaves: &mut Block<u8>, moves: impl Iterator<Item = Move<'a>>) {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        #[expect(unsafe_code, reason = "the compiler cannot know the processor")]
        // SAFETY: the processor has the instructions, as was just asked.
        return unsafe { move_rows_avx2(leaves, moves) };
    }
    move_rows_plain(leaves, moves);
}

fn move_rows_plain<'a>(leaves: &mut Block<u8>, moves: impl Iterator<Item = Move<'a>>) {
    for Move { codes, from, to, least, missing_stay } in moves {
        // The code of a missing value becomes the least.
        let shift = i8::from(missing_stay);
        for (leaf, code) in leaves.iter_mut().zip(codes) {
            let moves = u8::from(*leaf == from) & u8::from(code.wrapping_add(shift) > least + shift);
            *leaf ^= (from ^ to) & moves.wrapping_neg();
        }
    }
}

/// Leaves stay in registers from the first move to the last.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn move_rows_avx2<'a>(leaves: &mut Block<u8>, moves: impl Iterator<Item = Move<'a>>) {
    use std::arch::x86_64::*;
    const WIDTH: usize = 32;
    const VECTORS: usize = BLOCK_ROWS / WIDTH;
    let load_codes = |codes: &Block<i8>, i: usize| {
        let codes: &[i8; WIDTH] = codes[i * WIDTH..].first_chunk().expect("invariant: a block is whole vectors");
        #[expect(unsafe_code, reason = "vectors are loaded through pointers")]
        // SAFETY: 32 bytes are as long as a vector.
        unsafe {
            _mm256_loadu_si256(codes.as_ptr().cast())
        }
    };
    let (places, _) = leaves.as_chunks_mut::<WIDTH>();
    let places: &mut [[u8; WIDTH]; VECTORS] = places.try_into().expect("invariant: a block is whole vectors");
    let mut own = places.each_ref().map(|place| {
        #[expect(unsafe_code, reason = "vectors are loaded through pointers")]
        // SAFETY: 32 bytes are as long as a vector.
        unsafe {
            _mm256_loadu_si256(place.as_ptr().cast())
        }
    });
    for Move { codes, from, to, least, missing_stay } in moves {
        let [from, to] = [from, to].map(|leaf| _mm256_set1_epi8(leaf as i8));
        if missing_stay {
            let (one, next) = (_mm256_set1_epi8(1), _mm256_set1_epi8(least + 2));
            for (i, own) in own.iter_mut().enumerate() {
                let stays = _mm256_cmpgt_epi8(next, _mm256_add_epi8(load_codes(codes, i), one));
                let moves = _mm256_andnot_si256(stays, _mm256_cmpeq_epi8(*own, from));
                *own = _mm256_blendv_epi8(*own, to, moves);
            }
        } else {
            let next = _mm256_set1_epi8(least + 1);
            for (i, own) in own.iter_mut().enumerate() {
                let stays = _mm256_cmpgt_epi8(next, load_codes(codes, i));
                let moves = _mm256_andnot_si256(stays, _mm256_cmpeq_epi8(*own, from));
                *own = _mm256_blendv_epi8(*own, to, moves);
            }
        }
    }
    for (place, own) in places.iter_mut().zip(own) {
        #[expect(unsafe_code, reason = "vectors are stored through pointers")]
        // SAFETY: 32 bytes are as long as a vector.
        unsafe {
            _mm256_storeu_si256(place.as_mut_ptr().cast(), own);
        }
    }
}

/// Some of the 256 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ByteSet([u8; 32]);

impl ByteSet {
    /// The bytes of which something is true.
    pub(crate) fn of(is_in: impl Fn(u8) -> bool) -> Self {
        let mut bits = [0; 32];
        (0..=u8::MAX).filter(|byte| is_in(*byte)).for_each(|byte| bits[byte as usize / 8] |= 1 << (byte % 8));
        ByteSet(bits)
    }

    #[inline]
    fn contains(&self, byte: u8) -> bool {
        self.0[byte as usize / 8] >> (byte % 8) & 1 == 1
    }
}

/// Gives the rows tagged `from` whose byte is in a set the tag `to`.
pub(crate) fn retag_in_set(tags: &mut [u8], bytes: &[u8], set: &ByteSet, (from, to): (u8, u8)) {
    assert_eq!(tags.len(), bytes.len(), "invariant: every row has a tag and a byte");
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        #[expect(unsafe_code, reason = "the compiler cannot know the processor")]
        // SAFETY: the processor has the instructions, as was just asked.
        return unsafe { retag_in_set_avx2(tags, bytes, set, (from, to)) };
    }
    retag_in_set_plain(tags, bytes, set, (from, to));
}

#[inline(always)]
fn retag_in_set_plain(tags: &mut [u8], bytes: &[u8], set: &ByteSet, (from, to): (u8, u8)) {
    for (tag, byte) in tags.iter_mut().zip(bytes) {
        let moves = (*tag == from) & set.contains(*byte);
        *tag = if moves { to } else { *tag };
    }
}

/// Thirty-two rows at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn retag_in_set_avx2(tags: &mut [u8], bytes: &[u8], set: &ByteSet, (from, to): (u8, u8)) {
    use std::arch::x86_64::*;
    const WIDTH: usize = 32;
    #[expect(unsafe_code, reason = "vectors are loaded through pointers")]
    // SAFETY: 32 bytes are as long as a vector.
    let load = |bytes: &[u8; WIDTH]| unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
    // A bit per byte: of those below 128, and of the others.
    let both = |half: usize| load(&std::array::from_fn(|i| set.0[16 * half + i % 16]));
    let (lower, upper) = (both(0), both(1));
    let powers = load(&std::array::from_fn(|i| 1 << (i % 8)));
    let (from_all, to_all) = (_mm256_set1_epi8(from as i8), _mm256_set1_epi8(to as i8));
    let (low_four, low_three) = (_mm256_set1_epi8(15), _mm256_set1_epi8(7));
    let (tag_blocks, tag_rest) = tags.as_chunks_mut::<WIDTH>();
    let (byte_blocks, byte_rest) = bytes.as_chunks::<WIDTH>();
    for (tags, bytes) in tag_blocks.iter_mut().zip(byte_blocks) {
        let (old, bytes) = (load(tags), load(bytes));
        let place = _mm256_and_si256(_mm256_srli_epi16::<3>(bytes), low_four);
        // The highest bit of a byte says which half is meant.
        let bits = _mm256_blendv_epi8(_mm256_shuffle_epi8(lower, place), _mm256_shuffle_epi8(upper, place), bytes);
        let power = _mm256_shuffle_epi8(powers, _mm256_and_si256(bytes, low_three));
        let is_in = _mm256_cmpeq_epi8(_mm256_and_si256(bits, power), power);
        let moves = _mm256_and_si256(is_in, _mm256_cmpeq_epi8(old, from_all));
        #[expect(unsafe_code, reason = "vectors are stored through pointers")]
        // SAFETY: 32 bytes are as long as a vector.
        unsafe {
            _mm256_storeu_si256(tags.as_mut_ptr().cast(), _mm256_blendv_epi8(old, to_all, moves));
        }
    }
    retag_in_set_plain(tag_rest, byte_rest, set, (from, to));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_are_tagged_alike_with_vectors_and_without(
            rows in prop::collection::vec((0u8..3, any::<u8>()), 0..300),
            seed in any::<u64>(),
        ) {
            let is_in = |byte: u8| tabwright_core::random::mix(seed ^ u64::from(byte)).is_multiple_of(2);
            let set = ByteSet::of(is_in);
            let (tags, bytes): (Vec<u8>, Vec<u8>) = rows.into_iter().unzip();
            let (wide, plain) = both(|| {
                let mut tags = tags.clone();
                retag_in_set(&mut tags, &bytes, &set, (1, 9));
                tags
            });
            prop_assert_eq!(&wide, &plain);
            let expected = tags.iter().zip(&bytes).map(|(t, b)| if *t == 1 && is_in(*b) { 9 } else { *t });
            prop_assert!(expected.eq(wide));
        }

        #[test]
        fn rows_are_moved_alike_with_vectors_and_without(
            codes in prop::collection::vec(prop_oneof![any::<i8>(), -128i8..=-126, 125i8..=127], BLOCK_ROWS),
            moves in prop::collection::vec((0u8..3, 0u8..3, -128i8..=125, any::<bool>()), 0..6),
        ) {
            let codes: Block<i8> = codes.try_into().unwrap();
            let leaves: Block<u8> = std::array::from_fn(|row| row as u8 % 3);
            let all = || moves.iter().map(|&(from, to, least, missing_stay)| Move { codes: &codes, from, to, least, missing_stay });
            let (wide, plain) = both(|| {
                let mut leaves = leaves;
                move_rows(&mut leaves, all());
                leaves
            });
            prop_assert_eq!(wide, plain);
            let goes = |code: i8, least: i8, missing_stay: bool| code > least && !(missing_stay && code == MISSING_CODE);
            for row in 0..BLOCK_ROWS {
                let leaf = moves.iter().fold(leaves[row], |leaf, &(from, to, least, missing_stay)| {
                    if leaf == from && goes(codes[row], least, missing_stay) { to } else { leaf }
                });
                prop_assert_eq!(wide[row], leaf);
            }
        }
    }
}
