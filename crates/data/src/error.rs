//! The errors of this crate: each says what was found, in which file, line and column, and how to mend it.

use std::fmt;

/// Where in a file something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// A line of a text file, from 1.
    Line(u64),
    /// A row of a binary file, from 1.
    Row(u64),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::Line(n) => write!(f, "line {n}"),
            Position::Row(n) => write!(f, "row {n}"),
        }
    }
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// The line or row, where it is about one.
    pub position: Option<Position>,
    /// The column, where it is about one.
    pub column: Option<String>,
}

impl Place {
    /// A file as a whole.
    pub fn file(file: impl Into<String>) -> Self {
        Place { file: file.into(), position: None, column: None }
    }

    /// A line of a file, from 1.
    pub fn line(file: impl Into<String>, line: u64) -> Self {
        Place { file: file.into(), position: Some(Position::Line(line)), column: None }
    }

    /// The same place, in a column.
    #[must_use]
    pub fn in_column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(position) = self.position {
            write!(f, ", {position}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column `{column}`")?;
        }
        Ok(())
    }
}

/// What can go wrong while rows are read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// There is no such file or folder.
    #[error("{path}: no such file or folder; check the name, or quote a glob so that the shell leaves it alone")]
    NotFound {
        /// The name that was given.
        path: String,
    },
    /// The system refused to read or write.
    #[error("{file}: {what}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file cannot be written: the disk is full, the folder closed, the reader of a pipe gone.
    #[error("{file}: {what}: {source}")]
    Write {
        /// The file.
        file: String,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The content of a file is not what it should be.
    #[error("{place}: {message}")]
    Unreadable {
        /// Where.
        place: Place,
        /// What was found and how to mend it.
        message: String,
    },
    /// A file has more columns than are read.
    #[error("{file}: it has more than {most} columns, which is the most that is read; is it a table?")]
    TooWide {
        /// The file.
        file: String,
        /// The most columns.
        most: usize,
    },
    /// A cell cannot be read as the kind that its column has.
    #[error("{place}: `{found}` is {problem}; {advice}")]
    Cell {
        /// Where.
        place: Box<Place>,
        /// The text of the cell, shortened.
        found: String,
        /// Such as "not a number".
        problem: String,
        /// How to mend it.
        advice: String,
    },
    /// The bytes are not text in the encoding that is assumed or asked for.
    #[error(
        "{place}: the bytes at offset {offset} are not {encoding}; name the encoding (such as `--encoding latin1`)"
    )]
    Encoding {
        /// Where.
        place: Place,
        /// Bytes before the first that is wrong.
        offset: u64,
        /// The encoding that does not allow them.
        encoding: String,
    },
    /// Columns that are needed are not there.
    #[error("{file}: {} missing: {}; the file has: {available}", if names.len() == 1 { "a needed column is" } else { "needed columns are" }, names.join(", "))]
    MissingColumns {
        /// The file.
        file: String,
        /// The names of all that are missing.
        names: Vec<String>,
        /// The names there are, shortened.
        available: String,
    },
    /// The columns of a file do not make a table.
    #[error("{file}: {source}")]
    Table {
        /// The file.
        file: String,
        /// What is wrong with them.
        source: tabwright_core::Error,
    },
    /// From the nouns: an option names an unknown column, a name that is none …
    #[error(transparent)]
    Core(#[from] tabwright_core::Error),
    /// The user stopped the reading.
    #[error("stopped")]
    Cancelled,
}

impl Error {
    /// Whether the error lies in what was asked for (exit code 2) and not in the data (exit code 3).
    pub fn is_usage(&self) -> bool {
        use tabwright_core::Error as Core;
        match self {
            Error::Usage(_) => true,
            Error::Core(error) => {
                !matches!(error, Core::DuplicateColumn { .. } | Core::Length { .. } | Core::Unusable { .. })
            }
            _ => false,
        }
    }

    /// Where in which file, if the error knows.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Error::Unreadable { place, .. } | Error::Encoding { place, .. } => Some(place),
            Error::Cell { place, .. } => Some(place),
            _ => None,
        }
    }

    pub(crate) fn unreadable(place: Place, message: impl Into<String>) -> Self {
        Error::Unreadable { place, message: message.into() }
    }

    pub(crate) fn io(file: impl Into<String>, what: &'static str, source: std::io::Error) -> Self {
        Error::Io { file: file.into(), what, source }
    }

    pub(crate) fn write(file: impl Into<String>, what: &'static str, source: std::io::Error) -> Self {
        Error::Write { file: file.into(), what, source }
    }

    /// Moves a line that was counted within a piece of a file to its place in the file.
    pub(crate) fn shift_lines(mut self, lines_before: u64) -> Self {
        let place = match &mut self {
            Error::Unreadable { place, .. } | Error::Encoding { place, .. } => place,
            Error::Cell { place, .. } => place,
            _ => return self,
        };
        match &mut place.position {
            Some(Position::Line(line) | Position::Row(line)) => *line += lines_before,
            None => {}
        }
        self
    }
}

/// A cell's text for a message: control characters made visible, and not endless.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut out = String::new();
    for c in text.chars().take(SHOWN) {
        match c {
            // Quotes and backslashes are as they were written: whoever quotes the message escapes them.
            '"' | '\'' | '\\' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}
