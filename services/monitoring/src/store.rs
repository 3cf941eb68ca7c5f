//! What must be kept.

pub mod alerts;
pub mod memory;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use openframe_fault::BoxError;

/// Where everything of this service is kept.
#[derive(Clone)]
pub struct Stores {
    /// The log of telemetry.
    pub log: Arc<dyn TelemetryLog>,
    /// Rules, alerts and notifications.
    pub alerts: Arc<dyn alerts::Alerts>,
}

/// The log did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("the telemetry log failed")]
pub struct LogError(#[source] pub BoxError);

/// What was found when the log was read back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Whole records read.
    pub records: u64,
    /// What is damaged: one line each, for the operator.
    pub damage: Vec<String>,
}

/// Records to be written, made one by one.
pub type Records = Box<dyn Iterator<Item = Bytes> + Send>;

/// Takes each record read back, with its number.
pub type Visit<'a> = &'a mut (dyn FnMut(u64, &[u8]) + Send);

/// An append-only log of records.
#[async_trait]
pub trait TelemetryLog: Send + Sync + 'static {
    /// Adds a record. When this returns `Ok`, a crash or power cut cannot lose it. Returns its
    /// number; later records have higher ones.
    async fn append(&self, record: Bytes) -> Result<u64, LogError>;

    /// Reads every record back, in order of their numbers. Damage is listed, never hidden.
    async fn replay(&self, visit: Visit<'_>) -> Result<Replayed, LogError>;

    /// The parts of which whole ones can be removed, oldest first: the number of the first record of
    /// each, and its bytes. The last one is written to and stays.
    async fn parts(&self) -> Result<Vec<(u64, u64)>, LogError>;

    /// Makes `keep` durable, as new records; after that, records before `number` are no longer
    /// needed and never replayed again. Also when the disk is full: there is room kept for this.
    async fn trim_to(&self, number: u64, keep: Records) -> Result<(), LogError>;

    /// Why nothing can be appended, if so.
    fn failure(&self) -> Option<String>;

    /// Tries to make a failed log work again; records that were appended stay. Fails as long as it
    /// would soon fail again.
    async fn reopen(&self) -> Result<(), LogError>;
}
