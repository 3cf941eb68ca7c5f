//! What is known of each command, one file each, replaced whole and durable before anything
//! happens.

use std::fs;
use std::path::PathBuf;

use openframe_agent_api::link::Command;
use openframe_agent_api::link::command_state::State;
use openframe_ids::CommandId;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::state::Folder;

/// A told command is forgotten so long after it has expired and ended: it can no longer come.
const KEEP_MS: i64 = 7 * 24 * 3_600_000;

/// How far a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// It will run.
    Accepted,
    /// It may have run.
    Started,
    /// It will not run any more.
    Finished,
}

/// How a command ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ending {
    state: i32,
    pub(super) exit_code: Option<i32>,
    pub(super) reason: String,
    pub(super) output_bytes: u64,
}

impl Ending {
    /// An end without a process.
    pub(super) fn of(state: State, reason: &str) -> Self {
        Self { state: state.into(), reason: reason.to_owned(), ..Self::default() }
    }

    pub(super) fn state(&self) -> State {
        State::try_from(self.state).unwrap_or(State::Interrupted)
    }
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) stage: Stage,
    pub(super) interpreter: String,
    pub(super) script: String,
    pub(super) timeout_s: u32,
    pub(super) expires_ms: i64,
    pub(super) idempotent: bool,
    pub(super) output_limit_bytes: u64,
    pub(super) accepted_ms: i64,
    pub(super) ended_ms: i64,
    pub(super) ending: Option<Ending>,
    /// Its end is in the queue to the platform.
    pub(super) told: bool,
}

impl Entry {
    pub(super) fn accepted(id: String, command: Command, now_ms: i64) -> Self {
        Self {
            id,
            stage: Stage::Accepted,
            interpreter: command.interpreter,
            script: command.script,
            timeout_s: command.timeout_s,
            expires_ms: command.expires_ms,
            idempotent: command.idempotent,
            output_limit_bytes: command.output_limit_bytes,
            accepted_ms: now_ms,
            ended_ms: 0,
            ending: None,
            told: false,
        }
    }

    /// Whether it can neither come again nor be asked for.
    pub(super) fn may_be_forgotten(&self, now_ms: i64) -> bool {
        let last = self.expires_ms.max(self.ended_ms).max(self.accepted_ms);
        // One without an expiry is a cancellation that came first: kept until well after any.
        let keep = if self.expires_ms == 0 { 8 * KEEP_MS } else { KEEP_MS };
        self.told && now_ms > last.saturating_add(keep)
    }
}

/// The folder of the files.
#[derive(Debug)]
pub(super) struct Journal {
    folder: Folder,
}

/// A process that a command began, to be found after a crash.
#[derive(Debug, Serialize, Deserialize)]
struct Began {
    pid: i32,
    /// When it began, in the kernel's ticks: numbers of processes are used again.
    start: u64,
    boot_id: String,
}

impl Journal {
    pub(super) fn open(folder: &Folder) -> Result<Self, Error> {
        Ok(Self { folder: folder.sub("commands")? })
    }

    /// Every command that is known.
    pub(super) fn ids(&self) -> Result<Vec<String>, Error> {
        let names = self.folder.names()?.into_iter();
        let ids = names.filter_map(|name| Some(name.strip_suffix(".json")?.to_owned()));
        Ok(ids.filter(|id| id.parse::<CommandId>().is_ok()).collect())
    }

    /// One command. What cannot be read is set aside and counts as interrupted: it may have run.
    pub(super) fn read(&self, id: &str) -> Result<Option<Entry>, Error> {
        let name = format!("{id}.json");
        let Some(bytes) = self.folder.read(&name)? else { return Ok(None) };
        if let Ok(entry) = serde_json::from_slice::<Entry>(&bytes)
            && entry.id == id
        {
            return Ok(Some(entry));
        }
        self.folder.set_aside(&name)?;
        let mut entry = Entry::accepted(id.to_owned(), Command::default(), 0);
        entry.stage = Stage::Finished;
        let why = "the device could not read its journal: the command may have run";
        entry.ending = Some(Ending::of(State::Interrupted, why));
        self.write(&entry)?;
        Ok(Some(entry))
    }

    /// Keeps a command; durable once this returns.
    pub(super) fn write(&self, entry: &Entry) -> Result<(), Error> {
        self.folder.write_json(&format!("{}.json", entry.id), entry)
    }

    pub(super) fn remove(&self, id: &str) -> Result<(), Error> {
        self.folder.remove(&format!("{id}.json"))
    }

    /// The script as a file that only this user may read.
    pub(super) fn script(&self, entry: &Entry) -> Result<PathBuf, Error> {
        self.folder.write_executable(&format!("{}.script", entry.id), entry.script.as_bytes())
    }

    /// Removes what only a running command needs.
    pub(super) fn clean(&self, id: &str) {
        for name in [format!("{id}.script"), format!("{id}.pid")] {
            if let Err(error) = self.folder.remove(&name) {
                tracing::warn!("cannot clean up: {}", openframe_fault::chain(&error));
            }
        }
    }

    /// Notes the process of a command, so that a crash of the agent does not leave it running.
    pub(super) fn note_process(&self, id: &str, pid: u32) {
        let Ok(pid) = i32::try_from(pid) else { return };
        let Some(start) = started(pid) else { return };
        let began = Began { pid, start, boot_id: boot_id() };
        // Not synced: after a power cut there is no process to find.
        let path = self.folder.path().join(format!("{id}.pid"));
        let written = serde_json::to_vec(&began).map(|bytes| fs::write(path, bytes));
        if !matches!(written, Ok(Ok(()))) {
            tracing::warn!("cannot note the process of command {id}");
        }
    }

    /// Kills the process group that a command of an earlier agent left running, if its leader is
    /// still there and certainly the same.
    pub(super) fn kill_left_behind(&self, id: &str) {
        let bytes = self.folder.read(&format!("{id}.pid")).ok().flatten().unwrap_or_default();
        let Ok(began) = serde_json::from_slice::<Began>(&bytes) else { return };
        let same = began.boot_id == boot_id() && started(began.pid) == Some(began.start);
        if same && let Some(pid) = Pid::from_raw(began.pid) {
            tracing::warn!("command {id} was left running; its processes are killed");
            kill_process_group(pid, Signal::KILL).ok();
        }
    }
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// When a process began, in ticks since the machine did.
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    // The name before may hold anything, the last parenthesis ends it; then field 3 follows.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}
