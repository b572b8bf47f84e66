//! The beginning of a CSV: encoding, dialect and the names of the columns.

use encoding_rs::WINDOWS_1252;
use tabwright_core::Schema;

use crate::decode::{Choice, TextSource};
use crate::error::{Place, shown};
use crate::{Error, Input, ReadOptions, Result};

use super::dialect;
use super::walk::Dialect;

/// Bytes of text that are looked at first.
const SAMPLE: usize = 256 * 1024;

/// Bytes of text that are looked at if the first ones hold few records.
const ENOUGH: usize = 4 << 20;

/// Bytes of text that are looked at if the first ones hold hardly any record.
const LARGEST_SAMPLE: usize = 64 << 20;

/// Records that a sample should hold.
const RECORDS: usize = 20;

/// How a CSV file is to be read.
#[derive(Debug, Clone)]
pub(crate) struct CsvFile {
    /// The file.
    pub(crate) input: Input,
    /// How it is written.
    pub(crate) dialect: Dialect,
    /// Whether the first record names the columns.
    pub(crate) header: bool,
    /// The names of the columns.
    pub(crate) names: Vec<String>,
    /// The encoding to open it with.
    pub(crate) choice: Choice,
    /// Its name, for people.
    pub(crate) encoding: &'static str,
    /// Whether the encoding is a guess because the bytes are not UTF-8.
    pub(crate) fell_back: bool,
}

impl CsvFile {
    /// Looks at the beginning of a file. `choice` overrides what the options say of the encoding.
    ///
    /// # Errors
    /// If the file cannot be read, is empty or no text, or names a column twice.
    pub(crate) fn open(input: &Input, options: &ReadOptions, choice: Option<Choice>) -> Result<Self> {
        check(options)?;
        let asked = Choice::named(options.encoding.as_deref())?;
        let choice = choice.unwrap_or(asked);
        let mut size = SAMPLE;
        loop {
            let mut source = TextSource::open(input, choice)?;
            let mut bytes = Vec::new();
            let more = source.fill(&mut bytes, size)?;
            let text = match checked(&bytes, more) {
                Ok(text) => text,
                Err(_) if choice == Choice::Detect => return CsvFile::open(input, options, Some(Choice::fallback())),
                Err(at) => return Err(not_utf8(input.name(), &bytes, at)),
            };
            let dialect = dialect::detect(text, !more, options);
            // One more than is allowed, for a delimiter at the end of each line, which makes no column.
            let sample = dialect::sample(text, !more, dialect, options.most_columns.saturating_add(1));
            if sample.is_too_wide {
                options.check_width(input.name(), usize::MAX)?;
            }
            let records = sample.records.len();
            if more && ((records < RECORDS && size < ENOUGH) || (records < 3 && size < LARGEST_SAMPLE)) {
                size *= 8;
                continue;
            }
            if sample.records.is_empty() {
                return Err(Error::unreadable(Place::file(input.name()), "the file has nothing but blank lines"));
            }
            let header = options.header.unwrap_or_else(|| dialect::has_header(&sample));
            let names = names(&sample.records, header);
            options.check_width(input.name(), names.len())?;
            refuse_twins(input.name(), &names)?;
            let encoding = source.encoding();
            let fell_back = asked == Choice::Detect && encoding == WINDOWS_1252.name();
            return Ok(CsvFile { input: input.clone(), dialect, header, names, choice, encoding, fell_back });
        }
    }
}

/// Refuses characters that cannot separate or enclose cells.
fn check(options: &ReadOptions) -> Result<()> {
    let usable = |b: u8| b.is_ascii() && !matches!(b, b'\n' | b'\r' | 0) && !b.is_ascii_alphanumeric();
    for (what, byte) in [("delimiter", options.delimiter), ("quote", options.quote)] {
        if let Some(byte) = byte.filter(|b| !usable(*b)) {
            let found = (byte as char).escape_default();
            return Err(Error::Usage(format!("`{found}` cannot be a {what}; use a sign such as , ; | or a tab")));
        }
    }
    if options.delimiter.is_some() && options.delimiter == options.quote {
        return Err(Error::Usage("delimiter and quote are the same character; they must differ".into()));
    }
    Ok(())
}

/// The text, without a character that the sample cuts off; else the position of what is not UTF-8.
pub(crate) fn checked(bytes: &[u8], is_cut: bool) -> std::result::Result<&str, usize> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) if is_cut && error.error_len().is_none() => {
            Ok(std::str::from_utf8(&bytes[..error.valid_up_to()]).expect("invariant: valid up to here"))
        }
        Err(error) => Err(error.valid_up_to()),
    }
}

/// The error for bytes that are not UTF-8, with positions counted from the start of `bytes`.
pub(crate) fn not_utf8(file: &str, bytes: &[u8], at: usize) -> Error {
    let line = 1 + memchr::memchr_iter(b'\n', &bytes[..at]).count() as u64;
    Error::Encoding { place: Place::line(file, line), offset: at as u64, encoding: "UTF-8".into() }
}

fn names(records: &[Vec<(String, bool)>], header: bool) -> Vec<String> {
    let name = |(i, (text, _)): (usize, &(String, bool))| match text.trim() {
        text if header && !text.is_empty() => text.to_owned(),
        _ => format!("column_{}", i + 1),
    };
    let mut names: Vec<String> = records[0].iter().enumerate().map(name).collect();
    // A delimiter at the end of each line makes no column.
    let last = names.len() - 1;
    let is_empty = |record: &Vec<(String, bool)>| record.get(last).is_none_or(|(text, _)| text.trim().is_empty());
    if last > 0 && records.iter().all(is_empty) {
        names.pop();
    }
    names
}

pub(crate) fn refuse_twins(file: &str, names: &[String]) -> Result<()> {
    let fields = names.iter().map(|n| tabwright_core::Field::feature(n.clone(), tabwright_core::Kind::Float));
    match Schema::new(fields.collect()) {
        Ok(_) => Ok(()),
        Err(tabwright_core::Error::DuplicateColumn { name, first, second }) => Err(Error::Table {
            file: file.to_owned(),
            source: tabwright_core::Error::DuplicateColumn { name: shown(&name), first, second },
        }),
        Err(source) => Err(Error::Table { file: file.to_owned(), source }),
    }
}
