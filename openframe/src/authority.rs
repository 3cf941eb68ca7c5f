//! The platform's keys on disk: in the data folder of one process, or in folders made for services of
//! their own.
//!
//! ```text
//! root.pem                    what browsers, devices and services trust
//! root.key                    needed only to make the other two anew
//! services.pem services.key   signs what services show each other
//! issuing.pem issuing.key     signs devices' and servers' certificates
//! ```

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use openframe_ids::{TenantId, random};
use openframe_pki::{Authority, Pair};

use crate::folder::{read_tenant, write};
use crate::roles::Role;

/// Folder of the join keys within that of the auth service.
const JOIN_KEYS: &str = "join";
/// A service's join key within its own folder.
pub(crate) const JOIN_KEY: &str = "join.key";
/// The root's certificate within every folder.
pub(crate) const ROOT: &str = "root.pem";
/// The tenant's id within the folder of the auth service.
const TENANT: &str = "tenant";

/// The authority in `folder`, made at first start.
pub(crate) fn read_or_make(folder: &Path, now: Timestamp) -> anyhow::Result<Authority> {
    // The last file is written last: without it, nothing was ever signed.
    if !folder.join("issuing.key").exists() {
        make_folder(folder)?;
        let (made, root_key) = Authority::create(now)?;
        write(&folder.join("root.key"), &root_key, 0o600)?;
        put(folder, &made)?;
        return Ok(made);
    }
    if !folder.join("services.key").exists() {
        // From before services had certificates.
        let root = pair(folder, "root")?;
        let services = Authority::create_services(&root, now)?;
        put_pair(folder, "services", &services)?;
    }
    read(folder)
}

/// The authority in `folder`.
fn read(folder: &Path) -> anyhow::Result<Authority> {
    let root = text(&folder.join(ROOT))?;
    let authority = Authority::from_pem(&root, pair(folder, "issuing")?, pair(folder, "services")?);
    authority.with_context(|| format!("{} is damaged", folder.display()))
}

fn put(folder: &Path, authority: &Authority) -> anyhow::Result<()> {
    write(&folder.join(ROOT), authority.root_pem(), 0o644)?;
    put_pair(folder, "services", authority.services())?;
    put_pair(folder, "issuing", authority.issuing())
}

fn put_pair(folder: &Path, name: &str, pair: &Pair) -> anyhow::Result<()> {
    write(&folder.join(format!("{name}.pem")), &pair.certificate, 0o644)?;
    write(&folder.join(format!("{name}.key")), &pair.key, 0o600)
}

fn pair(folder: &Path, name: &str) -> anyhow::Result<Pair> {
    let certificate = text(&folder.join(format!("{name}.pem")))?;
    Ok(Pair { certificate, key: text(&folder.join(format!("{name}.key")))? })
}

fn text(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
}

/// What the auth service of its own process has in its folder.
pub(crate) struct AuthFolder {
    pub(crate) authority: Authority,
    pub(crate) tenant: TenantId,
    /// Each other service's join key.
    pub(crate) joins: Vec<(&'static str, String)>,
}

impl AuthFolder {
    /// Reads a folder that [`init`] made.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let tenant = read_tenant(&folder.join(TENANT))?.with_context(|| {
            format!("{} names no tenant; make it by `openframe mesh init`", folder.display())
        })?;
        let mut joins = Vec::new();
        for role in others() {
            let file = folder.join(JOIN_KEYS).join(format!("{}.key", role.name()));
            joins.push((role.name(), text(&file)?.trim().to_owned()));
        }
        Ok(Self { authority: read(folder)?, tenant, joins })
    }
}

fn others() -> impl Iterator<Item = Role> {
    Role::ALL.into_iter().filter(|role| *role != Role::Auth)
}

/// Makes the keys of a platform whose services are processes of their own: a folder for each
/// service, to be given to it alone, and the root's key, to be kept away from all of them.
pub(crate) fn init(folder: &Path, now: Timestamp) -> anyhow::Result<()> {
    if folder.exists() && fs::read_dir(folder)?.next().is_some() {
        bail!("{} is not empty; nothing is overwritten: name a new folder", folder.display());
    }
    let (authority, root_key) = Authority::create(now)?;
    let auth = folder.join(Role::Auth.name());
    make_folder(&auth.join(JOIN_KEYS))?;
    for role in others() {
        // 256 random bits.
        let key =
            format!("{:032x}{:032x}", u128::from_be_bytes(random()), u128::from_be_bytes(random()));
        let own = folder.join(role.name());
        make_folder(&own)?;
        write(&own.join(ROOT), authority.root_pem(), 0o644)?;
        write(&own.join(JOIN_KEY), &format!("{key}\n"), 0o600)?;
        let kept = auth.join(JOIN_KEYS).join(format!("{}.key", role.name()));
        write(&kept, &format!("{key}\n"), 0o600)?;
    }
    write(&auth.join(TENANT), &format!("{}\n", TenantId::new()), 0o644)?;
    put(&auth, &authority)?;
    write(&folder.join("root.key"), &root_key, 0o600)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_authority_is_made_once_and_completed() {
        let folder = tempfile::tempdir().unwrap();
        let (pki, now) = (folder.path().join("pki"), Timestamp::UNIX_EPOCH);
        let made = read_or_make(&pki, now).unwrap();
        assert_eq!(read_or_make(&pki, now).unwrap().pin(), made.pin());
        for file in ["services.pem", "services.key"] {
            fs::remove_file(pki.join(file)).unwrap();
        }
        let again = read_or_make(&pki, now).unwrap();
        assert_eq!(again.pin(), made.pin());
        assert_ne!(again.services().certificate, made.services().certificate);
        fs::write(pki.join("issuing.key"), "x").unwrap();
        let damaged = read_or_make(&pki, now).unwrap_err().to_string();
        assert!(damaged.contains("damaged"), "{damaged}");
    }

    #[test]
    fn each_service_gets_a_folder_and_auth_knows_their_keys() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        init(&keys, Timestamp::UNIX_EPOCH).unwrap();
        let auth = AuthFolder::read(&keys.join("auth")).unwrap();
        for (name, key) in auth.joins {
            let file = keys.join(name).join(JOIN_KEY);
            assert_eq!(fs::read_to_string(&file).unwrap().trim(), key);
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            let root = fs::read_to_string(keys.join(name).join(ROOT)).unwrap();
            assert_eq!(root, auth.authority.root_pem());
        }
        assert!(!keys.join("auth").join("root.key").exists());
        assert!(init(&keys, Timestamp::UNIX_EPOCH).is_err(), "nothing is overwritten");
    }
}
