//! JSON (RFC 8259) that is read front to back and never held as a tree. Numbers are left as they are written, so that they
//! are rounded by the same code as those of a CSV.

use crate::number::{self, Number};

/// Values within values that are passed over at most.
const DEEPEST: usize = 64;

/// A value that is neither an object nor an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonValue<'a> {
    /// `null`.
    Null,
    /// A string, escapes resolved.
    String(&'a str),
    /// A number, as written.
    Number(&'a str),
    /// `true` or `false`.
    Boolean(bool),
}

/// What a value is, by its first character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    String,
    /// A digit or `-`.
    Number,
    /// `t` or `f`
    Boolean,
    /// `n`
    Null,
}

impl JsonKind {
    /// The kind as messages have it.
    pub fn name(self) -> &'static str {
        match self {
            JsonKind::Object => "an object",
            JsonKind::Array => "an array",
            JsonKind::String => "a string",
            JsonKind::Number => "a number",
            JsonKind::Boolean => "a boolean",
            JsonKind::Null => "null",
        }
    }
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonProblem {
    /// Position in the text, in bytes.
    pub at: usize,
    /// What was found.
    pub message: String,
}

/// Strings are resolved here when they hold escapes.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    key: String,
    value: String,
}

/// Reads one object and lends each key and value to `visit`, which may refuse a key with a message.
///
/// # Errors
/// [`JsonProblem`] if the line is no flat JSON object.
pub(crate) fn object(
    line: &str,
    scratch: &mut Scratch,
    visit: impl FnMut(&str, JsonValue<'_>) -> Result<(), String>,
) -> Result<(), JsonProblem> {
    let mut reader = JsonReader::new(line);
    match reader.kind()? {
        Some(JsonKind::Object) => {}
        Some(JsonKind::Array) => {
            let message =
                "a JSON array; JSON Lines has one object, such as {\"age\": 39, \"sex\": \"male\"}, on each line";
            return Err(reader.problem(message));
        }
        _ => return Err(reader.problem("not a JSON object; each line must be one, such as {\"age\": 39}")),
    }
    reader.flat_object(scratch, visit)?;
    reader.end("something follows the object on its line")
}

/// Reads a text from its front to its end.
#[derive(Debug, Clone)]
pub struct JsonReader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Whether NaN and Infinity, as Python writes them, are numbers.
    is_lenient: bool,
}

impl<'a> JsonReader<'a> {
    /// Begins a text.
    pub fn new(text: &'a str) -> Self {
        JsonReader { text, bytes: text.as_bytes(), at: 0, is_lenient: false }
    }

    /// Begins a text in which `NaN` is null, and `Infinity` and `-Infinity` are numbers, as Python writes them.
    pub fn lenient(text: &'a str) -> Self {
        JsonReader { is_lenient: true, ..JsonReader::new(text) }
    }

    /// Where it is, in bytes.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What was read since a place, space before it included.
    pub fn since(&self, at: usize) -> &'a str {
        &self.text[at..self.at]
    }

    /// What the next value is; nothing at the end of the text.
    ///
    /// # Errors
    /// [`JsonProblem`] if no value can begin so.
    pub fn kind(&mut self) -> Result<Option<JsonKind>, JsonProblem> {
        self.skip_space();
        Ok(Some(match self.peek() {
            None => return Ok(None),
            Some(b'{') => JsonKind::Object,
            Some(b'[') => JsonKind::Array,
            Some(b'"') => JsonKind::String,
            Some(b'-' | b'0'..=b'9') => JsonKind::Number,
            Some(b't' | b'f') => JsonKind::Boolean,
            Some(b'n') => JsonKind::Null,
            Some(b'N' | b'I') if self.is_lenient => JsonKind::Number,
            Some(b'N' | b'I') => {
                return Err(self.problem("NaN and Infinity are no JSON; write null for what is missing"));
            }
            Some(_) => return Err(self.problem("not a JSON value")),
        }))
    }

    /// Reads an object: `visit` is called after each key and its colon, and reads the value.
    ///
    /// # Errors
    /// [`JsonProblem`], as what the caller makes of it; what `visit` answers.
    pub fn object<E: From<JsonProblem>>(
        &mut self,
        key: &mut String,
        mut visit: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut has_more = self.open_object()?;
        while has_more {
            let name = self.key(key)?;
            visit(self, name)?;
            has_more = self.next_member()?;
        }
        Ok(())
    }

    /// Begins an object; returns whether it has a member.
    pub(crate) fn open_object(&mut self) -> Result<bool, JsonProblem> {
        self.skip_space();
        self.expect(b'{', "an object")?;
        self.skip_space();
        let is_empty = self.peek() == Some(b'}');
        self.at += usize::from(is_empty);
        Ok(!is_empty)
    }

    /// Reads a key and its colon, up to the value.
    pub(crate) fn key<'s>(&mut self, scratch: &'s mut String) -> Result<&'s str, JsonProblem>
    where
        'a: 's,
    {
        self.skip_space();
        let name = self.string(scratch)?;
        self.colon()?;
        Ok(name)
    }

    /// Reads a key and its colon if it is this one, in which nothing is written as an escape; else it stays where it is.
    pub(crate) fn take_key(&mut self, expected: &str) -> Result<bool, JsonProblem> {
        self.skip_space();
        let end = expected.len() + 1;
        let rest = &self.bytes[self.at..];
        if rest.get(end) != Some(&b'"') || rest[0] != b'"' || &rest[1..end] != expected.as_bytes() {
            return Ok(false);
        }
        self.at += end + 1;
        self.colon()?;
        Ok(true)
    }

    /// Goes on after a value of an object; returns whether another member follows.
    pub(crate) fn next_member(&mut self) -> Result<bool, JsonProblem> {
        self.skip_space();
        let has_more = match self.peek() {
            Some(b',') => true,
            Some(b'}') => false,
            _ => return Err(self.problem("expected a comma or `}` after a value")),
        };
        self.at += 1;
        Ok(has_more)
    }

    fn colon(&mut self) -> Result<(), JsonProblem> {
        self.skip_space();
        self.expect(b':', "a colon after the key")?;
        self.skip_space();
        Ok(())
    }

    /// Reads a short number; if the value is another, it stays where it is.
    pub(crate) fn short_number(&mut self) -> Option<Number> {
        let (number, length) = number::parse_short(&self.bytes[self.at..])?;
        let end = self.at + length;
        if !matches!(self.bytes.get(end), None | Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n')) {
            return None;
        }
        self.at = end;
        Some(number)
    }

    /// Reads an array: `visit` reads each of its values.
    ///
    /// # Errors
    /// As [`JsonReader::object`].
    pub fn array<E: From<JsonProblem>>(&mut self, mut visit: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.skip_space();
        self.expect(b'[', "an array")?;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            visit(self)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.problem("expected a comma or `]` after a value").into()),
            }
        }
    }

    /// Passes over the next value, whatever it is.
    ///
    /// # Errors
    /// [`JsonProblem`] if it is no JSON, or lies too deep.
    pub fn skip(&mut self) -> Result<(), JsonProblem> {
        self.skip_within(0, &mut String::new())
    }

    fn skip_within(&mut self, depth: usize, scratch: &mut String) -> Result<(), JsonProblem> {
        if depth > DEEPEST {
            return Err(self.problem("values lie too deep within each other"));
        }
        match self.kind()? {
            Some(JsonKind::Object) => {
                self.object(&mut String::new(), |reader, _| reader.skip_within(depth + 1, scratch))
            }
            Some(JsonKind::Array) => self.array(|reader| reader.skip_within(depth + 1, scratch)),
            _ => self.value(scratch).map(drop),
        }
    }

    /// Checks that nothing follows.
    ///
    /// # Errors
    /// [`JsonProblem`] with `message` if something does.
    pub fn end(&mut self, message: &str) -> Result<(), JsonProblem> {
        self.skip_space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.problem(message)) }
    }

    /// A problem at this place.
    pub fn problem(&self, message: &str) -> JsonProblem {
        JsonProblem { at: self.at, message: message.to_owned() }
    }

    /// Reads an object without objects and arrays in it, and lends each key and value to `visit`.
    pub(crate) fn flat_object(
        &mut self,
        scratch: &mut Scratch,
        mut visit: impl FnMut(&str, JsonValue<'_>) -> Result<(), String>,
    ) -> Result<(), JsonProblem> {
        let Scratch { key, value } = scratch;
        self.object(key, |reader, key| {
            let at = reader.at;
            let value = reader.value(value).map_err(|mut problem| {
                if problem.message.starts_with("nested") {
                    problem.message = format!("key `{key}`: {}", problem.message);
                }
                problem
            })?;
            visit(key, value).map_err(|message| JsonProblem { at, message })
        })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), JsonProblem> {
        if self.peek() != Some(byte) {
            return Err(self.problem(&format!("expected {what}")));
        }
        self.at += 1;
        Ok(())
    }

    /// Reads a value that is neither an object nor an array; strings with escapes are resolved in `scratch`.
    ///
    /// # Errors
    /// [`JsonProblem`] if it is no such value.
    pub fn value<'s>(&mut self, scratch: &'s mut String) -> Result<JsonValue<'s>, JsonProblem>
    where
        'a: 's,
    {
        match self.peek() {
            Some(b'"') => Ok(JsonValue::String(self.string(scratch)?)),
            Some(b'N') if self.is_lenient => self.word("NaN", JsonValue::Null),
            Some(b'I') if self.is_lenient => self.word("Infinity", JsonValue::Number("inf")),
            Some(b'-') if self.is_lenient && self.bytes[self.at..].starts_with(b"-I") => {
                self.word("-Infinity", JsonValue::Number("-inf"))
            }
            Some(b'-' | b'0'..=b'9') => Ok(JsonValue::Number(self.number()?)),
            Some(b'{' | b'[') => {
                Err(self.problem("nested values are not supported; flatten them to columns of their own"))
            }
            Some(b't') => self.word("true", JsonValue::Boolean(true)),
            Some(b'f') => self.word("false", JsonValue::Boolean(false)),
            Some(b'n') => self.word("null", JsonValue::Null),
            None => Err(self.problem("the text ends where a value is expected")),
            Some(b'N' | b'I') => Err(self.problem("NaN and Infinity are no JSON; write null for what is missing")),
            _ => Err(self.problem("not a JSON value")),
        }
    }

    fn word<'s>(&mut self, word: &str, value: JsonValue<'s>) -> Result<JsonValue<'s>, JsonProblem> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.problem("not a JSON value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<&'a str, JsonProblem> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let first = self.peek();
        let whole = self.digits();
        if whole == 0 || (whole > 1 && first == Some(b'0')) {
            return Err(self.problem("not a JSON number"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.problem("not a JSON number: digits must follow the point"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.problem("not a JSON number: digits must follow the exponent"));
            }
        }
        Ok(&self.text[start..self.at])
    }

    fn string<'s>(&mut self, scratch: &'s mut String) -> Result<&'s str, JsonProblem>
    where
        'a: 's,
    {
        self.expect(b'"', "a string in double quotes")?;
        let start = self.at;
        let mut copied = start;
        let mut has_escapes = false;
        loop {
            let Some(found) = self.string_stop() else {
                self.at = self.bytes.len();
                return Err(self.problem("a string is not closed"));
            };
            let stop = self.at + found;
            self.at = stop;
            if self.bytes[stop] < 0x20 {
                return Err(self.problem("a control character in a string; write it as an escape such as \\t"));
            }
            if self.bytes[stop] == b'"' {
                self.at = stop + 1;
                if !has_escapes {
                    return Ok(&self.text[start..stop]);
                }
                scratch.push_str(&self.text[copied..stop]);
                return Ok(scratch);
            }
            if !has_escapes {
                scratch.clear();
                has_escapes = true;
            }
            scratch.push_str(&self.text[copied..stop]);
            self.at = stop + 1;
            let character = self.escape()?;
            scratch.push(character);
            copied = self.at;
        }
    }

    /// How far it is to what a string cannot hold as it is: a quote, a backslash, a control character.
    fn string_stop(&self) -> Option<usize> {
        /// Bytes that are looked at one by one: most strings are short, and searching by blocks pays for long ones alone.
        const NEAR: usize = 32;
        let rest = &self.bytes[self.at..];
        let near = &rest[..rest.len().min(NEAR)];
        let is_stop = |byte: &u8| matches!(byte, b'"' | b'\\') || *byte < 0x20;
        if let Some(found) = near.iter().position(is_stop) {
            return Some(found);
        }
        let far = &rest[near.len()..];
        let found = memchr::memchr2(b'"', b'\\', far);
        let before = &far[..found.unwrap_or(far.len())];
        before.iter().position(|byte| *byte < 0x20).or(found).map(|found| near.len() + found)
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char, JsonProblem> {
        let Some(byte) = self.peek() else { return Err(self.problem("a string is not closed")) };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => byte as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex()?;
                let code = match high {
                    0xd800..=0xdbff if self.bytes[self.at..].starts_with(b"\\u") => {
                        self.at += 2;
                        let low = self.hex()?;
                        match low {
                            0xdc00..=0xdfff => 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00),
                            _ => high,
                        }
                    }
                    other => other,
                };
                char::from_u32(code).ok_or_else(|| self.problem("half of a surrogate pair is no character"))?
            }
            _ => return Err(self.problem("no such escape")),
        })
    }

    fn hex(&mut self) -> Result<u32, JsonProblem> {
        let digits = self.bytes.get(self.at..self.at + 4).and_then(|d| std::str::from_utf8(d).ok());
        let digits = digits.filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        let code = code.ok_or_else(|| self.problem("\\u must be followed by four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &str) -> Result<Vec<(String, String)>, JsonProblem> {
        let mut out = Vec::new();
        object(line, &mut Scratch::default(), |key, value| {
            out.push((key.to_owned(), format!("{value:?}")));
            Ok(())
        })?;
        Ok(out)
    }

    #[test]
    fn flat_objects_are_read() {
        let read =
            read(r#" {"a": 1.50, "b\n":"x \u00e9 \ud83d\ude00 \"q\"", "c":null,"d" : true, "e":-0e+1} "#).unwrap();
        let expected = [
            ("a", "Number(\"1.50\")"),
            ("b\n", "String(\"x é 😀 \\\"q\\\"\")"),
            ("c", "Null"),
            ("d", "Boolean(true)"),
            ("e", "Number(\"-0e+1\")"),
        ];
        assert_eq!(read, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(super::tests::read("{}").unwrap(), []);
    }

    #[test]
    fn what_is_no_flat_object_is_refused() {
        for line in [
            "",
            "1",
            "[1]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":+1}",
            "{\"a\":NaN}",
            "{\"a\":\"x}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":1} {}",
            "{'a':1}",
            "{\"a\":tru}",
            "{\"a\":\"\t\"}",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
        assert!(read("{\"a\":{\"b\":1}}").unwrap_err().message.contains("key `a`: nested"));
    }

    proptest! {
        #[test]
        fn any_text_does_no_harm(line in "[{}\\[\\]\":,0-9.eE+\\-a-z\\\\ ]{0,40}") {
            let own = read(&line);
            // serde_json is the judge of what is valid JSON.
            let other: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(&line);
            if own.is_ok() {
                prop_assert!(other.is_ok() || line.contains('e') || line.contains('E'), "{}", line);
            } else if let Ok(map) = other {
                prop_assert!(map.values().any(|v| v.is_array() || v.is_object()), "{}", line);
            }
        }
    }
}
