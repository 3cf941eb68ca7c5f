//! What the device is: sections of JSON, sent when they change.

mod dpkg;
mod machine;
pub mod network;
mod people;
mod services;
mod tools;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use openframe_agent_api::link::InventorySection;
use openframe_agent_api::link::frame::Body;
use openframe_clock::Clock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::link::connection::lock;
use crate::link::disk::DiskOutbox;
use crate::state::Folder;

/// Two looks at the inventory are at least so far apart.
pub const SOONEST: Duration = Duration::from_mins(1);
/// A section's bytes: it must fit into one frame of the link.
const BODY_BYTES: usize = 240 << 10;
/// Characters of any text of it.
const TEXT: usize = 256;
/// Entries of any list of it.
const ENTRIES: usize = 5_000;
/// Where it is kept what was sent.
const SENT: &str = "inventory.json";

/// What the platform was told.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    /// As which device: another platform knows nothing yet.
    device: String,
    /// Each section's hash.
    hashes: BTreeMap<String, Vec<u8>>,
}

/// Looks at everything; queues the sections that have changed.
pub async fn report(
    folder: &Folder,
    outbox: &Mutex<DiskOutbox>,
    clock: &Clock,
) -> Result<(), Error> {
    let (mut services, others) = (services::list().await, tools::software().await);
    add(&mut services, tools::containers().await);
    // Reading a large database of packages must not hold up the link.
    let looked = tokio::task::spawn_blocking(move || sections(services, others)).await;
    let sections = looked.map_err(|cause| Error::BadAnswer(cause.into()))?;
    let device = folder.identity()?.map(|it| it.device_id.to_string()).unwrap_or_default();
    let mut sent: Sent = folder.read_json(SENT)?.unwrap_or_default();
    if sent.device != device {
        sent = Sent { device, ..Sent::default() };
    }
    let mut changed = false;
    for (section, value) in sections {
        let body = encode(value);
        let hash = Sha256::digest(&body).to_vec();
        if sent.hashes.get(section) == Some(&hash) {
            continue;
        }
        let time_ms = clock.now().as_millisecond();
        let name = section.to_owned();
        let report = InventorySection {
            section: name.clone(),
            time_ms,
            hash: hash.clone().into(),
            body: body.into(),
        };
        lock(outbox).report(Body::Inventory(report))?;
        sent.hashes.insert(name, hash);
        changed = true;
    }
    if changed {
        folder.write_json(SENT, &sent)?;
    }
    Ok(())
}

fn add(section: &mut Value, fields: Vec<(&'static str, Value)>) {
    let Some(section) = section.as_object_mut() else { return };
    section.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
}

fn sections(services: Value, others: Vec<(&'static str, Value)>) -> [(&'static str, Value); 6] {
    let mut software = dpkg::section();
    add(&mut software, others);
    [
        ("hardware", machine::hardware()),
        ("os", machine::os()),
        ("network", network::section()),
        ("users", people::section()),
        ("software", software),
        ("services", services),
    ]
}

/// The section as JSON, names sorted. Its longest list is cut until it fits, and says so.
fn encode(mut value: Value) -> Vec<u8> {
    loop {
        let body = value.to_string().into_bytes();
        if body.len() <= BODY_BYTES {
            return body;
        }
        let Some(fields) = value.as_object_mut() else { return b"{}".to_vec() };
        let lists = fields.values_mut().filter_map(Value::as_array_mut);
        let Some(longest) = lists.max_by_key(|list| list.len()).filter(|list| !list.is_empty())
        else {
            return json!({ "cannot_collect": "it is too large" }).to_string().into_bytes();
        };
        // In proportion, and a little more, so that few rounds are enough.
        let keep = (longest.len() * BODY_BYTES / body.len() * 19 / 20).min(longest.len() - 1);
        longest.truncate(keep);
        fields.insert("truncated".to_owned(), Value::Bool(true));
    }
}

/// Text of unknown origin, cut to a sane length.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().chars().take(TEXT).collect()
}

/// A small file's text; empty when it cannot be read.
fn small(path: &str) -> String {
    std::fs::read(path).map(|bytes| text(&bytes)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_that_is_too_large_is_cut_and_says_so() {
        let long: Vec<String> = (0..40_000).map(|n| format!("entry {n}")).collect();
        let body = encode(json!({ "list": long, "a": 1 }));
        assert!(body.len() <= BODY_BYTES);
        let value: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(value["truncated"], true);
        assert!(value["list"].as_array().unwrap().len() > 5_000);
        assert!(encode(json!({ "text": "x".repeat(1 << 20) })).starts_with(br#"{"cannot"#));
    }

    #[tokio::test]
    async fn only_changes_are_sent() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let outbox = Mutex::new(DiskOutbox::open(&folder, 1 << 20, 0).unwrap());
        report(&folder, &outbox, &Clock::system()).await.unwrap();
        let sent: Sent = folder.read_json(SENT).unwrap().unwrap();
        assert_eq!(sent.hashes.len(), 6);
        report(&folder, &outbox, &Clock::system()).await.unwrap();
        assert_eq!(folder.read_json::<Sent>(SENT).unwrap().unwrap().hashes.len(), 6);
    }
}
