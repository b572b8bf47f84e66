//! Where written bytes go: a temporary file beside the final one, a device, or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use tempfile::NamedTempFile;

use crate::format::Compression;
use crate::{Error, Result};

/// Bytes that are gathered before they are written.
const BUFFER: usize = 256 * 1024;

/// Compression level of Zstandard: its default.
const ZSTD_LEVEL: i32 = 3;

/// Takes bytes and packs them. Nothing is under the final name before [`Sink::finish`].
pub(crate) struct Sink {
    name: String,
    packer: Packer,
}

enum Packer {
    Plain(Target),
    Gzip(Box<GzEncoder<Target>>),
    Zstd(Box<zstd::Encoder<'static, Target>>),
}

enum Target {
    /// Moved to its place at the end.
    File {
        file: BufWriter<NamedTempFile>,
        path: PathBuf,
    },
    /// A device or a pipe that is there already.
    Device(BufWriter<File>),
    Stdout(BufWriter<io::Stdout>),
}

impl Sink {
    /// Opens a path, or standard output for `-`.
    ///
    /// # Errors
    /// [`Error::Write`] if that cannot be written to.
    pub(crate) fn create(path: &str, compression: Compression) -> Result<Self> {
        let io = |source| Error::write(path, "cannot be written", source);
        let target = Target::create(path).map_err(io)?;
        let packer = match compression {
            Compression::None => Packer::Plain(target),
            Compression::Gzip => Packer::Gzip(Box::new(GzEncoder::new(target, flate2::Compression::default()))),
            Compression::Zstd => Packer::Zstd(Box::new(zstd::Encoder::new(target, ZSTD_LEVEL).map_err(io)?)),
        };
        Ok(Sink { name: path.to_owned(), packer })
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

impl Target {
    fn create(path: &str) -> io::Result<Self> {
        if path == "-" {
            return Ok(Target::Stdout(BufWriter::with_capacity(BUFFER, io::stdout())));
        }
        let given = Path::new(path);
        if given.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a folder; name a file in it"));
        }
        if given.exists() && !given.is_file() {
            let file = OpenOptions::new().write(true).open(given)?;
            return Ok(Target::Device(BufWriter::with_capacity(BUFFER, file)));
        }
        // A link stays a link: what it points to is replaced.
        let path = if given.is_file() { given.canonicalize()? } else { given.to_owned() };
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tabwright-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Less what the user's mask takes away, like any new file.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder)?;
        Ok(Target::File { file: BufWriter::with_capacity(BUFFER, file), path })
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Target::File { file, path } => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                file.persist(path).map(drop).map_err(|e| e.error)
            }
            Target::Device(mut file) => file.flush(),
            Target::Stdout(mut out) => out.flush(),
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::File { file, .. } => file.write(bytes),
            Target::Device(file) => file.write(bytes),
            Target::Stdout(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::File { file, .. } => file.flush(),
            Target::Device(file) => file.flush(),
            Target::Stdout(out) => out.flush(),
        }
    }
}
