//! The promise.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use openframe_cassandra::{Database, Failure};
use openframe_clock::Clock;
use openframe_fault::BoxError;
use openframe_ids::random;
use openframe_monitoring::store::{Follow, LogError, Replayed, TelemetryLog, Visit};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::reading::Reader;
use crate::statements::Statements;
use crate::writing::{Entry, write};

/// How long a chapter is, milliseconds: the window of the table's files.
pub const CHAPTER_MS: i64 = 6 * 3_600_000;
/// Rows in one part of a chapter.
pub(crate) const PART_ROWS: u32 = 64;
/// How much longer than its samples a row is kept, seconds: its chapter begins earlier than its last
/// sample, clocks differ, and whoever starts takes a while to read.
const LONGER_S: i64 = CHAPTER_MS / 1_000 + 3_600;
/// How long somebody waits for a record to become durable.
const PATIENCE: Duration = Duration::from_secs(5);
/// KiB of records that wait to be written.
const ROOM_KIB: usize = 64 << 10;

/// How the log is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many days samples are kept.
    pub retention_days: u32,
    /// The time, by which chapters are found.
    pub clock: Clock,
}

/// The telemetry logs of all replicas, one of them this process' own.
#[derive(Debug)]
pub struct CassandraLog {
    parts: Arc<Parts>,
    reader: Reader,
    queue: mpsc::UnboundedSender<Entry>,
    /// Bytes that wait, in KiB.
    room: Arc<Semaphore>,
    /// Ends with the log.
    _writing: AbortOnDropHandle<()>,
}

/// What writing and reading share.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) database: Database,
    pub(crate) statements: Statements,
    /// The name of this process' log.
    pub(crate) own: Uuid,
    pub(crate) keep_s: i32,
    pub(crate) clock: Clock,
    /// Why nothing becomes durable now.
    pub(crate) failure: Mutex<Option<String>>,
    /// Records that became durable when nobody waited any more, and their chapters.
    pub(crate) late: Mutex<Vec<(u64, Bytes)>>,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change of these is one assignment or one push.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn failed(error: impl Into<BoxError>) -> LogError {
    LogError(error.into())
}

impl CassandraLog {
    /// A log in `database`, whose tables are [`crate::MIGRATIONS`], checked. It is another one each
    /// time: what earlier processes wrote is followed, as that of other replicas is.
    pub async fn new(database: Database, options: Options) -> Result<Self, Failure> {
        let statements = Statements::prepare(&database).await?;
        let days = i64::from(options.retention_days.max(1));
        let parts = Arc::new(Parts {
            database,
            statements,
            own: Uuid::from_bytes(random()),
            // Cassandra takes 20 years at most.
            keep_s: i32::try_from(days * 86_400 + LONGER_S).unwrap_or(i32::MAX).min(630_720_000),
            clock: options.clock,
            failure: Mutex::default(),
            late: Mutex::default(),
        });
        let (queue, waiting) = mpsc::unbounded_channel();
        let writing = tokio::spawn(write(Arc::clone(&parts), waiting));
        Ok(Self {
            reader: Reader::new(Arc::clone(&parts)),
            parts,
            queue,
            room: Arc::new(Semaphore::new(ROOM_KIB)),
            _writing: AbortOnDropHandle::new(writing),
        })
    }

    fn why(&self) -> LogError {
        let why = self.failure().unwrap_or_else(|| "too much waits to be written".to_owned());
        failed(why)
    }
}

/// The chapter of an instant, Unix milliseconds.
pub(crate) fn chapter(at_ms: i64) -> u64 {
    u64::try_from(at_ms.div_euclid(CHAPTER_MS)).unwrap_or(0)
}

#[async_trait]
impl TelemetryLog for CassandraLog {
    fn chapter(&self, received_ms: i64) -> u64 {
        chapter(received_ms)
    }

    async fn append(&self, chapter: u64, record: Bytes) -> Result<u64, LogError> {
        let kib = u32::try_from(record.len() >> 10).unwrap_or(u32::MAX).saturating_add(1);
        let room = Arc::clone(&self.room).acquire_many_owned(kib);
        let Ok(Ok(room)) = tokio::time::timeout(PATIENCE, room).await else {
            return Err(self.why());
        };
        let (done, mut answer) = oneshot::channel();
        let entry = Entry { chapter, record, done, _room: room };
        self.queue.send(entry).map_err(|_| failed("the log has ended"))?;
        if let Ok(told) = tokio::time::timeout(PATIENCE, &mut answer).await {
            return told.map_err(failed);
        }
        // It may have become durable at this moment; after this, it is told as late.
        answer.close();
        answer.try_recv().map_err(|_| self.why())
    }

    async fn replay(&self, _visit: Visit<'_>) -> Result<Replayed, LogError> {
        // All that is there is followed.
        Ok(Replayed::default())
    }

    async fn follow(&self, since_ms: i64, visit: Follow<'_>) -> Result<u64, LogError> {
        self.reader.read(chapter(since_ms), visit).await
    }

    fn failure(&self) -> Option<String> {
        locked(&self.parts.failure).clone()
    }

    async fn reopen(&self) -> Result<(), LogError> {
        // It goes on trying by itself.
        self.failure().map_or(Ok(()), |why| Err(failed(why)))
    }
}
