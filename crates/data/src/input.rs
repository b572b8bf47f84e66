//! Where rows come from: names, globs, folders and standard input, resolved to files that can be read again and again.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use crate::destination::Temporary;
use crate::format::{Compression, Format};
use crate::{Error, Place, Result};

/// Bytes that are looked at to tell a format.
const HEAD: usize = 4096;

/// Bytes that a file is read by.
const BUFFER: usize = 256 * 1024;

/// One file of rows.
#[derive(Debug, Clone)]
pub struct Input {
    name: String,
    path: PathBuf,
    format: Format,
    compression: Compression,
    /// The bytes, where they lie in memory and not under the path.
    memory: Option<Bytes>,
    /// Keeps the copy of standard input until the last clone is gone.
    _spool: Option<Arc<Temporary>>,
}

impl Input {
    /// The name for messages: the path, or `-`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the bytes lie: the file itself, or the copy of standard input. Nowhere for bytes in memory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format that name and content tell.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How the bytes are packed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Bytes on disk.
    pub fn size(&self) -> u64 {
        if let Some(memory) = &self.memory {
            return memory.len() as u64;
        }
        std::fs::metadata(&self.path).map_or(0, |m| m.len())
    }

    fn of_file(path: PathBuf, name: String, spool: Option<Arc<Temporary>>) -> Result<Self> {
        let io = |source| Error::io(&name, "cannot be read", source);
        let mut head = Vec::with_capacity(HEAD);
        File::open(&path).map_err(io)?.take(HEAD as u64).read_to_end(&mut head).map_err(io)?;
        if Path::new(&name).extension().is_some_and(|e| e == "tw") {
            let message = "it is named like a model file; rows are needed here".to_owned();
            return Err(Error::Unreadable { place: Place::file(name), message });
        }
        if head.trim_ascii_start().starts_with(b"[") && path.extension().is_some_and(|e| e == "json") {
            let message = "it is a JSON array; JSON Lines are read, one object in a line (`jq -c '.[]'` makes them)";
            return Err(Error::Unreadable { place: Place::file(name), message: message.to_owned() });
        }
        let compression = Compression::of_content(&head);
        let by_name = if spool.is_some() { None } else { Format::of_path(&path).0 };
        let mut input = Input { name, path, format: Format::Csv, compression, memory: None, _spool: spool };
        if compression != Compression::None {
            head.clear();
            // A damaged archive is reported where it is read.
            let _ = input.open_bytes()?.reader.take(HEAD as u64).read_to_end(&mut head);
        }
        let by_content = Format::of_content(&head);
        // Binary formats have magic bytes that no text begins with; a name alone can be wrong.
        input.format = match by_name {
            Some(format) if format.is_text() && !by_content.is_text() => by_content,
            Some(format) => format,
            None => by_content,
        };
        Ok(input)
    }

    /// Opens the bytes as they lie.
    pub(crate) fn open_raw(&self) -> Result<Box<dyn ReadSeek>> {
        match &self.memory {
            Some(memory) => Ok(Box::new(Cursor::new(memory.clone()))),
            None => Ok(Box::new(self.open_file()?)),
        }
    }

    /// Opens the file as it lies on disk.
    pub(crate) fn open_file(&self) -> Result<File> {
        File::open(&self.path).map_err(|e| Error::io(&self.name, "cannot be read", e))
    }

    /// Opens the content, unpacked.
    pub(crate) fn open_bytes(&self) -> Result<Content> {
        let file = self.open_raw()?;
        if self.compression == Compression::None {
            return Ok(Content { reader: file, taken: None });
        }
        let taken = Arc::new(AtomicU64::new(0));
        let file = BufReader::with_capacity(BUFFER, Counted { file, taken: Arc::clone(&taken) });
        let reader: Box<dyn Read + Send> = match self.compression {
            Compression::Zstd => {
                let decoder = zstd::Decoder::with_buffer(file);
                Box::new(decoder.map_err(|e| Error::io(&self.name, "cannot be unpacked", e))?)
            }
            _ => Box::new(MultiGzDecoder::new(file)),
        };
        Ok(Content { reader, taken: Some(taken) })
    }
}

/// What can be read from any place.
pub(crate) trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// Bytes that come from outside, to be read like those of a file: in memory while they are few, in a temporary file beyond.
#[derive(Debug)]
pub struct Spool {
    in_memory: usize,
    memory: Vec<u8>,
    file: Option<Temporary>,
    size: u64,
}

impl Spool {
    /// Begins; `in_memory` bytes at most are held in memory.
    pub fn new(in_memory: usize) -> Self {
        Spool { in_memory, memory: Vec::new(), file: None, size: 0 }
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads the bytes from the first one.
    ///
    /// # Errors
    /// If the temporary file cannot be read.
    pub fn reader(&mut self) -> io::Result<Box<dyn Read + '_>> {
        self.flush()?;
        Ok(match &self.file {
            Some(file) => Box::new(File::open(file.path())?),
            None => Box::new(&self.memory[..]),
        })
    }

    /// Ends: the bytes are now rows of a format, unpacked. `name` is for messages.
    pub fn into_input(self, name: &str, format: Format) -> Input {
        let (path, memory) = match &self.file {
            Some(file) => (file.path().to_owned(), None),
            None => (PathBuf::new(), Some(Bytes::from(self.memory))),
        };
        let spool = self.file.map(Arc::new);
        Input { name: name.to_owned(), path, format, compression: Compression::None, memory, _spool: spool }
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() && self.memory.len() + bytes.len() > self.in_memory {
            let mut file = Temporary::create(tempfile::Builder::new().prefix("tabwright-rows-"), None)?;
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None => self.memory.extend_from_slice(bytes),
        }
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// The unpacked content of a file.
pub(crate) struct Content {
    /// Reads it.
    pub(crate) reader: Box<dyn Read + Send>,
    /// Bytes that were taken from the disk so far, where they are others than those that were read.
    pub(crate) taken: Option<Arc<AtomicU64>>,
}

/// A file that counts what is read from it.
struct Counted {
    file: Box<dyn ReadSeek>,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Resolves what a user names (a file, several, a glob, a folder whose files are all of one format, or `-` for standard
/// input) to files, in the order given; globs and folders in the order of their names.
///
/// Standard input is copied to a temporary file first, so that it can be read more than once.
///
/// # Errors
/// [`Error::NotFound`] for a name that is none, [`Error::Usage`] if nothing is named or the formats differ,
/// [`Error::Io`] if a file cannot be opened.
pub fn resolve_inputs(names: &[String]) -> Result<Vec<Input>> {
    if names.is_empty() {
        return Err(Error::Usage("no data is named; give a file, a glob, a folder, or - for standard input".into()));
    }
    let mut inputs = Vec::new();
    for name in names {
        resolve(name, &mut inputs)?;
    }
    if let Some(other) = inputs.iter().find(|i: &&Input| i.format != inputs[0].format) {
        return Err(Error::Usage(format!(
            "{} is {} and {} is {}; files that are read together must be of one format",
            inputs[0].name, inputs[0].format, other.name, other.format
        )));
    }
    Ok(inputs)
}

fn resolve(name: &str, inputs: &mut Vec<Input>) -> Result<()> {
    if name == "-" {
        if inputs.iter().any(|i| i.name == "-") {
            return Err(Error::Usage("standard input (`-`) can be named only once".into()));
        }
        let spool = spool(io::stdin().lock()).map_err(|e| Error::io("-", "standard input cannot be copied", e))?;
        inputs.push(Input::of_file(spool.path().to_owned(), "-".into(), Some(Arc::new(spool)))?);
        return Ok(());
    }
    let path = Path::new(name);
    if path.is_dir() {
        let files = files_of(path)?;
        if files.is_empty() {
            return Err(Error::Usage(format!(
                "{name}: the folder has no data files (.csv, .jsonl, .parquet, .arrow …)"
            )));
        }
        for file in files {
            let name = file.display().to_string();
            inputs.push(Input::of_file(file, name, None)?);
        }
        return Ok(());
    }
    if path.is_file() {
        inputs.push(Input::of_file(path.to_owned(), name.to_owned(), None)?);
        return Ok(());
    }
    if path.exists() {
        // A pipe or a device gives its bytes only once.
        let io = |e| Error::io(name, "cannot be copied", e);
        let spool = spool(File::open(path).map_err(io)?).map_err(io)?;
        inputs.push(Input::of_file(spool.path().to_owned(), name.to_owned(), Some(Arc::new(spool)))?);
        return Ok(());
    }
    let not_found = || Error::NotFound { path: name.to_owned() };
    if !name.contains(['*', '?', '[']) {
        return Err(not_found());
    }
    let found = glob::glob(name).map_err(|e| Error::Usage(format!("`{name}` is not a valid glob: {e}")))?;
    let mut files: Vec<PathBuf> = found.filter_map(std::result::Result::ok).filter(|p| p.is_file()).collect();
    files.sort();
    if files.is_empty() {
        return Err(not_found());
    }
    for file in files {
        let name = file.display().to_string();
        inputs.push(Input::of_file(file, name, None)?);
    }
    Ok(())
}

/// The data files of a folder, by name. Hidden files and marks such as `_SUCCESS` are passed over.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |e| Error::io(folder.display().to_string(), "the folder cannot be read", e);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let is_data = Format::of_path(&path).0.is_some() && !name.starts_with(['.', '_']);
        if is_data && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn spool(mut source: impl Read) -> io::Result<Temporary> {
    let mut file = Temporary::create(tempfile::Builder::new().prefix("tabwright-stdin-"), None)?;
    io::copy(&mut source, &mut file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(inputs: &[Input]) -> Vec<String> {
        inputs.iter().map(|i| i.path().file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn files_globs_and_folders_are_resolved_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        for name in ["b.csv", "a.csv", "_SUCCESS", ".hidden.csv", "notes.md"] {
            std::fs::write(at(name), "x\n1\n").unwrap();
        }
        assert_eq!(names(&resolve_inputs(&[folder.path().display().to_string()]).unwrap()), ["a.csv", "b.csv"]);
        assert_eq!(names(&resolve_inputs(&[at("*.csv")]).unwrap()).last().unwrap(), "b.csv");
        assert_eq!(names(&resolve_inputs(&[at("b.csv"), at("a.csv")]).unwrap()), ["b.csv", "a.csv"]);
        assert!(matches!(resolve_inputs(&[at("c*.csv")]), Err(Error::NotFound { .. })));
        assert!(matches!(resolve_inputs(&[at("none.csv")]), Err(Error::NotFound { .. })));
        assert!(resolve_inputs(&[]).unwrap_err().is_usage());
    }

    #[test]
    fn mixed_formats_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.csv"), "x\n1\n").unwrap();
        std::fs::write(folder.path().join("b.jsonl"), "{\"x\": 1}\n").unwrap();
        let error = resolve_inputs(&[folder.path().display().to_string()]).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains("one format"), "{error}");
    }

    #[test]
    fn content_tells_what_a_name_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        std::fs::write(&path, "{\"x\": 1}\n").unwrap();
        let name = path.display().to_string();
        assert_eq!(resolve_inputs(std::slice::from_ref(&name)).unwrap()[0].format(), Format::Jsonl);
        let mut gz = flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
        gz.write_all(b"{\"x\": 1}\n").unwrap();
        gz.finish().unwrap();
        let input = &resolve_inputs(&[name]).unwrap()[0];
        assert_eq!((input.format(), input.compression()), (Format::Jsonl, Compression::Gzip));
    }

    #[test]
    fn bytes_from_outside_are_read_like_a_file_wherever_they_lie() {
        for in_memory in [100, 2] {
            let mut spool = Spool::new(in_memory);
            spool.write_all(b"x\n").unwrap();
            spool.write_all(b"1\n").unwrap();
            assert_eq!(spool.size(), 4);
            let input = spool.into_input("body", Format::Csv);
            assert_eq!((input.size(), input.path().as_os_str().is_empty()), (4, in_memory == 100));
            let path = input.path().to_owned();
            for _ in 0..2 {
                let mut text = String::new();
                input.open_bytes().unwrap().reader.read_to_string(&mut text).unwrap();
                assert_eq!(text, "x\n1\n");
            }
            drop(input);
            assert!(!path.exists());
        }
    }

    #[test]
    fn standard_input_is_copied_so_that_it_can_be_read_again() {
        let spool = spool(&b"x\n1\n"[..]).unwrap();
        let input = Input::of_file(spool.path().to_owned(), "-".into(), Some(Arc::new(spool))).unwrap();
        for _ in 0..2 {
            let mut text = String::new();
            input.open_bytes().unwrap().reader.read_to_string(&mut text).unwrap();
            assert_eq!(text, "x\n1\n");
        }
    }
}
