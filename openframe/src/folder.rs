//! The data folder: who may use it, and the platform's own names and keys in it.
//!
//! ```text
//! openframe-data/
//!   lock            held by the process that uses the folder
//!   tenant          the id of the tenant that every installation begins with
//!   pki/            the platform's authorities: certificates 0644, keys 0600 (`authority`)
//!   auth.db devices.db monitoring/    what the services keep
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use openframe_ids::{TenantId, random};
use openframe_sqlite::FolderLock;

/// A data folder that this process alone uses.
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: FolderLock,
}

impl DataFolder {
    /// Takes the folder, making it if there is none.
    pub(crate) fn take(path: &Path) -> anyhow::Result<Self> {
        let lock = FolderLock::take(path)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The path of `name` in the folder.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The first tenant's id, made at first start.
    pub(crate) fn tenant(&self) -> anyhow::Result<TenantId> {
        let file = self.join("tenant");
        if let Some(tenant) = read_tenant(&file)? {
            return Ok(tenant);
        }
        let tenant = TenantId::new();
        write(&file, &format!("{tenant}\n"), 0o644)?;
        Ok(tenant)
    }
}

/// The tenant's id in a file; `None` when there is no file.
pub(crate) fn read_tenant(file: &Path) -> anyhow::Result<Option<TenantId>> {
    match fs::read_to_string(file) {
        Ok(text) => {
            let tenant = text.trim().parse();
            tenant.map(Some).with_context(|| format!("{} is damaged", file.display()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

/// What became of a file that must not replace another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It was made.
    Made,
    /// The name was taken; nothing was changed.
    Taken,
}

/// Writes a file whole or not at all, durable when it returns. Replaces what was there.
pub(crate) fn write(file: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let result = || -> io::Result<()> {
        let new = Draft::make(file, text, mode)?;
        fs::rename(&new.path, file)?;
        sync_folder(file)
    };
    result().with_context(|| format!("{} cannot be written", file.display()))
}

/// Makes a file that must not be there yet, whole or not at all, durable when it returns. A link
/// of that name is not followed.
pub(crate) fn place(file: &Path, text: &str, mode: u32) -> anyhow::Result<Placed> {
    let result = || -> io::Result<Placed> {
        let new = Draft::make(file, text, mode)?;
        match fs::hard_link(&new.path, file) {
            Ok(()) => sync_folder(file).map(|()| Placed::Made),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Placed::Taken),
            Err(error) => Err(error),
        }
    };
    result().with_context(|| format!("{} cannot be written", file.display()))
}

/// Opens a file to read it, but not what a link of that name points to.
pub(crate) fn open_itself(file: &Path) -> io::Result<File> {
    let no_links = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(no_links).open(file)
}

/// A file beside the one that is meant, under a name that nobody can guess and plant something at.
/// Gone when dropped, unless it was renamed.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn make(file: &Path, text: &str, mode: u32) -> io::Result<Self> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let path = file.with_file_name(format!(".{name}.{:032x}", u128::from_ne_bytes(random())));
        let mut out = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
        let draft = Self { path };
        // The mode as it was asked for, whatever the process's mask takes away.
        out.set_permissions(fs::Permissions::from_mode(mode))?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Renamed, so that it is gone already; or of no use.
        fs::remove_file(&self.path).ok();
    }
}

fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenants_name_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let taken = DataFolder::take(&path).unwrap();
        let tenant = taken.tenant().unwrap();
        drop(taken);
        let again = DataFolder::take(&path).unwrap();
        assert_eq!(again.tenant().unwrap(), tenant);
    }

    #[test]
    fn a_file_is_placed_once_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("owner.key"), folder.path().join("link.key"));
        let elsewhere = folder.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        assert_eq!(place(&file, "one", 0o600).unwrap(), Placed::Made);
        assert_eq!(place(&file, "two", 0o600).unwrap(), Placed::Taken);
        assert_eq!(place(&link, "three", 0o600).unwrap(), Placed::Taken);
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!elsewhere.exists() && open_itself(&link).is_err());
        write(&file, "four", 0o644).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "four");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no draft is left");
    }

    #[test]
    fn a_second_user_of_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _first = DataFolder::take(folder.path()).unwrap();
        let refused = DataFolder::take(folder.path()).err().unwrap().to_string();
        assert!(refused.contains(&folder.path().display().to_string()), "{refused}");
    }
}
