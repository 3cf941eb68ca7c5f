//! The outbox of a real device: telemetry in a ring on disk, reports in a queue on disk, and the
//! tables of series that the kept snapshots name.
//!
//! A snapshot is durable before it is sent. One that was taken while the platform could not be
//! reached is durable within a few seconds: a power cut loses at most those.

use std::collections::HashMap;
use std::time::Duration;

use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{Channel, Frame, SeriesTable, Snapshot};
use openframe_agent_api::table;
use prost::Message as _;

use crate::Error;
use crate::link::outbox::Outbox;
use crate::link::queue::{Queue, Settings};
use crate::state::Folder;

/// Telemetry is made durable so often at most.
const SYNC_EVERY: Duration = Duration::from_secs(4);
/// Tables kept at most. A device whose series change all the time loses its oldest snapshots.
const TABLES: usize = 256;
/// Output of commands is refused while so many bytes of reports wait.
const CONTROL_BYTES: u64 = 32 << 20;

/// What waits to be sent.
#[derive(Debug)]
pub struct DiskOutbox {
    telemetry: Queue,
    control: Queue,
    tables: Tables,
}

impl DiskOutbox {
    /// Opens what is kept in `folder`. `now_ms` numbers what replaces a queue that cannot be read.
    pub fn open(folder: &Folder, ring_bytes: u64, now_ms: i64) -> Result<Self, Error> {
        let fresh = u64::try_from(now_ms).unwrap_or_default().max(1 << 40);
        let ring = Settings {
            name: "ring",
            channel: Channel::Telemetry,
            capacity: Some(ring_bytes),
            sync_every: SYNC_EVERY,
        };
        let reports = Settings {
            name: "reports",
            channel: Channel::Control,
            capacity: None,
            sync_every: Duration::ZERO,
        };
        let telemetry = Queue::open(folder, ring, fresh)?;
        let control = Queue::open(folder, reports, fresh)?;
        let tables = Tables::open(folder.sub("tables")?, telemetry.next_seq())?;
        Ok(Self { telemetry, control, tables })
    }

    /// Keeps a snapshot, and its table for as long.
    pub fn keep(&mut self, snapshot: Snapshot, series: &SeriesTable) -> Result<(), Error> {
        self.tables.keep(snapshot.table_hash, series, self.telemetry.next_seq())?;
        self.telemetry.append(Body::Snapshot(snapshot))?;
        self.telemetry.sync_if_due();
        self.tidy(false);
        Ok(())
    }

    /// Keeps a report; durable once this returns.
    pub fn report(&mut self, body: Body) -> Result<(), Error> {
        self.control.append(body)?;
        self.control.sync()
    }

    /// Keeps output of a command; durable before it is sent. False when too much waits already.
    pub fn output(&mut self, body: Body) -> bool {
        self.control.bytes() < CONTROL_BYTES && self.control.append(body).is_ok()
    }

    /// Forgets on disk what the platform has.
    pub fn tidy(&mut self, now: bool) {
        self.telemetry.tidy(now);
        self.control.tidy(now);
        self.tables.forget(self.telemetry.acked());
    }

    /// Makes everything durable: the process ends.
    pub fn close(&mut self) -> Result<(), Error> {
        self.tidy(true);
        self.telemetry.sync()?;
        self.control.sync()
    }

    /// Counts a snapshot that could not be kept.
    pub fn note_lost(&mut self) {
        self.telemetry.note_lost();
    }

    /// The ring, for its figures.
    pub fn ring(&self) -> &Queue {
        &self.telemetry
    }

    fn queue(&mut self, channel: Channel) -> Option<&mut Queue> {
        match channel {
            Channel::Telemetry => Some(&mut self.telemetry),
            Channel::Control => Some(&mut self.control),
            Channel::Unspecified => None,
        }
    }
}

impl Outbox for DiskOutbox {
    fn next(&mut self, channel: Channel, after: u64) -> Option<Frame> {
        self.queue(channel)?.next(after)
    }

    fn acknowledged(&mut self, channel: Channel, upto: u64) {
        if let Some(queue) = self.queue(channel) {
            queue.acknowledged(upto);
        }
    }

    fn table(&mut self, hash: u64) -> Option<SeriesTable> {
        self.tables.read(hash)
    }

    fn unsendable(&mut self, seq: u64) {
        tracing::error!("snapshot {seq} cannot be sent: its table of series is gone");
        self.telemetry.note_lost();
    }
}

/// The tables, one file each.
#[derive(Debug)]
struct Tables {
    folder: Folder,
    /// The last snapshot that names each.
    used: HashMap<u64, u64>,
    newest: Option<u64>,
}

fn file(hash: u64) -> String {
    format!("{hash:016x}")
}

impl Tables {
    /// What is found may be named by any snapshot before `next_seq`.
    fn open(folder: Folder, next_seq: u64) -> Result<Self, Error> {
        let hashes = folder.names()?.into_iter().filter(|name| name.len() == 16);
        let hashes = hashes.filter_map(|name| u64::from_str_radix(&name, 16).ok());
        let used = hashes.map(|hash| (hash, next_seq.saturating_sub(1))).collect();
        Ok(Self { folder, used, newest: None })
    }

    fn keep(&mut self, hash: u64, series: &SeriesTable, seq: u64) -> Result<(), Error> {
        if !self.used.contains_key(&hash) {
            if self.used.len() >= TABLES
                && let Some((oldest, _)) = self.used.iter().min_by_key(|(_, seq)| **seq)
            {
                let oldest = *oldest;
                self.remove(oldest);
            }
            self.folder.write(&file(hash), &series.encode_to_vec())?;
        }
        self.used.insert(hash, seq);
        self.newest = Some(hash);
        Ok(())
    }

    fn read(&mut self, hash: u64) -> Option<SeriesTable> {
        let bytes = self.folder.read(&file(hash)).ok().flatten()?;
        let series = SeriesTable::decode(bytes.as_slice()).ok();
        let whole = series.filter(|series| table::hash(series) == hash);
        if whole.is_none() {
            self.used.remove(&hash);
            self.folder.set_aside(&file(hash)).ok();
        }
        whole
    }

    fn forget(&mut self, acked: u64) {
        let newest = self.newest;
        let old =
            |(hash, seq): (&u64, &u64)| (*seq <= acked && Some(*hash) != newest).then_some(*hash);
        let old: Vec<u64> = self.used.iter().filter_map(old).collect();
        for hash in old {
            self.remove(hash);
        }
    }

    fn remove(&mut self, hash: u64) {
        self.used.remove(&hash);
        if let Err(error) = self.folder.remove(&file(hash)) {
            tracing::warn!("cannot remove a table: {}", openframe_fault::chain(&error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_come_back_with_their_tables() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let series = SeriesTable::default();
        let hash = table::hash(&series);
        let mut outbox = DiskOutbox::open(&folder, 1 << 20, 0).unwrap();
        let snapshot = Snapshot { time_ms: 5, table_hash: hash, ..Snapshot::default() };
        outbox.keep(snapshot.clone(), &series).unwrap();
        drop(outbox);
        let mut outbox = DiskOutbox::open(&folder, 1 << 20, 0).unwrap();
        let frame = outbox.next(Channel::Telemetry, 0).unwrap();
        assert_eq!((frame.seq, frame.body), (1, Some(Body::Snapshot(snapshot))));
        assert_eq!(outbox.table(hash), Some(series));
        outbox.acknowledged(Channel::Telemetry, 1);
        outbox.tidy(true);
        assert_eq!(outbox.table(hash), None, "nothing names it any more");
        assert_eq!(outbox.next(Channel::Telemetry, 0), None);
    }
}
