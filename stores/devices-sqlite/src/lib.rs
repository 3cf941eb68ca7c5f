//! Keeps the devices service's promises in a SQLite file.
//!
//! `record` is how devices and commands are written down; the promises are kept in `devices`,
//! `inventory`, `commands` and `reports`, one transaction each. `openframe_sqlite` says how the
//! committed query answers in `.sqlx` are refreshed.

mod commands;
mod devices;
mod inventory;
mod record;
mod reports;

use openframe_devices::{Error, Stores};
use openframe_sqlite::{Database, Trouble, trouble};
use sqlx::{Sqlite, Transaction};

/// The tables. Give them to [`Database::open`].
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Keeps everything in one SQLite file. Clones share it.
#[derive(Debug, Clone)]
pub struct SqliteStore(Database);

impl SqliteStore {
    /// A store in `database`, whose tables are [`MIGRATIONS`].
    pub fn new(database: Database) -> Self {
        Self(database)
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        self.0.writer().begin().await.map_err(failed)
    }
}

/// Every promise of the devices service, kept in `database`.
pub fn stores(database: &Database) -> Stores {
    Stores::of(SqliteStore::new(database.clone()))
}

fn failed(error: sqlx::Error) -> Error {
    match trouble(&error) {
        Trouble::Unavailable => Error::Store(error.into()),
        Trouble::Taken | Trouble::Other => Error::Damaged(error.into()),
    }
}

async fn commit(transaction: Transaction<'static, Sqlite>) -> Result<(), Error> {
    transaction.commit().await.map_err(failed)
}
