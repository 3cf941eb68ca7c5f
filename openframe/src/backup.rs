//! `openframe backup` and `openframe restore`: the whole data folder, while the server runs or not.
//!
//! Order matters: databases first, each by a consistent snapshot, then the telemetry log, whose
//! files only ever grow at the end. A log that is cut in the middle of a frame is what a crash
//! leaves as well, and is mended when it is opened.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

/// Copies `data` into the new folder `backup`.
pub(crate) async fn backup(data: &Path, backup: &Path) -> anyhow::Result<()> {
    ensure!(data.join("tenant").exists(), "{} is not a data folder", data.display());
    ensure!(
        !backup.exists() || is_empty(backup)?,
        "{} is not empty; name a new folder",
        backup.display()
    );
    make_private(backup)?;
    let mut databases = Vec::new();
    let mut others = Vec::new();
    for file in files(data, Path::new(""))? {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("db") => databases.push(file),
            Some("db-wal" | "db-shm" | "new") => {}
            // A file that is being written.
            _ if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) => {}
            _ if file == Path::new("lock") || file.starts_with("agent") => {}
            _ => others.push(file),
        }
    }
    for file in databases {
        make_parent(backup, &file)?;
        let (from, to) = (data.join(&file), backup.join(&file));
        openframe_sqlite::copy(&from, &to)
            .await
            .with_context(|| format!("{} cannot be copied", from.display()))?;
    }
    for file in others {
        copy(data, backup, &file)?;
    }
    Ok(())
}

/// Copies `backup` into the empty folder `data`.
pub(crate) fn restore(data: &Path, backup: &Path) -> anyhow::Result<()> {
    ensure!(backup.join("tenant").exists(), "{} is not a backup", backup.display());
    if data.exists() && !is_empty(data)? {
        bail!("{} is not empty; nothing is overwritten: name an empty folder", data.display());
    }
    make_private(data)?;
    for file in files(backup, Path::new(""))? {
        copy(backup, data, &file)?;
    }
    Ok(())
}

/// Every file below `root`, by its path from there.
fn files(root: &Path, below: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let folder = root.join(below);
    let mut found = Vec::new();
    let entries =
        fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            found.extend(files(root, &path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

fn copy(from: &Path, to: &Path, file: &Path) -> anyhow::Result<()> {
    make_parent(to, file)?;
    let result = || -> io::Result<()> {
        // The mode is copied as well: keys stay private.
        fs::copy(from.join(file), to.join(file))?;
        fs::File::open(to.join(file))?.sync_all()
    };
    match result() {
        // A segment of the log that was no longer needed may go while the copy is made.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("{} cannot be copied", file.display())),
    }
}

fn make_parent(root: &Path, file: &Path) -> anyhow::Result<()> {
    file.parent().map_or(Ok(()), |parent| make_private(&root.join(parent)))
}

fn make_private(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("{} cannot be made", folder.display()))
}

fn is_empty(folder: &Path) -> anyhow::Result<bool> {
    let mut entries =
        fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    Ok(entries.next().is_none())
}
