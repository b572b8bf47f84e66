//! Bytes of a text file to UTF-8: unpacks, finds the encoding, decodes. It does not check UTF-8 itself, so that the
//! workers that parse can do it in parallel.

use std::io::{Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use tabwright_core::suggest;

use crate::error::{Place, Position};
use crate::format::foreign;
use crate::input::Content;
use crate::{Error, Input, Result};

/// Bytes that are looked at to find the encoding.
const HEAD: usize = 4096;

/// Raw bytes that are decoded at a time.
const CHUNK: usize = 256 * 1024;

/// Which encoding to assume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// By byte order mark, else by the look of the bytes, else UTF-8.
    Detect,
    /// This one; bytes that it does not allow are an error.
    Fixed(&'static Encoding),
}

impl Choice {
    /// Finds an encoding by name.
    ///
    /// # Errors
    /// [`Error::Usage`] for a name that is none.
    pub(crate) fn named(name: Option<&str>) -> Result<Self> {
        let Some(name) = name else { return Ok(Choice::Detect) };
        let lower = name.trim().to_ascii_lowercase().replace('_', "-");
        if matches!(lower.as_str(), "ascii" | "us-ascii") {
            return Ok(Choice::Fixed(UTF_8));
        }
        let tight = lower.replace('-', "");
        let found = [lower.as_str(), tight.as_str()].into_iter().find_map(|l| Encoding::for_label(l.as_bytes()));
        let found = found.or(match tight.as_str() {
            "utf16le" => Some(UTF_16LE),
            "utf16be" => Some(UTF_16BE),
            _ => None,
        });
        found.filter(|e| *e != encoding_rs::REPLACEMENT).map(Choice::Fixed).ok_or_else(|| {
            let usual = ["utf-8", "utf-16", "utf-16le", "utf-16be", "latin1", "windows-1252", "shift_jis", "gbk"];
            let hint = suggest::did_you_mean(name, usual);
            Error::Usage(format!("unknown encoding `{name}`{hint}; such as: {}", usual.join(", ")))
        })
    }

    /// The encoding that is taken when none was asked for and the bytes are not UTF-8.
    pub(crate) fn fallback() -> Self {
        Choice::Fixed(WINDOWS_1252)
    }
}

/// The content of a text file as UTF-8.
pub(crate) struct TextSource {
    name: String,
    reader: Box<dyn Read + Send>,
    encoding: &'static Encoding,
    decoder: Option<Decoder>,
    /// Unpacked bytes taken, a byte order mark included.
    consumed: u64,
    /// Bytes taken from the disk, where the file is packed.
    taken: Option<Arc<AtomicU64>>,
    lines: u64,
    ended: bool,
}

impl std::fmt::Debug for TextSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextSource").field("name", &self.name).field("encoding", &self.encoding.name()).finish()
    }
}

impl TextSource {
    /// Opens a file and finds its encoding.
    ///
    /// # Errors
    /// If it cannot be opened, is empty, or is plainly no text.
    pub(crate) fn open(input: &Input, choice: Choice) -> Result<Self> {
        let Content { mut reader, taken } = input.open_bytes()?;
        let mut head = Vec::with_capacity(HEAD);
        (&mut reader).take(HEAD as u64).read_to_end(&mut head).map_err(|e| unpack_error(input.name(), e))?;
        if head.is_empty() {
            return Err(Error::unreadable(
                Place::file(input.name()),
                "the file is empty; a header and rows are needed",
            ));
        }
        if let Some(what) = foreign(&head) {
            return Err(Error::unreadable(Place::file(input.name()), format!("this is not text but {what}")));
        }
        let (encoding, mark) = detect(&head, choice);
        if encoding == UTF_8 || encoding == WINDOWS_1252 {
            refuse_binary(input.name(), &head)?;
        }
        let consumed = mark as u64;
        let rest = Cursor::new(head.split_off(mark));
        Ok(TextSource {
            name: input.name().to_owned(),
            reader: Box::new(rest.chain(reader)),
            encoding,
            decoder: (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling()),
            consumed,
            taken,
            lines: 0,
            ended: false,
        })
    }

    /// The name of the encoding.
    pub(crate) fn encoding(&self) -> &'static str {
        self.encoding.name()
    }

    /// Bytes taken from the disk so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.as_ref().map_or(self.consumed, |taken| taken.load(Ordering::Relaxed))
    }

    /// Unpacked bytes taken so far; for UTF-8 the offset of what comes next.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Appends about `wanted` bytes of text; returns whether there may be more.
    ///
    /// # Errors
    /// If reading or unpacking fails, or if the bytes are not what the encoding allows (other than UTF-8).
    pub(crate) fn fill(&mut self, out: &mut Vec<u8>, wanted: usize) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.decoder.is_some() {
            return self.fill_decoded(out, wanted);
        }
        out.reserve(wanted + 64);
        let read = (&mut self.reader).take(wanted as u64).read_to_end(out).map_err(|e| unpack_error(&self.name, e))?;
        self.consumed += read as u64;
        self.ended = read < wanted;
        Ok(!self.ended)
    }

    fn fill_decoded(&mut self, out: &mut Vec<u8>, wanted: usize) -> Result<bool> {
        let decoder = self.decoder.as_mut().expect("invariant: only called with a decoder");
        let start = out.len();
        let mut raw = Vec::with_capacity(CHUNK);
        while out.len() - start < wanted && !self.ended {
            raw.clear();
            let read =
                (&mut self.reader).take(CHUNK as u64).read_to_end(&mut raw).map_err(|e| unpack_error(&self.name, e))?;
            self.ended = read < CHUNK;
            let most = decoder.max_utf8_buffer_length_without_replacement(read).unwrap_or(4 * read + 16);
            let mut text = vec![0; most];
            let (result, taken, written) = decoder.decode_to_utf8_without_replacement(&raw, &mut text, self.ended);
            if let DecoderResult::Malformed(bad, after) = result {
                let lines = self.lines + text[..written].iter().filter(|b| **b == b'\n').count() as u64;
                return Err(Error::Encoding {
                    place: Place { file: self.name.clone(), position: Some(Position::Line(lines + 1)), column: None },
                    offset: (self.consumed + taken as u64).saturating_sub(u64::from(bad) + u64::from(after)),
                    encoding: self.encoding.name().to_owned(),
                });
            }
            self.consumed += read as u64;
            self.lines += memchr::memchr_iter(b'\n', &text[..written]).count() as u64;
            out.extend_from_slice(&text[..written]);
        }
        Ok(!self.ended)
    }
}

/// The encoding, and the length of the byte order mark.
fn detect(head: &[u8], choice: Choice) -> (&'static Encoding, usize) {
    let mark = Encoding::for_bom(head);
    match choice {
        Choice::Detect => mark.unwrap_or_else(|| (guess_utf16(head).unwrap_or(UTF_8), 0)),
        Choice::Fixed(asked) => match mark {
            Some((found, length)) if found == asked => (asked, length),
            // "UTF-16" leaves the byte order to the mark.
            Some((found, length)) if asked == UTF_16LE && found == UTF_16BE => (found, length),
            _ => (asked, 0),
        },
    }
}

/// Text of mostly ASCII letters in UTF-16 has a zero in every other byte.
fn guess_utf16(head: &[u8]) -> Option<&'static Encoding> {
    let pairs = head.len() / 2;
    let zeros = |offset: usize| head.chunks_exact(2).filter(|pair| pair[offset] == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    if pairs < 2 {
        None
    } else if odd * 2 > pairs && even * 20 < pairs {
        Some(UTF_16LE)
    } else if even * 2 > pairs && odd * 20 < pairs {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Refuses a file whose beginning holds bytes that no text has.
fn refuse_binary(name: &str, head: &[u8]) -> Result<()> {
    let is_control = |b: &u8| matches!(b, 0..=8 | 14..=26 | 28..=31);
    let controls = head.iter().filter(|b| is_control(b)).count();
    // One in a text is told later, with its line.
    if controls >= 4 && controls * 50 > head.len() {
        let message = "this looks like binary data, not like text; expected CSV, JSON Lines, Parquet or Arrow";
        return Err(Error::unreadable(Place::file(name), message));
    }
    Ok(())
}

fn unpack_error(name: &str, source: std::io::Error) -> Error {
    let what = match source.kind() {
        std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => {
            "the compressed file is cut off or damaged"
        }
        _ => "cannot be read",
    };
    Error::io(name, what, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_found_by_their_usual_names() {
        for (name, expected) in [
            ("latin1", WINDOWS_1252),
            ("Latin-1", WINDOWS_1252),
            ("ISO-8859-1", WINDOWS_1252),
            ("cp1252", WINDOWS_1252),
            ("UTF8", UTF_8),
            ("utf-16", UTF_16LE),
            ("utf_16_be", UTF_16BE),
        ] {
            assert_eq!(Choice::named(Some(name)).unwrap(), Choice::Fixed(expected), "{name}");
        }
        let error = Choice::named(Some("latin11")).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains("did you mean `latin1`?"), "{error}");
    }

    #[test]
    fn utf16_without_a_mark_is_recognised() {
        let le: Vec<u8> = "a,b\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = "a,b\n1,2\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(detect(&le, Choice::Detect), (UTF_16LE, 0));
        assert_eq!(detect(&be, Choice::Detect), (UTF_16BE, 0));
        assert_eq!(detect(b"a,b\n1,2\n", Choice::Detect), (UTF_8, 0));
        assert_eq!(detect(b"\xef\xbb\xbfa", Choice::Detect), (UTF_8, 3));
        assert_eq!(detect(b"\xfe\xff\0a", Choice::Fixed(UTF_16LE)), (UTF_16BE, 2));
    }
}
