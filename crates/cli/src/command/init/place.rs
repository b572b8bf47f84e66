//! A folder that appears when it is complete: it is put together beside its place and moved there. What is there already is
//! never touched.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tabwright_core::suggest;

use crate::error::Failure;

/// A folder that is being put together. Dropped before it is finished, nothing of it is left.
#[derive(Debug)]
pub(super) struct Building {
    /// Where it is put together.
    folder: PathBuf,
    /// Where it goes.
    goal: PathBuf,
    /// Whether an empty folder is there.
    is_there: bool,
}

impl Building {
    /// Begins a folder at a place where nothing is, or an empty folder.
    ///
    /// # Errors
    /// For a place that is taken, whose parent is not there, or that cannot be written to.
    pub(super) fn begin(goal: &Path) -> Result<Self, Failure> {
        let shown = goal.display();
        let goal = std::path::absolute(goal).map_err(|e| Failure::usage(format!("the folder `{shown}`: {e}")))?;
        let own = format!("init-{}", std::process::id());
        let (folder, is_there) = match std::fs::symlink_metadata(&goal) {
            Ok(_) if goal.is_dir() => {
                check_empty(&goal)?;
                (goal.join(format!(".{own}")), true)
            }
            Ok(_) => return Err(Failure::usage(format!("{shown} is there and is no folder; name another one"))),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let parent = goal.parent().unwrap_or(&goal);
                if !parent.is_dir() {
                    let parent = parent.display();
                    return Err(Failure::usage(format!("the folder {parent} is not there; make it first")));
                }
                let name = goal.file_name().unwrap_or_default().to_string_lossy();
                // File systems take names of 255 bytes.
                let name: String = name.chars().take(40).collect();
                (parent.join(format!(".{name}.{own}")), false)
            }
            Err(error) => return Err(Failure::failed(format!("{shown} cannot be made: {error}"))),
        };
        std::fs::create_dir(&folder).map_err(|e| Failure::failed(format!("{shown} cannot be made here: {e}")))?;
        Ok(Building { folder, goal, is_there })
    }

    /// Where it is put together.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where it goes.
    pub(super) fn goal(&self) -> &Path {
        &self.goal
    }

    /// Writes a file into it, and makes the folders above.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.make_room(name)?;
        std::fs::write(&path, text).map_err(|e| Failure::failed(format!("{name} cannot be written: {e}")))
    }

    /// Makes the folders above a file.
    pub(super) fn make_room(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.folder.join(name);
        let above = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(above)
            .map_err(|e| Failure::failed(format!("the folder of {name} cannot be made: {e}")))?;
        Ok(path)
    }

    /// Moves it to its place.
    ///
    /// # Errors
    /// If something has come there in the meantime, or it cannot be moved; then nothing of it is left.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let told =
            |e: std::io::Error| Failure::failed(format!("the project cannot be moved to {}: {e}", self.goal.display()));
        if !self.is_there {
            return std::fs::rename(&self.folder, &self.goal).map_err(told);
        }
        let mut moved = Vec::new();
        let done = self.move_into(&mut moved);
        if done.is_err() {
            // What was moved is ours, and was not there before.
            for path in moved {
                let _ = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            }
        }
        done.map_err(told)
    }

    fn move_into(&self, moved: &mut Vec<PathBuf>) -> std::io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let place = self.goal.join(entry.file_name());
            if place.symlink_metadata().is_ok() {
                return Err(std::io::Error::other(format!("{} is there by now", place.display())));
            }
            std::fs::rename(entry.path(), &place)?;
            moved.push(place);
        }
        Ok(())
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        // After a move to its place it is not there any more.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Files in the way that are named.
const NAMED: usize = 5;

fn check_empty(folder: &Path) -> Result<(), Failure> {
    let shown = folder.display();
    let entries =
        std::fs::read_dir(folder).map_err(|e| Failure::failed(format!("the folder {shown} cannot be read: {e}")))?;
    let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    if names.is_empty() {
        return Ok(());
    }
    let more = names.len().saturating_sub(NAMED);
    let found = suggest::shorten(names.iter().take(NAMED).map(String::as_str));
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(Failure::usage(format!(
        "the folder {shown} is not empty: it has {found}{more}. Nothing was written; name a new folder, or an empty one"
    )))
}
