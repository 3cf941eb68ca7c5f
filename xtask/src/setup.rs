//! `cargo xtask setup`: what the tests need besides Rust.

use anyhow::bail;

use crate::run::{root, run, run_with, succeeds};
use crate::say::line;

/// Packages of Debian, and why.
const APT: [(&str, &str); 1] = [("chromium", "the browser of the end-to-end tests")];
/// Tools of cargo: name, version, why.
const CARGO: [(&str, &str, &str); 1] =
    [("cargo-deny", "0.20.2", "checks licences, sources and banned crates")];

/// Something must be installed by root.
#[derive(Debug, thiserror::Error)]
#[error("not root: run `{0}`, then try again")]
pub(crate) struct NotRoot(String);

/// Installs what is missing.
pub(crate) fn setup() -> anyhow::Result<()> {
    apt()?;
    for (name, version, why) in CARGO {
        if succeeds(name, &["--version"]) {
            continue;
        }
        line(&format!("installing {name} {version}: {why}"));
        run("cargo", &["install", "--locked", "--quiet", name, "--version", version])?;
    }
    npm()?;
    line("everything that the tests need is there");
    Ok(())
}

fn apt() -> anyhow::Result<()> {
    let missing: Vec<_> = APT.iter().filter(|(name, _)| !succeeds("dpkg", &["-s", name])).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for (name, why) in &missing {
        line(&format!("installing {name}: {why}"));
    }
    let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
    if !succeeds("sh", &["-c", "test $(id -u) = 0"]) {
        let command = format!("sudo apt-get install -y {}", names.join(" "));
        return Err(NotRoot(command).into());
    }
    run("apt-get", &["update", "-qq"])?;
    let args = [&["install", "-y", "-qq", "--no-install-recommends"][..], &names].concat();
    run_with("apt-get", &args, |command| {
        command.env("DEBIAN_FRONTEND", "noninteractive");
    })
}

fn npm() -> anyhow::Result<()> {
    let web = root().join("console/web");
    let lock = web.join("package-lock.json");
    if !lock.exists() {
        return Ok(());
    }
    let installed = web.join("node_modules/.package-lock.json");
    let newer = || {
        Some(installed.metadata().ok()?.modified().ok()? >= lock.metadata().ok()?.modified().ok()?)
    };
    if newer() == Some(true) {
        return Ok(());
    }
    if !succeeds("npm", &["--version"]) {
        bail!("npm is missing: install Node.js 20 or later");
    }
    line("installing the console's packages: build and tests of the console");
    run_with("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"], |command| {
        command.current_dir(&web);
    })
}
