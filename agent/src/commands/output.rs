//! What a command writes, in pieces with their place in everything it wrote.

use bytes::Bytes;
use openframe_agent_api::link::command_output::Stream;

/// A piece is sent once it has so many bytes.
const PIECE_BYTES: usize = 32 << 10;

/// Part of what a command wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) stream: Stream,
    pub(super) offset: u64,
    pub(super) data: Bytes,
}

/// The lower of what the platform and this device allow; the platform says 0 for no wish.
pub(super) fn limit(platform: u64, device: u64) -> u64 {
    if platform == 0 { device } else { platform.min(device) }
}

/// Gathers small writes into pieces.
#[derive(Debug)]
pub(super) struct Gather {
    stream: Stream,
    pending: Vec<u8>,
    /// Where `pending` begins.
    offset: u64,
    total: u64,
    limit: u64,
}

impl Gather {
    pub(super) fn new(limit: u64) -> Self {
        Self { stream: Stream::Stdout, pending: Vec::new(), offset: 0, total: 0, limit }
    }

    /// Bytes written so far, kept or not.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Nothing more is kept.
    pub(super) fn close(&mut self) {
        self.limit = 0;
        self.pending.clear();
    }

    /// Takes what was written; gives the pieces that are whole now.
    pub(super) fn add(&mut self, stream: Stream, bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if stream != self.stream {
            pieces.extend(self.flush());
            self.stream = stream;
        }
        let room = usize::try_from(self.limit.saturating_sub(self.total)).unwrap_or(usize::MAX);
        let (kept, _) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        if self.pending.is_empty() {
            self.offset = self.total;
        }
        self.pending.extend_from_slice(kept);
        self.total += bytes.len() as u64;
        if self.pending.len() >= PIECE_BYTES {
            pieces.extend(self.flush());
        }
        pieces
    }

    /// What is gathered so far.
    pub(super) fn flush(&mut self) -> Option<Piece> {
        let data = Bytes::from(std::mem::take(&mut self.pending));
        let piece = Piece { stream: self.stream, offset: self.offset, data };
        (!piece.data.is_empty()).then_some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_lie_end_to_end_up_to_the_limit() {
        let mut gather = Gather::new(7);
        assert!(gather.add(Stream::Stdout, b"abc").is_empty());
        let first = gather.add(Stream::Stderr, b"de");
        assert_eq!(first, [Piece { stream: Stream::Stdout, offset: 0, data: "abc".into() }]);
        assert!(gather.add(Stream::Stderr, b"fghi").is_empty());
        let piece = Piece { stream: Stream::Stderr, offset: 3, data: "defg".into() };
        assert_eq!(gather.flush(), Some(piece));
        gather.add(Stream::Stdout, b"more");
        assert_eq!((gather.flush(), gather.total()), (None, 13));
    }
}
