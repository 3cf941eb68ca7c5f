//! `cargo xtask setup`: what the tests need besides Rust.

use std::fs;
use std::path::Path;

use crate::prometheus;
use crate::run::{root, run, run_with, succeeds};
use crate::say::line;

/// Debian's packages: the program looked for, the package that has it, why.
const DEBIAN: [(&str, &str, &str); 5] = [
    ("node", "nodejs", "builds the console and runs its tests"),
    ("npm", "npm", "fetches the console's libraries, as its lock file names them"),
    ("chromium", "chromium", "the end-to-end tests use the console in a real browser"),
    ("faketime", "faketime", "a test runs the agent with a clock that is ten minutes off"),
    ("unshare", "util-linux", "the full-disk test mounts a small disk in a namespace of its own"),
];
/// Tools of cargo: name, version, why.
const CARGO: [(&str, &str, &str); 1] =
    [("cargo-deny", "0.20.2", "checks licences, sources and banned crates")];
/// The console's sources.
const WEB: &str = "console/web";

/// The console's tools need this Node.js: major and minor version.
const NODE: (u32, u32) = (20, 19);

/// Packages are missing, and only root may install them.
#[derive(Debug, thiserror::Error)]
#[error("packages are missing and you are not root; run this, then the same command again:\n  {0}")]
pub(crate) struct NeedsRoot(String);

/// Installs what is missing.
pub(crate) fn setup() -> anyhow::Result<()> {
    debian()?;
    node()?;
    for (name, version, why) in CARGO {
        if succeeds(name, &["--version"]) {
            continue;
        }
        line(&format!("installing {name} {version}: {why}"));
        run("cargo", &["install", "--locked", "--quiet", name, "--version", version])?;
    }
    npm()?;
    prometheus::setup()?;
    line("fetching the crates of every platform: later steps use no network");
    run("cargo", &["fetch", "--locked"])?;
    line("everything that the tests need is there");
    Ok(())
}

fn debian() -> anyhow::Result<()> {
    let missing = DEBIAN.iter().filter(|(program, ..)| !succeeds(program, &["--version"]));
    let missing: Vec<_> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    for (_, package, why) in &missing {
        line(&format!("installing {package}: {why}"));
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package, _)| *package).collect();
    if !rustix::process::geteuid().is_root() {
        let packages = packages.join(" ");
        let command = format!("sudo apt-get install --yes --no-install-recommends {packages}");
        return Err(NeedsRoot(command).into());
    }
    let quiet = |command: &mut std::process::Command| {
        command.env("DEBIAN_FRONTEND", "noninteractive");
    };
    run_with("apt-get", &["update", "--quiet"], quiet)?;
    let mut install = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    install.extend(packages);
    run_with("apt-get", &install, quiet)
}

/// Older Debians have an older Node.js than the console's tools need.
fn node() -> anyhow::Result<()> {
    let output = std::process::Command::new("node").arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut parts = text.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    let mut part = || parts.next().and_then(Result::ok).unwrap_or_default();
    if (part(), part()) < NODE {
        let (major, minor) = NODE;
        let found = text.trim();
        anyhow::bail!(
            "Node.js {found} is too old for the console; install {major}.{minor} or later \
             (Debian 13 has it) and run this again"
        );
    }
    Ok(())
}

/// Fetches the console's libraries unless they are newer than their lock file.
fn npm() -> anyhow::Result<()> {
    let web = root().join(WEB);
    let changed = |file: &Path| fs::metadata(file).and_then(|meta| meta.modified()).ok();
    let fetched = changed(&web.join("node_modules/.package-lock.json"));
    if fetched.is_some() && fetched >= changed(&web.join("package-lock.json")) {
        return Ok(());
    }
    line("fetching the console's libraries: they build and test it");
    run_with("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"], |command| {
        command.current_dir(&web);
    })
}
