//! What can go wrong with a cluster.

use openframe_fault::BoxError;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};

/// Why a cluster cannot be used. The message is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No node let us in: it does not answer, or refuses the password or we its certificate.
    #[error("none of the Cassandra nodes {nodes} lets us in")]
    Connect {
        /// The nodes that were asked.
        nodes: String,
        /// What the driver says.
        #[source]
        cause: BoxError,
    },
    /// The authorities' certificates cannot be used.
    #[error("the certificates that Cassandra's nodes are checked against cannot be used")]
    Authorities(#[source] BoxError),
    /// The keyspace's name is not one that can be used.
    #[error("{0:?} is no name of a keyspace: use up to 48 lower-case letters, digits and _")]
    BadKeyspace(String),
    /// Somebody else has been bringing the tables up to date for too long.
    #[error("the keyspace {0} is locked: another `openframe migrate` works on it; try again later")]
    Locked(String),
    /// The tables are older or newer than this program.
    #[error(
        "the keyspace {keyspace} has version {found}, this program needs {wanted}; {}",
        if found < wanted { "run `openframe migrate`" } else { "use the program's newer version" }
    )]
    OtherVersion {
        /// The keyspace.
        keyspace: String,
        /// The newest migration that was run; 0 for none.
        found: i64,
        /// The newest that this program has.
        wanted: i64,
    },
    /// A statement failed.
    #[error("the keyspace {keyspace} cannot be used")]
    Database {
        /// The keyspace.
        keyspace: String,
        /// What the driver says.
        #[source]
        cause: BoxError,
    },
}

/// What a failed statement means for whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Too few nodes answer, or too late: the same request may succeed later. Whether a write was
    /// done is not known.
    #[error("too few Cassandra nodes answer")]
    Unavailable(#[source] BoxError),
    /// Anything else: a mistake of ours, or damaged data.
    #[error("Cassandra refused a statement")]
    Other(#[source] BoxError),
}

impl Failure {
    /// What the driver said.
    pub fn into_cause(self) -> BoxError {
        match self {
            Self::Unavailable(cause) | Self::Other(cause) => cause,
        }
    }
}

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Self {
        let answer = match &error {
            ExecutionError::LastAttemptError(RequestAttemptError::DbError(answer, _)) => {
                Some(answer)
            }
            ExecutionError::BadQuery(_)
            | ExecutionError::EmptyPlan
            | ExecutionError::PrepareError(_)
            | ExecutionError::ConnectionPoolError(_)
            | ExecutionError::LastAttemptError(_)
            | ExecutionError::RequestTimeout(_)
            | ExecutionError::UseKeyspaceError(_)
            | ExecutionError::SchemaAgreementError(_)
            | ExecutionError::MetadataError(_)
            | _ => None,
        };
        let refused = answer.is_some_and(|answer| {
            matches!(
                answer,
                DbError::SyntaxError
                    | DbError::Invalid
                    | DbError::ConfigError
                    | DbError::Unauthorized
                    | DbError::AlreadyExists { .. }
                    | DbError::FunctionFailure { .. }
                    | DbError::ProtocolError
            )
        });
        let ours = refused || matches!(error, ExecutionError::BadQuery(_));
        if ours { Self::Other(error.into()) } else { Self::Unavailable(error.into()) }
    }
}
