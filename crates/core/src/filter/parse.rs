//! From words to the tree.

use super::token::{Token, tokens};
use super::{Comparison, DEEPEST, Field, Filter, FilterError, LONGEST, Literal};

/// Reads a filter.
///
/// # Errors
/// With the place, for anything that is none; for a text above [`LONGEST`] or nested deeper than [`DEEPEST`].
pub fn parse(text: &str) -> Result<Filter, FilterError> {
    if text.len() > LONGEST {
        let message = format!("it has {} bytes; {LONGEST} are allowed", text.len());
        return Err(FilterError::new(text, 0, message));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0, depth: 0 };
    if parser.tokens.is_empty() {
        return Err(FilterError::new(text, 0, "it is empty; a condition is needed, such as metrics.roc_auc > 0.9"));
    }
    let filter = parser.or()?;
    match parser.peek() {
        None => Ok(filter),
        Some(token) => Err(parser.error(format!("`and`, `or` or the end is expected, found {}", token.shown()))),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    /// Where the next word begins.
    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.text.chars().count(), |(at, _)| *at)
    }

    fn error(&self, message: impl Into<String>) -> FilterError {
        FilterError::new(self.text, self.at(), message)
    }

    fn expected(&self, what: &str) -> FilterError {
        let found = self.peek().map_or("the end".to_owned(), Token::shown);
        self.error(format!("{what} is expected, found {found}"))
    }

    /// Whether the next word is this keyword, in any case; then it is passed.
    fn keyword(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        self.next += usize::from(is);
        is
    }

    fn sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.next += usize::from(is);
        is
    }

    fn or(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.and()?];
        while self.keyword("or") {
            parts.push(self.and()?);
        }
        Ok(one_or(parts, Filter::Or))
    }

    fn and(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.not()?];
        while self.keyword("and") {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Filter::And))
    }

    fn not(&mut self) -> Result<Filter, FilterError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(format!("it is nested more than {DEEPEST} deep")));
        }
        let filter = if self.keyword("not") {
            Filter::Not(Box::new(self.not()?))
        } else if self.sign("(") {
            let inner = self.or()?;
            if !self.sign(")") {
                return Err(self.expected("`)`"));
            }
            inner
        } else {
            self.condition()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn condition(&mut self) -> Result<Filter, FilterError> {
        let field = self.field()?;
        let negated = self.keyword("not");
        let filter = if self.keyword("like") {
            match self.literal()? {
                Literal::Text(pattern) => Filter::Like(field, pattern),
                Literal::Number(_) => {
                    self.next -= 1;
                    return Err(self.expected("a pattern in single quotes, such as 'a%',"));
                }
            }
        } else if self.keyword("in") {
            Filter::In(field, self.list()?)
        } else if negated {
            return Err(self.expected("`like` or `in`"));
        } else if self.keyword("is") {
            let not = self.keyword("not");
            if !self.keyword("null") {
                return Err(self.expected("`null`"));
            }
            let is = Filter::IsNull(field);
            if not { Filter::Not(Box::new(is)) } else { is }
        } else {
            let comparison = self.comparison()?;
            Filter::Compare(field, comparison, self.literal()?)
        };
        Ok(if negated { Filter::Not(Box::new(filter)) } else { filter })
    }

    fn field(&mut self) -> Result<Field, FilterError> {
        let at = self.at();
        let mut parts = Vec::new();
        loop {
            match self.peek() {
                Some(Token::Word(word) | Token::Quoted(word)) if !word.is_empty() => parts.push(word.clone()),
                Some(Token::Number(_) | Token::Text(_)) if parts.is_empty() => {
                    return Err(self.expected("the name of a field (it stands before the value)"));
                }
                _ => return Err(self.expected("the name of a field")),
            }
            self.next += 1;
            if !self.sign(".") {
                return Ok(Field { parts, at });
            }
        }
    }

    fn comparison(&mut self) -> Result<Comparison, FilterError> {
        let comparison = match self.peek() {
            Some(Token::Sign("=")) => Comparison::Equal,
            Some(Token::Sign("!=")) => Comparison::NotEqual,
            Some(Token::Sign("<")) => Comparison::Less,
            Some(Token::Sign("<=")) => Comparison::LessEqual,
            Some(Token::Sign(">")) => Comparison::Greater,
            Some(Token::Sign(">=")) => Comparison::GreaterEqual,
            _ => return Err(self.expected("one of =, !=, <, <=, >, >=, like, in, is")),
        };
        self.next += 1;
        Ok(comparison)
    }

    fn literal(&mut self) -> Result<Literal, FilterError> {
        let negative = self.sign("-");
        let literal = match self.peek() {
            Some(Token::Number(value)) => Literal::Number(if negative { -value } else { *value }),
            Some(Token::Text(text)) if !negative => Literal::Text(text.clone()),
            Some(Token::Word(word)) if !negative && matches!(word.as_str(), "true" | "false") => {
                Literal::Text(word.clone())
            }
            Some(Token::Word(word)) => {
                let message = format!("a value is expected, found `{word}`; texts stand in single quotes: '{word}'");
                return Err(self.error(message));
            }
            Some(Token::Quoted(word)) => {
                let message = format!("a value is expected; texts stand in single quotes: '{word}'");
                return Err(self.error(message));
            }
            _ => return Err(self.expected("a value")),
        };
        self.next += 1;
        Ok(literal)
    }

    fn list(&mut self) -> Result<Vec<Literal>, FilterError> {
        if !self.sign("(") {
            return Err(self.expected("`(`"));
        }
        let mut values = vec![self.literal()?];
        while self.sign(",") {
            values.push(self.literal()?);
        }
        if !self.sign(")") {
            return Err(self.expected("`,` or `)`"));
        }
        Ok(values)
    }
}

fn one_or(mut parts: Vec<Filter>, many: impl FnOnce(Vec<Filter>) -> Filter) -> Filter {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}
