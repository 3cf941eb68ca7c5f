//! The data folder: who may use it, and the platform's own names and keys in it.
//!
//! ```text
//! openframe-data/
//!   lock            held by the process that uses the folder
//!   tenant          the id of the tenant that every installation begins with
//!   pki/            root and issuing authority: certificates 0644, keys 0600
//!   auth.db devices.db monitoring/    what the services keep
//! ```

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;
use openframe_ids::TenantId;
use openframe_pki::Authority;
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
        match fs::read_to_string(&file) {
            Ok(text) => {
                text.trim().parse().with_context(|| format!("{} is damaged", file.display()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let tenant = TenantId::new();
                write(&file, &format!("{tenant}\n"), 0o644)?;
                Ok(tenant)
            }
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
        }
    }

    /// The platform's authority, made at first start.
    pub(crate) fn authority(&self, now: Timestamp) -> anyhow::Result<Authority> {
        let folder = self.join("pki");
        let files = ["root.pem", "root.key", "issuing.pem", "issuing.key"];
        // The last file is written last: without it, nothing was ever signed.
        if folder.join("issuing.key").exists() {
            let mut texts = Vec::new();
            for file in files {
                let file = folder.join(file);
                let text = fs::read_to_string(&file);
                texts.push(text.with_context(|| format!("{} cannot be read", file.display()))?);
            }
            let [root, root_key, issuing, issuing_key] = texts.as_slice() else {
                anyhow::bail!("the authority has four files");
            };
            let authority = Authority::from_pem((root, root_key), (issuing, issuing_key));
            return authority.with_context(|| format!("{} is damaged", folder.display()));
        }
        let made = Authority::create(now)?;
        fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        let texts =
            [made.root_pem(), made.root_key_pem(), made.issuing_pem(), made.issuing_key_pem()];
        for (file, text) in files.into_iter().zip(texts) {
            let mode =
                if Path::new(file).extension() == Some("key".as_ref()) { 0o600 } else { 0o644 };
            write(&folder.join(file), text, mode)?;
        }
        Ok(made)
    }
}

/// Writes a file whole or not at all, durable when it returns.
pub(crate) fn write(file: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let new = file.with_extension("new");
    let result = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut out = options.write(true).create(true).truncate(true).mode(mode).open(&new)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&new, file)?;
        fs::File::open(folder)?.sync_all()
    };
    result().with_context(|| format!("{} cannot be written", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys_are_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let taken = DataFolder::take(&path).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let (tenant, pin) =
            (taken.tenant().unwrap(), taken.authority(now).unwrap().pin().to_owned());
        drop(taken);
        let again = DataFolder::take(&path).unwrap();
        assert_eq!(again.tenant().unwrap(), tenant);
        assert_eq!(again.authority(now).unwrap().pin(), pin);
    }

    #[test]
    fn a_second_user_of_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _first = DataFolder::take(folder.path()).unwrap();
        let refused = DataFolder::take(folder.path()).err().unwrap().to_string();
        assert!(refused.contains(&folder.path().display().to_string()), "{refused}");
    }
}
