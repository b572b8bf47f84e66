//! Model files: read whole and checked, written beside their place and moved there in one step.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use tabwright_model::artifact::Artifact;

use crate::error::{Error, Result};

/// A model file above this size is refused before it is read: no model here comes near it.
const LARGEST: u64 = 16 << 30;

/// Reads and checks a model file.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Artifact`] if it is none, damaged or too new.
pub fn load(path: &Path) -> Result<Artifact> {
    let io = |source| Error::Io { path: path.to_owned(), what: "the model cannot be read", source };
    let metadata = std::fs::metadata(path).map_err(io)?;
    if metadata.is_dir() {
        return Err(io(std::io::Error::other("it is a folder; name the model file in it")));
    }
    if metadata.len() > LARGEST {
        return Err(io(std::io::Error::other(format!("it has {} bytes, too many for a model", metadata.len()))));
    }
    let bytes = std::fs::read(path).map_err(io)?;
    Artifact::from_bytes(&bytes).map_err(|source| Error::Artifact { path: path.to_owned(), source })
}

/// Writes a model file. The old file of that name stays whole until the new one is complete and on disk.
///
/// # Errors
/// [`Error::Io`] if the folder is not there, not writable or full.
pub fn save(artifact: &Artifact, path: &Path) -> Result<()> {
    let mut file = BufWriter::new(temporary(path, "the model cannot be written here")?);
    let full = "the model could not be written; what was there before is kept";
    let io = |source| Error::Io { path: path.to_owned(), what: full, source };
    artifact.write_to(&mut file).map_err(|e| match e {
        tabwright_model::Error::Write(source) => io(source),
        other => other.into(),
    })?;
    let file = file.into_inner().map_err(|e| io(e.into_error()))?;
    place(file, path, "the model could not be moved to its place")
}

/// Checks that a model can be written to a path, before hours are spent on it.
///
/// # Errors
/// [`Error::Io`] with what stands in the way.
pub fn check_writable(path: &Path) -> Result<()> {
    temporary(path, "the model cannot be written here").map(drop)
}

/// A file beside the place where it will stand.
pub(crate) fn temporary(path: &Path, what: &'static str) -> Result<tempfile::NamedTempFile> {
    let io = |source| Error::Io { path: path.to_owned(), what, source };
    if path.is_dir() {
        return Err(io(std::io::Error::other("it is a folder; name a file in it")));
    }
    tempfile::Builder::new().prefix(".tabwright-").suffix(".part").tempfile_in(folder_of(path)).map_err(io)
}

/// Brings a complete file to disk and moves it to its place in one step.
pub(crate) fn place(file: tempfile::NamedTempFile, path: &Path, what: &'static str) -> Result<()> {
    let io = |source| Error::Io { path: path.to_owned(), what, source };
    file.as_file().sync_all().map_err(io)?;
    set_readable(file.as_file());
    file.persist(path).map_err(|e| io(e.error))?;
    // The name is on disk only when its folder is; where folders cannot be synced, there is nothing to wait for.
    if let Ok(folder) = File::open(folder_of(path)) {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Temporary files are private; a model is as readable as any file that the user makes.
fn set_readable(file: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = file.set_permissions(std::fs::Permissions::from_mode(0o644));
    }
    #[cfg(not(unix))]
    let _ = file;
}
