//! `--bootstrap-key FILE`: an owner's API key for a start without a person.
//!
//! The key lies in the data folder, durable, before the platform learns of it, and goes from there
//! to FILE. A start that is cut off at any point is finished by the next one; FILE is made new or
//! not at all.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Context as _;
use openframe_auth::{Auth, new_bootstrap_secret};

use crate::folder::{self, Placed};

/// The key on its way, in the data folder.
const ON_ITS_WAY: &str = "bootstrap.key";
/// A key file is never larger.
const MAX_BYTES: u64 = 4096;

/// On first start, writes an owner's API key to `file`. Whatever is there already is left as it is.
pub(crate) async fn write_key(auth: &Auth, data: &Path, file: &Path) -> anyhow::Result<()> {
    let on_its_way = data.join(ON_ITS_WAY);
    let secret = match read(&on_its_way)? {
        Some(secret) => secret,
        None if is_there(file)? => {
            let known = match read(file) {
                Ok(Some(there)) => auth.holds(&there).await?,
                Ok(None) | Err(_) => false,
            };
            if !known {
                tracing::warn!(
                    "{} stays as it is, but it holds no key of this platform; name a file that does \
                     not exist to get one on first start",
                    file.display()
                );
            }
            return Ok(());
        }
        None => {
            let secret = new_bootstrap_secret();
            folder::write(&on_its_way, &format!("{secret}\n"), 0o600)?;
            secret
        }
    };
    let made = auth.bootstrap(&secret).await?;
    if !made && !auth.holds(&secret).await? {
        forget(&on_its_way)?;
        tracing::warn!(
            "no key was written to {}: the platform has people already; make a key in the console \
             or with `openframe api-key create`",
            file.display()
        );
        return Ok(());
    }
    match folder::place(file, &format!("{secret}\n"), 0o600)? {
        Placed::Made => forget(&on_its_way),
        // Cut off after it was placed, before it was forgotten.
        Placed::Taken if read(file).is_ok_and(|it| it.as_ref() == Some(&secret)) => {
            forget(&on_its_way)
        }
        Placed::Taken => {
            tracing::warn!(
                "{} is taken, so the owner's key waits in {}; start again with a file that does \
                 not exist",
                file.display(),
                on_its_way.display()
            );
            Ok(())
        }
    }
}

/// Whether anything has this name, a dangling link included.
fn is_there(file: &Path) -> anyhow::Result<bool> {
    match fs::symlink_metadata(file) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

/// The key in a file; `None` when there is no file.
fn read(file: &Path) -> anyhow::Result<Option<String>> {
    let text = || -> io::Result<String> {
        let mut text = String::new();
        folder::open_itself(file)?.take(MAX_BYTES).read_to_string(&mut text)?;
        Ok(text)
    };
    match text() {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

fn forget(file: &Path) -> anyhow::Result<()> {
    fs::remove_file(file).with_context(|| format!("{} cannot be removed", file.display()))
}
