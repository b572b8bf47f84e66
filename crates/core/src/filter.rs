//! A small language of conditions, such as `metrics.roc_auc > 0.9 and tags.owner like 'a%'`: text to a checked tree.
//!
//! What the fields mean is the matter of those who ask: the store makes a query of the tree, a slice of rows is chosen with
//! it. Nothing here is pasted into a query. Every error says where in the text it stands.

mod parse;
mod token;

use crate::suggest;

pub use parse::parse;

/// The longest filter, in bytes.
pub const LONGEST: usize = 10_000;
/// How deep parentheses and `not` may nest.
pub const DEEPEST: usize = 64;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them hold.
    And(Vec<Filter>),
    /// One of them holds at least.
    Or(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A field against a value.
    Compare(Field, Comparison, Literal),
    /// A text against a pattern: `%` stands for any characters, `_` for one. Upper and lower case differ.
    Like(Field, String),
    /// A field is one of several values.
    In(Field, Vec<Literal>),
    /// A field has no value.
    IsNull(Field),
}

/// A name, with its parts as they are apart by dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// One part at least.
    pub parts: Vec<String>,
    /// Where it begins, in characters from 0.
    pub at: usize,
}

impl Field {
    /// The first part: what kind of thing is meant.
    pub fn first(&self) -> &str {
        self.parts.first().map_or("", String::as_str)
    }

    /// All parts but the first, with dots.
    pub fn rest(&self) -> String {
        self.parts[1..].join(".")
    }

    /// All parts, with dots.
    pub fn name(&self) -> String {
        self.parts.join(".")
    }
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

impl Comparison {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterEqual => ">=",
        }
    }

    /// Whether two values, whose order is known, stand so to each other. Values without an order are unequal.
    pub fn holds(self, order: Option<std::cmp::Ordering>) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match self {
            Comparison::Equal => order == Some(Equal),
            Comparison::NotEqual => order != Some(Equal),
            Comparison::Less => order == Some(Less),
            Comparison::LessEqual => matches!(order, Some(Less | Equal)),
            Comparison::Greater => order == Some(Greater),
            Comparison::GreaterEqual => matches!(order, Some(Greater | Equal)),
        }
    }
}

/// A value that is written out.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A number.
    Number(f64),
    /// A text in quotes; `true` and `false` are texts too.
    Text(String),
}

/// What is wrong with a filter, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    what: &'static str,
    text: String,
    at: usize,
    message: String,
}

/// Characters of a long filter that are shown before and after the place of an error.
const SHOWN: usize = 60;

impl FilterError {
    /// An error at a character of a filter.
    pub fn new(text: &str, at: usize, message: impl Into<String>) -> Self {
        FilterError { what: "filter", text: text.to_owned(), at, message: message.into() }
    }

    /// The same error in a text that is called otherwise.
    #[must_use]
    pub fn in_a(self, what: &'static str) -> Self {
        FilterError { what, ..self }
    }

    /// An unknown field, with the nearest of those that exist.
    pub fn unknown<'a>(
        text: &str,
        field: &Field,
        what: &str,
        known: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Self {
        let hint = suggest::did_you_mean(&field.name(), known.clone());
        let known = suggest::shorten(known);
        FilterError::new(text, field.at, format!("there is no {what} `{}`{hint}; known are {known}", field.name()))
    }

    /// What is wrong, in characters from 0.
    pub fn position(&self) -> usize {
        self.at
    }
}

impl std::fmt::Display for FilterError {
    /// The message, the text, and a mark below the place.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let visible = |c: char| if c.is_control() { '·' } else { c };
        let characters: Vec<char> = self.text.chars().map(visible).collect();
        let at = self.at.min(characters.len());
        let (from, to) = (at.saturating_sub(SHOWN), (at + SHOWN).min(characters.len()));
        let (before, after) = (if from > 0 { "…" } else { "" }, if to < characters.len() { "…" } else { "" });
        let shown: String = characters[from..to].iter().collect();
        let indent = " ".repeat(at - from + before.chars().count());
        write!(f, "the {} at character {}: {}\n  {before}{shown}{after}\n  {indent}^", self.what, at + 1, self.message)
    }
}

impl std::error::Error for FilterError {}

#[cfg(test)]
mod tests;
