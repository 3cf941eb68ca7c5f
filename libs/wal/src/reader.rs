//! Reading a log back.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use crate::frame::{self, Parsed};
use crate::{Storage, WalError, recovery};

/// One frame, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its sequence number.
    pub seq: u64,
    /// What was appended.
    pub payload: Vec<u8>,
}

/// Frames in order. Damage is an `Err`, after which reading goes on; so is a segment that cannot
/// be read.
pub struct Reader {
    pub(crate) storage: Arc<dyn Storage>,
    /// Segments still to read: first sequence number and file.
    pub(crate) segments: VecDeque<(u64, PathBuf)>,
    pub(crate) from: u64,
    open: Option<Open>,
}

struct Open {
    path: PathBuf,
    bytes: Vec<u8>,
    at: usize,
    expected: u64,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader(from {}, {} segments left)", self.from, self.segments.len())
    }
}

impl Reader {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        segments: VecDeque<(u64, PathBuf)>,
        from: u64,
    ) -> Self {
        Self { storage, segments, from, open: None }
    }

    /// One step: a frame, an error, or nothing yet.
    fn step(&mut self) -> Option<Result<Frame, WalError>> {
        let Some(open) = &mut self.open else { return self.open_next().map(Err) };
        let rest = open.bytes.get(open.at..).unwrap_or_default();
        match frame::parse(rest) {
            Parsed::End => {
                self.open = None;
                None
            }
            Parsed::Whole { seq, payload, bytes } if seq == open.expected => {
                let frame = (seq >= self.from).then(|| Frame { seq, payload: payload.to_owned() });
                open.at += bytes;
                open.expected = seq + 1;
                frame.map(Ok)
            }
            Parsed::Whole { .. } | Parsed::Bad => {
                let offset = open.at as u64;
                let path = open.path.clone();
                match recovery::next_good(rest, open.expected) {
                    Some((skip, seq)) => {
                        open.at += skip;
                        open.expected = seq;
                    }
                    None => open.at = open.bytes.len(),
                }
                Some(Err(WalError::Damaged { path, offset }))
            }
        }
    }

    fn open_next(&mut self) -> Option<WalError> {
        let (first, path) = self.segments.pop_front()?;
        match self.storage.read(&path) {
            Ok(bytes) => {
                self.open = Some(Open { path, bytes, at: 0, expected: first });
                None
            }
            Err(cause) => Some(WalError::io("read", path, cause)),
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Frame, WalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.step() {
                return Some(item);
            }
            if self.open.is_none() && self.segments.is_empty() {
                return None;
            }
        }
    }
}
