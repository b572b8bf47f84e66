//! Files in a folder of the home. A link in their place is refused: it may lead out of the home.

use std::fs::{DirEntry, File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tabwright_data::Destination;

use super::{Content, FOLDERS, Kept, MISSING, Place};
use crate::error::{Error, Result};
use crate::time::Micros;

/// A folder of files.
#[derive(Debug, Clone)]
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The first link from a file up to the folder, which may be one itself.
    fn link_on_the_way<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        path.ancestors().take_while(|above| *above != self.0).find(|above| above.is_symlink())
    }

    /// The folders of a path, each on disk before something is put into it.
    fn make_folders(&self, path: &Path) -> io::Result<()> {
        let Some(folder) = path.parent() else { return Ok(()) };
        if folder.is_dir() {
            return Ok(());
        }
        std::fs::create_dir_all(folder)?;
        for above in folder.ancestors().skip(1).take_while(|a| a.starts_with(&self.0)) {
            if let Ok(above) = File::open(above) {
                let _ = above.sync_all();
            }
        }
        Ok(())
    }
}

impl Place for Folder {
    fn address(&self, name: &str) -> PathBuf {
        self.path(name)
    }

    fn size(&self, name: &str) -> Result<Option<u64>> {
        let path = self.path(name);
        if let Some(link) = self.link_on_the_way(&path) {
            let why = "a link stands where the home keeps a file of its own; put the file itself there".to_owned();
            return Err(Error::Damaged { path: link.to_owned(), why });
        }
        Ok(path.metadata().ok().filter(Metadata::is_file).map(|metadata| metadata.len()))
    }

    fn renew(&self, name: &str) -> Result<bool> {
        if !matches!(self.size(name), Ok(Some(_))) {
            return Ok(false);
        }
        let file = File::options().write(true).open(self.path(name));
        Ok(file.and_then(|file| file.set_modified(SystemTime::now())).is_ok())
    }

    fn write(&self, name: &str, content: Content<'_>) -> Result<u64> {
        let path = self.path(name);
        let write = || -> io::Result<()> {
            if let Some(link) = self.link_on_the_way(&path) {
                let why = format!("a link stands in its place ({}); take it away", link.display());
                return Err(io::Error::other(why));
            }
            self.make_folders(&path)?;
            let mut file = Destination::create_file(&path)?;
            content(&mut file as &mut dyn Write)?;
            file.finish()
        };
        write().map_err(Error::file(&path, "it could not be written"))?;
        let size = path.metadata().map_err(Error::file(&path, "it cannot be read"))?.len();
        Ok(size)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.local(name)?;
        std::fs::read(&path).map_err(Error::file(&path, "it cannot be read"))
    }

    fn local(&self, name: &str) -> Result<PathBuf> {
        match self.size(name)? {
            Some(_) => Ok(self.path(name)),
            None => Err(Error::Damaged { path: self.path(name), why: MISSING.into() }),
        }
    }

    /// Half-written files of processes that died included. Links are neither followed nor named.
    fn list(&self) -> Result<Vec<Kept>> {
        let mut found = Vec::new();
        for place in FOLDERS {
            for group in entries(&self.path(place))?.iter().filter(|e| is_folder(e)) {
                let group_name = group.file_name().to_string_lossy().into_owned();
                for entry in entries(&group.path())? {
                    let name = format!("{place}/{group_name}/{}", entry.file_name().to_string_lossy());
                    // A file that went away in the meantime is nobody's any more.
                    let Ok(metadata) = entry.path().symlink_metadata() else { continue };
                    if metadata.is_file() {
                        found.push(Kept { name, size: metadata.len(), modified: modified(&metadata) });
                    }
                }
            }
        }
        Ok(found)
    }

    fn remove(&self, kept: Vec<Kept>, until: Micros) -> Result<Vec<Kept>> {
        let mut gone = Vec::new();
        for one in kept {
            let path = self.path(&one.name);
            let is_young = |metadata: Metadata| modified(&metadata) > until;
            if path.symlink_metadata().map_or(true, is_young) {
                continue;
            }
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(Error::file(&path, "the file cannot be taken away")(e)),
                Ok(()) => gone.push(one),
            }
        }
        Ok(gone)
    }
}

fn entries(folder: &Path) -> Result<Vec<DirEntry>> {
    let told = |e| Error::file(folder, "the folder cannot be read")(e);
    let metadata = match std::fs::symlink_metadata(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(told)?,
    };
    if !metadata.is_dir() {
        return Ok(Vec::new());
    }
    std::fs::read_dir(folder).and_then(Iterator::collect).map_err(told)
}

fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|t| t.is_dir())
}

/// A file without a time counts as new.
fn modified(metadata: &Metadata) -> Micros {
    let since = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| Micros::try_from(since.as_micros()).ok()).unwrap_or(Micros::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::Files;
    use super::*;

    fn files(folder: &Path) -> Files {
        Files::at(folder.join("artifacts"), crate::WAIT)
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_what_was_there_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        files.write("models/x", |out| out.write_all(b"old")).unwrap();
        let half = files.write("models/x", |out| {
            out.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(half.unwrap_err().to_string().contains("it could not be written"));
        assert_eq!(std::fs::read(folder.path().join("artifacts/models/x")).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path().join("artifacts/models")).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn names_and_links_lead_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        assert!(files.locate("../secret").is_err());
        std::fs::create_dir_all(folder.path().join("artifacts/models")).unwrap();
        std::fs::write(folder.path().join("secret"), "keep me").unwrap();
        std::os::unix::fs::symlink("../../secret", folder.path().join("artifacts/models/x")).unwrap();
        assert!(!files.has("models/x").unwrap());
        let error = files.write("models/x", |out| out.write_all(b"new")).unwrap_err().to_string();
        assert!(error.contains("a link stands in its place"), "{error}");
        assert_eq!(std::fs::read(folder.path().join("secret")).unwrap(), b"keep me");
        std::fs::create_dir_all(folder.path().join("outside/cd")).unwrap();
        std::fs::write(folder.path().join("outside/cd/y"), "theirs").unwrap();
        std::os::unix::fs::symlink("../../outside/cd", folder.path().join("artifacts/models/cd")).unwrap();
        for name in ["models/x", "models/cd/y"] {
            let error = files.locate(name).unwrap_err().to_string();
            assert!(error.contains("a link stands where the home keeps a file of its own"), "{error}");
            assert!(files.read(name).is_err() && !files.has(name).unwrap() && !files.claim(name).unwrap());
        }
        assert!(files.write("models/cd/z", |out| out.write_all(b"new")).is_err());
        assert!(!folder.path().join("outside/cd/z").exists());
    }

    #[cfg(unix)]
    #[test]
    fn all_files_are_listed_and_links_are_left() {
        let folder = tempfile::tempdir().unwrap();
        let place = Folder(folder.path().join("artifacts"));
        assert_eq!(place.list().unwrap(), []);
        let files = files(folder.path());
        for name in ["models/ab/one.tw", "models/ab/.tabwright-x.part", "files/cd/two"] {
            files.write(name, |out| out.write_all(b"12345")).unwrap();
        }
        let outside = folder.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("theirs"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, folder.path().join("artifacts/models/ef")).unwrap();
        std::os::unix::fs::symlink(outside.join("theirs"), folder.path().join("artifacts/models/ab/link")).unwrap();
        let mut kept = place.list().unwrap();
        kept.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<(&str, u64)> = kept.iter().map(|k| (k.name.as_str(), k.size)).collect();
        assert_eq!(names, [("files/cd/two", 5), ("models/ab/.tabwright-x.part", 5), ("models/ab/one.tw", 5)]);
        assert_eq!(place.remove(kept.clone(), 5).unwrap(), [], "all of them are younger");
        assert_eq!(place.remove(kept[..2].to_vec(), Micros::MAX).unwrap(), kept[..2]);
        assert_eq!(place.remove(kept[..2].to_vec(), Micros::MAX).unwrap(), [], "they are gone already");
        assert!(files.has("models/ab/one.tw").unwrap() && !files.has("files/cd/two").unwrap());
        assert!(outside.join("theirs").is_file());
    }
}
