//! Sorts whole numbers by their digits, from the last to the first.

/// Keys below which comparing is faster.
const FEW: usize = 512;

/// Bits of a digit: more make fewer passes, but scatter each over more of the memory than the nearest cache holds.
const DIGIT: u32 = 8;

/// Digits of a key.
const DIGITS: usize = (u64::BITS / DIGIT) as usize;

/// Sorts keys in ascending order; `space` is memory that may be used again.
///
/// A digit that all keys share takes no pass: whole numbers as floats have many zeros at their ends.
pub(super) fn sort(keys: &mut Vec<u64>, space: &mut Vec<u64>) {
    if keys.len() < FEW {
        keys.sort_unstable();
        return;
    }
    space.resize(keys.len(), 0);
    let mut counts = [[0usize; 1 << DIGIT]; DIGITS];
    for &key in keys.iter() {
        for (digit, counts) in counts.iter_mut().enumerate() {
            counts[value(key, digit)] += 1;
        }
    }
    for (digit, counts) in counts.iter_mut().enumerate() {
        if counts[value(keys[0], digit)] == keys.len() {
            continue;
        }
        let mut place = 0;
        for count in counts.iter_mut() {
            place += std::mem::replace(count, place);
        }
        for &key in keys.iter() {
            let place = &mut counts[value(key, digit)];
            space[*place] = key;
            *place += 1;
        }
        std::mem::swap(keys, space);
    }
}

#[inline]
fn value(key: u64, digit: usize) -> usize {
    ((key >> (digit as u32 * DIGIT)) & ((1 << DIGIT) - 1)) as usize
}
