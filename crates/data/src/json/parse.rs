//! One flat JSON object (RFC 8259) after the other. Numbers are left as they are written, so that they are rounded by
//! the same code as those of a CSV.

/// A value of a flat object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// `null`.
    Null,
    /// A string, escapes resolved.
    String(&'a str),
    /// A number, as written.
    Number(&'a str),
    /// `true` or `false`.
    Boolean(bool),
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Position in the line.
    pub(crate) at: usize,
    /// What was found.
    pub(crate) message: String,
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
/// [`Problem`] if the line is no flat JSON object.
pub(crate) fn object(
    line: &str,
    scratch: &mut Scratch,
    mut visit: impl FnMut(&str, Value<'_>) -> Result<(), String>,
) -> Result<(), Problem> {
    let mut reader = Reader { text: line, bytes: line.as_bytes(), at: 0 };
    reader.skip_space();
    match reader.peek() {
        Some(b'{') => reader.at += 1,
        Some(b'[') => {
            let message =
                "a JSON array; JSON Lines has one object, such as {\"age\": 39, \"sex\": \"male\"}, on each line";
            return Err(reader.problem(message));
        }
        _ => return Err(reader.problem("not a JSON object; each line must be one, such as {\"age\": 39}")),
    }
    reader.skip_space();
    if reader.peek() == Some(b'}') {
        reader.at += 1;
        return reader.end();
    }
    loop {
        reader.skip_space();
        let key_at = reader.at;
        let key = reader.string(&mut scratch.key)?;
        reader.skip_space();
        reader.expect(b':', "a colon after the key")?;
        reader.skip_space();
        let value = reader.value(&mut scratch.value).map_err(|mut problem| {
            if problem.message.starts_with("nested") {
                problem.message = format!("key `{key}`: {}", problem.message);
            }
            problem
        })?;
        visit(key, value).map_err(|message| Problem { at: key_at, message })?;
        reader.skip_space();
        match reader.peek() {
            Some(b',') => reader.at += 1,
            Some(b'}') => {
                reader.at += 1;
                return reader.end();
            }
            _ => return Err(reader.problem("expected a comma or `}` after a value")),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    fn problem(&self, message: &str) -> Problem {
        Problem { at: self.at, message: message.to_owned() }
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), Problem> {
        if self.peek() != Some(byte) {
            return Err(self.problem(&format!("expected {what}")));
        }
        self.at += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        self.skip_space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.problem("something follows the object on its line")) }
    }

    fn value<'s>(&mut self, scratch: &'s mut String) -> Result<Value<'s>, Problem>
    where
        'a: 's,
    {
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.string(scratch)?)),
            Some(b'-' | b'0'..=b'9') => Ok(Value::Number(self.number()?)),
            Some(b'{' | b'[') => {
                Err(self.problem("nested values are not supported; flatten them to columns of their own"))
            }
            Some(b't') => self.word("true", Value::Boolean(true)),
            Some(b'f') => self.word("false", Value::Boolean(false)),
            Some(b'n') => self.word("null", Value::Null),
            None => Err(self.problem("the line ends before the object does")),
            _ => Err(self.problem("not a JSON value")),
        }
    }

    fn word<'s>(&mut self, word: &str, value: Value<'s>) -> Result<Value<'s>, Problem> {
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

    fn number(&mut self) -> Result<&'a str, Problem> {
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

    fn string<'s>(&mut self, scratch: &'s mut String) -> Result<&'s str, Problem>
    where
        'a: 's,
    {
        self.expect(b'"', "a string in double quotes")?;
        let start = self.at;
        let mut copied = start;
        let mut has_escapes = false;
        loop {
            let Some(found) = memchr::memchr2(b'"', b'\\', &self.bytes[self.at..]) else {
                self.at = self.bytes.len();
                return Err(self.problem("a string is not closed"));
            };
            let stop = self.at + found;
            if let Some(control) = self.bytes[self.at..stop].iter().position(|b| *b < 0x20) {
                self.at += control;
                return Err(self.problem("a control character in a string; write it as an escape such as \\t"));
            }
            self.at = stop;
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

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char, Problem> {
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

    fn hex(&mut self) -> Result<u32, Problem> {
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

    fn read(line: &str) -> Result<Vec<(String, String)>, Problem> {
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
