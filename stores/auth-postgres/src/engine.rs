//! What only PostgreSQL knows.

use openframe_auth::store::{Answer, StoreError};
use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Transaction};

pub(crate) use openframe_postgres::{Database, Trouble, trouble};
pub(crate) use sqlx::PgConnection as Connection;

/// The number of the lock that whoever writes holds to the end of its transaction.
const WRITERS: i64 = 0x6f66_6175_7468;

pub(crate) use sqlx::Postgres as Engine;

/// What the actions of one family begin with, dot included, as the index of families has it.
pub(crate) const FAMILY: &str = "left(action, strpos(action, '.'))";

/// A transaction that changes something.
pub(crate) type Writing = Transaction<'static, Postgres>;

/// What a failure means to the service.
pub(crate) fn failed(error: sqlx::Error) -> StoreError {
    match trouble(&error) {
        Trouble::Unavailable => StoreError::Unavailable(error.into()),
        Trouble::Taken | Trouble::Other => StoreError::Damaged(error.into()),
    }
}

/// A connection that reads what has been committed.
pub(crate) async fn reading(database: &Database) -> Answer<PoolConnection<Postgres>> {
    told(database, database.primary().acquire().await)
}

/// A connection for a change of one statement, which need not be alone.
pub(crate) async fn changing(database: &Database) -> Answer<PoolConnection<Postgres>> {
    reading(database).await
}

/// A transaction that is alone, as that of an embedded database is: the audit chain has one end, and
/// rules such as "the last owner stays" are about several rows.
pub(crate) async fn writing(database: &Database) -> Answer<Writing> {
    told(database, database.begin_alone(WRITERS).await)
}

/// A primary that is away is looked for at once.
fn told<T>(database: &Database, tried: Result<T, sqlx::Error>) -> Answer<T> {
    tried.map_err(|error| {
        database.lost();
        failed(error)
    })
}
