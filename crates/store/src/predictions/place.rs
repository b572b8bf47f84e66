//! Folders of the log. Links in them are neither followed nor taken away: they may lead out of the home.

use std::fs::{DirEntry, File};
use std::io;
use std::path::Path;

use crate::error::{Error, Result};

/// Levels above the folder of a version that belong to the log: the model, and all models.
const OWN_LEVELS: usize = 3;

/// Makes a folder, and brings its name to disk. A link on the way is refused.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    if let Some(link) = folder.ancestors().take(OWN_LEVELS).find(|above| above.is_symlink()) {
        let why = format!("a link stands where the log keeps a folder of its own ({}); take it away", link.display());
        return Err(io::Error::other(why));
    }
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    folder.ancestors().skip(1).take(OWN_LEVELS).for_each(sync_folder);
    Ok(())
}

/// Brings the names of a folder to disk. Where folders cannot be synced, there is nothing to wait for.
pub(super) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// What is in a folder; nothing where it is not there or is a link.
pub(super) fn entries(folder: &Path) -> Result<Vec<DirEntry>> {
    if folder.is_symlink() {
        return Ok(Vec::new());
    }
    let told = |e| Error::file(folder, "the folder cannot be read")(e);
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.collect::<io::Result<_>>().map_err(told),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(e) => Err(told(e)),
    }
}

pub(super) fn is_file(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|t| t.is_file())
}

pub(super) fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|t| t.is_dir())
}

/// The names of the folders in a folder, in their order.
pub(super) fn folders(folder: &Path) -> Result<Vec<String>> {
    let entries = entries(folder)?;
    let mut names: Vec<String> =
        entries.iter().filter(|e| is_folder(e)).filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Whether a file is one that was not completed.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with(".tabwright-") && name.ends_with(".part")
}
