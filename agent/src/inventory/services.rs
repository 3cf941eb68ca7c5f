//! Services of systemd and their state.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use super::{ENTRIES, text};

/// systemd has so long to answer.
const LIMIT: Duration = Duration::from_secs(10);
const ARGUMENTS: [&str; 6] =
    ["list-units", "--type=service", "--all", "--plain", "--no-legend", "--no-pager"];

pub(super) async fn list() -> Value {
    if !std::fs::exists("/run/systemd/system").unwrap_or(false) {
        return json!({ "services": [], "cannot_collect": "systemd does not run here" });
    }
    let mut command = Command::new("systemctl");
    command.args(ARGUMENTS).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(LIMIT, command.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            let lines = String::from_utf8_lossy(&output.stdout).into_owned();
            let services: Vec<Value> = lines.lines().filter_map(service).take(ENTRIES).collect();
            json!({ "services": services })
        }
        Ok(Ok(_)) => json!({ "services": [], "cannot_collect": "systemctl failed" }),
        Ok(Err(cause)) => {
            json!({ "services": [], "cannot_collect": format!("systemctl: {cause}") })
        }
        Err(_) => json!({ "services": [], "cannot_collect": "systemctl did not answer" }),
    }
}

fn service(line: &str) -> Option<Value> {
    let mut words = line.split_whitespace().map(|word| text(word.as_bytes()));
    let (name, loaded, active, sub) = (words.next()?, words.next()?, words.next()?, words.next()?);
    Some(json!({ "name": name, "loaded": loaded, "active": active, "sub": sub }))
}
