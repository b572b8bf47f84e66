//! Decimal text to numbers: correctly rounded, the same bits from every format.

/// What a piece of text is as a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// Digits only, within `i64` (and not its least value, which marks a missing one).
    Integer(i64),
    /// With a point or an exponent.
    Float(f64),
    /// Digits only, beyond `i64`; as the nearest number.
    Big(f64),
    /// A number with leading zeros, such as `007`: more likely a code.
    Padded(f64),
    /// `inf`, `Infinity`, with or without a sign, in any case.
    Infinite(f64),
    /// Beyond the range of `f64`, such as `1e400`.
    Overflow,
}

impl Number {
    /// The value; infinite for a literal beyond the range.
    pub(crate) fn value(self) -> f64 {
        match self {
            Number::Integer(i) => i as f64,
            Number::Float(x) | Number::Big(x) | Number::Padded(x) | Number::Infinite(x) => x,
            Number::Overflow => f64::INFINITY,
        }
    }
}

/// Powers of ten that are exact in `f64`.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Numbers up to here are exact in `f64`.
const EXACT_MANTISSA: u64 = 1 << 53;

/// Digits that always fit `u64`.
const SAFE_DIGITS: usize = 19;

/// Reads a run of digits; returns the position after it.
#[inline]
fn digits(text: &[u8], mut at: usize, mantissa: &mut u64) -> usize {
    while let Some(byte) = text.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    at
}

/// Reads a short plain whole number: the common case, before anything else is tried.
#[inline]
pub(crate) fn parse_short_integer(text: &[u8]) -> Option<i64> {
    let negative = text.first() == Some(&b'-');
    let start = usize::from(negative);
    let length = text.len() - start;
    if length == 0 || length > 18 || (text[start] == b'0' && length > 1) {
        return None;
    }
    let mut mantissa = 0;
    if digits(text, start, &mut mantissa) != text.len() {
        return None;
    }
    let value = mantissa as i64;
    Some(if negative { -value } else { value })
}

/// Reads a number, or tells that the text is none. The text is trimmed.
pub(crate) fn parse(text: &[u8]) -> Option<Number> {
    let (negative, start) = match text.first()? {
        b'-' => (true, 1),
        b'+' => (false, 1),
        _ => (false, 0),
    };
    let mut mantissa = 0;
    let whole_end = digits(text, start, &mut mantissa);
    let whole = whole_end - start;
    let padded = whole > 1 && text[start] == b'0';
    if whole_end == text.len() {
        return if whole == 0 { None } else { Some(whole_number(text, whole, mantissa, (negative, padded))) };
    }
    let mut at = whole_end;
    let mut fraction = 0;
    if text[at] == b'.' {
        at = digits(text, at + 1, &mut mantissa);
        fraction = at - whole_end - 1;
    }
    if whole + fraction == 0 {
        return infinity(&text[start..], negative);
    }
    let mut exponent = 0_i64;
    if let Some(b'e' | b'E') = text.get(at) {
        (exponent, at) = read_exponent(text, at + 1)?;
    }
    if at != text.len() {
        return None;
    }
    let power = exponent - fraction as i64;
    let exact = if whole + fraction <= SAFE_DIGITS { exact(mantissa, power, negative) } else { None };
    let value = match exact {
        Some(value) => value,
        None => by_std(text)?,
    };
    Some(if value.is_infinite() {
        Number::Overflow
    } else if padded {
        Number::Padded(canonical_zero(value))
    } else {
        Number::Float(canonical_zero(value))
    })
}

/// Reads the number with which a text begins, written as JSON has it, if it has few digits and no exponent; also how long it is.
/// [`parse`] says the same of its text.
#[inline]
pub(crate) fn parse_short(text: &[u8]) -> Option<(Number, usize)> {
    let negative = text.first() == Some(&b'-');
    let start = usize::from(negative);
    let mut mantissa = 0;
    let whole_end = digits(text, start, &mut mantissa);
    let whole = whole_end - start;
    if whole == 0 || whole >= SAFE_DIGITS || (whole > 1 && text[start] == b'0') {
        return None;
    }
    if text.get(whole_end) != Some(&b'.') {
        let value = mantissa as i64;
        return Some((Number::Integer(if negative { -value } else { value }), whole_end));
    }
    let end = digits(text, whole_end + 1, &mut mantissa);
    let fraction = end - whole_end - 1;
    if fraction == 0 || whole + fraction > SAFE_DIGITS {
        return None;
    }
    let value = exact(mantissa, -(fraction as i64), negative)?;
    Some((Number::Float(canonical_zero(value)), end))
}

/// Digits times a power of ten, where both are exact, so that one rounding makes the nearest number.
#[inline]
fn exact(mantissa: u64, power: i64, negative: bool) -> Option<f64> {
    if mantissa > EXACT_MANTISSA || power.unsigned_abs() > 22 {
        return None;
    }
    let scale = EXACT_POWERS[power.unsigned_abs() as usize];
    let magnitude = if power < 0 { mantissa as f64 / scale } else { mantissa as f64 * scale };
    Some(if negative { -magnitude } else { magnitude })
}

/// −0 is 0 here: a table knows no sign of zero, so that equal numbers have equal bits.
#[inline]
pub(crate) fn canonical_zero(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value }
}

fn whole_number(text: &[u8], whole: usize, mantissa: u64, (negative, padded): (bool, bool)) -> Number {
    if padded {
        return Number::Padded(canonical_zero(by_std(text).unwrap_or(0.0)));
    }
    if whole < SAFE_DIGITS {
        let value = mantissa as i64;
        return Number::Integer(if negative { -value } else { value });
    }
    match std::str::from_utf8(text).ok().and_then(|t| t.parse::<i64>().ok()) {
        Some(i64::MIN) => Number::Float(i64::MIN as f64),
        Some(value) => Number::Integer(value),
        None => match by_std(text) {
            Some(value) if value.is_finite() => Number::Big(value),
            _ => Number::Overflow,
        },
    }
}

fn by_std(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn infinity(text: &[u8], negative: bool) -> Option<Number> {
    let matches = text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity");
    matches.then_some(Number::Infinite(if negative { f64::NEG_INFINITY } else { f64::INFINITY }))
}

/// Reads what follows the `e`; very large exponents are cut off where the outcome no longer depends on them.
fn read_exponent(text: &[u8], mut at: usize) -> Option<(i64, usize)> {
    let negative = match text.get(at)? {
        b'-' => (true, at += 1).0,
        b'+' => (false, at += 1).0,
        _ => false,
    };
    let start = at;
    let mut exponent = 0_i64;
    while let Some(digit @ b'0'..=b'9') = text.get(at) {
        exponent = (exponent * 10 + i64::from(digit - b'0')).min(1_000_000_000);
        at += 1;
    }
    (at > start).then_some((if negative { -exponent } else { exponent }, at))
}

/// The shortest decimal that reads back as the same bits; whole numbers without a point.
pub(crate) fn shortest(number: f64, buffer: &mut zmij::Buffer) -> &str {
    let text = buffer.format(canonical_zero(number));
    text.strip_suffix(".0").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_sort_of_number_is_told_apart() {
        let cases: [(&str, Option<Number>); 27] = [
            ("0", Some(Number::Integer(0))),
            ("-0", Some(Number::Integer(0))),
            ("+12", Some(Number::Integer(12))),
            ("9223372036854775807", Some(Number::Integer(i64::MAX))),
            ("9223372036854775808", Some(Number::Big(9223372036854775808.0))),
            ("-9223372036854775807", Some(Number::Integer(-i64::MAX))),
            ("-9223372036854775808", Some(Number::Float(i64::MIN as f64))),
            ("007", Some(Number::Padded(7.0))),
            ("00.5", Some(Number::Padded(0.5))),
            ("0.5", Some(Number::Float(0.5))),
            (".5", Some(Number::Float(0.5))),
            ("5.", Some(Number::Float(5.0))),
            ("1e5", Some(Number::Float(1e5))),
            ("-1.5E-3", Some(Number::Float(-1.5e-3))),
            ("1e400", Some(Number::Overflow)),
            ("-1e99999999999999", Some(Number::Overflow)),
            ("1e-400", Some(Number::Float(0.0))),
            ("-Inf", Some(Number::Infinite(f64::NEG_INFINITY))),
            ("Infinity", Some(Number::Infinite(f64::INFINITY))),
            ("nan", None),
            ("", None),
            ("-", None),
            (".", None),
            ("1e", None),
            ("1,000", None),
            ("0x10", None),
            ("1_0", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn minus_zero_loses_its_sign() {
        assert_eq!(parse(b"-0.0").unwrap().value().to_bits(), 0);
    }

    proptest! {
        #[test]
        fn decimals_are_rounded_as_the_standard_library_does(
            text in "-?(0|[1-9][0-9]{0,20})\\.[0-9]{1,20}(e-?[0-9]{1,3})?"
        ) {
            let expected = canonical_zero(text.parse::<f64>().unwrap());
            match parse(text.as_bytes()) {
                Some(Number::Float(x)) => prop_assert_eq!(x.to_bits(), expected.to_bits()),
                Some(Number::Overflow) => prop_assert!(expected.is_infinite()),
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn whole_numbers_agree_with_the_short_way(value in any::<i64>()) {
            let text = value.to_string();
            let expected = if value == i64::MIN { Number::Float(value as f64) } else { Number::Integer(value) };
            prop_assert_eq!(parse(text.as_bytes()), Some(expected));
            let short = parse_short_integer(text.as_bytes());
            prop_assert!(short.is_none_or(|v| v == value));
            prop_assert_eq!(short.is_some(), text.trim_start_matches('-').len() <= 18);
        }

        #[test]
        fn numbers_at_the_front_of_a_text_are_those_of_their_own_text(
            text in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?", after in "[,}e.]?",
        ) {
            if let Some((number, length)) = parse_short(format!("{text}{after}").as_bytes()) {
                prop_assert_eq!(length, text.len());
                let expected = parse(text.as_bytes()).unwrap();
                prop_assert_eq!(number, expected);
                prop_assert_eq!(number.value().to_bits(), expected.value().to_bits());
            }
        }

        #[test]
        fn the_shortest_form_reads_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let mut buffer = zmij::Buffer::new();
            let text = shortest(value, &mut buffer).to_owned();
            prop_assert_eq!(parse(text.as_bytes()).unwrap().value().to_bits(), canonical_zero(value).to_bits());
        }

        #[test]
        fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..30)) {
            let _ = parse(&bytes);
            let _ = parse_short_integer(&bytes);
        }
    }
}
