//! What is kept between two runs: `alerts.json` in the folder of the model's predictions, and the lock beside it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tabwright_data::Destination;
use tabwright_monitor::alert::{Bound, Measure, Micros, Reading, State};

use crate::error::{Error, Result};

/// The file of the state.
pub const FILE: &str = "alerts.json";
/// What is locked while a run goes on. The state itself is replaced, and a lock would stay with what it was.
const LOCK: &str = "alerts.lock";
/// The form of the file.
const FORMAT: u32 = 1;
/// Largest state that is read: a thousand rules have less than a megabyte.
const LARGEST: u64 = 16 << 20;

/// What is known of one rule.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// What the rule was, so that another one of its name begins afresh.
    pub(super) measure: Option<Measure>,
    pub(super) bound: Option<Bound>,
    pub(super) window: Micros,
    pub(super) state: State,
    /// The last window that was judged.
    pub(super) last: Option<Reading>,
    /// When the clock was first found behind the last window.
    pub(super) behind: Option<Micros>,
}

#[derive(Serialize, Deserialize)]
struct Document<R> {
    format: u32,
    model: String,
    rules: R,
}

/// The state of a model's rules, locked.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    model: String,
    pub(super) rules: BTreeMap<String, Kept>,
    /// Lifted by the system when the process ends, however it ends.
    _lock: File,
}

impl StateFile {
    pub(super) fn open(folder: &Path, model: &str) -> Result<Self> {
        let lock = lock(folder, model)?;
        let path = folder.join(FILE);
        let rules = read(&path, model)?;
        Ok(StateFile { path, model: model.to_owned(), rules, _lock: lock })
    }

    pub(super) fn save(&self) -> Result<()> {
        let document = Document { format: FORMAT, model: self.model.clone(), rules: &self.rules };
        let write = || -> io::Result<()> {
            let mut file = Destination::create_file(&self.path)?;
            serde_json::to_writer(&mut file, &document)?;
            file.write_all(b"\n")?;
            file.finish()
        };
        write().map_err(|source| Error::Write {
            path: self.path.clone(),
            what: "the state of the alerts cannot be written",
            source,
        })
    }
}

fn lock(folder: &Path, model: &str) -> Result<File> {
    let path = folder.join(LOCK);
    let open = || {
        std::fs::create_dir_all(folder)?;
        OpenOptions::new().create(true).truncate(false).write(true).open(&path)
    };
    let cannot = |source| Error::Write { path: path.clone(), what: "the alerts cannot be locked", source };
    let file = open().map_err(cannot)?;
    let mut locked = file.try_lock();
    // A program that is being started holds what its parent had open until it runs: that is no other run.
    for _ in 0..20 {
        if !matches!(locked, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => Ok(file),
        // Where there are no locks, only the user can see to it that there is one run at a time.
        Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(e)) => Err(cannot(e)),
        Err(TryLockError::WouldBlock) => Err(Error::Data(format!(
            "another process is judging the alerts of {model}; wait until it has ended, or have one timer alone do it"
        ))),
    }
}

/// Reads a state; nothing where there is none.
pub(super) fn read(path: &Path, model: &str) -> Result<BTreeMap<String, Kept>> {
    let refuse = |why: &str| {
        Err(Error::Data(format!(
            "{}: this is not the state of the alerts of {model}: {why}; move it away, and every rule begins afresh (what goes on is \
             then told once more)",
            path.display()
        )))
    };
    let kind = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(e) => return refuse(&e.to_string()),
    };
    if !kind.is_file() {
        return refuse("it is no file");
    }
    let mut text = Vec::new();
    match File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text)) {
        Ok(_) if text.len() as u64 > LARGEST => return refuse("it is larger than any state"),
        Ok(_) => {}
        Err(e) => return refuse(&e.to_string()),
    }
    // The format decides what the rest means.
    let document = match serde_json::from_slice::<Document<serde_json::Value>>(&text) {
        Ok(document) => document,
        Err(e) if e.is_eof() => return refuse("it ends in the middle"),
        Err(e) => return refuse(&e.to_string()),
    };
    if document.format != FORMAT {
        return refuse(&format!("it has the format {}, and this version reads {FORMAT}", document.format));
    }
    if document.model != model {
        return refuse(&format!("it is that of {:?}", document.model));
    }
    match serde_json::from_value(document.rules) {
        Ok(rules) => Ok(rules),
        Err(e) => refuse(&e.to_string()),
    }
}
