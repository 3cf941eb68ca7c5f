//! `cargo xtask setup`: what the tests need besides Rust.

use crate::run::{run, succeeds};
use crate::say::line;

/// Tools of cargo: name, version, why.
const CARGO: [(&str, &str, &str); 1] =
    [("cargo-deny", "0.20.2", "checks licences, sources and banned crates")];

/// Installs what is missing.
pub(crate) fn setup() -> anyhow::Result<()> {
    for (name, version, why) in CARGO {
        if succeeds(name, &["--version"]) {
            continue;
        }
        line(&format!("installing {name} {version}: {why}"));
        run("cargo", &["install", "--locked", "--quiet", name, "--version", version])?;
    }
    line("fetching the crates of every platform: later steps use no network");
    run("cargo", &["fetch", "--locked"])?;
    line("everything that the tests need is there");
    Ok(())
}
