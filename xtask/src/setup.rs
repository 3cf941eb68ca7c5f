//! `cargo xtask setup`: what the tests need besides Rust.

use std::fs;
use std::path::Path;

use crate::run::{root, run, run_with, succeeds};
use crate::say::line;
use crate::{lab, node, prometheus};

/// How it is seen that a package is there.
enum Seen {
    /// By a program, which may also have come from elsewhere.
    By(&'static str),
    /// By Debian's list of packages.
    Listed,
}

use Seen::{By, Listed};

/// A package of Debian, and what it is for.
type Package = (Seen, &'static str, &'static str);

/// What the console is built with.
const CONSOLE: [Package; 2] = [
    (By("node"), "nodejs", "builds the console and runs its tests"),
    (By("npm"), "npm", "fetches the console's libraries, as its lock file names them"),
];
/// What tests need besides.
const TESTS: [Package; 18] = [
    (By("chromium"), "chromium", "the end-to-end tests use the console in a real browser"),
    (By("faketime"), "faketime", "a test runs the agent with a clock that is ten minutes off"),
    (By("unshare"), "util-linux", "the full-disk test mounts a small disk in its own namespace"),
    (Listed, "python3-aiosmtpd", "a mail server that tests send to and read"),
    (Listed, "python3-authlib", "a test signs a person in by it"),
    (Listed, "python3-requests", "the browser and the connections of that test"),
    (By("java"), "openjdk-17-jre-headless", "runs Cassandra"),
    (By("mvn"), "maven", "fetches Cassandra"),
    (Listed, "postgresql-15", "two nodes of it are tested against"),
    (Listed, "patroni", "fails PostgreSQL over"),
    (Listed, "python3-etcd", "Patroni asks etcd by it"),
    (Listed, "python3-psycopg2", "Patroni asks PostgreSQL by it"),
    (Listed, "python3-idna", "Patroni's certificates are checked by it"),
    (Listed, "etcd-server", "PostgreSQL's witness"),
    (Listed, "redis-server", "three nodes of it are tested against"),
    (Listed, "redis-sentinel", "fails Redis over"),
    (Listed, "redis-tools", "asks Redis who is primary"),
    (Listed, "haproxy", "the ingress in front of two gateways"),
];
/// Installs packages. The tests start servers of their own, and those of the packages shall not run
/// beside them: Debian asks this file before it starts a service that was just installed, and 101 is
/// no (`invoke-rc.d(8)`).
const INSTALL: &str = "set -e; policy=/usr/sbin/policy-rc.d; \
    if ! [ -e $policy ]; then trap \"rm $policy\" EXIT; trap \"exit 1\" INT TERM; \
    echo exit 101 >$policy; sed -i 1i#!/bin/sh $policy; chmod 755 $policy; fi; \
    apt-get update --quiet; \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends";
/// Tools of cargo: name, version, why.
const CARGO: [(&str, &str, &str); 1] =
    [("cargo-deny", "0.20.2", "checks licences, sources and banned crates")];
/// The console's sources.
const WEB: &str = "console/web";

/// Packages are missing, and only root may install them.
#[derive(Debug, thiserror::Error)]
#[error("packages are missing and you are not root; run this, then the same command again:\n  {0}")]
pub(crate) struct NeedsRoot(pub(crate) String);

/// Installs what tests need and is missing.
pub(crate) fn setup() -> anyhow::Result<()> {
    debian(CONSOLE.iter().chain(&TESTS))?;
    node::setup()?;
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
    lab::fetch()?;
    line("everything that the tests need is there");
    Ok(())
}

/// Installs what building the console needs and is missing.
pub(crate) fn console() -> anyhow::Result<()> {
    debian(CONSOLE.iter())?;
    node::setup()
}

fn is_missing((seen, package, _): &Package) -> bool {
    match seen {
        By(program) => !succeeds(program, &["--version"]),
        Listed => {
            let asked = ["--show", "--showformat=${db:Status-Status}", package];
            let output = std::process::Command::new("dpkg-query").args(asked).output();
            !output.is_ok_and(|output| output.stdout == b"installed")
        }
    }
}

fn debian<'a>(wanted: impl Iterator<Item = &'a Package>) -> anyhow::Result<()> {
    let missing: Vec<_> = wanted.filter(|package| is_missing(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for (_, package, why) in &missing {
        line(&format!("installing {package}: {why}"));
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package, _)| *package).collect();
    let install = format!("{INSTALL} {}", packages.join(" "));
    if !rustix::process::geteuid().is_root() {
        return Err(NeedsRoot(format!("sudo sh -c '{install}'")).into());
    }
    run("sh", &["-c", &install])
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
