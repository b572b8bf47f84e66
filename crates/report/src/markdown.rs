//! Documents as Markdown, in GitHub's form.

use std::fmt::Write;

use crate::document::{Block, Document, Table, Value};

pub(crate) fn write(document: &Document) -> String {
    let mut text = format!("# {}\n", escaped(&document.title));
    if !document.lead.is_empty() {
        let _ = write!(text, "\n{}\n", escaped(&document.lead));
    }
    for section in &document.sections {
        let _ = write!(text, "\n## {}\n", escaped(&section.title));
        for block in &section.blocks {
            match block {
                Block::Heading(heading) => drop(write!(text, "\n### {}\n", escaped(heading))),
                Block::Text(paragraph) => drop(write!(text, "\n{}\n", escaped(paragraph))),
                Block::Facts(facts) => {
                    text.push('\n');
                    for fact in facts {
                        let _ = writeln!(text, "- **{}**: {}", escaped(&fact.name), value(&fact.value));
                    }
                }
                Block::List(lines) => {
                    text.push('\n');
                    for line in lines {
                        let _ = writeln!(text, "- {}", escaped(line));
                    }
                }
                Block::Table(own) => table(own, &mut text),
                Block::Picture(_) => {}
            }
        }
    }
    text
}

fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => escaped(text),
        Value::Code(code) => span(code),
        Value::Missing(key) => format!("*missing: nobody has said it yet* (`{key}` in `tabwright.toml`)"),
    }
}

fn table(table: &Table, text: &mut String) {
    let line = |cells: &[String]| format!("| {} |\n", cells.iter().map(|c| escaped(c)).collect::<Vec<_>>().join(" | "));
    let mark = |i: usize| if table.numeric && i > 0 { "---:" } else { "---" };
    let marks: Vec<&str> = (0..table.header.len()).map(mark).collect();
    let _ = write!(text, "\n{}|{}|\n", line(&table.header), marks.join("|"));
    table.rows.iter().for_each(|row| text.push_str(&line(row)));
}

/// A text as code. Backticks within it need more of them around it.
fn span(code: &str) -> String {
    let plain: String = code.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let longest = plain.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    let room = if longest > 0 { " " } else { "" };
    format!("{ticks}{room}{plain}{room}{ticks}")
}

/// A text whose signs mean nothing to Markdown or HTML. It stays on one line, and no address in it becomes a link.
fn escaped(text: &str) -> String {
    let signs: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let is_word = |i: Option<usize>| i.and_then(|i| signs.get(i)).is_some_and(|c| c.is_alphanumeric());
    let mut escaped = String::with_capacity(text.len());
    for (i, sign) in signs.iter().enumerate() {
        match sign {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // Within a word it means nothing, and names of columns are full of it.
            '_' if is_word(i.checked_sub(1)) && is_word(Some(i + 1)) => escaped.push('_'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '@' => escaped.extend(['\\', *sign]),
            '#' => escaped.push_str("\\#"),
            '+' | '-' | '=' if i == 0 && !is_word(Some(1)) => escaped.extend(['\\', *sign]),
            '/' if i > 0 && signs[i - 1] == ':' => escaped.push_str("\\/"),
            '.' if escaped.ends_with("www") => escaped.push_str("\\."),
            '.' | ')' if is_list_number(&signs[..i]) && !is_word(Some(i + 1)) => escaped.extend(['\\', *sign]),
            sign => escaped.push(*sign),
        }
    }
    escaped
}

/// Whether a line so far would begin a numbered list.
fn is_list_number(signs: &[char]) -> bool {
    !signs.is_empty() && signs.len() < 10 && signs.iter().all(char::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::hostile;

    #[test]
    fn texts_of_a_user_are_no_markup() {
        assert_eq!(escaped("tenure_months < 12"), "tenure_months &lt; 12");
        assert_eq!(escaped("_a_ *b* [c](d) | `e`"), "\\_a\\_ \\*b\\* \\[c\\](d) \\| \\`e\\`");
        assert_eq!(escaped("# a\n- b\u{1b}"), "\\# a - b ");
        assert_eq!(escaped("1. one"), "1\\. one");
        assert_eq!((escaped("0.5"), escaped("-0.5")), ("0.5".into(), "-0.5".into()));
        assert_eq!(escaped("http://a www.b @c"), "http:\\//a www\\.b \\@c");
        assert_eq!((span("a b"), span("a`b``c")), ("`a b`".into(), "``` a`b``c ```".into()));
    }

    #[test]
    fn a_document_has_every_block_and_no_script() {
        let text = hostile().to_markdown();
        // Within code, Markdown reads no markup.
        assert_eq!(text.matches("<script").count(), text.matches("`` <script").count(), "{text}");
        assert!(
            text.contains(
                "- **objective**: *missing: nobody has said it yet* (`project.objective` in `tabwright.toml`)"
            )
        );
        assert_eq!(text.lines().filter(|l| l.starts_with('|')).count(), 3, "{text}");
        assert!(text.lines().filter(|l| l.starts_with('|')).all(|l| l.replace("\\|", "").matches('|').count() == 3));
        assert!(!text.contains('\u{1b}'));
    }
}
