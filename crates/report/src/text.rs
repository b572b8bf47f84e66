//! How numbers are written for a person: on the screen, in cards and on pages.

/// A metric or statistic with four to five digits that matter.
pub fn number(x: f64) -> String {
    let size = x.abs();
    match size {
        _ if !x.is_finite() => "–".into(),
        0.0 => "0".into(),
        _ if !(1e-4..1e7).contains(&size) => format!("{x:.3e}"),
        _ if size >= 1000.0 => format!("{x:.0}"),
        _ if size >= 100.0 => format!("{x:.1}"),
        _ if size >= 10.0 => format!("{x:.2}"),
        _ if size >= 1.0 => format!("{x:.3}"),
        _ => format!("{x:.4}"),
    }
}

/// A number with its sign: a difference.
pub fn signed(x: f64) -> String {
    if x > 0.0 { format!("+{}", number(x)) } else { number(x).replacen('-', "−", 1) }
}

/// A count with groups of three digits.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of things, in the singular or with an `s`.
pub fn counted(n: usize, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A duration with three digits.
pub fn seconds(s: f64) -> String {
    match s {
        _ if s < 0.000_95 => format!("{:.0} µs", s * 1e6),
        _ if s < 0.095 => format!("{:.1} ms", s * 1e3),
        _ if s < 0.95 => format!("{:.0} ms", s * 1e3),
        _ if s < 95.0 => format!("{s:.2} s"),
        _ => format!("{} min {:.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

/// A share as a percentage.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".into(),
        p if p < 0.1 => format!("{p:.2} %"),
        p if p < 10.0 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

/// A size with three digits.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if n < 1_000 {
        return counted(usize::try_from(n).unwrap_or(usize::MAX), "byte");
    }
    let (mut size, mut unit) = (n as f64 / 1e3, 0);
    while size >= 999.5 && unit + 1 < UNITS.len() {
        (size, unit) = (size / 1e3, unit + 1);
    }
    let digits = if size < 9.995 { 2 } else { usize::from(size < 99.95) };
    format!("{size:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_the_digits_that_matter() {
        assert_eq!(
            [0.84512, 1.10843, 48_222.4, 565.33, 0.0, 1e-7].map(number),
            ["0.8451", "1.108", "48222", "565.3", "0", "1.000e-7"]
        );
        assert_eq!([0.5, -0.5, 0.0, f64::NAN].map(signed), ["+0.5000", "−0.5000", "0", "–"]);
        assert_eq!([7.0, 1234.0, 1_234_567.0].map(|x| count(x as usize)), ["7", "1,234", "1,234,567"]);
        assert_eq!(
            [0.00002, 0.0123, 0.5, 2.345, 125.0].map(seconds),
            ["20 µs", "12.3 ms", "500 ms", "2.35 s", "2 min 5 s"]
        );
        assert_eq!(
            [0, 1, 999, 1_000, 15_820, 999_600, 1_234_567, u64::MAX].map(bytes),
            ["0 bytes", "1 byte", "999 bytes", "1.00 kB", "15.8 kB", "1.00 MB", "1.23 MB", "18446744 TB"]
        );
    }
}
