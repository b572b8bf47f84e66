//! What can go wrong from the file to the answer, and the exit code of each.

use std::path::PathBuf;

/// What a function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong from the file to the answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration asks for something that cannot be.
    #[error("{0}")]
    Config(String),
    /// The rows cannot be used for what was asked.
    #[error("{0}")]
    Data(String),
    /// Reading or writing rows.
    #[error(transparent)]
    Rows(#[from] tabwright_data::Error),
    /// From the nouns: an unknown column, a parameter out of range …
    #[error(transparent)]
    Core(#[from] tabwright_core::Error),
    /// While rows were held against others.
    #[error(transparent)]
    Monitor(#[from] tabwright_monitor::Error),
    /// While a model was sought.
    #[error(transparent)]
    Learn(#[from] tabwright_learn::Error),
    /// A model file that cannot be used.
    #[error("{}: {source}", path.display())]
    Artifact {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: tabwright_model::Error,
    },
    /// A model that does not fit the rows.
    #[error(transparent)]
    Model(#[from] tabwright_model::Error),
    /// A file that cannot be read.
    #[error("{}: the model cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that cannot be written.
    #[error("{}: {what}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Runs, models and their files.
    #[error(transparent)]
    Store(#[from] tabwright_store::Error),
    /// The user stopped the command.
    #[error("stopped; {0}")]
    Cancelled(String),
}

/// What a command ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The command failed.
    Failed = 1,
    /// Bad usage or configuration.
    Usage = 2,
    /// Unreadable or unusable data.
    Data = 3,
    /// A verdict said no.
    Verdict = 4,
}

impl Error {
    /// Whether the user stopped the command.
    pub fn is_cancelled(&self) -> bool {
        use tabwright_core::Error as Core;
        use tabwright_learn::Error as Learn;
        matches!(
            self,
            Error::Cancelled(_)
                | Error::Core(Core::Cancelled)
                | Error::Rows(tabwright_data::Error::Cancelled)
                | Error::Learn(Learn::Cancelled | Learn::Core(Core::Cancelled))
        )
    }

    /// The exit code that belongs to the error.
    pub fn exit(&self) -> Exit {
        use tabwright_core::Error as Core;
        use tabwright_learn::Error as Learn;
        let core = |error: &Core| match error {
            Core::DuplicateColumn { .. } | Core::Length { .. } | Core::Unusable { .. } | Core::Source { .. } => {
                Exit::Data
            }
            Core::Cancelled => Exit::Failed,
            _ => Exit::Usage,
        };
        match self {
            Error::Config(_) => Exit::Usage,
            Error::Data(_) | Error::Read { .. } | Error::Artifact { .. } | Error::Model(_) => Exit::Data,
            Error::Rows(error) if error.is_usage() => Exit::Usage,
            Error::Rows(tabwright_data::Error::Write { .. } | tabwright_data::Error::Cancelled) => Exit::Failed,
            Error::Rows(_) => Exit::Data,
            Error::Core(error) => core(error),
            Error::Learn(error) => match error {
                Learn::Core(error) => core(error),
                Learn::Config(_) | Learn::UnknownParameter { .. } | Learn::Parameter { .. } => Exit::Usage,
                Learn::Data(_) | Learn::Target { .. } => Exit::Data,
                _ => Exit::Failed,
            },
            Error::Monitor(error) => match error {
                tabwright_monitor::Error::NothingInCommon { .. } => Exit::Data,
                tabwright_monitor::Error::UnknownColumn { .. } => Exit::Usage,
                tabwright_monitor::Error::Core(error) => core(error),
                _ => Exit::Failed,
            },
            Error::Store(error) => match error.fault() {
                tabwright_store::Fault::Usage => Exit::Usage,
                tabwright_store::Fault::Data => Exit::Data,
                tabwright_store::Fault::Failed => Exit::Failed,
            },
            Error::Write { .. } | Error::Cancelled(_) => Exit::Failed,
        }
    }
}
