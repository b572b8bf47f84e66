//! Model files: read whole and checked, written beside their place and moved there in one step.

use std::io::Write;
use std::path::Path;

use tabwright_data::{Destination, Input};
use tabwright_model::artifact::Artifact;

use crate::error::{Error, Result};

/// A model file above this size is refused before it is read: no model here comes near it.
const LARGEST: u64 = 16 << 30;

/// Reads and checks a model file.
///
/// # Errors
/// [`Error::Read`] if it cannot be read, [`Error::Artifact`] if it is none, damaged or too new.
pub fn load(path: &Path) -> Result<Artifact> {
    let io = |source| Error::Read { path: path.to_owned(), source };
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
/// [`Error::Write`] if the folder is not there, not writable or full.
pub fn save(artifact: &Artifact, path: &Path) -> Result<()> {
    let full = "the model could not be written; what was there before is kept";
    let mut file = create(path, "the model cannot be written here")?;
    artifact.write_to(&mut file).map_err(|e| match e {
        tabwright_model::Error::Write(source) => Error::Write { path: path.to_owned(), what: full, source },
        other => other.into(),
    })?;
    file.finish().map_err(|source| Error::Write { path: path.to_owned(), what: full, source })
}

/// Whether two names mean one file. Standard streams and devices are files of their own each time.
pub fn is_same(a: &str, b: &str) -> bool {
    let place = |name: &str| {
        let path = Path::new(name);
        if name == "-" || (path.exists() && !path.is_file()) {
            return None;
        }
        path.canonicalize().ok().or_else(|| {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Some(folder.canonicalize().ok()?.join(path.file_name()?))
        })
    };
    matches!((place(a), place(b)), (Some(a), Some(b)) if a == b)
}

/// Refuses an output that is one of the files that are read, or another output.
///
/// # Errors
/// [`Error::Config`] names both.
pub fn check_apart(outputs: &[(&str, &str)], inputs: &[Input]) -> Result<()> {
    for (i, (what, output)) in outputs.iter().enumerate() {
        if inputs.iter().any(|input| is_same(output, &input.path().to_string_lossy())) {
            return Err(Error::Config(format!("{what} would replace {output}, which is read; give another name")));
        }
        if let Some((other, _)) = outputs[..i].iter().find(|(_, name)| is_same(output, name)) {
            return Err(Error::Config(format!("{what} and {other} would both be {output}; give one another name")));
        }
    }
    Ok(())
}

/// Checks that a model can be written to a path, before hours are spent on it.
///
/// # Errors
/// [`Error::Write`] with what stands in the way.
pub fn check_writable(path: &Path) -> Result<()> {
    create(path, "the model cannot be written here").map(drop)
}

/// Writes a text. The old file of that name stays whole until the new one is complete.
///
/// # Errors
/// [`Error::Write`] with `what` was tried.
pub fn write_text(path: &Path, text: &str, what: &'static str) -> Result<()> {
    let mut file = create(path, what)?;
    let done = file.write_all(text.as_bytes()).and_then(|()| file.finish());
    done.map_err(|source| Error::Write { path: path.to_owned(), what, source })
}

/// A file that appears at a path when it is complete.
pub(crate) fn create(path: &Path, what: &'static str) -> Result<Destination> {
    Destination::create_file(path).map_err(|source| Error::Write { path: path.to_owned(), what, source })
}
