//! One line for each event, whatever its fields hold: texts of callers must not look like events of their own, nor steer a
//! terminal.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

/// Writes each event on one line. JSON does so by itself.
#[derive(Debug, Clone)]
pub(super) struct OneLine<W> {
    inner: W,
    /// Whether the formatter paints: then colours pass, and nothing else that a terminal would obey.
    colours: bool,
}

impl<W> OneLine<W> {
    pub(super) fn new(inner: W, colours: bool) -> Self {
        OneLine { inner, colours }
    }

    /// Whether the first character of a text is shown as an escape.
    fn is_hidden(&self, text: &str) -> bool {
        let first = text.chars().next();
        first.is_some_and(|c| c.is_control() && c != '\t') && !(self.colours && is_colour(text))
    }
}

/// Whether a text begins with what sets a colour or a style: ESC, `[`, numbers, `m` (ECMA-48, SGR).
fn is_colour(text: &str) -> bool {
    let numbers =
        text.strip_prefix("\x1b[").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
    numbers.is_some_and(|rest| rest.starts_with('m'))
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for OneLine<M> {
    type Writer = OneLine<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine::new(self.inner.make_writer(), self.colours)
    }
}

impl<W: Write> Write for OneLine<W> {
    /// Takes a whole event, with the end of its line.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        if !line.char_indices().any(|(at, _)| self.is_hidden(&line[at..])) {
            return self.inner.write_all(event).map(|()| event.len());
        }
        let mut shown = String::with_capacity(event.len() + 16);
        for (at, c) in line.char_indices() {
            match self.is_hidden(&line[at..]) {
                true => shown.extend(c.escape_default()),
                false => shown.push(c),
            }
        }
        shown.push('\n');
        self.inner.write_all(shown.as_bytes()).map(|()| event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, colours: bool) -> String {
        let mut out = OneLine::new(Vec::new(), colours);
        assert_eq!(out.write(text.as_bytes()).unwrap(), text.len());
        String::from_utf8(out.inner).unwrap()
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        assert_eq!(written("plain: ü\ta\n", false), "plain: ü\ta\n");
        assert_eq!(written("a\nINFO forged\r\u{85}\x1b[31m\n", false), "a\\nINFO forged\\r\\u{85}\\u{1b}[31m\n");
        assert_eq!(written("\x1b[1;32mINFO\x1b[0m a\nb\n", true), "\x1b[1;32mINFO\x1b[0m a\\nb\n");
        assert_eq!(written("a\x1b[2Jb\x1b]0;title\x07\n", true), "a\\u{1b}[2Jb\\u{1b}]0;title\\u{7}\n");
    }
}
