//! The telemetry log on `openframe_wal`.

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use openframe_monitoring::store::{LogError, Replayed, TelemetryLog, Visit};
use openframe_wal::{Damage, GroupCommit, Recovered, Wal, WalError};

/// How the log is kept.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// A segment is closed once it holds so many bytes; old data is removed in such steps.
    pub segment_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20 }
    }
}

/// The telemetry log.
#[derive(Debug)]
pub struct Log {
    wal: GroupCommit,
    found: Recovered,
}

impl Log {
    /// Opens the log in `dir`, or makes one.
    pub fn open(dir: &Path, options: Options) -> Result<Self, WalError> {
        let segment_bytes = options.segment_bytes;
        let options = openframe_wal::Options { segment_bytes, ..openframe_wal::Options::default() };
        let (wal, found) = Wal::open(dir, options)?;
        if let Some(torn) = &found.torn {
            let (path, bytes) = (torn.path.display(), torn.bytes);
            tracing::warn!(bytes, "cut {bytes} bytes of an unfinished write off {path}");
        }
        Ok(Self { wal: GroupCommit::start(wal)?, found })
    }
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
    async fn append(&self, record: Bytes) -> Result<u64, LogError> {
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

    async fn trim_to(&self, number: u64) -> Result<(), LogError> {
        let trimmed = self.wal.with(move |wal| wal.trim_to(number)).await;
        trimmed.map_err(failed)?.map_err(failed)
    }

    fn failure(&self) -> Option<String> {
        self.wal.failure().map(|error| error.to_string())
    }

    /// Only a full disk heals by itself. After any other failure nobody can say what the kernel
    /// kept, so the process has to start again.
    async fn reopen(&self) -> Result<(), LogError> {
        match self.wal.failure() {
            Some(error) if !error.is_full() => Err(failed(error)),
            Some(_) | None => self.wal.reopen().await.map_err(failed),
        }
    }
}
