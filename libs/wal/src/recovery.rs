//! What a segment holds, and what of it is lost.

use std::path::{Path, PathBuf};

use crate::frame::{self, HEADER_BYTES, Parsed};

/// What was found when a log was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Whole frames found.
    pub frames: u64,
    /// A last frame that was cut short, and is cut off now. Nobody was told that it is durable,
    /// unless it is its header that is damaged.
    pub torn: Option<Torn>,
    /// Damage: in the middle, with what follows still read, or a last frame that has all of its
    /// bytes but not as they were written. Whether such a last frame was durable nobody can say (a
    /// power cut can leave a file long enough but not filled), so it counts as lost.
    pub damage: Vec<Damage>,
}

/// A tail that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The segment.
    pub path: PathBuf,
    /// Where the tail began.
    pub offset: u64,
    /// How long it was.
    pub bytes: u64,
}

/// A place where frames are missing that should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub path: PathBuf,
    /// Where the damage begins.
    pub offset: u64,
    /// How many bytes cannot be read.
    pub bytes: u64,
    /// The sequence numbers lost: from the first to before the second.
    pub lost: (u64, u64),
}

/// What one segment holds.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) frames: u64,
    /// The sequence number after the last good frame.
    pub(crate) next_seq: u64,
    pub(crate) damage: Vec<Damage>,
    /// Where the bytes after the last good frame begin, if there are any.
    pub(crate) bad_tail: Option<u64>,
    /// Whether those bytes are at least as many as the frame there says it has.
    pub(crate) whole_tail: bool,
}

/// Reads a whole segment whose first frame should have the number `first_seq`.
pub(crate) fn scan(path: &Path, bytes: &[u8], first_seq: u64) -> Scanned {
    let mut found = Scanned { next_seq: first_seq, ..Scanned::default() };
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match frame::parse(rest) {
            Parsed::End => return found,
            Parsed::Whole { seq, bytes, .. } if seq == found.next_seq => {
                found.frames += 1;
                found.next_seq = seq + 1;
                at += bytes;
            }
            Parsed::Whole { .. } | Parsed::Bad => {
                let Some((skip, seq)) = next_good(rest, found.next_seq) else {
                    found.bad_tail = Some(at as u64);
                    found.whole_tail = frame::seems_whole(rest, found.next_seq);
                    return found;
                };
                found.damage.push(Damage {
                    path: path.to_owned(),
                    offset: at as u64,
                    bytes: skip as u64,
                    lost: (found.next_seq, seq),
                });
                found.next_seq = seq;
                at += skip;
            }
        }
    }
}

/// The distance to the next frame whose checksum and sequence number hold, and its number.
pub(crate) fn next_good(bytes: &[u8], expected: u64) -> Option<(usize, u64)> {
    // No more frames than this can have stood in the bytes skipped.
    let reach = expected.saturating_add((bytes.len() / HEADER_BYTES) as u64);
    (1..bytes.len()).find_map(|skip| {
        let rest = bytes.get(skip..)?;
        let claimed = frame::claimed_seq(rest)?;
        if claimed < expected || claimed > reach {
            return None;
        }
        match frame::parse(rest) {
            Parsed::Whole { seq, .. } => Some((skip, seq)),
            Parsed::End | Parsed::Bad => None,
        }
    })
}
