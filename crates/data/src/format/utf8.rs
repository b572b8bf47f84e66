//! A text in another encoding as UTF-8, for those who hand it on to what reads UTF-8 alone.

use encoding_rs::UTF_8;

use crate::decode::{Choice, TextSource};
use crate::{Input, Result};

/// Bytes of text that are made at a time.
const CHUNK: usize = 256 * 1024;

/// Pieces of a text.
type Pieces = Box<dyn Iterator<Item = Result<Vec<u8>>> + Send>;

impl Input {
    /// The name of the encoding of a text that is not UTF-8, and its content as UTF-8: unpacked, in pieces. Nothing where it is
    /// UTF-8 as it lies. `encoding` is one by its usual name; absent, it is found as [`open_stream`](crate::open_stream) does.
    ///
    /// # Errors
    /// For an encoding that is none, and if the text cannot be read. Bytes that the encoding does not allow end the pieces with an
    /// error.
    pub fn decoded(&self, encoding: Option<&str>) -> Result<Option<(&'static str, Pieces)>> {
        let asked = Choice::named(encoding)?;
        let mut source = TextSource::open(self, asked)?;
        if source.encoding() == UTF_8.name() {
            if asked != Choice::Detect || self.is_utf8()? {
                return Ok(None);
            }
            source = TextSource::open(self, Choice::fallback())?;
        }
        let name = source.encoding();
        let mut has_more = true;
        let pieces = std::iter::from_fn(move || {
            if !has_more {
                return None;
            }
            let mut piece = Vec::new();
            let filled = source.fill(&mut piece, CHUNK);
            has_more = *filled.as_ref().unwrap_or(&false);
            Some(filled.map(|_| piece))
        });
        Ok(Some((name, Box::new(pieces))))
    }

    /// Whether all of it is UTF-8.
    fn is_utf8(&self) -> Result<bool> {
        let mut source = TextSource::open(self, Choice::Fixed(UTF_8))?;
        let (mut bytes, mut has_more) = (Vec::with_capacity(2 * CHUNK), true);
        while has_more {
            has_more = source.fill(&mut bytes, CHUNK)?;
            match std::str::from_utf8(&bytes) {
                Ok(_) => bytes.clear(),
                // A character may be cut by the end of a piece.
                Err(error) if error.error_len().is_none() && has_more => drop(bytes.drain(..error.valid_up_to())),
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::resolve_inputs;

    fn decoded(file: &Path, encoding: Option<&str>) -> Option<(&'static str, String)> {
        let input = resolve_inputs(&[file.display().to_string()]).unwrap().remove(0);
        let (name, pieces) = input.decoded(encoding).unwrap()?;
        let bytes: Vec<u8> = pieces.flat_map(Result::unwrap).collect();
        Some((name, String::from_utf8(bytes).unwrap()))
    }

    #[test]
    fn a_text_is_utf8_whatever_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.csv");
        let text = "name,age\nJürgen,39\n".repeat(40_000);
        std::fs::write(&file, &text).unwrap();
        assert_eq!((decoded(&file, None), decoded(&file, Some("utf8"))), (None, None));
        let utf16: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        std::fs::write(&file, utf16).unwrap();
        assert_eq!(decoded(&file, None), Some(("UTF-16LE", text.clone())));
        let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        std::fs::write(&file, latin).unwrap();
        assert_eq!(decoded(&file, None), Some(("windows-1252", text.clone())));
        assert_eq!(decoded(&file, Some("latin1")), Some(("windows-1252", text)));
    }
}
