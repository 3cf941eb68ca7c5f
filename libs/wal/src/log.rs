//! The log itself: blocking, one owner.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::frame::{self, HEADER_BYTES};
use crate::recovery::{self, Damage, Torn};
use crate::{Disk, LogFile, MAX_PAYLOAD_BYTES, Reader, Recovered, Storage, WalError};

/// How a log is kept.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// A segment is closed once it holds so many bytes.
    pub segment_bytes: u64,
    /// [`Wal::drop_oldest`] keeps the log at about so many bytes; `None` for no limit.
    pub capacity_bytes: Option<u64>,
    /// The number of the first frame of a new log.
    pub first_seq: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, capacity_bytes: None, first_seq: 1 }
    }
}

/// Frames are held back until there are so many bytes, or `sync` is called.
const BUFFER_BYTES: usize = 1 << 20;
/// The file that says what was trimmed.
const MARK: &str = "trimmed";

/// A segment on disk.
#[derive(Debug, Clone)]
struct Segment {
    first_seq: u64,
    path: PathBuf,
    bytes: u64,
}

/// The segment that is written to.
struct Active {
    file: Box<dyn LogFile>,
    /// Bytes of it that are durable.
    durable: u64,
}

/// An append-only log in a folder. One process, one owner.
pub struct Wal {
    dir: PathBuf,
    options: Options,
    storage: Arc<dyn Storage>,
    segments: VecDeque<Segment>,
    /// `None` until the first frame after opening: each opening begins a new segment, so that no
    /// byte is ever written behind one whose fate is not known.
    active: Option<Active>,
    buffer: Vec<u8>,
    next_seq: u64,
    /// Frames before this one are durable.
    durable_seq: u64,
    mark: u64,
    poisoned: Option<WalError>,
}

impl std::fmt::Debug for Wal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, next) = (self.first_seq(), self.next_seq);
        write!(f, "Wal({}, {first}..{next})", self.dir.display())
    }
}

impl Wal {
    /// Opens the log in `dir`, or makes one.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovered), WalError> {
        Self::open_on(Arc::new(Disk), dir, options)
    }

    /// Opens a log on other file operations than the system's.
    pub fn open_on(
        storage: Arc<dyn Storage>,
        dir: &Path,
        options: Options,
    ) -> Result<(Self, Recovered), WalError> {
        storage.create_dir(dir).map_err(|cause| WalError::io("make the folder", dir, cause))?;
        let names = storage.list(dir).map_err(|cause| WalError::io("list", dir, cause))?;
        let mark = read_mark(&*storage, dir, &names)?;
        let mut log = Self {
            dir: dir.to_owned(),
            options,
            storage,
            segments: VecDeque::new(),
            active: None,
            buffer: Vec::new(),
            next_seq: mark.max(options.first_seq),
            durable_seq: 0,
            mark,
            poisoned: None,
        };
        let mut report = Recovered::default();
        let mut found: Vec<u64> = names.iter().filter_map(|name| segment_seq(name)).collect();
        found.sort_unstable();
        let last = found.last().copied();
        for first_seq in found {
            log.load(first_seq, Some(first_seq) == last, &mut report)?;
        }
        log.durable_seq = log.next_seq;
        // Frames below the mark are not missed by anyone.
        report.damage.retain(|damage| damage.lost.1 > mark);
        Ok((log, report))
    }

    fn load(&mut self, first: u64, last: bool, report: &mut Recovered) -> Result<(), WalError> {
        let path = self.segment_path(first);
        let read = self.storage.read(&path);
        let bytes = read.map_err(|cause| WalError::io("read", &path, cause))?;
        let mut size = bytes.len() as u64;
        if first > self.next_seq && !self.segments.is_empty() {
            // The end of the segment before this one is gone.
            let lost = (self.next_seq, first);
            let (path, offset) = self.end();
            note(report, Damage { path, offset, bytes: 0, lost });
        }
        let mut scanned = recovery::scan(&path, &bytes, first);
        report.frames += scanned.frames;
        report.damage.append(&mut scanned.damage);
        let mut found = scanned.frames > 0;
        if let Some(offset) = scanned.bad_tail {
            let (next, bytes) = (scanned.next_seq, size - offset);
            if last && !scanned.whole_tail {
                report.torn = Some(Torn { path: path.clone(), offset, bytes });
                size = offset;
            } else {
                // How many frames are lost at the end of a segment that is not the last is known
                // when the next one is read. At the end of the last one, it is the one to be seen.
                scanned.next_seq += u64::from(last);
                let lost = (next, scanned.next_seq);
                report.damage.push(Damage { path: path.clone(), offset, bytes, lost });
                found = true;
            }
        }
        self.next_seq = self.next_seq.max(scanned.next_seq);
        if last && !found {
            // A segment that never got a whole frame: its name would be taken twice.
            self.storage.remove(&path).map_err(|cause| WalError::io("remove", &path, cause))?;
            return Ok(());
        }
        if last {
            // The process before this one may have ended between a write and its fsync: what is
            // read here will be answered for, so it must not be lost to a power cut any more.
            let kept = self.storage.truncate(&path, size);
            kept.map_err(|cause| WalError::io("make durable", &path, cause))?;
        }
        self.segments.push_back(Segment { first_seq: first, path, bytes: size });
        Ok(())
    }

    fn end(&self) -> (PathBuf, u64) {
        let last = self.segments.back();
        last.map_or((self.dir.clone(), 0), |last| (last.path.clone(), last.bytes))
    }

    fn segment_path(&self, first_seq: u64) -> PathBuf {
        self.dir.join(format!("{first_seq:020}.wal"))
    }

    /// The number of the oldest frame that is kept.
    pub fn first_seq(&self) -> u64 {
        let oldest = self.segments.front().map_or(self.next_seq, |segment| segment.first_seq);
        oldest.max(self.mark).min(self.next_seq)
    }

    /// The number that the next frame will have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum::<u64>() + self.buffer.len() as u64
    }

    /// Why the log refuses to write, if it does.
    pub fn poisoned(&self) -> Option<&WalError> {
        self.poisoned.as_ref()
    }

    /// Refuses to write, as after a failure of its own, until it is opened again.
    pub fn refuse(&mut self, because: WalError) {
        self.poisoned.get_or_insert(because);
    }

    /// Adds a frame and returns its number. Durable only after [`Wal::sync`].
    pub fn append(&mut self, payload: &[u8]) -> Result<u64, WalError> {
        self.check()?;
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(WalError::TooLarge(payload.len()));
        }
        let written = self.segments.back().map_or(0, |segment| segment.bytes);
        let held = written + self.buffer.len() as u64;
        let full = held + (HEADER_BYTES + payload.len()) as u64 > self.options.segment_bytes;
        if self.active.is_some() && held > 0 && full {
            // The old segment must be whole before a newer one exists.
            self.sync()?;
            self.active = None;
        }
        if self.active.is_none() {
            self.begin_segment()?;
        }
        let seq = self.next_seq;
        frame::encode(&mut self.buffer, seq, payload);
        self.next_seq += 1;
        if self.buffer.len() >= BUFFER_BYTES {
            self.write_buffer()?;
        }
        Ok(seq)
    }

    /// Makes every frame so far durable.
    pub fn sync(&mut self) -> Result<(), WalError> {
        self.check()?;
        self.write_buffer()?;
        let (path, written) = self.end();
        let Some(active) = &mut self.active else { return Ok(()) };
        if active.durable == written {
            return Ok(());
        }
        match active.file.sync() {
            Ok(()) => {
                active.durable = written;
                self.durable_seq = self.next_seq;
                Ok(())
            }
            Err(cause) => Err(self.poison(WalError::io("make durable", path, cause))),
        }
    }

    fn write_buffer(&mut self) -> Result<(), WalError> {
        let (Some(active), Some(segment)) = (&mut self.active, self.segments.back_mut()) else {
            return Ok(());
        };
        let mut rest = self.buffer.as_slice();
        while !rest.is_empty() {
            let failed = match active.file.write(rest) {
                Ok(0) => std::io::Error::from(std::io::ErrorKind::WriteZero),
                Ok(written) => {
                    segment.bytes += written as u64;
                    rest = rest.get(written..).unwrap_or_default();
                    continue;
                }
                Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(cause) => cause,
            };
            let error = WalError::io("write", segment.path.clone(), failed);
            return Err(self.poison(error));
        }
        self.buffer.clear();
        Ok(())
    }

    fn begin_segment(&mut self) -> Result<(), WalError> {
        let path = self.segment_path(self.next_seq);
        let made = self.storage.create(&path).and_then(|file| {
            self.storage.sync_dir(&self.dir)?;
            Ok(file)
        });
        match made {
            Ok(file) => {
                self.active = Some(Active { file, durable: 0 });
                self.segments.push_back(Segment { first_seq: self.next_seq, path, bytes: 0 });
                Ok(())
            }
            Err(cause) => Err(self.poison(WalError::io("make", path, cause))),
        }
    }

    fn check(&self) -> Result<(), WalError> {
        let Some(error) = &self.poisoned else { return Ok(()) };
        let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        Err(WalError::Poisoned(format!("{error}: {cause}")))
    }

    fn poison(&mut self, error: WalError) -> WalError {
        self.poisoned = Some(error.clone());
        error
    }

    /// Makes a poisoned log work again in the same process: what was not durable is cut off, so
    /// that its numbers are free again. Nothing is read.
    pub fn reopen(&mut self) -> Result<(), WalError> {
        if let (Some(active), Some(segment)) = (&self.active, self.segments.back_mut()) {
            let (path, durable) = (&segment.path, active.durable);
            let cut = self.storage.truncate(path, durable);
            cut.map_err(|cause| WalError::io("truncate", path, cause))?;
            segment.bytes = durable;
            if durable == 0 {
                let removed = self.storage.remove(path);
                removed.map_err(|cause| WalError::io("remove", path, cause))?;
                self.segments.pop_back();
            }
        }
        self.active = None;
        self.buffer.clear();
        self.next_seq = self.durable_seq;
        self.poisoned = None;
        Ok(())
    }

    /// Reads from frame `seq` on, up to the last frame appended before this call.
    pub fn read_from(&mut self, seq: u64) -> Result<Reader, WalError> {
        if self.poisoned.is_none() {
            self.write_buffer()?;
        }
        let from = seq.max(self.mark);
        let after = self.segments.iter().skip(1).map(|next| next.first_seq).chain([u64::MAX]);
        let wanted = self.segments.iter().zip(after).filter(|(_, next)| *next > from);
        let files = wanted.map(|(segment, _)| (segment.first_seq, segment.path.clone())).collect();
        Ok(Reader::new(Arc::clone(&self.storage), files, from))
    }

    /// Forgets the frames before `seq`, durably, and removes the segments that hold only such.
    pub fn trim_to(&mut self, seq: u64) -> Result<(), WalError> {
        let seq = seq.min(self.next_seq);
        if seq > self.mark {
            self.write_mark(seq)?;
            self.mark = seq;
        }
        while let Some(next) = self.segments.get(1) {
            if next.first_seq > self.mark {
                break;
            }
            self.remove_oldest()?;
        }
        Ok(())
    }

    /// Removes the oldest segments while the log is over its capacity, never the one written to.
    /// Returns how many frames that nobody trimmed are gone, for the caller to report.
    pub fn drop_oldest(&mut self) -> Result<u64, WalError> {
        let Some(capacity) = self.options.capacity_bytes else { return Ok(0) };
        let mut dropped = 0;
        while self.bytes() > capacity {
            let Some(next) = self.segments.get(1).map(|next| next.first_seq) else { break };
            let first = self.first_seq();
            self.remove_oldest()?;
            dropped += next.saturating_sub(first);
        }
        Ok(dropped)
    }

    /// The first frame of the oldest segment but one: what [`Wal::trim_to`] needs to free a
    /// segment. `None` when there is only one.
    pub fn second_segment(&self) -> Option<u64> {
        self.segments.get(1).map(|segment| segment.first_seq)
    }

    /// The first frame and the bytes of each segment, oldest first.
    pub fn segments(&self) -> Vec<(u64, u64)> {
        self.segments.iter().map(|segment| (segment.first_seq, segment.bytes)).collect()
    }

    fn remove_oldest(&mut self) -> Result<(), WalError> {
        let Some(oldest) = self.segments.front() else { return Ok(()) };
        let removed = self.storage.remove(&oldest.path);
        removed.map_err(|cause| WalError::io("remove", &oldest.path, cause))?;
        self.segments.pop_front();
        self.sync_dir()
    }

    fn write_mark(&self, seq: u64) -> Result<(), WalError> {
        let (new, path) = (self.dir.join("trimmed.new"), self.dir.join(MARK));
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, seq, &[]);
        let write = || {
            let mut file = self.storage.create(&new)?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let written = file.write(rest)?;
                if written == 0 {
                    return Err(std::io::ErrorKind::WriteZero.into());
                }
                rest = rest.get(written..).unwrap_or_default();
            }
            file.sync()?;
            self.storage.rename(&new, &path)
        };
        write().map_err(|cause| WalError::io("write", &path, cause))?;
        self.sync_dir()
    }

    fn sync_dir(&self) -> Result<(), WalError> {
        self.storage.sync_dir(&self.dir).map_err(|cause| WalError::io("sync", &self.dir, cause))
    }
}

/// Adds a gap to the report; one right behind an unreadable tail belongs to it.
fn note(report: &mut Recovered, gap: Damage) {
    match report.damage.last_mut() {
        Some(last) if last.path == gap.path && last.lost == (gap.lost.0, gap.lost.0) => {
            last.lost = gap.lost;
        }
        Some(_) | None => report.damage.push(gap),
    }
}

fn segment_seq(name: &str) -> Option<u64> {
    name.strip_suffix(".wal")?.parse().ok()
}

/// What was trimmed. A damaged mark is an error and not a guess: a guess would bring frames back.
fn read_mark(storage: &dyn Storage, dir: &Path, names: &[String]) -> Result<u64, WalError> {
    if !names.iter().any(|name| name == MARK) {
        return Ok(0);
    }
    let path = dir.join(MARK);
    let bytes = storage.read(&path).map_err(|cause| WalError::io("read", &path, cause))?;
    match frame::parse(&bytes) {
        frame::Parsed::Whole { seq, .. } => Ok(seq),
        frame::Parsed::End | frame::Parsed::Bad => Err(WalError::Damaged { path, offset: 0 }),
    }
}

#[cfg(test)]
mod tests;
