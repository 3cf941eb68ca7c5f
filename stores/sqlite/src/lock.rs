//! One process per data folder.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::OpenError;

/// The name of the file that is locked.
const FILE: &str = "lock";

/// Holds a data folder for as long as it lives. The kernel frees it when the process ends, however
/// it ends, so nothing is ever left behind.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the folder, and makes it (readable by its owner only) if it is not there. Fails when
    /// another process holds it or when nothing can be written in it.
    pub fn take(folder: &Path) -> Result<Self, OpenError> {
        let unwritable = |cause| OpenError::NotWritable { path: folder.to_path_buf(), cause };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unwritable)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join(FILE))
            .map_err(unwritable)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse(folder.to_path_buf())),
            Err(other) => Err(unwritable(other.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_is_held_by_one_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        let held = FolderLock::take(&folder).unwrap();
        let mode = folder.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let refused = FolderLock::take(&folder).unwrap_err();
        assert!(refused.to_string().starts_with(&format!("{} is in use", folder.display())));
        drop(held);
        FolderLock::take(&folder).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refused = FolderLock::take(&file.join("data")).unwrap_err();
        assert!(matches!(refused, OpenError::NotWritable { .. }));
    }
}
