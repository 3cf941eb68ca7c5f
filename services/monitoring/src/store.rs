//! What must be kept.

pub mod alerts;
pub mod hints;
pub mod memory;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use openframe_fault::BoxError;
use uuid::Uuid;

/// Where everything of this service is kept.
#[derive(Clone)]
pub struct Stores {
    /// The log of telemetry.
    pub log: Arc<dyn TelemetryLog>,
    /// Rules, alerts and notifications.
    pub alerts: Arc<dyn alerts::Alerts>,
    /// Tells other replicas that there are new samples.
    pub hints: Arc<dyn hints::Hints>,
    /// Whether other replicas of the service keep the same things there.
    pub shared: bool,
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

/// Where a record stands that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The process that wrote it, in which series have other numbers; `None` for this one, which was
    /// told that the record failed.
    pub writer: Option<Uuid>,
    /// The record's chapter.
    pub chapter: u64,
}

/// Takes each record that others wrote.
pub type Follow<'a> = &'a mut (dyn FnMut(Origin, &[u8]) + Send);

/// An append-only log of records. Where several replicas run, each writes one of its own and reads
/// those of the others.
#[async_trait]
pub trait TelemetryLog: Send + Sync + 'static {
    /// To which chapter a record belongs that is received then. Chapters are kept, read and removed
    /// each without the others, so a record describes what it uses unless one before it in the same
    /// chapter does. A log of one chapter is read from its beginning to its end.
    fn chapter(&self, _received_ms: i64) -> u64 {
        0
    }

    /// Adds a record to a chapter. When this returns `Ok`, a crash or power cut cannot lose it.
    /// Returns its number; later records have higher ones. When it fails, the record may be there all
    /// the same.
    async fn append(&self, chapter: u64, record: Bytes) -> Result<u64, LogError>;

    /// Reads back every record that earlier processes wrote to this log, in order of their numbers.
    /// Damage is listed, never hidden.
    async fn replay(&self, visit: Visit<'_>) -> Result<Replayed, LogError>;

    /// Reads what other replicas have appended and this one has not read yet, each log in its order,
    /// from the chapters that may have records received since `since_ms`; and what this replica
    /// appended after it had said that it failed. Returns how many records that were.
    async fn follow(&self, _since_ms: i64, _visit: Follow<'_>) -> Result<u64, LogError> {
        Ok(0)
    }

    /// The parts of which whole ones can be removed, oldest first: the number of the first record of
    /// each, and its bytes. The last one is written to and stays. There are none in a log whose
    /// records go by themselves when their time has come.
    async fn parts(&self) -> Result<Vec<(u64, u64)>, LogError> {
        Ok(Vec::new())
    }

    /// Makes `keep` durable, as new records; after that, records before `number` are no longer
    /// needed and never replayed again. Also when the disk is full: there is room kept for this.
    /// Nothing happens where there are no parts.
    async fn trim_to(&self, _number: u64, _keep: Records) -> Result<(), LogError> {
        Ok(())
    }

    /// Why nothing can be appended, if so.
    fn failure(&self) -> Option<String>;

    /// Tries to make a failed log work again; records that were appended stay. Fails as long as it
    /// would soon fail again.
    async fn reopen(&self) -> Result<(), LogError>;
}
