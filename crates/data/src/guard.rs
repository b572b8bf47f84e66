//! Libraries that read what others have written, and that break off where it is damaged: that becomes an error like any other.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is in the middle of reading what may be damaged. A program that reports panics has nothing to report then:
/// they end in an error.
pub fn is_guarded() -> bool {
    IS_GUARDED.get()
}

/// Calls a library; nothing if it broke off.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    let before = IS_GUARDED.replace(true);
    // What the call was about is given up by the caller.
    let outcome = catch_unwind(AssertUnwindSafe(call));
    IS_GUARDED.set(before);
    outcome.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_off_is_told_apart_from_what_ends() {
        assert_eq!(guarded(|| 7), Some(7));
        assert!(guarded(|| -> u8 { panic!("damaged") }).is_none());
        assert!(!is_guarded());
        assert_eq!(guarded(is_guarded), Some(true));
    }
}
