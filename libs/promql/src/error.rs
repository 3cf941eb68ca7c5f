//! What can be wrong with a query.

use crate::SourceError;

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
    /// It took longer than it may.
    #[error("query timed out")]
    TimedOut,
    /// The data could not be read.
    #[error("{0}")]
    Source(#[from] SourceError),
}

impl Error {
    pub(crate) fn execution(message: impl Into<String>) -> Self {
        Self::Execution(message.into())
    }
}
