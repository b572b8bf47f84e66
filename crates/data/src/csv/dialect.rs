//! How a CSV is written, found out from its beginning: line ends, delimiter, quote, and whether the first record names
//! the columns.

use std::collections::HashSet;
use std::ops::Range;

use crate::ReadOptions;
use crate::missing::{self, trim};
use crate::number;
use crate::part;
use crate::time::{self, Zone};

use super::walk::{Dialect, Visit, walk};

/// Records that are looked at.
const RECORDS: usize = 500;

/// Cells that are looked at, over all records.
const CELLS: usize = 1_000_000;

/// Delimiters that are tried, in the order of preference.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The first records of a file.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// Cells and whether they were quoted.
    pub(crate) records: Vec<Vec<(String, bool)>>,
    current: Vec<(String, bool)>,
    cells: usize,
    limit: usize,
    most_cells: usize,
    /// Whether a record has too many cells; nothing after it was looked at.
    pub(crate) is_too_wide: bool,
}

impl Visit for Sample {
    fn cell(&mut self, _: usize, text: &str, quoted: bool) {
        self.current.push((text.to_owned(), quoted));
        self.cells += 1;
    }

    fn most_cells(&self) -> usize {
        self.most_cells
    }

    fn cut_off(&mut self) {
        self.is_too_wide = true;
        self.current = Vec::new();
    }

    fn record(&mut self, _: usize, _: Range<usize>) -> bool {
        self.records.push(std::mem::take(&mut self.current));
        self.records.len() < self.limit && self.cells < CELLS
    }
}

/// Reads the first records, of so many cells at most. A record that the sample cuts off is left out.
pub(crate) fn sample(text: &str, is_whole: bool, dialect: Dialect, most_cells: usize) -> Sample {
    let mut sample = Sample { limit: RECORDS, most_cells, ..Sample::default() };
    walk(text, dialect, &mut sample);
    let reached_the_end = sample.records.len() < RECORDS && sample.cells < CELLS;
    if !is_whole && reached_the_end && sample.records.len() > 1 && !sample.is_too_wide {
        sample.records.pop();
    }
    sample
}

/// Finds out how a text is written; what is given stays.
pub(crate) fn detect(text: &str, is_whole: bool, options: &ReadOptions) -> Dialect {
    let ReadOptions { delimiter, quote, most_columns, .. } = *options;
    let has = |byte: u8| text.as_bytes().contains(&byte);
    let newline = if has(b'\r') && !has(b'\n') { b'\r' } else { b'\n' };
    let quote = quote.unwrap_or_else(|| if prefers_apostrophes(text, newline) { b'\'' } else { b'"' });
    let with = |delimiter| Dialect { delimiter, quote, newline };
    if let Some(delimiter) = delimiter {
        return with(delimiter);
    }
    let mut best = (with(b','), (0, 0));
    for candidate in DELIMITERS.into_iter().filter(|&d| has(d)).map(with) {
        let fit = fit(&sample(text, is_whole, candidate, most_columns));
        if fit > best.1 {
            best = (candidate, fit);
        }
    }
    best.0
}

/// How well a delimiter fits: the share of records (in thousandths) that have the usual number of cells, and that number.
fn fit(sample: &Sample) -> (usize, usize) {
    if sample.is_too_wide {
        return (0, 0);
    }
    let mut widths: Vec<usize> = sample.records.iter().map(Vec::len).collect();
    widths.sort_unstable();
    let runs = widths.chunk_by(|a, b| a == b).map(|run| (run.len(), run[0]));
    let Some((count, width)) = runs.max() else { return (0, 0) };
    if width < 2 {
        return (0, 0);
    }
    // Nearly all alike is as good as all alike: a ragged row should not hand a table to a stray semicolon.
    let share = count * 1000 / widths.len();
    (if share >= 900 { 1000 } else { share }, width)
}

/// Whether cells are enclosed in `'`: some are, with a delimiter or a letter inside, and none in `"`.
fn prefers_apostrophes(text: &str, newline: u8) -> bool {
    let bytes = text.as_bytes();
    if bytes.contains(&b'"') || !bytes.contains(&b'\'') {
        return false;
    }
    let edge = |b: Option<&u8>| b.is_none_or(|b| DELIMITERS.contains(b) || *b == newline || *b == b'\r');
    let marks: Vec<usize> = memchr::memchr_iter(b'\'', bytes).take(2000).collect();
    let opening = marks.iter().filter(|&&i| edge(i.checked_sub(1).map(|p| &bytes[p]))).count();
    let closing = marks.iter().filter(|&&i| edge(bytes.get(i + 1))).count();
    // A cut-off sample may lack one closing mark.
    opening >= 2 && closing + 1 >= opening && 10 * (opening + closing) >= 9 * marks.len()
}

/// What a cell looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Missing,
    Number,
    Boolean,
    Time,
    Text,
}

fn look(cell: &str) -> Look {
    let text = trim(cell);
    let bytes = text.as_bytes();
    if text.is_empty() || missing::is_token(bytes) {
        Look::Missing
    } else if number::parse(bytes).is_some() {
        Look::Number
    } else if part::boolean(text).is_some() {
        Look::Boolean
    } else if time::parse(bytes, &Zone::Utc).is_some() {
        Look::Time
    } else {
        Look::Text
    }
}

/// Whether the first record names the columns. Columns vote: one whose cells are all numbers (or booleans, or times)
/// votes for a header if its first cell is text, and against one if that is of the same sort. Where no column is typed,
/// a first record whose cells come again below is data.
pub(crate) fn has_header(sample: &Sample) -> bool {
    let Some((first, rest)) = sample.records.split_first() else { return true };
    if rest.is_empty() {
        return !first.iter().all(|(cell, _)| matches!(look(cell), Look::Number | Look::Time | Look::Missing));
    }
    let (mut header, mut data, mut repeated) = (0, 0, 0);
    for (column, (name, _)) in first.iter().enumerate() {
        let cells = || rest.iter().filter_map(|r| r.get(column)).map(|(cell, _)| cell.as_str());
        let mut looks = cells().map(look).filter(|l| *l != Look::Missing);
        let typed = looks.next().filter(|l| *l != Look::Text && looks.all(|other| other == *l));
        match (look(name), typed) {
            (Look::Missing, _) => {}
            (Look::Text, Some(_)) => header += 1,
            (own, Some(other)) if own == other => data += 1,
            (Look::Text, None) => {
                let known: HashSet<&str> = cells().collect();
                repeated += usize::from(known.contains(name.as_str()));
            }
            _ => {}
        }
    }
    if header == 0 && data == 0 { 2 * repeated <= first.len() } else { header >= data }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Dialect {
        detect(text, true, &ReadOptions::default())
    }

    fn header(text: &str) -> bool {
        has_header(&sample(text, true, found(text), usize::MAX))
    }

    #[test]
    fn delimiters_are_found() {
        assert_eq!(found("a,b\n1,2\n").delimiter, b',');
        assert_eq!(found("a;b\n1,5;2,5\n2,5;3,5\n").delimiter, b';');
        assert_eq!(found("a\tb\n1, x\t2\n").delimiter, b'\t');
        assert_eq!(found("a|b|c\n1|2|3\n").delimiter, b'|');
        assert_eq!(found("only\n1\n2\n").delimiter, b',');
        assert_eq!(found("name,note\n\"a;b\",\"c;d;e\"\nx,y;z\n").delimiter, b',');
        assert_eq!(found("a,b\r1,2\r").newline, b'\r');
    }

    #[test]
    fn a_ragged_row_does_not_change_the_delimiter() {
        let mut text = "a,b,c\n".to_owned();
        text.extend((0..40).map(|i| format!("{i},x;y,z;w\n")));
        text.push_str("1,2\n");
        assert_eq!(found(&text).delimiter, b',');
    }

    #[test]
    fn apostrophes_enclose_where_they_do() {
        assert_eq!(found("'a','b'\n'x, y','z'\n").quote, b'\'');
        assert_eq!(found("a,b\nit's,Jones'\nthat's,ok\n").quote, b'"');
        assert_eq!(found("a,b\n\"x\",'y'\n").quote, b'"');
    }

    #[test]
    fn headers_are_told_from_data() {
        assert!(header("age,income\n39,1000.5\n50,2000\n"));
        assert!(!header("39,1000.5\n50,2000\n"));
        assert!(!header("5.1,3.5,setosa\n4.9,3.0,setosa\n"));
        assert!(header("name,city\nann,rome\nbob,paris\n"));
        assert!(!header("male,rome\nfemale,rome\nmale,rome\n"));
        assert!(header("2019,2020,name\n1.5,2,a\n1,2,b\n".replace("2019,2020", "x2019,x2020").as_str()));
        assert!(header("a,b\n"));
        assert!(!header("1,2\n"));
        assert!(header("when,what\n2024-01-05,a\n2024-01-06,b\n"));
        assert!(!header("2024-01-04,a\n2024-01-05,a\n"));
    }
}
