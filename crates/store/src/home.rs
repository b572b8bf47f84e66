//! The home: the folder that keeps the database and the files of a project, and the marks of runs that are under way.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, Result};

/// The name of the folder.
pub const FOLDER: &str = ".tabwright";
/// What keeps the home out of version control.
const IGNORE: &str = "# Made by Tabwright: runs, models and their files do not belong into version control.\n*\n";

/// A home: a folder with `tabwright.db`, `artifacts/`, `predictions/` and `running/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    folder: PathBuf,
}

impl Home {
    /// The home in a folder, whether it is there or not.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Home { folder: folder.into() }
    }

    /// The nearest home from a folder upwards.
    pub fn find(from: &Path) -> Option<Self> {
        from.ancestors().map(|folder| folder.join(FOLDER)).find(|folder| folder.is_dir()).map(Home::at)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it is there.
    pub fn exists(&self) -> bool {
        self.folder.is_dir()
    }

    /// Makes what is missing of it. One that cannot be written is left as it is.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be made.
    pub fn create(&self) -> Result<()> {
        if !self.folder.is_dir() {
            let told = Error::file(&self.folder, "the home of runs and models cannot be made here");
            std::fs::create_dir_all(&self.folder).map_err(told)?;
            let ignore = self.folder.join(".gitignore");
            std::fs::write(&ignore, IGNORE).map_err(Error::file(&ignore, "it cannot be written"))?;
        }
        let missing = [self.artifacts(), self.running()].into_iter().filter(|folder| !folder.is_dir());
        for folder in missing {
            match std::fs::create_dir_all(&folder) {
                Err(e) if is_refused(&e) && self.database().is_file() => {}
                made => made.map_err(Error::file(&folder, "the folder cannot be made"))?,
            }
        }
        Ok(())
    }

    /// The file of the SQLite database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("tabwright.db")
    }

    /// The folder of models and files.
    pub fn artifacts(&self) -> PathBuf {
        self.folder.join("artifacts")
    }

    /// The folder of what models predicted, and of labels.
    pub fn predictions(&self) -> PathBuf {
        self.folder.join("predictions")
    }

    fn running(&self) -> PathBuf {
        self.folder.join("running")
    }

    fn mark(&self, run_id: &str) -> PathBuf {
        self.running().join(format!("{run_id}.lock"))
    }

    /// Marks a run as under way for as long as the answer is held. The system lifts the lock when the process ends, however
    /// it ends.
    ///
    /// # Errors
    /// [`Error::File`] if the mark cannot be made.
    pub(crate) fn mark_running(&self, run_id: &str) -> Result<RunningMark> {
        let path = self.mark(run_id);
        let open = || -> std::io::Result<File> {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        let file = open().map_err(Error::file(&path, "the mark of a run under way cannot be made"))?;
        Ok(RunningMark { path, _file: file })
    }

    /// Whether the process of a run has died. Unknown, and so false, for runs of other homes.
    pub(crate) fn has_died(&self, run_id: &str) -> bool {
        let Ok(file) = OpenOptions::new().write(true).open(self.mark(run_id)) else { return false };
        !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Takes marks away that nobody holds and that say nothing any more, once they are older than a moment.
    pub(crate) fn sweep_marks(&self, running: &HashSet<String>, until: SystemTime) {
        let marks = std::fs::read_dir(self.running()).into_iter().flatten().flatten();
        for mark in marks.filter(|m| m.metadata().and_then(|m| m.modified()).is_ok_and(|at| at <= until)) {
            let name = mark.file_name().to_string_lossy().into_owned();
            if let Some(run_id) = name.strip_suffix(".lock").filter(|id| !running.contains(*id) && self.has_died(id)) {
                self.unmark(run_id);
            }
        }
    }

    /// Takes the mark of a dead run away.
    pub(crate) fn unmark(&self, run_id: &str) {
        // A mark that stays says no more than what the database says already.
        let _ = std::fs::remove_file(self.mark(run_id));
    }
}

/// Whether the system does not let this process write there.
fn is_refused(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem)
}

/// The mark of a run under way. Dropped, it stays, and nobody holds it: the next look finds that the run has died.
#[derive(Debug)]
pub(crate) struct RunningMark {
    path: PathBuf,
    _file: File,
}

impl RunningMark {
    /// Takes the mark away: the store knows how the run ended.
    pub(crate) fn take_away(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
