//! Files by what they hold: a model under its content id, any other file under the hash of its bytes. Each is written once,
//! whole, and never changed.

mod hold;
mod sweep;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tabwright_data::Destination;

use crate::error::{Error, Result};

pub(crate) use sweep::Unused;

/// Bytes that are read at a time.
const BUFFER: usize = 256 * 1024;

/// The folder of models and files.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
    wait: Duration,
}

impl Files {
    /// The files of a folder. `wait` is how long to wait for another process that takes files away.
    pub(crate) fn at(folder: PathBuf, wait: Duration) -> Self {
        Files { folder, wait }
    }

    /// The name of the file of a model, below the folder: `models/ab/….tw`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text that is no content id.
    pub fn model_name(content_id: &str) -> Result<String> {
        let hex = content_id.strip_prefix("blake3:").filter(|hex| is_hash(hex));
        match hex {
            Some(hex) => Ok(format!("models/{}/{hex}.tw", &hex[..2])),
            None => Err(Error::Invalid(format!("{} is no content id", crate::name::shown(content_id)))),
        }
    }

    /// Where a file lies.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that leads out of the folder.
    pub fn path(&self, name: &str) -> Result<PathBuf> {
        crate::name::check_path(name)?;
        Ok(self.folder.join(name))
    }

    /// Whether a file is there. A link in its place is none.
    ///
    /// # Errors
    /// As [`Files::path`].
    pub fn has(&self, name: &str) -> Result<bool> {
        let path = self.path(name)?;
        Ok(self.link_on_the_way(&path).is_none() && path.is_file())
    }

    /// Where a file lies that is there. A link in its place, or in that of a folder above it, is refused: it may lead out of
    /// the home.
    ///
    /// # Errors
    /// As [`Files::path`]; [`Error::Damaged`] for a link, and where there is no file.
    pub fn locate(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name)?;
        if let Some(link) = self.link_on_the_way(&path) {
            let why = "a link stands where the home keeps a file of its own; put the file itself there".to_owned();
            return Err(Error::Damaged { path: link.to_owned(), why });
        }
        match path.is_file() {
            true => Ok(path),
            false => Err(Error::Damaged { path, why: "the file is missing".into() }),
        }
    }

    /// The first link from a file up to the folder, which may be one itself.
    fn link_on_the_way<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        path.ancestors().take_while(|above| *above != self.folder).find(|above| above.is_symlink())
    }

    /// Whether a file is there, marked as in use from now on: until it is referred to, nobody takes it away. A file that cannot
    /// be marked counts as missing, so that it is written again.
    ///
    /// # Errors
    /// As [`Files::path`], and if another process takes files away for too long.
    pub fn claim(&self, name: &str) -> Result<bool> {
        let _held = self.hold()?;
        if !self.has(name)? {
            return Ok(false);
        }
        let path = self.path(name)?;
        let marked = File::options().write(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
        Ok(marked.is_ok())
    }

    /// Writes a file under a name, durably; what is there of that name is replaced in one step. Returns its size.
    ///
    /// # Errors
    /// [`Error::File`]; then nothing is there that was not there before.
    pub fn write(&self, name: &str, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<u64> {
        let path = self.path(name)?;
        let _held = self.hold()?;
        let write = || -> io::Result<()> {
            if let Some(link) = self.link_on_the_way(&path) {
                let why = format!("a link stands in its place ({}); take it away", link.display());
                return Err(io::Error::other(why));
            }
            self.make_folders(&path)?;
            let mut file = Destination::create_file(&path)?;
            content(&mut file)?;
            file.finish()
        };
        write().map_err(Error::file(&path, "it could not be written"))?;
        let size = path.metadata().map_err(Error::file(&path, "it cannot be read"))?.len();
        Ok(size)
    }

    /// Keeps a copy of a file under the hash of its bytes. Returns the name and the size.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read or the copy not be written.
    pub fn keep(&self, source: &Path) -> Result<(String, u64)> {
        let told = |what| move |e| Error::file(source, what)(e);
        let unreadable = "the file cannot be read";
        let metadata = source.metadata().map_err(told(unreadable))?;
        if !metadata.is_file() {
            return Err(told(unreadable)(io::Error::other("it is no file")));
        }
        let mut hasher = blake3::Hasher::new();
        let mut from = File::open(source).map_err(told(unreadable))?;
        copy(&mut from, &mut |bytes| {
            hasher.update(bytes);
            Ok(())
        })
        .map_err(told(unreadable))?;
        let hash = hasher.finalize();
        let hex = hash.to_hex();
        let name = format!("files/{}/{hex}", &hex[..2]);
        if self.claim(&name)? {
            return Ok((name, metadata.len()));
        }
        let mut again = blake3::Hasher::new();
        let size = self.write(&name, |out| {
            let mut from = File::open(source)?;
            copy(&mut from, &mut |bytes| {
                again.update(bytes);
                out.write_all(bytes)
            })?;
            match again.finalize() == hash {
                true => Ok(()),
                false => Err(io::Error::other(format!("{} changed while it was copied", source.display()))),
            }
        })?;
        Ok((name, size))
    }

    /// The folders of a path, each on disk before something is put into it.
    fn make_folders(&self, path: &Path) -> io::Result<()> {
        let Some(folder) = path.parent() else { return Ok(()) };
        if folder.is_dir() {
            return Ok(());
        }
        std::fs::create_dir_all(folder)?;
        for above in folder.ancestors().skip(1).take_while(|a| a.starts_with(&self.folder)) {
            if let Ok(above) = File::open(above) {
                let _ = above.sync_all();
            }
        }
        Ok(())
    }
}

fn is_hash(hex: &str) -> bool {
    hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn copy(from: &mut File, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            n => take(&buffer[..n])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_files_are_kept_once_and_under_their_hash() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::at(folder.path().join("artifacts"), crate::WAIT);
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&a, "same").unwrap();
        std::fs::write(&b, "same").unwrap();
        let (name, size) = files.keep(&a).unwrap();
        assert_eq!((files.keep(&b).unwrap(), size), ((name.clone(), 4), 4));
        assert_eq!(std::fs::read(files.path(&name).unwrap()).unwrap(), b"same");
        assert!(name.ends_with(&blake3::hash(b"same").to_hex().to_string()), "{name}");
        assert!(files.keep(folder.path()).unwrap_err().to_string().contains("it is no file"));
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_what_was_there_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::at(folder.path().to_owned(), crate::WAIT);
        files.write("models/x", |out| out.write_all(b"old")).unwrap();
        let half = files.write("models/x", |out| {
            out.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(half.unwrap_err().to_string().contains("it could not be written"));
        assert_eq!(std::fs::read(folder.path().join("models/x")).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path().join("models")).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn names_and_links_lead_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::at(folder.path().join("artifacts"), crate::WAIT);
        assert!(files.path("../secret").is_err());
        std::fs::create_dir_all(folder.path().join("artifacts/models")).unwrap();
        std::fs::write(folder.path().join("secret"), "keep me").unwrap();
        std::os::unix::fs::symlink("../../secret", folder.path().join("artifacts/models/x")).unwrap();
        assert!(!files.has("models/x").unwrap());
        let error = files.write("models/x", |out| out.write_all(b"new")).unwrap_err().to_string();
        assert!(error.contains("a link stands in its place"), "{error}");
        assert_eq!(std::fs::read(folder.path().join("secret")).unwrap(), b"keep me");
        assert!(Files::model_name("blake3:../..").is_err());
        std::fs::create_dir_all(folder.path().join("outside/cd")).unwrap();
        std::fs::write(folder.path().join("outside/cd/y"), "theirs").unwrap();
        std::os::unix::fs::symlink("../../outside/cd", folder.path().join("artifacts/models/cd")).unwrap();
        for name in ["models/x", "models/cd/y"] {
            let error = files.locate(name).unwrap_err().to_string();
            assert!(error.contains("a link stands where the home keeps a file of its own"), "{error}");
            assert!(!files.has(name).unwrap() && !files.claim(name).unwrap());
        }
        assert!(files.write("models/cd/z", |out| out.write_all(b"new")).is_err());
        assert!(!folder.path().join("outside/cd/z").exists());
    }
}
