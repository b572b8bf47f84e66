//! Rust text without what is no code: comments, strings and test modules are blanked, line numbers stay.

/// Blanks comments, strings and character literals; keeps every line break.
pub(super) fn code_only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = token_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal that starts here ends; `at` itself if none does.
fn token_end(chars: &[char], at: usize) -> usize {
    let peek = |i: usize| chars.get(at + i).copied();
    let in_name = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match (chars[at], peek(1)) {
        ('/', Some('/')) => (at..chars.len()).find(|&i| chars[i] == '\n').unwrap_or(chars.len()),
        ('/', Some('*')) => block_comment_end(chars, at),
        ('"', _) => quoted_end(chars, at + 1, '"'),
        ('r', Some('"' | '#')) if !in_name => raw_string_end(chars, at),
        // A lifetime has no closing quote right after its first character.
        ('\'', Some('\\')) => quoted_end(chars, at + 1, '\''),
        ('\'', Some(_)) if peek(2) == Some('\'') => at + 3,
        _ => at,
    }
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    chars.len()
}

fn quoted_end(chars: &[char], from: usize, quote: char) -> usize {
    let mut at = from;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The end of `r"…"` or `r#"…"#`; `start` itself for a raw identifier such as `r#type`.
fn raw_string_end(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|&&c| c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return start;
    }
    let closes =
        |&i: &usize| chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes;
    (open + 1..chars.len()).find(closes).map_or(chars.len(), |i| i + 1 + hashes)
}

/// Cuts `#[cfg(test)]` items. Relies on rustfmt: an item ends with a closing brace at its own indentation.
pub(super) fn without_tests(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() != "#[cfg(test)]" {
            out.push_str(line);
            out.push('\n');
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        for item in lines.by_ref() {
            let attribute = item.trim_start().starts_with("#[");
            if item == closing
                || (!attribute && item.len() > indent && item.ends_with(';') && !item[indent..].starts_with(' '))
            {
                break;
            }
        }
    }
    out
}

/// Where a word stands on its own: not inside a longer name.
pub(super) fn find_word<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = line[..at].chars().next_back().is_some_and(is_name);
        let after = word.ends_with(is_name) && line[at + word.len()..].chars().next().is_some_and(is_name);
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        let source =
            "a(\"x\\\" .exp()\"); // .ln()\n/* b /* c */ d */ e('\\'', '\"', 'l');\nr#\"q\"q\"#; f::<'a>(r#type);\n";
        let code = code_only(source);
        assert_eq!(code.lines().count(), 3);
        let squeezed: String = code.chars().filter(|c| *c != ' ').collect();
        assert_eq!(squeezed, "a();\ne(,,);\n;f::<'a>(r#type);\n");
    }

    #[test]
    fn test_items_are_cut_and_what_follows_is_kept() {
        let source = "fn a() {}\n#[cfg(test)]\nmod tests;\nfn b() {}\n\n#[cfg(test)]\n#[path = \"x\"]\nmod more {\n    fn c() {}\n}\nfn d() {}\n";
        let kept = without_tests(source);
        assert_eq!(kept, "fn a() {}\nfn b() {}\n\nfn d() {}\n");
    }

    #[test]
    fn words_stand_alone() {
        assert_eq!(find_word("my_print!(); print!()", "print!").collect::<Vec<_>>(), [13]);
        assert_eq!(find_word("Instants Instant", "Instant").collect::<Vec<_>>(), [9]);
    }
}
