//! The model: keeps the promise as long as the process lives.

mod alerts;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

pub use alerts::MemoryAlerts;

use super::hints::Alone;
use super::{Follow, LogError, Origin, Records, Replayed, Stores, TelemetryLog, Visit};

/// A log in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog {
    own: Arc<Mutex<State>>,
    /// The logs of all replicas, in the order in which they began.
    all: Arc<Mutex<Vec<Arc<Mutex<State>>>>>,
    /// The last record that was read of each.
    read: Arc<Mutex<Vec<u64>>>,
    /// How long a chapter is, milliseconds; without one there is but one chapter, and one log.
    chapter_ms: Option<i64>,
}

#[derive(Debug, Default)]
struct State {
    /// By number: its chapter, and the record.
    records: BTreeMap<u64, (u64, Bytes)>,
    last: u64,
    mark: u64,
    /// Appends fail.
    broken: bool,
    /// Opening it again fails, too.
    full: bool,
}

impl State {
    fn append(&mut self, chapter: u64, record: Bytes) -> u64 {
        self.last += 1;
        self.records.insert(self.last, (chapter, record));
        self.last
    }
}

impl MemoryLog {
    /// The log of the first of several replicas; chapters are so long.
    pub fn of_replicas(chapter_ms: i64) -> Self {
        Self { chapter_ms: Some(chapter_ms), ..Self::default() }.another()
    }

    /// The log of another replica, or of this one after a restart.
    #[must_use]
    pub fn another(&self) -> Self {
        let own = Arc::<Mutex<State>>::default();
        locked(&self.all).push(Arc::clone(&own));
        Self { own, read: Arc::default(), ..self.clone() }
    }

    /// Loses a record, as a damaged disk would.
    pub fn damage(&self, number: u64) {
        self.state().records.remove(&number);
    }

    /// Makes it fail, as a full disk would, until it is mended and opened again.
    pub fn break_down(&self) {
        let mut state = self.state();
        (state.broken, state.full) = (true, true);
    }

    /// Lets it be opened again.
    pub fn mend(&self) {
        self.state().full = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.own)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned map is still a whole map: no method here leaves it half written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stores that forget everything when dropped.
pub fn stores() -> Stores {
    let (log, alerts) = (Arc::new(MemoryLog::default()), Arc::new(MemoryAlerts::default()));
    Stores { log, alerts, hints: Arc::new(Alone), shared: false }
}

#[async_trait]
impl TelemetryLog for MemoryLog {
    fn chapter(&self, received_ms: i64) -> u64 {
        let chapter = self.chapter_ms.map_or(0, |length| received_ms.div_euclid(length));
        u64::try_from(chapter).unwrap_or(0)
    }

    async fn append(&self, chapter: u64, record: Bytes) -> Result<u64, LogError> {
        let mut state = self.state();
        if state.broken {
            return Err(LogError("made to fail".into()));
        }
        Ok(state.append(chapter, record))
    }

    async fn follow(&self, since_ms: i64, visit: Follow<'_>) -> Result<u64, LogError> {
        let (mut count, first) = (0, self.chapter(since_ms));
        let (all, mut read) = (locked(&self.all).clone(), locked(&self.read));
        read.resize(all.len(), 0);
        for ((log, read), writer) in all.iter().zip(read.iter_mut()).zip(1..) {
            if Arc::ptr_eq(log, &self.own) {
                continue;
            }
            let state = locked(log);
            for (number, (chapter, record)) in state.records.range(*read + 1..) {
                *read = *number;
                if *chapter >= first {
                    let (writer, chapter) = (Some(Uuid::from_u128(writer)), *chapter);
                    visit(Origin { writer, chapter }, record);
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    async fn replay(&self, visit: Visit<'_>) -> Result<Replayed, LogError> {
        let records = self.state().records.clone();
        for (number, (_, record)) in &records {
            visit(*number, record);
        }
        Ok(Replayed { records: records.len() as u64, damage: Vec::new() })
    }

    async fn parts(&self) -> Result<Vec<(u64, u64)>, LogError> {
        let state = self.state();
        let parts = state.records.iter();
        Ok(parts.map(|(number, (_, record))| (*number, record.len() as u64)).collect())
    }

    async fn trim_to(&self, number: u64, keep: Records) -> Result<(), LogError> {
        let mut state = self.state();
        for record in keep {
            state.append(0, record);
        }
        state.mark = state.mark.max(number.min(state.last + 1));
        let mark = state.mark;
        state.records.retain(|number, _| *number >= mark);
        Ok(())
    }

    fn failure(&self) -> Option<String> {
        self.state().broken.then(|| "made to fail".to_owned())
    }

    async fn reopen(&self) -> Result<(), LogError> {
        let mut state = self.state();
        if state.full {
            return Err(LogError("made to fail".into()));
        }
        state.broken = false;
        Ok(())
    }
}
