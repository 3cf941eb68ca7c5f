//! What only PostgreSQL knows.

use openframe_monitoring::store::alerts::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Transaction};

pub(crate) use openframe_postgres::{Database, Trouble, trouble};
pub(crate) use sqlx::PgConnection as Connection;

/// The number of the lock that whoever writes holds to the end of its transaction.
const WRITERS: i64 = 0x6f66_616c_6572_7473;

/// What a failure means to the service.
pub(crate) fn failed(error: sqlx::Error) -> StoreError {
    StoreError(error.into())
}

/// A connection that reads what has been committed.
pub(crate) async fn reading(database: &Database) -> Result<PoolConnection<Postgres>, StoreError> {
    told(database, database.primary().acquire().await)
}

/// A transaction that is alone, as that of an embedded database is: notifications get their numbers
/// in the order in which they are committed, which is the order in which they are delivered.
pub(crate) async fn writing(
    database: &Database,
) -> Result<Transaction<'static, Postgres>, StoreError> {
    told(database, database.begin_alone(WRITERS).await)
}

/// A primary that is away is looked for at once.
fn told<T>(database: &Database, tried: Result<T, sqlx::Error>) -> Result<T, StoreError> {
    tried.map_err(|error| {
        database.lost();
        failed(error)
    })
}
