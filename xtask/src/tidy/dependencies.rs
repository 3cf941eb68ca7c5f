//! The dependency table of `ARCHITECTURE.md`, and crate names.

use std::path::Path;

use anyhow::Context as _;
use cargo_metadata::{Metadata, Package};

use super::Violation;

/// Crates that only `stores/` may name.
const DRIVERS: [&str; 7] =
    ["sqlx", "scylla", "redis", "fred", "rusqlite", "tokio-postgres", "cdrs-tokio"];

pub(super) fn check(root: &Path, metadata: &Metadata) -> anyhow::Result<Vec<Violation>> {
    let mut found = Vec::new();
    let packages = metadata.workspace_packages();
    let folder = |name: &str| {
        let package = packages.iter().find(|package| package.name.as_str() == name)?;
        place(root, package)
    };
    for package in &packages {
        let Some(own) = place(root, package) else { continue };
        let mut say = |what: String| found.push(Violation::of(&own, what));
        let last = own.rsplit('/').next().unwrap_or_default();
        let name = package.name.as_str();
        if name.strip_prefix("openframe-").unwrap_or(name) != last {
            say(format!("the crate is called {name}; name it after its folder"));
        }
        let manifest = std::fs::read_to_string(&package.manifest_path)
            .with_context(|| package.manifest_path.to_string())?;
        if !manifest.contains("[lints]\nworkspace = true") {
            say("does not take the workspace's lints; add [lints] workspace = true".to_owned());
        }
        // Those of tests and build scripts as well: they are compiled with it.
        for dependency in &package.dependencies {
            if let Some(other) = folder(&dependency.name)
                && !may_depend(&own, &other)
            {
                say(format!("may not depend on {other}; see ARCHITECTURE.md"));
            }
            if DRIVERS.contains(&dependency.name.as_str()) && group(&own) != "stores" {
                say(format!("names the driver {}; only stores/ may", dependency.name));
            }
        }
    }
    Ok(found)
}

/// The folder of a package, from the root.
fn place(root: &Path, package: &Package) -> Option<String> {
    let folder = package.manifest_path.parent()?.as_std_path();
    Some(folder.strip_prefix(root).ok()?.display().to_string())
}

fn group(folder: &str) -> &str {
    folder.split('/').next().unwrap_or(folder)
}

/// The table. `stores/sqlite` is what the stores on SQLite share; `api/agent-api` is what the others
/// carry.
fn may_depend(own: &str, other: &str) -> bool {
    let to = group(other);
    match group(own) {
        "libs" => to == "libs",
        "api" => to == "libs" || other == "api/agent-api",
        "services" | "agent" | "cli" => to == "api" || to == "libs",
        "stores" => {
            let service = own.rsplit('/').next().and_then(|name| name.split('-').next());
            let kept = service.map(|service| format!("services/{service}"));
            // What the engines of one kind of database share.
            let kinds = ["stores/sqlite", "stores/postgres", "stores/cassandra"];
            to == "libs" || kinds.contains(&other) || kept.as_deref() == Some(other)
        }
        "openframe" => to != "tests" && to != "xtask" && to != "bench",
        "tests" | "bench" => to != "xtask",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_kept() {
        for (own, other) in [
            ("services/auth", "libs/fault"),
            ("services/auth", "api/auth-api"),
            ("stores/auth-sqlite", "services/auth"),
            ("stores/auth-sqlite", "stores/sqlite"),
            ("stores/auth-postgres", "stores/postgres"),
            ("openframe", "stores/auth-sqlite"),
            ("tests/system", "services/auth"),
        ] {
            assert!(may_depend(own, other), "{own} -> {other}");
        }
        for (own, other) in [
            ("services/auth", "services/devices"),
            ("services/auth", "stores/auth-sqlite"),
            ("stores/auth-sqlite", "services/devices"),
            ("stores/auth-sqlite", "api/auth-api"),
            ("stores/auth-postgres", "stores/auth-sqlite"),
            ("libs/fault", "api/auth-api"),
            ("agent", "services/gateway"),
            ("openframe", "tests/system"),
        ] {
            assert!(!may_depend(own, other), "{own} -> {other}");
        }
    }
}
