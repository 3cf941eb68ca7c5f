//! The samples of one series in memory.

use std::sync::Arc;

use crate::domain::chunk::{Chunk, Sample};

/// Bytes of a chunk beside its samples, about.
const CHUNK_BYTES: usize = 96;

/// Chunks in order of time, not overlapping. Shared with whoever reads them: a chunk that is read
/// is copied before it changes.
#[derive(Debug, Default)]
pub(super) struct Column {
    chunks: Vec<Arc<Chunk>>,
    bytes: usize,
}

impl Column {
    /// Bytes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The last sample.
    pub(super) fn last(&self) -> Option<Sample> {
        self.chunks.last().map(|chunk| chunk.last())
    }

    /// The chunks that may have samples in `[start, end]`.
    pub(super) fn within(&self, start_ms: i64, end_ms: i64) -> &[Arc<Chunk>] {
        let from = self.chunks.partition_point(|chunk| chunk.last().0 < start_ms);
        let to = self.chunks.partition_point(|chunk| chunk.first_ms() <= end_ms);
        self.chunks.get(from..to).unwrap_or_default()
    }

    /// When each chunk ends, and its bytes.
    pub(super) fn ages(&self) -> impl Iterator<Item = (i64, usize)> {
        self.chunks.iter().map(|chunk| (chunk.last().0, size(chunk)))
    }

    /// Forgets chunks that end before `before_ms`.
    pub(super) fn forget(&mut self, before_ms: i64) {
        let old = self.chunks.partition_point(|chunk| chunk.last().0 < before_ms);
        let freed: usize = self.chunks.drain(..old).map(|chunk| size(&chunk)).sum();
        self.bytes -= freed;
        if old > 0 && self.chunks.is_empty() {
            self.chunks = Vec::new();
        }
    }

    /// How many samples there are at or after `from_ms`.
    pub(super) fn count_from(&self, from_ms: i64) -> usize {
        let chunks = self.within(from_ms, i64::MAX).iter();
        chunks.flat_map(|chunk| chunk.samples()).filter(|(t, _)| *t >= from_ms).count()
    }

    /// The value at this instant.
    pub(super) fn at(&self, t: i64) -> Option<f64> {
        let chunk = self.chunks.get(self.place(t))?;
        let (last, value) = chunk.last();
        if last == t {
            return Some(value);
        }
        if !(chunk.first_ms()..last).contains(&t) {
            return None;
        }
        chunk.samples().into_iter().find(|(at, _)| *at == t).map(|(_, value)| value)
    }

    /// Adds a sample; says whether its instant is new. Two values for one instant come from writes
    /// at the same moment, and which one reaches the log first is chance: the one whose bits are
    /// greater stays, so that memory and a restart agree.
    pub(super) fn add(&mut self, sample: Sample) -> bool {
        match self.chunks.last_mut() {
            Some(last) if last.last().0 < sample.0 && !last.is_full() => {
                let open = Arc::make_mut(last);
                self.bytes -= size(open);
                open.push(sample);
                self.bytes += size(open);
            }
            Some(last) if last.last().0 < sample.0 => {
                Arc::make_mut(last).close();
                self.push(Chunk::new(sample));
            }
            None => self.push(Chunk::new(sample)),
            Some(_) => return self.add_late(sample),
        }
        true
    }

    fn push(&mut self, chunk: Chunk) {
        self.bytes += size(&chunk);
        self.chunks.push(Arc::new(chunk));
    }

    fn add_late(&mut self, sample: Sample) -> bool {
        let known = self.at(sample.0);
        if known.is_some_and(|known| known.to_bits() >= sample.1.to_bits()) {
            return false;
        }
        let at = self.place(sample.0);
        let Some(chunk) = self.chunks.get(at) else { return false };
        let mut samples = chunk.samples();
        samples.retain(|(t, _)| *t != sample.0);
        samples.insert(samples.partition_point(|(t, _)| *t < sample.0), sample);
        // Two halves when it has grown too long, so that late samples stay cheap.
        let long = samples.len() > usize::from(crate::domain::chunk::FULL);
        let half = if long { samples.len().div_ceil(2) } else { samples.len() };
        let before = size(chunk);
        let parts: Vec<Arc<Chunk>> =
            samples.chunks(half).filter_map(Chunk::of).map(Arc::new).collect();
        let after: usize = parts.iter().map(|chunk| size(chunk)).sum();
        self.bytes = self.bytes + after - before;
        self.chunks.splice(at..=at, parts);
        known.is_none()
    }

    /// Where the chunk that covers `t`, or the one before it, stands.
    fn place(&self, t: i64) -> usize {
        self.chunks.partition_point(|chunk| chunk.first_ms() <= t).saturating_sub(1)
    }
}

fn size(chunk: &Chunk) -> usize {
    chunk.bytes() + CHUNK_BYTES
}
