//! What can go wrong with a log.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why the log could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WalError {
    /// A file operation failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        #[source]
        cause: Arc<io::Error>,
    },
    /// An earlier write or fsync failed: the log must be opened again.
    #[error("the log refuses to write since an earlier failure: {0}")]
    Poisoned(String),
    /// A frame on disk is not what was written.
    #[error("{} is damaged at byte {offset}", path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where in it.
        offset: u64,
    },
    /// The payload is larger than a frame may be.
    #[error("a frame of {0} bytes is larger than the log takes")]
    TooLarge(usize),
    /// The thread that writes is gone.
    #[error("the log is closed")]
    Closed,
}

impl WalError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, cause: io::Error) -> Self {
        Self::Io { action, path: path.into(), cause: Arc::new(cause) }
    }

    /// Whether the disk is full: opening the log again helps once there is space.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { cause, .. } => {
                matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Poisoned(_) | Self::Damaged { .. } | Self::TooLarge(_) | Self::Closed => false,
        }
    }
}
