//! Other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::node;

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// Runs a program in the checkout and fails unless it succeeds. What it prints is shown.
pub(crate) fn run(program: &str, args: &[&str]) -> anyhow::Result<()> {
    run_with(program, args, |_| {})
}

/// As [`run`], with changes to the command.
pub(crate) fn run_with(
    program: &str,
    args: &[&str],
    change: impl FnOnce(&mut Command),
) -> anyhow::Result<()> {
    let mut command = command(program);
    command.args(args).current_dir(root()).stdin(Stdio::null());
    change(&mut command);
    let status = command.status().with_context(|| format!("{program} cannot be started"))?;
    if !status.success() {
        bail!("`{program} {}` failed ({status})", args.join(" "));
    }
    Ok(())
}

/// The program as it is, or on the Node.js that set-up has installed.
fn command(program: &str) -> Command {
    let Some(node) = node::own() else { return Command::new(program) };
    let mut command = Command::new("sh");
    command.args(["-c", "PATH=\"$0:$PATH\"; exec \"$@\""]).arg(node).arg(program);
    command
}

/// Whether a program runs and succeeds. What it prints is not shown.
pub(crate) fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
