//! Where written bytes go: a temporary file beside the final one, a device, or standard output. And the list of temporary
//! files, which a program that ends at once can remove.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{Builder, NamedTempFile};

/// Bytes that are gathered before they are written.
const BUFFER: usize = 256 * 1024;

/// Temporary files that are there at the moment.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes every temporary file of this process. For the moment before a process ends without dropping what it holds; those
/// who still write find their files gone.
pub fn remove_unfinished() {
    for path in unfinished().drain(..) {
        let _ = std::fs::remove_file(path);
    }
}

/// A temporary file on the list of unfinished ones. Dropped, it is removed.
#[derive(Debug)]
pub(crate) struct Temporary(Option<NamedTempFile>);

impl Temporary {
    /// Makes a file as `builder` says; in the folder for temporary files if none is given.
    pub(crate) fn create(builder: &Builder<'_, '_>, folder: Option<&Path>) -> io::Result<Self> {
        let file = match folder {
            Some(folder) => builder.tempfile_in(folder)?,
            None => builder.tempfile()?,
        };
        unfinished().push(file.path().to_owned());
        Ok(Temporary(Some(file)))
    }

    fn held(&self) -> &NamedTempFile {
        self.0.as_ref().expect("invariant: the file is held until it is dropped or moved")
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        self.held().path()
    }

    /// The open file.
    pub(crate) fn file(&self) -> &File {
        self.held().as_file()
    }

    /// Moves it to its place.
    fn persist(mut self, path: &Path) -> io::Result<()> {
        let Some(file) = self.0.take() else { return Ok(()) };
        let temporary = file.path().to_owned();
        let moved = file.persist(path).map(drop).map_err(|e| e.error);
        forget(&temporary);
        moved
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(file) = self.0.take() {
            let path = file.path().to_owned();
            drop(file);
            forget(&path);
        }
    }
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

fn forget(path: &Path) {
    unfinished().retain(|known| known != path);
}

/// Takes bytes. A file appears under its name only when it is complete, and what was there before is kept until then.
#[derive(Debug)]
pub struct Destination(Kind);

#[derive(Debug)]
enum Kind {
    /// Moved to its place at the end.
    File {
        file: BufWriter<Temporary>,
        path: PathBuf,
    },
    /// A device or a pipe that is there already.
    Device(BufWriter<File>),
    Stdout(BufWriter<io::Stdout>),
    /// Whatever a caller hands over.
    Writer(Given),
}

struct Given(Box<dyn Write + Send>);

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Given")
    }
}

impl Destination {
    /// Opens a path, or standard output for `-`. A link stays a link: what it points to is replaced.
    ///
    /// # Errors
    /// If that cannot be written to.
    pub fn create(path: &str) -> io::Result<Self> {
        if path == "-" {
            return Ok(Destination(Kind::Stdout(BufWriter::with_capacity(BUFFER, io::stdout()))));
        }
        Destination::create_file(Path::new(path))
    }

    /// Takes a writer of the caller, who sees to what happens to the bytes.
    pub(crate) fn given(writer: Box<dyn Write + Send>) -> Self {
        Destination(Kind::Writer(Given(writer)))
    }

    /// Opens a path, whatever its name.
    ///
    /// # Errors
    /// As [`Destination::create`].
    pub fn create_file(path: &Path) -> io::Result<Self> {
        if path.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder; name a file in it"));
        }
        if path.exists() && !path.is_file() {
            let file = OpenOptions::new().write(true).open(path)?;
            return Ok(Destination(Kind::Device(BufWriter::with_capacity(BUFFER, file))));
        }
        let path = if path.is_file() { path.canonicalize()? } else { path.to_owned() };
        let mut builder = Builder::new();
        builder.prefix(".tabwright-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Less what the user's mask takes away, like any new file.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let folder = folder_of(&path);
        if !folder.is_dir() {
            let message = format!("there is no folder {}", folder.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        // The error of the temporary file would name that file, which nobody has heard of.
        let file = Temporary::create(&builder, Some(folder)).map_err(|e| io::Error::from(e.kind()))?;
        Ok(Destination(Kind::File { file: BufWriter::with_capacity(BUFFER, file), path }))
    }

    /// Completes the file, brings it to disk and moves it to its name.
    ///
    /// # Errors
    /// For example when the disk is full; what was under the name before is then still there.
    pub fn finish(self) -> io::Result<()> {
        match self.0 {
            Kind::File { file, path } => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.file().sync_all()?;
                file.persist(&path)?;
                // The name is on disk only when its folder is; where folders cannot be synced, there is nothing to wait for.
                if let Ok(folder) = File::open(folder_of(&path)) {
                    let _ = folder.sync_all();
                }
                Ok(())
            }
            Kind::Device(mut file) => file.flush(),
            Kind::Stdout(mut out) => out.flush(),
            Kind::Writer(mut out) => out.0.flush(),
        }
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::File { file, .. } => file.write(bytes),
            Kind::Device(file) => file.write(bytes),
            Kind::Stdout(out) => out.write(bytes),
            Kind::Writer(out) => out.0.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::File { file, .. } => file.flush(),
            Kind::Device(file) => file.flush(),
            Kind::Stdout(out) => out.flush(),
            Kind::Writer(out) => out.0.flush(),
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_complete_and_nothing_stays_of_one_that_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        std::fs::write(&path, "old").unwrap();
        let count = || std::fs::read_dir(folder.path()).unwrap().count();
        let mut given_up = Destination::create_file(&path).unwrap();
        given_up.write_all(b"half").unwrap();
        assert_eq!(count(), 2);
        drop(given_up);
        assert_eq!((count(), std::fs::read(&path).unwrap().as_slice()), (1, &b"old"[..]));
        let mut whole = Destination::create_file(&path).unwrap();
        whole.write_all(b"new").unwrap();
        whole.finish().unwrap();
        assert_eq!((count(), std::fs::read(&path).unwrap().as_slice()), (1, &b"new"[..]));
    }

    #[cfg(unix)]
    #[test]
    fn links_and_devices_are_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("v1"), folder.path().join("current"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink("v1", &link).unwrap();
        let mut out = Destination::create_file(&link).unwrap();
        out.write_all(b"new").unwrap();
        out.finish().unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        let mut null = Destination::create_file(Path::new("/dev/null")).unwrap();
        null.write_all(b"new").unwrap();
        null.finish().unwrap();
        assert!(!Path::new("/dev/null").is_file());
    }
}
