//! Commands of the platform, each run at most once.
//!
//! Laws (tested): what happens next is on disk before it happens; a command that is known is
//! answered from the journal and never run again; one that had begun when the agent died is
//! reported as interrupted, unless it says that it may be run again.

mod journal;
mod output;
mod process;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use openframe_agent_api::link::command_state::State;
use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{Command, CommandOutput, CommandState};
use openframe_clock::Clock;
use openframe_ids::CommandId;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Error;
use crate::config::Config;
use crate::link::connection::lock;
use crate::link::disk::DiskOutbox;
use crate::state::Folder;
use journal::{Ending, Entry, Journal, Stage};
use output::Piece;

/// Why a command is refused on a device that runs none.
const SWITCHED_OFF: &str = "commands are switched off in agent.toml on this device";

/// What the runner works with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The state folder.
    pub folder: Folder,
    /// The settings.
    pub config: Config,
    /// Where reports go.
    pub outbox: Arc<Mutex<DiskOutbox>>,
    /// Notified after each report.
    pub wake: Arc<Notify>,
    /// The platform's time, by which commands expire.
    pub clock: Clock,
    /// Ends all commands as interrupted.
    pub stop: CancellationToken,
}

/// Runs commands. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runner(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    journal: Journal,
    permits: Arc<Semaphore>,
    /// Commands of this process that have not ended.
    alive: Mutex<HashMap<String, CancellationToken>>,
    tasks: TaskTracker,
}

impl Runner {
    /// Opens the journal. Nothing runs before [`Runner::recover`].
    pub fn open(parts: Parts) -> Result<Self, Error> {
        let journal = Journal::open(&parts.folder)?;
        let permits = Arc::new(Semaphore::new(parts.config.concurrent_commands));
        Ok(Self(Arc::new(Inner {
            parts,
            journal,
            permits,
            alive: Mutex::default(),
            tasks: TaskTracker::new(),
        })))
    }

    /// Brings what an earlier process left to its end. One command that cannot be read or written
    /// keeps no other waiting.
    pub fn recover(&self) {
        self.each(|runner, entry| match entry.stage {
            Stage::Accepted => runner.begin(entry),
            Stage::Started => {
                runner.0.journal.kill_left_behind(&entry.id);
                if entry.idempotent {
                    runner.begin(Entry { stage: Stage::Accepted, ..entry });
                } else {
                    let why = "the agent ended while it ran";
                    runner.end(entry, Ending::of(State::Interrupted, why));
                }
            }
            Stage::Finished => runner.settle(entry),
        });
    }

    /// Tells the ends that could not be told, and forgets what can no longer come.
    pub fn keep_house(&self) {
        self.each(|runner, entry| {
            if entry.stage == Stage::Finished {
                runner.settle(entry);
            }
        });
    }

    fn each(&self, what: impl Fn(&Self, Entry)) {
        let ids = self.0.journal.ids().unwrap_or_else(|error| {
            tracing::error!("cannot list commands: {}", openframe_fault::chain(&error));
            Vec::new()
        });
        for id in ids {
            match self.0.journal.read(&id) {
                Ok(Some(entry)) => what(self, entry),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!("command {id}: {}", openframe_fault::chain(&error));
                }
            }
        }
    }

    fn settle(&self, entry: Entry) {
        if !entry.told {
            return self.tell_end(entry);
        }
        if entry.may_be_forgotten(self.now_ms())
            && let Err(error) = self.0.journal.remove(&entry.id)
        {
            tracing::warn!("cannot forget a command: {}", openframe_fault::chain(&error));
        }
    }

    /// The platform wants a command run.
    pub fn run(&self, command: Command) {
        let Ok(id) = command.id.parse::<CommandId>().map(|id| id.to_string()) else {
            tracing::warn!("the platform sent a command without a usable id");
            return;
        };
        if !self.0.parts.config.commands {
            let ending = Ending::of(State::Failed, SWITCHED_OFF);
            self.say(self.state(&id, State::Failed, &ending));
            return;
        }
        match self.0.journal.read(&id) {
            Ok(Some(entry)) => self.repeat(&entry),
            Ok(None) => self.accept(Entry::accepted(id, command, self.now_ms())),
            Err(error) => {
                tracing::error!("cannot run command {id}: {}", openframe_fault::chain(&error));
            }
        }
    }

    /// The platform wants a command stopped.
    pub fn cancel(&self, id: &str) {
        let Ok(id) = id.parse::<CommandId>().map(|id| id.to_string()) else { return };
        if let Some(token) = lock(&self.0.alive).get(&id) {
            token.cancel();
            return;
        }
        match self.0.journal.read(&id) {
            Ok(Some(entry)) => self.repeat(&entry),
            Ok(None) => {
                // Kept, so that it is not run when it comes after its cancellation.
                let entry = Entry::accepted(id, Command::default(), self.now_ms());
                self.end(entry, Ending::of(State::Cancelled, "cancelled before it began"));
            }
            Err(error) => tracing::error!("{}", openframe_fault::chain(&error)),
        }
    }

    /// Waits until nothing runs any more. Call after the stop token.
    pub async fn ended(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn accept(&self, entry: Entry) {
        if let Err(error) = self.0.journal.write(&entry) {
            // Not accepted: the platform sends it again when the device connects again.
            tracing::error!("cannot accept a command: {}", openframe_fault::chain(&error));
            return;
        }
        self.say(self.state(&entry.id, State::Accepted, &Ending::default()));
        self.begin(entry);
    }

    /// Says again how a known command fares.
    fn repeat(&self, entry: &Entry) {
        let (state, ending) = match (&entry.stage, &entry.ending) {
            (_, Some(ending)) => (ending.state(), ending.clone()),
            (Stage::Accepted, None) => (State::Accepted, Ending::default()),
            (Stage::Started | Stage::Finished, None) => (State::Running, Ending::default()),
        };
        self.say(self.state(&entry.id, state, &ending));
    }

    fn begin(&self, entry: Entry) {
        let token = CancellationToken::new();
        lock(&self.0.alive).insert(entry.id.clone(), token.clone());
        let runner = self.clone();
        self.0.tasks.spawn(async move {
            let id = entry.id.clone();
            runner.live(entry, &token).await;
            lock(&runner.0.alive).remove(&id);
        });
    }

    /// From accepted to the end.
    async fn live(&self, mut entry: Entry, cancelled: &CancellationToken) {
        let parts = &self.0.parts;
        let permit = tokio::select! {
            biased;
            () = parts.stop.cancelled() => return,
            () = cancelled.cancelled() => {
                return self.end(entry, Ending::of(State::Cancelled, "cancelled before it began"));
            }
            permit = Arc::clone(&self.0.permits).acquire_owned() => permit,
        };
        if entry.expires_ms > 0 && self.now_ms() >= entry.expires_ms {
            return self
                .end(entry, Ending::of(State::Expired, "the device could not begin it in time"));
        }
        let script = match self.0.journal.script(&entry) {
            Ok(script) => script,
            Err(error) => return self.end(entry, Ending::of(State::Failed, &error.to_string())),
        };
        entry.stage = Stage::Started;
        if let Err(error) = self.0.journal.write(&entry) {
            // Not begun: it is looked at again when the agent starts again.
            tracing::error!("cannot begin a command: {}", openframe_fault::chain(&error));
            return;
        }
        self.say(self.state(&entry.id, State::Running, &Ending::default()));
        let ending = process::run(
            &entry,
            &script,
            process::Ends { cancelled, stop: &parts.stop },
            output::limit(entry.output_limit_bytes, parts.config.output_limit_bytes),
            &mut |event| self.heard(&entry.id, event),
        )
        .await;
        drop(permit);
        self.end(entry, ending);
    }

    fn heard(&self, id: &str, event: process::Event) -> bool {
        match event {
            process::Event::Began(pid) => {
                self.0.journal.note_process(id, pid);
                true
            }
            process::Event::Wrote(Piece { stream, offset, data }) => {
                let id = id.to_owned();
                let output = CommandOutput { id, stream: stream.into(), offset, data };
                let kept = lock(&self.0.parts.outbox).output(Body::CommandOutput(output));
                self.0.parts.wake.notify_one();
                kept
            }
        }
    }

    fn end(&self, mut entry: Entry, ending: Ending) {
        let may_have_run = entry.stage == Stage::Started;
        entry.stage = Stage::Finished;
        entry.ending = Some(ending);
        entry.script.clear();
        entry.ended_ms = self.now_ms();
        self.0.journal.clean(&entry.id);
        if let Err(error) = self.0.journal.write(&entry) {
            tracing::error!("cannot keep how a command ended: {}", openframe_fault::chain(&error));
            // Started on disk, it counts as interrupted after a crash and never as new. Accepted on
            // disk, it will run when the agent starts again: then nothing may be said now.
            if !may_have_run {
                return;
            }
        }
        self.tell_end(entry);
    }

    fn tell_end(&self, mut entry: Entry) {
        let ending = entry.ending.clone().unwrap_or_default();
        tracing::info!(command.id = %entry.id, "command {} ended: {}", entry.id, ending.state().as_str_name());
        entry.told = self.say(self.state(&entry.id, ending.state(), &ending));
        if entry.told
            && let Err(error) = self.0.journal.write(&entry)
        {
            tracing::warn!("a report will be repeated: {}", openframe_fault::chain(&error));
        }
    }

    fn state(&self, id: &str, state: State, ending: &Ending) -> CommandState {
        CommandState {
            id: id.to_owned(),
            state: state.into(),
            time_ms: self.now_ms(),
            exit_code: ending.exit_code,
            reason: ending.reason.clone(),
            output_bytes: ending.output_bytes,
        }
    }

    /// Queues a report; true once it is durable.
    fn say(&self, state: CommandState) -> bool {
        let kept = lock(&self.0.parts.outbox).report(Body::CommandState(state));
        self.0.parts.wake.notify_one();
        if let Err(error) = &kept {
            tracing::error!("cannot keep a report: {}", openframe_fault::chain(error));
        }
        kept.is_ok()
    }

    fn now_ms(&self) -> i64 {
        self.0.parts.clock.now().as_millisecond()
    }
}

#[cfg(test)]
mod tests;
