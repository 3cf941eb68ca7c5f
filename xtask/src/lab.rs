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
    // One at a time: some take nodes down that others need.
    let test = |package| {
        let args = ["test", "-p", package, "--test", "clusters"];
        run("cargo", &[&args[..], &["--", "--ignored", "--test-threads=1"]].concat())
    };
    let tested = lab(&["up".to_owned()])
        .and_then(|()| test("openframe-lab"))
        .and_then(|()| test("openframe-conformance"))
        // Each in a network and with tables of its own; none takes down a node of the lab.
        .and_then(|()| run("cargo", &["test", "-p", "openframe-system", "--test", "clusters"]));
    if theirs {
        return tested;
    }
    let ended = lab(&["down".to_owned()]);
    tested.and(ended)
}
