//! `cargo xtask golden`: documents that the code writes, compared with the checked-in ones.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::evidence;
use crate::run::root;
use crate::say::line;

/// Each document, and the arguments of `openframe docs` that write it.
const DOCUMENTS: [(&str, &[&str]); 6] = [
    ("api/auth-api/openapi.json", &["openapi", "auth"]),
    ("api/devices-api/openapi.json", &["openapi", "devices"]),
    ("api/monitoring-api/openapi.json", &["openapi", "monitoring"]),
    ("api/platform-api/openapi.json", &["openapi", "platform"]),
    ("docs/config.md", &["config"]),
    ("docs/cli.md", &["cli"]),
];

/// Fails when a document differs from what the code says; `write` brings all up to date.
pub(crate) fn golden(write: bool) -> anyhow::Result<()> {
    let mut stale = Vec::new();
    for (path, arguments) in DOCUMENTS {
        stale.extend(compared(path, &document(arguments)?, write)?);
    }
    for catalogue in &evidence::CATALOGUES {
        stale.extend(compared(catalogue.document, &evidence::document(catalogue)?, write)?);
    }
    if !stale.is_empty() {
        bail!("out of date: {}; run `cargo xtask golden --write` and look", stale.join(", "));
    }
    Ok(())
}

/// The document's path if it is not what is wanted, and shall not be written.
pub(crate) fn compared(
    path: &'static str,
    wanted: &str,
    write: bool,
) -> anyhow::Result<Option<&'static str>> {
    let file = root().join(path);
    if fs::read_to_string(&file).unwrap_or_default() == wanted {
        return Ok(None);
    }
    if !write {
        return Ok(Some(path));
    }
    fs::write(&file, wanted).with_context(|| path.to_owned())?;
    line(&format!("wrote {path}"));
    Ok(None)
}

fn document(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--package", "openframe", "--bin", "openframe", "--", "docs"])
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("`openframe docs {}` failed ({})", arguments.join(" "), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}
