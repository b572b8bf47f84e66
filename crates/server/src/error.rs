//! Why a server does not start, or does not take up what has changed.

use tabwright_lifecycle::error::Exit;

/// What a function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a server does not start, or does not take up what has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is asked for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// The address cannot be listened on.
    #[error("{address}: it cannot be listened on: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Reading a model.
    #[error(transparent)]
    Lifecycle(#[from] tabwright_lifecycle::Error),
    /// Asking the store.
    #[error(transparent)]
    Store(#[from] tabwright_store::Error),
    /// A model that cannot be served.
    #[error("{0}")]
    Model(String),
    /// The system refused something.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// The exit code that belongs to the error.
    pub fn exit(&self) -> Exit {
        match self {
            Error::Usage(_) => Exit::Usage,
            Error::Lifecycle(error) => error.exit(),
            Error::Store(error) => match error.fault() {
                tabwright_store::Fault::Usage => Exit::Usage,
                tabwright_store::Fault::Data => Exit::Data,
                _ => Exit::Failed,
            },
            Error::Model(_) => Exit::Data,
            _ => Exit::Failed,
        }
    }
}
