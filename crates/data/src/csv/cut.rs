//! Cuts a text file into pieces that end with a record, reading it once from front to back. Quoted cells may hold line
//! ends, so the quotes are followed; everything else is left to whoever parses the pieces, in parallel.

use memchr::{memchr, memchr2, memrchr};

use crate::decode::TextSource;
use crate::error::Place;
use crate::{Error, Result};

use super::walk::Dialect;

/// A record may not be longer than this (bytes): beyond, a quote was surely left open.
const LONGEST_RECORD: usize = 1 << 30;

/// Bytes that are read at a time when records are counted.
const READ_AHEAD: usize = 1 << 18;

/// Some whole records of a file.
#[derive(Debug)]
pub(crate) struct TextPiece {
    /// Which file.
    pub(crate) file: usize,
    /// The bytes, not yet checked to be UTF-8.
    pub(crate) bytes: Vec<u8>,
    /// Bytes of the file before this piece (exact for UTF-8).
    pub(crate) offset: u64,
    /// Whether the piece begins the file.
    pub(crate) is_first: bool,
    /// Where a quote was opened that the file never closes.
    pub(crate) unclosed: Option<usize>,
}

/// Follows the quotes of a text.
#[derive(Debug, Default, Clone, Copy)]
struct Scan {
    /// Up to here the bytes were looked at.
    at: usize,
    /// Position of the quote that is open.
    open: Option<usize>,
    /// Outside of quotes, from here on line ends were not yet looked for.
    segment: usize,
    /// End of the last whole record.
    record_end: usize,
}

impl Scan {
    fn advance(&mut self, text: &[u8], dialect: Dialect) {
        loop {
            let quote = memchr(dialect.quote, &text[self.at..]).map(|p| self.at + p);
            match (self.open, quote) {
                (Some(_), None) => {
                    self.at = text.len();
                    return;
                }
                (Some(_), Some(at)) if at + 1 == text.len() => {
                    // Whether it closes the cell depends on the next byte.
                    self.at = at;
                    return;
                }
                (Some(_), Some(at)) if text[at + 1] == dialect.quote => self.at = at + 2,
                (Some(_), Some(at)) => {
                    self.open = None;
                    self.at = at + 1;
                    self.segment = at + 1;
                }
                (None, None) => {
                    self.mark_line_end(text, text.len(), dialect);
                    self.at = text.len();
                    self.segment = text.len();
                    return;
                }
                (None, Some(at)) => {
                    if dialect.opens(text, at) {
                        self.mark_line_end(text, at, dialect);
                        self.open = Some(at);
                    }
                    self.at = at + 1;
                }
            }
        }
    }

    fn mark_line_end(&mut self, text: &[u8], until: usize, dialect: Dialect) {
        if let Some(at) = memrchr(dialect.newline, &text[self.segment..until]) {
            self.record_end = self.segment + at + 1;
        }
    }

    /// The quote that is open where the text ends for good.
    fn unclosed(&self, text: &[u8], dialect: Dialect) -> Option<usize> {
        let closes_at_the_end = self.at + 1 == text.len() && text.last() == Some(&dialect.quote);
        self.open.filter(|&open| !(closes_at_the_end && self.at > open))
    }
}

/// Cuts one file into pieces.
#[derive(Debug)]
pub(crate) struct Cutter {
    source: TextSource,
    dialect: Dialect,
    file: usize,
    name: String,
    /// Text that is not yet handed out; begins with a record.
    buffer: Vec<u8>,
    /// Bytes at the front of the buffer that are handed out already.
    start: usize,
    more: bool,
    handed_out: u64,
    is_first: bool,
}

impl Cutter {
    /// Begins a file.
    pub(crate) fn new(source: TextSource, dialect: Dialect, (file, name): (usize, &str)) -> Self {
        let handed_out = source.consumed();
        let (buffer, start, more, is_first) = (Vec::new(), 0, true, true);
        Cutter { source, dialect, file, name: name.to_owned(), buffer, start, more, handed_out, is_first }
    }

    /// Bytes taken from the disk so far.
    pub(crate) fn taken(&self) -> u64 {
        self.source.taken()
    }

    /// The next piece of about so many bytes.
    ///
    /// # Errors
    /// From reading, or if a record never ends.
    pub(crate) fn next_by_size(&mut self, size: usize) -> Result<Option<TextPiece>> {
        let mut scan = Scan::default();
        let mut wanted = size.saturating_sub(self.buffer.len()).max(1);
        loop {
            if self.more {
                self.more = self.source.fill(&mut self.buffer, wanted)?;
            }
            if !self.more {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                scan.advance(&self.buffer, self.dialect);
                let unclosed = scan.unclosed(&self.buffer, self.dialect);
                return Ok(Some(self.piece(std::mem::take, unclosed)));
            }
            scan.advance(&self.buffer, self.dialect);
            if scan.record_end > 0 {
                let cut = |bytes: &mut Vec<u8>| {
                    let rest = bytes.split_off(scan.record_end);
                    std::mem::replace(bytes, rest)
                };
                return Ok(Some(self.piece(cut, None)));
            }
            self.refuse_endless(self.buffer.len())?;
            wanted = size.max(self.buffer.len());
        }
    }

    /// The next piece of up to so many records, blank lines not counted, that ends with the record that reaches so many bytes.
    ///
    /// # Errors
    /// As [`Cutter::next_by_size`].
    pub(crate) fn next_by_records(&mut self, records: usize, bytes: usize) -> Result<Option<TextPiece>> {
        let mut ends = 0;
        let mut at = self.start;
        let mut unclosed = None;
        while ends < records && (ends == 0 || at - self.start < bytes) {
            match self.record_end(at)? {
                End::Record(end) => {
                    let is_blank = self.buffer[at..end].iter().all(u8::is_ascii_whitespace);
                    ends += usize::from(!is_blank);
                    at = end;
                }
                End::File(open) => {
                    unclosed = open;
                    at = self.buffer.len();
                    break;
                }
            }
        }
        if at == self.start {
            return Ok(None);
        }
        let start = self.start;
        self.start = at;
        let piece = self.piece(|bytes| bytes[start..at].to_vec(), unclosed.map(|p: usize| p - start));
        Ok(Some(piece))
    }

    fn piece(&mut self, take: impl FnOnce(&mut Vec<u8>) -> Vec<u8>, unclosed: Option<usize>) -> TextPiece {
        let bytes = take(&mut self.buffer);
        let offset = self.handed_out;
        self.handed_out += bytes.len() as u64;
        let is_first = std::mem::take(&mut self.is_first);
        TextPiece { file: self.file, bytes, offset, is_first, unclosed }
    }

    /// Finds the end of the record that begins at a position of the buffer, reading on where needed. May move the
    /// buffer's content only when the record begins at its start.
    fn record_end(&mut self, begin: usize) -> Result<End> {
        let mut at = begin;
        let mut open = None;
        loop {
            let found = match open {
                Some(_) => memchr(self.dialect.quote, &self.buffer[at..]),
                None => memchr2(self.dialect.quote, self.dialect.newline, &self.buffer[at..]),
            };
            match found.map(|p| at + p) {
                Some(p) if open.is_some() => match self.buffer.get(p + 1) {
                    Some(&next) if next == self.dialect.quote => at = p + 2,
                    Some(_) => (open, at) = (None, p + 1),
                    None if self.more => {
                        at = p;
                        self.read_on()?;
                    }
                    None => return Ok(End::File(None)),
                },
                Some(p) if self.buffer[p] == self.dialect.newline => return Ok(End::Record(p + 1)),
                Some(p) => {
                    if self.dialect.opens(&self.buffer[begin..], p - begin) {
                        open = Some(p);
                    }
                    at = p + 1;
                }
                None if self.more => {
                    at = self.buffer.len();
                    self.refuse_endless(at - begin)?;
                    self.read_on()?;
                }
                None => return Ok(End::File(open)),
            }
        }
    }

    fn read_on(&mut self) -> Result<()> {
        self.more = self.source.fill(&mut self.buffer, READ_AHEAD)?;
        Ok(())
    }

    /// Drops what was handed out. Positions into the buffer are void after it.
    pub(crate) fn compact(&mut self) {
        if self.start > READ_AHEAD {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }

    fn refuse_endless(&self, length: usize) -> Result<()> {
        if length <= LONGEST_RECORD {
            return Ok(());
        }
        let message = format!(
            "a record does not end within {} MB; is a quote left open, or is this no CSV?",
            LONGEST_RECORD >> 20
        );
        Err(Error::unreadable(Place::file(&self.name), message))
    }
}

enum End {
    /// A record ends before this position.
    Record(usize),
    /// The file ends; the quote that is open there.
    File(Option<usize>),
}
