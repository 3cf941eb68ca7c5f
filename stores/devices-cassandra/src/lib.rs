//! Keeps the devices service's promises in Cassandra.
//!
//! All of one device is one partition, and each change of it one lightweight transaction: `turn` says
//! how. The promises are kept in `devices`, `inventory`, `commands`, `keys`, `overdue` and `reports`;
//! `statements` is the CQL. `record`, how devices and commands are written down, is that of
//! `stores/devices-sqlite`.

mod commands;
mod devices;
mod inventory;
mod keys;
mod overdue;
#[path = "../../devices-sqlite/src/record.rs"]
mod record;
mod reports;
mod statements;
mod turn;

use std::sync::Arc;

use openframe_cassandra::{Database, Failure, Migration};
use openframe_devices::{Error, Stores};
use tokio::sync::Semaphore;

use crate::statements::Statements;

/// The tables.
pub const MIGRATIONS: &[Migration] = &[
    (1, include_str!("../migrations/0001_devices.cql")),
    (2, include_str!("../migrations/0002_writers.cql")),
    (3, include_str!("../migrations/0003_speculative_reads.cql")),
];

/// How many devices may be changed by this process at the same time. Those of the same place wait
/// for each other: two that change one device at once cost each other a transaction.
const PLACES: usize = 1024;

/// Keeps everything in one keyspace. Clones share it.
#[derive(Debug, Clone)]
pub struct CassandraStore(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    database: Database,
    statements: Statements,
    places: Vec<Semaphore>,
}

impl CassandraStore {
    /// A store in `database`, whose tables are [`MIGRATIONS`], checked.
    pub async fn new(database: Database) -> Result<Self, Error> {
        let statements = Statements::prepare(&database).await.map_err(failed)?;
        let places = (0..PLACES).map(|_| Semaphore::new(1)).collect();
        Ok(Self(Arc::new(Parts { database, statements, places })))
    }
}

/// Every promise of the devices service, kept in `database`.
pub async fn stores(database: &Database) -> Result<Stores, Error> {
    Ok(Stores::of(CassandraStore::new(database.clone()).await?))
}

fn failed(failure: Failure) -> Error {
    match failure {
        Failure::Unavailable(cause) => Error::Store(cause),
        Failure::Other(cause) => Error::Damaged(cause),
    }
}
