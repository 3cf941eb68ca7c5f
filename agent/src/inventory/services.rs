//! Services of systemd and their state.

use serde_json::{Value, json};

use super::{ENTRIES, text, tools};

const ARGUMENTS: [&str; 6] =
    ["list-units", "--type=service", "--all", "--plain", "--no-legend", "--no-pager"];

pub(super) async fn list() -> Value {
    if !std::fs::exists("/run/systemd/system").unwrap_or(false) {
        return json!({ "services": [], "cannot_collect": "systemd does not run here" });
    }
    match tools::ask("systemctl", &ARGUMENTS).await {
        Some(Ok(lines)) => {
            let services: Vec<Value> = lines.lines().filter_map(service).take(ENTRIES).collect();
            json!({ "services": services })
        }
        Some(Err(why)) => json!({ "services": [], "cannot_collect": why }),
        None => json!({ "services": [], "cannot_collect": "there is no systemctl" }),
    }
}

fn service(line: &str) -> Option<Value> {
    let mut words = line.split_whitespace().map(|word| text(word.as_bytes()));
    let (name, loaded, active, sub) = (words.next()?, words.next()?, words.next()?, words.next()?);
    Some(json!({ "name": name, "loaded": loaded, "active": active, "sub": sub }))
}
