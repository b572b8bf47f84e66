//! Moments as the store keeps them: microseconds since 1970, UTC.

use jiff::{Timestamp, Unit, civil, tz::TimeZone};

use crate::error::{Error, Result};

/// A moment, in microseconds since 1970, UTC.
pub type Micros = i64;

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
}
