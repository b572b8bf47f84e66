//! Bytes on their way to a destination, packed.

use std::io::{self, Write};

use flate2::write::GzEncoder;

use crate::destination::Destination;
use crate::format::Compression;
use crate::{Error, Result};

/// Compression level of Zstandard: its default.
const ZSTD_LEVEL: i32 = 3;

/// Takes bytes and packs them. Nothing is under the final name before [`Sink::finish`].
pub(crate) struct Sink {
    name: String,
    packer: Packer,
}

enum Packer {
    Plain(Destination),
    Gzip(Box<GzEncoder<Destination>>),
    Zstd(Box<zstd::Encoder<'static, Destination>>),
}

impl Sink {
    /// Opens a path, or standard output for `-`.
    ///
    /// # Errors
    /// [`Error::Write`] if that cannot be written to.
    pub(crate) fn create(path: &str, compression: Compression) -> Result<Self> {
        let io = |source| Error::write(path, "cannot be written", source);
        let target = Destination::create(path).map_err(io)?;
        let packer = match compression {
            Compression::None => Packer::Plain(target),
            Compression::Gzip => Packer::Gzip(Box::new(GzEncoder::new(target, flate2::Compression::default()))),
            Compression::Zstd => Packer::Zstd(Box::new(zstd::Encoder::new(target, ZSTD_LEVEL).map_err(io)?)),
        };
        Ok(Sink { name: path.to_owned(), packer })
    }

    /// Takes a writer of the caller; `name` is for messages.
    pub(crate) fn given(name: &str, writer: Box<dyn Write + Send>) -> Self {
        Sink { name: name.to_owned(), packer: Packer::Plain(Destination::given(writer)) }
    }

    /// The name for messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Writes what a buffer holds, and empties it.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(crate) fn drain(&mut self, buffer: &mut String) -> Result<()> {
        self.write_all(buffer.as_bytes()).map_err(|e| self.error(e))?;
        buffer.clear();
        Ok(())
    }

    /// Completes the file and moves it to its name.
    ///
    /// # Errors
    /// [`Error::Write`], for example when the disk is full; what was under the name before is then still there.
    pub(crate) fn finish(self) -> Result<()> {
        let name = self.name;
        let io = |source| Error::write(&name, "could not be written to the end", source);
        let target = match self.packer {
            Packer::Plain(target) => target,
            Packer::Gzip(encoder) => encoder.finish().map_err(io)?,
            Packer::Zstd(encoder) => encoder.finish().map_err(io)?,
        };
        target.finish().map_err(io)
    }

    /// The error for a failed write.
    pub(crate) fn error(&self, source: io::Error) -> Error {
        Error::write(&self.name, "cannot be written", source)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.packer {
            Packer::Plain(target) => target.write(bytes),
            Packer::Gzip(encoder) => encoder.write(bytes),
            Packer::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.packer {
            Packer::Plain(target) => target.flush(),
            Packer::Gzip(encoder) => encoder.flush(),
            Packer::Zstd(encoder) => encoder.flush(),
        }
    }
}
