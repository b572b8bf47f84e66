//! What can go wrong in a store, and whose fault it is.

use std::path::PathBuf;

use tabwright_core::filter::FilterError;

/// What a function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that cannot be one.
    #[error("{what} {found} cannot be used: {why}")]
    Name {
        /// What is named.
        what: &'static str,
        /// The name, shortened and with control characters made visible.
        found: String,
        /// What names are made of.
        why: String,
    },
    /// Something that is not there.
    #[error("there is no {what} `{name}`{hint}")]
    Unknown {
        /// What was asked for.
        what: &'static str,
        /// Under which name.
        name: String,
        /// "Did you mean", or what there is.
        hint: String,
    },
    /// A beginning of an id that several runs have.
    #[error("`{prefix}` is the beginning of several run ids: {found}; give more of it")]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// Runs that begin so.
        found: String,
    },
    /// A filter or an order that cannot be read.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Something that contradicts what is stored already.
    #[error("{0}")]
    Conflict(String),
    /// A value, time or document that is none.
    #[error("{0}")]
    Invalid(String),
    /// The home, or a file in it, cannot be read or written.
    #[error("{}: {what}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that is not what its name says.
    #[error("{}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it differs.
        why: String,
    },
    /// Predictions or labels cannot be logged.
    #[error(
        "{place}: cannot be logged: {why}; see to it that the disk has room and that the folder can be written. Logging goes on by \
         itself as soon as that is so"
    )]
    Log {
        /// The folder.
        place: String,
        /// What the system said.
        why: String,
    },
    /// The place of the files cannot be reached with what the environment says.
    #[error("{place} cannot be reached: {why}")]
    Environment {
        /// The place.
        place: String,
        /// What is missing, or wrong.
        why: String,
    },
    /// The database was made by a later version of Tabwright.
    #[error(
        "{place} was made by a later version of Tabwright (its layout is {found}, this one knows up to {known}); \
         it is left as it is; use that version, or another home (TABWRIGHT_HOME)"
    )]
    TooNew {
        /// The database.
        place: String,
        /// Version of its layout.
        found: i64,
        /// Newest version that is known here.
        known: i64,
    },
    /// The database can be read, and not be written.
    #[error(
        "the home can only be read ({place}): it belongs to somebody else, or is mounted for reading alone. Nothing was written \
         there; ask for leave to write, or name another home (TABWRIGHT_HOME)"
    )]
    ReadOnly {
        /// The database.
        place: String,
    },
    /// Another process writes, and did not let go in time.
    #[error(
        "{place} is locked: another process writes to it and did not finish within {seconds} s; \
         try again, or find the process that holds it"
    )]
    Locked {
        /// The database.
        place: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The database file is damaged, or is none.
    #[error(
        "{place} is damaged or is no database ({why}). To go on, move it away (a new one is made, and the files in \
         `artifacts` stay), or recover what can be read: sqlite3 {place} .recover | sqlite3 recovered.db"
    )]
    Corrupt {
        /// The database.
        place: String,
        /// What the database said.
        why: String,
    },
    /// The database file is a copy that is not whole.
    #[error(
        "{place} is a copy that was made while others wrote to the home, and is not whole ({why}). Copy the home again while \
         nothing works in it, or recover what can be read: sqlite3 {place} .recover | sqlite3 recovered.db"
    )]
    Copied {
        /// The database.
        place: String,
        /// What the database said.
        why: String,
    },
    /// The database cannot be reached or opened.
    #[error("{place} cannot be opened: {why}")]
    Open {
        /// The database, without its password.
        place: String,
        /// What the database said.
        why: String,
    },
    /// Anything else that the database says.
    #[error("{place}: {why}")]
    Database {
        /// The database, without its password.
        place: String,
        /// What it said.
        why: String,
    },
}

/// Whose fault an error is: what an exit code or a status follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller asked for something that cannot be.
    Usage,
    /// What is stored or given cannot be used.
    Data,
    /// It should have worked.
    Failed,
}

impl Error {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Error::Name { .. }
            | Error::Unknown { .. }
            | Error::Ambiguous { .. }
            | Error::Filter(_)
            | Error::Environment { .. }
            | Error::Conflict(_) => Fault::Usage,
            Error::Invalid(_)
            | Error::Damaged { .. }
            | Error::Corrupt { .. }
            | Error::Copied { .. }
            | Error::TooNew { .. } => Fault::Data,
            Error::File { .. }
            | Error::Log { .. }
            | Error::ReadOnly { .. }
            | Error::Locked { .. }
            | Error::Open { .. }
            | Error::Database { .. } => Fault::Failed,
        }
    }

    pub(crate) fn file(path: impl Into<PathBuf>, what: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { path, what, source }
    }
}
