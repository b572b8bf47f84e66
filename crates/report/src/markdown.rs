//! Documents as Markdown, in GitHub's form.

use std::fmt::Write;

use crate::document::{Block, Document, Table, Value, pieces};

pub(crate) fn write(document: &Document) -> String {
    let mut text = format!("# {}\n", escaped(&document.title));
    if !document.lead.is_empty() {
        let _ = write!(text, "\n{}\n", inline(&document.lead));
    }
    for section in &document.sections {
        let _ = write!(text, "\n## {}\n", escaped(&section.title));
        for block in &section.blocks {
            match block {
                Block::Heading(heading) => drop(write!(text, "\n### {}\n", escaped(heading))),
                Block::Text(paragraph) => drop(write!(text, "\n{}\n", inline(paragraph))),
                Block::Facts(facts) => {
                    text.push('\n');
                    for fact in facts {
                        let _ = writeln!(text, "- **{}**: {}", inline(&fact.name), value(&fact.value));
                    }
                }
                Block::List(lines) => {
                    text.push('\n');
                    for line in lines {
                        let _ = writeln!(text, "- {}", inline(line));
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
        Value::Text(text) => inline(text),
        Value::Code(code) => span(code),
        Value::Missing(key) => format!("*missing: nobody has said it yet* (`{key}` in `tabwright.toml`)"),
    }
}

fn table(table: &Table, text: &mut String) {
    let line = |cells: &[String]| format!("| {} |\n", cells.iter().map(|c| inline(c)).collect::<Vec<_>>().join(" | "));
    let mark = |i: usize| if table.numeric && i > 0 { "---:" } else { "---" };
    let marks: Vec<&str> = (0..table.header.len()).map(mark).collect();
    let _ = write!(text, "\n{}|{}|\n", line(&table.header), marks.join("|"));
    table.rows.iter().for_each(|row| text.push_str(&line(row)));
}

/// A text whose pieces between backticks are code.
fn inline(text: &str) -> String {
    let one = |(i, piece): (usize, &&str)| match i % 2 {
        // With nothing in it, code would end with its beginning.
        1 if !piece.trim().is_empty() => span(piece),
        1 => escaped(&format!("`{piece}`")),
        _ => escaped(piece),
    };
    pieces(text).iter().enumerate().map(one).collect()
}

/// A text as code. Signs that could end it, the cell of a table or the text stand in an element instead of between backticks.
fn span(code: &str) -> String {
    if code.contains(['`', '<', '>', '&', '|']) {
        return format!("<code>{}</code>", escaped(code));
    }
    format!("`{}`", code.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>())
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
        assert_eq!((span("a b"), span("a`b<c")), ("`a b`".into(), "<code>a\\`b&lt;c</code>".into()));
        assert_eq!(inline("the column `a_b` is `<i>`, ``"), "the column `a_b` is <code>&lt;i&gt;</code>, \\`\\`");
        assert_eq!(inline("a ` alone"), "a \\` alone");
    }

    #[test]
    fn a_document_has_every_block_and_no_script() {
        let text = hostile().to_markdown();
        assert!(!text.contains("<script"), "{text}");
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
