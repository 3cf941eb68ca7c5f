//! What only SQLite knows.

use openframe_auth::store::{Answer, StoreError};
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, Transaction};

pub(crate) use openframe_sqlite::{Database, Trouble, trouble};
pub(crate) use sqlx::SqliteConnection as Connection;

pub(crate) use sqlx::Sqlite as Engine;

/// What the actions of one family begin with, dot included, as the index of families has it.
pub(crate) const FAMILY: &str = "substr(action, 1, instr(action, '.'))";

/// A transaction that changes something.
pub(crate) type Writing = Transaction<'static, Sqlite>;

/// What a failure means to the service.
pub(crate) fn failed(error: sqlx::Error) -> StoreError {
    match trouble(&error) {
        Trouble::Unavailable => StoreError::Unavailable(error.into()),
        Trouble::Taken | Trouble::Other => StoreError::Damaged(error.into()),
    }
}

/// A connection that reads what has been committed.
pub(crate) async fn reading(database: &Database) -> Answer<PoolConnection<Sqlite>> {
    database.reader().acquire().await.map_err(failed)
}

/// A transaction on the one writing connection: it is alone.
pub(crate) async fn writing(database: &Database) -> Answer<Writing> {
    database.writer().begin().await.map_err(failed)
}

/// The one writing connection, for a change of one statement.
pub(crate) async fn changing(database: &Database) -> Answer<PoolConnection<Sqlite>> {
    database.writer().acquire().await.map_err(failed)
}
