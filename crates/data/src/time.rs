//! ISO 8601 text to microseconds since 1970-01-01T00:00:00Z, and back.

use std::fmt::Write;

use jiff::civil;
use jiff::tz::TimeZone;
use tabwright_core::suggest;

use crate::{Error, Result};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// The zone in which timestamps without an offset are read.
#[derive(Debug, Clone)]
pub(crate) enum Zone {
    /// No calculation needed.
    Utc,
    /// A zone with rules.
    Named(TimeZone),
}

impl Zone {
    /// Finds a zone by its IANA name, in the database that this program carries.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown name.
    pub(crate) fn named(name: &str) -> Result<Self> {
        if matches!(name, "" | "UTC" | "Etc/UTC" | "Z") {
            return Ok(Zone::Utc);
        }
        TimeZone::get(name).map(Zone::Named).map_err(|_| {
            let usual = ["UTC", "Europe/Berlin", "Europe/London", "America/New_York", "Asia/Tokyo"];
            let hint = suggest::did_you_mean(name, usual);
            Error::Usage(format!("unknown time zone `{name}`{hint}; give an IANA name such as Europe/Berlin or UTC"))
        })
    }

    /// Reads microseconds of local time as a point in time. Times that a clock change skips or repeats are taken as
    /// the usual rule has it: with the offset before a gap, and the first of two.
    pub(crate) fn to_utc(&self, local: i64) -> Option<i64> {
        let zone = match self {
            Zone::Utc => return Some(local),
            Zone::Named(zone) => zone,
        };
        let (days, of_day) = (
            local.div_euclid(SECONDS_PER_DAY * MICROS_PER_SECOND),
            local.rem_euclid(SECONDS_PER_DAY * MICROS_PER_SECOND),
        );
        let (year, month, day) = civil_from_days(days);
        let (seconds, micros) = (of_day / MICROS_PER_SECOND, of_day % MICROS_PER_SECOND);
        let (year, month, day) = (i16::try_from(year).ok()?, month as i8, day as i8);
        let (hour, minute, second) = ((seconds / 3600) as i8, (seconds / 60 % 60) as i8, (seconds % 60) as i8);
        let at = civil::DateTime::new(year, month, day, hour, minute, second, (micros * 1000) as i32).ok()?;
        let stamp = zone.to_ambiguous_timestamp(at).compatible().ok()?;
        Some(stamp.as_microsecond())
    }
}

/// Reads `2024-01-05`, `2024-01-05 10:11`, `2024-01-05T10:11:12.5Z`, `… +02:00`. Digits beyond the microsecond are cut.
pub(crate) fn parse(text: &[u8], zone: &Zone) -> Option<i64> {
    if text.len() < 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(text, 0, 4)?, number(text, 5, 2)?, number(text, 8, 2)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let midnight = days_from_civil(year, month, day) * SECONDS_PER_DAY * MICROS_PER_SECOND;
    if text.len() == 10 {
        return zone.to_utc(midnight);
    }
    if !matches!(text[10], b'T' | b't' | b' ') {
        return None;
    }
    let (of_day, at) = parse_clock(text, 11)?;
    match parse_offset(&text[at..])? {
        None => zone.to_utc(midnight + of_day),
        Some(offset) => Some(midnight + of_day - offset * MICROS_PER_SECOND),
    }
}

/// Reads `10:11`, `10:11:12`, `10:11:12.123456`: microseconds of the day, and the position after it.
fn parse_clock(text: &[u8], start: usize) -> Option<(i64, usize)> {
    let (hour, minute) = (number(text, start, 2)?, number(text, start + 3, 2)?);
    if text[start + 2] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    let mut at = start + 5;
    let mut micros = (hour * 3600 + minute * 60) * MICROS_PER_SECOND;
    if text.get(at) == Some(&b':') {
        let second = number(text, at + 1, 2).filter(|s| *s <= 59)?;
        micros += second * MICROS_PER_SECOND;
        at += 3;
        if let Some(b'.' | b',') = text.get(at) {
            let digits = text[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let shown = digits.min(6);
            micros += number(text, at + 1, shown)? * 10_i64.pow(6 - shown as u32);
            at += 1 + digits;
        }
    }
    Some((micros, at))
}

/// Reads nothing, `Z`, `+02:00`, `+0200` or `+02`, with a space before it or not: seconds east of Greenwich.
fn parse_offset(text: &[u8]) -> Option<Option<i64>> {
    let text = text.strip_prefix(b" ").filter(|t| !t.is_empty()).unwrap_or(text);
    let (sign, rest) = match text.first() {
        None => return Some(None),
        Some(b'Z' | b'z') if text.len() == 1 => return Some(Some(0)),
        Some(b'+') => (1, &text[1..]),
        Some(b'-') => (-1, &text[1..]),
        Some(_) if text == b"UTC" => return Some(Some(0)),
        Some(_) => return None,
    };
    let (hours, minutes) = match rest.len() {
        2 => (number(rest, 0, 2)?, 0),
        4 => (number(rest, 0, 2)?, number(rest, 2, 2)?),
        5 if rest[2] == b':' => (number(rest, 0, 2)?, number(rest, 3, 2)?),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some(Some(sign * (hours * 3600 + minutes * 60)))
}

fn number(text: &[u8], start: usize, length: usize) -> Option<i64> {
    let digits = text.get(start..start + length)?;
    digits.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day number (the same source, `civil_from_days`).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Writes a point in time as `2024-01-05T10:11:12Z`, with as many digits of the second as it needs.
pub fn format_timestamp(micros: i64) -> String {
    let seconds = micros.div_euclid(MICROS_PER_SECOND);
    let fraction = micros.rem_euclid(MICROS_PER_SECOND);
    let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let mut out = String::with_capacity(27);
    let sign = if year < 0 { "-" } else { "" };
    let _ = write!(
        out,
        "{sign}{:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        year.abs(),
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    );
    if fraction != 0 {
        let _ = write!(out, ".{fraction:06}");
        out.truncate(out.trim_end_matches('0').len());
    }
    out.push('Z');
    out
}

/// The ways in which people write dates, told apart by their separators. `None` for what looks like no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DateShape {
    /// `2024-01-05`.
    Iso,
    /// `05/01/2024`, `1/5/24`.
    Slashes,
    /// `05.01.2024`.
    Dots,
    /// `05-01-2024`.
    Dashes,
    /// `5 Jan 2024`, `January 5, 2024`.
    Words,
}

/// Tells in which shape a date is written.
pub(crate) fn date_shape(text: &str) -> Option<DateShape> {
    if parse(text.as_bytes(), &Zone::Utc).is_some() {
        return Some(DateShape::Iso);
    }
    if text.len() > 40 {
        return None;
    }
    let date = text.split(['T', ' ']).next().unwrap_or(text);
    for (separator, shape) in [('/', DateShape::Slashes), ('.', DateShape::Dots), ('-', DateShape::Dashes)] {
        let parts: Vec<&str> = date.split(separator).collect();
        let is_number = |p: &&str| matches!(p.len(), 1 | 2 | 4) && p.bytes().all(|b| b.is_ascii_digit());
        if parts.len() == 3 && parts.iter().all(is_number) && parts.iter().any(|p| p.len() != 1) {
            return Some(shape);
        }
    }
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let words: Vec<String> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let is_month = |w: &String| w.len() >= 3 && w.len() <= 9 && w.is_ascii() && MONTHS.contains(&&w[..3]);
    let numbers = words.iter().filter(|w| w.bytes().all(|b| b.is_ascii_digit())).count();
    let months = words.iter().filter(|w| is_month(w)).count();
    (months == 1 && (1..=5).contains(&numbers) && words.len() <= 6).then_some(DateShape::Words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> Option<i64> {
        parse(text.as_bytes(), &Zone::Utc)
    }

    #[test]
    fn iso_dates_and_times_are_read_to_the_microsecond() {
        assert_eq!(utc("1970-01-01"), Some(0));
        assert_eq!(utc("2024-01-05"), Some(1_704_412_800_000_000));
        assert_eq!(utc("2024-01-05 10:11:12.5"), Some(1_704_449_472_500_000));
        assert_eq!(utc("2024-01-05T10:11:12.123456789Z"), Some(1_704_449_472_123_456));
        assert_eq!(utc("2024-01-05T10:11+02:00"), utc("2024-01-05 08:11"));
        assert_eq!(utc("2024-01-05T10:11:00 -0530"), utc("2024-01-05T15:41Z"));
        assert_eq!(utc("1969-12-31T23:59:59.999999Z"), Some(-1));
        assert_eq!(utc("2000-02-29"), Some(951_782_400_000_000));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-01-32",
            "2024-1-5",
            "05/01/2024",
            "2024-01-05T",
            "2024-01-05 24:00",
            "2024-01-05 10:60",
            "2024-01-05 10:11:",
            "2024-01-05 10:11:12.",
            "2024-01-05 10:11x",
            "2024-01-05X10:11",
            "2024-01-05 10",
            "20240105",
            "2024-01-05+02:00",
            "é024-01-05",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    #[test]
    fn a_naive_time_is_read_in_the_zone() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let read = |t: &str| parse(t.as_bytes(), &berlin);
        assert_eq!(read("2024-07-01 12:00"), utc("2024-07-01T10:00Z"));
        assert_eq!(read("2024-01-01 12:00"), utc("2024-01-01T11:00Z"));
        assert_eq!(read("2024-01-01T12:00Z"), utc("2024-01-01T12:00Z"));
        assert_eq!(read("2024-03-31 02:30"), utc("2024-03-31T01:30Z"), "skipped by the clock change");
        let error = Zone::named("Europe/Berlim").unwrap_err();
        assert!(error.is_usage() && error.to_string().contains("did you mean `Europe/Berlin`?"), "{error}");
    }

    #[test]
    fn shapes_of_dates_are_told_apart() {
        let cases = [
            ("2024-01-05", Some(DateShape::Iso)),
            ("05/01/2024", Some(DateShape::Slashes)),
            ("1/5/24 10:00", Some(DateShape::Slashes)),
            ("05.01.2024", Some(DateShape::Dots)),
            ("05-01-2024", Some(DateShape::Dashes)),
            ("5 Jan 2024", Some(DateShape::Words)),
            ("January 5, 2024", Some(DateShape::Words)),
            ("may be", None),
            ("1.2.3", None),
            ("12345", None),
        ];
        for (text, shape) in cases {
            assert_eq!(date_shape(text), shape, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000) {
            let text = format_timestamp(micros);
            prop_assert_eq!(utc(&text), Some(micros), "{}", text);
        }

        #[test]
        fn any_text_does_no_harm(text in "\\PC{0,40}") {
            let _ = utc(&text);
            let _ = date_shape(&text);
        }
    }
}
