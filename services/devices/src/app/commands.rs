//! Commands: asked for, cancelled, ended by time.

use jiff::{SignedDuration, Timestamp};
use openframe_auth_api::{Entry, Outcome};
use openframe_ids::{CommandId, DeviceId};
use openframe_tokens::{Caller, Permission, Subject};
use sha2::{Digest as _, Sha256};

use super::pushes::What;
use super::{App, Ask, Happened, TRIES, busy};
use crate::domain::{self, Chunk, Command, Decoder, State, Stream};
use crate::error::Error;
use crate::siblings::News;
use crate::store::{Batch, Created, UsedKey, Whose};

/// Bytes of a script.
const SCRIPT_LIMIT: usize = 64 << 10;
/// Characters of an interpreter's name, and of a reason.
const TEXT_LIMIT: usize = 1_024;
/// Seconds a command may run, and seconds until it is no longer started, at most.
const TIME_LIMITS: (u32, u32) = (86_400, 2_592_000);
/// Commands looked at for expiry at once.
const OVERDUE_PAGE: u32 = 1_000;
/// Characters of an idempotency key.
const KEY_LIMIT: usize = 128;
/// Pieces of output in one answer.
pub(super) const OUTPUT_LIMIT: u32 = 256;

/// What somebody wants to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The script.
    pub script: String,
    /// What runs it.
    pub interpreter: String,
    /// Seconds it may run.
    pub timeout_s: u32,
    /// Seconds until it is no longer started.
    pub expires_in_s: u32,
    /// Whether it may run again after an interruption.
    pub idempotent: bool,
    /// Why.
    pub reason: String,
}

impl Wanted {
    fn check(&self) -> Result<(), Error> {
        let refuse = |text: &str| Err(Error::Invalid(text.to_owned()));
        if self.script.is_empty() || self.script.len() > SCRIPT_LIMIT {
            return refuse("a script has 1 to 65,536 bytes");
        }
        if self.interpreter.is_empty() || self.interpreter.chars().count() > TEXT_LIMIT {
            return refuse("an interpreter has 1 to 1,024 characters");
        }
        if self.reason.chars().count() > TEXT_LIMIT {
            return refuse("a reason has at most 1,024 characters");
        }
        if !(1..=TIME_LIMITS.0).contains(&self.timeout_s) {
            return refuse("timeout_s is 1 to 86,400");
        }
        if !(1..=TIME_LIMITS.1).contains(&self.expires_in_s) {
            return refuse("expires_in_s is 1 to 2,592,000");
        }
        Ok(())
    }

    fn hash(&self, device: DeviceId) -> [u8; 32] {
        Sha256::digest(format!("{device} {self:?}")).into()
    }
}

impl App {
    /// Asks for a command to run. The same key with the same request gives the same command.
    pub async fn run(
        &self,
        ask: &Ask,
        device: DeviceId,
        wanted: Wanted,
        key: Option<&str>,
    ) -> Result<Command, Error> {
        self.permitted(ask, Permission::CommandsRun, device).await?;
        wanted.check()?;
        if key.is_some_and(|key| !(1..=KEY_LIMIT).contains(&key.chars().count())) {
            return Err(Error::Invalid("an idempotency key has 1 to 128 characters".to_owned()));
        }
        let whose = (ask.caller.tenant, device);
        if let Some(known) = self.made_before(ask, key, wanted.hash(device)).await? {
            return Ok(known);
        }
        let now = self.clock.now();
        let command = self.new_command(ask, whose, &wanted);
        let detail = format!("device={device} reason={:?}", wanted.reason);
        self.record(ask, "command.create", command.id.to_string(), detail).await?;
        let lasting = SignedDuration::from_hours(i64::from(self.config.idempotency_hours));
        let key_used = key.map(|key| UsedKey {
            caller: caller(ask),
            key: key.to_owned(),
            request: wanted.hash(device),
            until: now.saturating_add(lasting).unwrap_or(now),
        });
        let most = self.config.waiting_commands;
        match self.stores.commands.create(&command, key_used.as_ref(), most).await? {
            Created::Made => {}
            Created::TooMany => return Err(Error::TooManyCommands(most)),
            Created::NoDevice => return Err(Error::NoSuchDevice(device)),
            Created::KeyInUse => {
                let known = self.made_before(ask, key, wanted.hash(device)).await?;
                return known.ok_or_else(busy);
            }
        }
        self.metrics.commands_created.inc();
        let (commands, made) = ([command.id].into(), [command.id].into());
        self.siblings.note(whose, News { commands, made, ..News::default() });
        self.tell(whose, Happened::Command(Box::new(command.clone())));
        self.push_soon(whose, What::New);
        Ok(command)
    }

    async fn made_before(
        &self,
        ask: &Ask,
        key: Option<&str>,
        request: [u8; 32],
    ) -> Result<Option<Command>, Error> {
        let (Some(key), tenant, now) = (key, ask.caller.tenant, self.clock.now()) else {
            return Ok(None);
        };
        let Some(used) = self.stores.commands.used(tenant, (&caller(ask), key), now).await? else {
            return Ok(None);
        };
        if used.request != request {
            return Err(Error::KeyReused);
        }
        self.found(ask, used.command).await.map(Some)
    }

    fn new_command(&self, ask: &Ask, (tenant, device): Whose, wanted: &Wanted) -> Command {
        let now = self.clock.now();
        let life = SignedDuration::from_secs(i64::from(wanted.expires_in_s));
        Command {
            id: CommandId::new(),
            tenant,
            device,
            version: 1,
            state: State::Queued,
            script: wanted.script.clone(),
            interpreter: wanted.interpreter.clone(),
            timeout_s: wanted.timeout_s,
            idempotent: wanted.idempotent,
            created_at: now,
            expires_at: now.saturating_add(life).unwrap_or(now),
            started_at: None,
            finished_at: None,
            exit_code: None,
            status_reason: String::new(),
            created_by: caller(ask),
            reason: wanted.reason.clone(),
            cancel_requested: false,
            output_bytes: 0,
            output_chunks: 0,
            output_end: 0,
            output_truncated: false,
        }
    }

    /// One command.
    pub async fn command(&self, ask: &Ask, id: CommandId) -> Result<Command, Error> {
        self.permitted_command(ask, Permission::DevicesRead, id).await
    }

    pub(super) async fn found(&self, ask: &Ask, id: CommandId) -> Result<Command, Error> {
        let found = self.stores.commands.command(ask.caller.tenant, id).await?;
        found.ok_or(Error::NoSuchCommand(id))
    }

    /// A device's commands before `before`, newest first.
    pub async fn commands(
        &self,
        ask: &Ask,
        device: DeviceId,
        before: Option<CommandId>,
        limit: u32,
    ) -> Result<Vec<Command>, Error> {
        let whose = (ask.caller.tenant, device);
        self.permitted(ask, Permission::DevicesRead, device).await?;
        self.stores.commands.commands(whose, before, limit).await
    }

    /// Output from `after` on, and the command as it was just before that was read: a finished one
    /// whose end is reached has nothing more.
    pub async fn output(
        &self,
        ask: &Ask,
        id: CommandId,
        after: u64,
    ) -> Result<(Command, Vec<Chunk>), Error> {
        let command = self.command(ask, id).await?;
        let of = (ask.caller.tenant, id);
        Ok((command, self.stores.commands.output(of, after, OUTPUT_LIMIT).await?))
    }

    /// What decodes the output of a command from `after` on.
    pub async fn decoder(&self, ask: &Ask, id: CommandId, after: u64) -> Result<Decoder, Error> {
        if after == 0 {
            return Ok(Decoder::default());
        }
        let before = |stream| self.stores.commands.tail((ask.caller.tenant, id), stream, after);
        let stdout = before(Stream::Stdout).await?;
        Ok(Decoder::after(&stdout, &before(Stream::Stderr).await?))
    }

    /// Cancels a command that has not finished.
    pub async fn cancel(&self, ask: &Ask, id: CommandId) -> Result<Command, Error> {
        let command = self.permitted_command(ask, Permission::CommandsRun, id).await?;
        self.record(ask, "command.cancel", id.to_string(), String::new()).await?;
        let whose = (command.tenant, command.device);
        for _ in 0..TRIES {
            let command = self.found(ask, id).await?;
            let Some(next) = domain::cancel(&command, self.clock.now()) else {
                return Ok(command);
            };
            if next.state.is_finished() {
                self.record_end(&ask.caller, &next).await?;
            }
            if self.replace(&command, next).await? {
                self.say_cancel(whose, id).await;
                return self.found(ask, id).await;
            }
        }
        Err(busy())
    }

    /// Ends commands that were not begun in time, and those that their devices do not know any more.
    pub async fn expire(&self) -> Result<(), Error> {
        let (now, mut after) = (self.clock.now(), None);
        loop {
            let overdue = self.stores.commands.overdue(now, after, OVERDUE_PAGE).await?;
            let Some((due, last)) = overdue.last() else { break };
            after = Some((*due, last.id));
            for (_, command) in &overdue {
                self.expire_one(command, now).await?;
            }
        }
        self.stores.commands.forget_keys(now).await
    }

    async fn expire_one(&self, command: &Command, now: Timestamp) -> Result<(), Error> {
        let connected = self.connected_since((command.tenant, command.device));
        let Some(next) = domain::expire(command, now, connected) else { return Ok(()) };
        let subject = Subject::Service { name: "devices".to_owned() };
        self.record_end(&Caller { tenant: command.tenant, subject }, &next).await?;
        // One that has just changed is looked at next time.
        self.replace(command, next).await.map(drop)
    }

    /// Puts on the audit trail how a command is about to end, and by whose word.
    pub(super) async fn record_end(&self, caller: &Caller, command: &Command) -> Result<(), Error> {
        let (state, device) = (command.state, command.device);
        let code = command.exit_code.map(|code| format!(" exit_code={code}")).unwrap_or_default();
        let why = match command.status_reason.as_str() {
            "" => String::new(),
            why => format!(" why={why:?}"),
        };
        let outcome = if state == State::Succeeded { Outcome::Done } else { Outcome::Failed };
        let entry = Entry {
            caller: caller.clone(),
            action: "command.end",
            target: command.id.to_string(),
            outcome,
            detail: format!("device={device} state={}{code}{why}", state.as_str()),
            remote_address: String::new(),
            request_id: String::new(),
        };
        self.audit.record(entry).await.map_err(Error::Audit)
    }

    /// Writes a command unless it has changed since `old` was read.
    pub(super) async fn replace(&self, old: &Command, next: Command) -> Result<bool, Error> {
        let ended = (next.state.is_finished() && !old.state.is_finished()).then_some(next.id);
        let batch = Batch { commands: vec![(old.version, next)], ..Batch::default() };
        self.commit((old.tenant, old.device), &batch, &Vec::from_iter(ended)).await
    }
}

fn caller(ask: &Ask) -> String {
    format!("{} {}", ask.caller.kind(), ask.caller.id())
}
