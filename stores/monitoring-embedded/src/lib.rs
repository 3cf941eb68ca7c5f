//! Keeps the monitoring service's promises in one folder: the telemetry log in segments
//! (`openframe_wal`), each record durable before it is acknowledged, many by one `fdatasync`.

mod log;

use std::path::Path;
use std::sync::Arc;

use openframe_monitoring::store::Stores;

pub use log::{Log, Options};

/// The folder could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the telemetry log in {} cannot be opened", dir.display())]
pub struct OpenError {
    dir: std::path::PathBuf,
    #[source]
    cause: openframe_wal::WalError,
}

/// The embedded engine.
#[derive(Debug, Clone, Copy)]
pub struct Embedded;

impl Embedded {
    /// Opens the stores in `dir`, or makes them. The caller keeps other processes out of it.
    pub fn open(dir: &Path, options: Options) -> Result<Stores, OpenError> {
        let log = Log::open(&dir.join("telemetry"), options);
        let log = log.map_err(|cause| OpenError { dir: dir.to_owned(), cause })?;
        Ok(Stores { log: Arc::new(log) })
    }
}
