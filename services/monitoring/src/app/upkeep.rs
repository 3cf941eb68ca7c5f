//! Reading the log at start, and keeping it and the head small and working.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::Monitoring;
use crate::Error;
use crate::domain::record::Record;
use crate::domain::room;
use crate::store::{LogError, Records, Replayed};

const HOUR_MS: i64 = 3_600_000;
/// Bytes of one record of descriptions, about.
const DESCRIBED_BYTES: usize = 256 << 10;
/// Series that are swept under one lock.
const SWEPT_AT_ONCE: usize = 2_048;
/// Records read back between two looks at the head's size.
pub(super) const READ_AT_ONCE: u64 = 1_024;
/// The wait before logs that could not be read are read again.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// The newest samples stay in memory whatever its limit, milliseconds.
const ALWAYS_MS: i64 = 600_000;

/// What is kept, and until when. All in Unix milliseconds.
#[derive(Debug)]
pub(super) struct Kept {
    /// About one record of each hour: when received, and its number. Tells what may be trimmed.
    hours: VecDeque<(i64, u64)>,
    /// Samples before this had to go for a limit, and which.
    early: Option<(i64, String)>,
    /// When the head was last swept.
    swept_ms: i64,
    /// When the last record was received.
    received_ms: Option<i64>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { hours: VecDeque::new(), early: None, swept_ms: i64::MIN, received_ms: None }
    }
}

impl Kept {
    fn received(&mut self, at_ms: i64) {
        self.received_ms = self.received_ms.max(Some(at_ms));
    }

    /// Remembers that samples before `before_ms` had to go.
    fn cut(&mut self, before_ms: i64, why: String) {
        if self.early.as_ref().is_none_or(|(known, _)| *known < before_ms) {
            self.early = Some((before_ms, why));
        }
    }
}

impl Monitoring {
    /// Rebuilds everything in memory from the log.
    pub(crate) async fn load(&self) -> Result<Replayed, LogError> {
        let (mut unknown, mut read) = (0_u64, 0_u64);
        let now_ms = self.now_ms();
        let mut replayed = self
            .0
            .log
            .replay(&mut |number, bytes| match Record::decode(bytes) {
                Ok(record) => {
                    self.head_mut().apply(&record, 0);
                    self.note(record.received_ms, number);
                    read += 1;
                    if read.is_multiple_of(READ_AT_ONCE) && self.head_is_over() {
                        self.sweep(now_ms);
                    }
                }
                Err(_) => unknown += 1,
            })
            .await?;
        if unknown > 0 {
            replayed.damage.push(format!("{unknown} records have an unknown form"));
        }
        // The logs of other replicas, each read for itself.
        replayed.records += loop {
            match self.follow().await {
                Ok(count) => break count,
                Err(error) => {
                    tracing::warn!("samples are not read: {}", openframe_fault::chain(&error));
                    tokio::time::sleep(READ_AGAIN).await;
                }
            }
        };
        let lost = self.head_mut().settle(self.oldest_ms(now_ms), now_ms);
        if lost > 0 {
            replayed.damage.push(format!("{lost} samples belong to series described nowhere"));
        }
        Ok(replayed)
    }

    /// Remembers about one record an hour, and the newest.
    pub(super) fn note(&self, received_ms: i64, number: u64) {
        let mut kept = self.kept();
        kept.received(received_ms);
        if kept.hours.back().is_none_or(|(last, _)| received_ms >= last.saturating_add(HOUR_MS)) {
            kept.hours.push_back((received_ms, number));
        }
    }

    /// Remembers when the platform last received samples.
    pub(super) fn received(&self, received_ms: i64) {
        self.kept().received(received_ms);
    }

    /// When the platform last received samples, Unix milliseconds.
    pub(super) fn received_ms(&self) -> Option<i64> {
        self.kept().received_ms
    }

    /// Samples before this are not kept, Unix milliseconds.
    pub(super) fn oldest_ms(&self, now_ms: i64) -> i64 {
        let retained = now_ms.saturating_sub(self.0.config.retention_ms());
        self.kept().early.as_ref().map_or(retained, |(early, _)| retained.max(*early))
    }

    /// Says so when less is kept than was set, and why.
    pub(crate) fn kept_less(&self) -> Option<String> {
        let retained = self.now_ms().saturating_sub(self.0.config.retention_ms());
        let kept = self.kept();
        let (early_ms, why) = kept.early.as_ref().filter(|(early, _)| *early > retained)?;
        let early = Timestamp::from_millisecond(*early_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        Some(format!("samples before {early} had to go: {why}"))
    }

    /// Forgets what is too old or too much, and tries a failed log again.
    pub(crate) async fn upkeep(&self) -> Result<(), Error> {
        let now_ms = self.now_ms();
        self.trim(now_ms).await.map_err(Error::Log)?;
        if self.failure().is_some() {
            self.0.log.reopen().await.map_err(Error::Log)?;
            tracing::info!("the telemetry log works again");
        }
        let due = now_ms.saturating_sub(self.kept().swept_ms) >= HOUR_MS;
        if due || self.head_is_over() {
            let app = self.clone();
            let swept = tokio::task::spawn_blocking(move || app.sweep(now_ms)).await;
            swept.map_err(|error| Error::Encode(error.into()))?;
        }
        let (bytes, series) = {
            let head = self.head();
            (head.bytes(), head.len())
        };
        self.0.metrics.head_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.0.metrics.head_series.set(i64::try_from(series).unwrap_or(i64::MAX));
        Ok(())
    }

    pub(super) fn head_is_over(&self) -> bool {
        self.head().bytes() > self.0.config.head_bytes
    }

    /// Forgets old samples, more of them when the head is over its limit, and series that have
    /// ended. In parts, so that nobody waits for all of it.
    pub(super) fn sweep(&self, now_ms: i64) {
        let (numbers, bytes) = {
            let head = self.head();
            (head.numbers(), head.bytes())
        };
        let limit = self.0.config.head_bytes;
        if bytes > limit {
            let mut minutes = BTreeMap::new();
            numbers.chunks(SWEPT_AT_ONCE).for_each(|part| self.head().ages(part, &mut minutes));
            // A tenth more than needed, or the next sample would be one too many again.
            let cut = room::cut(&minutes, bytes - limit / 10 * 9);
            let cut = cut.map(|cut| cut.min(now_ms.saturating_sub(ALWAYS_MS)));
            if let Some(cut) = cut.filter(|cut| *cut > self.oldest_ms(now_ms)) {
                self.gone_early(cut, format!("memory is at its limit (head_bytes = {limit})"));
            }
        }
        let before_ms = self.oldest_ms(now_ms);
        let unused_ms = before_ms.min(now_ms.saturating_sub(HOUR_MS));
        for part in numbers.chunks(SWEPT_AT_ONCE) {
            self.head_mut().forget(part, before_ms, unused_ms);
        }
        self.head_mut().forget_tables(unused_ms);
        self.kept().swept_ms = now_ms;
    }

    fn gone_early(&self, before_ms: i64, why: String) {
        self.0.metrics.early.inc();
        let mut kept = self.kept();
        kept.cut(before_ms, why);
        // Memory and log have the same samples.
        kept.swept_ms = i64::MIN;
    }

    /// Trims the log when that frees space: what is older than the retention, and the oldest when
    /// the log is over its limit.
    async fn trim(&self, now_ms: i64) -> Result<(), LogError> {
        let parts = self.0.log.parts().await?;
        let bytes: u64 = parts.iter().map(|(_, bytes)| bytes).sum();
        self.0.metrics.log_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        let limit = self.0.config.log_bytes;
        let needed = self.first_needed(now_ms.saturating_sub(self.0.config.retention_ms()));
        let Some(number) = room::trim_to(&parts, limit, needed) else { return Ok(()) };
        self.0.log.trim_to(number, self.descriptions(now_ms)).await?;
        let first_ms = {
            let mut kept = self.kept();
            // The last hour that had begun: later ones may have records on both sides.
            let begun = kept.hours.iter().take_while(|(_, first)| *first <= number).last().copied();
            kept.hours.retain(|(_, first)| *first >= number);
            if let Some((received_ms, first)) = begun
                && first < number
            {
                kept.hours.push_front((received_ms, number));
            }
            begun.map(|(received_ms, _)| received_ms)
        };
        if let Some(before_ms) = first_ms.filter(|_| number > needed) {
            self.gone_early(before_ms, format!("the log is at its limit (log_bytes = {limit})"));
        }
        Ok(())
    }

    /// The first record that may have been received after `before_ms`.
    fn first_needed(&self, before_ms: i64) -> u64 {
        let kept = self.kept();
        let before = kept.hours.iter().take_while(|(received, _)| *received <= before_ms).last();
        before.map_or(0, |(_, number)| *number)
    }

    /// Every series and table, to be written into the log again, so that records which use them
    /// can be read when the ones that described them first are gone.
    fn descriptions(&self, received_ms: i64) -> Records {
        let (series, tables) = self.head().descriptions();
        let whole = Record { received_ms, series, tables, samples: Vec::new() };
        let parts = whole.split(DESCRIBED_BYTES).into_iter();
        Box::new(parts.map(|part| Bytes::from(part.encode())))
    }

    // Every change of it is one assignment.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
