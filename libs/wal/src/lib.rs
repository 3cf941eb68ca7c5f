//! An append-only log on disk, in segments.
//!
//! [`Wal`] is the blocking core: [`Wal::append`] buffers a frame, [`Wal::sync`] makes all frames so
//! far durable, [`Wal::read_from`] reads them back, [`Wal::trim_to`] forgets a prefix that is no
//! longer needed. [`GroupCommit`] shares one log between many tasks: each `append` returns once its
//! frame is durable, and one `fdatasync` serves all who wait.
//!
//! What is promised:
//! - a frame for which `sync` (or `GroupCommit::append`) returned `Ok` is there after a crash;
//! - what [`Wal::open`] finds is made durable before it returns, so that a frame which was read back
//!   and answered for cannot be lost to a power cut;
//! - a torn tail (a frame cut short by a crash) is cut off and reported;
//! - damage in the middle is reported with its file, offset and the sequence numbers it cost, and
//!   frames after it are still read. A last frame that has all of its bytes but fails its checksum is
//!   reported in the same way: it may never have been acknowledged, but it may have been;
//! - after a failed write or fsync the log is poisoned: it refuses everything until it is opened
//!   again, because nobody can say what the kernel kept. Frames that were reported as failed are then
//!   cut off, except those of a segment that was full: it was made durable as a whole.
//!
//! A frame on disk: length of the payload (u32), CRC32C of the other fields (u32), sequence (u64),
//! payload; all little-endian. A segment is named after its first sequence number.

mod error;
mod frame;
mod group;
mod log;
mod reader;
mod recovery;
mod storage;

pub use error::WalError;
pub use frame::MAX_PAYLOAD_BYTES;
pub use group::GroupCommit;
pub use log::{Options, Wal};
pub use reader::{Frame, Reader};
pub use recovery::{Damage, Recovered, Torn};
pub use storage::{Disk, LogFile, Storage};
