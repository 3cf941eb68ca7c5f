//! Prometheus itself, built from its source: the product has to answer as it does.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::run::{run, run_with};
use crate::say::line;

/// The version to compare with: Prometheus 3.16.0, as Go's modules number it.
const VERSION: &str = "v0.316.0";
/// The same as its programs show it.
const SHOWN: &str = "version 3.16.0";
/// The oldest Go that builds it: major and minor version.
const GO: (u32, u32) = (1, 25);
/// What is built.
const PROGRAMS: [&str; 2] = ["prometheus", "promtool"];

/// Builds the programs where they are missing. False without a Go that can.
pub(crate) fn setup() -> anyhow::Result<bool> {
    let folder = folder()?;
    if PROGRAMS.iter().all(|name| is_there(&folder.join(name))) {
        return Ok(true);
    }
    let (major, minor) = GO;
    if go() < GO {
        line(&format!(
            "left out: Prometheus to compare with; Go {major}.{minor} or later, which builds it, is not there"
        ));
        return Ok(false);
    }
    line(&format!("building Prometheus {VERSION}: a test asks it and the product the same"));
    let packages =
        PROGRAMS.map(|name| format!("github.com/prometheus/prometheus/cmd/{name}@{VERSION}"));
    let args =
        ["install", "-tags", "remove_all_sd", "-ldflags", "-s -w", &packages[0], &packages[1]];
    run_with("go", &args, |command| {
        command.env("GOBIN", &folder).env("GOFLAGS", "-modcacherw");
    })?;
    Ok(true)
}

/// Prometheus' clients ask the product, and its server and the product answer the same queries.
pub(crate) fn compare() -> anyhow::Result<()> {
    if !setup()? {
        return Ok(());
    }
    let test = ["test", "-p", "openframe-system", "--test", "all", "--", "--ignored", "promtool"];
    run("cargo", &test)?;
    let prometheus = folder()?.join("prometheus").to_string_lossy().into_owned();
    run("cargo", &["run", "-p", "openframe-bench", "--", "differ", "--prometheus", &prometheus])
}

/// Beside the folder of this executable, where the tests look too.
fn folder() -> anyhow::Result<PathBuf> {
    let own = env::current_exe()?;
    let profile = own.parent().context("an executable lies in a folder")?;
    Ok(profile.join("prometheus"))
}

/// Whether a program of the right version is there.
fn is_there(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(SHOWN))
}

/// The version of Go that is there.
fn go() -> (u32, u32) {
    let output = Command::new("go").args(["env", "GOVERSION"]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    let mut parts = text.trim().trim_start_matches("go").split('.').map(str::parse::<u32>);
    let mut part = || parts.next().and_then(Result::ok).unwrap_or_default();
    (part(), part())
}
