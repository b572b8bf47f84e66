//! Ids of requests and predictions: random where the caller gives none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderValue;

/// The header of the id of a request.
pub(crate) const REQUEST_ID: &str = "x-request-id";
/// Bytes that an id of a caller may have, here and in the log.
pub(crate) const LONGEST: usize = tabwright_store::predictions::LONGEST_ID;

/// Makes ids that no other process makes.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: [u64; 2],
    next: AtomicU64,
}

impl Ids {
    /// Seeds from the system's randomness.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        Ok(Ids { seed: [getrandom::u64()?, getrandom::u64()?], next: AtomicU64::new(0) })
    }

    /// A new id of 32 hexadecimal digits.
    pub(crate) fn draw(&self) -> Arc<str> {
        let mut digits = [0; 32];
        for (half, digits) in self.random().into_iter().zip(digits.chunks_exact_mut(16)) {
            for (place, digit) in digits.iter_mut().enumerate() {
                *digit = b"0123456789abcdef"[(half >> (60 - 4 * place) & 15) as usize];
            }
        }
        str::from_utf8(&digits).unwrap_or_default().into()
    }

    /// A number that decides by chance, from 0 to 1.
    pub(crate) fn chance(&self) -> f64 {
        as_share(self.random()[0])
    }

    fn random(&self) -> [u64; 2] {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        [mixed(self.seed[0] ^ count), mixed(self.seed[1].wrapping_add(count))]
    }
}

/// 53 bits as a number from 0 to 1.
pub(crate) fn as_share(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// The finalizer of `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn mixed(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The id that a caller gave in a header, if it can be one.
pub(crate) fn given(value: Option<&HeaderValue>) -> Option<Arc<str>> {
    // The number of a row follows it in the ids of predictions.
    const NUMBER: usize = "-18446744073709551615".len();
    let text = value?.to_str().ok()?;
    (is_valid(text) && text.len() + NUMBER <= LONGEST).then(|| text.into())
}

/// Whether a text can be an id: not empty, not long, without control characters.
pub(crate) fn is_valid(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_those_of_callers_are_checked() {
        let ids = Ids::new().unwrap();
        let mut drawn: Vec<Arc<str>> = (0..1000).map(|_| ids.draw()).collect();
        drawn.sort();
        drawn.dedup();
        assert_eq!((drawn.len(), drawn[0].len()), (1000, 32));
        assert!((0..1000).map(|_| ids.chance()).all(|x| (0.0..1.0).contains(&x)));
        assert!(is_valid("order-7") && !is_valid("") && !is_valid("a\nb") && !is_valid(&"x".repeat(129)));
    }
}
