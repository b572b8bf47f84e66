//! Sorts whole numbers by their digits: first into buckets by the upper ones, then each bucket, which the nearest caches hold,
//! by the digits that follow, and what these leave undecided by comparing.

/// Keys below which comparing is faster.
const FEW: usize = 256;

/// Keys beyond which they do not fit the second-level cache twice, and buckets pay.
const MANY: usize = 1 << 15;

/// Bits of the range of all keys that tell buckets apart: the sign, the exponent and four bits more of most floats, so that a
/// bucket has a hundredth of the numbers or so.
const BUCKET_BITS: u32 = 16;

/// Bits of one of the two digits that keys of a bucket are sorted by.
const UPPER_DIGIT: u32 = 11;

/// Steps per key that keys may be out of their place after that; where more are needed, all digits are sorted.
const MOST_STEPS: usize = 8;

/// Bits of a digit where all are sorted: more make fewer passes, but scatter each over more than the nearest cache holds.
const DIGIT: u32 = 8;

/// Digits of a key.
const DIGITS: usize = (u64::BITS / DIGIT) as usize;

/// Sorts keys in ascending order; `space` is memory that may be used again.
pub(super) fn sort(keys: &mut Vec<u64>, space: &mut Vec<u64>) {
    if keys.len() < FEW {
        keys.sort_unstable();
        return;
    }
    space.resize(keys.len(), 0);
    let (least, greatest) = keys.iter().fold((u64::MAX, 0), |(a, b), &key| (a.min(key), b.max(key)));
    let bits = u64::BITS - (greatest - least).leading_zeros();
    if keys.len() < MANY {
        sort_bucket(keys, space, least, bits);
        return;
    }
    let shift = bits.saturating_sub(BUCKET_BITS);
    let ends = into_buckets(keys, space, |key| ((key - least) >> shift) as usize);
    std::mem::swap(keys, space);
    let mut start = 0;
    for end in ends {
        let range = start..end as usize;
        start = end as usize;
        if range.len() > 1 {
            sort_bucket(&mut keys[range.clone()], &mut space[range], least, shift);
        }
    }
}

/// Writes keys in the order of their buckets; returns where each bucket ends.
fn into_buckets(keys: &[u64], to: &mut [u64], bucket: impl Fn(u64) -> usize) -> Vec<u32> {
    let mut places = vec![0u32; 1 << BUCKET_BITS];
    for &key in keys {
        places[bucket(key)] += 1;
    }
    let mut place = 0;
    for count in &mut places {
        place += std::mem::replace(count, place);
    }
    for &key in keys {
        let place = &mut places[bucket(key)];
        to[*place as usize] = key;
        *place += 1;
    }
    // Each place has moved to the end of its bucket.
    places
}

/// Sorts keys that differ, less `least`, in their lower `bits` only.
fn sort_bucket(keys: &mut [u64], space: &mut [u64], least: u64, bits: u32) {
    if bits == 0 {
        return;
    }
    if keys.len() < FEW {
        keys.sort_unstable();
        return;
    }
    // Buckets that are still large hold many keys that two digits do not tell apart.
    if keys.len() <= MANY {
        let shift = bits.saturating_sub(2 * UPPER_DIGIT);
        by_two_digits(keys, space, |key| (key - least) >> shift);
        if by_steps(keys) {
            return;
        }
    }
    by_all_digits(keys, space);
}

fn by_two_digits(keys: &mut [u64], space: &mut [u64], upper: impl Fn(u64) -> u64) {
    const VALUES: usize = 1 << UPPER_DIGIT;
    let value = |key: u64, digit: u32| (upper(key) >> (digit * UPPER_DIGIT)) as usize & (VALUES - 1);
    let mut counts = [[0u32; VALUES]; 2];
    for &key in keys.iter() {
        counts[0][value(key, 0)] += 1;
        counts[1][value(key, 1)] += 1;
    }
    let [lower, upper] = &mut counts;
    scatter(keys, space, lower, |key| value(key, 0));
    scatter(space, keys, upper, |key| value(key, 1));
}

/// Sorts keys that are nearly in order; gives up, with all keys still there, when that takes many steps.
fn by_steps(keys: &mut [u64]) -> bool {
    let mut left = MOST_STEPS * keys.len();
    for i in 1..keys.len() {
        let key = keys[i];
        let mut place = i;
        while place > 0 && keys[place - 1] > key {
            keys[place] = keys[place - 1];
            place -= 1;
        }
        keys[place] = key;
        match left.checked_sub(i - place) {
            Some(rest) => left = rest,
            None => return false,
        }
    }
    true
}

/// Sorts by one digit after another. A digit that all keys share takes no pass: whole numbers as floats have many zeros at
/// their ends, and the keys of a bucket begin alike.
fn by_all_digits(keys: &mut [u64], space: &mut [u64]) {
    let value = |key: u64, digit: usize| (key >> (digit as u32 * DIGIT)) as usize & ((1 << DIGIT) - 1);
    let mut counts = [[0u32; 1 << DIGIT]; DIGITS];
    for &key in keys.iter() {
        for (digit, counts) in counts.iter_mut().enumerate() {
            counts[value(key, digit)] += 1;
        }
    }
    let (mut from, mut to) = (&mut *keys, &mut *space);
    let mut is_moved = false;
    for (digit, counts) in counts.iter_mut().enumerate() {
        if counts[value(from[0], digit)] as usize == from.len() {
            continue;
        }
        scatter(from, to, counts, |key| value(key, digit));
        std::mem::swap(&mut from, &mut to);
        is_moved = !is_moved;
    }
    if is_moved {
        to.copy_from_slice(from);
    }
}

/// Writes keys in the order of a digit, equal ones in the order they had; `counts` says how often each value occurs.
fn scatter(from: &[u64], to: &mut [u64], counts: &mut [u32], value: impl Fn(u64) -> usize) {
    let mut place = 0;
    for count in counts.iter_mut() {
        place += std::mem::replace(count, place);
    }
    for &key in from {
        let place = &mut counts[value(key)];
        to[*place as usize] = key;
        *place += 1;
    }
}
