//! The words of a filter, each with the place where it begins.

use super::FilterError;

/// A word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A bare word: a part of a name, or `and`, `or`, `not`, `like`, `in`, `is`, `null`.
    Word(String),
    /// A part of a name in double quotes or backticks.
    Quoted(String),
    Number(f64),
    Text(String),
    /// A sign such as `>=` or `(`.
    Sign(&'static str),
}

impl Token {
    /// As a message shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Token::Word(word) | Token::Quoted(word) => format!("`{word}`"),
            Token::Number(number) => format!("the number {number}"),
            Token::Text(text) => format!("the text '{text}'"),
            Token::Sign(sign) => format!("`{sign}`"),
        }
    }
}

/// Signs, the longer before their beginnings; each with the form that the parser knows.
const SIGNS: [(&str, &str); 13] = [
    ("==", "="),
    ("!=", "!="),
    ("<>", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("=", "="),
    ("<", "<"),
    (">", ">"),
    ("(", "("),
    (")", ")"),
    (",", ","),
    (".", "."),
    ("-", "-"),
];

/// Cuts a filter into words, each with the character where it begins.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, FilterError> {
    let characters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&c) = characters.get(at) {
        if c.is_whitespace() {
            at += 1;
            continue;
        }
        let begin = at;
        let token = match c {
            '\'' => Token::Text(quoted(text, &characters, &mut at, c)?),
            '"' | '`' => Token::Quoted(quoted(text, &characters, &mut at, c)?),
            _ if c.is_ascii_digit() => number(text, &characters, &mut at)?,
            _ if c.is_alphabetic() || c == '_' => {
                while characters.get(at).is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '@' | '-')) {
                    at += 1;
                }
                Token::Word(characters[begin..at].iter().collect())
            }
            _ => sign(text, &characters, &mut at)?,
        };
        found.push((begin, token));
    }
    Ok(found)
}

/// A text up to its closing quote; a doubled quote stands for one.
fn quoted(text: &str, characters: &[char], at: &mut usize, quote: char) -> Result<String, FilterError> {
    let begin = *at;
    *at += 1;
    let mut content = String::new();
    loop {
        match (characters.get(*at), characters.get(*at + 1)) {
            (Some(c), Some(next)) if *c == quote && *next == quote => {
                content.push(quote);
                *at += 2;
            }
            (Some(c), _) if *c == quote => {
                *at += 1;
                return Ok(content);
            }
            (Some(c), _) => {
                content.push(*c);
                *at += 1;
            }
            (None, _) => return Err(FilterError::new(text, begin, format!("the quote {quote} is not closed"))),
        }
    }
}

fn number(text: &str, characters: &[char], at: &mut usize) -> Result<Token, FilterError> {
    let begin = *at;
    let mut before = ' ';
    while let Some(&c) = characters.get(*at) {
        let is_sign_of_exponent = matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
        if !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || is_sign_of_exponent) {
            break;
        }
        before = c;
        *at += 1;
    }
    let word: String = characters[begin..*at].iter().collect();
    match word.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Token::Number(value)),
        _ => Err(FilterError::new(text, begin, format!("`{word}` is no number; texts stand in single quotes"))),
    }
}

fn sign(text: &str, characters: &[char], at: &mut usize) -> Result<Token, FilterError> {
    for (written, meant) in SIGNS {
        if written.chars().enumerate().all(|(i, c)| characters.get(*at + i) == Some(&c)) {
            *at += written.len();
            return Ok(Token::Sign(meant));
        }
    }
    let found = characters[*at];
    let hint = match found {
        '&' => "; write `and`",
        '|' => "; write `or`",
        '!' => "; write `not`, or `!=`",
        '*' => "; in a pattern of `like`, `%` stands for any characters",
        ';' => "; a filter is one condition",
        _ => "",
    };
    Err(FilterError::new(text, *at, format!("`{}` does not belong here{hint}", found.escape_debug())))
}
