//! What only SQLite knows.

use openframe_monitoring::store::alerts::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, Transaction};

pub(crate) use openframe_sqlite::{Database, Trouble, trouble};
pub(crate) use sqlx::SqliteConnection as Connection;

/// What a failure means to the service.
pub(crate) fn failed(error: sqlx::Error) -> StoreError {
    StoreError(error.into())
}

/// A connection that reads what has been committed.
pub(crate) async fn reading(database: &Database) -> Result<PoolConnection<Sqlite>, StoreError> {
    database.reader().acquire().await.map_err(failed)
}

/// A transaction on the one writing connection: it is alone.
pub(crate) async fn writing(
    database: &Database,
) -> Result<Transaction<'static, Sqlite>, StoreError> {
    database.writer().begin().await.map_err(failed)
}
