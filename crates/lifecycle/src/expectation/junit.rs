//! The report in the form that continuous integration reads: JUnit's XML, a test suite for each file.

use std::fmt::Write;

use super::{Outcome, Report, Status};

/// A report as JUnit's XML.
pub fn junit(report: &Report) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let seconds: f64 = report.tests.iter().map(|t| t.seconds).sum();
    let _ = writeln!(text, "<testsuites {}>", counts(&report.tests.iter().collect::<Vec<_>>(), seconds));
    for suite in report.tests.chunk_by(|a, b| a.file == b.file) {
        let seconds: f64 = suite.iter().map(|t| t.seconds).sum();
        let counted = counts(&suite.iter().collect::<Vec<_>>(), seconds);
        let _ = writeln!(text, "  <testsuite name=\"{}\" {counted}>", escaped(&suite[0].file));
        for outcome in suite {
            case(outcome, &mut text);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn counts(tests: &[&Outcome], seconds: f64) -> String {
    let count = |status: Status| tests.iter().filter(|t| t.status == status).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{seconds:.3}\"",
        tests.len(),
        count(Status::Failed),
        count(Status::Error)
    )
}

fn case(outcome: &Outcome, text: &mut String) {
    let Outcome { test, check, message, seconds, .. } = outcome;
    let open =
        format!("    <testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.3}\"", escaped(test), escaped(check));
    let tag = match outcome.status {
        Status::Ok => {
            let _ = writeln!(text, "{open}/>");
            return;
        }
        Status::Failed => "failure",
        Status::Error => "error",
    };
    let _ = writeln!(text, "{open}>\n      <{tag} message=\"{}\"/>\n    </testcase>", escaped(message));
}

/// Text of an attribute. XML has no form for most control characters.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            '\t' => safe.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
