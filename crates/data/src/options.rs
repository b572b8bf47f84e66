//! What a caller may say about the files that are read.

use std::collections::BTreeMap;

use tabwright_core::{Kind, Role};

use crate::{Error, Format, Result};

/// Columns of a file, at most, unless more are allowed: twenty times as many as the widest tables that people train on, and few
/// enough that names and cells of one record fit in memory.
const MOST_COLUMNS: usize = 100_000;

/// How files are read. Whatever is not said is detected.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadOptions {
    /// The format of every file; absent: by name, else by content.
    pub format: Option<Format>,
    /// What separates the cells of a CSV; absent: `,`, `;`, tab or `|`, whichever fits.
    pub delimiter: Option<u8>,
    /// What encloses cells of a CSV; absent: `"`, or `'` where that fits better.
    pub quote: Option<u8>,
    /// Whether the first line of a CSV names the columns.
    pub header: Option<bool>,
    /// Encoding of text, by its usual name; absent: by byte order mark, else UTF-8, else Windows-1252 with a warning.
    pub encoding: Option<String>,
    /// Tokens that mean "missing" in every column.
    pub na: Vec<String>,
    /// Kinds of columns that are not to be inferred.
    pub types: BTreeMap<String, Kind>,
    /// Roles of columns; the others are features.
    pub roles: BTreeMap<String, Role>,
    /// Columns that are not read.
    pub drop: Vec<String>,
    /// Read these columns only, in the order of the file.
    pub columns: Option<Vec<String>>,
    /// Time zone (IANA name) in which timestamps without an offset are read.
    pub zone: String,
    /// Columns of a file, at most; a file with more is refused before they are held.
    pub most_columns: usize,
    /// Bytes of one batch of an Arrow file, unpacked, at most; absent: 100 times the size of the file, and 1 GB at least.
    pub most_batch_bytes: Option<u64>,
}

impl ReadOptions {
    /// Refuses files with more columns than are allowed.
    pub(crate) fn check_width(&self, file: &str, columns: usize) -> Result<()> {
        let most = self.most_columns;
        if columns <= most {
            return Ok(());
        }
        Err(Error::TooWide { file: file.to_owned(), most })
    }
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            format: None,
            delimiter: None,
            quote: None,
            header: None,
            encoding: None,
            na: Vec::new(),
            types: BTreeMap::new(),
            roles: BTreeMap::new(),
            drop: Vec::new(),
            columns: None,
            zone: "UTC".to_owned(),
            most_columns: MOST_COLUMNS,
            most_batch_bytes: None,
        }
    }
}

/// What was found out about the first file.
#[derive(Debug, Clone, PartialEq)]
pub struct Details {
    /// Its format.
    pub format: Format,
    /// What separates the cells, in a CSV.
    pub delimiter: Option<u8>,
    /// What encloses cells, in a CSV.
    pub quote: Option<u8>,
    /// Whether the first line names the columns, in a CSV.
    pub header: Option<bool>,
    /// The encoding, in a text format.
    pub encoding: Option<String>,
}

impl Details {
    /// Nothing but the format.
    pub(crate) fn of_format(format: Format) -> Self {
        Details { format, delimiter: None, quote: None, header: None, encoding: None }
    }
}
