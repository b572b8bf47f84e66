//! Who may add files and who may take them away: those who add share a lock, the one who takes away holds it alone.
//!
//! The system lifts the lock when a process ends, however it ends. Where the file system knows no locks, the age of a file
//! alone keeps it from being taken away.

use std::fs::{File, OpenOptions, TryLockError};
use std::time::{Duration, Instant};

use super::Files;
use crate::error::{Error, Result};

/// The file that is locked, in the folder of models and files.
const LOCK: &str = ".lock";
/// How long to wait before the next attempt.
const PAUSE: Duration = Duration::from_millis(2);

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _file: File,
}

impl Files {
    /// Keeps all files where they are while the answer is held.
    pub(crate) fn hold(&self) -> Result<Held> {
        self.locked(File::try_lock_shared)
    }

    /// Keeps all others from adding files while the answer is held.
    pub(crate) fn hold_alone(&self) -> Result<Held> {
        self.locked(File::try_lock)
    }

    fn locked(&self, attempt: fn(&File) -> Result<(), TryLockError>) -> Result<Held> {
        let path = self.folder.join(LOCK);
        let open = || {
            std::fs::create_dir_all(&self.folder)?;
            OpenOptions::new().create(true).truncate(false).write(true).open(&path)
        };
        let file = open().map_err(Error::file(&path, "the files of the home cannot be locked"))?;
        let begun = Instant::now();
        loop {
            match attempt(&file) {
                Ok(()) => return Ok(Held { _file: file }),
                Err(TryLockError::WouldBlock) if begun.elapsed() < self.wait => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let place = self.folder.display().to_string();
                    return Err(Error::Locked { place, seconds: self.wait.as_secs().max(1) });
                }
                Err(TryLockError::Error(e)) if e.kind() == std::io::ErrorKind::Unsupported => {
                    return Ok(Held { _file: file });
                }
                Err(TryLockError::Error(e)) => {
                    return Err(Error::file(&path, "the files of the home cannot be locked")(e));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_add_share_and_the_one_who_takes_away_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::at(folder.path().to_owned(), Duration::from_millis(20));
        let (one, two) = (files.hold().unwrap(), files.hold().unwrap());
        let error = files.hold_alone().unwrap_err().to_string();
        assert!(error.contains("another process writes to it"), "{error}");
        drop((one, two));
        let alone = files.hold_alone().unwrap();
        assert!(files.hold().is_err() && files.claim("models/x").is_err());
        drop(alone);
        files.hold().unwrap();
    }
}
