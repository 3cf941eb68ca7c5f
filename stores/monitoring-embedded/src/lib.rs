//! Keeps the monitoring service's promises in one folder: the telemetry log in segments
//! (`openframe_wal`), each record durable before it is acknowledged, many by one `fdatasync`; rules,
//! alerts and notifications in a SQLite file. `alerts` and `record` are also part of
//! `stores/monitoring-postgres`; what differs is in `engine`.

mod alerts;
mod engine;
mod log;
mod record;
mod reserve;

use std::path::Path;
use std::sync::Arc;

use openframe_monitoring::store::Stores;
use openframe_monitoring::store::hints::Alone;
use openframe_sqlite::Database;

pub use alerts::SqlAlerts;
pub use log::{Log, Options};

/// The tables. Give them to [`Database::open`].
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log is the cause.
    #[error("the telemetry log in {} cannot be opened", dir.display())]
    Log {
        /// Which folder.
        dir: std::path::PathBuf,
        /// Why.
        #[source]
        cause: openframe_wal::WalError,
    },
    /// The database is the cause.
    #[error(transparent)]
    Database(#[from] openframe_sqlite::OpenError),
}

/// The embedded engine.
#[derive(Debug, Clone, Copy)]
pub struct Embedded;

impl Embedded {
    /// Opens the stores in `dir`, or makes them; returns their database as well, to be watched. The
    /// caller keeps other processes out of the folder.
    pub async fn open(dir: &Path, options: Options) -> Result<(Stores, Database), OpenError> {
        let log = Log::open(&dir.join("telemetry"), options);
        let log = log.map_err(|cause| OpenError::Log { dir: dir.to_owned(), cause })?;
        let log = Arc::new(log);
        let database = Database::open(&dir.join("alerts.db"), &MIGRATIONS).await?;
        let alerts = Arc::new(SqlAlerts::new(database.clone()));
        Ok((Stores { log, alerts, hints: Arc::new(Alone), shared: false }, database))
    }
}
