//! The state folder: everything the agent must remember. Mode 0700, files 0600, every file written
//! whole beside the old one, synced and renamed over it. What cannot be read is set aside under
//! another name and reported, never deleted.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use openframe_ids::{DeviceId, TenantId};
use openframe_pki::DeviceKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Who this device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The platform's address.
    pub server: String,
    /// The device's id, for life.
    pub device_id: DeviceId,
    /// The tenant it belongs to.
    pub tenant_id: TenantId,
    /// The certificate and its issuers, PEM.
    pub chain_pem: String,
    /// The platform's root, PEM.
    pub root_pem: String,
    /// What came with the certificate and is shown for the next one; none from older platforms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// When the certificate was received.
    pub issued: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
}

/// A request for a certificate that was made and perhaps sent.
#[derive(Serialize, Deserialize)]
struct Request {
    /// The state that it goes with.
    state: Option<String>,
    csr_pem: String,
}

/// The state folder, open.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

const IDENTITY: &str = "identity.json";
const KEY: &str = "device.key";
const REQUEST: &str = "request.json";

impl Folder {
    /// Opens the folder, making it if needed, readable by its owner only.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let folder = Self { path: path.to_owned() };
        let is_new = !path.exists();
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed(path))?;
        if is_new && let Some(parent) = path.parent() {
            // Else a power cut could take the folder with all that was durable in it.
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed(path))?;
        }
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder within.
    pub fn sub(&self, name: &str) -> Result<Self, Error> {
        Self::open(&self.path.join(name))
    }

    /// Takes the folder for this process; the lock ends with the file.
    pub fn lock(&self) -> Result<File, Error> {
        let path = self.path.join("lock");
        let file = private(&path, 0o600).map_err(failed(&path))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| Error::Running(self.path.clone()))?;
        Ok(file)
    }

    /// Replaces a file whole; after this returns it survives a power cut.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path.join(name);
        self.write_mode(name, bytes, 0o600).map_err(failed(&path))
    }

    /// Replaces a file whole that its owner may execute.
    pub fn write_executable(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        self.write_mode(name, bytes, 0o700).map_err(failed(&path))?;
        Ok(path)
    }

    fn write_mode(&self, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        let beside = self.path.join(format!("{name}.new"));
        let mut file = private(&beside, mode)?;
        file.set_len(0)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, self.path.join(name))?;
        File::open(&self.path)?.sync_all()
    }

    /// Reads a file; `None` when there is none.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(failed(&path)(cause)),
        }
    }

    /// Removes a file that is no longer needed.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(failed(&path)(cause)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The names of the files within, sorted.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let entries = fs::read_dir(&self.path).map_err(failed(&self.path))?;
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Renames a file that cannot be read to `NAME.corrupt-N`, and says so.
    pub fn set_aside(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        let free = (1..u32::MAX)
            .map(|n| self.path.join(format!("{name}.corrupt-{n}")))
            .find(|path| !path.exists())
            .unwrap_or_else(|| self.path.join(format!("{name}.corrupt")));
        fs::rename(&path, &free).map_err(failed(&path))?;
        tracing::error!(
            file.path = %free.display(),
            "{} cannot be read; it was set aside as {}", path.display(), free.display()
        );
        Ok(free)
    }

    /// Reads a JSON file; one that cannot be read is set aside and counts as absent.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let Some(bytes) = self.read(name)? else { return Ok(None) };
        if let Ok(value) = serde_json::from_slice(&bytes) {
            return Ok(Some(value));
        }
        self.set_aside(name)?;
        Ok(None)
    }

    /// Replaces a JSON file whole.
    pub fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Error> {
        let bytes = serde_json::to_vec_pretty(value).map_err(|e| Error::BadAnswer(e.into()))?;
        self.write(name, &bytes)
    }

    /// Who this device is; `None` before enrolment.
    pub fn identity(&self) -> Result<Option<Identity>, Error> {
        self.read_json(IDENTITY)
    }

    /// Keeps who this device is.
    pub fn keep_identity(&self, identity: &Identity) -> Result<(), Error> {
        self.write_json(IDENTITY, identity)
    }

    /// The request for the certificate after that of `identity`: kept before it is first sent, and the
    /// same until there is a new certificate. By that the platform knows a device whose answer was
    /// lost from a copy of it.
    pub fn request(
        &self,
        identity: &Identity,
        key: &DeviceKey,
        hostname: &str,
    ) -> Result<String, Error> {
        let state = identity.state.clone();
        if let Some(kept) = self.read_json::<Request>(REQUEST)?
            && state.is_some()
            && kept.state == state
        {
            return Ok(kept.csr_pem);
        }
        let csr_pem = key.csr_pem(hostname).map_err(|e| Error::Certificate(e.into()))?;
        let request = Request { state, csr_pem };
        self.write_json(REQUEST, &request)?;
        Ok(request.csr_pem)
    }

    /// The device's key; made and kept before it is first used, so that a repeated enrolment after
    /// a lost answer has the same key.
    pub fn key(&self) -> Result<DeviceKey, Error> {
        if let Some(bytes) = self.read(KEY)? {
            let pem = String::from_utf8_lossy(&bytes);
            if let Ok(key) = DeviceKey::from_pem(&pem) {
                return Ok(key);
            }
            self.set_aside(KEY)?;
        }
        let key = DeviceKey::generate().map_err(|cause| Error::Certificate(cause.into()))?;
        self.write(KEY, key.to_pem().as_bytes())?;
        Ok(key)
    }
}

/// Opens a file for writing that only its owner may read.
fn private(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(mode).open(path)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |cause| Error::State { path, cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_private_and_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("state")).unwrap();
        folder.write("a", b"one").unwrap();
        folder.write("a", b"2").unwrap();
        assert_eq!(folder.read("a").unwrap().unwrap(), b"2");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&folder.path().join("a")), 0o600);
    }

    #[test]
    fn a_corrupt_identity_is_set_aside_not_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        for n in 1..=2 {
            folder.write(IDENTITY, b"{half").unwrap();
            assert_eq!(folder.identity().unwrap(), None);
            let aside = dir.path().join(format!("identity.json.corrupt-{n}"));
            assert_eq!(fs::read(aside).unwrap(), b"{half");
        }
    }

    #[test]
    fn the_key_is_the_same_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        assert_eq!(folder.key().unwrap().to_pem(), folder.key().unwrap().to_pem());
    }

    // B47.lost
    #[test]
    fn a_request_is_the_same_until_there_is_a_new_state() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let key = folder.key().unwrap();
        let with = |state: Option<&str>| Identity {
            server: String::new(),
            device_id: DeviceId::new(),
            tenant_id: TenantId::new(),
            chain_pem: String::new(),
            root_pem: String::new(),
            state: state.map(str::to_owned),
            issued: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::UNIX_EPOCH,
        };
        let request = |state| folder.request(&with(state), &key, "host").unwrap();
        let first = request(Some("one"));
        assert_eq!(request(Some("one")), first);
        assert_ne!(request(Some("two")), first);
        assert_ne!(request(None), request(None), "without a state nothing is told by it");
    }

    #[test]
    fn a_second_agent_is_kept_out() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let held = folder.lock().unwrap();
        assert!(matches!(folder.lock(), Err(Error::Running(_))));
        drop(held);
        folder.lock().unwrap();
    }
}
