//! Real clusters for the tests of the data layer: `cargo xtask lab`.

use crate::run::{run, succeeds};

/// Has the lab do what `args` say: `up`, `down`, `status`, `kill NODE`, `start NODE`.
pub(crate) fn lab(args: &[String]) -> anyhow::Result<()> {
    let own = ["run", "--quiet", "-p", "openframe-lab", "--"];
    let args: Vec<&str> = own.into_iter().chain(args.iter().map(String::as_str)).collect();
    run("cargo", &args)
}

/// Fetches the programs that are no packages of Debian.
pub(crate) fn fetch() -> anyhow::Result<()> {
    lab(&["fetch".to_owned()])
}

/// Starts the clusters, kills each node, and leaves nothing behind, whatever comes of it. A lab that
/// somebody has started stays up.
pub(crate) fn test() -> anyhow::Result<()> {
    let theirs = succeeds("cargo", &["run", "--quiet", "-p", "openframe-lab", "--", "status"]);
    // Of the whole workspace, so that nothing is compiled again with fewer features.
    let test = |args: &[&str]| {
        run("cargo", &[&["test", "--workspace", "--test", "clusters", "--"], args].concat())
    };
    let tested = lab(&["up".to_owned()])
        // More at once than there are processors: those that take a node down wait for each other.
        .and_then(|()| test(&["--ignored", "--test-threads=8"]))
        // The system tests: each in a network and with tables of its own; none takes down a node of the
        // lab. More than three at once leave too little of two processors to the clusters.
        .and_then(|()| test(&["--test-threads=3"]));
    if theirs {
        return tested;
    }
    let ended = lab(&["down".to_owned()]);
    tested.and(ended)
}

/// Runs the failure matrix on clusters of its own, as root in a network of its own, where addresses can
/// be cut off.
pub(crate) fn chaos(only: &str) -> anyhow::Result<()> {
    let status = ["run", "--quiet", "-p", "openframe-lab", "--", "status"];
    anyhow::ensure!(!succeeds("cargo", &status), "a lab is up; take it down: cargo xtask lab down");
    let built = ["build", "-p", "openframe", "-p", "openframe-agent", "-p", "openframe-bench"];
    run("cargo", &[&built[..], &["-p", "openframe-lab"]].concat())?;
    fetch()?;
    let script = "set -e
        [ -z \"$2\" ] || ip link set lo up
        trap 'cargo run --quiet -p openframe-lab -- down' EXIT
        cargo run --quiet -p openframe-lab -- up
        cargo run --quiet -p openframe-bench -- chaos --only \"$1\" $2";
    let own = ["-c", script, "chaos", only];
    if rustix::process::geteuid().is_root() {
        run("unshare", &[&["--net", "bash"][..], &own[..], &["--own-network"]].concat())
    } else {
        run("bash", &[&own[..], &[""]].concat())
    }
}
