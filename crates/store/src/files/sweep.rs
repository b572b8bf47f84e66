//! Files that nothing refers to: found, and taken away.

use std::collections::HashSet;
use std::fs::{DirEntry, Metadata};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::Files;
use crate::error::{Error, Result};
use crate::time::Micros;

/// The folders that hold files, each with folders of two digits within.
const PLACES: [&str; 2] = ["models", "files"];

/// A file that nothing refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unused {
    /// Its name among the kept files.
    pub(crate) name: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// When it was written, or claimed for the last time.
    pub(crate) modified: Micros,
}

impl Files {
    /// Every file that is not among those that are referred to, half-written ones of processes that died included. Links are
    /// neither followed nor named.
    ///
    /// # Errors
    /// [`Error::File`] for a folder that cannot be read.
    pub(crate) fn unused(&self, referred: &HashSet<String>) -> Result<Vec<Unused>> {
        let mut found = Vec::new();
        for place in PLACES {
            for group in entries(&self.folder.join(place))?.iter().filter(|e| is_folder(e)) {
                let group_name = group.file_name().to_string_lossy().into_owned();
                for entry in entries(&group.path())? {
                    let name = format!("{place}/{group_name}/{}", entry.file_name().to_string_lossy());
                    // A file that went away in the meantime is nobody's any more.
                    let Ok(metadata) = entry.path().symlink_metadata() else { continue };
                    if metadata.is_file() && !referred.contains(&name) {
                        found.push(Unused { name, size: metadata.len(), modified: modified(&metadata) });
                    }
                }
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Takes a file away. The caller holds the files alone.
    ///
    /// # Errors
    /// [`Error::File`] if the system does not let go of it.
    pub(crate) fn remove(&self, unused: &Unused) -> Result<()> {
        let path = self.path(&unused.name)?;
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file(&path, "the file cannot be taken away")(e))
            }
            _ => Ok(()),
        }
    }
}

fn entries(folder: &Path) -> Result<Vec<DirEntry>> {
    let told = |e| Error::file(folder, "the folder cannot be read")(e);
    let metadata = match std::fs::symlink_metadata(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
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
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_is_not_referred_to_is_found_and_links_are_left() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::at(folder.path().join("artifacts"), crate::WAIT);
        assert_eq!(files.unused(&HashSet::new()).unwrap(), []);
        for name in ["models/ab/one.tw", "models/ab/.tabwright-x.part", "files/cd/two"] {
            files.write(name, |out| out.write_all(b"12345")).unwrap();
        }
        let outside = folder.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("theirs"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, folder.path().join("artifacts/models/ef")).unwrap();
        std::os::unix::fs::symlink(outside.join("theirs"), folder.path().join("artifacts/models/ab/link")).unwrap();
        let unused = files.unused(&HashSet::from(["models/ab/one.tw".to_owned()])).unwrap();
        let names: Vec<(&str, u64)> = unused.iter().map(|u| (u.name.as_str(), u.size)).collect();
        assert_eq!(names, [("files/cd/two", 5), ("models/ab/.tabwright-x.part", 5)]);
        for one in &unused {
            files.remove(one).unwrap();
            files.remove(one).unwrap();
        }
        assert!(files.has("models/ab/one.tw").unwrap() && !files.has("files/cd/two").unwrap());
        assert!(outside.join("theirs").is_file());
    }
}
