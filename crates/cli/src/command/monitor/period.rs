//! Times of the command line: a span back from now, or from one moment to another.

use clap::ArgMatches;
use tabwright_store::time::{self, Micros};

use crate::error::Failure;

/// The window of a command.
///
/// # Errors
/// If a time is none, or the end does not lie behind the beginning.
pub(super) fn of(matches: &ArgMatches, now: Micros) -> Result<(Micros, Micros), Failure> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    // A moment more than now, so that what was logged just now counts.
    let to =
        text("to").map(|text| moment("--to", text, now)).transpose()?.unwrap_or(i64::MAX).min(now.saturating_add(1));
    let from = match text("from") {
        Some(text) => moment("--from", text, now)?,
        None => to.saturating_sub(length("--last", text("last").unwrap_or("7d"))?),
    };
    check((from, to))
}

/// `FROM..TO`: moments, or spans back from `now`.
///
/// # Errors
/// As [`of`].
pub(super) fn span(text: &str, now: Micros) -> Result<(Micros, Micros), Failure> {
    let (from, to) = text.split_once("..").ok_or_else(|| {
        Failure::usage(format!(
            "`{text}` is no time from one moment to another; write 14d..7d or 2026-11-01..2026-11-08"
        ))
    })?;
    check((moment("the beginning", from, now)?, moment("the end", to, now)?))
}

fn check((from, to): (Micros, Micros)) -> Result<(Micros, Micros), Failure> {
    match from < to {
        true => Ok((from.max(0), to)),
        false => Err(Failure::usage(format!(
            "the time ends at {}, before it begins at {}",
            time::to_seconds(to),
            time::to_seconds(from)
        ))),
    }
}

/// A moment, or a span back from now. A date alone is its first moment.
fn moment(what: &str, text: &str, now: Micros) -> Result<Micros, Failure> {
    if let Ok(span) = time::parse_span(text) {
        return Ok(now.saturating_sub(Micros::try_from(span.as_micros()).unwrap_or(Micros::MAX)));
    }
    const DATE: usize = "2026-11-01".len();
    let whole = if text.len() == DATE { format!("{text}T00:00:00Z") } else { text.to_owned() };
    time::parse(&whole).map_err(|_| {
        Failure::usage(format!(
            "{what}: `{text}` is no time; write 2026-11-27, 2026-11-27T10:30:00Z, or a span back from now such as 7d"
        ))
    })
}

fn length(what: &str, text: &str) -> Result<Micros, Failure> {
    let span = time::parse_span(text).map_err(|e| Failure::usage(format!("{what}: {e}")))?;
    Ok(Micros::try_from(span.as_micros()).unwrap_or(Micros::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_moments_or_lengths_back_from_now() {
        let now = time::parse("2026-11-27T12:00:00Z").unwrap();
        let day = 86_400_000_000;
        assert_eq!(span("14d..7d", now).unwrap(), (now - 14 * day, now - 7 * day));
        let at = |text: &str| time::parse(text).unwrap();
        let found = span("2026-11-01..2026-11-08", now).unwrap();
        assert_eq!(found, (at("2026-11-01T00:00:00Z"), at("2026-11-08T00:00:00Z")));
        for (wrong, says) in [("7d..14d", "before it begins"), ("7d", "from one moment"), ("a..7d", "no time")] {
            let message = span(wrong, now).unwrap_err().message;
            assert!(message.contains(says), "{wrong}: {message}");
        }
    }
}
