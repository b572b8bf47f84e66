//! Texts within XML and HTML: names come from files and users.

/// A text as it may stand in an element or an attribute. Control characters are left out.
pub(crate) fn escaped(text: &str) -> String {
    let is_allowed = |c: &char| !c.is_control() || *c == '\n';
    text.chars()
        .filter(is_allowed)
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&#39;".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

/// The beginning of a text, where it has more than so many characters.
pub(crate) fn shortened(text: &str, shown: usize) -> String {
    match text.char_indices().nth(shown) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
