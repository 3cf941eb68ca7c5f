//! The model: keeps the promise as long as the process lives.

mod alerts;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

pub use alerts::MemoryAlerts;

use super::{LogError, Records, Replayed, Stores, TelemetryLog, Visit};

/// A log in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    records: BTreeMap<u64, Bytes>,
    last: u64,
    mark: u64,
    /// Appends fail.
    broken: bool,
    /// Opening it again fails, too.
    full: bool,
}

impl State {
    fn append(&mut self, record: Bytes) -> u64 {
        self.last += 1;
        self.records.insert(self.last, record);
        self.last
    }
}

impl MemoryLog {
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
        // A poisoned map is still a whole map: no method here leaves it half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores that forget everything when dropped.
pub fn stores() -> Stores {
    Stores { log: Arc::new(MemoryLog::default()), alerts: Arc::new(MemoryAlerts::default()) }
}

#[async_trait]
impl TelemetryLog for MemoryLog {
    async fn append(&self, record: Bytes) -> Result<u64, LogError> {
        let mut state = self.state();
        if state.broken {
            return Err(LogError("made to fail".into()));
        }
        Ok(state.append(record))
    }

    async fn replay(&self, visit: Visit<'_>) -> Result<Replayed, LogError> {
        let records = self.state().records.clone();
        for (number, record) in &records {
            visit(*number, record);
        }
        Ok(Replayed { records: records.len() as u64, damage: Vec::new() })
    }

    async fn parts(&self) -> Result<Vec<(u64, u64)>, LogError> {
        let state = self.state();
        Ok(state.records.iter().map(|(number, record)| (*number, record.len() as u64)).collect())
    }

    async fn trim_to(&self, number: u64, keep: Records) -> Result<(), LogError> {
        let mut state = self.state();
        for record in keep {
            state.append(record);
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
