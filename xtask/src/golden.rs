//! `cargo xtask golden`: documents that the code writes, compared with the checked-in ones.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

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
        let file = root().join(path);
        let wanted = document(arguments)?;
        let kept = fs::read_to_string(&file).unwrap_or_default();
        if kept == wanted {
            continue;
        }
        if write {
            fs::write(&file, wanted).with_context(|| path.to_owned())?;
            line(&format!("wrote {path}"));
        } else {
            stale.push(path);
        }
    }
    if !stale.is_empty() {
        bail!("out of date: {}; run `cargo xtask golden --write` and look", stale.join(", "));
    }
    Ok(())
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
