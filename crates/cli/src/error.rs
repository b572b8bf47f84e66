//! What ends a command: a message for a person, and the exit code that belongs to it.

use tabwright_lifecycle::error::{Error, Exit};

/// A command that did not end well.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is said on stderr.
    pub(crate) message: String,
    /// What the process ends with.
    pub(crate) exit: Exit,
}

impl Failure {
    /// Bad usage or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure { message: message.into(), exit: Exit::Usage }
    }

    /// Something that should have worked.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Failure { message: message.into(), exit: Exit::Failed }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { exit: error.exit(), message: error.to_string() }
    }
}

impl From<std::io::Error> for Failure {
    /// Only writing to standard output ends up here.
    fn from(error: std::io::Error) -> Self {
        Failure::failed(format!("the output could not be written: {error}"))
    }
}

impl From<tabwright_server::Error> for Failure {
    fn from(error: tabwright_server::Error) -> Self {
        let mend = match &error {
            tabwright_server::Error::Listen { source, .. } => match source.kind() {
                std::io::ErrorKind::AddrInUse => {
                    "; another program listens there: take another with --port, or 0 for a free one"
                }
                std::io::ErrorKind::AddrNotAvailable => "; --host is an address of this machine",
                std::io::ErrorKind::PermissionDenied => {
                    "; a port below 1024 is for the system: take another with --port"
                }
                _ => "",
            },
            _ => "",
        };
        Failure { exit: error.exit(), message: format!("{error}{mend}") }
    }
}
