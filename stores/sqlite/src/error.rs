//! What can go wrong with a file or a folder.

use std::path::PathBuf;

/// Why a database or a folder cannot be used. The message is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the folder.
    #[error("{} is in use by another openframe process; stop it, or choose another folder", .0.display())]
    InUse(PathBuf),
    /// The folder or a file in it cannot be made or written.
    #[error("{} cannot be written; check that it exists and who owns it", path.display())]
    NotWritable {
        /// What was tried.
        path: PathBuf,
        /// The system's answer.
        #[source]
        cause: std::io::Error,
    },
    /// The file could not be opened as a database.
    #[error("{} cannot be opened as a database", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// The driver's answer.
        #[source]
        cause: sqlx::Error,
    },
    /// The file's tables could not be brought up to date.
    #[error("the tables of {} cannot be brought up to date", path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// What the migration said.
        #[source]
        cause: sqlx::migrate::MigrateError,
    },
}

/// What a failed statement means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The disk is full, broken or read-only, or the file stayed locked: nothing was written, and
    /// the same request may succeed later. Services answer `Unavailable`.
    Unavailable,
    /// The row clashes with another one (a primary key or unique index).
    Taken,
    /// Anything else: a mistake of ours, or a damaged file.
    Other,
}

/// Says what a failed statement means.
pub fn trouble(error: &sqlx::Error) -> Trouble {
    if matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_)) {
        return Trouble::Unavailable;
    }
    let Some(database) = error.as_database_error() else { return Trouble::Other };
    if database.is_unique_violation() {
        return Trouble::Taken;
    }
    let code = database.code().and_then(|code| code.parse().ok()).unwrap_or(0);
    of_code(code)
}

/// The meaning of an extended result code: its low byte is the primary one
/// (<https://www.sqlite.org/rescode.html>).
fn of_code(code: i32) -> Trouble {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const NO_MEMORY: i32 = 7;
    const READ_ONLY: i32 = 8;
    const IO_ERROR: i32 = 10;
    const FULL: i32 = 13;
    const CANNOT_OPEN: i32 = 14;
    match code & 0xff {
        BUSY | LOCKED | NO_MEMORY | READ_ONLY | IO_ERROR | FULL | CANNOT_OPEN => {
            Trouble::Unavailable
        }
        _ => Trouble::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_troubles_are_told_from_mistakes() {
        // SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_READONLY_DBMOVED, SQLITE_BUSY_SNAPSHOT.
        for code in [13, 1034, 1032, 517] {
            assert_eq!(of_code(code), Trouble::Unavailable, "{code}");
        }
        // SQLITE_ERROR, SQLITE_CORRUPT, SQLITE_CONSTRAINT_FOREIGNKEY.
        for code in [1, 11, 787] {
            assert_eq!(of_code(code), Trouble::Other, "{code}");
        }
    }
}
