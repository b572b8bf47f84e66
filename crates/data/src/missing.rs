//! Which cells mean that a value is missing.

/// Tokens that mean "missing" in a column that is otherwise numeric, boolean or time. In a categorical column they are
/// levels like any other.
pub(crate) fn is_token(text: &[u8]) -> bool {
    match text.len() {
        1 => matches!(text, b"?" | b"-"),
        2 => text == b"NA",
        3 => matches!(text, b"N/A" | b"NaN" | b"nan"),
        4 => matches!(text, b"null" | b"None"),
        _ => false,
    }
}

/// Whether a text, white space aside, is one of the tokens that mean "missing" in a column that is otherwise numeric,
/// boolean or time.
pub fn is_missing_token(text: &str) -> bool {
    is_token(trim(text).as_bytes())
}

/// Tokens that mean "missing" in every column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Everywhere {
    tokens: Vec<String>,
}

impl Everywhere {
    /// The tokens that were asked for.
    pub(crate) fn new(tokens: &[String]) -> Self {
        let mut tokens: Vec<String> = tokens.iter().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect();
        tokens.sort_unstable();
        tokens.dedup();
        Everywhere { tokens }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whether a (trimmed) cell is one of them.
    #[inline]
    pub(crate) fn has(&self, text: &str) -> bool {
        !self.tokens.is_empty() && self.tokens.iter().any(|t| t == text)
    }
}

/// Cuts white space off both ends.
#[inline]
pub(crate) fn trim(text: &str) -> &str {
    let ends_are_plain = |b: Option<&u8>| b.is_some_and(|b| *b > b' ' && *b < 0x7f);
    let bytes = text.as_bytes();
    if ends_are_plain(bytes.first()) && ends_are_plain(bytes.last()) { text } else { text.trim() }
}
