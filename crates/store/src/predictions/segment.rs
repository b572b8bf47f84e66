//! Segments: files of frames, each written by one process, which holds a lock on it for as long as it writes. The first frame is the
//! head, which says what the others are.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::frame::Frames;
use super::place;
use crate::error::{Error, Result};
use crate::id;
use crate::time::Micros;

/// What the names of segments end in.
const ENDING: &str = ".segment";
/// What is put behind the name of a segment of which something was damaged.
const DAMAGED: &str = "damaged";
/// Bytes of the name of a segment without its ending: a time, a hyphen and a number of its own.
pub(super) const STEM: usize = 33;
/// Version of what is written.
pub(super) const FORMAT: u32 = 1;

/// Makes files for a writer. Tests put disks in its place that fail.
pub(super) trait Disk: Send + Sync + std::fmt::Debug {
    /// Makes a file that nobody else has, locks it, and brings its name to disk.
    fn create(&self, folder: &Path, name: &str) -> io::Result<Box<dyn SegmentFile>>;
}

/// A file that is appended to.
pub(super) trait SegmentFile: Send {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Brings what was appended to disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Takes away what was appended beyond a length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Takes the file away: nothing but its head was ever whole.
    fn remove(&mut self) -> io::Result<()>;
}

/// The file system.
#[derive(Debug)]
pub(super) struct FileSystem;

impl Disk for FileSystem {
    fn create(&self, folder: &Path, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        place::make_folder(folder)?;
        let path = folder.join(name);
        let file = OpenOptions::new().create_new(true).append(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another process has locked a new segment")),
            // Where there are no locks, nobody knows which segments are given up: they stay what they are, and are read.
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(e)) => return Err(e),
        }
        // Between the two steps, a compaction may have found a segment that nobody holds, and taken it away.
        if !path.is_file() {
            return Err(io::Error::other("a new segment was taken away by another process"));
        }
        place::sync_folder(folder);
        Ok(Box::new(Locked { file, path }))
    }
}

/// A file with a lock on it, which the system lifts when the process ends, however it ends.
struct Locked {
    file: File,
    path: PathBuf,
}

impl SegmentFile for Locked {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn remove(&mut self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

/// A name that no other segment has; names are in the order of the times at which segments were opened.
pub(super) fn new_name(opened: Micros) -> Result<String> {
    Ok(format!("{:016x}-{}{ENDING}", opened.max(0), id::draw()?))
}

/// The stem of the name of a segment.
pub(super) fn stem(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(ENDING)?;
    let (time, own) = stem.split_once('-')?;
    let is_hex = |text: &str| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    (is_hex(time) && is_hex(own)).then_some(stem)
}

/// A segment of a folder.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) stem: String,
    file: File,
}

/// The segments of a folder, in the order in which they were opened. What is no file of that name is left alone.
pub(super) fn list(folder: &Path) -> Result<Vec<Segment>> {
    let mut found = Vec::new();
    for entry in place::entries(folder)?.into_iter().filter(place::is_file) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(stem) = stem(&name) else { continue };
        let path = entry.path();
        match File::open(&path) {
            Ok(file) => found.push(Segment { path, stem: stem.to_owned(), file }),
            // It became a part in the meantime.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::file(path, "the segment cannot be read")(e)),
        }
    }
    found.sort_by(|a, b| a.stem.cmp(&b.stem));
    Ok(found)
}

impl Segment {
    pub(super) fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |m| m.len())
    }

    /// All bytes up to a length, whatever a writer appends in the meantime.
    pub(super) fn read(&self, length: u64) -> Result<Vec<u8>> {
        let read = || {
            let mut file = self.file.try_clone()?;
            io::Seek::rewind(&mut file)?;
            let mut bytes = Vec::with_capacity(usize::try_from(length.min(self.size())).unwrap_or(0));
            file.take(length).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(Error::file(&self.path, "the segment cannot be read"))
    }

    /// Takes it over from a writer that has ended: locks it, and cuts what is behind the last whole frame. Nothing where it is
    /// being written, or somebody else takes it over.
    pub(super) fn take_over(&self) -> Result<Option<Taken>> {
        let told = |e| Error::file(&self.path, "the segment cannot be taken over")(e);
        let file = match OpenOptions::new().read(true).write(true).open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(told(e)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(told(e)),
        }
        if !self.path.is_file() {
            return Ok(None);
        }
        let mut bytes = self.read(u64::MAX)?;
        let mut frames = Frames::of(&bytes);
        frames.by_ref().for_each(drop);
        let (end, damaged) = (frames.end(), frames.damaged());
        let torn = bytes.len() - end;
        if torn > 0 {
            file.set_len(end as u64).and_then(|()| file.sync_data()).map_err(told)?;
            bytes.truncate(end);
        }
        Ok(Some(Taken { path: self.path.clone(), bytes, torn, damaged, _lock: file }))
    }
}

/// A segment whose writer has ended. Nobody else changes it while this is held.
#[derive(Debug)]
pub(super) struct Taken {
    path: PathBuf,
    pub(super) bytes: Vec<u8>,
    /// Bytes of a frame that was not written to its end.
    pub(super) torn: usize,
    /// Bytes of frames that were damaged later.
    pub(super) damaged: usize,
    _lock: File,
}

impl Taken {
    /// Takes it away, or aside where it was damaged, so that somebody can look at it.
    pub(super) fn remove(self) -> Result<()> {
        let done = match self.damaged {
            0 => std::fs::remove_file(&self.path),
            _ => std::fs::rename(&self.path, self.path.with_extension(DAMAGED)),
        };
        done.map_err(Error::file(&self.path, "the segment cannot be taken away"))?;
        if let Some(folder) = self.path.parent() {
            place::sync_folder(folder);
        }
        Ok(())
    }
}

/// The head of a segment, and its other frames. Nothing where its writer came no further.
///
/// # Errors
/// [`Error::Damaged`] where there are frames and the first of them is no head.
pub(super) fn open<'a, H: DeserializeOwned>(path: &Path, bytes: &'a [u8]) -> Result<Option<(H, Frames<'a>)>> {
    let mut frames = Frames::of(bytes);
    let Some(first) = frames.next() else { return Ok(None) };
    let damaged = |why: String| Error::Damaged { path: path.to_owned(), why };
    if frames.damaged() > 0 {
        return Err(damaged("the head of the segment is damaged, and nothing says what its frames are".into()));
    }
    let form: Form = serde_json::from_slice(first).unwrap_or_default();
    check_format(form.format).map_err(damaged)?;
    let read = serde_json::from_slice(first);
    let head = read.map_err(|e| damaged(format!("the head of the segment cannot be read: {e}")))?;
    Ok(Some((head, frames)))
}

/// What every head has, whatever else later versions put there.
#[derive(Default, Deserialize)]
struct Form {
    format: u32,
}

/// Says what is wrong with a form that a later version has written.
pub(super) fn check_format(format: u32) -> std::result::Result<(), String> {
    match format <= FORMAT {
        true => Ok(()),
        false => Err(format!(
            "it was written by a later version of Tabwright (its format is {format}, this one knows up to {FORMAT}); use that version"
        )),
    }
}
