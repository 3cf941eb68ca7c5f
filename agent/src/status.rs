//! What the agent is doing, for `openframe-agent status`: the running agent notes the state of its
//! link in a file, everything else is read from the state folder.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use openframe_clock::Clock;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::state::Folder;

const FILE: &str = "link.json";

/// Where the link is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LinkState {
    /// The platform has welcomed this device.
    Connected {
        /// The platform's clock is so far ahead.
        offset_ms: i64,
    },
    /// It will try again.
    Disconnected {
        /// What went wrong.
        why: String,
    },
    /// The agent does not run.
    Stopped,
}

#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    #[serde(flatten)]
    link: LinkState,
    since: Timestamp,
}

/// Everything that `status` shows.
#[derive(Debug, Serialize)]
pub struct Status {
    version: &'static str,
    running: bool,
    enrolled: bool,
    server: Option<String>,
    device_id: Option<String>,
    tenant_id: Option<String>,
    certificate_ends: Option<Timestamp>,
    link: LinkState,
    link_since: Option<Timestamp>,
    ring_bytes: u64,
    reports_bytes: u64,
}

/// Notes the state of the link. Failing that is no reason to stop.
pub fn note(folder: &Folder, link: LinkState, clock: &Clock) {
    if let Err(error) = folder.write_json(FILE, &Noted { link, since: clock.now() }) {
        tracing::warn!("cannot note the link's state: {}", openframe_fault::chain(&error));
    }
}

impl Status {
    /// Reads it from the state folder.
    pub fn read(folder: &Folder) -> Result<Self, Error> {
        let identity = folder.identity()?;
        let running = matches!(folder.lock(), Err(Error::Running(_)));
        let noted: Option<Noted> = folder.read_json(FILE)?;
        let since = noted.as_ref().map(|noted| noted.since);
        // What an agent that was killed has noted is not so any more.
        let link = noted.map_or(LinkState::Stopped, |noted| noted.link);
        let link = if running { link } else { LinkState::Stopped };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            running,
            enrolled: identity.is_some(),
            server: identity.as_ref().map(|it| it.server.clone()),
            device_id: identity.as_ref().map(|it| it.device_id.to_string()),
            tenant_id: identity.as_ref().map(|it| it.tenant_id.to_string()),
            certificate_ends: identity.map(|it| it.not_after),
            link,
            link_since: since,
            ring_bytes: size(&folder.path().join("ring")),
            reports_bytes: size(&folder.path().join("reports")),
        })
    }

    /// As JSON, one line.
    pub fn json(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|cause| Error::BadAnswer(cause.into()))
    }

    /// For a person.
    pub fn text(&self) -> String {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        let ends = self.certificate_ends.map_or_else(|| "none".to_owned(), |it| it.to_string());
        let link = match &self.link {
            LinkState::Connected { offset_ms } => format!("connected, clock off by {offset_ms} ms"),
            LinkState::Disconnected { why } => format!("not connected: {why}"),
            LinkState::Stopped => "the agent does not run".to_owned(),
        };
        format!(
            "server       {}\ndevice       {}\ncertificate  until {ends}\nlink         {link}\n\
             ring         {} bytes\nreports      {} bytes",
            or_none(&self.server),
            or_none(&self.device_id),
            self.ring_bytes,
            self.reports_bytes
        )
    }
}

/// Bytes of the files in a folder.
fn size(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_counts_only_while_the_agent_runs() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        note(&folder, LinkState::Connected { offset_ms: 3 }, &Clock::system());
        assert_eq!(Status::read(&folder).unwrap().link, LinkState::Stopped);
        let _running = folder.lock().unwrap();
        let status = Status::read(&folder).unwrap();
        assert!(status.text().contains("connected, clock off by 3 ms"));
        assert!(status.json().unwrap().contains(r#""state":"connected""#));
    }
}
