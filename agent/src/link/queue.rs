//! A queue of frames on disk. A frame gets its number once, is sent only after it is durable (so
//! that no number is ever given twice), and stays until the platform has acknowledged it.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{Channel, Frame};
use openframe_wal::{Damage, Options, Reader, Wal, WalError};
use prost::Message as _;

use crate::Error;
use crate::state::Folder;

/// Bytes of the newest frames that are also kept in memory, so that a connected agent never reads
/// its disk.
const TAIL_BYTES: usize = 128 << 10;
/// The mark of what was acknowledged is written so often at most; frames behind a mark that was
/// not written are sent again after a crash, which the platform takes without harm.
const MARK_EVERY: Duration = Duration::from_mins(1);

/// How a queue is kept.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The folder's name, in the state folder.
    pub name: &'static str,
    /// What it carries.
    pub channel: Channel,
    /// Beyond so many bytes the oldest frames are dropped; `None` keeps all.
    pub capacity: Option<u64>,
    /// Frames are made durable so often at most.
    pub sync_every: Duration,
}

/// The queue, open.
#[derive(Debug)]
pub struct Queue {
    settings: Settings,
    wal: Wal,
    acked: u64,
    /// The first number that may not be durable yet.
    unsynced: u64,
    synced_at: Option<Instant>,
    marked_at: Instant,
    tail: VecDeque<(u64, Vec<u8>)>,
    tail_bytes: usize,
    reader: Option<(u64, Reader)>,
    dropped: u64,
    lost: u64,
}

impl Queue {
    /// Opens the queue in `folder`. One that cannot be read is set aside; `fresh` is then the
    /// number of the first new frame, above all that can have been given before.
    pub fn open(folder: &Folder, settings: Settings, fresh: u64) -> Result<Self, Error> {
        let capacity_bytes = settings.capacity;
        let segment_bytes =
            capacity_bytes.map_or(1 << 20, |it| (it / 128).clamp(64 << 10, 1 << 20));
        let options = Options { segment_bytes, capacity_bytes, first_seq: 1 };
        let dir = folder.sub(settings.name)?;
        let (wal, found) = match Wal::open(dir.path(), options) {
            Ok(opened) => opened,
            Err(cause @ WalError::Damaged { .. }) => {
                tracing::error!("cannot read a queue: {}", openframe_fault::chain(&cause));
                folder.set_aside(settings.name)?;
                let dir = folder.sub(settings.name)?;
                let options = Options { first_seq: fresh, ..options };
                Wal::open(dir.path(), options).map_err(|cause| failed(&dir, cause))?
            }
            // The disk may do better next time, and what is on it is not thrown away.
            Err(cause) => return Err(failed(&dir, cause)),
        };
        let mut lost = 0;
        for damage in &found.damage {
            keep_damaged(damage);
            lost += damage.lost.1.saturating_sub(damage.lost.0);
        }
        Ok(Self {
            settings,
            acked: 0,
            unsynced: wal.next_seq(),
            wal,
            synced_at: None,
            marked_at: openframe_clock::monotonic(),
            tail: VecDeque::new(),
            tail_bytes: 0,
            reader: None,
            dropped: 0,
            lost,
        })
    }

    /// Adds a frame and returns its number.
    pub fn append(&mut self, body: Body) -> Result<u64, Error> {
        if self.wal.poisoned().is_some() {
            self.reopen()?;
        }
        let channel = self.settings.channel.into();
        let bytes = Frame { channel, seq: 0, body: Some(body) }.encode_to_vec();
        let seq = self.wal.append(&bytes).map_err(wal_error)?;
        self.tail_bytes += bytes.len();
        self.tail.push_back((seq, bytes));
        while self.tail_bytes > TAIL_BYTES {
            self.pop_tail();
        }
        let dropped = self.wal.drop_oldest().map_err(wal_error)?;
        if dropped > 0 {
            self.dropped += dropped;
            tracing::warn!("the ring is full: dropped the {dropped} oldest snapshots");
        }
        Ok(seq)
    }

    /// Makes everything so far durable.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.wal.sync().map_err(wal_error)?;
        self.unsynced = self.wal.next_seq();
        self.synced_at = Some(openframe_clock::monotonic());
        Ok(())
    }

    /// Makes everything durable if that was not done for a while. Says whether all is durable.
    pub fn sync_if_due(&mut self) -> bool {
        if self.unsynced == self.wal.next_seq() {
            return true;
        }
        let recent = self.synced_at.is_some_and(|at| at.elapsed() < self.settings.sync_every);
        if recent {
            return false;
        }
        if let Err(error) = self.sync() {
            tracing::warn!("cannot keep frames: {}", openframe_fault::chain(&error));
            return false;
        }
        true
    }

    /// The first kept frame whose number is above `after`.
    pub fn next(&mut self, after: u64) -> Option<Frame> {
        let mut wanted = after.max(self.acked) + 1;
        loop {
            wanted = wanted.max(self.wal.first_seq());
            if wanted >= self.wal.next_seq() || (wanted >= self.unsynced && !self.sync_if_due()) {
                return None;
            }
            let (seq, bytes) = self.find(wanted)?;
            if let Ok(mut frame) = Frame::decode(bytes.as_slice()) {
                frame.seq = seq;
                return Some(frame);
            }
            self.lost += 1;
            wanted = seq + 1;
        }
    }

    fn find(&mut self, wanted: u64) -> Option<(u64, Vec<u8>)> {
        let in_tail = self.tail.partition_point(|(seq, _)| *seq < wanted);
        let oldest = self.tail.front().map(|(seq, _)| *seq);
        if oldest.is_some_and(|oldest| oldest <= wanted) {
            return self.tail.get(in_tail).cloned();
        }
        if self.reader.as_ref().is_none_or(|(next, _)| *next != wanted) {
            let reader = self.wal.read_from(wanted);
            self.reader = reader.ok().map(|reader| (wanted, reader));
        }
        let (next, reader) = self.reader.as_mut()?;
        for read in reader {
            match read {
                Ok(frame) if frame.seq >= wanted => {
                    *next = frame.seq + 1;
                    return Some((frame.seq, frame.payload));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!("a frame is lost: {}", openframe_fault::chain(&error));
                }
            }
        }
        self.reader = None;
        self.tail.get(in_tail).cloned()
    }

    /// Everything up to `upto` need not be kept.
    pub fn acknowledged(&mut self, upto: u64) {
        self.acked = self.acked.max(upto);
        while self.tail.front().is_some_and(|(seq, _)| *seq <= upto) {
            self.pop_tail();
        }
    }

    /// Writes down what was acknowledged, when that frees space or was not done for a while.
    pub fn tidy(&mut self, now: bool) {
        let keep = self.acked + 1;
        let frees = self.wal.second_segment().is_some_and(|second| second <= keep);
        let due = now || frees || self.marked_at.elapsed() >= MARK_EVERY;
        if !due || keep <= self.wal.first_seq() {
            return;
        }
        self.marked_at = openframe_clock::monotonic();
        if let Err(error) = self.wal.trim_to(keep) {
            tracing::warn!("cannot trim a queue: {}", openframe_fault::chain(&error));
        }
    }

    fn reopen(&mut self) -> Result<(), Error> {
        let before = self.wal.next_seq();
        self.wal.reopen().map_err(wal_error)?;
        // What was not durable was never sent; its numbers are free again.
        self.unsynced = self.wal.next_seq();
        self.lost += before.saturating_sub(self.unsynced);
        while self.tail.back().is_some_and(|(seq, _)| *seq >= self.unsynced) {
            let gone = self.tail.pop_back();
            self.tail_bytes -= gone.map_or(0, |(_, bytes)| bytes.len());
        }
        self.reader = None;
        Ok(())
    }

    fn pop_tail(&mut self) {
        let gone = self.tail.pop_front();
        self.tail_bytes -= gone.map_or(0, |(_, bytes)| bytes.len());
    }

    /// The number that the next frame gets.
    pub fn next_seq(&self) -> u64 {
        self.wal.next_seq()
    }

    /// The highest number that the platform has acknowledged to this process.
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.wal.bytes()
    }

    /// Frames that wait.
    pub fn waiting(&self) -> u64 {
        self.wal.next_seq().saturating_sub(self.wal.first_seq().max(self.acked + 1))
    }

    /// Frames dropped because there was no space, since this process began.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Frames that could not be read back, since this process began.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Counts a frame that cannot be sent.
    pub fn note_lost(&mut self) {
        self.lost += 1;
    }
}

/// Copies a damaged segment before trimming can remove it.
fn keep_damaged(damage: &Damage) {
    let (path, offset) = (damage.path.display(), damage.offset);
    let aside = damage.path.with_extension("corrupt");
    let kept = aside.exists() || fs::copy(&damage.path, &aside).is_ok();
    tracing::error!(file.path = %path, "{path} is damaged at byte {offset}; copy kept: {kept}");
}

fn wal_error(cause: WalError) -> Error {
    let path = match &cause {
        WalError::Io { path, .. } | WalError::Damaged { path, .. } => path.clone(),
        WalError::Poisoned(_) | WalError::TooLarge(_) | WalError::Closed => "queue".into(),
    };
    Error::State { path, cause: io::Error::other(cause) }
}

fn failed(dir: &Folder, cause: WalError) -> Error {
    Error::State { path: dir.path().to_owned(), cause: io::Error::other(cause) }
}

#[cfg(test)]
mod tests;
