//! The telemetry log on `openframe_wal`.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use openframe_monitoring::store::{LogError, Records, Replayed, TelemetryLog, Visit};
use openframe_wal::{Damage, Disk, GroupCommit, Recovered, Storage, Wal, WalError};

use crate::reserve::Reserve;

/// How the log is kept.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// A segment is closed once it holds so many bytes; old data is removed in such steps.
    pub segment_bytes: u64,
    /// Bytes kept free for removing old data from a full disk.
    pub reserve_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, reserve_bytes: 8 << 20 }
    }
}

/// The telemetry log.
#[derive(Debug)]
pub struct Log {
    wal: GroupCommit,
    found: Recovered,
    reserve: Reserve,
}

impl Log {
    /// Opens the log in `dir`, or makes one.
    pub fn open(dir: &Path, options: Options) -> Result<Self, WalError> {
        Self::open_on(Arc::new(Disk), dir, options)
    }

    /// Opens a log on other file operations than the system's.
    pub fn open_on(
        storage: Arc<dyn Storage>,
        dir: &Path,
        options: Options,
    ) -> Result<Self, WalError> {
        let Options { segment_bytes, reserve_bytes } = options;
        let options = openframe_wal::Options { segment_bytes, ..openframe_wal::Options::default() };
        let (wal, found) = Wal::open_on(Arc::clone(&storage), dir, options)?;
        if let Some(torn) = &found.torn {
            let (path, bytes) = (torn.path.display(), torn.bytes);
            tracing::warn!(bytes, "cut {bytes} bytes of an unfinished write off {path}");
        }
        let reserve = Reserve::new(storage, dir.to_owned(), reserve_bytes);
        if !reserve.held()
            && let Err(error) = reserve.take()
        {
            tracing::warn!("no space is kept for a full disk: {}", openframe_fault::chain(&error));
        }
        Ok(Self { wal: GroupCommit::start(wal)?, found, reserve })
    }
}

/// Adds what is to be kept, then trims. On a full disk the reserve is given away for this, and the
/// log goes on refusing unless there is room for it again.
fn trim(wal: &mut Wal, reserve: &Reserve, number: u64, keep: Records) -> Result<(), WalError> {
    let full = wal.poisoned().is_some_and(WalError::is_full);
    if full {
        reserve.release()?;
        wal.reopen()?;
    }
    let trimmed = write(wal, keep).and_then(|()| wal.trim_to(number));
    if full && let Err(error) = trimmed.clone().and_then(|()| reserve.take()) {
        wal.refuse(error);
    }
    trimmed
}

fn write(wal: &mut Wal, records: Records) -> Result<(), WalError> {
    for record in records {
        wal.append(&record)?;
    }
    wal.sync()
}

fn failed(error: WalError) -> LogError {
    LogError(Box::new(error))
}

fn line(damage: &Damage) -> String {
    let Damage { path, offset, bytes, lost } = damage;
    let count = lost.1.saturating_sub(lost.0);
    format!("{} at byte {offset}: {bytes} bytes, {count} records lost", path.display())
}

#[async_trait]
impl TelemetryLog for Log {
    async fn append(&self, _chapter: u64, record: Bytes) -> Result<u64, LogError> {
        self.wal.append(record).await.map_err(failed)
    }

    async fn replay(&self, visit: Visit<'_>) -> Result<Replayed, LogError> {
        let frames = self.wal.with(|wal| wal.read_from(0)).await.map_err(failed)?;
        let mut replayed = Replayed::default();
        for frame in frames.map_err(failed)? {
            match frame {
                Ok(frame) => {
                    replayed.records += 1;
                    visit(frame.seq, &frame.payload);
                }
                // Listed below with what it cost.
                Err(WalError::Damaged { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        replayed.damage = self.found.damage.iter().map(line).collect();
        Ok(replayed)
    }

    async fn parts(&self) -> Result<Vec<(u64, u64)>, LogError> {
        self.wal.with(|wal| wal.segments()).await.map_err(failed)
    }

    async fn trim_to(&self, number: u64, keep: Records) -> Result<(), LogError> {
        let reserve = self.reserve.clone();
        let trimmed = self.wal.with(move |wal| trim(wal, &reserve, number, keep)).await;
        trimmed.map_err(failed)?.map_err(failed)
    }

    fn failure(&self) -> Option<String> {
        self.wal.failure().map(|error| error.to_string())
    }

    /// Only a full disk heals by itself. After any other failure nobody can say what the kernel
    /// kept, so the process has to start again. It works again once the reserve can be taken anew:
    /// with less, the next writes would fail.
    async fn reopen(&self) -> Result<(), LogError> {
        match self.wal.failure() {
            None => Ok(()),
            Some(error) if !error.is_full() => Err(failed(error)),
            Some(_) => {
                let reserve = self.reserve.clone();
                let taken = self.wal.with(move |_| reserve.take()).await;
                taken.map_err(failed)?.map_err(failed)?;
                self.wal.reopen().await.map_err(failed)
            }
        }
    }
}

#[cfg(test)]
mod tests;
