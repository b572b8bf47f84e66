//! Moments as the store keeps them: microseconds since 1970, UTC.

use std::time::Duration;

use jiff::{Timestamp, Unit, civil, tz::TimeZone};

use crate::error::{Error, Result};

/// A moment, in microseconds since 1970, UTC.
pub type Micros = i64;

/// The last moment that has a text: late in the year 9999.
pub const LAST: Micros = 253_402_207_200_000_000;

/// Now.
pub fn now() -> Micros {
    Timestamp::now().as_microsecond()
}

/// A moment as RFC 3339 with all of its digits, as it stands in documents.
pub fn to_text(at: Micros) -> String {
    Timestamp::from_microsecond(at).map_or_else(|_| at.to_string(), |t| t.to_string())
}

/// A moment to the second, for a person.
pub fn to_seconds(at: Micros) -> String {
    let rounded = Timestamp::from_microsecond(at)
        .and_then(|t| t.round(jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc)));
    rounded.map_or_else(|_| at.to_string(), |t| t.to_string())
}

/// Reads a moment: RFC 3339, or a date with or without a time, which is meant in UTC. A date alone is its last moment, so that
/// what was true on a day is true at the day.
///
/// # Errors
/// [`Error::Invalid`] for any other text.
pub fn parse(text: &str) -> Result<Micros> {
    let utc = |datetime: civil::DateTime| TimeZone::UTC.to_timestamp(datetime);
    let found = if let Ok(at) = text.parse::<Timestamp>() {
        Ok(at)
    } else if let (Ok(date), false) = (text.parse::<civil::Date>(), text.contains(':')) {
        utc(date.at(23, 59, 59, 999_999_000))
    } else {
        text.parse::<civil::DateTime>().and_then(utc)
    };
    found.map(Timestamp::as_microsecond).map_err(|_| {
        Error::Invalid(format!(
            "`{}` is no time; write 2026-11-27, 2026-11-27T10:30:00 (UTC) or 2026-11-27T10:30:00+01:00",
            text.escape_debug()
        ))
    })
}

/// Units of a time span, and the seconds of each.
const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];

/// Reads a time span, such as `30d`: a whole number and a unit.
///
/// # Errors
/// [`Error::Invalid`] for any other text.
pub fn parse_span(text: &str) -> Result<Duration> {
    let unit = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit));
    let seconds = unit.and_then(|(unit, seconds)| {
        let number = text.strip_suffix(unit)?;
        number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse::<u64>().ok()?.checked_mul(seconds))?
    });
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let shown = crate::name::shown(text);
        Error::Invalid(format!(
            "{shown} is no time span; write a whole number and a unit: s, m, h, d or w, such as 30d"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let ten = parse("2026-11-27T10:00:00Z").unwrap();
        assert_eq!(parse("2026-11-27T11:00:00+01:00").unwrap(), ten);
        assert_eq!(parse("2026-11-27 10:00:00").unwrap(), ten);
        assert_eq!(parse("2026-11-27T10:00").unwrap(), ten);
        assert_eq!(to_text(ten + 5), "2026-11-27T10:00:00.000005Z");
        assert_eq!(to_seconds(ten + 999_999), "2026-11-27T10:00:00Z");
        assert_eq!(to_text(parse("2026-11-27").unwrap()), "2026-11-27T23:59:59.999999Z");
        for text in ["", "yesterday", "27.11.2026", "2026-13-01", "12:00"] {
            assert!(parse(text).unwrap_err().to_string().contains("2026-11-27T10:30:00"), "{text}");
        }
    }

    #[test]
    fn the_last_moment_has_a_text_and_the_next_has_none() {
        assert_eq!(to_text(LAST), "9999-12-30T22:00:00Z");
        assert_eq!(Timestamp::MAX.as_second(), LAST / 1_000_000);
        assert_eq!(to_seconds(LAST + 1_000_000), (LAST + 1_000_000).to_string());
    }

    #[test]
    fn spans_are_a_number_and_a_unit() {
        for (text, seconds) in [("30d", 2_592_000), ("0s", 0), ("90m", 5_400), ("2w", 1_209_600), ("24h", 86_400)] {
            assert_eq!(parse_span(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
        for text in
            ["", "d", "30", "30 d", "-1d", "+1d", "1.5d", "30D", "30y", "99999999999999999999d", "9999999999999999w"]
        {
            assert!(parse_span(text).unwrap_err().to_string().contains("such as 30d"), "{text}");
        }
    }
}
