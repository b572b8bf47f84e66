//! Files by what they hold: a model under its content id, any other file under the hash of its bytes. Each is written once,
//! whole, and never changed. They are in a folder of the home, or in a bucket: a `Place` knows how to keep them, and all else
//! stands here, once.

#[cfg(feature = "s3")]
mod bucket;
mod folder;
mod hold;
mod location;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::time::Micros;
use folder::Folder;

pub use location::{BucketLocation, FileLocation};

/// Bytes that are read at a time.
const BUFFER: usize = 256 * 1024;
/// The folders that hold files, each with folders of two digits within.
const FOLDERS: [&str; 2] = ["models", "files"];
/// What is said of a file that is not there.
const MISSING: &str = "the file is missing";

/// What writes the content of a file.
type Content<'a> = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'a>;

/// Where files are kept. Names are checked before they come here.
trait Place: std::fmt::Debug + Send + Sync {
    /// Where a file is, for a person.
    fn address(&self, name: &str) -> PathBuf;
    /// How many bytes a file has; none if it is not there.
    fn size(&self, name: &str) -> Result<Option<u64>>;
    /// Makes a file as young as a new one. False where it is not there, and where that cannot be done but by writing it again.
    fn renew(&self, name: &str) -> Result<bool>;
    /// Writes a file, whole or not at all, and durably.
    fn write(&self, name: &str, content: Content<'_>) -> Result<u64>;
    /// All bytes of a file.
    fn read(&self, name: &str) -> Result<Vec<u8>>;
    /// A path on this machine with the content of a file.
    fn local(&self, name: &str) -> Result<PathBuf>;
    /// Every file.
    fn list(&self) -> Result<Vec<Kept>>;
    /// Takes files away, but for those that are younger by now than a moment. Returns those that it took.
    fn remove(&self, kept: Vec<Kept>, until: Micros) -> Result<Vec<Kept>>;
}

/// A file that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Its name among the kept files.
    pub(crate) name: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// When it was written, or claimed for the last time.
    pub(crate) modified: Micros,
}

/// A store, as the place of its files knows it.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "s3"), expect(dead_code, reason = "a folder of the home has one store only"))]
pub(crate) struct Owner {
    /// What no other store has.
    pub(crate) id: String,
    /// Where it is, for a person.
    pub(crate) place: String,
    /// Tells the time.
    pub(crate) clock: fn() -> Micros,
}

/// Models and files.
#[derive(Debug, Clone)]
pub struct Files {
    place: Arc<dyn Place>,
    /// The folder of the home in which the lock is.
    folder: PathBuf,
    wait: Duration,
}

impl Files {
    /// The files of a folder. `wait` is how long to wait for another process that takes files away.
    pub(crate) fn at(folder: PathBuf, wait: Duration) -> Self {
        Files { place: Arc::new(Folder(folder.clone())), folder, wait }
    }

    /// The files in a bucket. `folder` is that of the home, `copies` is for what is needed as a file on this machine. `wait` is
    /// also how long the bucket may take to answer.
    #[cfg(feature = "s3")]
    pub(crate) fn in_bucket(
        bucket: BucketLocation,
        (folder, copies): (PathBuf, PathBuf),
        owner: Owner,
        wait: Duration,
    ) -> Self {
        let place = Arc::new(bucket::Bucket::new(bucket, Folder(copies), owner, wait));
        Files { place, folder, wait }
    }

    /// The name of the file of a model: `models/ab/….tw`.
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

    /// The name of the file of a model in a path that ends in one, in whatever home it was.
    pub fn model_in_path(path: &str) -> Option<String> {
        let hex = path.rsplit(['/', '\\']).next()?.strip_suffix(".tw").filter(|hex| is_hash(hex))?;
        let name = format!("models/{}/{hex}.tw", &hex[..2]);
        path.replace('\\', "/").ends_with(&name).then_some(name)
    }

    /// Where a file is or would be, for a person: a path, or an address that begins with `s3://`.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that leads out of the folder.
    pub fn address(&self, name: &str) -> Result<PathBuf> {
        crate::name::check_path(name)?;
        Ok(self.place.address(name))
    }

    /// How many bytes a file has.
    ///
    /// # Errors
    /// As [`Files::address`]; [`Error::Damaged`] for a file that is not there, and for a link in its place or in that of a folder
    /// above it; [`Error::File`] where the place does not answer.
    pub fn size(&self, name: &str) -> Result<u64> {
        crate::name::check_path(name)?;
        let missing = || Error::Damaged { path: self.place.address(name), why: MISSING.into() };
        self.place.size(name)?.ok_or_else(missing)
    }

    /// Whether a file is there. A link in its place is none.
    ///
    /// # Errors
    /// As [`Files::address`]; [`Error::File`] where the place does not answer.
    pub fn has(&self, name: &str) -> Result<bool> {
        match self.size(name) {
            Ok(_) => Ok(true),
            Err(Error::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A path on this machine with the content of a file: the file itself, or a copy, which [`Store::free`](crate::Store::free)
    /// takes away again.
    ///
    /// # Errors
    /// As [`Files::read`].
    pub fn locate(&self, name: &str) -> Result<PathBuf> {
        crate::name::check_path(name)?;
        self.place.local(name)
    }

    /// Reads a file. What is named by the hash of its bytes is checked against it; a model is checked by whoever reads it.
    ///
    /// # Errors
    /// As [`Files::size`]; [`Error::Damaged`] for other bytes.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        crate::name::check_path(name)?;
        let bytes = self.place.read(name)?;
        let hash = name.strip_prefix("files/").and_then(|rest| rest.rsplit('/').next()).filter(|hex| is_hash(hex));
        match hash.is_none_or(|hash| blake3::hash(&bytes).to_hex().as_str() == hash) {
            true => Ok(bytes),
            false => Err(Error::Damaged {
                path: self.place.address(name),
                why: "its bytes are not those that were kept".into(),
            }),
        }
    }

    /// Whether a file is there, marked as in use from now on: until it is referred to, nobody takes it away. A file that cannot
    /// be marked counts as missing, so that it is written again.
    ///
    /// # Errors
    /// As [`Files::has`], and if another process takes files away for too long.
    pub fn claim(&self, name: &str) -> Result<bool> {
        crate::name::check_path(name)?;
        let _held = self.hold()?;
        self.place.renew(name)
    }

    /// Writes a file under a name, durably; what is there of that name is replaced in one step. Returns its size.
    ///
    /// # Errors
    /// [`Error::File`]; then nothing is there that was not there before.
    pub fn write(&self, name: &str, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<u64> {
        crate::name::check_path(name)?;
        let _held = self.hold()?;
        self.place.write(name, Box::new(content))
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

    /// Every file.
    pub(crate) fn list(&self) -> Result<Vec<Kept>> {
        self.place.list()
    }

    /// Takes files away, but for those that are younger by now than a moment. The caller holds the files alone. Returns those
    /// that it took.
    pub(crate) fn remove(&self, kept: Vec<Kept>, until: Micros) -> Result<Vec<Kept>> {
        self.place.remove(kept, until)
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
        assert_eq!(files.read(&name).unwrap(), b"same");
        assert!(name.ends_with(&blake3::hash(b"same").to_hex().to_string()), "{name}");
        assert!(files.keep(folder.path()).unwrap_err().to_string().contains("it is no file"));
        std::fs::write(files.locate(&name).unwrap(), "else").unwrap();
        assert!(files.read(&name).unwrap_err().to_string().contains("its bytes are not those that were kept"));
    }

    #[test]
    fn the_name_of_a_model_is_found_in_the_path_of_any_home() {
        let name = Files::model_name(&format!("blake3:{}", "ab".repeat(32))).unwrap();
        for path in [format!("/ada/.tabwright/artifacts/{name}"), format!("C:\\x\\{}", name.replace('/', "\\"))] {
            assert_eq!(Files::model_in_path(&path).as_ref(), Some(&name), "{path}");
        }
        for path in ["", "model.tw", "models/ab/x.tw", &name.replace("models/ab", "models/cd")] {
            assert_eq!(Files::model_in_path(path), None, "{path}");
        }
        assert!(Files::model_name("blake3:../..").is_err());
    }
}
