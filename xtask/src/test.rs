//! `cargo xtask test`: every check and test, in the order in which they fail fastest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::bail;
use signal_hook::consts::SIGINT;

use crate::run::{run, run_with};
use crate::say::line;
use crate::{golden, lab, mutants, prometheus, setup, tidy};

type Step = (&'static str, fn() -> anyhow::Result<()>);

const STEPS: [Step; 14] = [
    ("set-up", setup::setup),
    ("format", || run("cargo", &["fmt", "--all", "--check"])),
    ("tidy", tidy::tidy),
    ("lints", lints),
    ("documentation", documentation),
    ("executables", || cargo(&["build", "-p", "openframe", "-p", "openframe-agent"])),
    ("golden files", || golden::golden(false)),
    ("tests", || cargo(&["test", "--workspace", "--no-fail-fast"])),
    ("mutants", mutants::a_few),
    (CLUSTERS, lab::test),
    ("beside Prometheus", prometheus::compare),
    ("console", console),
    ("console in Chromium", || run("node", &["console/web/e2e/run.mjs"])),
    ("licences and sources", || {
        cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"])
    }),
];

/// The step that needs the clusters of the lab.
const CLUSTERS: &str = "clusters";

/// What the person who runs the tests chooses.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Choice {
    /// Go on after a failed step
    #[arg(long)]
    keep_going: bool,
    /// Leave out what needs real clusters of PostgreSQL, Cassandra and Redis
    #[arg(long)]
    embedded_only: bool,
}

/// Runs every step; stops at the first that fails unless told to go on.
pub(crate) fn test(choice: Choice) -> anyhow::Result<()> {
    take(&STEPS, choice)
}

#[expect(clippy::disallowed_methods, reason = "the table says how long each step took")]
fn take(steps: &[Step], choice: Choice) -> anyhow::Result<()> {
    let mut table = Vec::new();
    let (mut passed, mut failed) = (0, 0);
    // Ctrl+C ends the step's own programs; what the step must take down again is still taken down.
    let stopped = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stopped))?;
    for (name, step) in steps {
        if choice.embedded_only && *name == CLUSTERS {
            table.push(format!("left out       {name} (--embedded-only)"));
            continue;
        }
        line(&format!("== {name}"));
        let started = Instant::now();
        let result = step();
        let seconds = started.elapsed().as_secs();
        let verdict = if result.is_ok() { "passed" } else { "FAILED" };
        table.push(format!("{verdict}  {seconds:>5} s  {name}"));
        passed += usize::from(result.is_ok());
        if let Err(error) = result {
            // Nothing has failed yet, and no later step can run; the caller's exit code says so.
            if error.is::<setup::NeedsRoot>() {
                return Err(error);
            }
            line(&format!("{error:#}"));
            failed += 1;
            if !choice.keep_going || stopped.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    line("");
    for row in &table {
        line(row);
    }
    line(&format!("{passed} passed, {failed} failed"));
    if failed > 0 {
        bail!("{failed} step(s) failed");
    }
    Ok(())
}

fn cargo(args: &[&str]) -> anyhow::Result<()> {
    run("cargo", args)
}

/// Of every target; `--all-targets` passes over the one that is tested only when it is named.
fn lints() -> anyhow::Result<()> {
    let deny = ["--", "-D", "warnings"];
    for what in
        [&["--workspace", "--all-targets"][..], &["-p", "openframe-system", "--test", CLUSTERS]]
    {
        cargo(&[&["clippy"], what, &deny].concat())?;
    }
    Ok(())
}

/// Types, lints, format and unit tests of the console.
fn console() -> anyhow::Result<()> {
    run("npm", &["--prefix", "console/web", "run", "check"])?;
    run("npm", &["--prefix", "console/web", "test"])
}

fn documentation() -> anyhow::Result<()> {
    run_with("cargo", &["doc", "--workspace", "--no-deps", "--quiet"], |command| {
        command.env("RUSTDOCFLAGS", "-D warnings");
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::NeedsRoot;

    const NEEDS_ROOT: Step = ("set-up", || Err(NeedsRoot("sudo apt-get".to_owned()).into()));
    const FAILS: Step = ("fails", || bail!("it fails"));

    #[test]
    fn missing_packages_are_told_from_failed_tests() {
        let choice = Choice::default();
        for keep_going in [false, true] {
            let going = Choice { keep_going, ..choice };
            let error = take(&[NEEDS_ROOT, FAILS], going).unwrap_err();
            assert!(error.is::<NeedsRoot>(), "{error:#}");
        }
        let error = take(&[FAILS], choice).unwrap_err();
        assert!(!error.is::<NeedsRoot>(), "{error:#}");
        take(&[("passes", || Ok(()))], choice).unwrap();
    }

    #[test]
    fn clusters_are_left_out_only_when_asked() {
        const CLUSTERS_FAIL: Step = (CLUSTERS, || bail!("there are none"));
        take(&[CLUSTERS_FAIL], Choice::default()).unwrap_err();
        let choice = Choice { embedded_only: true, ..Choice::default() };
        take(&[CLUSTERS_FAIL], choice).unwrap();
    }
}
