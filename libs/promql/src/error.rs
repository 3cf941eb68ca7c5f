//! What can be wrong with a query.

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is no PromQL.
    #[error("{0}")]
    Parse(String),
    /// It cannot be evaluated on this data, such as a match that is not unique.
    #[error("{0}")]
    Execution(String),
    /// It needs more than it may.
    #[error("{0}")]
    TooMuch(String),
    /// It took longer than it may; says in what.
    #[error("query timed out in {0}")]
    TimedOut(&'static str),
    /// Whoever asked is gone.
    #[error("query was canceled")]
    Cancelled,
    /// The data could not be read.
    #[error("{0}")]
    Source(String),
}

impl Error {
    pub(crate) fn execution(message: impl Into<String>) -> Self {
        Self::Execution(message.into())
    }
}
