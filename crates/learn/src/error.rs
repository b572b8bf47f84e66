//! What can go wrong while a model is sought.

/// What a function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong while a model is sought.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// From the nouns: an unknown column, a parameter out of range …
    #[error(transparent)]
    Core(#[from] tabwright_core::Error),
    /// The fitted parts do not fit each other.
    #[error(transparent)]
    Model(#[from] tabwright_model::Error),
    /// A linear model could not be fitted.
    #[error(transparent)]
    Linear(#[from] crate::linear::Error),
    /// Trees could not be grown.
    #[error(transparent)]
    Trees(#[from] tabwright_trees::Error),
    /// The target column cannot be learned.
    #[error("the target `{column}` {problem}")]
    Target {
        /// The column.
        column: String,
        /// What is wrong, and how to mend it.
        problem: String,
    },
    /// The configuration asks for something that cannot be.
    #[error("{0}")]
    Config(String),
    /// The rows cannot be used for what was asked.
    #[error("{0}")]
    Data(String),
    /// A parameter of a candidate is not one that it has.
    #[error("candidate `{candidate}` has no parameter `{parameter}`{hint}; its parameters are: {allowed}")]
    UnknownParameter {
        /// The candidate's name.
        candidate: String,
        /// What was given.
        parameter: String,
        /// "Did you mean", or nothing.
        hint: String,
        /// Every parameter that it has.
        allowed: String,
    },
    /// A parameter of a candidate has a value that it cannot have.
    #[error("candidate `{candidate}`: {parameter} = {found} is not allowed; allowed: {allowed}")]
    Parameter {
        /// The candidate's name.
        candidate: String,
        /// Its parameter.
        parameter: String,
        /// What was given.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// Every candidate failed.
    #[error("no candidate could be fitted: {0}")]
    NoCandidate(String),
    /// The search was stopped before anything was found.
    #[error("stopped before any candidate was complete; nothing was written")]
    Cancelled,
}
