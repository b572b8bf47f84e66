//! Ids of runs: 16 hexadecimal digits, drawn by the system. A beginning of four digits or more stands for the whole.

use crate::error::{Error, Result};

/// Digits of an id.
pub(crate) const DIGITS: usize = 16;
/// Digits that are enough to name a run, as long as no other begins so.
pub(crate) const LEAST: usize = 4;

/// Draws a new id.
pub(crate) fn draw() -> Result<String> {
    let number = getrandom::u64().map_err(|e| Error::Invalid(format!("the system gives no random numbers: {e}")))?;
    Ok(format!("{number:016x}"))
}

/// The id of a run within another, by its name there: the same ones give the same id.
pub(crate) fn within(parent: &str, name: &str) -> String {
    let hash = blake3::hash(format!("{parent}/{name}").as_bytes());
    hash.to_hex()[..DIGITS].to_owned()
}

/// Checks an id, or the beginning of one.
pub(crate) fn check_prefix(text: &str) -> Result<()> {
    let is_hex = !text.is_empty() && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex && (LEAST..=DIGITS).contains(&text.len()) {
        return Ok(());
    }
    let why =
        format!("ids of runs are {DIGITS} digits from 0 to 9 and a to f; the first {LEAST} or more stand for them");
    Err(Error::Name { what: "the run id", found: crate::name::shown(text), why })
}

/// Checks a whole id, such as one of a document.
pub(crate) fn check(text: &str) -> Result<()> {
    check_prefix(text)?;
    match text.len() == DIGITS {
        true => Ok(()),
        false => Err(Error::Invalid(format!("the run id `{text}` has {} digits, not {DIGITS}", text.len()))),
    }
}
