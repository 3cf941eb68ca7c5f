//! Reading the log at start, and keeping it small and working.

use std::collections::VecDeque;
use std::sync::{MutexGuard, PoisonError};

use bytes::Bytes;

use super::Monitoring;
use crate::domain::record::Record;
use crate::store::{LogError, Replayed};

const HOUR_MS: i64 = 3_600_000;
/// Series in one record of descriptions.
const DESCRIBED_AT_ONCE: usize = 1_000;

impl Monitoring {
    /// Rebuilds everything in memory from the log.
    pub(crate) async fn load(&self) -> Result<Replayed, LogError> {
        let mut unknown = 0_u64;
        let mut replayed = self
            .0
            .log
            .replay(&mut |number, bytes| match Record::decode(bytes) {
                Ok(record) => {
                    self.head_mut().apply(&record);
                    self.note(record.received_ms, number);
                }
                Err(_) => unknown += 1,
            })
            .await?;
        if unknown > 0 {
            replayed.damage.push(format!("{unknown} records have an unknown form"));
        }
        Ok(replayed)
    }

    /// Remembers about one record an hour.
    pub(super) fn note(&self, received_ms: i64, number: u64) {
        let mut hours = self.hours();
        if hours.back().is_none_or(|(last, _)| received_ms >= last.saturating_add(HOUR_MS)) {
            hours.push_back((received_ms, number));
        }
    }

    /// Tries a failed log again, and forgets what is too old.
    pub(crate) async fn upkeep(&self) -> Result<(), LogError> {
        if self.failure().is_some() {
            self.0.log.reopen().await?;
            tracing::info!("the telemetry log works again");
        }
        let now = self.0.clock.now().as_millisecond();
        let before = now.saturating_sub(self.0.config.retention_ms());
        self.head_mut().forget(before);
        let Some(number) = self.first_needed(before) else { return Ok(()) };
        self.describe_everything(now).await?;
        self.0.log.trim_to(number).await?;
        self.hours().retain(|(_, kept)| *kept >= number);
        Ok(())
    }

    /// The first record that was received after `before_ms`, if older ones can go.
    fn first_needed(&self, before_ms: i64) -> Option<u64> {
        let hours = self.hours();
        let oldest = hours.front()?.1;
        let needed = hours.iter().find(|(received, _)| *received >= before_ms)?.1;
        (needed > oldest).then_some(needed)
    }

    /// Writes every series and table into the log again, so that records which use them can be
    /// read when the ones that described them first are gone.
    async fn describe_everything(&self, received_ms: i64) -> Result<(), LogError> {
        let (series, tables) = self.head().descriptions();
        for part in series.chunks(DESCRIBED_AT_ONCE) {
            let record = Record { received_ms, series: part.to_vec(), ..Record::default() };
            self.0.log.append(Bytes::from(record.encode())).await?;
        }
        for part in tables.chunks(DESCRIBED_AT_ONCE) {
            let record = Record { received_ms, tables: part.to_vec(), ..Record::default() };
            self.0.log.append(Bytes::from(record.encode())).await?;
        }
        Ok(())
    }

    fn hours(&self) -> MutexGuard<'_, VecDeque<(i64, u64)>> {
        self.0.hours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
