//! What can go wrong with a cluster.

/// Why a database cannot be used. The message is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No node takes writes.
    #[error("none of the PostgreSQL nodes {hosts} is a primary that answers")]
    NoPrimary {
        /// The nodes that were asked.
        hosts: String,
        /// What the last of them said, if it is not a standby.
        #[source]
        cause: Option<sqlx::Error>,
    },
    /// The schema's name is not one that can be used.
    #[error("{0:?} is no name of a schema: use lower-case letters, digits and _")]
    BadSchema(String),
    /// The tables could not be brought up to date.
    #[error("the tables of the schema {schema} cannot be brought up to date")]
    Migrate {
        /// The schema.
        schema: String,
        /// What the migration said.
        #[source]
        cause: sqlx::migrate::MigrateError,
    },
    /// The tables are older or newer than this program.
    #[error(
        "the schema {schema} has version {found}, this program needs {wanted}; {}",
        if found < wanted { "run `openframe migrate`" } else { "use the program's newer version" }
    )]
    OtherVersion {
        /// The schema.
        schema: String,
        /// The newest migration that was run; 0 for none.
        found: i64,
        /// The newest that this program has.
        wanted: i64,
    },
    /// A question failed.
    #[error("the schema {schema} cannot be read")]
    Database {
        /// The schema.
        schema: String,
        /// The driver's answer.
        #[source]
        cause: sqlx::Error,
    },
}

/// What a failed statement means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The primary is away, changes its part, or has no room: the same request may succeed later.
    /// Whether it was done is not known if it was a commit. Services answer `Unavailable`.
    Unavailable,
    /// The row clashes with another one (a primary key or unique index).
    Taken,
    /// Anything else: a mistake of ours, or damaged data.
    Other,
}

/// Says what a failed statement means.
pub fn trouble(error: &sqlx::Error) -> Trouble {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Tls, WorkerCrashed};
    if matches!(error, PoolTimedOut | PoolClosed | Io(_) | Tls(_) | WorkerCrashed) {
        return Trouble::Unavailable;
    }
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    of_code(code.as_deref().unwrap_or_default())
}

/// The meaning of a SQLSTATE (PostgreSQL's manual, appendix A); its first two characters are a class.
fn of_code(code: &str) -> Trouble {
    const TAKEN: &str = "23505";
    // A read-only transaction is what a standby has; a lock was not to be had.
    const LATER: [&str; 2] = ["25006", "55P03"];
    // Connection, transaction rollback, resources, operator, system.
    const LATER_CLASSES: [&str; 5] = ["08", "40", "53", "57", "58"];
    let class = code.get(..2).unwrap_or_default();
    if code == TAKEN {
        Trouble::Taken
    } else if LATER.contains(&code) || LATER_CLASSES.contains(&class) {
        Trouble::Unavailable
    } else {
        Trouble::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_that_is_away_is_told_from_mistakes() {
        for code in ["08006", "57P01", "57P03", "53300", "25006", "40001", "58030"] {
            assert_eq!(of_code(code), Trouble::Unavailable, "{code}");
        }
        assert_eq!(of_code("23505"), Trouble::Taken);
        for code in ["42P01", "23503", "22P02", ""] {
            assert_eq!(of_code(code), Trouble::Other, "{code}");
        }
        assert_eq!(trouble(&sqlx::Error::PoolTimedOut), Trouble::Unavailable);
        assert_eq!(trouble(&sqlx::Error::RowNotFound), Trouble::Other);
    }
}
