//! Text to records and cells. Lenient where a meaning is plain: blank lines are skipped, a quote inside of an unquoted
//! cell is a character like any other, text behind a closing quote belongs to the cell.

use std::ops::Range;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// What separates cells.
    pub(crate) delimiter: u8,
    /// What encloses cells; doubled inside of one.
    pub(crate) quote: u8,
    /// What ends a line: `\n` (with or without `\r` before it), or `\r` alone.
    pub(crate) newline: u8,
}

impl Dialect {
    /// White space around cells that is no part of them. The delimiter is none.
    #[inline]
    fn is_padding(self, byte: u8) -> bool {
        matches!(byte, b' ' | b'\t' | b'\r') && byte != self.delimiter && byte != self.newline
    }

    /// Whether a quote at this position opens a quoted cell. The text begins with a record.
    #[inline]
    pub(crate) fn opens(self, text: &[u8], at: usize) -> bool {
        let before = text[..at].iter().rposition(|&b| !self.is_padding(b));
        before.is_none_or(|p| text[p] == self.delimiter || text[p] == self.newline)
    }
}

/// Takes the cells of a walk.
pub(crate) trait Visit {
    /// Takes a cell, the first of a record having column 0. Unquoted ones are trimmed.
    fn cell(&mut self, column: usize, text: &str, quoted: bool);

    /// Cells of a record that are taken, at most. The walk ends in a record with more, which is told by [`Visit::cut_off`].
    fn most_cells(&self) -> usize {
        usize::MAX
    }

    /// Hears that the walk has ended in a record with too many cells.
    fn cut_off(&mut self) {}

    /// Ends a record that had so many cells and lies there in the text; returns whether to go on.
    fn record(&mut self, cells: usize, range: Range<usize>) -> bool;
}

/// Walks over text that begins with a record.
pub(crate) fn walk(text: &str, dialect: Dialect, visit: &mut impl Visit) {
    let bytes = text.as_bytes();
    let mut scratch = String::new();
    let most_cells = visit.most_cells();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let mut cells = 0;
        loop {
            let content = skip_padding(bytes, at, dialect);
            if cells == 0 && (content == bytes.len() || bytes[content] == dialect.newline) {
                at = content;
                break;
            }
            if cells == most_cells {
                return visit.cut_off();
            }
            at = if content < bytes.len() && bytes[content] == dialect.quote {
                let (cell, end) = quoted_cell(text, content, dialect, &mut scratch);
                visit.cell(cells, cell, true);
                end
            } else {
                let end = cell_end(bytes, content, dialect);
                visit.cell(cells, &text[content..trimmed_end(bytes, content, end, dialect)], false);
                end
            };
            cells += 1;
            if at < bytes.len() && bytes[at] == dialect.delimiter {
                at += 1;
            } else {
                break;
            }
        }
        let end = at;
        at += 1;
        if cells > 0 && !visit.record(cells, start..end) {
            return;
        }
    }
}

#[inline]
fn skip_padding(bytes: &[u8], mut at: usize, dialect: Dialect) -> usize {
    while at < bytes.len() && bytes[at] <= b' ' && dialect.is_padding(bytes[at]) {
        at += 1;
    }
    at
}

#[inline]
fn trimmed_end(bytes: &[u8], start: usize, mut end: usize, dialect: Dialect) -> usize {
    while end > start && bytes[end - 1] <= b' ' && dialect.is_padding(bytes[end - 1]) {
        end -= 1;
    }
    end
}

/// The position of the next delimiter or line end, eight bytes at a time.
#[inline]
fn cell_end(bytes: &[u8], mut at: usize, dialect: Dialect) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero_bytes = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
    let delimiters = ONES * u64::from(dialect.delimiter);
    let newlines = ONES * u64::from(dialect.newline);
    while let Some(chunk) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("invariant: the slice has eight bytes"));
        // The lowest mark is exact; a borrow can only set false ones above it.
        let marks = zero_bytes(word ^ delimiters) | zero_bytes(word ^ newlines);
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes[at..].iter().position(|&b| b == dialect.delimiter || b == dialect.newline);
    rest.map_or(bytes.len(), |p| at + p)
}

/// Reads a quoted cell whose opening quote stands at `open`; returns it and the position of what ends it. A cell that is
/// never closed ends with the text.
fn quoted_cell<'a>(text: &'a str, open: usize, dialect: Dialect, scratch: &'a mut String) -> (&'a str, usize) {
    let bytes = text.as_bytes();
    let start = open + 1;
    let closing = |from: usize| memchr::memchr(dialect.quote, &bytes[from..]).map(|p| from + p);
    let Some(first) = closing(start) else { return (&text[start..], bytes.len()) };
    let mut close = first;
    let is_doubled = |at: usize| bytes.get(at + 1) == Some(&dialect.quote);
    if is_doubled(close) {
        scratch.clear();
        let mut from = start;
        loop {
            scratch.push_str(&text[from..close]);
            if !is_doubled(close) {
                break;
            }
            scratch.push(dialect.quote as char);
            from = close + 2;
            match closing(from) {
                Some(next) => close = next,
                None => {
                    scratch.push_str(&text[from..]);
                    return (scratch, bytes.len());
                }
            }
        }
    }
    let rest = skip_padding(bytes, close + 1, dialect);
    let end = cell_end(bytes, rest, dialect);
    if end == rest {
        let cell = if close == first { &text[start..close] } else { scratch.as_str() };
        return (cell, end);
    }
    if close == first {
        scratch.clear();
        scratch.push_str(&text[start..close]);
    }
    scratch.push_str(&text[close + 1..trimmed_end(bytes, close + 1, end, dialect)]);
    (scratch, end)
}

/// The line (from 1) on which a position lies.
pub(crate) fn line_of(text: &str, position: usize, dialect: Dialect) -> u64 {
    1 + memchr::memchr_iter(dialect.newline, &text.as_bytes()[..position]).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Dialect = Dialect { delimiter: b',', quote: b'"', newline: b'\n' };

    #[derive(Default)]
    struct Collect {
        records: Vec<Vec<(String, bool)>>,
        current: Vec<(String, bool)>,
        ranges: Vec<Range<usize>>,
    }

    impl Visit for Collect {
        fn cell(&mut self, column: usize, text: &str, quoted: bool) {
            assert_eq!(column, self.current.len());
            self.current.push((text.to_owned(), quoted));
        }

        fn record(&mut self, cells: usize, range: Range<usize>) -> bool {
            assert_eq!(cells, self.current.len());
            self.records.push(std::mem::take(&mut self.current));
            self.ranges.push(range);
            true
        }
    }

    fn cells(text: &str) -> Vec<Vec<String>> {
        let mut collect = Collect::default();
        walk(text, COMMA, &mut collect);
        collect.records.into_iter().map(|r| r.into_iter().map(|(t, _)| t).collect()).collect()
    }

    #[test]
    fn cells_are_taken_apart() {
        assert_eq!(cells("a,b\n1,2\n"), [["a", "b"], ["1", "2"]]);
        assert_eq!(cells("a,b\r\n1,2"), [["a", "b"], ["1", "2"]]);
        assert_eq!(cells(" a ,\tb \n"), [["a", "b"]]);
        assert_eq!(cells("\"x, y\",\"say \"\"hi\"\"\"\n"), [["x, y", "say \"hi\""]]);
        assert_eq!(cells("\"two\nlines\", \" kept \" \n"), [["two\nlines", " kept "]]);
        assert_eq!(cells("5\" pipe,\"a\"b,\"\"\n"), [["5\" pipe", "ab", ""]]);
        assert_eq!(cells("\"a\"\"\" x,b\n"), [["a\" x", "b"]]);
        assert_eq!(cells("a,,\n,\n"), [vec!["a", "", ""], vec!["", ""]]);
        assert_eq!(cells("\n \r\n\t\na,b\n\n\n"), [["a", "b"]]);
        assert_eq!(cells("größe,北京市市市市\n"), [["größe", "北京市市市市"]]);
        assert_eq!(cells("\"open"), [["open"]]);
        assert_eq!(cells("\"open\"\""), [["open\""]]);
    }

    #[test]
    fn records_know_where_they_lie() {
        let text = "a,b\n\n\"x\ny\",2\nlast";
        let mut collect = Collect::default();
        walk(text, COMMA, &mut collect);
        let raw: Vec<&str> = collect.ranges.iter().map(|r| &text[r.clone()]).collect();
        assert_eq!(raw, ["a,b", "\"x\ny\",2", "last"]);
        assert_eq!(line_of(text, collect.ranges[2].start, COMMA), 5);
    }

    #[test]
    fn old_macintosh_line_ends_are_understood() {
        let mut collect = Collect::default();
        walk("a,b\r1,2\r", Dialect { newline: b'\r', ..COMMA }, &mut collect);
        assert_eq!(collect.records.len(), 2);
    }

    #[test]
    fn tabs_delimit_where_they_are_the_delimiter() {
        let mut collect = Collect::default();
        walk("a\t\tb\n\t1\t\n", Dialect { delimiter: b'\t', ..COMMA }, &mut collect);
        let texts: Vec<Vec<&str>> =
            collect.records.iter().map(|r| r.iter().map(|(t, _)| t.as_str()).collect()).collect();
        assert_eq!(texts, [["a", "", "b"], ["", "1", ""]]);
    }
}
