//! Who may add files and who may take them away: those who add share a lock, the one who takes away holds it alone.
//!
//! The system lifts the lock when a process ends, however it ends. Where the file system knows no locks, the age of a file
//! alone keeps it from being taken away.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Files;
use crate::error::{Error, Result};

/// The file that is locked, in the folder of models and files.
const LOCK: &str = ".lock";
/// How long to wait before the next attempt.
const PAUSE: Duration = Duration::from_millis(2);
const CANNOT: &str = "the files of the home cannot be locked";

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _file: Arc<File>,
}

impl Files {
    /// Keeps all files where they are while the answer is held. Waits for the one who takes files away, who waits for nobody.
    pub(crate) fn hold(&self) -> Result<Held> {
        let waiting = self.waiting()?;
        loop {
            match waiting.attempt(self, File::try_lock_shared)? {
                Some(held) => return Ok(held),
                None => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Keeps all others from adding files while the answer is held. Waits for those who add, and lets other tasks go on: they may
    /// be what those wait for.
    pub(crate) async fn hold_alone(&self) -> Result<Held> {
        let waiting = self.waiting()?;
        loop {
            match waiting.attempt(self, File::try_lock)? {
                Some(held) => return Ok(held),
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn waiting(&self) -> Result<Waiting> {
        let path = self.folder.join(LOCK);
        let open = || {
            std::fs::create_dir_all(&self.folder)?;
            OpenOptions::new().create(true).truncate(false).write(true).open(&path)
        };
        let file = Arc::new(open().map_err(Error::file(&path, CANNOT))?);
        Ok(Waiting { file, path, begun: Instant::now() })
    }
}

/// Somebody who waits for the lock.
struct Waiting {
    file: Arc<File>,
    path: PathBuf,
    begun: Instant,
}

impl Waiting {
    /// The lock, if it can be had now.
    fn attempt(&self, files: &Files, attempt: fn(&File) -> Result<(), TryLockError>) -> Result<Option<Held>> {
        let held = || Ok(Some(Held { _file: Arc::clone(&self.file) }));
        match attempt(&self.file) {
            Ok(()) => held(),
            Err(TryLockError::WouldBlock) if self.begun.elapsed() < files.wait => Ok(None),
            Err(TryLockError::WouldBlock) => {
                let place = files.folder.display().to_string();
                Err(Error::Locked { place, seconds: files.wait.as_secs().max(1) })
            }
            Err(TryLockError::Error(e)) if e.kind() == std::io::ErrorKind::Unsupported => held(),
            Err(TryLockError::Error(e)) => Err(Error::file(&self.path, CANNOT)(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_add_share_and_the_one_who_takes_away_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::at(folder.path().to_owned(), Duration::from_millis(20));
        let (one, two) = (files.hold().unwrap(), files.hold().unwrap());
        let error = files.hold_alone().await.unwrap_err().to_string();
        assert!(error.contains("another process writes to it"), "{error}");
        drop((one, two));
        let alone = files.hold_alone().await.unwrap();
        assert!(files.hold().is_err() && files.claim("models/x").is_err());
        drop(alone);
        files.hold().unwrap();
    }
}
