//! Space on the disk that is kept for a full disk: what makes room needs some itself.

use std::path::PathBuf;
use std::sync::Arc;

use openframe_wal::{Storage, WalError};

/// Bytes written at once.
const PIECE: usize = 64 << 10;

/// A file that holds nothing but space.
#[derive(Clone)]
pub(crate) struct Reserve {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    bytes: u64,
}

impl std::fmt::Debug for Reserve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reserve({}, {} bytes)", self.dir.display(), self.bytes)
    }
}

impl Reserve {
    pub(crate) fn new(storage: Arc<dyn Storage>, dir: PathBuf, bytes: u64) -> Self {
        Self { storage, dir, bytes }
    }

    /// Whether the space is held.
    pub(crate) fn held(&self) -> bool {
        self.storage.list(&self.dir).is_ok_and(|names| names.iter().any(|name| name == "reserve"))
    }

    /// Takes the space, beside what was held before: success says that so much is free.
    pub(crate) fn take(&self) -> Result<(), WalError> {
        let (new, path) = (self.dir.join("reserve.new"), self.dir.join("reserve"));
        let taken = self.write(&new).and_then(|()| self.storage.rename(&new, &path));
        taken.map_err(|cause| {
            // Half of it only makes the disk fuller; that it could not be removed changes nothing.
            drop(self.storage.remove(&new));
            WalError::Io { action: "reserve space by", path, cause: Arc::new(cause) }
        })
    }

    fn write(&self, path: &std::path::Path) -> std::io::Result<()> {
        let mut file = self.storage.create(path)?;
        let (mut left, mut noise) = (self.bytes, 0x9e37_79b9_7f4a_7c15_u64);
        while left > 0 {
            // Not zeros: some file systems need no space for those.
            let piece: Vec<u8> = std::iter::repeat_with(|| {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                noise.to_le_bytes()
            })
            .take(PIECE / 8)
            .flatten()
            .collect();
            let wanted = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            let written = file.write(piece.get(..wanted).unwrap_or_default())?;
            if written == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            left -= written as u64;
        }
        file.sync()
    }

    /// Gives the space back to the disk.
    pub(crate) fn release(&self) -> Result<(), WalError> {
        if !self.held() {
            return Ok(());
        }
        let path = self.dir.join("reserve");
        let removed = self.storage.remove(&path);
        removed.map_err(|cause| WalError::Io { action: "remove", path, cause: Arc::new(cause) })
    }
}
