//! How the file of SQLite is opened: for reading and writing, or for reading alone, where the file or its folder cannot be
//! written.
//!
//! With write-ahead logging, even who reads needs two files beside the database: the log (`-wal`) and its index (`-shm`). They are
//! there while somebody works in the home, and after a crash; else they would have to be made.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// For reading and writing; it is made where it is not there.
    Write,
    /// For reading, with the log and its index that are there.
    Read,
    /// For reading the file alone: no log is beside it, so nobody writes at this moment. Whoever begins to, writes to a log first.
    ReadStill,
}

impl Access {
    /// How the file of a path can be opened.
    ///
    /// # Errors
    /// [`Error::Open`] where the file alone does not say what is stored, and the log beside it cannot be read by those who may not
    /// write.
    pub(super) fn to(path: &Path) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        if !path.exists() || (can_write(path) && can_write(folder)) {
            return Ok(Access::Write);
        }
        let log = beside(path, "-wal").metadata().ok().map(|m| m.len());
        Access::without_leave_to_write(log, beside(path, "-shm").exists()).ok_or_else(|| Error::Open {
            place: path.display().to_string(),
            why: "it can only be read here, and the log beside it (-wal) holds what is not in it yet. Let somebody who may write \
                  there run a command, such as `tabwright runs list`; or copy the whole folder, and name the copy with \
                  TABWRIGHT_HOME"
                .into(),
        })
    }

    /// `log` is the length of the log, if there is one. Nothing: there is no way.
    fn without_leave_to_write(log: Option<u64>, has_index: bool) -> Option<Self> {
        match (log, has_index) {
            (Some(_), true) => Some(Access::Read),
            (None | Some(0), _) => Some(Access::ReadStill),
            (Some(_), false) => None,
        }
    }

    /// What the URL of the file ends with.
    pub(super) fn query(self) -> &'static str {
        match self {
            Access::Write => "?mode=rwc",
            Access::Read => "?mode=ro",
            Access::ReadStill => "?mode=ro&immutable=1",
        }
    }
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(extension);
    path.with_file_name(name)
}

/// Whether the system lets this process write to a file or a folder. The file is not opened for that: closing it would lift the
/// locks that SQLite holds on it.
#[cfg(unix)]
fn can_write(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Whether a file or a folder is not marked as one to be read alone.
#[cfg(not(unix))]
fn can_write(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| !m.permissions().readonly())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_reads_looks_at_the_log_where_there_is_one() {
        for (log, has_index, expected) in [
            (None, false, Some(Access::ReadStill)),
            (None, true, Some(Access::ReadStill)),
            (Some(0), false, Some(Access::ReadStill)),
            (Some(0), true, Some(Access::Read)),
            (Some(4_152), true, Some(Access::Read)),
            (Some(4_152), false, None),
        ] {
            assert_eq!(Access::without_leave_to_write(log, has_index), expected, "{log:?}, {has_index}");
        }
    }

    #[test]
    fn what_is_not_there_yet_and_what_is_ours_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tabwright.db");
        assert_eq!(Access::to(&path).unwrap(), Access::Write);
        std::fs::write(&path, "").unwrap();
        assert_eq!(Access::to(&path).unwrap(), Access::Write);
    }
}
