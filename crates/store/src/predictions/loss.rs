//! Predictions that could not be logged: how many there were, when and why, so that a gap in the log has an explanation.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Predictions, place};
use crate::error::{Error, Result};
use crate::time::Micros;

/// The file, in the folder of the model: a JSON object in each line.
const FILE: &str = "losses.jsonl";
/// Bytes that are read of it, at most.
const LARGEST: u64 = 16 << 20;

/// Predictions of a version that were made and not logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The version.
    pub version: String,
    /// When the first was lost, about.
    pub from: Micros,
    /// When the last was.
    pub to: Micros,
    /// How many there were.
    pub rows: u64,
    /// What went wrong.
    pub why: String,
}

impl Predictions {
    /// Notes that predictions were lost.
    ///
    /// # Errors
    /// If that cannot be written either.
    pub fn note_loss(&self, loss: &Loss) -> Result<()> {
        let path = self.folder.join(FILE);
        let told = |e| Error::file(&path, "lost predictions cannot be noted")(e);
        let mut line = serde_json::to_vec(loss).map_err(|e| Error::Invalid(e.to_string()))?;
        line.push(b'\n');
        let write = || {
            place::make_folder(&self.folder)?;
            if path.is_symlink() {
                return Err(std::io::Error::other("a link stands in its place"));
            }
            let mut file = File::options().create(true).append(true).open(&path)?;
            file.lock()?;
            let before = file.metadata()?.len();
            let written = file.write_all(&line).and_then(|()| file.sync_all());
            if written.is_err() {
                // No half line is left that the next one would be glued to.
                let _ = file.set_len(before);
            }
            written
        };
        write().map_err(told)
    }

    /// The losses that lie in a window at least in part, in the order in which they were noted. Lines that are none are passed over.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn losses(&self, from: Micros, to: Micros) -> Result<Vec<Loss>> {
        let mut losses = read(&self.folder.join(FILE))?;
        losses.retain(|loss| loss.to >= from && loss.from < to);
        Ok(losses)
    }
}

fn parse(text: &str) -> Vec<Loss> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The losses of a file; of one that is too large those at its end.
fn last_lines(file: &mut File) -> std::io::Result<Vec<Loss>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LARGEST)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(parse(&String::from_utf8_lossy(&bytes)))
}

fn read(path: &Path) -> Result<Vec<Loss>> {
    if path.is_symlink() {
        return Ok(Vec::new());
    }
    match File::open(path) {
        Ok(mut file) => last_lines(&mut file).map_err(Error::file(path, "it cannot be read")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::file(path, "it cannot be read")(e)),
    }
}

/// Forgets what was lost before a moment. Others who note losses wait for it.
pub(super) fn forget(folder: &Path, until: Micros) -> Result<()> {
    let path = folder.join(FILE);
    if read(&path)?.iter().all(|loss| loss.to >= until) {
        return Ok(());
    }
    let rewrite = || {
        let mut file = File::options().read(true).append(true).open(&path)?;
        file.lock()?;
        let kept = last_lines(&mut file)?.into_iter().filter(|loss| loss.to >= until);
        let lines: Vec<String> = kept.filter_map(|loss| serde_json::to_string(&loss).ok()).collect();
        file.set_len(0)?;
        file.rewind()?;
        lines.iter().try_for_each(|line| writeln!(file, "{line}"))
    };
    rewrite().map_err(Error::file(&path, "old losses cannot be forgotten"))
}
